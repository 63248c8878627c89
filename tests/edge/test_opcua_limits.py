"""A server's limits are read and kept to, and a server that takes less than it says gets smaller calls."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from asyncua import Client, Server, ua

from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua import OpcuaAcquisition
from edge.data_acquisition.opcua_limits import Limit, ServerLimits, in_batches
from edge.data_acquisition.opcua_security import opcua_credentials

N_NODES = 250


@pytest.fixture
def plant(tmp_path: Path, server: Server) -> Plant:
    signals = "\n".join(
        f's{number} = {{ unit = "1", source = "plc", node = "nsu=urn:x;s=s{number}" }}' for number in range(N_NODES)
    )
    path = tmp_path / "plant.toml"
    path.write_text(f"""
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.plc]
kind = "opcua"
url = "{server.endpoint.geturl()}"
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
[assets.press-1]
class = "press"
[assets.press-1.signals]
{signals}
""")
    return load_plant(path)


async def state(server: Server, limit: int) -> None:
    node = server.get_node(ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall))
    await node.write_value(ua.Variant(limit, ua.VariantType.UInt32))


class Counted:
    """How many items each call had; beyond `most` the server says that they are too many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = 10**9) -> None:
        self.sizes: list[int] = []
        from asyncua.server.internal_session import InternalSession

        original = InternalSession.create_monitored_items

        async def counting(session: InternalSession, parameters: ua.CreateMonitoredItemsParameters) -> Sequence[object]:
            self.sizes.append(len(parameters.ItemsToCreate))
            if len(parameters.ItemsToCreate) > most:
                raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
            return await original(session, parameters)

        monkeypatch.setattr(InternalSession, "create_monitored_items", counting)


async def acquired(plant: Plant, server: Server, home: Path) -> SourceAccount:
    """The account after all signals have come once."""
    import asyncio

    index = await server.register_namespace("urn:x")
    for number in range(N_NODES):
        await server.nodes.objects.add_variable(ua.NodeId(f"s{number}", index), f"s{number}", float(number))
    source, seen = plant.sources["plc"], set()
    assert isinstance(source, OpcuaSource)
    account = SourceAccount("plc", source.clock, lambda: 0, SampleAccount(plant))
    everything = asyncio.Event()

    async def take(_source: str, batch: object) -> None:
        seen.update(batch.signal.tolist())  # type: ignore[attr-defined]
        if len(seen) == N_NODES:
            everything.set()

    credentials = opcua_credentials("plc", home, {})
    run = OpcuaAcquisition("plc", source, plant.signals_of("plc"), {}, account, take, credentials, {"press-1": 1.0}).run()
    task = asyncio.create_task(run)
    async with asyncio.timeout(60):
        await everything.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return account


async def test_what_the_server_states_is_kept_to(
    plant: Plant, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await state(server, 100)
    calls = Counted(monkeypatch)
    await acquired(plant, server, tmp_path)
    assert calls.sizes == [100, 100, 50]


async def test_a_server_that_takes_less_than_it_states_gets_smaller_calls(
    plant: Plant, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await state(server, 200)
    calls = Counted(monkeypatch, most=60)
    await acquired(plant, server, tmp_path)
    assert calls.sizes == [200, 100, 50, 50, 50, 50, 50]


async def test_no_limit_is_no_limit(server: Server) -> None:
    async with Client(server.endpoint.geturl()) as client:
        await state(server, 0)
        limits = ServerLimits()
        await limits.read(client)
        assert "monitor" not in limits.stated
        assert limits.of("monitor").at_most == 1000


async def test_what_a_server_revises_is_told(
    plant: Plant, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncua.server.internal_session import InternalSession

    original = InternalSession.create_monitored_items

    async def revising(session: InternalSession, parameters: ua.CreateMonitoredItemsParameters) -> Sequence[object]:
        results = await original(session, parameters)
        for result in results:
            result.RevisedQueueSize, result.RevisedSamplingInterval = 1, 5000.0
        return results

    monkeypatch.setattr(InternalSession, "create_monitored_items", revising)
    account = await acquired(plant, server, tmp_path)
    queue, sampling = account.status().notes
    assert queue.startswith("the server keeps 1 values of a signal instead of 20: what comes more than 10 times a second")
    assert "(250 signals, such as press-1.s0)" in queue
    assert sampling.startswith("the server samples every 5 s, and the plant file's grid has one instant every 1 s")


async def test_a_single_item_that_is_too_much_and_other_errors_are_raised() -> None:
    async def too_much(_part: Sequence[int]) -> Sequence[int]:
        raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)

    limit = Limit(8)
    with pytest.raises(ua.UaStatusCodeError):
        await in_batches(range(8), limit, too_much)
    assert limit.at_most == 1

    async def silent(_part: Sequence[int]) -> Sequence[int]:
        raise TimeoutError

    limit = Limit(8)
    with pytest.raises(TimeoutError):
        await in_batches(range(8), limit, silent)
    # the next connection begins with half
    assert limit.at_most == 4
