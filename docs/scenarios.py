"""`python -m docs.scenarios [DAYS]`: plays the shipped scenarios on the demo's machines, and writes `scenarios.md` from it.

    make scenarios           a week of `quiet`, `week` (four stories) and `hard` on five machines: about an hour on two cores
    make scenarios DAYS=1    the same of one day, to try it; the page is written all the same

One process for each machine. Nothing here is tuned by what comes out: models are trained as the demo trains them, on the
healthy hours before, and faults are named by the tables of `edge/knowledge`.
"""

import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docs.machines import ROOT
from docs.played import Finding, Play, Said, Trouble, false_alarms, findings, life_errors, play, replay, trained
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from simulator.scenario import load_scenario

PLANT: Final = ROOT / "edge" / "plants" / "demo.toml"
PAGE: Final = ROOT / "docs" / "scenarios.md"
SEED: Final = 1
# what comes by chance is told four times, for more lives than one week has
STORIES: Final = {"quiet": (1,), "week": (1, 2, 3, 4), "hard": (1,)}
DAYS: Final = 7.0
# after a repair heat and oil need a while until all is as usual; a slow machine longer [s]
GRACE_S: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One play as the page tells it: hours, seconds without a score by reason, and what became of its faults.

    alarms, limit_alarms: false ones; lives: as `life_errors` gives them
    """

    scenario: str
    story: int
    asset: str
    hours: float
    withheld_h: dict[str, float]
    findings: tuple[Finding, ...]
    alarms: int
    limit_alarms: int
    lives: NDArray[np.float64]


def played(asset: str, days: float) -> list[Told]:
    """All plays of one machine."""
    plant = load_plant(PLANT, {})
    plays = [
        (scenario, story, play(plant, asset, _name(scenario, story), load_scenario(scenario), 24.0 * days, SEED, story))
        for scenario, stories in STORIES.items()
        for story in stories
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = trained(plant, plays[0][2], Path(folder) / "model.onnx")
    said = replay(plant, model, [each for _, _, each in plays])
    return [_told(plant, scenario, story, each, said[each.name], days) for scenario, story, each in plays]


def _name(scenario: str, story: int) -> str:
    return f"{scenario}-{story}"


def _told(plant: Plant, scenario: str, story: int, each: Play, heard: Said, days: float) -> Told:
    period_h = plant.assets[each.asset].period_s / 3600.0
    return Told(
        scenario=scenario,
        story=story,
        asset=each.asset,
        hours=24.0 * days,
        withheld_h={reason: count * period_h for reason, count in heard.withheld.items()},
        findings=tuple(findings(each, heard)),
        alarms=len(false_alarms(each, heard, GRACE_S)),
        limit_alarms=len(false_alarms(each, heard, GRACE_S, "limit-alarm-")),
        lives=life_errors(each, heard),
    )


def page(told: Sequence[Told], minutes: float) -> str:
    """The whole page."""
    days = told[0].hours / 24.0
    lines = [
        "# Scenarios: what is said, and what was true",
        "",
        f"Written by `make scenarios` ({minutes:.0f} minutes on {os.cpu_count()} cores of {_processor()}, "
        f"Python {platform.python_version()}); [`docs/scenarios.py`](scenarios.py) says how. {days:g} days of each scenario "
        "on each of the demo's machines go through simulator and pipeline, after the healthy days of training; "
        "`week` with four stories of chance. The models are the demo's: trained on healthy data, with no label.",
        "",
        "- **found**: an anomaly alarm that began in the time of the fault (one that stood already does not count); **lead**: "
        "hours from it until the fault was complete, or repaired",
        "- **false**: times that an anomaly alarm became active when nothing was wrong, nor had been for half an hour. "
        "All stories have the same machine with the same noise: a healthy moment that is one false alarm in `quiet` may be one "
        "in each story of `week`, too",
        "- **reached**: how far the fault had come when it was repaired, or when it was complete; 1 is failure",
        "- **limits**: the fixed alarm limits that the plant has today: the floor",
        "- **first**, **at last**: the fault that was named first from the alarm on, and the last one while it was there; "
        "where two are there at once the other may rightly be named",
        "",
    ]
    for scenario in STORIES:
        lines += _scenario(scenario, [each for each in told if each.scenario == scenario])
    return "\n".join([*lines, *_lives(told)]) + "\n"


def _scenario(scenario: str, told: Sequence[Told]) -> list[str]:
    lines = [
        f"## `{scenario}`",
        "",
        "| machine | hours | with a score | faults | found | by limits | false | of limits | without a score |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for asset in dict.fromkeys(each.asset for each in told):
        mine = [each for each in told if each.asset == asset]
        hours = sum(each.hours for each in mine)
        without = sum((Counter(each.withheld_h) for each in mine), Counter[str]())
        faults = [found for each in mine for found in each.findings if not found.trouble.fault.startswith("sensor")]
        lines.append(
            f"| {asset} | {hours:.0f} | {100 * (1 - without.total() / hours):.1f} % | {len(faults)} "
            f"| {sum(each.lead_h is not None for each in faults)} | {sum(each.limit_after_h is not None for each in faults)} "
            f"| {sum(each.alarms for each in mine)} | {sum(each.limit_alarms for each in mine)} "
            f"| {', '.join(f'{reason} {h:.1f} h' for reason, h in without.most_common())} |"
        )
    rows = [(each, found) for each in told for found in each.findings]
    if not rows:
        return [*lines, ""]
    named = [found for _, found in rows if found.lead_h is not None and not found.trouble.fault.startswith("sensor")]
    right = sum(found.first_named == found.trouble.fault for found in named)
    right_last = sum(found.named == found.trouble.fault for found in named)
    lines += [
        "",
        f"The right fault was named first in {right} of {len(named)} found ones, at last in {right_last}.",
        "",
        "| machine | story | fault | reached | grows h | found after h | lead h | limits' lead h | first | at last |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each, found in rows:
        trouble = found.trouble
        until = trouble.fails or trouble.ends
        limit = None if found.limit_after_h is None else (until - trouble.begins) / 3.6e12 - found.limit_after_h
        lines.append(
            f"| {each.asset} | {each.story} | {trouble.fault} | {_reached(trouble)} | {(until - trouble.begins) / 3.6e12:.2f} "
            f"| {_h(found.after_h)} | {_h(found.lead_h)} | {_h(limit)} | {found.first_named or '–'} | {found.named or '–'} |"
        )
    return [*lines, ""]


def _lives(told: Sequence[Told]) -> list[str]:
    lines = [
        "## Remaining life",
        "",
        "Where a remaining life was told while a fault led to failure, once a minute: the share in which the true one lay "
        "between p10 and p90 (aimed at: 0.8), and the median of |p50 / true - 1|. It is told by the trend of the score alone, "
        "without any recorded failure; `lives` are faults during which one was told at all, of those that led to failure.",
        "",
        "| machine | lives | told, minutes | coverage | median error of p50 |",
        "|---|---|---|---|---|",
    ]
    everything = []
    for asset in dict.fromkeys(each.asset for each in told):
        mine = [each for each in told if each.asset == asset]
        lives = np.concatenate([each.lives for each in mine])
        failing = sum(found.trouble.fails is not None for each in mine for found in each.findings)
        told_of = len({(each.scenario, each.story, row[4]) for each in mine for row in each.lives.tolist() if row[4] >= 0})
        everything.append(lives)
        lines.append(f"| {asset} | {told_of} of {failing} | {len(lives)} | {_coverage(lives)} |")
    lines.append(f"| all | | {sum(map(len, everything))} | {_coverage(np.concatenate(everything))} |")
    return lines


def _coverage(lives: NDArray[np.float64]) -> str:
    if not len(lives):
        return "– | –"
    truth, p10, p50, p90 = lives[:, 0], lives[:, 1], lives[:, 2], lives[:, 3]
    inside = ((p10 <= truth) & (truth <= p90)).mean()
    error = np.median(np.abs(p50 / np.maximum(truth, 1 / 60) - 1))
    return f"{inside:.2f} | {error:.2f}"


def _reached(trouble: Trouble) -> str:
    # a sensor's fault has no failure that it leads to
    return f"{trouble.reached:.2g}" if trouble.severity else "–"


def _h(hours: float | None) -> str:
    return "–" if hours is None else f"{hours:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main(days: float = DAYS) -> None:
    began = time.monotonic()
    assets = list(load_plant(PLANT, {}).assets)
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        told = [each for found in workers.map(played, assets, [days] * len(assets)) for each in found]
    PAGE.write_text(page(told, (time.monotonic() - began) / 60.0), encoding="utf-8")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
