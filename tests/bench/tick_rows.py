"""What a tick of 1,000 assets costs in the pipeline alone, against the bare session on batches of the same size."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.formats.json_message import Identity, encode
from edge.journal import Journal
from edge.pipeline import OnnxModel, Pipeline
from tests.bench.plants import N_SAMPLES, N_SIGNALS, S, model_file, mqtt_plant
from tests.bench.table import Row

N_ASSETS: Final = 1000
N_TICKS: Final = 40


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def rows() -> Iterator[Row]:
    rng = np.random.default_rng(1)
    with TemporaryDirectory(prefix="kullager-bench-") as name:
        folder = Path(name)
        plant = load_plant(mqtt_plant(folder / "plant.toml", N_ASSETS, "mqtt://127.0.0.1:1883"))
        model = OnnxModel.load(model_file())
        pipeline = Pipeline(plant, {"press": model})
        signal = np.arange(N_ASSETS * N_SIGNALS, dtype=np.int32)
        ticks, bare, wires, writes = [], [], [], []
        with Journal(folder / "journal.sqlite", edge="edge-1", topics=plant.topics) as journal:
            for number in range(N_SAMPLES + 5 + N_TICKS):
                values = rng.normal(size=(N_ASSETS, N_SIGNALS)) + rng.normal(size=(N_ASSETS, 1))
                pipeline.feed(SampleBatch.of(signal, np.full(len(signal), number * S), values.ravel()))
                begun = time.process_time()
                results = pipeline.advance(number * S)
                took = (time.process_time() - begun) * 1000
                if number < N_SAMPLES + 5:
                    continue
                ticks.append(took)
                window = rng.normal(size=(N_ASSETS + -N_ASSETS % 16, N_SAMPLES, N_SIGNALS)).astype(np.float32)
                bare.append(cpu_ms(lambda: model.session.run(None, {"window": window})))  # noqa: B023  # called at once
                found = results.assessments
                identity = Identity(edge="edge-1", journal="j", seq=1)
                wires.append(cpu_ms(lambda: [encode(each, identity) for each in found]))  # noqa: B023
                writes.append(cpu_ms(lambda: journal.append(found, 0.0, [number])))  # noqa: B023
    tick, session = statistics.median(ticks), statistics.median(bare)
    yield Row(
        what=f"scoring tick, {N_ASSETS:,} assets × {N_SIGNALS} signals × {N_SAMPLES} samples",
        unit="ms",
        ours=tick,
        floor="2.4 numpy features + 0.1 model",
        peer="the bare session on the same batches",
        peer_value=session,
        at_most=6.0,
        ratio_at_most=1 / 0.9,
        note="grid, windows, score, health, alarms, assessments as objects",
    )
    yield Row(
        what=f"{N_ASSETS:,} assessments into the journal, written as JSON once",
        unit="ms",
        ours=statistics.median(writes),
        peer="their JSON alone",
        peer_value=statistics.median(wires),
    )
