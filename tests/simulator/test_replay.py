"""A replay loses nothing, repeats nothing and keeps the order, over both protocols."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import Client, ua

from edge.contracts.plant import MqttSource, OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.mqtt import MqttAcquisition
from edge.data_acquisition.opcua import OpcuaAcquisition
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.formats.json_message import format_time, parse_time
from edge.formats.recording import Recording, read_csv
from edge.formats.signal_json import SignalTopics
from edge.formats.waveform_recording import WaveformRecording
from edge.mqtt_connection import MqttConnection
from simulator.replay import ReplayOptions, replay, rows
from tests.simulator.clients import ENVIRON, MqttWatcher, OpcuaWatcher, connected, in_background, until, watching

URI = "urn:kullager:simulator"
START = 1_583_750_073_000_000_000
CASE = Path(__file__).parents[1] / "cases/pump/plant.toml"
SKAB = Path(__file__).parents[3] / "shared/data/skab/valve1/1.csv"
WAIT = ReplayOptions(speed=60.0, wait_for_subscriber=True)


def recording(plant: Plant, n_rows: int = 120) -> Recording:
    """Rows whose values repeat often: what a default subscription would drop."""
    rng = np.random.default_rng(1)
    values = {name: rng.integers(0, 2, n_rows).astype(float) for name in plant.assets["pump-101"].signals}
    time = START + np.arange(n_rows, dtype=np.int64) * 1_000_000_000
    return Recording(path="made.csv", asset="pump-101", time=time, values=values)


async def subscribe(client: Client, plant: Plant, asset: str, queue: int) -> OpcuaWatcher:
    watcher = OpcuaWatcher()
    index = await client.get_namespace_index(URI)
    names = [name for name, signal in plant.assets[asset].signals.items() if signal.node]
    nodes = [client.get_node(ua.NodeId(f"{asset}.{name}", index)) for name in names]
    await watcher.subscribe(client, nodes, queue=queue)
    return watcher


def opcua_rows(watcher: OpcuaWatcher, asset: str, name: str) -> list[tuple[str, float]]:
    values = [value for value in watcher.seen.get(f"{asset}.{name}", []) if value.StatusCode.is_good()]
    return [(value.SourceTimestamp.strftime("%Y-%m-%dT%H:%M:%SZ"), value.Value.Value) for value in values]


def expected_rows(of: Recording, name: str) -> list[tuple[str, float]]:
    return [
        (format_time(time), value)
        for time, value in zip(of.time.tolist(), of.values[name].tolist(), strict=True)
        if value == value
    ]


async def complete(plant: Plant, of: Recording, opcua: OpcuaWatcher, heard: Any) -> None:
    """Hold that every row of both protocols arrived exactly once and in order."""
    signals = plant.assets[of.asset].signals
    topic = next(signal.topic for signal in signals.values() if signal.topic)
    by_opcua = [name for name, signal in signals.items() if signal.node]
    wanted = {name: expected_rows(of, name) for name in of.values}
    await until(lambda: len(heard.on(topic)) >= len(of), "the messages")
    await until(lambda: all(len(opcua_rows(opcua, of.asset, name)) >= len(wanted[name]) for name in by_opcua), "the values")
    for name in by_opcua:
        assert opcua_rows(opcua, of.asset, name) == wanted[name], name
    bodies = [json.loads(message.payload) for message in heard.on(topic)]
    for name in set(of.values) - set(by_opcua):
        assert [(body["time"], body[name]) for body in bodies if name in body] == wanted[name], name


@contextlib.asynccontextmanager
async def replaying(
    plant: Plant, of: Recording, options: ReplayOptions, *topics: str
) -> AsyncIterator[tuple[asyncio.Task[None], Client, MqttConnection, MqttWatcher]]:
    """A replay with a client of each protocol; the MQTT one is subscribed already."""
    plc, broker = (plant.sources[name].url for name in ("plc", "broker"))
    async with (
        watching(broker, "plant/#", *topics) as (connection, heard),
        in_background(replay(plant, ENVIRON, of, options)) as work,
        connected(plc) as client,
    ):
        yield work, client, connection, heard


@pytest.mark.parametrize(("speed", "queue"), [(60.0, 100), (60.0, 2), (None, 10)])
async def test_every_row_arrives_exactly_once_over_both_protocols(plant: Plant, speed: float | None, queue: int) -> None:
    made = recording(plant)
    options = ReplayOptions(speed=speed, wait_for_subscriber=True)
    async with replaying(plant, made, options) as (work, client, _, heard):
        assert not heard.messages, "no row leaves before the nodes are subscribed to"
        opcua = await subscribe(client, plant, "pump-101", queue)
        await complete(plant, made, opcua, heard)
        assert not work.done(), "the server stays up after the last row"


@pytest.mark.skipif(not SKAB.exists(), reason="the recorded pump rig is not beside the project (../shared/data/skab)")
async def test_the_recorded_rig_arrives_whole(plant: Plant, tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "cases/skab/plant.toml").read_text(encoding="utf-8")
    for source, default in (("plc", "opc.tcp://127.0.0.1:4840"), ("broker", "mqtt://127.0.0.1:1883")):
        text = text.replace(default, plant.sources[source].url)
    (tmp_path / "skab.toml").write_text(text, encoding="utf-8")
    rig = load_plant(tmp_path / "skab.toml")
    whole = read_csv(SKAB, rig, "rig")
    async with replaying(rig, whole, ReplayOptions(speed=200.0, wait_for_subscriber=True)) as (_, client, _, heard):
        opcua = await subscribe(client, rig, "rig", 50)
        await complete(rig, whole, opcua, heard)


async def test_messages_are_held_until_somebody_wants_them(plant: Plant) -> None:
    made = recording(plant, 5)
    plc, broker = (plant.sources[name].url for name in ("plc", "broker"))
    async with in_background(replay(plant, ENVIRON, made, WAIT)), connected(plc) as client:
        opcua = await subscribe(client, plant, "pump-101", 100)
        # the first row is out over OPC UA, so its message has been tried, with nobody there
        await until(lambda: opcua_rows(opcua, "pump-101", "speed"), "the first value")
        async with watching(broker, "plant/#") as (_, heard):
            await complete(plant, made, opcua, heard)


async def test_a_broker_that_restarts_loses_no_row(plant: Plant, mosquitto: Any) -> None:
    made = recording(plant, 200)
    topic = "plant/hall-1/pump-101"
    async with replaying(plant, made, WAIT) as (_, client, _, heard):

        def times() -> list[str]:
            return [json.loads(message.payload)["time"] for message in heard.on(topic)]

        await subscribe(client, plant, "pump-101", 100)
        await until(lambda: len(times()) > 20, "rows")
        mosquitto.stop()
        mosquitto.start()
        await until(lambda: times()[-1] == format_time(int(made.time[-1])), "the last row")
        # a row that the broker had acknowledged when it was killed may come again, and none goes back
        assert times() == sorted(times())
        assert set(times()) == {format_time(time) for time in made.time.tolist()}


async def test_rows_wait_for_a_subscriber_who_comes_back(plant: Plant) -> None:
    made = recording(plant, 150)
    async with replaying(plant, made, WAIT) as (_, client, _, heard):
        first = await subscribe(client, plant, "pump-101", 100)
        await until(lambda: len(opcua_rows(first, "pump-101", "speed")) > 20, "rows")
        await client.disconnect()
        gone = len(heard.messages)
        async with connected(plant.sources["plc"].url) as again:
            second = await subscribe(again, plant, "pump-101", 100)
            last = format_time(int(made.time[-1]))
            await until(lambda: (all_ := opcua_rows(second, "pump-101", "speed")) and all_[-1][0] == last, "the last row")
            missed = {time for time, _ in expected_rows(made, "speed")}
            missed -= {time for watcher in (first, second) for time, _ in opcua_rows(watcher, "pump-101", "speed")}
            # what one publishing interval holds may be on its way to a client that leaves
            assert len(missed) <= 12, missed
            assert gone < len(made)


async def test_empty_cells_are_no_samples_and_a_command_is_refused(plant: Plant) -> None:
    made = recording(plant, 6)
    made.values["speed"][2] = made.values["vibration"][3] = np.nan
    topics = plant.topics
    async with replaying(plant, made, WAIT, topics.simulator_reply("+")) as (_, client, connection, heard):
        opcua = await subscribe(client, plant, "pump-101", 100)
        await complete(plant, made, opcua, heard)
        reader = SignalTopics(plant, "broker", {})
        read = [reader.read(message.topic, message.payload, 0) for message in heard.on("plant/hall-1/pump-101")]
        assert [len(reading.batch) for reading in read] == [3, 3, 3, 2, 3, 3]
        assert not any(reading.batch.quality.any() for reading in read)
        machine = client.get_node(ua.NodeId("pump-101", await client.get_namespace_index(URI)))
        assert await machine.get_children(nodeclassmask=ua.NodeClass.Method) == []
        command = {"command_id": "c", "by": "x", "time": "2026-01-01T00:00:00Z", "asset": "pump-101", "fault": "cavitation"}
        connection.publish(topics.simulator_command("inject"), json.dumps(command).encode())
        (reply,) = await until(lambda: heard.on(topics.simulator_reply("c")), "the refusal")
        assert "replays a recording" in json.loads(reply.payload)["problem"]


async def test_shifted_to_now_and_again_after_the_end(plant: Plant) -> None:
    made = recording(plant, 3)
    before = time.time_ns()
    options = ReplayOptions(speed=20.0, now=True, loop=True)
    async with (
        watching(plant.sources["broker"].url, "plant/#") as (_, heard),
        in_background(replay(plant, ENVIRON, made, options)),
    ):
        await until(lambda: len(heard.messages) >= 8, "two turns and more")
    bodies = [json.loads(message.payload) for message in heard.messages[:8]]
    times = [parse_time(body["time"]) for body in bodies]
    assert before <= times[0] <= time.time_ns() + 2_000_000_000
    assert times[0] % 1_000_000_000 == 0
    assert set(np.diff(times).tolist()) == {1_000_000_000}, "time never goes back from turn to turn"
    assert [body["vibration"] for body in bodies] == (made.values["vibration"].tolist() * 3)[:8]


async def test_it_ends_after_the_last_row_where_asked_to(plant: Plant) -> None:
    async with asyncio.timeout(60.0):
        await replay(plant, ENVIRON, recording(plant, 5), ReplayOptions(speed=None, leave=True))


def test_rows_carry_texts_by_name(plant: Plant) -> None:
    made = Recording(
        path="made.csv",
        asset="pump-101",
        time=np.array([0, 1]),
        values={"recipe": np.array([1.0, np.nan])},
        texts={"recipe": TextTable(["flange-120", "shaft-80"])},
    )
    first, second = rows(made, shift=5)
    assert (first.time, first.values) == (5, {"recipe": "shaft-80"})
    assert second.values["recipe"] != second.values["recipe"], "an empty cell stays no sample"


def fast_plant(opcua_port: int, mqtt_port: int, tmp_path: Path) -> tuple[Plant, list[WaveformRecording]]:
    """A pump with one accelerometer on the server and one on the broker, and their recordings."""
    text = CASE.read_text(encoding="utf-8").replace("127.0.0.1:4840", f"127.0.0.1:{opcua_port}")
    text = text.replace("127.0.0.1:1883", f"127.0.0.1:{mqtt_port}")
    fast = 'unit = "m/s2", points = 256, rate_hz = 12800.0, every_s = 1.0'
    near = f'near = {{ {fast}, source = "plc", node = "nsu={URI};s=pump-101.near" }}'
    far = f'far = {{ {fast}, source = "broker", topic = "fast/pump-101" }}'
    (tmp_path / "plant.toml").write_text(f"{text}\n[assets.pump-101.waveforms]\n{near}\n{far}\n", encoding="utf-8")
    plant = load_plant(tmp_path / "plant.toml")
    rng = np.random.default_rng(1)
    waveforms = [
        WaveformRecording(
            asset="pump-101",
            waveform=name,
            time=START + offset + np.arange(8, dtype=np.int64) * 1_000_000_000,
            points=rng.normal(size=(8, 256)).astype(np.float32),
            rate_hz=12800.0,
            unit="m/s2",
        )
        for name, offset in (("near", 0), ("far", 250_000_000))
    ]
    return plant, waveforms


async def test_fast_signals_come_beside_the_rows(free_port: Callable[[], int], mosquitto: Any, tmp_path: Path) -> None:
    plant, waveforms = fast_plant(free_port(), mosquitto.port, tmp_path)
    made, plc = recording(plant, 8), plant.sources["plc"].url
    options = ReplayOptions(speed=20.0, wait_for_subscriber=True)
    async with (
        watching(mosquitto.url, "plant/#", "fast/#") as (_, heard),
        in_background(replay(plant, ENVIRON, made, options, waveforms)),
        connected(plc) as client,
    ):
        watcher = OpcuaWatcher()
        index = await client.get_namespace_index(URI)
        await watcher.subscribe(client, [client.get_node(ua.NodeId("pump-101.near", index))], queue=20)
        opcua = await subscribe(client, plant, "pump-101", 20)
        await complete(plant, made, opcua, heard)
        await until(lambda: len(heard.on("fast/pump-101")) == 8, "the blocks of the broker")

        def seen() -> list[Any]:
            return [
                value for value in watcher.seen.get("pump-101.near", []) if value.Value.Value and value.StatusCode.is_good()
            ]

        await until(lambda: len(seen()) >= 8, "the blocks of the server")
    np.testing.assert_array_equal(np.array([value.Value.Value for value in seen()], np.float32), waveforms[0].points)
    told = [json.loads(message.payload) for message in heard.on("fast/pump-101")]
    np.testing.assert_allclose([body["points"] for body in told], waveforms[1].points, rtol=1e-6)
    assert [parse_time(body["time"]) for body in told] == waveforms[1].time.tolist()
    of_both = [message.topic for message in heard.messages]
    assert of_both == ["plant/hall-1/pump-101", "fast/pump-101"] * 8, "blocks come when their time has come"


class Brought:
    """What an acquisition of the edge has handed over."""

    def __init__(self) -> None:
        self.blocks: list[WaveformBlock] = []
        self.samples = 0

    async def take(self, _source: str, batch: SampleBatch | WaveformBlock) -> None:
        if isinstance(batch, WaveformBlock):
            self.blocks.append(batch)
        else:
            self.samples += len(batch)


async def test_the_edge_takes_fast_signals_from_server_and_broker(
    free_port: Callable[[], int], mosquitto: Any, tmp_path: Path
) -> None:
    """Every block once, in order, with its points and times, beside the rows; a block of another length is counted."""
    plant, waveforms = fast_plant(free_port(), mosquitto.port, tmp_path)
    near, far = plant.waveform_table
    accounts = {name: SourceAccount(name, "source", time.time_ns, SampleAccount(plant)) for name in ("plc", "broker")}
    plc, broker = Brought(), Brought()
    plc_source, broker_source = plant.sources["plc"], plant.sources["broker"]
    assert isinstance(plc_source, OpcuaSource)
    assert isinstance(broker_source, MqttSource)
    signals = (*plant.signals_of("plc"), near)
    credentials = opcua_credentials("plc", tmp_path, {})
    options = ReplayOptions(speed=20.0, wait_for_subscriber=True)
    short = json.dumps({"time": "2026-11-24T10:00:00Z", "points": [1.0, 2.0]})
    async with (
        in_background(
            OpcuaAcquisition("plc", plc_source, signals, {}, accounts["plc"], plc.take, credentials, {"pump-101": 1.0}).run()
        ),
        in_background(MqttAcquisition("broker", broker_source, plant, {}, accounts["broker"], broker.take, None, [far]).run()),
        in_background(replay(plant, ENVIRON, recording(plant, 8), options, waveforms)),
    ):
        await until(lambda: len(plc.blocks) >= 8 and len(broker.blocks) >= 8, "all blocks")
        async with watching(mosquitto.url, "fast/#") as (connection, _):
            connection.publish("fast/pump-101", short.encode())
            await until(lambda: accounts["broker"].status().rejected.get("wrong-length"), "the short block to be counted")
    for brought, wave, entry in ((plc, waveforms[0], near), (broker, waveforms[1], far)):
        assert [block.time for block in brought.blocks] == wave.time.tolist()
        assert {block.signal for block in brought.blocks} == {entry.index}
        np.testing.assert_allclose([block.points for block in brought.blocks], wave.points, rtol=1e-6)
        assert brought.samples > 0
