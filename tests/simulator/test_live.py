"""Live machines, seen through a real OPC UA client and a real broker."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import Client, ua

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.json_message import parse_time
from edge.formats.units import ucum_of
from simulator import live
from simulator.simulated_site import SimulatedSite
from simulator.stage import MOST_WAITING, open_stage
from tests.conftest import Mosquitto
from tests.simulator.clients import ENVIRON, OpcuaWatcher, connected, in_background, until, watching

URI = "urn:kullager:simulator"
CASE = Path(__file__).parents[2] / "tests/cases/pump/plant.toml"


@asynccontextmanager
async def running(plant: Plant, speed: float = 1.0, *, sparkplug: bool = False) -> AsyncIterator[Client]:
    url = plant.sources["plc"].url
    async with (
        in_background(live.run(plant, ENVIRON, seed=1, speed=speed, sparkplug=sparkplug)) as work,
        connected(url) as client,
    ):
        yield client
        assert not work.done()


async def node(client: Client, name: str) -> Any:
    return client.get_node(ua.NodeId(f"pump-101.{name}", await client.get_namespace_index(URI)))


async def test_units_ranges_times_and_methods_of_the_opcua_server(plant: Plant) -> None:
    async with running(plant) as client:
        for name, signal in plant.assets["pump-101"].signals.items():
            if signal.node is None:
                continue
            variable = await node(client, name)
            assert await variable.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogItemType)
            unit = await (await variable.get_child("0:EngineeringUnits")).read_value()
            assert ucum_of(unit.UnitId) == signal.unit
            assert unit.NamespaceUri == "http://www.opcfoundation.org/UA/units/un/cefact"
            span = await (await variable.get_child("0:EURange")).read_value()
            assert span.Low < span.High

            data = await variable.read_data_value(raise_on_bad_status=False)
            while not data.StatusCode.is_good():  # it listens before the first row
                data = await variable.read_data_value(raise_on_bad_status=False)
            assert data.Value.VariantType is ua.VariantType.Double
            assert span.Low < data.Value.Value < span.High
            assert data.SourceTimestamp.microsecond == 0, "sample times are whole multiples of the period"
            assert abs(data.SourceTimestamp.timestamp() - time.time()) < 30.0

            # demo machines may be faulted, but nobody writes their values
            with pytest.raises(ua.UaStatusCodeError):
                await variable.write_value(1.0)
        machine = client.get_node(ua.NodeId("pump-101", await client.get_namespace_index(URI)))
        names = {
            (await child.read_browse_name()).Name for child in await machine.get_children(nodeclassmask=ua.NodeClass.Method)
        }
        assert names == {"InjectFault", "Repair", "StartJob"}


async def test_every_row_comes_on_the_second_over_both_protocols(plant: Plant) -> None:
    async with running(plant, speed=20.0) as client, watching(plant.sources["broker"].url, "plant/#") as (_, heard):
        seen = OpcuaWatcher()
        await seen.subscribe(client, [await node(client, "speed")], queue=100)
        await until(lambda: len(seen.seen.get("pump-101.speed", [])) > 30 and len(heard.messages) > 30, "thirty rows")
    times = [value.SourceTimestamp.timestamp() for value in seen.seen["pump-101.speed"] if value.StatusCode.is_good()]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {1.0}
    bodies = [json.loads(message.payload) for message in heard.messages]
    assert {tuple(body) for body in bodies} == {("vibration", "time", "bearing_temperature", "fluid_temperature")}
    arrived = [parse_time(body["time"]) for body in bodies]
    assert {later - earlier for earlier, later in itertools.pairwise(arrived)} == {1_000_000_000}


async def test_a_fault_injected_by_method_is_seen_and_listed_and_repaired(plant: Plant) -> None:
    catalogue = plant.topics.simulator_catalogue
    async with running(plant, speed=20.0) as client, watching(plant.sources["broker"].url, "plant/#", catalogue) as (_, heard):
        index = await client.get_namespace_index(URI)
        machine = client.get_node(ua.NodeId("pump-101", index))

        def vibration() -> float:
            return float(json.loads(heard.on("plant/hall-1/pump-101")[-1].payload)["vibration"])

        def active() -> list[str]:
            faults = json.loads(heard.on(catalogue)[-1].payload)["assets"][0]["faults"]
            return [fault["fault"] for fault in faults if fault["active"]]

        await until(lambda: heard.on("plant/hall-1/pump-101") and heard.on(catalogue), "a row and the catalogue")
        assert vibration() < 3.0
        assert active() == []
        await machine.call_method(f"{index}:InjectFault", "bearing-wear", 1.0, 5.0)
        await until(lambda: vibration() > 7.1, "vibration above the fixed limit")
        assert active() == ["bearing-wear"]
        await machine.call_method(f"{index}:Repair")
        await until(lambda: vibration() < 3.0 and active() == [], "repair")


async def test_truth_jobs_and_waveforms_are_told(free_port: Callable[[], int], mosquitto: Any, tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    signals = 'speed = { unit = "/min", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.speed" }\n'
    signals += 'recipe = { unit = "1", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.recipe" }\n'
    plc = 'unit = "m/s2", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.acceleration"'
    waveforms = f'near = {{ {plc} }}\nfar = {{ unit = "m/s2", source = "broker", topic = "fast/pump-101", every_s = 5.0 }}\n'
    head = CASE.read_text().split("[assets.pump-101.signals]")[0].replace("lateness_s = 0.5", 'context = ["recipe"]')
    for before, after in (("4840", str(free_port())), ("1883", str(mosquitto.port))):
        head = head.replace(f"127.0.0.1:{before}", f"127.0.0.1:{after}")
    path.write_text(f"{head}[assets.pump-101.signals]\n{signals}[assets.pump-101.waveforms]\n{waveforms}")
    plant = load_plant(path)
    truth = plant.topics.simulator_truth("pump-101")
    async with running(plant, speed=20.0) as client, watching(mosquitto.url, truth, "fast/pump-101") as (_, heard):
        index = await client.get_namespace_index(URI)
        machine = client.get_node(ua.NodeId("pump-101", index))
        await until(lambda: heard.on(truth) and heard.on("fast/pump-101"), "truth and a waveform")
        healthy = json.loads(heard.on(truth)[-1].payload)
        assert (healthy["health"], healthy["faults"], healthy["rul_h"]) == (1.0, [], None)
        block = json.loads(heard.on("fast/pump-101")[0].payload)
        assert (len(block["points"]), block["rate_hz"]) == (4096, 25600.0)
        points = await (await node(client, "acceleration")).read_data_value()
        assert len(points.Value.Value) == 4096
        assert np.std(points.Value.Value) > 0.1

        await machine.call_method(f"{index}:InjectFault", "imbalance", 1.0, 36000.0)
        await until(lambda: json.loads(heard.on(truth)[-1].payload)["faults"], "the truth of the fault")
        told = json.loads(heard.on(truth)[-1].payload)
        assert told["faults"][0]["name"] == "imbalance"
        assert 0.0 < told["rul_h"] <= 10.0
        assert told["health"] == pytest.approx(1.0 - told["faults"][0]["severity"])

        recipe = await node(client, "recipe")
        await machine.call_method(f"{index}:StartJob", "boost")
        async with asyncio.timeout(60.0):
            while await recipe.read_value() != "boost":  # noqa: ASYNC110  # the server's next row
                await asyncio.sleep(0.02)
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
            await machine.call_method(f"{index}:StartJob", "sideways")


async def test_live_machines_are_sparkplug_devices_too(plant: Plant) -> None:
    group = f"{plant.site.enterprise}:{plant.site.site}:{plant.site.area}"
    async with watching(plant.sources["broker"].url, "spBv1.0/#") as (_, heard):
        async with running(plant, speed=20.0, sparkplug=True):
            await until(lambda: len(heard.on(f"spBv1.0/{group}/DDATA/simulator/pump-101")) > 3, "data")
        await until(lambda: heard.on(f"spBv1.0/{group}/NDEATH/simulator"), "the death")
    kinds = list(dict.fromkeys(message.topic.split("/")[2] for message in heard.messages))
    assert kinds == ["NBIRTH", "DBIRTH", "DDATA", "DDEATH", "NDEATH"]


async def test_what_runs_faster_than_its_broker_waits_for_it_and_not_for_one_that_is_gone(
    plant: Plant, mosquitto: Mosquitto
) -> None:
    site = SimulatedSite(plant, 1)
    rows, most, paused = site.rows(0), 0, False
    async with open_stage(plant, site, ENVIRON) as stage:
        (broker,) = stage.publishers
        await until(lambda: broker._connection._link, "the connection")
        for number in range(3000):
            await asyncio.sleep(0.0)
            if number == 500:
                # the limit is reached however slow the rows are made
                mosquitto.pause()
                paused = True
            if paused and broker.unacknowledged > MOST_WAITING:
                paused = False
                asyncio.get_running_loop().call_later(0.2, mosquitto.go_on)
            await stage.wait_for_brokers()
            await stage.show(next(rows))
            most = max(most, broker.unacknowledged)
            if number == 2500:
                mosquitto.stop()
    # a row brings the signals' message, and sometimes truth and catalogue
    assert MOST_WAITING < most <= MOST_WAITING + 3


async def test_a_scenario_is_begun_and_ended_by_command(plant: Plant) -> None:
    topics, url = plant.topics, plant.sources["broker"].url

    def active(message: Any) -> list[str]:
        return [each["scenario"] for each in json.loads(message.payload)["scenarios"] if each["active"]]

    async with running(plant, speed=50.0):  # noqa: SIM117  # the watcher goes first
        async with watching(url, topics.simulator_reply("+"), topics.simulator_catalogue) as (connection, heard):
            await until(lambda: heard.on(topics.simulator_catalogue), "the catalogue")
            command = {"by": "visitor", "time": "2026-11-23T10:00:00Z"}

            async def play(command_id: str, scenario: str) -> dict[str, Any]:
                body = command | {"command_id": command_id, "scenario": scenario}
                connection.publish(topics.simulator_command("scenario"), json.dumps(body).encode())
                (reply,) = await until(lambda: heard.on(topics.simulator_reply(command_id)), "the reply")
                return dict(json.loads(reply.payload))

            assert (await play("s1", "visitor"))["ok"]
            await until(lambda: active(heard.on(topics.simulator_catalogue)[-1]) == ["visitor"], "the scenario on the list")

            def broken() -> bool:
                faults = json.loads(heard.on(topics.simulator_catalogue)[-1].payload)["assets"][0]["faults"]
                return any(fault["fault"] == "bearing-wear" and fault["active"] for fault in faults)

            await until(broken, "its first fault")
            refused = await play("s2", "../../etc/passwd")
            assert refused["problem"].startswith("there is no scenario '../../etc/passwd'; possible: chaos, hard, quiet")
            assert (await play("s3", ""))["ok"]
            await until(lambda: active(heard.on(topics.simulator_catalogue)[-1]) == [], "the end of the scenario")


WRONG_CALLS = [
    (("rust", 1.0, 5.0), "BadInvalidArgument"),
    (("bearing-wear", 1.5, 5.0), "BadInvalidArgument"),
    (("bearing-wear", float("nan"), 5.0), "BadInvalidArgument"),
    (("bearing-wear", "much", 5.0), "BadInvalidArgument"),
    (("bearing-wear", True, 5.0), "BadInvalidArgument"),
    (("bearing-wear",), "BadArgumentsMissing"),
    (("bearing-wear", 1.0, 5.0, 1.0), "BadTooManyArguments"),
]


async def test_wrong_calls_are_refused(plant: Plant) -> None:
    # one server for all of them: it takes seconds to start
    async with running(plant) as client:
        index = await client.get_namespace_index(URI)
        for arguments, status in WRONG_CALLS:
            with pytest.raises(ua.UaStatusCodeError, match=status):
                await client.get_node(ua.NodeId("pump-101", index)).call_method(f"{index}:InjectFault", *arguments)


async def test_commands_over_mqtt_and_a_catalogue_that_is_kept(plant: Plant) -> None:
    topics, url = plant.topics, plant.sources["broker"].url
    command = {"schema": 1, "command_id": "c1", "by": "visitor", "time": "2026-11-23T10:00:00Z", "asset": "pump-101"}
    inject = command | {"fault": "cavitation", "severity": 0.5, "over_s": 1}
    async with running(plant, speed=20.0):
        async with watching(url, topics.simulator_reply("+"), topics.simulator_catalogue) as (connection, heard):
            await until(lambda: heard.on(topics.simulator_catalogue), "the catalogue")
            for payload in (b"{", b"[]", b"\xff", json.dumps(inject).encode(), json.dumps(inject).encode()):
                connection.publish(topics.simulator_command("inject"), payload)
            replies = await until(
                lambda: (all_ := heard.on(topics.simulator_reply("c1"))) and len(all_) == 2 and all_, "replies"
            )
            assert [json.loads(reply.payload)["ok"] for reply in replies] == [True, True]
            wrong = inject | {"command_id": "c2", "asset": "pump-102"}
            connection.publish(topics.simulator_command("inject"), json.dumps(wrong).encode())
            (reply,) = await until(lambda: heard.on(topics.simulator_reply("c2")), "the refusal")
            assert json.loads(reply.payload)["problem"] == "there is no machine 'pump-102'; possible: pump-101"
        # whoever comes later sees the retained catalogue, with the active fault
        async with watching(url, topics.simulator_catalogue) as (_, late):
            await until(lambda: late.messages, "the retained catalogue")
            assert late.messages[0].retained
            catalogue = json.loads(late.messages[0].payload)
        assert catalogue["assets"][0]["name"]["sv"] == "Cirkulationspump 101"
        faults = {fault["fault"]: fault for fault in catalogue["assets"][0]["faults"]}
        assert [name for name, fault in faults.items() if fault["active"]] == ["cavitation"]
        assert len(faults) == 7
        assert faults["dry-run"]["description"]["sv"].startswith("Vätskan tar slut")
        assert faults["bearing-wear"]["name"] == {"sv": "Lagerskada", "en": "Bearing wear"}
        assert abs(parse_time(catalogue["time"]) - time.time_ns()) < 60e9
    async with watching(url, topics.simulator_catalogue) as (_, after):
        await until(lambda: after.messages, "the word that the simulator has gone")
        assert json.loads(after.messages[0].payload)["assets"] == []


async def test_a_retained_command_is_not_obeyed(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    topics, url = plant.topics, plant.sources["broker"].url
    body = {"command_id": "old", "by": "x", "time": "2026-01-01T00:00:00Z", "asset": "pump-101", "fault": "cavitation"}
    async with watching(url, topics.simulator_command("inject")) as (connection, heard):
        connection.publish(topics.simulator_command("inject"), json.dumps(body).encode(), retain=True)
        await until(lambda: heard.messages, "the command at the broker")
    async with watching(url, topics.simulator_catalogue) as (_, heard), running(plant, speed=20.0):
        await until(lambda: "a retained command is ignored" in caplog.text, "the warning")
        catalogue = await until(lambda: heard.messages, "the catalogue")
        assert not any(fault["active"] for fault in json.loads(catalogue[-1].payload)["assets"][0]["faults"])


async def test_opcua_goes_on_while_the_broker_is_away(plant: Plant, mosquitto: Any) -> None:
    async with running(plant, speed=20.0) as client:
        seen = OpcuaWatcher()
        await seen.subscribe(client, [await node(client, "speed")], queue=100)
        await until(lambda: len(seen.seen.get("pump-101.speed", [])) > 5, "rows")
        mosquitto.stop()
        before = len(seen.seen["pump-101.speed"])
        await until(lambda: len(seen.seen["pump-101.speed"]) > before + 40, "rows without a broker")
        mosquitto.start()
        topics = plant.topics
        async with watching(mosquitto.url, "plant/#", topics.simulator_catalogue) as (_, heard):
            await until(lambda: heard.on("plant/hall-1/pump-101"), "rows after the broker's return")
            await until(lambda: heard.on(topics.simulator_catalogue), "the catalogue, which the broker had forgotten")
