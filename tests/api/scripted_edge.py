"""An edge that does exactly what a test tells it: a journal in memory, published and answered for over real MQTT."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import orjson

from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Evidence, Priority
from edge.contracts.assessment import Assessment, ModelIdentity, Reason, State
from edge.contracts.audit import ModelAudit, ModelStep
from edge.contracts.case import Advice, Case, CaseState
from edge.contracts.command import (
    AlarmCommand,
    AlarmVerb,
    Catalogue,
    CatalogueAsset,
    CatalogueChaos,
    CatalogueFault,
    CatalogueScenario,
    EvidenceAnswer,
    EvidenceCommand,
    ModelCommand,
    ModelVerb,
    Reply,
    ResendCommand,
)
from edge.contracts.performance import Operation, Performance
from edge.contracts.spectrum import SpectrumLine, WaveformSpectrum
from edge.contracts.status import EdgeStatus, JournalStatus, ModelStatus
from edge.contracts.topics import Topics
from edge.formats.json_message import Identity, decode, encode
from edge.mqtt_connection import Connected, Message, MqttConnection

START = 1_795_428_000_000_000_000  # 2026-11-23T10:00:00Z
SECOND = 1_000_000_000
JournalEntry = Assessment | Alarm | Case | Performance | ModelAudit
Parts = Sequence[tuple[int | str, bytes]]
NEW_STATE = {
    AlarmVerb.ACKNOWLEDGE: AlarmState.ACTIVE_ACKNOWLEDGED,
    AlarmVerb.SHELVE: AlarmState.SHELVED,
    AlarmVerb.OUT_OF_SERVICE: AlarmState.OUT_OF_SERVICE,
}


def assessment(asset: str, second: int, score: float | None = 0.5) -> Assessment:
    withheld = score is None
    return Assessment(
        asset=asset,
        time=START + second * SECOND,
        state=State.WITHHELD if withheld else State.ANOMALOUS if score >= 1 else State.NORMAL,
        reason=Reason.MACHINE_OFF if withheld else None,
        score=score,
        contribution=None if withheld else {"vibration": 1.0},
        measured={"vibration": 3.9},
        coverage=1.0,
        model=ModelIdentity(name="pump", version="3"),
    )


def alarm(asset: str, alarm_id: str, second: int, state: AlarmState = AlarmState.ACTIVE_UNACKNOWLEDGED, **more: Any) -> Alarm:
    return Alarm(
        asset=asset,
        alarm_id=alarm_id,
        rule="anomaly",
        priority=Priority.HIGH,
        state=state,
        raised=START,
        changed=START + second * SECOND,
        text=BilingualText(sv="Avvikande", en="Unusual"),
        evidence=Evidence(score=1.4, signals=("vibration",)),
        **more,
    )


def case(asset: str, case_id: str, second: int, state: CaseState = CaseState.OPEN, **more: Any) -> Case:
    advice = Advice(
        name=BilingualText(sv="Lagerskada", en="Bearing wear"),
        action=BilingualText(sv="Byt lagret.", en="Replace the bearing."),
        because=BilingualText(sv="vibration 3,9 mm/s", en="vibration 3.9 mm/s"),
        until=START + 86_400 * SECOND,
    )
    return Case(
        asset=asset,
        case_id=case_id,
        state=state,
        opened=START,
        changed=START + second * SECOND,
        closed=START + second * SECOND if state is CaseState.CLOSED else None,
        priority=Priority.HIGH,
        text=BilingualText(sv="Lagerskada", en="Bearing wear"),
        **{"alarms": ("alarm-1",), "rules": ("anomaly",), "worst_score": 1.4, "advice": advice, **more},
    )


def performance(asset: str, minute: int, **more: Any) -> Performance:
    told: dict[str, Any] = {"operation": Operation.RUNNING, "operation_s": {"running": 60.0}, **more}
    return Performance(asset=asset, time=START + minute * 60 * SECOND, period_s=60.0, **told)


def audit(second: int, step: ModelStep = ModelStep.PROMOTED, edge: str = "edge-1", **more: Any) -> ModelAudit:
    return ModelAudit(edge=edge, time=START + second * SECOND, step=step, name="pump", by="operator", **more)


def spectrum(asset: str, signal: str, second: int = 0, bins: int = 2) -> WaveformSpectrum:
    return WaveformSpectrum(
        asset=asset,
        signal=signal,
        time=START + second * SECOND,
        unit="m/s2",
        shaft_hz=24.7,
        step_hz=6.25,
        amplitude=(0.125,) * bins,
        envelope_step_hz=6.25,
        envelope=(0.0, 0.03),
        lines=(SpectrumLine(name="BPFO", hz=88.6, amplitude=0.21, envelope=True),),
    )


def answer_for(command_id: str, content: bytes, parts: int) -> bytes:
    """What an edge says at the end of an evidence file."""
    sha256 = hashlib.sha256(content).hexdigest()
    return encode(EvidenceAnswer(command_id=command_id, parts=parts, n_bytes=len(content), sha256=sha256))


class ScriptedEdge:
    """`async with` it. `append` writes into its journal, `publish` sends; what was appended but not sent is a gap."""

    def __init__(self, url: str, topics: Topics, name: str = "edge-1") -> None:
        self.name, self.topics, self.journal = name, topics, str(uuid.uuid4())
        self.entries: dict[int, tuple[str, bytes]] = {}
        self.trimmed_before = 1
        self.resends: list[ResendCommand] = []
        self.alarm_commands: list[tuple[AlarmVerb, AlarmCommand]] = []
        self.simulator_commands: list[tuple[str, dict[str, Any]]] = []
        self.model_commands: list[tuple[ModelVerb, ModelCommand]] = []
        # what to say to an alarm or model command: None is silence, a sentence a refusal
        self.answer: Callable[[str], str | None] = lambda _verb: ""
        # what to send of an evidence file, in this order; a sentence is a refusal
        self.evidence: Callable[[EvidenceCommand], Parts | str] = lambda _command: "no evidence is kept"
        self.answers_resends = True
        self.connected = asyncio.Event()
        self._second = 100
        self._connection = MqttConnection(
            url=url,
            client_id=f"{name}-scripted",
            subscriptions=[topics.edge_command(name, "+"), topics.simulator_command("+")],
        )

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        self._task = asyncio.create_task(self._serve(), name="scripted edge")
        async with asyncio.timeout(30):
            await self.connected.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._connection.__aexit__(kind, error, trace)

    @property
    def last_seq(self) -> int:
        return max(self.entries, default=0)

    def append(self, message: JournalEntry) -> int:
        """Into the journal alone, as if the message had been lost on its way."""
        seq = self.last_seq + 1
        identity = Identity(edge=self.name, journal=self.journal, seq=seq)
        self.entries[seq] = self.address(message), encode(message, identity)
        return seq

    def address(self, message: JournalEntry) -> str:
        match message:
            case Assessment():
                return self.topics.assessment(message.asset)
            case Alarm():
                return self.topics.alarm(message.asset, message.alarm_id)
            case Case():
                return self.topics.case(message.asset, message.case_id)
            case Performance():
                return self.topics.performance(message.asset)
            case ModelAudit():
                return self.topics.edge_audit(message.edge)

    def publish_spectrum(self, found: WaveformSpectrum) -> None:
        self.send(self.topics.spectrum(found.asset, found.signal), encode(found))

    def publish(self, *messages: JournalEntry) -> None:
        for message in messages:
            self.send(*self.entries[self.append(message)])

    def send(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        assert self._connection.publish(topic, payload, retain=retain) is not None, "the scripted edge is not connected"

    def publish_status(self, *, online: bool = True, second: int = 0, models: dict[str, ModelStatus] | None = None) -> None:
        journal = JournalStatus(id=self.journal, last_seq=self.last_seq, trimmed_before=self.trimmed_before)
        model = ModelStatus(version="3", assets=("pump-101",), tolerance={"vibration": 0.4}, figures={"roc_auc": 0.93})
        status = EdgeStatus(
            edge=self.name,
            online=online,
            time=START + second * SECOND,
            version="0.1.0",
            models={"pump": model} if models is None else models,
            journal=journal,
        )
        self.send(self.topics.edge_status(self.name), encode(status))

    def publish_catalogue(self) -> None:
        fault = CatalogueFault(
            fault="bearing-wear",
            name=BilingualText(sv="Lagerskada", en="Bearing wear"),
            description=BilingualText(sv="Det skakar.", en="It shakes."),
        )
        pump = BilingualText(sv="Pump", en="Pump")
        asset = CatalogueAsset(asset="pump-101", name=pump, faults=(fault,), recipes=("day", "boost"))
        week = BilingualText(sv="En vecka", en="A week")
        scenario = CatalogueScenario(scenario="week", name=week, description=week, active=True)
        silence = CatalogueChaos(chaos="half-open", name=week, description=week, for_s=20.0, active=("plc",))
        catalogue = Catalogue(time=START, assets=(asset,), scenarios=(scenario,), chaos=(silence,))
        self.send(self.topics.simulator_catalogue, encode(catalogue))

    def trim(self, before: int) -> None:
        self.trimmed_before = before
        for seq in [seq for seq in self.entries if seq < before]:
            del self.entries[seq]

    async def _serve(self) -> None:
        async for event in self._connection:
            match event:
                case Connected():
                    self.connected.set()
                case Message(topic=topic, payload=payload):
                    self._command(topic, payload)

    def _command(self, topic: str, payload: bytes) -> None:
        match self.topics.parts(topic):
            case ("edges", _, "command", "resend"):
                self._resend(decode(ResendCommand, payload, topic))
            case ("edges", _, "command", "evidence"):
                self._give_evidence(decode(EvidenceCommand, payload, topic))
            case ("edges", _, "command", verb) if verb in tuple(ModelVerb):
                command = decode(ModelCommand, payload, topic)
                self.model_commands.append((ModelVerb(verb), command))
                self._reply(command.command_id, self.answer(verb))
            case ("edges", _, "command", verb):
                self._change_alarm(AlarmVerb(verb), decode(AlarmCommand, payload, topic))
            case ("simulator", "command", verb):
                body = orjson.loads(payload)
                self.simulator_commands.append((verb, body))
                reply = Reply(command_id=body["command_id"], ok=True)
                self.send(self.topics.simulator_reply(reply.command_id), encode(reply), retain=False)

    def _resend(self, command: ResendCommand) -> None:
        self.resends.append(command)
        if not self.answers_resends:
            return
        topic = self.topics.edge_resend(self.name, command.client)
        if command.first < self.trimmed_before:
            before = min(self.trimmed_before, command.last + 1)
            answer = {"schema": 1, "command_id": command.command_id, "journal": command.journal, "trimmed_before": before}
            self.send(topic, orjson.dumps(answer), retain=False)
        for seq in range(command.first, command.last + 1):
            if command.journal == self.journal and seq in self.entries:
                self.send(topic, self.entries[seq][1], retain=False)

    def _give_evidence(self, command: EvidenceCommand) -> None:
        parts = self.evidence(command)
        if isinstance(parts, str):
            self._reply(command.command_id, parts)
            return
        for number, part in parts:
            topic = self.topics.edge_evidence(self.name, command.client, command.command_id, number)
            self.send(topic, part, retain=False)
        self._reply(command.command_id, "")

    def _reply(self, command_id: str, said: str | None) -> None:
        if said is not None:
            reply = Reply(command_id=command_id, ok=not said, problem=said or None)
            self.send(self.topics.edge_reply(self.name, command_id), encode(reply), retain=False)

    def _change_alarm(self, verb: AlarmVerb, command: AlarmCommand) -> None:
        self.alarm_commands.append((verb, command))
        said = self.answer(verb)
        self._reply(command.command_id, said)
        if said == "" and command.alarm_id:
            self._second += 1
            changes = {"by": command.by, "comment": command.comment, "shelved_until": command.shelved_until}
            state = NEW_STATE.get(verb, AlarmState.ACTIVE_UNACKNOWLEDGED)
            self.publish(alarm("pump-101", command.alarm_id, self._second, state, **changes))
