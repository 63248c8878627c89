"""Every MQTT topic of a site: who writes what on it, with an example of each message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.answers import ALARM, ASSESSMENT, AUDIT, CASE, PERFORMANCE, SPECTRUM, STATUS
from edge.contracts.alarm import Alarm, BilingualText
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.command import (
    AlarmCommand,
    AlarmVerb,
    Catalogue,
    CatalogueAsset,
    CatalogueFault,
    ChaosCommand,
    EvidenceAnswer,
    EvidenceCommand,
    InjectCommand,
    JobCommand,
    ModelCommand,
    ModelVerb,
    RepairCommand,
    Reply,
    ResendCommand,
    ScenarioCommand,
)
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.contracts.topics import Topics
from edge.contracts.truth import TrueFault, Truth
from edge.formats.json_message import SCHEMA, encode

_NOON: Final = 1_795_428_000_000_000_000
_COMMAND: Final[dict[str, Any]] = {"command_id": "0198f0c4-2d3e-7f20-9a5f-6c4d8b0e1f02", "by": "anna", "time": _NOON}
_ALARM_ID, _JOURNAL = str(ALARM["alarm_id"]), str(ALARM["journal"])
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One kind of message. `payload`: the contract that it is of, or its schema; `identified`: it comes from a journal."""

    name: str
    payload: type | Mapping[str, Any]
    example: Mapping[str, Any] | None = None
    identified: bool = False
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One topic. `sent`: by the edge or the simulator, which otherwise receive it; `reply`: the channel of the answer."""

    name: str
    address: str
    summary: str
    messages: tuple[Message, ...]
    sent: bool = True
    retained: bool = False
    reply: str | None = None


def channels_of(topics: Topics) -> Iterator[Channel]:
    yield from _results(topics)
    yield from _of_an_edge(topics)
    yield from _commands(topics)
    yield from _of_the_simulator(topics)


def _results(topics: Topics) -> Iterator[Channel]:
    """What comes from the journal, and stays with the broker: who connects has the newest at once."""
    clears = "; an empty message clears it"
    for name, address, kind, example, summary in (
        ("assessment", topics.assessment("{asset}"), Assessment, ASSESSMENT, "how a machine is, at every instant"),
        ("alarm", topics.alarm("{asset}", "{alarm_id}"), Alarm, ALARM, f"an alarm, whole, at every change of it{clears}"),
        ("case", topics.case("{asset}", "{case_id}"), Case, CASE, f"a case, whole, at every change of it{clears}"),
        ("performance", topics.performance("{asset}"), Performance, PERFORMANCE, "what it made and took, every minute"),
        ("audit", topics.edge_audit("{edge}"), ModelAudit, AUDIT, "every step that a model takes"),
    ):
        message = Message(name=name, payload=kind, example=example, identified=True)
        yield Channel(name=name, address=address, summary=summary, messages=(message,), retained=True)


def _of_an_edge(topics: Topics) -> Iterator[Channel]:
    """What an edge tells beside its journal."""
    yield Channel(
        name="spectrum",
        address=topics.spectrum("{asset}", "{signal}"),
        summary="the newest spectra of a fast signal",
        messages=(Message(name="spectrum", payload=WaveformSpectrum, example=SPECTRUM),),
        retained=True,
    )
    yield Channel(
        name="status",
        address=topics.edge_status("{edge}"),
        summary="how an edge is; its last will says that it is offline",
        messages=(Message(name="status", payload=EdgeStatus, example=STATUS),),
        retained=True,
    )
    trimmed = {
        "title": "Trimmed",
        "description": "the journal no longer reaches back: what is before `trimmed_before` is lost",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA},
            "command_id": {"type": "string"},
            "journal": {"type": "string"},
            "trimmed_before": {"type": "integer", "minimum": 0},
        },
        "required": ["command_id", "journal", "trimmed_before"],
    }
    gone = {"schema": SCHEMA, "command_id": _COMMAND["command_id"], "journal": _JOURNAL, "trimmed_before": 150}
    again = [
        Message(name=name, payload=kind, example=example, identified=True)
        for name, kind, example in (
            ("assessment", Assessment, ASSESSMENT),
            ("alarm", Alarm, ALARM),
            ("case", Case, CASE),
            ("performance", Performance, PERFORMANCE),
            ("audit", ModelAudit, AUDIT),
        )
    ]
    yield Channel(
        name="resent",
        address=topics.edge_resend("{edge}", "{client}"),
        summary="entries of the journal that were asked for again, as they were first sent, or that they are gone",
        messages=(*again, Message(name="trimmed", payload=trimmed, example=gone)),
    )
    answer = EvidenceAnswer(command_id=_COMMAND["command_id"], parts=2, n_bytes=412_345, sha256=_SHA256)
    part = {"type": "string", "format": "binary"}
    yield Channel(
        name="evidence",
        address=topics.edge_evidence("{edge}", "{client}", "{command_id}", "{part}"),
        summary="the evidence file of an alarm in parts, and at the end what the whole should be",
        messages=(
            Message(name="evidence-part", payload=part, media_type="application/octet-stream"),
            Message(name="evidence-end", payload=EvidenceAnswer, example=_plain(answer)),
        ),
    )
    yield _replies("edge-reply", topics.edge_reply("{edge}", "{command_id}"))


def _commands(topics: Topics) -> Iterator[Channel]:
    """What an edge receives."""
    of_alarm = AlarmCommand(**_COMMAND, alarm_id=_ALARM_ID, comment="on my way")
    url = "https://models.example/pump.onnx"
    of_model = ModelCommand(**_COMMAND, name="pump", url=url, sha256=_SHA256, signature="kx0fJ1…")
    wanted: list[tuple[str, str, type, Any]] = [
        *((f"alarm-{verb}", verb, AlarmCommand, of_alarm) for verb in AlarmVerb),
        *((f"model-{verb}", verb, ModelCommand, of_model) for verb in ModelVerb),
        ("evidence-wanted", "evidence", EvidenceCommand, _evidence()),
        ("resend", "resend", ResendCommand, _resend()),
    ]
    for name, verb, kind, command in wanted:
        message = Message(name=kind.__name__, payload=kind, example=_plain(command))
        yield Channel(
            name=name,
            address=topics.edge_command("{edge}", verb),
            summary=f"{_of_whom(kind)}: {verb}",
            messages=(message,),
            sent=False,
            reply="resent" if verb == "resend" else "edge-reply",
        )


def _of_the_simulator(topics: Topics) -> Iterator[Channel]:
    text = BilingualText(sv="Lagerskada", en="Bearing wear")
    machine = CatalogueAsset(asset="pump-101", name=text, faults=(CatalogueFault(fault="bearing-wear", name=text),))
    truth = Truth(asset="pump-101", time=_NOON, health=0.6, faults=(TrueFault(name="bearing-wear", severity=0.4),), rul_h=52.5)
    yield Channel(
        name="catalogue",
        address=topics.simulator_catalogue,
        summary="what can be broken, played and disturbed",
        messages=(Message(name="catalogue", payload=Catalogue, example=_plain(Catalogue(time=_NOON, assets=(machine,)))),),
        retained=True,
    )
    yield Channel(
        name="truth",
        address=topics.simulator_truth("{asset}"),
        summary="how a machine really is, which no edge may know",
        messages=(Message(name="truth", payload=Truth, example=_plain(truth)),),
    )
    yield _replies("simulator-reply", topics.simulator_reply("{command_id}"))
    commands = {
        "inject": InjectCommand(**_COMMAND, asset="pump-101", fault="bearing-wear", severity=1.0, over_s=30.0),
        "repair": RepairCommand(**_COMMAND, asset="pump-101"),
        "job": JobCommand(**_COMMAND, asset="pump-101", recipe="night"),
        "scenario": ScenarioCommand(**_COMMAND, scenario="visitor"),
        "chaos": ChaosCommand(**_COMMAND, kind="half-open", source="plc", for_s=20.0),
    }
    for verb, command in commands.items():
        message = Message(name=type(command).__name__, payload=type(command), example=_plain(command))
        yield Channel(
            name=f"simulator-{verb}",
            address=topics.simulator_command(verb),
            summary=f"to the simulator: {verb}",
            messages=(message,),
            sent=False,
            reply="simulator-reply",
        )


def _replies(name: str, address: str) -> Channel:
    refused = Reply(command_id=_COMMAND["command_id"], ok=False, problem="there is no alarm '0198f0c3-…' here")
    return Channel(
        name=name,
        address=address,
        summary="the answer to a command",
        messages=(Message(name="reply", payload=Reply, example=_plain(refused)),),
    )


def _evidence() -> EvidenceCommand:
    return EvidenceCommand(command_id=_COMMAND["command_id"], alarm_id=_ALARM_ID, client="api-1")


def _resend() -> ResendCommand:
    return ResendCommand(command_id=_COMMAND["command_id"], journal=_JOURNAL, first=121, last=180, client="api-1")


def _of_whom(kind: type) -> str:
    return {AlarmCommand: "of an alarm", ModelCommand: "of a model"}.get(kind, "of the journal and its evidence")


def _plain(message: Any) -> dict[str, Any]:
    """A message as it is on the wire."""
    body: dict[str, Any] = orjson.loads(encode(message))
    return body
