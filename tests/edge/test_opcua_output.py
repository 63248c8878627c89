"""The edge's own OPC UA server, seen by real clients: asyncua's, and node-opcua's where it is installed."""

import asyncio
import contextlib
import json
import logging
import socket
import stat
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from edge.advisory_generation.alarm_list import AlarmList
from edge.application_certificate import Application, kept_identity
from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Evidence, Priority
from edge.contracts.assessment import Assessment, FaultMode, Reason, RemainingLife, State, Zone
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.units import ucum_of
from edge.outputs import OnAlarmCommand, Output
from edge.outputs.opcua.device_health import DeviceHealth, device_health, judged, told_alarms
from edge.outputs.opcua_server import OpcuaResults
from tests.conftest import COUNTERPARTS, node_program

URI = "urn:kullager:edge:edge-1"
DEVICES = "http://opcfoundation.org/UA/DI/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
START = 1_764_000_000_000_000_000
LIMIT_S = 60.0
PLANT = """
schema = 1
[site]
enterprise = "region"
site = "testbed"
area = "hall-1"
[edge]
id = "edge-1"
opcua = {{ url = "opc.tcp://127.0.0.1:{port}"{more} }}
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1"
[assets.pump-101]
class = "pump"
name = {{ sv = "Pump ett", en = "Pump one" }}
context = ["mode"]
nameplate = {{ manufacturer = "Testbed", model = "CP 60", serial = "101" }}
[assets.pump-101.signals]
speed = {{ unit = "/min", source = "broker", topic = "a", name = {{ sv = "varvtal", en = "speed" }} }}
power = {{ unit = "kW", source = "broker", topic = "b" }}
mode = {{ unit = "1", source = "broker", topic = "c" }}
[assets.mill-201]
class = "spindle"
[assets.mill-201.signals]
torque = {{ unit = "N.m", source = "broker", topic = "d" }}
"""


Build = Callable[..., Plant]


@pytest.fixture
def build(tmp_path: Path, free_port: Callable[[], int]) -> Build:
    """A function that gives the plant, with further keys of `edge.opcua`."""

    def make(more: str = "", port: int | None = None) -> Plant:
        path = tmp_path / "plant.toml"
        path.write_text(PLANT.format(port=port or free_port(), more=more and f", {more}"), encoding="utf-8")
        return load_plant(path)

    return make


class Edge:
    """Its alarms, and its output."""

    def __init__(self, plant: Plant, home: Path, environ: dict[str, str], open_alarms: tuple[Alarm, ...] = ()) -> None:
        self.alarms = AlarmList("edge-1")
        self.alarms.restore(open_alarms, [alarm.alarm_id for alarm in open_alarms])
        self.commands: list[tuple[AlarmVerb, AlarmCommand]] = []
        self.url = plant.edge.opcua.url if plant.edge.opcua else ""
        self.output = OpcuaResults(plant, home, environ, open_alarms, self.command)

    def command(self, verb: AlarmVerb, command: AlarmCommand) -> None:
        self.commands.append((verb, command))
        self.output.show([], self.alarms.command(verb, command))

    def begin(self, second: int, asset: str = "pump-101", priority: Priority = Priority.HIGH, rule: str = "anomaly") -> Alarm:
        text = BilingualText(sv=f"{asset} avviker", en=f"{asset} deviates")
        alarm = self.alarms.begin(at(second), asset=asset, rule=rule, priority=priority, text=text, evidence=Evidence())
        assert alarm is not None
        self.output.show([], [alarm])
        return alarm

    def end(self, second: int) -> None:
        alarm = self.alarms.end(at(second), asset="pump-101", rule="anomaly")
        assert alarm is not None
        self.output.show([], [alarm])


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, a generous time; it may be asynchronous."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while True:
                result = condition()
                if asyncio.iscoroutine(result):
                    result = await result
                if result:
                    return result
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in vain waited for {what}") from None


@contextlib.asynccontextmanager
async def running(edge: Edge, *, serves: bool = True) -> AsyncIterator[Edge]:
    """The output in a task, until it serves; what it raised is raised at the end."""
    task = asyncio.create_task(edge.output.run())
    try:
        if serves:
            await until(lambda: task.done() or edge.output.problem is None, "a server that listens")
        yield edge
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def connected(edge: Edge) -> AsyncIterator[Client]:
    async with Client(edge.url, timeout=30) as client:
        yield client


def at(second: int) -> int:
    return START + second * 1_000_000_000


def moment(second: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at(second) // 1000)


def assessed(second: int = 0, asset: str = "pump-101", **changes: Any) -> Assessment:
    content: dict[str, Any] = {
        "asset": asset,
        "time": at(second),
        "state": State.NORMAL,
        "score": 0.25,
        "measured": {"speed": 1480.0, "power": None},
        "expected": {"speed": 1475.0, "power": 5.5},
        "coverage": 0.75,
        "health": 0.875,
        "zone": Zone.B,
        "fault": FaultMode(name="bearing-wear", probability=0.5),
        "rul_h": RemainingLife(p10=10.0, p50=20.0, p90=40.0),
    }
    return Assessment(**(content | changes))


def withheld(reason: Reason, second: int = 0) -> Assessment:
    nothing = dict.fromkeys(("score", "expected", "health", "zone", "fault", "rul_h"))
    return assessed(second, state=State.WITHHELD, reason=reason, **nothing)


async def node(client: Client, name: str) -> Node:
    return client.get_node(ua.NodeId(name, await client.get_namespace_index(URI)))


async def read(client: Client, name: str) -> Any:
    return await (await node(client, name)).read_data_value(raise_on_bad_status=False)


async def until_reads(client: Client, name: str, value: Any) -> ua.DataValue:
    async def fits() -> ua.DataValue | None:
        data = await read(client, name)
        return data if data.Value is not None and data.Value.Value == value else None

    found: ua.DataValue = await until(fits, f"{name} to be {value!r}")
    return found


# -- what is shown


async def test_an_assessment_is_values_with_units_ranges_and_its_time(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})
    output: Output = edge.output
    async with running(edge), connected(edge) as client:
        assert (await read(client, "pump-101.Score")).StatusCode.name == "BadWaitingForInitialData"
        output.show([assessed()], [])
        score = await until_reads(client, "pump-101.Score", 0.25)
        assert score.SourceTimestamp == moment(0)
        expected = {
            "Health": 0.875, "Zone": "B", "State": "normal", "Reason": "", "Fault": "bearing-wear", "FaultProbability": 0.5,
            "RulP10": 10.0, "RulP50": 20.0, "RulP90": 40.0, "Coverage": 0.75, "DeviceHealth": 0, "OpenAlarms": 0,
            "AlarmText": "", "Measured.speed": 1480.0, "Expected.speed": 1475.0, "Expected.power": 5.5,
        }  # fmt: skip
        await until_reads(client, "pump-101.DeviceHealth", 0)
        assert {name: (await read(client, f"pump-101.{name}")).Value.Value for name in expected} == expected
        # what is not measured now has no value
        assert (await read(client, "pump-101.Measured.power")).StatusCode.name == "BadNoData"
        for name, unit in (("RulP50", "h"), ("Measured.speed", "/min"), ("Expected.power", "kW"), ("Score", "1")):
            units = await (await (await node(client, f"pump-101.{name}")).get_child("0:EngineeringUnits")).read_value()
            assert ucum_of(units.UnitId) == unit
        span = await (await (await node(client, "pump-101.Health")).get_child("0:EURange")).read_value()
        assert (span.Low, span.High) == (0.0, 1.0)
        assert (await read(client, "mill-201.Score")).StatusCode.name == "BadWaitingForInitialData"


class ValueWatcher:
    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[Any, str]]] = {}

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        status = data.monitored_item.Value.StatusCode.name
        self.seen.setdefault(str(node.nodeid.Identifier), []).append((value, status))


@pytest.mark.parametrize("at_once", [1000, 2])
async def test_who_watches_a_value_gets_each_change(
    build: Build, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outputs.opcua.guard_subscription.MOST_VALUES_SENT", at_once)
    edge = Edge(build(), tmp_path, {})
    names = [f"pump-101.{name}" for name in ("Score", "Zone", "Measured.speed", "DeviceHealth", "OpenAlarms")]
    async with running(edge), connected(edge) as client:
        watcher = ValueWatcher()
        subscription = await client.create_subscription(100, watcher)
        await subscription.subscribe_data_change([await node(client, name) for name in names])
        await until(lambda: len(watcher.seen) == len(names), "the first values")
        assert watcher.seen["pump-101.Score"] == [(None, "BadWaitingForInitialData")]
        for second, score in enumerate((0.25, 0.5)):
            edge.output.show([assessed(second, score=score)], [])
            await until(lambda s=score: watcher.seen["pump-101.Score"][-1] == (s, "Good"), "the score")
        edge.output.show([withheld(Reason.STALE, 2)], [])
        await until(lambda: watcher.seen["pump-101.Score"][-1] == (None, "BadNoData"), "no score")
        # what changes together may come in several answers
        await until(lambda: watcher.seen["pump-101.Zone"][-1] == (None, "BadNoData"), "no zone")
        assert watcher.seen["pump-101.Zone"][1:] == [("B", "Good"), (None, "BadNoData")]
        edge.begin(3)
        await until(lambda: watcher.seen["pump-101.OpenAlarms"][-1] == (1, "Good"), "the alarm")
        await until(lambda: watcher.seen["pump-101.DeviceHealth"][-1] == (DeviceHealth.CHECK_FUNCTION, "Good"), "the check")
        # what was written to watchers is what others read
        assert (await read(client, "pump-101.OpenAlarms")).Value.Value == 1
        edge.output.show([assessed(4)], [])
        await until(lambda: watcher.seen["pump-101.Score"][-1] == (0.25, "Good"), "the score")


async def test_what_is_withheld_has_no_value_and_a_reason(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge), connected(edge) as client:
        edge.output.show([assessed()], [])
        await until_reads(client, "pump-101.Score", 0.25)
        edge.output.show([withheld(Reason.STALE, 1)], [])
        await until_reads(client, "pump-101.DeviceHealth", DeviceHealth.CHECK_FUNCTION)
        for name in ("Score", "Health", "Zone", "Fault", "FaultProbability", "RulP10", "Expected.speed"):
            data = await read(client, f"pump-101.{name}")
            assert (data.StatusCode.name, data.Value and data.Value.Value) == ("BadNoData", None)
            assert data.SourceTimestamp == moment(1)
        assert (await read(client, "pump-101.State")).Value.Value == "withheld"
        assert (await read(client, "pump-101.Reason")).Value.Value == "stale"


async def test_the_machines_are_laid_out_after_machinery_and_devices(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge), connected(edge) as client:
        di, machinery = [await client.get_namespace_index(uri) for uri in (DEVICES, MACHINERY)]
        machines = client.get_node(ua.NodeId(1001, machinery))
        found = {(await each.read_browse_name()).Name: each for each in await machines.get_children()}
        assert sorted(found) == ["mill-201", "pump-101"]
        pump = found["pump-101"]
        assert pump.nodeid == (await node(client, "pump-101")).nodeid
        assert await pump.read_display_name() == ua.LocalizedText("Pump one", "en")
        assert await pump.read_description() == ua.LocalizedText("Pump ett", "sv")
        plate = await pump.get_child(f"{di}:Identification")
        assert await (await plate.get_child(f"{di}:SerialNumber")).read_value() == "101"
        health = await pump.get_child(f"{di}:DeviceHealth")
        assert await health.read_data_type() == ua.NodeId(6244, di)
        texts = await client.get_node(ua.NodeId(6450, di)).read_value()
        assert [text.Text for text in texts] == [each.name for each in DeviceHealth]
        mode = await node(client, "pump-101.Measured.mode")
        with pytest.raises(ua.UaStatusCodeError):
            await mode.read_browse_name()


async def test_nobody_writes(build: Build, tmp_path: Path) -> None:
    edge = Edge(build("commands = true"), tmp_path, {})
    async with running(edge), connected(edge) as client:
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            await (await node(client, "pump-101.Score")).write_value(1.0)
        with pytest.raises(ua.UaError):
            await (await node(client, "pump-101")).add_variable(ua.NodeId("x", 1), "x", 1.0)
        with pytest.raises(ua.UaError):
            await client.uaclient.register_server(ua.RegisteredServer(ServerUri="urn:x"))


@pytest.mark.parametrize(
    ("assessment", "before", "health"),
    [
        (assessed(), None, DeviceHealth.NORMAL),
        (assessed(zone=None), None, DeviceHealth.NORMAL),
        (assessed(zone=Zone.C), None, DeviceHealth.MAINTENANCE_REQUIRED),
        (assessed(zone=Zone.D), None, DeviceHealth.FAILURE),
        (withheld(Reason.MACHINE_OFF), DeviceHealth.FAILURE, DeviceHealth.FAILURE),
        (withheld(Reason.MACHINE_OFF), None, DeviceHealth.CHECK_FUNCTION),
        (withheld(Reason.WARMING_UP), DeviceHealth.NORMAL, DeviceHealth.NORMAL),
        (withheld(Reason.CHANGEOVER), DeviceHealth.MAINTENANCE_REQUIRED, DeviceHealth.MAINTENANCE_REQUIRED),
        (withheld(Reason.UNKNOWN_OPERATING_POINT), DeviceHealth.NORMAL, DeviceHealth.OFF_SPEC),
        *((withheld(each), DeviceHealth.NORMAL, DeviceHealth.CHECK_FUNCTION)
          for each in (Reason.NO_MODEL, Reason.BAD_QUALITY, Reason.STALE, Reason.LOW_COVERAGE)),
    ],
)  # fmt: skip
def test_device_health_of_an_assessment(assessment: Assessment, before: DeviceHealth | None, health: DeviceHealth) -> None:
    assert judged(assessment, before) is health


def an_alarm(state: AlarmState = AlarmState.ACTIVE_UNACKNOWLEDGED, **changes: Any) -> Alarm:
    text = BilingualText(sv="avviker", en="deviates")
    content: dict[str, Any] = {"asset": "pump-101", "alarm_id": "a", "rule": "anomaly", "priority": Priority.HIGH}
    return Alarm(**(content | {"state": state, "raised": START, "changed": START, "text": text} | changes))


def test_device_health_with_alarms_is_the_most_telling_of_namur_ne_107() -> None:
    anomaly, limit = an_alarm(), an_alarm(rule="limit-alarm-speed")
    assert device_health(None, []) is None
    assert device_health(None, [anomaly]) is DeviceHealth.MAINTENANCE_REQUIRED
    assert device_health(DeviceHealth.NORMAL, [anomaly, limit]) is DeviceHealth.OFF_SPEC
    assert device_health(DeviceHealth.CHECK_FUNCTION, [anomaly, limit]) is DeviceHealth.CHECK_FUNCTION
    assert device_health(DeviceHealth.FAILURE, [anomaly, limit]) is DeviceHealth.FAILURE
    for state in (AlarmState.SHELVED, AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.OUT_OF_SERVICE):
        assert device_health(DeviceHealth.NORMAL, [an_alarm(state)]) is DeviceHealth.NORMAL


def test_the_most_important_alarm_comes_first() -> None:
    low = an_alarm(alarm_id="low", priority=Priority.LOW, raised=START + 9)
    known = an_alarm(AlarmState.ACTIVE_ACKNOWLEDGED, alarm_id="known", raised=START + 5)
    new, newer = an_alarm(alarm_id="new"), an_alarm(alarm_id="newer", raised=START + 1)
    shelved = an_alarm(AlarmState.SHELVED, alarm_id="shelved", priority=Priority.CRITICAL)
    assert [each.alarm_id for each in told_alarms([low, known, new, shelved, newer])] == ["newer", "new", "known", "low"]


# -- alarms


class EventWatcher:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.seen.append(event)

    def alarms(self) -> list[tuple[str, bool, bool, bool]]:
        """(message, active, acknowledged, retained) of each."""
        return [
            (event.Message.Text, *(getattr(event, name) for name in ("ActiveState/Id", "AckedState/Id", "Retain")))
            for event in self.seen
            if event.EventType == ua.NodeId(ua.ObjectIds.AlarmConditionType)
        ]


async def watch(client: Client, source: str = "server") -> tuple[EventWatcher, Any]:
    watcher = EventWatcher()
    subscription = await client.create_subscription(100, watcher)
    emitter = client.nodes.server if source == "server" else await node(client, source)
    kinds = [ua.ObjectIds.AlarmConditionType, ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.RefreshEndEventType]
    await subscription.subscribe_events(emitter, kinds, queuesize=100)
    return watcher, subscription


async def answer(client: Client, method: int, condition: ua.NodeId, event_id: Any, comment: str = "seen") -> None:
    text = ua.Variant(ua.LocalizedText(comment, "en"), ua.VariantType.LocalizedText)
    event = ua.Variant(event_id, ua.VariantType.ByteString)
    await client.get_node(condition).call_method(ua.NodeId(method), event, text)


ACKNOWLEDGE, ADD_COMMENT = ua.ObjectIds.AcknowledgeableConditionType_Acknowledge, ua.ObjectIds.ConditionType_AddComment


@pytest.mark.parametrize("source", ["server", "pump-101"])
async def test_an_alarm_is_a_condition_and_is_acknowledged_by_its_method(build: Build, tmp_path: Path, source: str) -> None:
    edge = Edge(build("commands = true"), tmp_path, {})
    async with running(edge), connected(edge) as client:
        watcher, _ = await watch(client, source)
        edge.output.show([assessed()], [])
        alarm = edge.begin(1)
        await until(lambda: watcher.alarms() == [("pump-101 deviates", True, False, True)], "the alarm")
        event = watcher.seen[0]
        condition = await node(client, "pump-101.Alarms.anomaly")
        assert event.NodeId == condition.nodeid
        assert (event.SourceName, event.ConditionName, event.Severity) == ("pump-101", "anomaly", 700)
        assert event.SourceNode == (await node(client, "pump-101")).nodeid
        assert event.Time == moment(1)
        await until_reads(client, "pump-101.DeviceHealth", DeviceHealth.MAINTENANCE_REQUIRED)
        await until_reads(client, "pump-101.OpenAlarms", 1)
        assert (await read(client, "pump-101.AlarmText")).Value.Value == "pump-101 deviates"
        assert (await read(client, "pump-101.AlarmTextSv")).Value.Value == "pump-101 avviker"
        assert (await read(client, "pump-101.AlarmSeverity")).Value.Value == 700
        assert (await read(client, "pump-101.Alarms.anomaly.MessageSv")).Value.Value == ua.LocalizedText(
            "pump-101 avviker", "sv"
        )
        assert (await read(client, "pump-101.Alarms.anomaly.AlarmId")).Value.Value == alarm.alarm_id
        assert await condition.read_type_definition() == ua.NodeId(ua.ObjectIds.AlarmConditionType)
        with pytest.raises(ua.UaStatusCodeError, match="BadEventIdUnknown"):
            await answer(client, ACKNOWLEDGE, condition.nodeid, b"another")
        with pytest.raises(ua.UaStatusCodeError, match="BadNodeIdInvalid"):
            await answer(client, ACKNOWLEDGE, (await node(client, "pump-101")).nodeid, event.EventId)
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
            await answer(client, ACKNOWLEDGE, condition.nodeid, event.EventId, "x" * 1001)
        assert edge.commands == []
        # by the method of the condition itself
        text = ua.Variant(ua.LocalizedText("seen", "en"), ua.VariantType.LocalizedText)
        await condition.call_method("0:Acknowledge", ua.Variant(event.EventId, ua.VariantType.ByteString), text)
        ((verb, command),) = edge.commands
        assert (verb, command.by, command.alarm_id, command.comment) == (
            AlarmVerb.ACKNOWLEDGE, "opcua", alarm.alarm_id, "seen",
        )  # fmt: skip
        await until(lambda: watcher.alarms()[-1] == ("pump-101 deviates", True, True, True), "it to be acknowledged")
        assert watcher.seen[-1].Comment.Text == "seen"
        with pytest.raises(ua.UaStatusCodeError, match="BadConditionBranchAlreadyAcked"):
            await answer(client, ACKNOWLEDGE, condition.nodeid, event.EventId)
        await answer(client, ADD_COMMENT, condition.nodeid, event.EventId, "ordered")
        await until(lambda: watcher.seen[-1].Comment.Text == "ordered", "the comment")
        edge.end(5)
        await until(lambda: watcher.alarms()[-1] == ("pump-101 deviates", False, True, False), "its end")
        await until_reads(client, "pump-101.OpenAlarms", 0)
        await until_reads(client, "pump-101.DeviceHealth", DeviceHealth.NORMAL)


async def test_without_commands_alarms_are_only_seen(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge), connected(edge) as client:
        watcher, _ = await watch(client)
        edge.begin(1)
        await until(watcher.alarms, "the alarm")
        event = watcher.seen[0]
        for method in (ACKNOWLEDGE, ADD_COMMENT):
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await answer(client, method, event.NodeId, event.EventId)
        shelving = await node(client, "pump-101.Alarms.anomaly.ShelvingState")
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            await shelving.call_method("0:TimedShelve", 60_000.0)
        own = await node(client, "pump-101.Alarms.anomaly.Acknowledge")
        executable = await own.read_attribute(ua.AttributeIds.UserExecutable)
        assert executable.Value.Value is False
        assert edge.commands == []


async def test_an_alarm_is_shelved_for_a_time_and_taken_back(build: Build, tmp_path: Path) -> None:
    edge = Edge(build("commands = true"), tmp_path, {})
    async with running(edge), connected(edge) as client:
        watcher, _ = await watch(client)
        alarm = edge.begin(1)
        await until(watcher.alarms, "the alarm")
        condition, state = watcher.seen[0].NodeId, "ShelvingState/CurrentState"
        shelving = await node(client, "pump-101.Alarms.anomaly.ShelvingState")
        with pytest.raises(ua.UaStatusCodeError, match="BadConditionNotShelved"):
            await shelving.call_method("0:Unshelve")
        for duration in (0.0, -1.0, 1e18):
            with pytest.raises(ua.UaStatusCodeError, match="BadShelvingTimeOutOfRange"):
                await shelving.call_method("0:TimedShelve", duration)
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
            await shelving.call_method("0:TimedShelve", float("nan"))
        assert edge.commands == []
        await shelving.call_method("0:TimedShelve", 60_000.0)
        verb, command = edge.commands[-1]
        assert (verb, command.alarm_id) == (AlarmVerb.SHELVE, alarm.alarm_id)
        assert command.shelved_until == command.time + 60_000_000_000
        await until(lambda: getattr(watcher.seen[-1], state).Text == "Timed Shelved", "it to be shelved")
        assert watcher.seen[-1].SuppressedOrShelved is True
        await until_reads(client, "pump-101.OpenAlarms", 0)
        with pytest.raises(ua.UaStatusCodeError, match="BadConditionAlreadyShelved"):
            await shelving.call_method("0:TimedShelve", 60_000.0)
        # by the type's method, with the condition as the object
        await client.get_node(condition).call_method(ua.NodeId(ua.ObjectIds.AlarmConditionType_ShelvingState_Unshelve))
        await until(lambda: getattr(watcher.seen[-1], state).Text == "Unshelved", "it to be taken back")
        await until_reads(client, "pump-101.OpenAlarms", 1)


async def test_what_the_edge_refuses_is_an_invalid_state_and_logged(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = build("commands = true")
    edge = Edge(plant, tmp_path, {})

    def refuse(_verb: AlarmVerb, _command: AlarmCommand) -> None:
        raise KullagerError("an alarm that is shelved cannot take 'acknowledge'")

    command: OnAlarmCommand = refuse
    edge.output = OpcuaResults(plant, tmp_path, {}, (), command)
    async with running(edge), connected(edge) as client:
        watcher, _ = await watch(client)
        edge.begin(1)
        await until(watcher.alarms, "the alarm")
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidState"):
            await answer(client, ACKNOWLEDGE, watcher.seen[0].NodeId, watcher.seen[0].EventId)
    assert "an alarm that is shelved cannot take 'acknowledge'" in caplog.text


async def test_open_alarms_are_there_after_a_restart_and_by_a_refresh(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # events come one by one
    monkeypatch.setattr("edge.outputs.opcua.guard_subscription.MOST_EVENTS_SENT", 1)
    plant = build("commands = true")
    edge = Edge(plant, tmp_path, {})
    async with running(edge), connected(edge) as client:
        watcher, _ = await watch(client)
        edge.begin(1)
        edge.begin(2, "mill-201", Priority.CRITICAL)
        await until(lambda: len(watcher.alarms()) == 2, "two alarms")
        event_id = watcher.seen[0].EventId
    again = Edge(plant, tmp_path, {}, edge.alarms.open)
    async with running(again), connected(again) as client:
        await until_reads(client, "pump-101.AlarmText", "pump-101 deviates")
        # an alarm holds without an assessment
        await until_reads(client, "pump-101.DeviceHealth", DeviceHealth.MAINTENANCE_REQUIRED)
        for source, messages in (
            ("server", ["pump-101 deviates", "mill-201 deviates"]),
            ("mill-201", ["mill-201 deviates"]),
        ):
            watcher, subscription = await watch(client, source)
            kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
            number = ua.Variant(subscription.subscription_id, ua.VariantType.UInt32)
            await kind.call_method(ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh), number)
            await until(lambda w=watcher, m=messages: len(w.seen) == len(m) + 2, "a refresh")
            assert watcher.seen[0].EventType == ua.NodeId(ua.ObjectIds.RefreshStartEventType)
            assert watcher.seen[-1].EventType == ua.NodeId(ua.ObjectIds.RefreshEndEventType)
            assert [each[0] for each in watcher.alarms()] == messages
            if source == "server":
                # the id of before the restart answers it still
                assert watcher.seen[1].EventId == event_id
                await answer(client, ACKNOWLEDGE, watcher.seen[1].NodeId, event_id)
                await until(lambda w=watcher: w.alarms()[-1][2], "it to be acknowledged")
        with pytest.raises(ua.UaStatusCodeError, match="BadSubscriptionIdInvalid"):
            await kind.call_method(ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh), ua.Variant(1, ua.VariantType.UInt32))


# -- an independent client


async def node_opcua(edge: Edge, *arguments: str) -> dict[str, Any]:
    program = node_program("node-opcua")
    script = str(COUNTERPARTS / "read_results.mjs")
    process = await asyncio.create_subprocess_exec(
        program, script, edge.url, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@pytest.mark.parametrize("commands", [True, False])
async def test_node_opcua_reads_results_and_acknowledges(build: Build, tmp_path: Path, commands: bool) -> None:
    edge = Edge(build("commands = true" if commands else ""), tmp_path, {})
    async with running(edge):
        edge.output.show([assessed()], [])
        edge.begin(1)
        found = await node_opcua(edge)
    pump = found["machines"]["pump-101"]
    assert pump["values"]["Score"] == 0.25
    assert pump["values"]["RulP90"] == 40.0
    assert pump["units"] == {"RulP50": "h", "Measured.speed": "r/min", "Expected.power": "kW"}
    assert pump["health"] == "MAINTENANCE_REQUIRED"
    assert pump["serial"] == "101"
    assert pump["values"]["Measured.power"] == "BadNoData"
    assert pump["values"]["AlarmText"] == "pump-101 deviates"
    alarm = found["alarm"]
    assert (alarm["source"], alarm["message"], alarm["severity"]) == ("pump-101", "pump-101 deviates", 700)
    assert (alarm["active"], alarm["acknowledged"], alarm["retain"]) == (True, False, True)
    assert alarm["condition"].endswith("s=pump-101.Alarms.anomaly")
    assert found["write"] == "BadUserAccessDenied"
    assert found["watched"] == 0.25
    if commands:
        assert found["acknowledge"] == "Good"
        assert found["afterwards"] is True
        assert [(verb, command.comment) for verb, command in edge.commands] == [(AlarmVerb.ACKNOWLEDGE, "seen by node-opcua")]
    else:
        assert found["acknowledge"] == "BadUserAccessDenied"
        assert edge.commands == []


# -- who may come in


async def nameless(url: str) -> None:
    """Try to come in with a user token that has no name."""
    client = Client(url, timeout=30)
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        await client.create_session()
        token = ua.UserNameIdentityToken(PolicyId="username", UserName=None, Password=b"")
        await client.uaclient.activate_session(ua.ActivateSessionParameters(UserIdentityToken=token))
    finally:
        client.disconnect_socket()


async def test_a_user_needs_the_password(build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plant = build('user = "scada", commands = true')
    (tmp_path / "password").write_text("hemligt å\n", encoding="utf-8")
    edge = Edge(plant, tmp_path, {"KULLAGER_EDGE_OPCUA_PASSWORD_FILE": str(tmp_path / "password")})
    async with running(edge):
        for name, password in (("scada", "wrong"), ("admin", "hemligt å"), (None, None), ("", "hemligt å")):
            client = Client(edge.url, timeout=30)
            if name is not None:
                client.set_user(name)
                client.set_password(password)
            with pytest.raises(ua.UaError):
                await client.connect()
            with contextlib.suppress(Exception):
                await client.disconnect()
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            await nameless(edge.url)
        client = Client(edge.url, timeout=30)
        client.set_user("scada")
        client.set_password("hemligt å")
        async with client:
            watcher, _ = await watch(client)
            edge.begin(1)
            await until(watcher.alarms, "the alarm")
            await answer(client, ACKNOWLEDGE, watcher.seen[0].NodeId, watcher.seen[0].EventId)
            assert edge.commands[0][1].by == "scada"
    assert "OPC UA user 'admin' was refused" in caplog.text


async def test_a_user_without_a_password_is_a_problem_and_nothing_is_served(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edge = Edge(build('user = "scada"'), tmp_path, {})
    async with running(edge, serves=False):
        await until(lambda: "missing" in (edge.output.problem or ""), "the problem")
        problem = edge.output.problem
        assert problem is not None
        assert problem.startswith("edge.opcua.user: the password of 'scada' is missing; KULLAGER_EDGE_OPCUA_PASSWORD should")
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(("127.0.0.1", int(edge.url.rpartition(":")[2])), timeout=5)
        # several attempts, one line
        await asyncio.sleep(2.0)
    assert caplog.text.count("is missing") == 1


async def test_only_what_is_listed_is_offered_and_the_certificate_stays(build: Build, tmp_path: Path) -> None:
    plant = build('security = ["Basic256Sha256/SignAndEncrypt"]')
    pem, der = (tmp_path / "edge/certificates" / f"server.{kind}" for kind in ("pem", "der"))
    seen = []
    now = datetime.now(UTC)
    person = kept_identity(tmp_path / "client.pem", Application(name="c", uri="urn:c", hosts=("localhost",), server=False), now)
    assert person.certificate
    for _ in range(2):
        edge = Edge(plant, tmp_path, {})
        async with running(edge):
            client = Client(edge.url, timeout=30)
            endpoints = await client.connect_and_get_server_endpoints()
            assert [each.SecurityMode.name for each in endpoints] == ["SignAndEncrypt"]
            seen.append(endpoints[0].ServerCertificate)
            with pytest.raises(ua.UaError):
                async with Client(edge.url, timeout=30):
                    pass
            client = Client(edge.url, timeout=30)
            client.application_uri = "urn:c"
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                str(tmp_path / "client.der"),
                str(tmp_path / "client.pem"),
                mode=ua.MessageSecurityMode.SignAndEncrypt,
            )
            async with client:
                assert (await read(client, "pump-101.OpenAlarms")).Value.Value == 0
    assert seen[0] == seen[1] == der.read_bytes()
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600


# -- what others do


async def test_a_port_that_is_taken_is_told_once_and_taken_when_it_is_free(
    build: Build, tmp_path: Path, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    edge = Edge(build(), tmp_path, {"KULLAGER_EDGE_OPCUA_URL": f"opc.tcp://127.0.0.1:{port}"})
    edge.url = f"opc.tcp://127.0.0.1:{port}"
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with running(edge, serves=False):
            await until(lambda: "in use" in (edge.output.problem or ""), "the problem")
            edge.output.show([assessed()], [])
            edge.begin(1)
            await asyncio.sleep(1.5)
            assert f"port {port} is in use" in (edge.output.problem or "")
            assert caplog.text.count("is in use") == 1
            taken.close()
            await until(lambda: edge.output.problem is None, "a server that listens")
            async with connected(edge) as client:
                # what came in the meantime is there
                await until_reads(client, "pump-101.Score", 0.25)
                await until_reads(client, "pump-101.OpenAlarms", 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "opc.tcp://127.0.0.1:99999"])
async def test_an_address_that_is_none_is_a_problem(build: Build, tmp_path: Path, url: str) -> None:
    edge = Edge(build(), tmp_path, {"KULLAGER_EDGE_OPCUA_URL": url})
    async with running(edge, serves=False):
        await until(lambda: url in (edge.output.problem or ""), "the problem")


HOSTILE = {
    "an array of Null": bytes.fromhex("c02b98002b000000000000"),
    "another": bytes.fromhex("80ffffff7f"),
    "nested": b"\x98\x01\x00\x00\x00" * 5000 + b"\x00",
    "structures": bytes([0x80 | 22]) + struct.pack("<i", 10**9) + b"\0" * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_variant_closes_its_connection_and_stalls_nobody(
    build: Build, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge), connected(edge) as client, connected(edge) as hostile:
        # a Call with one argument, whose bytes are put where an honest Variant is
        marker = ua.Variant(b"0123456789abcdef", ua.VariantType.ByteString)
        request = ua.CallRequest()
        method = ua.CallMethodRequest(
            ObjectId=ua.NodeId(ua.ObjectIds.ConditionType),
            MethodId=ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh),
            InputArguments=[marker],
        )
        request.Parameters.MethodsToCall = [method]
        protocol = hostile.uaclient.protocol
        marked, honest = ua.ua_binary.variant_to_binary(marker), protocol._connection.message_to_binary

        def mad(message: bytes, **more: Any) -> Any:
            assert marked in message
            return honest(message.replace(marked, HOSTILE[name]), **more)

        protocol._connection.message_to_binary = mad
        answer = protocol._send_request(request)
        protocol._connection.message_to_binary = honest
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(answer, LIMIT_S)
        edge.output.show([assessed()], [])
        await until_reads(client, "pump-101.Score", 0.25)
    assert "is cut off" in caplog.text


@pytest.mark.parametrize(
    "content",
    [b"GET / HTTP/1.1\r\n\r\n", b"HELF" + struct.pack("<I", 2**31) + b"\0" * 100, b"MSGF\xff\xff\xff\x7f"],
    ids=["no OPC UA", "a frame that is too large", "a message that is too large"],
)
async def test_what_is_no_message_closes_its_connection(build: Build, tmp_path: Path, content: bytes) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(edge.url.rpartition(":")[2]))
        writer.write(content)
        async with asyncio.timeout(LIMIT_S):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        async with connected(edge) as client:
            assert (await read(client, "pump-101.OpenAlarms")).Value.Value == 0


async def test_calls_filters_and_sessions_are_bounded(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})
    async with running(edge), connected(edge) as client:
        asked = [client.nodes.server.nodeid] * 1001
        with pytest.raises(ua.UaStatusCodeError, match="BadTooManyOperations"):
            await client.uaclient.read_attributes(asked, ua.AttributeIds.BrowseName)
        found = await client.uaclient.read_attributes(asked[:1000], ua.AttributeIds.BrowseName)
        assert {each.Value.Value.Name for each in found} == {"Server"}
        # an element that refers to itself
        loop = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.Not, FilterOperands=[ua.ElementOperand(Index=0)])
        hostile = ua.EventFilter(WhereClause=ua.ContentFilter(Elements=[loop]))
        subscription = await client.create_subscription(1e12, EventWatcher())
        assert subscription.parameters.RequestedPublishingInterval == 10_000
        with pytest.raises(ua.UaStatusCodeError, match="BadEventFilterInvalid"):
            await subscription.subscribe_events(client.nodes.server, evfilter=hostile)
        # a second session on the same connection ends the first
        before = await client.uaclient.create_session(ua.CreateSessionParameters(RequestedSessionTimeout=1e12))
        assert before.RevisedSessionTimeout == 120_000
        after = await client.uaclient.create_session(ua.CreateSessionParameters())
        assert before.AuthenticationToken != after.AuthenticationToken


async def test_who_does_not_read_his_answers_is_cut_off(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outputs.opcua.guard.MOST_UNREAD_BYTES", 64 << 10)
    edge = Edge(build(), tmp_path, {})
    asked = ua.ReadValueId(NodeId=ua.NodeId(ua.ObjectIds.Server), AttributeId=ua.AttributeIds.BrowseName)
    async with running(edge), connected(edge) as deaf, connected(edge) as client:
        protocol = deaf.uaclient.protocol
        protocol.transport.pause_reading()

        def is_cut_off() -> bool:
            request = ua.ReadRequest()
            request.Parameters.NodesToRead = [asked] * 1000
            protocol._send_request(request).add_done_callback(lambda answer: answer.exception())
            return "does not read its answers" in caplog.text

        await until(is_cut_off, "the connection to be cut")
        protocol.transport.resume_reading()
        assert (await read(client, "pump-101.OpenAlarms")).Value.Value == 0


async def test_a_type_in_an_event_filter_means_its_subtypes(build: Build, tmp_path: Path) -> None:
    edge = Edge(build(), tmp_path, {})

    def of_type(kind: int) -> ua.EventFilter:
        operand = ua.LiteralOperand(Value=ua.Variant(ua.NodeId(kind), ua.VariantType.NodeId))
        element = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.OfType, FilterOperands=[operand])
        path = [ua.QualifiedName("Message", 0)]
        field = ua.SimpleAttributeOperand(
            TypeDefinitionId=ua.NodeId(ua.ObjectIds.BaseEventType), BrowsePath=path, AttributeId=ua.AttributeIds.Value
        )
        return ua.EventFilter(SelectClauses=[field], WhereClause=ua.ContentFilter(Elements=[element]))

    async with running(edge), connected(edge) as client:
        watchers = {}
        for kind in (ua.ObjectIds.ConditionType, ua.ObjectIds.AlarmConditionType, ua.ObjectIds.LimitAlarmType):
            watchers[kind] = EventWatcher()
            subscription = await client.create_subscription(100, watchers[kind])
            await subscription.subscribe_events(client.nodes.server, evfilter=of_type(kind))
        edge.begin(1)
        for kind in (ua.ObjectIds.ConditionType, ua.ObjectIds.AlarmConditionType):
            await until(lambda k=kind: watchers[k].seen, "the alarm")
        assert watchers[ua.ObjectIds.LimitAlarmType].seen == []
