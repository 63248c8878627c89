"""What the simulator says is true of its machines: what a visitor holds kullager's word against."""

from typing import Any, Final

from fastapi import APIRouter, Response

from api.answers import json_list
from api.services import Use
from api.shapes.answer import Items, example
from api.shapes.simulator import TruthAnswer
from api.truths import Episode, Told
from edge.formats.json_message import format_time

router = APIRouter(prefix="/simulator", tags=["simulator"])

TRUTH: Final = {
    "asset": "pump-101",
    "time": "2026-11-24T10:00:20Z",
    "health": 0.7,
    "faults": [{"name": "bearing-wear", "severity": 0.3}],
    "episode": {
        "fault": "bearing-wear",
        "began": "2026-11-24T10:00:00Z",
        "severity": 0.3,
        "fails": "2026-11-24T10:02:00Z",
        "repaired": None,
    },
}


@router.get(
    "/truth",
    responses=example(Items[TruthAnswer], {"items": [TRUTH], "next": None}),
    summary="What is true of the simulated machines, and since when: for judging what was said of them",
)
def list_truths(services: Use) -> Response:
    return json_list(_item(told) for told in services.ingest.truths.of.values())


def _item(told: Told) -> dict[str, Any]:
    truth, episode = told.truth, told.episode
    return {
        "asset": truth.asset,
        "time": format_time(truth.time),
        "health": truth.health,
        "faults": [{"name": fault.name, "severity": fault.severity} for fault in truth.faults],
        "episode": None if episode is None else _story(episode),
    }


def _story(episode: Episode) -> dict[str, Any]:
    return {
        "fault": episode.fault,
        "began": _time(episode.began),
        "severity": episode.severity,
        "fails": _time(episode.fails),
        "repaired": _time(episode.repaired),
    }


def _time(time: int | None) -> str | None:
    return None if time is None else format_time(time)
