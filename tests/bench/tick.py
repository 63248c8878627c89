"""What a tick of the edge costs, as ratios in one run: `python -m tests.bench.tick`.

1,000 assets × 8 signals at 1 Hz, windows of 60 samples, the default family of models. The floor of scoring is the bare
session on the same batches; the floor of reading is the bare JSON parser on the same messages.
"""

import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import orjson

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.formats.json_message import Identity, encode
from edge.formats.recording import Recording
from edge.formats.signal_json import SignalMessages, SignalTopics
from edge.journal import Journal
from edge.pipeline import OnnxModel, Pipeline
from models.export import write
from models.settings import Settings
from models.training import train

N_ASSETS, N_SIGNALS, N_SAMPLES, N_TICKS = 1000, 8, 60, 40
S = 1_000_000_000

HEAD = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
clock = "source"
"""
ASSET = """
[assets.press-{n}]
class = "press"
model = "press"
[assets.press-{n}.signals]
"""
SIGNAL = 's{k} = {{ unit = "1", source = "broker", topic = "press/{n}", field = "s{k}", time_field = "time" }}\n'


def plant_of(folder: Path, n_assets: int) -> Plant:
    assets = (ASSET.format(n=n) + "".join(SIGNAL.format(n=n, k=k) for k in range(N_SIGNALS)) for n in range(n_assets))
    path = folder / f"plant-{n_assets}.toml"
    path.write_text(HEAD + "".join(assets))
    return load_plant(path)


def model_of(folder: Path) -> OnnxModel:
    """The default family, trained on noise with some correlation."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, N_SIGNALS)) + rng.normal(size=(2000, 1))
    recording = Recording(
        path="noise",
        asset="press-0",
        time=np.arange(2000, dtype=np.int64) * S,
        values={f"s{k}": values[:, k] for k in range(N_SIGNALS)},
    )
    path = folder / "press.onnx"
    write(path, train(recording, plant_of(folder, 1), Settings(n_samples=N_SAMPLES)).content)
    return OnnxModel.load(path)


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def main() -> None:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant, model = plant_of(folder, N_ASSETS), model_of(folder)
        pipeline = Pipeline(plant, {"press": model})
        signal = np.arange(N_ASSETS * N_SIGNALS, dtype=np.int32)
        ticks, bare, writes, wires = [], [], [], []
        with Journal(folder / "journal.sqlite", edge="edge-1", topics=plant.topics) as journal:
            for k in range(N_SAMPLES + N_TICKS):
                values = rng.normal(size=len(signal))
                pipeline.feed(SampleBatch.of(signal, np.full(len(signal), k * S), values))
                results = []
                tick = cpu_ms(lambda: results.append(pipeline.advance(k * S)))  # noqa: B023  # called at once
                if k < N_SAMPLES + 5:
                    continue
                window = rng.normal(size=(N_ASSETS + -N_ASSETS % 16, N_SAMPLES, N_SIGNALS)).astype(np.float32)
                ticks.append(tick)
                bare.append(cpu_ms(lambda: model.session.run(None, {"window": window})))  # noqa: B023
                assessments = results[0].assessments
                identity = Identity(edge="e", journal="j", seq=1)
                wires.append(cpu_ms(lambda: [encode(a, identity) for a in assessments]))  # noqa: B023
                writes.append(cpu_ms(lambda: journal.append(assessments, 0.0, [k])))  # noqa: B023
        messages, topics = SignalMessages(plant, "press-0", "broker"), SignalTopics(plant, "broker", {})
        ((topic, payload),) = messages.write(S, lambda _: 1.25).items()
        read = statistics.median(cpu_ms(lambda: [topics.read(topic, payload, S) for _ in range(2000)]) for _ in range(5))
        parse = statistics.median(cpu_ms(lambda: [orjson.loads(payload) for _ in range(2000)]) for _ in range(5))

    t, b, w, j = (statistics.median(column) for column in (ticks, bare, wires, writes))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, onnxruntime {ort.__version__}")
    print(f"{N_ASSETS} assets × {N_SIGNALS} signals × {N_SAMPLES} samples, medians of {len(ticks)} ticks, CPU of one process")
    print(f"  bare session            {b:8.1f} ms    1.0")
    print(f"  pipeline, whole tick    {t:8.1f} ms    {t / b:.1f} × the bare session")
    print(f"  of it, on top           {t - b:8.1f} ms    grid, window, health, alarm conditions, {N_ASSETS} assessments")
    print(f"  messages as JSON        {w:8.1f} ms    {w / b:.1f} ×")
    print(f"  journal (JSON and disk) {j:8.1f} ms    {j / b:.1f} ×")
    print(f"  a plant message of {N_SIGNALS} values: {read / 2:.1f} µs, {read / parse:.1f} × the bare JSON parser")
    print(f"  peak memory             {peak_mb:8.0f} MB   (training included)")


if __name__ == "__main__":
    sys.exit(main())
