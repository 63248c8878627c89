"""Acquisition from a real OPC UA server: what is wrong is said in words, and what comes later is found."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import Server, ua
from asyncua.server.internal_session import InternalSession

from edge.check import check
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch, TextTable
from edge.contracts.status import SourceState
from edge.data_acquisition import opcua
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.formats.units import UNITS

LIMIT_S = 30.0


@pytest.fixture
def plant(tmp_path: Path, make_plant: Callable[..., Plant], server: Server) -> Plant:
    make_plant()
    path = tmp_path / "plant.toml"
    path.write_text(path.read_text().replace("opc.tcp://127.0.0.1:4840", server.endpoint.geturl()))
    return load_plant(path)


class Acquired:
    """An acquisition that runs, and what it has brought."""

    def __init__(self, plant: Plant, home: Path) -> None:
        source = plant.sources["plc"]
        assert isinstance(source, OpcuaSource)
        credentials = opcua_credentials("plc", home, {})
        self.account = SourceAccount("plc", source.clock, time.time_ns, SampleAccount(plant))
        self.batches: list[SampleBatch] = []
        self.texts = {row.index: TextTable() for row in plant.signal_table if row.is_text}
        self.acquisition = opcua.OpcuaAcquisition(
            "plc",
            source,
            plant.signals_of("plc"),
            self.texts,
            self.account,
            self._take,
            credentials,
            {"press-1": 1.0},
            on_change=plant.on_change_of("plc"),
        )

        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.acquisition.run()))

    async def _take(self, _source: str, batch: SampleBatch) -> None:
        self.batches.append(batch)

    @property
    def values(self) -> list[float]:
        return [value for batch in self.batches for value in batch.value.tolist()]


@pytest.fixture
async def acquired(plant: Plant, tmp_path: Path) -> AsyncIterator[Acquired]:
    made = Acquired(plant, tmp_path)
    task = asyncio.create_task(made.acquisition.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {LIMIT_S:.0f} s"
        await asyncio.sleep(0.05)


async def test_a_repeated_value_with_a_new_time_is_a_sample(server: Server, acquired: Acquired) -> None:
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 100.0)
    await until("the first value", lambda: acquired.values)
    before = len(acquired.values)
    for _ in range(5):
        await node.write_value(ua.DataValue(ua.Variant(100.0), SourceTimestamp=datetime.now(UTC)))
        await asyncio.sleep(0.01)
    await until("five more of the same", lambda: len(acquired.values) >= before + 5)
    assert acquired.account.status().state is SourceState.CONNECTED


async def test_a_node_that_is_missing_is_named_and_found_when_it_comes(
    server: Server, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua, "RETRY_NODES_S", 0.5)
    await until("what is missing", lambda: acquired.account.status().problem)
    problem = acquired.account.status().problem
    assert problem is not None
    assert "press-1.speed" in problem or "nsu=urn:x;s=speed" in problem
    assert "the server has no namespace 'urn:x'" in problem
    index = await server.register_namespace("urn:x")
    await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 42.0)
    await until("its value", lambda: 42.0 in acquired.values)
    await until("no problem any more", lambda: acquired.account.status().problem is None)


async def test_a_node_that_is_deleted_is_named_and_monitored_again_when_it_is_back(
    server: Server, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua, "RETRY_NODES_S", 0.5)
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 41.0)
    await until("its value", lambda: 41.0 in acquired.values)
    gone = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown), SourceTimestamp=datetime.now(UTC))
    await server.write_attribute_value(node.nodeid, gone)
    # asyncua's own way of telling makes coroutines that nobody awaits
    space = server.iserver.aspace
    for handle in list(space[node.nodeid].attributes[ua.AttributeIds.Value].datachange_callbacks):
        space.delete_datachange_callback(handle)
    await server.delete_nodes([node])
    await until("what is missing", lambda: "BadNodeIdUnknown" in (acquired.account.status().problem or ""))
    assert "press-1.speed" in (acquired.account.status().problem or "")
    await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 42.0)
    await until("the value of the new node", lambda: 42.0 in acquired.values)
    await until("no problem any more", lambda: acquired.account.status().problem is None)


async def test_check_looks_at_clock_limits_units_and_rates(
    server: Server, tmp_path: Path, make_plant: Callable[..., Plant]
) -> None:
    make_plant()
    path = tmp_path / "plant.toml"
    text = path.read_text().replace("opc.tcp://127.0.0.1:4840", server.endpoint.geturl())
    constant = 'pressure = { unit = "bar", source = "plc", node = "nsu=urn:x;s=pressure", stale_s = 1.0 }'
    path.write_text(text.replace("[assets.press-1.signals]", f"[assets.press-1.signals]\n{constant}"))
    plant = load_plant(path)
    index = await server.register_namespace("urn:x")
    speed = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 100.0)
    pressure = await server.nodes.objects.add_variable(ua.NodeId("pressure", index), "pressure", 1.0)
    kilopascal = ua.EUInformation("http://x", UNITS["kPa"].unit_id, ua.LocalizedText("kPa"), ua.LocalizedText(""))
    await pressure.add_property(ua.NodeId("eu", index), "0:EngineeringUnits", kilopascal)

    async def changing() -> None:
        for number in range(10_000):
            await speed.write_value(float(number))
            await asyncio.sleep(0.1)

    task = asyncio.create_task(changing())
    findings = await check(plant, tmp_path, {}, listen_s=2.0)
    task.cancel()
    good = [finding.text for finding in findings if finding.good]
    bad = [finding.text for finding in findings if not finding.good]
    assert any("its clock is" in text and "ms" in text for text in good)
    assert any("takes at most 10000 nodes in a read" in text for text in good)
    assert any("press-1.speed" in text and ", every 0." in text for text in good)
    assert any("press-1.pressure" in text and "it is in kPa, the plant file says bar" in text for text in bad)
    assert any("press-1.pressure" in text and "nothing came for 2 s: it counts as stale after 1 s" in text for text in bad)


async def test_check_says_in_words_what_is_wrong(server: Server, plant: Plant, tmp_path: Path) -> None:
    index = await server.register_namespace("urn:x")
    await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", "fast")
    findings = {finding.text: finding.good for finding in await check(plant, tmp_path, {}, listen_s=0.5)}
    assert any("source 'plc'" in text and good for text, good in findings.items())
    assert any(
        "its value 'fast' is not usable (wrong-type); a number is needed" in text for text, good in findings.items() if not good
    )
    assert any("source 'broker'" in text and "Is the broker running" in text for text, good in findings.items() if not good)
    assert any("there is no such model; `python -m models train` makes one" in text for text in findings)


@pytest.mark.parametrize("before_the_answer", [False, True])
async def test_a_value_that_has_been_so_for_long_is_no_wrong_clock(
    server: Server, plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_the_answer: bool
) -> None:
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 1480.0)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await node.write_value(ua.DataValue(ua.Variant(1480.0), SourceTimestamp=yesterday, ServerTimestamp=datetime.now(UTC)))
    source = replace(plant.sources["plc"], clock="wall")
    fresh = Acquired(replace(plant, sources={**plant.sources, "plc": source}), tmp_path)
    create = InternalSession.create_monitored_items

    async def slow(session: InternalSession, parameters: ua.CreateMonitoredItemsParameters) -> object:
        created = await create(session, parameters)
        await until("the value", lambda: fresh.values)
        return created

    if before_the_answer:
        monkeypatch.setattr(InternalSession, "create_monitored_items", slow)
    task = asyncio.create_task(fresh.acquisition.run())
    await until("the value", lambda: fresh.values)
    assert fresh.account.status().problem is None
    assert fresh.account.status().rejected == {}
    # but a later one with such a time is
    await node.write_value(ua.DataValue(ua.Variant(1481.0), SourceTimestamp=yesterday, ServerTimestamp=datetime.now(UTC)))
    await until("the next", lambda: 1481.0 in fresh.values)
    assert "the clock of source 'plc' says" in str(fresh.account.status().problem)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_edge_that_had_no_processor_does_not_take_that_for_silence(
    server: Server, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua, "SILENT_S", 4.0)
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 1.0)
    monkeypatch.setattr(opcua, "RETRY_NODES_S", 0.5)
    await until("the first value", lambda: acquired.values)
    since = acquired.account.status().since
    # longer than a server may be silent, and nobody here hears anything: neither what came nor the time that goes by
    time.sleep(6.0)  # noqa: ASYNC251  # that is what it is about
    await node.write_value(2.0)
    await until("the next value", lambda: 2.0 in acquired.values)
    await asyncio.sleep(2.0)
    status = acquired.account.status()
    assert status.state is SourceState.CONNECTED
    assert status.since == since, "the connection was not lost"
