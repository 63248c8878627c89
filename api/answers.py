"""How answers look: lists of ready JSON, times, and their examples in the documentation."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field

from edge.formats.json_message import parse_time

JSON: Final = "application/json"


class Items(BaseModel):
    """Every list. `next` is reserved for the address of a following page; null when there is none."""

    items: list[dict[str, Any]]
    next: str | None = None


def raw_list(items: Iterable[bytes]) -> Response:
    """A list of messages as their edge wrote them, without decoding them."""
    return Response(b'{"items":[' + b",".join(items) + b'],"next":null}', media_type=JSON)


def json_list(items: Iterable[Mapping[str, Any]]) -> Response:
    return json_answer({"items": list(items), "next": None})


def json_answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def ready(message: bytes | None) -> orjson.Fragment | None:
    """A message to put into an answer as it is."""
    return orjson.Fragment(message) if message is not None else None


def example(body: Any, description: str = "Successful Response") -> dict[int | str, dict[str, Any]]:
    return {200: {"model": Items, "description": description, "content": {JSON: {"example": body}}}}


def _check_time(text: str) -> str:
    parse_time(text)
    return text


Time = Annotated[
    str, AfterValidator(_check_time), Field(description="RFC 3339 with its zone", examples=["2026-11-23T10:00:00Z"])
]

ASSESSMENT: Final = {
    "schema": 1,
    "edge": "edge-1",
    "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
    "seq": 120,
    "kind": "assessment",
    "asset": "pump-101",
    "time": "2026-11-23T10:00:05Z",
    "state": "anomalous",
    "reason": None,
    "score": 1.42,
    "contribution": {"vibration": 0.71, "speed": 0.02},
    "measured": {"vibration": 3.9, "speed": 1482.0},
    "expected": {"vibration": 1.6, "speed": 1480.0},
    "known": 1.0,
    "coverage": 0.98,
    "health": 0.83,
    "zone": "B",
    "fault": None,
    "rul_h": None,
    "model": {"name": "pump", "version": "3"},
}
ALARM: Final = {
    "schema": 1,
    "edge": "edge-1",
    "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
    "seq": 121,
    "kind": "alarm",
    "asset": "pump-101",
    "alarm_id": "0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01",
    "rule": "anomaly",
    "priority": "high",
    "state": "active-unacknowledged",
    "raised": "2026-11-23T10:00:10Z",
    "changed": "2026-11-23T10:00:10Z",
    "by": None,
    "comment": None,
    "shelved_until": None,
    "text": {"sv": "Avvikande beteende: vibration", "en": "Unusual behaviour: vibration"},
    "evidence": {"score": 1.42, "signals": ["vibration"]},
}
STATUS: Final = {
    "schema": 1,
    "kind": "status",
    "edge": "edge-1",
    "online": True,
    "time": "2026-11-23T10:00:05Z",
    "version": "0.1.0",
    "sources": {"plc": {"state": "connected", "since": "2026-11-23T09:00:00Z", "clock_offset_s": 0.02}},
    "models": {"pump": {"version": "3", "role": "champion", "assets": ["pump-101"]}},
    "journal": {"id": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11", "last_seq": 121, "trimmed_before": 1},
}
