"""Ten million samples through every kind of trouble: of each it is known what became of it, at any time."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import Quality, SampleBatch, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.data_manipulation.waveform_hold import WaveformHold
from edge.pipeline import Pipeline

S: Final = 1_000_000_000
START: Final = 1_790_000_000 * S
N_ASSETS, N_SIGNALS = 50, 8
N_SAMPLES: Final = 10_000_000
BATCH: Final = 20_000


def plant_of(folder: Path) -> Plant:
    lines = [
        "schema = 1",
        '[site]\nenterprise = "example"\nsite = "works"\narea = "hall"',
        '[edge]\nid = "edge-1"',
        '[sources.plc]\nkind = "opcua"\nurl = "opc.tcp://127.0.0.1:4840"\nclock = "source"',
        '[sources.broker]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:1883"',
    ]
    for number in range(N_ASSETS):
        lines += [f'[assets.m{number}]\nclass = "machine"\nperiod_s = 5.0\nlateness_s = 1.0', f"[assets.m{number}.signals]"]
        lines += [f's{k} = {{ unit = "1", source = "plc", node = "nsu=urn:x;s=m{number}.s{k}" }}' for k in range(N_SIGNALS)]
    path = folder / "plant.toml"
    path.write_text("\n".join(lines))
    return load_plant(path)


def trouble(rng: np.random.Generator, begin: int, n: int) -> tuple[SampleBatch, int]:
    """Samples of ten seconds: some late, twice or bad, and some of a year that is still to come; and how many of these."""
    signal = rng.integers(0, N_ASSETS * N_SIGNALS, n).astype(np.int32)
    time = begin + np.sort(rng.integers(0, 10 * S, n)) // 1_000_000 * 1_000_000
    time -= np.where(rng.random(n) < 0.02, rng.integers(0, 60 * S, n), 0)
    repeated = rng.random(n) < 0.03
    source = np.maximum(np.arange(n) - repeated, 0)
    signal, time = signal[source], time[source]
    future = rng.random(n) < 0.001
    time = np.where(future, time + 10 * 365 * 86_400 * S, time)
    quality = rng.choice(np.array([Quality.GOOD, Quality.UNCERTAIN, Quality.BAD], np.uint8), n, p=[0.9, 0.05, 0.05])
    return SampleBatch.of(signal, time, rng.normal(size=n), quality), int(future.sum())


def assert_balanced(pipeline: Pipeline) -> None:
    assert not pipeline.account.difference(pipeline.waiting).any()


def test_ten_million_samples_through_trouble_leave_no_difference(tmp_path: Path) -> None:
    plant, rng = plant_of(tmp_path), np.random.default_rng(7)
    pipeline = Pipeline(plant, {})
    came: NDArray[np.int64] = np.zeros(len(plant.signal_table), np.int64)
    carried = lost = refused = 0
    totals = np.zeros(len(Fate), np.int64)
    begin = START
    for number in range(N_SAMPLES // BATCH):
        source = SourceAccount("plc", "source", lambda: 0, pipeline.account)
        batch, of_the_future = trouble(rng, begin, BATCH)
        came += np.bincount(batch.signal, minlength=len(came))
        refused += of_the_future
        accepted = source.accept(batch, begin)
        pipeline.feed(accepted)
        assert_balanced(pipeline)
        pipeline.advance(int(accepted.time.max()))
        assert_balanced(pipeline)
        begin += 10 * S
        if number % 50 == 17:
            # the source's clock is set back by an hour
            lost += int(pipeline.waiting.sum())
            pipeline.rewind()
            assert_balanced(pipeline)
            begin -= 3600 * S
        if number % 50 == 33:
            # killed and started again: what waited is in the state
            totals += pipeline.account.settled.sum(axis=1)
            carried += int(pipeline.waiting.sum())
            before, pipeline = pipeline, Pipeline(plant, {})
            pipeline.restore(before.state(), before.reached)
            assert_balanced(pipeline)
    waiting = int(pipeline.waiting.sum())
    totals += pipeline.account.settled.sum(axis=1)
    assert came.sum() == N_SAMPLES == totals.sum() + waiting
    assert min(carried, lost, refused, *totals[[Fate.USED, Fate.WITHHELD, Fate.LATE, Fate.DUPLICATE]]) > 0
    assert (totals[Fate.LOST], totals[Fate.REFUSED], totals[Fate.RECOVERED]) == (lost, refused, 0)
    # one in fifty is late, one in thirty comes twice, one in twenty is bad
    assert 0.01 < totals[Fate.LATE] / N_SAMPLES < 0.02
    assert 0.025 < totals[Fate.DUPLICATE] / N_SAMPLES < 0.035
    assert 0.04 < totals[Fate.WITHHELD] / N_SAMPLES < 0.05


def test_a_sample_that_is_lost_on_the_way_shows_as_a_difference(tmp_path: Path) -> None:
    plant = plant_of(tmp_path)
    pipeline = Pipeline(plant, {})
    source = SourceAccount("plc", "source", lambda: 0, pipeline.account)
    batch = source.accept(SampleBatch.of([3, 4], [START, START], [1.0, 2.0]), START)
    pipeline.feed(SampleBatch.of(batch.signal[:1], batch.time[:1], batch.value[:1]))
    difference = pipeline.account.difference(pipeline.waiting)
    assert {index: int(difference[index]) for index in np.flatnonzero(difference)} == {4: 1}


def test_a_block_of_a_fast_signal_counts_as_a_sample(make_plant: Callable[..., Plant]) -> None:
    account = SampleAccount(make_plant())
    hold = WaveformHold({1: 0}, 4, np.array([10.0]), np.array([4.0]), account)
    blocks = {
        second: WaveformBlock(signal=1, time=START + second * S, rate_hz=4.0, points=np.zeros(n, np.float32))
        for second, n in ((0, 4), (5, 4), (6, 3), (90, 4))
    }
    for block in (blocks[5], blocks[6], blocks[90]):
        account.receive(np.array([block.signal], np.int32))
        hold.feed(block)
    hold.advance(START + 10 * S)
    account.receive(np.array([1], np.int32))
    hold.feed(blocks[0])
    hold.advance(START + 11 * S)
    assert hold.waiting.tolist() == [0, 1]
    assert account.settled[[Fate.USED, Fate.REFUSED, Fate.LATE], 1].tolist() == [1, 1, 1]
    assert not account.difference(hold.waiting).any()
    hold.rewind()
    assert account.total(Fate.LOST) == 1
    assert not account.difference(hold.waiting).any()
