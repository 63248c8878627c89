"""What arrives over MQTT, read and checked: one typed value per message, or a `MessageError`. Logic alone."""

import re
from dataclasses import dataclass
from typing import Any, Final

from api.cursor import LARGEST
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.command import Catalogue, Reply
from edge.contracts.errors import MessageError
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.contracts.topics import Topics
from edge.contracts.truth import Truth
from edge.formats.json_message import Identity, decode_fields, decode_identity, encode, load_object

LARGEST_MESSAGE: Final = 256 * 1024
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_JOURNAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One entry of a journal. `payload` is the message as the edge wrote it; `time` is ns since 1970 UTC.

    asset: empty for what concerns an edge as a whole; subject: the alarm or case that it is a change of
    """

    identity: Identity
    kind: str
    asset: str
    time: int
    state: str
    payload: bytes
    score: float | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableResult:
    """An entry whose identity can be read but whose content cannot: it is there, asking again would not help."""

    identity: Identity
    error: MessageError


@dataclass(frozen=True, slots=True)
class StatusReport:
    status: EdgeStatus
    payload: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """The broker keeps nothing more of an alarm or a case (`kind`)."""

    kind: str
    subject: str


@dataclass(frozen=True, slots=True)
class SpectrumReport:
    asset: str
    signal: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class EvidencePart:
    """A part of a file that was asked for, by its number; `end` says what the whole should be."""

    command_id: str
    part: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The answer of an edge whose journal no longer reaches back to what was asked for."""

    edge: str
    journal: str
    before: int


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class TruthReport:
    truth: Truth


@dataclass(frozen=True, slots=True)
class ReplyReport:
    sender: str
    reply: Reply


Arrival = (
    Result
    | UnreadableResult
    | StatusReport
    | Cleared
    | Trimmed
    | CatalogueReport
    | TruthReport
    | ReplyReport
    | SpectrumReport
    | EvidencePart
)


def read_arrival(topics: Topics, topic: str, payload: bytes) -> Arrival | None:
    """Read one message; None for an empty one that says nothing. Raises `MessageError`."""
    match topics.parts(topic):
        case ("assets", asset, "alarm" | "case" as kind, subject) if not payload:
            _check_identifier(asset, "asset", topic)
            return Cleared(kind, _check_identifier(subject, f"{kind}_id", topic))
        case _ if not payload:
            return None
        case ("assets", asset, "assessment"):
            return _result(topic, payload, {"asset": asset, "kind": "assessment"})
        case ("assets", asset, "alarm", alarm_id):
            return _result(topic, payload, {"asset": asset, "kind": "alarm", "alarm_id": alarm_id})
        case ("assets", asset, "case", case_id):
            return _result(topic, payload, {"asset": asset, "kind": "case", "case_id": case_id})
        case ("assets", asset, "performance"):
            return _result(topic, payload, {"asset": asset, "kind": "performance"})
        case ("assets", asset, "spectrum", signal):
            return _spectrum(topic, payload, asset, signal)
        case ("edges", edge, "audit"):
            return _result(topic, payload, {"edge": edge, "kind": "audit"})
        case ("edges", _, "evidence", _, command_id, part):
            return EvidencePart(command_id, part, payload)
        case ("edges", edge, "resend", _):
            return _resent(topic, payload, edge)
        case ("edges", edge, "status"):
            return _status(topic, payload, edge)
        case ("edges", edge, "reply", command_id):
            return ReplyReport(edge, _reply(topic, payload, command_id))
        case ("simulator", "reply", command_id):
            return ReplyReport("simulator", _reply(topic, payload, command_id))
        case ("simulator", "catalogue"):
            return CatalogueReport(decode_fields(Catalogue, load_object(payload, topic), topic))
        case ("simulator", "truth", asset):
            return TruthReport(_truth(topic, payload, asset))
        case _:
            raise MessageError("unknown-topic", f"{topic}: nothing is expected on this topic")


def _result(topic: str, payload: bytes, expected: dict[str, str]) -> Result | UnreadableResult:
    body = load_object(payload, topic)
    identity = _identity(body, topic)
    try:
        _check_agreement(body, expected, topic)
        return _read_result(topic, payload, body, identity)
    except MessageError as error:
        return UnreadableResult(identity, error)


def _resent(topic: str, payload: bytes, edge: str) -> Result | UnreadableResult | Trimmed:
    body = load_object(payload, topic)
    if "trimmed_before" in body and "seq" not in body:
        trimmed = decode_fields(
            Trimmed, {"edge": edge, "journal": body.get("journal"), "before": body["trimmed_before"]}, topic
        )
        if not _JOURNAL.fullmatch(trimmed.journal) or not 0 <= trimmed.before <= LARGEST:
            raise MessageError("bad-identity", f"{topic}: journal or trimmed_before is out of range")
        return trimmed
    return _result(topic, payload, {"edge": edge})


def _read_result(topic: str, payload: bytes, body: dict[str, Any], identity: Identity) -> Result:
    if len(payload) > LARGEST_MESSAGE:
        raise MessageError("too-large", f"{topic}: {len(payload)} bytes; at most {LARGEST_MESSAGE} are taken")
    match body.get("kind"):
        case "assessment":
            _check_wire_types(body, ("time",), topic)
            assessment = decode_fields(Assessment, body, topic)
            return Result(
                identity=identity,
                kind="assessment",
                asset=_check_identifier(assessment.asset, "asset", topic),
                time=_check_time(assessment.time, topic),
                state=assessment.state.value,
                score=assessment.score,
                payload=payload,
            )
        case "alarm":
            _check_wire_types(body, ("raised", "changed"), topic)
            alarm = decode_fields(Alarm, body, topic)
            _check_as_written(alarm, body, topic)
            return Result(
                identity=identity,
                kind="alarm",
                asset=_check_identifier(alarm.asset, "asset", topic),
                time=_check_time(alarm.changed, topic),
                state=alarm.state.value,
                subject=_check_identifier(alarm.alarm_id, "alarm_id", topic),
                payload=payload,
            )
        case "case":
            _check_wire_types(body, ("opened", "changed"), topic)
            found = decode_fields(Case, body, topic)
            _check_as_written(found, body, topic)
            return Result(
                identity=identity,
                kind="case",
                asset=_check_identifier(found.asset, "asset", topic),
                time=_check_time(found.changed, topic),
                state=found.state.value,
                subject=_check_identifier(found.case_id, "case_id", topic),
                payload=payload,
            )
        case "performance":
            _check_wire_types(body, ("time",), topic)
            told = decode_fields(Performance, body, topic)
            _check_as_written(told, body, topic)
            return Result(
                identity=identity,
                kind="performance",
                asset=_check_identifier(told.asset, "asset", topic),
                time=_check_time(told.time, topic),
                state=told.operation.value,
                payload=payload,
            )
        case "audit":
            _check_wire_types(body, ("time",), topic)
            step = decode_fields(ModelAudit, body, topic)
            _check_as_written(step, body, topic)
            return Result(
                identity=identity,
                kind="audit",
                asset="",
                time=_check_time(step.time, topic),
                state=step.step.value,
                payload=payload,
            )
        case "damaged":
            raise MessageError("damaged", f"{topic}: the edge's disk has changed it")
        case kind:
            known = "assessment, alarm, case, performance or audit"
            raise MessageError("unknown-kind", f"{topic}: kind {kind!r} should be one of {known}")


def _spectrum(topic: str, payload: bytes, asset: str, signal: str) -> SpectrumReport:
    if len(payload) > LARGEST_MESSAGE:
        raise MessageError("too-large", f"{topic}: {len(payload)} bytes; at most {LARGEST_MESSAGE} are taken")
    body = load_object(payload, topic)
    _check_agreement(body, {"asset": asset, "signal": signal}, topic)
    _check_as_written(decode_fields(WaveformSpectrum, body, topic), body, topic)
    return SpectrumReport(asset, signal, payload)


def _status(topic: str, payload: bytes, edge: str) -> StatusReport:
    body = load_object(payload, topic)
    _check_agreement(body, {"edge": edge}, topic)
    status = decode_fields(EdgeStatus, body, topic)
    _check_identifier(edge, "edge", topic)
    _check_time(status.time, topic)
    journal = status.journal
    if journal is not None and not (
        _JOURNAL.fullmatch(journal.id) and 0 <= journal.last_seq <= LARGEST and 0 <= journal.trimmed_before <= LARGEST
    ):
        raise MessageError("bad-identity", f"{topic}: journal: id, last_seq or trimmed_before is out of range")
    return StatusReport(status, payload)


def _truth(topic: str, payload: bytes, asset: str) -> Truth:
    body = load_object(payload, topic)
    _check_agreement(body, {"asset": asset}, topic)
    truth = decode_fields(Truth, body, topic)
    _check_as_written(truth, body, topic)
    _check_identifier(truth.asset, "asset", topic)
    _check_time(truth.time, topic)
    return truth


def _reply(topic: str, payload: bytes, command_id: str) -> Reply:
    body = load_object(payload, topic)
    _check_agreement(body, {"command_id": command_id}, topic)
    return decode_fields(Reply, body, topic)


def _identity(body: dict[str, Any], topic: str) -> Identity:
    if isinstance(body.get("seq"), bool):
        raise MessageError("bad-identity", f"{topic}: seq should be a whole number")
    identity = decode_identity(body, topic)
    if not (_IDENTIFIER.fullmatch(identity.edge) and _JOURNAL.fullmatch(identity.journal) and 1 <= identity.seq <= LARGEST):
        raise MessageError("bad-identity", f"{topic}: edge, journal or seq is out of range")
    return identity


def _check_agreement(body: dict[str, Any], expected: dict[str, str], topic: str) -> None:
    for key, value in expected.items():
        if body.get(key) != value:
            raise MessageError("wrong-topic", f"{topic}: {key} should be {value!r} as in the topic, not {body.get(key)!r}")


def _check_wire_types(body: dict[str, Any], times: tuple[str, ...], topic: str) -> None:
    """Messages go on to browsers as they are, so what merely could be converted is not enough."""
    for key in times:
        if not isinstance(body.get(key), str):
            raise MessageError("bad-time", f"{topic}: {key} should be an RFC 3339 time, not {body.get(key)!r}")
    score = body.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or score < 0):
        raise MessageError("wrong-type", f"{topic}: score should be a number of 0 or more, or null, not {score!r}")


def _check_as_written(message: Any, body: dict[str, Any], topic: str) -> None:
    """The same for a whole message that is rare enough: each field is of the kind of JSON that its contract writes."""
    if (fault := _unlike(load_object(encode(message), topic), body)) is not None:
        raise MessageError("wrong-type", f"{topic}: {fault}")


def _unlike(written: Any, told: Any, where: str = "") -> str | None:
    """Where `told` is of another kind of JSON than `written`; None where it is not."""
    if isinstance(written, dict) and isinstance(told, dict):
        pairs = [(f"{where}.{key}".removeprefix("."), written[key], told[key]) for key in written.keys() & told.keys()]
    elif isinstance(written, list) and isinstance(told, list):
        pairs = [(f"{where}.{number}", *each) for number, each in enumerate(zip(written, told, strict=False))]
    else:
        expected, found = _json_kind(written), _json_kind(told)
        return None if expected == found else f"{where}: should be {expected}, not {told!r}"
    return next((fault for name, ours, theirs in pairs if (fault := _unlike(ours, theirs, name)) is not None), None)


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _check_identifier(value: str, key: str, topic: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise MessageError("bad-identifier", f"{topic}: {key} {value!r} should be lower-case letters, digits and hyphens")
    return value


def _check_time(time: int, topic: str) -> int:
    if not -LARGEST <= time <= LARGEST:
        raise MessageError("bad-time", f"{topic}: the time lies outside the years 1678 to 2262")
    return time
