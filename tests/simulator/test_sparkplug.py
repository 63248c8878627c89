"""The machines as Sparkplug B devices, on a real broker: heard by a host of our own, and by one that others wrote."""

import asyncio
import base64
import contextlib
import json
import math
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.browse.draft import draft
from edge.browse.mqtt import browse_mqtt
from edge.contracts.plant import MqttSource, Plant, SparkplugSource
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.sparkplug import SparkplugAcquisition
from edge.formats.json_message import parse_time
from edge.formats.sparkplug import BD_SEQ, REBIRTH, Kind, Topic, rebirth_command
from edge.formats.sparkplug import Message as SparkplugMessage
from edge.formats.sparkplug_payload import (
    QUALITY,
    DataType,
    Metric,
    Payload,
    Property,
    QualityCode,
    decode_payload,
    encode_payload,
    quality,
)
from edge.formats.sparkplug_reader import Reader
from simulator.simulated_site import SimulatedSite
from simulator.site import Row
from simulator.sparkplug_publisher import Device, SparkplugPublisher, edge_nodes
from tests.conftest import COUNTERPARTS, ROOT, node_program
from tests.simulator.clients import LIMIT_S, in_background, until

NOW = parse_time("2026-11-23T10:00:00Z")
GROUP, NODE, PUMP = "hall-1", "simulator", "pump-101"
GOOD, BAD, STALE = (quality(code) for code in (QualityCode.GOOD, QualityCode.BAD, QualityCode.STALE))


@dataclass(frozen=True)
class Heard:
    topic: Topic
    data: bytes
    qos: int
    retained: bool

    @property
    def payload(self) -> Payload:
        return decode_payload(self.data, str(self.topic))

    @property
    def metrics(self) -> dict[str | None, Metric]:
        return {metric.name: metric for metric in self.payload.metrics}

    @property
    def bd_seq(self) -> Any:
        return self.metrics[BD_SEQ].value


class Host:
    """A host application: everything that it hears of a group, as it came."""

    def __init__(self, port: int) -> None:
        self.heard: list[Heard] = []
        self.subscriptions = 0
        self._port = port
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"spBv1.0/{GROUP}/#", qos=1)
        self._client.on_subscribe = self._subscribed
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            Heard(Topic.parse(message.topic), bytes(message.payload), message.qos, message.retain)
        )

    def _subscribed(self, *_: object) -> None:
        self.subscriptions += 1

    def of(self, *kinds: Kind) -> list[Heard]:
        return [heard for heard in self.heard if heard.topic.kind in kinds]

    def data(self, device: str = PUMP) -> list[Heard]:
        return [heard for heard in self.of(Kind.DDATA) if heard.topic.device == device]

    def resolved(self) -> list[SparkplugMessage]:
        """All of it as metrics with names; fails where something does not follow from what was said before."""
        reader = Reader(GROUP, NODE)
        return [reader.read(str(heard.topic), heard.data) for heard in self.heard if heard.topic.kind is not Kind.NCMD]

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(LIMIT_S)

    async def __aenter__(self) -> "Host":
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        await until(lambda: self.subscriptions, "the subscription")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)


class Cable:
    """A way to the broker that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Cable":
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        while self._writers:
            self._writers.pop().close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def publishing(plant: Plant, site: SimulatedSite) -> AsyncIterator[SparkplugPublisher]:
    async with SparkplugPublisher(plant, "broker", site, {}, GROUP) as publisher, in_background(publisher.follow()):
        yield publisher


@pytest.fixture
def plant(mosquitto: Any) -> Plant:
    """The demo's machines and a second pump, on the test's broker."""
    plant = load_plant(ROOT / "edge/plants/demo.toml", {})
    broker = plant.sources["broker"]
    assert isinstance(broker, MqttSource)
    assets = {**plant.assets, "pump-102": plant.assets[PUMP]}
    return replace(plant, assets=assets, sources={**plant.sources, "broker": replace(broker, url=mosquitto.url)})


@pytest.fixture
def site(plant: Plant) -> SimulatedSite:
    return SimulatedSite(plant, 1)


@pytest.fixture
async def host(mosquitto: Any) -> AsyncIterator[Host]:
    async with Host(mosquitto.port) as host:
        yield host


def row(second: int = 0, **values: float | str | None) -> Row:
    return Row(asset=PUMP, time=NOW + second * 1_000_000_000, values=values)


async def all_born(host: Host, site: SimulatedSite, times: int = 1) -> None:
    await until(lambda: len(host.of(Kind.DBIRTH)) >= times * len(site.assets), "all births")


async def test_births_come_first_and_say_everything_of_each_signal(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site) as publisher:
        publisher.publish(row(speed=1450.0, recipe="A"))  # before there is a connection: the birth tells it
        await all_born(host, site)
        publisher.publish(row(1, speed=1451.0))
        await until(host.data, "data")
    first, *births = host.of(Kind.NBIRTH, Kind.DBIRTH)
    assert host.heard[: len(births) + 1] == [first, *births]
    assert str(first.topic) == f"spBv1.0/{GROUP}/NBIRTH/{NODE}"
    assert {birth.topic.device for birth in births} == set(site.assets)
    assert [heard.payload.seq for heard in host.heard[: len(births) + 2]] == list(range(len(births) + 2))
    assert (first.metrics[REBIRTH].value, first.metrics[REBIRTH].datatype) == (False, DataType.BOOLEAN)
    for birth in births:
        asset = str(birth.topic.device)
        assert birth.metrics.keys() == plant.assets[asset].signals.keys()
        for name, signal in plant.assets[asset].signals.items():
            metric, span = birth.metrics[name], site.range_of(asset, name)
            if name in plant.assets[asset].context:
                assert metric.datatype is DataType.STRING
                continue
            assert metric.datatype is DataType.DOUBLE
            assert span is not None
            assert {key: said.value for key, said in metric.properties.items() if key != QUALITY} == {
                "engUnit": signal.unit,
                "engLow": span.low,
                "engHigh": span.high,
            }
    aliases = [metric.alias for birth in births for metric in birth.payload.metrics]
    assert len({*aliases}) == len(aliases)
    pump = next(birth for birth in births if birth.topic.device == PUMP).metrics
    assert (pump["speed"].value, pump["speed"].timestamp, pump["speed"].properties[QUALITY]) == (1450.0, NOW, GOOD)
    assert (pump["recipe"].value, pump["recipe"].properties[QUALITY]) == ("A", GOOD)
    # what has not been heard of
    assert (pump["flow"].is_null, pump["flow"].value, pump["flow"].properties[QUALITY]) == (True, None, STALE)


async def test_values_come_by_alias_alone_and_resolve(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        rows = site.rows(NOW)
        shown = [next(rows) for _ in range(3 * len(site.assets))]
        for each in shown:
            publisher.publish(each)
        data = await until(lambda: len(host.of(Kind.DDATA)) == len(shown) and host.of(Kind.DDATA), "all rows")
    for heard in data:
        assert all(metric.name is None and metric.alias is not None for metric in heard.payload.metrics)
    for message, each in zip((m for m in host.resolved() if m.topic.kind is Kind.DDATA), shown, strict=True):
        assert message.topic.device == each.asset
        said = {str(metric.name): metric.value for metric in message.payload.metrics}
        heard_of = {name: value for name, value in each.values.items() if value == value}
        assert said == {name: heard_of[name] for name in plant.assets[each.asset].signals if name in heard_of}
        assert {metric.timestamp for metric in message.payload.metrics} == {each.time}


async def test_a_bad_sample_is_null_and_none_is_left_out(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        for second, speed in enumerate((1450.0, None, None, 1451.0, 1452.0)):
            publisher.publish(row(second, speed=speed, flow=math.nan))
        publisher.publish(row(9, flow=math.nan))  # nothing to say
        publisher.publish(row(10, recipe="B"))
        await until(lambda: len(host.data()) == 6, "all rows")
    speeds = [message.payload.metrics for message in host.resolved() if message.topic.kind is Kind.DDATA][:5]
    assert [[metric.name for metric in metrics] for metrics in speeds] == [["speed"]] * 5
    assert [(metric.value, metric.is_null, metric.properties) for (metric,) in speeds] == [
        (1450.0, False, {QUALITY: GOOD}),
        (None, True, {QUALITY: BAD}),
        (None, True, {QUALITY: BAD}),
        (1451.0, False, {QUALITY: GOOD}),
        (1452.0, False, {}),
    ]


async def test_the_sequence_wraps_without_a_gap(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        for second in range(600):
            publisher.publish(row(second, speed=float(second)))
        await until(lambda: len(host.data()) == 600, "all rows")
    sequence = [message.payload.seq for message in host.resolved() if message.topic.kind is not Kind.NDEATH]
    assert sequence == [number % 256 for number in range(len(sequence))]


async def test_a_host_gets_all_births_again_when_it_asks(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        publisher.publish(row(speed=1450.0))
        await until(host.data, "data")
        topic, command = rebirth_command(GROUP, NODE, NOW).encode()
        host.say(topic, b"\xff is no payload")
        host.say(topic, command)
        await all_born(host, site, times=2)
        publisher.publish(row(1, speed=1451.0))
        await until(lambda: len(host.data()) == 2, "data after the births")
    first, second = host.of(Kind.NBIRTH)
    assert second.bd_seq == first.bd_seq, "a rebirth is no new connection"
    assert second.payload.seq == 0
    again = [birth for birth in host.of(Kind.DBIRTH) if birth.topic.device == PUMP]
    assert [birth.metrics["speed"].value for birth in again] == [None, 1450.0]
    assert again[0].metrics["speed"].alias == again[1].metrics["speed"].alias
    assert host.resolved()


async def test_a_retained_rebirth_command_is_not_obeyed(
    plant: Plant, site: SimulatedSite, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    topic, command = rebirth_command(GROUP, NODE, NOW).encode()
    host.say(topic, command, retain=True)
    async with publishing(plant, site):
        await until(lambda: "a retained command is ignored" in caplog.text, "the warning")
        await all_born(host, site)
    assert len(host.of(Kind.NBIRTH)) == 1


async def test_deaths_and_births_when_a_connection_is_cut(plant: Plant, site: SimulatedSite, host: Host) -> None:
    broker = plant.sources["broker"]
    assert isinstance(broker, MqttSource)
    port = int(broker.url.rpartition(":")[2])
    async with Cable(port) as cable:
        plant = replace(plant, sources={**plant.sources, "broker": replace(broker, url=cable.url)})
        async with publishing(plant, site) as publisher:
            await all_born(host, site)
            for lives in (2, 3):
                cable.cut()
                publisher.publish(row(lives, speed=float(lives)))
                await all_born(host, site, times=lives)
            publisher.publish(row(10, speed=10.0))
            await until(lambda: host.of(Kind.DDATA), "data")
        await until(lambda: len(host.of(Kind.NDEATH)) == 3, "the last death")
    # each will has the number of the births before it, and each connection the next one
    life = [(heard.topic.kind, heard.bd_seq) for heard in host.of(Kind.NBIRTH, Kind.NDEATH)]
    assert life == [(kind, number) for number in range(3) for kind in (Kind.NBIRTH, Kind.NDEATH)]
    assert all(heard.payload.seq is None for heard in host.of(Kind.NDEATH))
    last = [birth for birth in host.of(Kind.DBIRTH) if birth.topic.device == PUMP][-1]
    assert last.metrics["speed"].value == 3.0, "the birth tells what happened in between"
    assert host.resolved()


async def test_a_broker_that_restarts_gets_births_with_the_next_number(
    plant: Plant, site: SimulatedSite, host: Host, mosquitto: Any
) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        assert host.of(Kind.NBIRTH)[-1].bd_seq == 0
        mosquitto.stop()
        # long enough for several attempts: what never reached a broker uses up no number
        await asyncio.sleep(2.0)
        host.heard.clear()
        mosquitto.start()
        await until(lambda: host.subscriptions == 2, "the host's return")
        # the births may have come before the host
        host.say(*rebirth_command(GROUP, NODE, NOW).encode())
        await all_born(host, site)
        publisher.publish(row(speed=1450.0))
        await until(host.data, "data after the return")
    assert {birth.bd_seq for birth in host.of(Kind.NBIRTH)} == {1}


async def test_an_orderly_close_says_all_deaths(plant: Plant, site: SimulatedSite, host: Host) -> None:
    async with publishing(plant, site):
        await all_born(host, site)
    await until(lambda: host.of(Kind.NDEATH), "the death")
    deaths = host.heard[-1 - len(site.assets) :]
    assert [death.topic.kind for death in deaths] == [Kind.DDEATH] * len(site.assets) + [Kind.NDEATH]
    assert [death.topic.device for death in deaths[:-1]] == list(site.assets)
    assert deaths[-1].bd_seq == 0
    assert host.resolved()


async def test_births_and_data_have_qos_0_and_deaths_1_and_nothing_is_kept(
    plant: Plant, site: SimulatedSite, host: Host, mosquitto: Any
) -> None:
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        publisher.publish(row(speed=1450.0))
        await until(host.data, "data")
    await until(lambda: host.of(Kind.NDEATH), "the death")
    assert {heard.topic.kind: heard.qos for heard in host.heard} == {
        Kind.NBIRTH: 0,
        Kind.DBIRTH: 0,
        Kind.DDATA: 0,
        Kind.DDEATH: 0,
        Kind.NDEATH: 1,
    }
    assert not any(heard.retained for heard in host.heard)
    async with Host(mosquitto.port) as late:
        late.say(f"spBv1.0/{GROUP}/NCMD/nobody", b"")
        await until(lambda: late.heard, "its own message, which comes after any that were kept")
        assert [heard.topic.node for heard in late.heard] == ["nobody"]


async def test_a_text_that_the_plant_file_takes_for_a_number_is_born_as_a_text(
    plant: Plant, site: SimulatedSite, host: Host
) -> None:
    async with publishing(plant, site) as publisher:
        publisher.publish(row(speed=1450.0))
        await all_born(host, site)
        publisher.publish(row(1, speed="fast"))
        publisher.publish(row(2, speed=3.0))
        await until(lambda: len(host.data()) == 2, "data")
    births = [birth.metrics["speed"] for birth in host.of(Kind.DBIRTH) if birth.topic.device == PUMP]
    assert [(birth.datatype, birth.value) for birth in births] == [(DataType.DOUBLE, 1450.0), (DataType.STRING, "fast")]
    assert [m.payload.metrics[0].value for m in host.resolved() if m.topic.kind is Kind.DDATA] == ["fast", "3.0"]


async def test_delivery_waits_for_the_broker(plant: Plant, site: SimulatedSite, mosquitto: Any) -> None:
    mosquitto.stop()
    async with publishing(plant, site) as publisher, in_background(publisher.deliver(row(speed=1450.0))) as delivery:
        await asyncio.sleep(1.0)
        assert not delivery.done()
        mosquitto.start()
        async with asyncio.timeout(LIMIT_S):
            await delivery
        async with Host(mosquitto.port) as host:
            for second in range(1, 301):
                await publisher.deliver(row(second, speed=float(second)), until_subscribed=True)
            # the first may have been on its way still when the host came
            await until(lambda: [heard.payload.metrics[0].value for heard in host.data()][-300:] == list(range(1, 301)), "rows")
            await publisher.deliver(row(301, speed=math.nan))  # nothing to wait for


# ---- heard by a decoder that others wrote


def decoded_by_tahu(payloads: list[bytes]) -> list[dict[str, Any]]:
    """The payloads as Eclipse Tahu's decoder for JavaScript reads them."""
    node = node_program("sparkplug-payload")
    lines = "".join(base64.b64encode(payload).decode() + "\n" for payload in payloads)
    done = subprocess.run(
        [node, str(COUNTERPARTS / "decode_sparkplug.mjs")], input=lines, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_a_decoder_by_others_follows_births_data_and_deaths(plant: Plant, site: SimulatedSite, host: Host) -> None:
    decoded_by_tahu([])  # skips before there is anything to wait for
    async with publishing(plant, site) as publisher:
        await all_born(host, site)
        publisher.publish(row(speed=1450.5, flow=None, recipe="Värme 1"))
        await until(host.data, "data")
    await until(lambda: host.of(Kind.NDEATH), "the death")
    said = list(zip(host.heard, decoded_by_tahu([heard.data for heard in host.heard]), strict=True))
    node_birth, death = said[0][1], said[-1][1]
    assert {metric["name"]: (metric["type"], metric["value"]) for metric in node_birth["metrics"]} == {
        BD_SEQ: ("Int64", 0),
        REBIRTH: ("Boolean", False),
    }
    assert [(metric["name"], metric["value"]) for metric in death["metrics"]] == [(BD_SEQ, 0)]
    assert "seq" not in death
    assert [body["seq"] for _, body in said[:-1]] == list(range(len(said) - 1))
    (birth,) = [body for heard, body in said if heard.topic.kind is Kind.DBIRTH and heard.topic.device == PUMP]
    born = {metric["name"]: metric for metric in birth["metrics"]}
    assert born.keys() == plant.assets[PUMP].signals.keys()
    for name, signal in plant.assets[PUMP].signals.items():
        if (span := site.range_of(PUMP, name)) is not None:
            assert born[name]["properties"]["engUnit"] == {"value": signal.unit, "type": "String"}
            assert born[name]["properties"]["engLow"] == {"value": span.low, "type": "Double"}
            assert born[name]["properties"]["engHigh"] == {"value": span.high, "type": "Double"}
    (data,) = [body for heard, body in said if heard.topic.kind is Kind.DDATA]
    names = {metric["alias"]: name for name, metric in born.items()}
    assert {names[metric["alias"]]: metric["value"] for metric in data["metrics"]} == {
        "speed": 1450.5,
        "flow": None,
        "recipe": "Värme 1",
    }
    assert {metric["timestamp"] for metric in data["metrics"]} == {NOW // 1_000_000}
    (flow,) = [metric for metric in data["metrics"] if names[metric["alias"]] == "flow"]
    assert flow["properties"] == {QUALITY: {"value": 0, "type": "Int32"}}


def test_a_decoder_by_others_reads_every_type_of_value() -> None:
    values: dict[DataType, Any] = {
        DataType.INT8: -128,
        DataType.INT16: -2,
        DataType.INT32: -(1 << 31),
        DataType.INT64: 1 << 53,
        DataType.UINT8: 255,
        DataType.UINT16: 65535,
        DataType.UINT32: 1 << 30,
        DataType.UINT64: 1 << 53,
        DataType.FLOAT: 0.5,
        DataType.DOUBLE: 0.1,
        DataType.BOOLEAN: True,
        DataType.STRING: "kullager",
        DataType.DATETIME: NOW // 1_000_000,
        DataType.TEXT: "läge",
        DataType.UUID: "01980000-0000-7000-8000-000000000000",
    }
    metrics = tuple(
        Metric(name=datatype.name, datatype=datatype, value=value, properties={"p": Property(datatype=datatype, value=value)})
        for datatype, value in values.items()
    )
    (body,) = decoded_by_tahu([encode_payload(Payload(timestamp=NOW, metrics=metrics))])
    for said, (datatype, value) in zip(body["metrics"], values.items(), strict=True):
        assert (said["type"].upper(), said["value"]) == (datatype.name, value)
        assert said["properties"]["p"] == {"value": value, "type": said["type"]}


# ---- heard by the edge


async def test_a_sparkplug_source_of_the_plant_file_is_served_as_it_names_things(mosquitto: Any, tmp_path: Path) -> None:
    """The simulator's stage, the edge's acquisition, and what `browse` drafts of the same broker."""
    text = (ROOT / "tests/cases/pump/plant.toml").read_text()
    path = tmp_path / "plant.toml"
    path.write_text(
        f'{text}\n[sources.line]\nkind = "sparkplug"\nurl = "{mosquitto.url}"\n'
        '[assets.fan-1]\nclass = "fan"\n[assets.fan-1.signals]\n'
        'airflow = { unit = "m3/h", source = "line", device = "hall/gateway/Fan 1", metric = "Air/Flow" }\n'
    )
    plant = load_plant(path, {"KULLAGER_SOURCE_BROKER_URL": mosquitto.url})
    site = SmallSite()
    account = SourceAccount("line", "wall", time.time_ns, SampleAccount(plant))
    came: list[float] = []

    async def take(_source: str, batch: SampleBatch) -> None:
        came.extend(batch.value.tolist())

    source = plant.sources["line"]
    assert isinstance(source, SparkplugSource)
    acquisition = SparkplugAcquisition("line", source, "edge-1", plant.signals_of("line"), {}, account, take, Nothing())
    nodes = edge_nodes(plant, "line", site)
    assert nodes == {("hall", "gateway"): {"fan-1": Device("Fan 1", {"airflow": "Air/Flow"})}}
    ((group, node),) = nodes
    async with (
        SparkplugPublisher(plant, "line", site, {}, group, node, nodes[group, node]) as publisher,
        in_background(publisher.follow()),
        in_background(acquisition.run()),
    ):
        await until(lambda: len(came) >= 1, "a birth")
        for second in range(3):
            publisher.publish(Row(asset="fan-1", time=time.time_ns(), values={"airflow": 100.0 + second}))
        publisher.publish(Row(asset="pump-101", time=time.time_ns(), values={"speed": 1.0}))
        await until(lambda: came[-3:] == [100.0, 101.0, 102.0], "the values")
        browsing = asyncio.create_task(browse_mqtt(mosquitto.url, "", None, 2.0))
        while not browsing.done():
            # an edge node that says nothing cannot be found
            publisher.publish(Row(asset="fan-1", time=time.time_ns(), values={"airflow": 103.0}))
            await asyncio.sleep(0.1)
        (fan,) = browsing.result()
    assert fan.path == ("Fan 1",)
    (flow,) = fan.signals
    assert (flow.where, flow.unit) == ({"device": "hall/gateway/Fan 1", "metric": "Air/Flow"}, "m3/h")
    drafted = tmp_path / "draft.toml"
    drafted.write_text(draft(mosquitto.url, [fan], 1.0))
    again = load_plant(drafted)
    assert again.assets["fan-1"].signals["air_flow"].device == "hall/gateway/Fan 1"
    assert isinstance(again.sources["sparkplug"], SparkplugSource)


class SmallSite:
    """A site with one machine that this simulator knows nothing more of."""

    assets = ("fan-1",)

    def range_of(self, asset: str, signal: str) -> None:
        return None


class Nothing:
    def recovered(self, batch: SampleBatch) -> None:
        raise AssertionError("nothing is historical here")
