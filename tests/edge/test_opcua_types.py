"""Numbers and texts in structures, arrays and enumerations of a server that is a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from asyncua import ua

from edge.check import check
from edge.contracts.plant import Plant, Signal, SignalEntry
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import TextTable
from edge.data_acquisition.opcua_types import Enumerated, ServerTypes, _Field, _Structure
from edge.data_acquisition.opcua_values import sample_batch
from tests.edge.test_mqtt import until
from tests.edge.test_opcua import Acquired
from tests.simulator.clients import in_background

HEAD = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.plc]
kind = "opcua"
url = "{url}"
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1"
[assets.press-1]
class = "press"
context = ["name", "mode", "motor_mode"]
[assets.press-1.signals]
"""
SIGNALS = {
    "temperature": ("motor", "Bearings.1.Temperature"),
    "current": ("motor", "Currents.2"),
    "load": ("motor", "Load"),
    "name": ("motor", "Name"),
    "motor_mode": ("motor", "Mode"),
    "motor_mode_number": ("motor", "Mode"),
    "zone": ("zones", "1"),
    "mode": ("mode", None),
    "mode_number": ("mode", None),
    "plain": ("plain", None),
}
WRONG = {
    "spare": ("motor", "Spare"),
    "side": ("motor", "Bearings.7.Side"),
    "whole": ("motor", None),
    "no": ("motor", "No.Such"),
}


def plant_of(folder: Path, url: str, signals: dict[str, tuple[str, str | None]]) -> Plant:
    lines = [
        f'{name} = {{ unit = "1", source = "plc", node = "nsu=urn:x;s={node}"' + (f', field = "{path}" }}' if path else " }")
        for name, (node, path) in signals.items()
    ]
    file = folder / "plant.toml"
    file.write_text(HEAD.format(url=url) + "\n".join(lines))
    return load_plant(file)


@pytest.fixture
async def url(free_port: Callable[[], int]) -> AsyncIterator[str]:
    address = f"opc.tcp://127.0.0.1:{free_port()}"
    server = str(Path(__file__).parent / "structure_server.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, server, address, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"ready"
    yield address
    process.kill()
    await process.wait()


async def test_fields_of_structures_and_arrays_are_signals(url: str, tmp_path: Path) -> None:
    plant = plant_of(tmp_path, url, SIGNALS)
    acquired = Acquired(plant, tmp_path)
    values: dict[str, list[float]] = {name: [] for name in SIGNALS}

    def collect() -> dict[str, list[float]]:
        for batch in acquired.batches:
            for index, value in zip(batch.signal.tolist(), batch.value.tolist(), strict=True):
                values[plant.signal_table[index].name].append(value)
        acquired.batches.clear()
        return values

    async with in_background(acquired.acquisition.run()):
        await until("three currents", lambda: len(set(collect()["current"])) >= 3)
    assert {name: found[0] for name, found in values.items() if not plant.signal_table[list(SIGNALS).index(name)].is_text} == {
        "temperature": 42.5,
        "current": values["current"][0],
        "load": 0.75,
        "motor_mode_number": 1.0,
        "zone": 20.0,
        "mode_number": 2.0,
        "plain": 5.0,
    }
    told = {plant.signal_table[index].name: table.texts for index, table in acquired.texts.items()}
    assert told == {"name": ("M1",), "motor_mode": ("Automatic",), "mode": ("Manual",)}
    assert acquired.account.status().problem is None
    assert acquired.account.status().rejected == {}


async def test_what_is_not_there_is_named(url: str, tmp_path: Path) -> None:
    plant = plant_of(
        tmp_path, url, {"name": SIGNALS["name"], "mode": SIGNALS["mode"], "motor_mode": ("motor", "Mode"), **WRONG}
    )
    acquired = Acquired(plant, tmp_path)
    async with in_background(acquired.acquisition.run()):
        await until("the refusals", lambda: acquired.account.status().rejected.get("no-such-field", 0) >= 4)
    problem = str(acquired.account.status().problem)
    fields = "'Name', 'Mode', 'Bearings', 'Currents', 'Spare', 'Load'"
    assert f"press-1.whole: node 'nsu=urn:x;s=motor' is a structure of {fields}: say which by field = …" in problem
    assert f"press-1.no: node 'nsu=urn:x;s=motor' has no field 'No'; it has {fields}" in problem
    told = [finding.text for finding in await check(plant, tmp_path, {}, 0.0) if not finding.good]
    assert any("is a structure of" in text for text in told)
    assert any("press-1.spare" in text and "no-such-field" in text for text in told), told


def test_hostile_structures_are_bad_samples() -> None:
    kind, encoding = ua.NodeId(5000, 2), ua.NodeId(5001, 2)
    types = ServerTypes()
    itself = _Field("Again", kind, is_array=True, is_optional=False)
    types._structures[kind], types._encodings[encoding] = _Structure(0, (itself,)), kind
    row = SignalEntry(index=0, asset="a", name="s", signal=Signal(unit="1", source="plc", field="Again.0.Again"), is_text=False)
    bodies = (
        b"",
        b"\xff\xff\xff\x7f",  # two thousand million elements
        b"\x01\x00\x00\x00" * 200,  # deeper than anybody goes
        b"\x02\x00\x00\x00" * 3,
    )
    for body in bodies:
        value = ua.ExtensionObject(TypeId=encoding, Body=body)
        item = ua.MonitoredItemNotification(ClientHandle=0, Value=ua.DataValue(ua.Variant(value)))
        batch, rejected = sample_batch([item], {0: row}, {}, 1, types)
        assert rejected == {"no-such-field": 1}
        assert batch.quality.tolist() == [2]
    unknown = ua.ExtensionObject(TypeId=ua.NodeId(1, 1), Body=b"x")
    with pytest.raises(LookupError, match="has not described"):
        types.find(row, unknown)


def test_a_number_of_an_enumeration_stays_a_number() -> None:
    value = Enumerated(3, "Running")
    assert (value + 1, value.text, TextTable().code(value.text)) == (4, "Running", 0)
