"""Results as Sparkplug B devices, on a real broker: heard by hosts of our own, and by a decoder that others wrote."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from edge.advisory_generation.alarm_list import AlarmList
from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Evidence, Priority
from edge.contracts.assessment import Assessment, FaultMode, Reason, RemainingLife, State, Zone
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Asset, MqttSource, Plant, SparkplugOutput, SparkplugSource
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.sparkplug import SparkplugAcquisition
from edge.formats.sparkplug import BD_SEQ, REBIRTH, Kind, Topic, rebirth_command
from edge.formats.sparkplug import Message as SparkplugMessage
from edge.formats.sparkplug_payload import QUALITY, UNIT, DataType, Metric, Payload, QualityCode, encode_payload
from edge.formats.sparkplug_reader import Reader
from edge.outputs.sparkplug import SparkplugResults
from tests.conftest import COUNTERPARTS, Mosquitto, node_program
from tests.simulator.clients import LIMIT_S, in_background, until
from tests.simulator.test_sparkplug import Cable, Heard, Host, decoded_by_tahu

GROUP, NODE, PRESS = "hall-1", "edge-1", "press-1"
SECOND: Final = 1_000_000_000
NOW: Final = 1_795_773_600 * SECOND
ACKNOWLEDGE, LIMIT_RULE = "Alarms/anomaly/Acknowledge", "limit-alarm-force"
DCMD = str(Topic(GROUP, Kind.DCMD, NODE, PRESS))
METRICS: Final = {
    *("Score", "Health", "Zone", "State", "Reason", "Fault/Name", "Fault/Probability", "RUL/P10", "RUL/P50", "RUL/P90"),
    *("Coverage", "Measured/speed", "Measured/force", "Expected/speed", "Expected/force"),
    *("Alarms/Open", "Alarms/HighestPriority", "Alarms/Text", "Alarms/Text sv"),
    *(f"Alarms/{rule}/{what}" for rule in ("anomaly", LIMIT_RULE) for what in ("State", "Acknowledge")),
}


class Scada(Host):
    """A host application that knows the edge."""

    # one who may have come in the midst of births begins with the next
    came_late = False

    def resolved(self) -> list[SparkplugMessage]:
        """All that the edge said as metrics with names; fails where something does not follow from what was said before."""
        reader = Reader(GROUP, NODE)
        commands = (Kind.NCMD, Kind.DCMD)
        told = [heard for heard in self.heard if heard.topic.kind not in commands]
        births = (number for number, heard in enumerate(told) if heard.topic.kind is Kind.NBIRTH)
        first = next(births, len(told)) if self.came_late else 0
        return [reader.read(str(heard.topic), heard.data) for heard in told[first:]]

    def births(self, asset: str = PRESS) -> list[Heard]:
        return [heard for heard in self.of(Kind.DBIRTH) if heard.topic.device == asset]

    def changes(self, asset: str = PRESS) -> list[dict[str, Metric]]:
        """What data messages said of an asset, by name."""
        said = [message for message in self.resolved() if message.topic.kind is Kind.DDATA and message.topic.device == asset]
        return [{str(metric.name): metric for metric in message.payload.metrics} for message in said]

    def newest(self, asset: str = PRESS) -> dict[str, Any]:
        """The values that the host would show now."""
        shown: dict[str, Any] = {}
        for message in self.resolved():
            if message.topic.device == asset and message.topic.kind in (Kind.DBIRTH, Kind.DDATA):
                shown |= {str(metric.name): metric.value for metric in message.payload.metrics}
        return shown

    def write(self, *metrics: Metric, asset: str = PRESS) -> None:
        topic = str(Topic(GROUP, Kind.DCMD, NODE, asset))
        self.say(topic, encode_payload(Payload(timestamp=time.time_ns(), metrics=metrics)))


class Operators:
    """What carries out commands: a real list of alarms, whose changes are shown at once."""

    def __init__(self) -> None:
        self.list = AlarmList("edge-1")
        self.commands: list[tuple[AlarmVerb, AlarmCommand]] = []
        self.refusal: KullagerError | None = None
        self.results: SparkplugResults | None = None

    def __call__(self, verb: AlarmVerb, command: AlarmCommand) -> None:
        self.commands.append((verb, command))
        if self.refusal is not None:
            raise self.refusal
        for alarm in self.list.command(verb, command):
            self._show(alarm)

    def raise_alarm(self, second: int = 0, rule: str = "anomaly", priority: Priority = Priority.HIGH) -> Alarm:
        text = BilingualText(sv=f"pressen: {rule} på svenska", en=f"the press: {rule} in English")
        alarm = self.list.begin(
            NOW + second * SECOND, asset=PRESS, rule=rule, priority=priority, text=text, evidence=Evidence(score=1.5)
        )
        assert alarm is not None
        self._show(alarm)
        return alarm

    def end_alarm(self, second: int, rule: str = "anomaly") -> None:
        self._show(self.list.end(NOW + second * SECOND, asset=PRESS, rule=rule))

    def _show(self, alarm: Alarm | None) -> None:
        if self.results is not None and alarm is not None:
            self.results.show((), [alarm])


@pytest.fixture
def plant(make_plant: Callable[..., Plant], mosquitto: Mosquitto) -> Plant:
    plant = make_plant()
    return at(replace(plant, assets={**plant.assets, "press-2": plant.assets[PRESS]}), mosquitto.url)


def at(plant: Plant, url: str, *, commands: bool = False, user: str = "") -> Plant:
    broker = plant.sources["broker"]
    assert isinstance(broker, MqttSource)
    sources = {**plant.sources, "broker": replace(broker, url=url, user=user)}
    edge = replace(plant.edge, sparkplug=SparkplugOutput(source="broker", group=GROUP, commands=commands))
    return replace(plant, sources=sources, edge=edge)


@pytest.fixture
async def host(mosquitto: Mosquitto) -> AsyncIterator[Scada]:
    async with Scada(mosquitto.port) as host:
        yield host


@pytest.fixture
def operators() -> Operators:
    return Operators()


@asynccontextmanager
async def showing(
    plant: Plant, operators: Operators, host: Scada | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[SparkplugResults]:
    """The output while it runs, from its births on; that it raises nothing is seen at the end."""
    results = SparkplugResults(plant, environ or {}, operators.list.open, operators)
    operators.results = results
    async with in_background(results.run()):
        if host is not None:
            await all_born(host)
        yield results


async def all_born(host: Scada, times: int = 1) -> None:
    await until(lambda: len(host.births("press-1")) >= times and len(host.births("press-2")) >= times, "all births")


def found(second: int = 0, asset: str = PRESS, **values: Any) -> Assessment:
    usual = {
        "state": State.NORMAL,
        "score": 0.5,
        "measured": {"speed": 1450.0, "force": 12.5},
        "expected": {"force": 12.0},
        "coverage": 1.0,
        "health": 0.9,
        "zone": Zone.A,
    }
    return Assessment(asset=asset, time=NOW + second * SECOND, **{**usual, **values})


def quality_of(metric: Metric) -> Any:
    return metric.properties[QUALITY].value if QUALITY in metric.properties else None


# ---- what is said


async def test_births_come_first_and_name_everything(plant: Plant, host: Scada, operators: Operators) -> None:
    async with showing(plant, operators, host) as results:
        assert results.problem is None
    first, *births = host.of(Kind.NBIRTH, Kind.DBIRTH)
    assert str(first.topic) == f"spBv1.0/{GROUP}/NBIRTH/{NODE}"
    assert [(heard.payload.seq, heard.qos, heard.retained) for heard in (first, *births)] == [
        (0, 0, False),
        (1, 0, False),
        (2, 0, False),
    ]
    assert {name: metric.value for name, metric in first.metrics.items()} == {BD_SEQ: 0, REBIRTH: False}
    assert [birth.topic.device for birth in births] == ["press-1", "press-2"]
    for birth in births:
        assert birth.metrics.keys() == METRICS
        assert {name: metric.properties[UNIT].value for name, metric in birth.metrics.items() if UNIT in metric.properties} == {
            **dict.fromkeys(("Score", "Health", "Coverage", "Fault/Probability"), "1"),
            **dict.fromkeys(("RUL/P10", "RUL/P50", "RUL/P90"), "h"),
            **dict.fromkeys(("Measured/speed", "Expected/speed"), "r/min"),
            **dict.fromkeys(("Measured/force", "Expected/force"), "kN"),
        }
        assert all(QUALITY in metric.properties for metric in birth.metrics.values())
        # nothing has been assessed; that there is no alarm is known
        unknown = {name for name, metric in birth.metrics.items() if quality_of(metric) == QualityCode.STALE}
        assert unknown == {name for name in METRICS if not str(name).startswith("Alarms/")}
        assert all(birth.metrics[name].is_null for name in unknown)
        assert birth.metrics["Alarms/Open"].value == 0
        assert birth.metrics["Alarms/anomaly/State"].value == "normal"
    aliases = [metric.alias for birth in births for metric in birth.payload.metrics]
    assert len({*aliases}) == len(aliases)


async def test_a_birth_tells_the_newest_of_what_was_shown_before(plant: Plant, host: Scada, operators: Operators) -> None:
    operators.raise_alarm()  # an alarm that the last run has left open
    results = SparkplugResults(plant, {}, operators.list.open, operators)
    results.show([found(0, score=0.1), found(1, score=0.2), found(2, asset="of another plant")], [])
    async with in_background(results.run()):
        await all_born(host)
    (birth,) = host.births()
    assert (birth.metrics["Score"].value, birth.metrics["Score"].timestamp) == (0.2, NOW + SECOND)
    assert (birth.metrics["Alarms/Open"].value, birth.metrics["Alarms/Open"].timestamp) == (1, NOW)
    assert birth.metrics["Alarms/Text sv"].value == "pressen: anomaly på svenska"


async def test_data_tells_what_has_changed_by_alias(plant: Plant, host: Scada, operators: Operators) -> None:
    everything = found(
        0,
        state=State.ANOMALOUS,
        score=1.5,
        fault=FaultMode(name="bearing", probability=0.75),
        rul_h=RemainingLife(p10=10.0, p50=20.0, p90=40.0),
        expected={"force": 12.0, "speed": 1449.0},
    )
    async with showing(plant, operators, host) as results:
        results.show([everything], [])
        await until(lambda: len(host.changes()) == 1, "the first data")
        results.show([replace(everything, time=NOW + SECOND)], [])  # nothing to tell
        results.show([replace(everything, time=NOW + 2 * SECOND, score=1.6)], [])
        await until(lambda: len(host.changes()) == 2, "the second data")
        results.show([replace(everything, time=NOW + 3 * SECOND, score=1.6)], [])
        results.show([found(3, asset="press-2")], [])
        await until(lambda: host.changes("press-2"), "data of the other press")
    assert all(metric.name is None and metric.alias for heard in host.of(Kind.DDATA) for metric in heard.payload.metrics)
    first, second = host.changes()
    assert {name: metric.value for name, metric in first.items()} == {
        "Score": 1.5,
        "Health": 0.9,
        "Zone": "A",
        "State": "anomalous",
        "Reason": "",
        "Fault/Name": "bearing",
        "Fault/Probability": 0.75,
        "RUL/P10": 10.0,
        "RUL/P50": 20.0,
        "RUL/P90": 40.0,
        "Coverage": 1.0,
        "Measured/speed": 1450.0,
        "Measured/force": 12.5,
        "Expected/speed": 1449.0,
        "Expected/force": 12.0,
    }
    # they were stale in the birth
    assert {quality_of(metric) for metric in first.values()} == {QualityCode.GOOD}
    assert {metric.timestamp for metric in first.values()} == {NOW}
    assert {name: (metric.value, metric.timestamp, quality_of(metric)) for name, metric in second.items()} == {
        "Score": (1.6, NOW + 2 * SECOND, None)
    }


async def test_what_is_withheld_is_null_and_says_how_it_is(plant: Plant, host: Scada, operators: Operators) -> None:
    withheld = {"state": State.WITHHELD, "score": None, "expected": None}
    shown = [
        found(0),
        found(1, reason=Reason.MACHINE_OFF, **withheld),
        found(2, reason=Reason.BAD_QUALITY, measured={"speed": 1450.0, "force": None}, **withheld),
        found(3),
    ]
    async with showing(plant, operators, host) as results:
        for number, each in enumerate(shown, 1):
            results.show([each], [])
            await until(lambda number=number: len(host.changes()) == number, f"data {number}")  # type: ignore[misc]
    usual, off, bad, again = (
        {name: (metric.value, metric.is_null, quality_of(metric)) for name, metric in said.items()} for said in host.changes()
    )
    # there is no fault and no prognosis: that is known
    assert usual["Fault/Name"] == ("", False, QualityCode.GOOD)
    assert usual["Fault/Probability"] == usual["RUL/P50"] == (None, True, QualityCode.GOOD)
    assert usual["Expected/speed"] == (None, True, QualityCode.GOOD)
    stale, wrong = (None, True, QualityCode.STALE), (None, True, QualityCode.BAD)
    assert off == {
        "State": ("withheld", False, None),
        "Reason": ("machine-off", False, None),
        **dict.fromkeys(
            ("Score", "Fault/Name", "Fault/Probability", "RUL/P10", "RUL/P50", "RUL/P90", "Expected/force", "Expected/speed"),
            stale,
        ),
    }
    assert bad.pop("Reason") == ("bad-quality", False, None)
    assert bad.pop("Measured/force") == wrong
    assert bad == {name: wrong for name in off if name not in ("State", "Reason")}
    assert again["Score"] == (0.5, False, QualityCode.GOOD)
    assert again["Measured/force"] == (12.5, False, QualityCode.GOOD)
    assert again["State"] == ("normal", False, None)


async def test_alarms_are_counted_and_the_most_urgent_is_told(plant: Plant, host: Scada, operators: Operators) -> None:
    def summary() -> tuple[Any, ...]:
        newest = host.newest()
        names = ("Alarms/Open", "Alarms/HighestPriority", "Alarms/Text")
        states = (f"Alarms/{rule}/State" for rule in ("anomaly", LIMIT_RULE))
        return tuple(newest[name] for name in (*names, *states))

    async def shown(*expected: Any) -> None:
        await until(lambda: summary() == expected, f"{expected}")

    active, returned = "active-unacknowledged", "returned-unacknowledged"
    async with showing(plant, operators, host) as results:
        low = operators.raise_alarm(0, LIMIT_RULE, Priority.LOW)
        await shown(1, "low", f"the press: {LIMIT_RULE} in English", "normal", active)
        operators.raise_alarm(1, "anomaly", Priority.HIGH)
        await shown(2, "high", "the press: anomaly in English", active, active)
        operators.end_alarm(2)
        await shown(2, "high", "the press: anomaly in English", returned, active)
        operators.end_alarm(3, LIMIT_RULE)
        await shown(2, "high", "the press: anomaly in English", returned, returned)
        for alarm in operators.list.open:
            operators(AlarmVerb.ACKNOWLEDGE, command_to(alarm, NOW + 4 * SECOND))
        await shown(0, "", "", "normal", "normal")
        # who shelves an alarm does not want to be called by it
        results.show((), [replace(low, state=AlarmState.SHELVED)])
        await shown(0, "", "", "normal", "shelved")
    assert len(host.births()) == 1
    assert {metric.timestamp for metric in host.changes()[0].values()} == {NOW}


def command_to(alarm: Alarm, when: int) -> AlarmCommand:
    return AlarmCommand(command_id="c", by="operator", time=when, alarm_id=alarm.alarm_id)


async def test_an_alarm_of_a_rule_that_no_birth_named_is_born(plant: Plant, host: Scada, operators: Operators) -> None:
    async with showing(plant, operators, host) as results:
        operators.raise_alarm(0, "of-another-version")
        await until(lambda: len(host.births()) == 2, "the birth")
        results.show([found(1)], [])
        await until(host.changes, "data")
    before, after = host.births()
    assert after.metrics.keys() - before.metrics.keys() == {f"Alarms/of-another-version/{x}" for x in ("State", "Acknowledge")}
    assert after.metrics["Score"].alias == before.metrics["Score"].alias
    assert len(host.of(Kind.NBIRTH)) == 1
    assert host.newest()["Score"] == 0.5


# ---- lives and deaths


async def test_the_end_is_said(plant: Plant, host: Scada, operators: Operators) -> None:
    async with showing(plant, operators, host) as results:
        results.show([found()], [])
    await until(lambda: host.of(Kind.NDEATH), "the death")
    assert host.heard[-1].topic.kind is Kind.NDEATH
    assert host.heard[-1].bd_seq == host.of(Kind.NBIRTH)[0].bd_seq
    assert host.newest()["Score"] == 0.5, "what is new goes before"


async def test_a_cut_connection_is_a_death_and_then_other_births(
    plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto
) -> None:
    async with Cable(mosquitto.port) as cable:
        async with showing(at(plant, cable.url), operators, host) as results:
            for lives in (2, 3):
                cable.cut()
                results.show([found(lives, score=lives / 10)], [])
                await all_born(host, times=lives)
            results.show([found(9, score=0.9)], [])
            await until(lambda: host.newest()["Score"] == 0.9, "data")
        await until(lambda: len(host.of(Kind.NDEATH)) == 3, "the last death")
    async with Scada(mosquitto.port) as late:
        host.say(*rebirth_command(GROUP, NODE, NOW).encode())
        await until(lambda: late.heard, "what is said after its coming")
        assert [heard.topic.kind for heard in late.heard] == [Kind.NCMD], "a death is not retained"
    life = [(heard.topic.kind, heard.bd_seq) for heard in host.of(Kind.NBIRTH, Kind.NDEATH)]
    assert life == [(kind, number) for number in range(3) for kind in (Kind.NBIRTH, Kind.NDEATH)]
    assert not any(heard.retained for heard in host.heard)
    assert host.births()[-1].metrics["Score"].value == 0.3, "the birth tells what happened in between"


async def test_a_broker_that_restarts_gets_the_newest_in_births(
    plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with showing(plant, operators, host) as results:
        mosquitto.stop()
        await until(lambda: results.problem is not None, "the loss")
        for second in range(3):
            results.show([found(second, score=second / 10)], [])
        operators.raise_alarm(3)
        host.heard.clear()
        mosquitto.start()
        await until(lambda: results.problem is None, "the return")
        await until(lambda: host.subscriptions == 2, "the host's return")
        # the births may have come before the host, or some of them
        host.came_late = True
        host.say(*rebirth_command(GROUP, NODE, NOW).encode())
        await until(lambda: host.births() and host.births("press-2"), "births")
        # a second round of them, for the host's own return, may come after the data
        born = host.births()[-1]
        results.show([found(4, score=0.4)], [])
        await until(lambda: host.newest().get("Score") == 0.4, "data")
    assert host.of(Kind.NBIRTH)[-1].bd_seq == 1
    assert (born.metrics["Score"].value, born.metrics["Alarms/Open"].value) == (0.2, 1)
    assert caplog.text.count("results are not shown by Sparkplug B") <= 2, "lost, and not reached"


async def test_a_broker_that_refuses_is_a_problem_in_words(
    plant: Plant, operators: Operators, free_port: Callable[[], int], tmp_path: Path
) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed; `apt-get install mosquitto` brings it")
    passwords = tmp_path / "passwords"
    await asyncio.to_thread(subprocess.run, ["mosquitto_passwd", "-b", "-c", str(passwords), "edge", "right"], check=True)
    broker = Mosquitto(free_port(), tmp_path, f"allow_anonymous false\npassword_file {passwords}\n")
    broker.start()
    plant = at(plant, broker.url, user="edge")
    try:
        async with showing(plant, operators, environ={"KULLAGER_SOURCE_BROKER_PASSWORD": "wrong"}) as results:
            problem = await until(lambda: results.problem if "refuses" in (results.problem or "") else None, "the refusal")
            results.show([found()], [])
        assert "user 'edge'" in problem
        async with showing(plant, operators, environ={"KULLAGER_SOURCE_BROKER_PASSWORD": "right"}) as results:
            await until(lambda: results.problem is None, "the connection")
    finally:
        broker.stop()


async def test_a_host_gets_all_births_again_when_it_asks(plant: Plant, host: Scada, operators: Operators) -> None:
    async with showing(plant, operators, host) as results:
        results.show([found()], [])
        await until(host.changes, "data")
        for _ in range(20):  # they are answered together
            host.say(*rebirth_command(GROUP, NODE, NOW).encode())
        await all_born(host, times=2)
        results.show([found(1, score=0.6)], [])
        await until(lambda: host.newest()["Score"] == 0.6, "data after the births")
    first, second, *_ = host.of(Kind.NBIRTH)
    assert (second.bd_seq, second.payload.seq) == (first.bd_seq, 0)
    assert len(host.of(Kind.NBIRTH)) < 20
    before, after = host.births()[:2]
    assert after.metrics["Score"].value == 0.5
    assert [metric.alias for metric in before.payload.metrics] == [metric.alias for metric in after.payload.metrics]


# ---- commands


def true(**which: Any) -> Metric:
    return Metric(datatype=DataType.BOOLEAN, value=True, timestamp=time.time_ns(), **which)


@pytest.mark.parametrize("by", ["name", "alias"])
async def test_a_host_acknowledges(plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto, by: str) -> None:
    async with showing(at(plant, mosquitto.url, commands=True), operators, host) as results:
        alarm = operators.raise_alarm()
        await until(lambda: host.newest()["Alarms/anomaly/State"] == "active-unacknowledged", "the alarm")
        host.write(true(name=ACKNOWLEDGE) if by == "name" else true(alias=host.births()[0].metrics[ACKNOWLEDGE].alias))
        await until(lambda: host.newest()["Alarms/anomaly/State"] == "active-acknowledged", "the acknowledgement")
        await until(lambda: any(ACKNOWLEDGE in said for said in host.changes()), "what came of the write")
    ((verb, command),) = operators.commands
    assert (verb, command.by, command.alarm_id, command.comment) == (AlarmVerb.ACKNOWLEDGE, "sparkplug", alarm.alarm_id, None)
    assert [alarm.state for alarm in operators.list.open] == [AlarmState.ACTIVE_ACKNOWLEDGED]
    assert operators.list.open[0].by == "sparkplug"
    # the metric falls back by itself
    (fallen,) = [said[ACKNOWLEDGE] for said in host.changes() if ACKNOWLEDGE in said]
    assert fallen.value is False
    assert not results.rejected


async def test_commands_are_not_obeyed_unless_the_plant_file_says_so(
    plant: Plant, host: Scada, operators: Operators, caplog: pytest.LogCaptureFixture
) -> None:
    async with showing(plant, operators, host) as results:
        operators.raise_alarm()
        for _ in range(3):
            host.write(true(name=ACKNOWLEDGE))
        await until(lambda: results.rejected["commands-off"] == 3, "three refusals")
        await until(lambda: any(ACKNOWLEDGE in said for said in host.changes()), "that nothing came of the write")
    assert not operators.commands
    assert host.newest()["Alarms/anomaly/State"] == "active-unacknowledged"
    assert caplog.text.count("'commands = true' in edge.sparkplug allows it") == 1


async def test_what_cannot_be_acknowledged_is_refused_in_words(
    plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    operators.refusal = KullagerError("an alarm that is shelved cannot take 'acknowledge'")
    async with showing(at(plant, mosquitto.url, commands=True), operators, host) as results:
        host.write(true(name=ACKNOWLEDGE))
        await until(lambda: results.rejected["no-alarm"] == 1, "the first refusal")
        operators.raise_alarm()
        for _ in range(2):
            host.write(true(name=ACKNOWLEDGE))
        host.write(replace(true(name=ACKNOWLEDGE), value=False))  # asks for nothing
        host.write(true(name="Alarms/anomaly/State"))
        await until(lambda: results.rejected["read-only"] == 1, "the last refusal")
        operators.refusal = None
        host.write(true(name=ACKNOWLEDGE))
        await until(lambda: host.newest()["Alarms/anomaly/State"] == "active-acknowledged", "the acknowledgement")
    assert results.rejected == {"no-alarm": 1, "refused": 2, "read-only": 1}
    assert len(operators.commands) == 3
    assert caplog.text.count("an alarm that is shelved cannot take 'acknowledge'") == 1
    assert "no alarm 'anomaly' is open" in caplog.text


async def test_garbage_is_counted_and_told_once(
    plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    ncmd, command = rebirth_command(GROUP, NODE, NOW).encode()
    acknowledge = encode_payload(Payload(timestamp=NOW, metrics=(true(name=ACKNOWLEDGE),)))
    host.say(ncmd, command, retain=True)
    host.say(DCMD, acknowledge, retain=True)
    async with showing(at(plant, mosquitto.url, commands=True), operators, host) as results:
        operators.raise_alarm()
        for _ in range(2):
            host.say(DCMD, b"\xff is no payload")
            host.say(ncmd, b"\xff is no payload")
        host.say(DCMD, b"")
        host.say(ncmd, b"")
        host.say(f"{DCMD[:-1]}9", acknowledge)
        host.write(true(name="No/Such/Metric"))
        host.write(true(alias=4711))
        host.write(Metric(datatype=DataType.STRING, value="true", name=ACKNOWLEDGE))
        host.say(ncmd, encode_payload(Payload(timestamp=NOW, metrics=(replace(true(name=REBIRTH), value=False),))))
        host.say(DCMD, bytes(1 << 20))  # a broker of version 5 keeps it to itself
        results.show([found(1)], [])
        await until(lambda: host.newest()["Score"] == 0.5, "data")
        expected = {"retained": 2, "not-sparkplug": 4, "no-birth": 1, "unknown-metric": 2}
        await until(lambda: sum(results.rejected.values()) >= sum(expected.values()), "the account")
        host.write(true(name=ACKNOWLEDGE))
        await until(lambda: host.newest()["Alarms/anomaly/State"] == "active-acknowledged", "that commands are still taken")
    assert results.rejected == expected
    assert len(operators.commands) == 1
    assert len(host.of(Kind.NBIRTH)) == 1
    assert caplog.text.count("is no Sparkplug B payload") == 1


# ---- heard by others


def encoded_by_tahu(*payloads: dict[str, Any]) -> list[bytes]:
    """The payloads as Eclipse Tahu's encoder for JavaScript writes them."""
    done = subprocess.run(
        [node_program("sparkplug-payload"), str(COUNTERPARTS / "encode_sparkplug.mjs")],
        input="".join(f"{json.dumps(payload)}\n" for payload in payloads),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return [base64.b64decode(line) for line in done.stdout.splitlines()]


async def test_a_host_with_the_codec_of_others_follows_and_commands(
    plant: Plant, host: Scada, operators: Operators, mosquitto: Mosquitto
) -> None:
    asked, acknowledged = (
        {"timestamp": NOW // 1_000_000, "metrics": [{"name": name, "type": "Boolean", "value": True}]}
        for name in (REBIRTH, ACKNOWLEDGE)
    )
    rebirth, acknowledge = await asyncio.to_thread(encoded_by_tahu, asked, acknowledged)
    async with showing(at(plant, mosquitto.url, commands=True), operators, host) as results:
        operators.raise_alarm()
        results.show([found(1, rul_h=RemainingLife(p10=1.5, p50=2.5, p90=3.5))], [])
        await until(lambda: host.newest()["Score"] == 0.5 and host.newest()["Alarms/Open"] == 1, "data")
        host.say(DCMD, acknowledge)
        await until(lambda: host.newest()["Alarms/anomaly/State"] == "active-acknowledged", "the acknowledgement")
        results.show([found(2, state=State.WITHHELD, reason=Reason.STALE, score=None)], [])
        await until(lambda: host.newest()["State"] == "withheld", "data")
        host.say(str(Topic(GROUP, Kind.NCMD, NODE)), rebirth)
        await all_born(host, times=2)
    await until(lambda: host.of(Kind.NDEATH), "the death")
    heard = [heard for heard in host.heard if heard.topic.kind not in (Kind.NCMD, Kind.DCMD)]
    said = list(zip(heard, await asyncio.to_thread(decoded_by_tahu, [each.data for each in heard]), strict=True))
    names: dict[int, str] = {}
    values: dict[str, Any] = {}
    history: list[dict[str, Any]] = []
    for message, body in said:
        if message.topic.device == PRESS:
            if message.topic.kind is Kind.DBIRTH:
                names = {metric["alias"]: metric["name"] for metric in body["metrics"]}
                assert {*names.values()} == METRICS
                units = {metric["name"]: metric["properties"].get("engUnit") for metric in body["metrics"]}
                assert units["Measured/speed"] == {"value": "r/min", "type": "String"}
            values = {**values, **{names[metric["alias"]]: metric for metric in body["metrics"]}}
            history.append(values)
    sequence = [body["seq"] for message, body in said if message.topic.kind is not Kind.NDEATH]
    births = [number for number, (message, _) in enumerate(said) if message.topic.kind is Kind.NBIRTH]
    assert sequence == [*range(births[1]), *range(len(sequence) - births[1])]
    known = next(each for each in history if each["Score"]["value"] == 0.5)
    assert {name: known[name]["value"] for name in ("RUL/P10", "RUL/P50", "RUL/P90", "Zone", "Measured/force")} == {
        "RUL/P10": 1.5,
        "RUL/P50": 2.5,
        "RUL/P90": 3.5,
        "Zone": "A",
        "Measured/force": 12.5,
    }
    assert known["Score"]["timestamp"] == (NOW + SECOND) // 1_000_000
    last = history[-1]
    assert last["Score"]["value"] is None
    assert last["Score"]["properties"]["Quality"] == {"value": 500, "type": "Int32"}
    assert (last["Alarms/Open"]["value"], last["Alarms/Open"]["type"]) == (1, "Int32")
    assert last["Alarms/Text sv"]["value"] == "pressen: anomaly på svenska"


OTHER_EDGE: Final = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-2"
[sources.line]
kind = "sparkplug"
url = "{url}"
[sources.broker]
kind = "mqtt"
url = "{url}"
[assets.line-1]
class = "line"
[assets.line-1.signals]
score = {{ unit = "1", source = "line", device = "hall-1/edge-1/press-1", metric = "Score" }}
speed = {{ unit = "/min", source = "line", device = "hall-1/edge-1/press-1", metric = "Measured/speed" }}
"""


class Nothing:
    def recovered(self, batch: SampleBatch) -> None:
        raise AssertionError("nothing is historical here")


async def test_another_edge_takes_the_results_as_signals(
    plant: Plant, operators: Operators, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "other.toml"
    path.write_text(OTHER_EDGE.format(url=mosquitto.url))
    other = load_plant(path)
    source = other.sources["line"]
    assert isinstance(source, SparkplugSource)
    account = SourceAccount("line", source.clock, time.time_ns, SampleAccount(other))
    came: list[tuple[int, float]] = []

    async def take(_source: str, batch: SampleBatch) -> None:
        came.extend(zip(batch.signal.tolist(), batch.value.tolist(), strict=True))

    acquisition = SparkplugAcquisition("line", source, "edge-2", other.signals_of("line"), {}, account, take, Nothing())
    now = time.time_ns()
    async with showing(plant, operators) as results, in_background(acquisition.run()):
        for number in range(3):
            results.show([replace(found(), time=now + number * SECOND // 1000, score=float(number))], [])
            await until(lambda number=number: (0, float(number)) in came, f"score {number}")  # type: ignore[misc]
    assert (1, 1450.0) in came
    assert not account.status().rejected


def test_text_signals_are_no_numbers(make_plant: Callable[..., Plant], operators: Operators) -> None:
    plant = make_plant()
    press: Asset = replace(plant.assets[PRESS], context=("speed",))
    results = SparkplugResults(at(replace(plant, assets={PRESS: press}), "mqtt://127.0.0.1:1"), {}, (), operators)
    assert results.problem == "not yet connected"
    births = {metric.name for metric in results._devices[PRESS].birth()}
    assert {name for name in births if str(name).startswith("Measured/")} == {"Measured/force"}
