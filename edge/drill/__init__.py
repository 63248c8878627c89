"""`python -m edge drill`: an edge under everything that a plant can do to it, and a table of what came of it."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.drill.certificates import certificate_drills
from edge.drill.drills import Outcome, all_drills, perform
from edge.drill.stand import DrillError

__all__ = ["DrillError", "Outcome", "as_dict", "run_drills", "table"]


async def run_drills(only: Sequence[str], server: str, kills: int, away_s: float, say: Callable[[str], None]) -> list[Outcome]:
    """Do them one after the other, each on a stand of its own. Raises `DrillError` for a name that there is not."""
    drills = [*all_drills(kills, away_s), *certificate_drills()]
    if unknown := set(only) - {drill.name for drill in drills}:
        names = ", ".join(drill.name for drill in drills)
        raise DrillError(f"there is no drill '{min(unknown)}'; there are {names}")
    outcomes = []
    for drill in drills:
        if only and drill.name not in only:
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kullager-drill-") as folder:
            outcome = await perform(drill, Path(folder), server)
        outcomes.append(outcome)
        say(f"{_verdict(outcome):<8}{drill.name:<20}{time.monotonic() - begun:5.0f} s   {outcome.problem or outcome.skipped}")
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown."""
    lines = [
        "| drill | what is done | | back after [s] | values lost: OPC UA, MQTT | results lost | what the operator is told |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        if each.skipped:
            lines.append(f"| {each.name} | {each.what} | left out | | | | {each.skipped} |")
            continue
        seconds = "" if each.seconds is None else f"{each.seconds:.1f}"
        lost = ", ".join(_lost(n, allowed) for n, allowed in zip(each.lost, each.allowed, strict=True))
        told = "<br>".join(line.replace("|", "\\|")[:300] for line in each.told[:3])
        more = f"<br>*{each.remark}*" if each.remark else ""
        problem = f"**{each.problem.splitlines()[0]}**<br>" if each.problem else ""
        words = f"{problem}{told}{more}"
        lines.append(f"| {each.name} | {each.what} | {_verdict(each)} | {seconds} | {lost} | {each.lost_results} | {words} |")
    return "\n".join(lines) + "\n"


def as_dict(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "passed": outcome.passed}


def _verdict(outcome: Outcome) -> str:
    return "left out" if outcome.skipped else "ok" if outcome.passed else "FAILED"


def _lost(number: int, allowed: int) -> str:
    return f"{number} (of {allowed} that nobody kept)" if allowed else str(number)
