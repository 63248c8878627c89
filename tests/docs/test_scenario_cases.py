"""Stories through simulator and pipeline, folder by folder: the alarms with times and texts, and the spans without a score."""

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.played import Play, Said, play, replay, trained
from edge.contracts.alarm import AlarmState
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from simulator.generate import SHIFT_H
from simulator.scenario import load_scenario

FOLDER = Path(__file__).parents[1] / "cases" / "scenarios"
Expected = dict[str, Any]
EXPECTED = {path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*/expected.toml")}
CASES = sorted(EXPECTED)
TRAINED_H = 16.0
MIN_NS = 60_000_000_000


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(FOLDER / "plant.toml", {})


@pytest.fixture(scope="module")
def told_of(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, tuple[Expected, Play, Said]]]:
    """A function that gives all stories of an asset, by name what should be said, the story itself, and what was.

    They go through one pipeline, side by side: so they are equally long. The healthy hours before them are the same.
    """

    @cache
    def tell(asset: str) -> dict[str, tuple[Expected, Play, Said]]:
        plays = {}
        for name in CASES:
            if (expected := EXPECTED[name])["asset"] != asset:
                continue
            scenario = load_scenario(str(FOLDER / name / "scenario.toml"))
            shift_h = expected.get("shift_h", SHIFT_H)
            plays[name] = play(plant, asset, name, scenario, expected["hours"], 1, 1, TRAINED_H, shift_h)
        stories = list(plays.values())
        model = trained(plant, stories[0], tmp_path_factory.mktemp("model") / "model.onnx")
        said = replay(plant, model, stories)
        return {name: (EXPECTED[name], plays[name], said[name]) for name in plays}

    return tell


@pytest.fixture(params=CASES)
def told(
    request: pytest.FixtureRequest, told_of: Callable[[str], dict[str, tuple[Expected, Play, Said]]]
) -> tuple[Expected, Play, Said]:
    """What should be said of a case, the case itself, and what was."""
    return told_of(EXPECTED[request.param]["asset"])[request.param]


def minute(played: Play, time: int) -> float:
    return (time - played.begins) / MIN_NS


def test_the_alarms_are_those_that_are_expected_and_no_others(told: tuple[Expected, Play, Said]) -> None:
    expected, played, said = told
    begun = {}
    for alarm in said.alarms:
        if alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED:
            begun.setdefault(alarm.rule, alarm)
    assert set(begun) == {each["rule"] for each in expected.get("alarms", ())}
    for each in expected.get("alarms", ()):
        alarm = begun[each["rule"]]
        assert each["from_min"] <= minute(played, alarm.raised) <= each["to_min"], each["rule"]
        assert alarm.priority == each["priority"]
        assert alarm.text.en.startswith(each["text_en"])
        assert alarm.text.sv.startswith(each["text_sv"])


def test_a_score_is_withheld_where_it_should_be_and_nowhere_else(told: tuple[Expected, Play, Said]) -> None:
    expected, played, said = told
    minutes = [minute(played, time) for time in said.time]
    spans = expected.get("withheld", ())
    for span in spans:
        inside = [r for m, r in zip(minutes, said.reason, strict=True) if span["from_min"] <= m <= span["to_min"]]
        assert set(inside) == {span["reason"]}
    others = {
        reason
        for m, reason in zip(minutes, said.reason, strict=True)
        # a window takes a while to fill, and to empty
        if reason is not None and not any(span["from_min"] - 5.0 <= m <= span["to_min"] + 5.0 for span in spans)
    }
    assert others <= set(expected["may_withhold"])


def test_the_case_names_the_fault_and_what_to_do(told: tuple[Expected, Play, Said]) -> None:
    expected, _, said = told
    if "fault" not in expected:
        assert not said.cases
        return
    last = [case for case in said.cases if case.fault is not None][-1]
    assert last.fault is not None
    assert last.fault.name == expected["fault"]
    assert last.advice is not None
    assert last.advice.until is not None
    assert last.advice.action.sv != last.advice.action.en
