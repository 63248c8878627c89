"""How answers look: lists of ready JSON, times, and their examples in the documentation."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Response
from pydantic import AfterValidator, Field

from api.cursor import LARGEST
from edge.formats.json_message import parse_time

JSON: Final = "application/json"


def raw_list(items: Iterable[bytes], following: str | None = None) -> Response:
    """A list of messages as their edge wrote them, without decoding them; `following` is the address of the next page."""
    return Response(b'{"items":[' + b",".join(items) + b'],"next":' + orjson.dumps(following) + b"}", media_type=JSON)


def json_list(items: Iterable[Mapping[str, Any]]) -> Response:
    return json_answer({"items": list(items), "next": None})


def json_answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def ready(message: bytes | None) -> orjson.Fragment | None:
    """A message to put into an answer as it is."""
    return orjson.Fragment(message) if message is not None else None


def _check_time(text: str) -> str:
    if not -LARGEST <= parse_time(text) <= LARGEST:
        raise ValueError(f"'{text}' should be a time in the years 1678 to 2262")
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
    "vibration_zone": "B",
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
    "suppressed_by": None,
    "case_id": "0b7c6f3e-5d57-5a56-9be1-6d2f7d1c0a11",
    "first_out": True,
    "text": {"sv": "Avvikande beteende: vibration", "en": "Unusual behaviour: vibration"},
    "evidence": {"score": 1.42, "signals": ["vibration"]},
}
CASE: Final = {
    "schema": 1,
    "edge": "edge-1",
    "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
    "seq": 122,
    "kind": "case",
    "asset": "pump-101",
    "case_id": "0b7c6f3e-5d57-5a56-9be1-6d2f7d1c0a11",
    "state": "open",
    "opened": "2026-11-23T10:00:10Z",
    "changed": "2026-11-23T15:20:00Z",
    "closed": None,
    "alarms": ["0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01"],
    "rules": ["anomaly"],
    "priority": "high",
    "text": {"sv": "Lagerskada", "en": "Bearing wear"},
    "signals": ["vibration"],
    "worst_score": 2.8,
    "health": 0.51,
    "fault": {"name": "bearing-wear", "probability": 0.82, "by": "signature"},
    "rul_h": {"p10": 31.0, "p50": 52.5, "p90": 90.0},
    "advice": {
        "name": {"sv": "Lagerskada", "en": "Bearing wear"},
        "action": {"sv": "Byt lagret vid nästa stopp.", "en": "Replace the bearing at the next stop."},
        "because": {"sv": "vibration 3,9 mm/s (väntat 1,6 mm/s)", "en": "vibration 3.9 mm/s (expected 1.6 mm/s)"},
        "mode": "VIB vibration",
        "mechanism": "2.6 fatigue",
        "cause": "3.4 expected wear and tear",
        "until": "2026-11-24T22:20:00Z",
        "sureness": 0.82,
    },
    "limit_reached": "2026-11-23T14:30:10Z",
    "ahead_h": 4.5,
}
PERFORMANCE: Final = {
    "schema": 1,
    "edge": "edge-1",
    "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
    "seq": 123,
    "kind": "performance",
    "asset": "spindle-201",
    "time": "2026-11-23T10:00:00Z",
    "period_s": 60.0,
    "operation": "running",
    "recipe": "flange-120",
    "operation_s": {"running": 60.0},
    "withheld_s": {},
    "utilisation": 1.0,
    "energy": 0.12,
    "energy_unit": "kW.h",
    "amount": 1.0,
    "product_unit": "1",
    "specific": {
        "since": "2026-11-23T09:50:00Z",
        "recipe": "flange-120",
        "energy": 1.21,
        "energy_unit": "kW.h",
        "amount": 11.0,
        "product_unit": "1",
        "product": "parts",
        "value": 0.11,
        "expected": 0.108,
        "ratio": 1.02,
        "anomalous": False,
    },
}
SPECTRUM: Final = {
    "schema": 1,
    "kind": "spectrum",
    "asset": "pump-101",
    "signal": "acceleration",
    "time": "2026-11-23T10:00:00Z",
    "unit": "m/s2",
    "shaft_hz": 24.7,
    "step_hz": 18.75,
    "amplitude": [0.01, 0.42],
    "envelope_step_hz": 6.25,
    "envelope": [0.0, 0.03],
    "lines": [{"name": "BPFO", "hz": 88.6, "amplitude": 0.21, "envelope": True}],
}
AUDIT: Final = {
    "schema": 1,
    "edge": "edge-1",
    "journal": "0198f0c2-7a3e-7c55-9f1e-2f6f4f0f8a11",
    "seq": 124,
    "kind": "audit",
    "time": "2026-11-23T10:05:00Z",
    "step": "promoted",
    "name": "pump",
    "version": "4",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "by": "operator",
    "key": None,
    "reason": None,
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
