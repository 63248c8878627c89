"""Values that their source sends on change only stay while it vouches for them, and no longer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from asyncua import Server, ua

from edge.contracts.plant import Plant, Signal, SignalEntry
from edge.contracts.sample_batch import Quality, SampleBatch
from edge.data_acquisition.on_change import OnChange
from tests.edge.test_mqtt import until
from tests.edge.test_opcua import Acquired
from tests.simulator.clients import in_background

S = 1_000_000_000
NOW = 1_795_000_000 * S


def row(index: int, stale_s: float = 6.0) -> SignalEntry:
    return SignalEntry(
        index=index, asset="press-1", name=f"s{index}", signal=Signal(unit="1", source="plc", stale_s=stale_s), is_text=False
    )


def shown(batch: SampleBatch) -> list[tuple[int, float, float]]:
    """Signal, seconds since NOW, and value of each sample."""
    times = ((batch.time - NOW) / S).tolist()
    return list(zip(batch.signal.tolist(), times, batch.value.tolist(), strict=True))


def test_a_value_is_said_again_before_it_is_stale() -> None:
    held = OnChange([row(0), row(2, stale_s=30.0)])
    assert held.saw(SampleBatch.of([0, 1, 2], [NOW] * 3, [1.0, 2.0, 3.0])) is None
    said = [each for second in range(1, 14) for each in shown(held.repeat(NOW + second * S))]
    # a second behind the evidence; the one that is not held is never said
    assert said == [(0, 2.0, 1.0), (0, 4.0, 1.0), (0, 6.0, 1.0), (0, 8.0, 1.0), (0, 10.0, 1.0), (2, 10.0, 3.0), (0, 12.0, 1.0)]


def test_a_change_that_is_older_than_the_last_repetition_counts_from_there_on() -> None:
    held = OnChange([row(0)])
    held.saw(SampleBatch.of([0], [NOW], [1.0]))
    assert shown(held.repeat(NOW + 5 * S)) == [(0, 4.0, 1.0)]
    more = held.saw(SampleBatch.of([0, 0], [NOW + 2 * S, NOW + 3 * S], [5.0, 6.0]))
    assert more is not None
    assert (more.time - NOW).tolist() == [4 * S + 1]
    assert more.value.tolist() == [6.0]
    assert held.saw(SampleBatch.of([0], [NOW + 5 * S], [7.0])) is None
    assert shown(held.repeat(NOW + 9 * S)) == [(0, 8.0, 7.0)]


def test_quality_is_held_and_what_was_never_heard_is_not_said() -> None:
    held = OnChange([row(0), row(1)])
    held.saw(SampleBatch.of([0], [NOW], [np.nan], [Quality.BAD]))
    again = held.repeat(NOW + 10 * S)
    assert (again.signal.tolist(), again.quality.tolist()) == ([0], [Quality.BAD])
    assert not len(held.repeat(NOW + 20 * S, among={1}))
    held.forget()
    assert not len(held.repeat(NOW + 30 * S))
    assert not OnChange([])
    assert OnChange([]).saw(SampleBatch.of([0], [NOW], [1.0])) is None


async def test_a_constant_node_stays_while_its_subscription_lives(
    server: Server, make_plant: Callable[..., Plant], tmp_path: Path
) -> None:
    plant = make_plant()
    (speed,) = plant.signals_of("plc")
    asset = plant.assets["press-1"]
    signals = {**asset.signals, "speed": replace(speed.signal, stale_s=1.5, on_change=True)}
    source = replace(plant.sources["plc"], url=server.endpoint.geturl(), clock="wall")
    plant = replace(plant, assets={"press-1": replace(asset, signals=signals)}, sources={**plant.sources, "plc": source})
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 1480.0)
    acquired = Acquired(plant, tmp_path)
    async with in_background(acquired.acquisition.run()):
        await until("repetitions", lambda: len(acquired.batches) >= 4)
        assert {value for batch in acquired.batches for value in batch.value.tolist()} == {1480.0}
        await node.write_value(1500.0)
        await until("the change", lambda: acquired.batches[-1].value[-1] == 1500.0)
        await until("its repetitions", lambda: sum(1500.0 in batch.value for batch in acquired.batches) >= 3)
        times = np.concatenate([batch.time for batch in acquired.batches])
        assert len(times) == len(set(times.tolist())), "each has a time of its own"
        assert acquired.account.status().samples == 2, "and only what came counts as having come"
        await server.stop()
        await until("the loss", lambda: not acquired.account.is_connected)
        n_said = len(acquired.batches)
        await asyncio.sleep(3.0)
        assert len(acquired.batches) == n_said, "nobody vouches for it any more"
        await server.start()
