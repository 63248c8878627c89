"""What arrives of the kinds beside assessments and alarms: read as it was written, or refused by a sentence with its topic."""

from typing import Any

import orjson
import pytest

from api.arrivals import LARGEST_MESSAGE, Cleared, EvidencePart, Result, SpectrumReport, UnreadableResult, read_arrival
from edge.contracts.assessment import FaultMode, RemainingLife
from edge.contracts.errors import MessageError
from edge.contracts.performance import SpecificEnergy
from edge.contracts.topics import Topics
from edge.formats.json_message import Identity, encode
from tests.api.scripted_edge import START, case, performance, spectrum
from tests.api.scripted_edge import alarm as an_alarm
from tests.api.scripted_edge import audit as a_step

TOPICS = Topics("kullager/v1/e/s/a")
IDENTITY = Identity(edge="edge-1", journal="journal-1", seq=7)
LOT = SpecificEnergy(
    since=START,
    recipe=None,
    energy=1.5,
    energy_unit="kW.h",
    amount=3,
    product_unit="1",
    product="parts",
    value=0.5,
)
MESSAGES: dict[str, tuple[str, Any]] = {
    "alarm": (TOPICS.alarm("pump-101", "alarm-1"), an_alarm("pump-101", "alarm-1", 0, shelved_until=START)),
    "case": (
        TOPICS.case("pump-101", "case-1"),
        case(
            "pump-101",
            "case-1",
            0,
            fault=FaultMode(name="bearing-wear", probability=0.8),
            rul_h=RemainingLife(p10=1, p50=2.5, p90=9),
            limit_reached=START,
        ),
    ),
    "performance": (TOPICS.performance("pump-101"), performance("pump-101", 0, energy=1, specific=LOT)),
    "audit": (TOPICS.edge_audit("edge-1"), a_step(0, reason="as asked")),
    "spectrum": (TOPICS.spectrum("pump-101", "acceleration"), spectrum("pump-101", "acceleration")),
}
RESULTS = [kind for kind in MESSAGES if kind != "spectrum"]


def written(kind: str) -> tuple[str, dict[str, Any]]:
    topic, message = MESSAGES[kind]
    return topic, orjson.loads(encode(message, None if kind == "spectrum" else IDENTITY))


def refusal(topic: str, payload: bytes) -> MessageError:
    """The error by which it is refused, whether or not it has an identity."""
    try:
        found = read_arrival(TOPICS, topic, payload)
    except MessageError as error:
        return error
    assert isinstance(found, UnreadableResult), found
    assert found.identity == IDENTITY
    return found.error


@pytest.mark.parametrize("kind", RESULTS)
def test_a_result_is_read_as_it_was_written_and_the_same_when_sent_again(kind: str) -> None:
    topic, body = written(kind)
    payload = orjson.dumps({**body, "of_a_later_version": [1]})
    found = read_arrival(TOPICS, topic, payload)
    assert isinstance(found, Result)
    assert (found.kind, found.identity, found.time, found.payload) == (kind, IDENTITY, START, payload)
    assert found.asset == ("" if kind == "audit" else "pump-101")
    assert found.subject == {"alarm": "alarm-1", "case": "case-1"}.get(kind)
    assert read_arrival(TOPICS, TOPICS.edge_resend("edge-1", "api-1"), payload) == found


def test_a_spectrum_and_a_part_are_read() -> None:
    topic, body = written("spectrum")
    payload = orjson.dumps(body)
    assert read_arrival(TOPICS, topic, payload) == SpectrumReport("pump-101", "acceleration", payload)
    part = read_arrival(TOPICS, TOPICS.edge_evidence("edge-1", "api-1", "command-1", 3), b"\x00")
    assert part == EvidencePart("command-1", "3", b"\x00")


@pytest.mark.parametrize(
    ("kind", "change", "reason", "says"),
    [
        ("case", {"state": "half-open"}, "wrong-type", "state"),
        ("case", {"opened": 5}, "bad-time", "opened"),
        ("case", {"changed": "yesterday"}, "bad-time", "yesterday"),
        ("case", {"changed": "9999-01-01T00:00:00Z"}, "bad-time", "1678"),
        ("case", {"closed": 5}, "wrong-type", "closed"),
        ("case", {"limit_reached": 5}, "wrong-type", "limit_reached"),
        ("case", {"worst_score": "2.5"}, "wrong-type", "worst_score"),
        ("case", {"health": True}, "wrong-type", "health"),
        ("case", {"alarms": "alarm-1"}, "wrong-type", "alarms"),
        ("case", {"rul_h": {"p10": 1, "p50": "2", "p90": 3}}, "wrong-type", "rul_h.p50"),
        ("case", {"text": {"sv": "Larm"}}, "wrong-type", "text"),
        ("case", {"asset": "pump-102"}, "wrong-topic", "asset"),
        ("case", {"case_id": "case-2"}, "wrong-topic", "case_id"),
        ("case", {"schema": 2}, "schema", "schema 2"),
        ("performance", {"time": 5}, "bad-time", "time"),
        ("performance", {"operation": "dancing"}, "wrong-type", "operation"),
        ("performance", {"operation_s": {"running": "60"}}, "wrong-type", "operation_s.running"),
        ("performance", {"withheld_s": {"tired": 60.0}}, "wrong-type", "withheld_s.tired"),
        ("performance", {"energy": "1.0"}, "wrong-type", "energy"),
        ("performance", {"specific": {"since": 5}}, "wrong-type", "specific"),
        ("performance", {"kind": "production"}, "wrong-topic", "kind"),
        ("performance", {"asset": "pump-102"}, "wrong-topic", "asset"),
        ("audit", {"step": "stepped"}, "wrong-type", "step"),
        ("audit", {"time": 5}, "bad-time", "time"),
        ("audit", {"by": None}, "wrong-type", "by"),
        ("alarm", {"shelved_until": 5}, "wrong-type", "shelved_until"),
        ("alarm", {"first_out": "true"}, "wrong-type", "first_out"),
        ("alarm", {"evidence": {"score": "1.4"}}, "wrong-type", "evidence.score"),
        ("spectrum", {"amplitude": ["0.1"]}, "wrong-type", "amplitude.0"),
        ("spectrum", {"amplitude": 0.1}, "wrong-type", "amplitude"),
        ("spectrum", {"lines": [{"name": "BPFO", "hz": 1.0}]}, "wrong-type", "lines"),
        ("spectrum", {"time": 5}, "wrong-type", "time"),
        ("spectrum", {"signal": "sound"}, "wrong-topic", "signal"),
    ],
)
def test_a_malformed_one_is_refused_with_its_topic(kind: str, change: dict[str, Any], reason: str, says: str) -> None:
    topic, body = written(kind)
    error = refusal(topic, orjson.dumps({**body, **change}))
    assert error.reason == reason
    assert str(error).startswith(f"{topic}: ")
    assert says in str(error)


@pytest.mark.parametrize("kind", list(MESSAGES))
def test_what_lacks_a_part_or_is_too_large_is_refused_with_its_topic(kind: str) -> None:
    topic, body = written(kind)
    needed = {"alarm": "rule", "case": "priority", "performance": "period_s", "audit": "step", "spectrum": "unit"}[kind]
    without = {key: value for key, value in body.items() if key != needed}
    large = {**body, "padding": "x" * LARGEST_MESSAGE}
    for payload, reason in (
        (b"{", "not-json"),
        (b"[]", "not-an-object"),
        (orjson.dumps(without), "wrong-type"),
        (orjson.dumps(large), "too-large"),
    ):
        error = refusal(topic, payload)
        assert (error.reason, str(error).startswith(f"{topic}: ")) == (reason, True)


def test_another_edge_cannot_speak_for_an_edge() -> None:
    _, body = written("audit")
    assert refusal(TOPICS.edge_audit("edge-2"), orjson.dumps(body)).reason == "wrong-topic"


def test_an_empty_message_clears_alarms_and_cases_alone() -> None:
    for kind in ("alarm", "case"):
        topic, _ = MESSAGES[kind]
        assert read_arrival(TOPICS, topic, b"") == Cleared(kind, f"{kind}-1")
    for kind in ("performance", "audit", "spectrum"):
        assert read_arrival(TOPICS, MESSAGES[kind][0], b"") is None
    with pytest.raises(MessageError, match="case_id 'Case'"):
        read_arrival(TOPICS, TOPICS.case("pump-101", "Case"), b"")
