"""What a tick of 1,000 assets costs in the pipeline alone: its scoring, the model's run in it, and its messages."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.formats.json_message import Identity, encode
from edge.group_pipeline import Results
from edge.journal import Journal
from edge.pipeline import OnnxModel, Pipeline
from edge.state_detection.onnx_model import BATCH_MULTIPLE
from tests.bench.plants import N_SAMPLES, N_SIGNALS, S, model_file, mqtt_plant
from tests.bench.processes import BenchError
from tests.bench.table import Row

N_ASSETS: Final = 1000
N_TICKS: Final = 40

Arrays = NDArray[np.float32]


class Costs:
    """CPU [ms] of the parts of a tick, one for each time."""

    def __init__(self) -> None:
        self._ms: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self._ms[part].append((time.process_time() - begun) * 1000)

    def median(self, part: str) -> float:
        return statistics.median(self._ms[part][-N_TICKS:])


def rows() -> Iterator[Row]:
    costs = Costs()
    with TemporaryDirectory(prefix="kullager-bench-") as name:
        _measure(costs, Path(name))
    yield Row(
        what=f"scoring, {N_ASSETS:,} assets × {N_SIGNALS} signals × {N_SAMPLES} samples, features in the graph",
        unit="ms",
        ours=costs.median("scoring"),
        floor="2.4 numpy features + 0.1 model",
        peer="the bare session on the same batches",
        peer_value=costs.median("session"),
        at_most=6.0,
        note="grid, windows, model, health, remaining life",
    )
    yield Row(
        what="of it the model's run, one batch for all assets",
        unit="ms",
        ours=costs.median("model"),
        peer="the bare session on the same batches",
        peer_value=costs.median("session"),
        ratio_at_most=1 / 0.9,
        note="as the detector calls it",
    )
    yield Row(
        what=f"what there is to say of {N_ASSETS:,} assets: assessments as columns, production, alarms, cases",
        unit="ms",
        ours=costs.median("messages"),
    )
    yield Row(
        what=f"{N_ASSETS:,} assessments into the journal, written as JSON once",
        unit="ms",
        ours=costs.median("journal"),
        peer="the JSON of each as an object, alone",
        peer_value=costs.median("JSON"),
    )


def _measure(costs: Costs, folder: Path) -> None:
    rng = np.random.default_rng(1)
    plant = load_plant(mqtt_plant(folder / "plant.toml", N_ASSETS, "mqtt://127.0.0.1:1883"))
    model = OnnxModel.load(model_file())
    pipeline = Pipeline(plant, {"press": model})
    (group,) = pipeline.groups
    signal, identity = np.arange(N_ASSETS * N_SIGNALS, dtype=np.int32), Identity(edge="edge-1", journal="j", seq=1)
    with Journal(folder / "journal.sqlite", edge="edge-1", topics=plant.topics) as journal:
        for number in range(N_SAMPLES + 5 + N_TICKS):
            values = rng.normal(size=(N_ASSETS, N_SIGNALS)) + rng.normal(size=(N_ASSETS, 1))
            pipeline.feed(SampleBatch.of(signal, np.full(len(signal), number * S), values.ravel()))
            results = Results()
            with costs.of("scoring"):
                scored = [found for row in group.grid.advance(number * S) if (found := group.score(row)) is not None]
            with costs.of("messages"):
                for found in scored:
                    group.tell(found, results)
            if number < N_SAMPLES + 5:
                continue
            if len(results.assessments) != N_ASSETS or any(each.score is None for each in results.assessments):
                raise BenchError(f"{len(results.assessments):,} of {N_ASSETS:,} assets were assessed, or not all with a score")
            inputs = _padded(group.window.view)
            # in turn, so that neither always finds the caches as the other has left them
            runs: list[tuple[str, Callable[[], object]]] = [
                ("session", lambda: model.session.run(None, inputs)),  # noqa: B023  # called at once
                ("model", lambda: model.score(inputs)),  # noqa: B023
            ]
            for part, run in runs if number % 2 else reversed(runs):
                with costs.of(part):
                    run()
            with costs.of("JSON"):
                for each in results.assessments:
                    encode(each, identity)
            with costs.of("journal"):
                journal.append(results.tables, 0.0, [number])


def _padded(window: Arrays) -> dict[str, Arrays]:
    """The batch of this window as the detector hands it over."""
    return {"window": np.concatenate([window, np.repeat(window[-1:], -len(window) % BATCH_MULTIPLE, axis=0)])}
