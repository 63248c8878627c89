"""What a recording of the simulator costs, as ratios in one run: `python -m tests.bench.generator`.

The floor is the bare drawing of the random numbers that the readings need, two for each; the figure of merit is signal values a
second of process CPU on one core, Parquet file and labels included.
"""

import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.contracts.plant_file import load_plant
from simulator.fleet_file import fleet_file
from simulator.generate import Story, generate
from simulator.parquet import write_parquet
from simulator.scenario import load_scenario
from tests.bench.table import Row

DEMO = Path("edge/plants/demo.toml")
FIVE = ("pump", "spindle", "compressor", "robot", "furnace")
CASES = (
    ("one of each, 48 h", dict.fromkeys(FIVE, 1), 48.0),
    *((f"200 of class {kind}, 2 h", {kind: 200}, 2.0) for kind in FIVE),
)


def measured(machines: dict[str, int], hours: float) -> tuple[int, float, float]:
    """Signal values of a recording, CPU seconds that it took, and those of the bare random numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.toml"
        path.write_text(fleet_file(DEMO, machines), encoding="utf-8")
        plant = load_plant(path)
        story = Story(scenario=load_scenario("week"), name="week")
        assets = list(plant.assets)
        began = time.process_time()
        rows = write_parquet(
            Path(folder) / "out.parquet", plant, assets, generate(plant, assets, hours=hours, seed=1, story=story)
        )
        took = time.process_time() - began
    # every asset has rows in proportion to its rate, and a value of each of its signals in each
    rates = {asset: 1.0 / plant.assets[asset].period_s for asset in assets}
    width = sum(rate * len(plant.assets[asset].signals) for asset, rate in rates.items()) / sum(rates.values())
    values = round(rows * width)
    began = time.process_time()
    np.random.default_rng(1).standard_normal(2 * values)
    return values, took, time.process_time() - began


def rows() -> Iterator[Row]:
    name, machines, hours = CASES[0]
    values, took, floor = measured(machines, hours)
    yield Row(
        what=f"CPU of a signal value in a recording of the simulator, {name}, Parquet and labels included",
        unit="µs",
        ours=1e6 * took / values,
        peer="its bare random numbers",
        peer_value=1e6 * floor / values,
    )


def main() -> int:
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}\n")
    print("| recording | signal values | values a CPU second | × bare random numbers |\n|---|---|---|---|")
    for name, machines, hours in CASES:
        values, took, floor = measured(machines, hours)
        print(f"| {name} | {values / 1e6:.1f} M | {values / took / 1e6:.2f} M | {took / floor:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
