"""What a server or a broker has becomes a plant file that loads, with each guess marked."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from asyncua import Server, ua

from edge.browse.draft import ASK, draft
from edge.browse.found import FoundAsset, FoundSignal, Kind, identifier, role_of
from edge.browse.mqtt import browse_mqtt
from edge.browse.opcua import browse_opcua
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.data_acquisition.opcua_session import connected
from edge.formats.units import UNITS
from edge.mqtt_connection import MqttConnection
from tests.conftest import Mosquitto

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def server(free_port: Callable[[], int]) -> AsyncIterator[Server]:
    """A PLC as they are: objects in folders, parts of machines, some units, German names."""
    made = Server()
    await made.init()
    made.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}")
    index = await made.register_namespace("urn:plc")
    folder = await made.nodes.objects.add_folder(index, "DeviceSet")
    press = await folder.add_object(index, "Presse 12")
    motor = await press.add_object(index, "Motor")
    await press.add_variable(ua.NodeId("p12.Druck", index), "Druck", 101.5)
    temperature = await motor.add_variable(ua.NodeId("p12.m.temp", index), "LagerTemp", 41.0)
    information = ua.EUInformation("http://x", UNITS["Cel"].unit_id, ua.LocalizedText("°C"), ua.LocalizedText("Celsius"))
    await temperature.add_property(ua.NodeId("p12.m.eu", index), "EngineeringUnits", information)
    await temperature.add_property(ua.NodeId("p12.m.range", index), "EURange", ua.Range(-20.0, 120.0))
    await motor.add_variable(ua.NodeId("p12.m.shape", index), "Wave", [0.0] * 256)
    await motor.add_variable(ua.NodeId("p12.m.program", index), "Programm", "deckel-40")
    await motor.add_variable(ua.NodeId("p12.m.on", index), "Ein", True)
    odd = await press.add_variable(ua.NodeId("p12.odd", index), "Ölmenge", 3.0)
    strange = ua.EUInformation("http://x", 7, ua.LocalizedText("furlong"), ua.LocalizedText(""))
    await odd.add_property(ua.NodeId("p12.odd.eu", index), "EngineeringUnits", strange)
    async with made:
        yield made


def loaded(text: str, folder: Path) -> Plant:
    path = folder / "draft.toml"
    path.write_text(text, encoding="utf-8")
    return load_plant(path)


async def browsed(server: Server, home: Path, listen_s: float = 0.0) -> list[FoundAsset]:
    source = OpcuaSource(kind="opcua", url=server.endpoint.geturl())
    async with connected(source, opcua_credentials("plc", home, {})) as client:
        return await browse_opcua(client, listen_s)


async def test_a_server_becomes_a_plant_file(server: Server, tmp_path: Path) -> None:
    url = server.endpoint.geturl()
    text = draft(url, await browsed(server, tmp_path), 0.0)
    plant = loaded(text, tmp_path)
    press = plant.assets["presse-12"]
    assert press.asset_class == "presse"
    assert {name: signal.unit for name, signal in press.signals.items()} == {
        "druck": "bar",
        "motor_lager_temp": "Cel",
        "motor_programm": "1",
        "olmenge": "1",
    }
    assert press.signals["motor_lager_temp"].node == "nsu=urn:plc;s=p12.m.temp"
    assert press.context == ("motor_programm",)
    lines = {line.partition(" =")[0]: line for line in text.splitlines()}
    assert lines["druck"].endswith(f"{ASK} unit: no unit is stated; pressure, by its name; seen 101.5")
    assert "temperature, by its unit and name; range -20 to 120; seen 41" in lines["motor_lager_temp"]
    assert "the server says 'furlong', which is not known here" in lines["olmenge"]
    assert "points = 256" in lines["# motor_wave"]
    # what the server says of itself, and switches, are no signals
    assert "ein" not in press.signals
    assert len(plant.assets) == 1


async def test_how_often_values_come_and_how_far_they_go(server: Server, tmp_path: Path) -> None:
    index = await server.get_namespace_index("urn:plc")
    node = server.get_node(ua.NodeId("p12.Druck", index))

    async def changing() -> None:
        for number in range(10_000):
            await node.write_value(100.0 + number % 10)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(changing())
    (press,) = await browsed(server, tmp_path, 3.0)
    task.cancel()
    pressure = next(signal for signal in press.signals if signal.path == ("Druck",))
    # a busy machine is slower, and none is faster
    assert 3 <= pressure.count <= 31
    assert pressure.least is not None
    assert pressure.most is not None
    assert 100.0 <= pressure.least < pressure.most <= 109.0
    assert not pressure.counts_up


async def test_topics_become_a_plant_file(mosquitto: Mosquitto, tmp_path: Path) -> None:
    bodies = {
        "hall/press-1": {"ts": "2026-11-27T10:00:00Z", "motor": {"temperature": 41.5, "rpm": 1450}, "recipe": "lid"},
        "hall/oven/zone1_temp": 850.5,
        "hall/oven/status": "running",
        "hall/press-1/shape": {"time": "2026-11-27T10:00:00Z", "points": [0.0, 1.0, 2.0]},
        "kullager/v1/x/y/z/assessment/press-1": {"score": 0.2},
    }

    async def publishing(connection: MqttConnection) -> None:
        while True:
            for topic, body in bodies.items():
                connection.publish(topic, json.dumps(body).encode())
            connection.publish("hall/garbage", b"\\x00{")
            await asyncio.sleep(0.2)

    async with MqttConnection(url=mosquitto.url, client_id="plant") as connection:
        task = asyncio.create_task(publishing(connection))
        found = await browse_mqtt(mosquitto.url, "", None, 2.0)
        task.cancel()
    text = draft(mosquitto.url, found, 2.0)
    plant = loaded(text, tmp_path)
    assert set(plant.assets) == {"press-1", "oven"}
    speed = plant.assets["press-1"].signals["motor_rpm"]
    assert (speed.topic, speed.field, speed.time_field, speed.unit) == ("hall/press-1", "motor.rpm", "ts", "/min")
    oven = plant.assets["oven"]
    assert (oven.signals["zone1_temp"].unit, oven.context) == ("Cel", ("status",))
    assert "# shape = {" in text


@pytest.mark.parametrize(
    ("names", "unit", "role"),
    [
        (("Lagertemperatur",), None, "temperature"),
        (("Varvtal",), None, "speed"),
        (("Flöde",), None, "flow"),
        (("Value",), "mm/s", "vibration"),
        (("Cos", "PowerFactor"), None, None),
        (("Zähler",), None, None),
    ],
)
def test_roles_are_proposed_by_unit_and_name(names: tuple[str, ...], unit: str | None, role: str | None) -> None:
    found = role_of(FoundSignal(path=names, where={}, unit=unit))
    assert (found.name if found else None) == role


def test_machines_and_signals_of_one_name_are_told_apart(tmp_path: Path) -> None:
    def signal(node: str) -> FoundSignal:
        return FoundSignal(path=("Temp",), where={"node": f"nsu=urn:x;s={node}"})

    assets = [FoundAsset(path=("Pump",), how="test", signals=[signal("a"), signal("b")]) for _ in range(2)]
    assets.append(
        FoundAsset(path=("Wave",), how="test", signals=[FoundSignal(path=("w",), where={}, kind=Kind.BLOCK, points=4)])
    )
    plant = loaded(draft("opc.tcp://x:4840", assets, 0.0), tmp_path)
    assert set(plant.assets) == {"pump", "pump-2"}
    assert set(plant.assets["pump"].signals) == {"temp", "temp_2"}
    assert identifier(("Überdruck 3",), "_") == "uberdruck_3"


def test_what_is_not_there_is_one_sentence(free_port: Callable[[], int]) -> None:
    for url, says in (
        (f"opc.tcp://127.0.0.1:{free_port()}", "is not reached"),
        (f"mqtt://127.0.0.1:{free_port()}", "Is the broker running"),
        ("http://plc", "should begin with opc.tcp://"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edge", "browse", url], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
