"""What training costs: 30 days of 20 signals at 1 Hz, the default family, in a process of its own.

python -m tests.bench.training
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.contracts.plant_file import load_plant
from edge.formats.recording import Recording
from models.settings import Settings
from models.training import train
from tests.bench.processes import Running
from tests.bench.table import Row

ROOT = Path(__file__).parents[2]
DAYS, SIGNALS = 30, 20
START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000


def main() -> None:
    names = [f"s{number}" for number in range(SIGNALS)]
    signals = "\n".join(f'{name} = {{ unit = "1", source = "broker", topic = "m", field = "{name}" }}' for name in names)
    head = (ROOT / "tests/cases/training/plant.toml").read_text(encoding="utf-8").split("[assets.pump]")[0]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plant.toml"
        path.write_text(f'{head}[assets.m]\nclass = "m"\n[assets.m.signals]\n{signals}\n', encoding="utf-8")
        plant = load_plant(path)
    random, n = np.random.default_rng(0), DAYS * 86_400
    # three slow causes behind all signals, and noise
    causes = np.sin(0.01 * np.cumsum(random.normal(size=(n, 3)), axis=0))
    values = {name: 10 + causes @ random.normal(size=3) + 0.1 * random.normal(size=n) for name in names}
    recording = Recording(path="made", asset="m", time=START + np.arange(n) * SECOND, values=values)
    del causes
    wall, cpu = time.perf_counter(), time.process_time()
    trained = train(recording, plant, Settings())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    held_gb = n * SIGNALS * 8 / 1e9
    if "--json" in sys.argv:
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_gb": peak_gb, "held_gb": held_gb}))
        return
    print(f"training {DAYS} days x {SIGNALS} signals x 1 Hz: {wall:.0f} s, {cpu:.0f} CPU s, at most {peak_gb:.2f} GB")
    print(f"  of these {held_gb:.2f} GB are the recording itself; the file has {len(trained.content) / 1000:.0f} kB")


def rows() -> Iterator[Row]:
    with Running([sys.executable, "-m", "tests.bench.training", "--json"]) as training:
        found = json.loads(training.line())
    yield Row(
        what=f"training on {DAYS} days × {SIGNALS} signals at 1 Hz, the default family",
        unit="CPU s",
        ours=found["cpu_s"],
        note=f"{found['wall_s']:.0f} s, at most {found['peak_gb']:.2f} GB, of which {found['held_gb']:.2f} are the recording",
    )


if __name__ == "__main__":
    main()
