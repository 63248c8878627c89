"""How complete the values of a machine were: what the models had to judge by, signal by signal."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import Time, json_answer
from api.problems import Problem, ProblemType, answers
from api.routes.assets import ASSET_ID, NO_ASSET, known_asset
from api.services import Use
from api.shapes.answer import example
from api.shapes.assets import QualityAnswer
from edge.formats.json_message import format_time, parse_time

router = APIRouter(prefix="/assets", tags=["assets"])

LAST_HOUR_NS: Final = 3_600_000_000_000
# the newest so many instants are looked at: a day of a machine that is judged every second takes too long at once
MOST_INSTANTS: Final = 20_000
CELLS: Final = 12
EXAMPLE: Final = {
    "asset": "pump-101",
    "from": "2026-11-23T09:00:00Z",
    "to": "2026-11-23T10:00:00Z",
    "instants": 3600,
    "withheld": {"stale": 12},
    "signals": [
        {
            "signal": "vibration",
            "present": 0.997,
            "last": "2026-11-23T10:00:00Z",
            "longest_gap_s": 12.0,
            "strip": [1.0, 1.0, 1.0, 0.96, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        }
    ],
}


@dataclass(slots=True)
class Completeness:
    """Of one signal, instant by instant in order of time. Times are ns since 1970 UTC."""

    there: int = 0
    last: int | None = None
    gap_since: int | None = None
    longest_gap: int = 0
    cells: list[int] = field(default_factory=lambda: [0] * CELLS)

    def take(self, time: int, cell: int, value: object) -> None:
        if value is not None:
            self.there += 1
            self.cells[cell] += 1
            self.last, self.gap_since = time, None
            return
        if self.gap_since is None:
            self.gap_since = time
        self.longest_gap = max(self.longest_gap, time - self.gap_since)


@router.get(
    "/{asset_id}/quality",
    responses={
        **example(QualityAnswer, EXAMPLE),
        **answers(not_found=NO_ASSET, invalid_request="query.from: should be a time before query.to"),
    },
    summary="How complete each signal was, and why nothing could be judged",
    description=(
        f"`present` is the share of instants with a value, `strip` the same in {CELLS} equal parts of the time, null where "
        "there was no instant; `withheld` counts instants by reason. At most the "
        f"{MOST_INSTANTS} newest instants are looked at; `from` is then theirs."
    ),
)
def get_quality(
    services: Use,
    asset_id: ASSET_ID,
    first: Annotated[Time | None, Query(alias="from", description="default: an hour before `to`")] = None,
    last: Annotated[Time | None, Query(alias="to", description="default: the newest assessment")] = None,
) -> Response:
    asset = known_asset(services, asset_id)
    signals = [name for name in asset.signals if name not in asset.context]
    newest = parse_time(last) if last is not None else services.store.latest_time(asset_id)
    if newest is None:
        return json_answer({"asset": asset_id, "from": None, "to": None, "instants": 0, "withheld": {}, "signals": []})
    oldest = parse_time(first) if first is not None else newest - LAST_HOUR_NS
    if oldest > newest:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"query.from: {format_time(oldest)} should be a time before query.to, {format_time(newest)}",
        )
    messages = services.store.of_kind("assessment", asset_id, oldest, newest, MOST_INSTANTS)
    told = [orjson.loads(message) for message in messages]
    if len(told) == MOST_INSTANTS:
        oldest = parse_time(told[0]["time"])
    return json_answer(
        {
            "asset": asset_id,
            "from": format_time(oldest),
            "to": format_time(newest),
            "instants": len(told),
            "withheld": dict(Counter(each["reason"] for each in told if each["state"] == "withheld")),
            "signals": completeness(told, signals, oldest, newest),
        }
    )


def completeness(told: list[dict[str, Any]], signals: list[str], first: int, last: int) -> list[dict[str, Any]]:
    """Each of `signals` in the assessments `told`, which are in order of time between `first` and `last`.

    >>> told = [{"time": f"2026-11-23T10:00:0{s}Z", "measured": {"speed": None if s in (1, 2) else 1.0}} for s in range(4)]
    >>> (speed,) = completeness(told, ["speed"], parse_time(told[0]["time"]), parse_time(told[-1]["time"]))
    >>> speed["present"], speed["last"], speed["longest_gap_s"], speed["strip"][0], speed["strip"][4]
    (0.5, '2026-11-23T10:00:03Z', 2.0, 1.0, 0.0)
    """
    found = {name: Completeness() for name in signals}
    per_cell = [0] * CELLS
    span = max(1, last - first)
    for each in told:
        time = parse_time(each["time"])
        cell = max(0, min(CELLS - 1, (time - first) * CELLS // span))
        per_cell[cell] += 1
        measured = each["measured"]
        for name, of in found.items():
            of.take(time, cell, measured.get(name))
    # a gap lasts until the instant after it: one of a single instant is as long as the step between two
    step = (parse_time(told[-1]["time"]) - parse_time(told[0]["time"])) / (len(told) - 1) if len(told) > 1 else 0
    return [
        {
            "signal": name,
            "present": of.there / len(told) if told else 0.0,
            "last": format_time(of.last) if of.last is not None else None,
            "longest_gap_s": round((of.longest_gap + step) / 1e9, 3) if of.there < len(told) else 0.0,
            "strip": [there / all_ if all_ else None for there, all_ in zip(of.cells, per_cell, strict=True)],
        }
        for name, of in found.items()
    ]
