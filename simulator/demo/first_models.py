"""The models that a simulated plant needs and that nobody has trained yet.

    python -m simulator.demo.first_models --plant edge/plants/demo.toml

The demo calls this before anything else starts; in containers it is a service that ends before the edge begins.
"""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from simulator.demo.offspring import stop, tied
from simulator.demo.speech import DemoFailed, tell

# for a machine that is sampled every second; a slower one needs longer to show all its products. In a day a machine that makes
# several shows but some of them, and the others would be withheld as unknown
HEALTHY_HOURS: Final = 72.0
# a visitor should see alarms that were caused
FALSE_ALARMS: Final = 0.0


async def train_missing_models(plant: Plant, plant_file: Path, home: Path) -> None:
    """Train each model of the plant that has no file yet, from a recording of the healthy simulated machine.

    As many at once as there are cores. A model that is there is never touched: it may be somebody's own.
    """
    first_assets = {entry.model: asset for asset, entry in reversed(plant.assets.items()) if entry.model}
    missing = [asset for model, asset in reversed(first_assets.items()) if not (home / "models" / f"{model}.onnx").exists()]
    if not missing:
        return
    tell(f"Training models, once, on three days or more of the healthy {', '.join(missing)} …")
    (home / "simulator").mkdir(parents=True, exist_ok=True)
    cores = asyncio.Semaphore(os.cpu_count() or 1)

    async def train(asset: str) -> None:
        recording = home / "simulator" / f"healthy-{asset}.parquet"
        of_asset = ("--plant", str(plant_file), "--asset", asset)
        async with cores:
            hours = str(HEALTHY_HOURS * max(plant.assets[asset].period_s, 1.0))
            await step("simulator", "record", *of_asset, "--hours", hours, "--out", str(recording), home=home)
            await step("models", "train", str(recording), *of_asset, "--false-alarms", str(FALSE_ALARMS), home=home)

    try:
        async with asyncio.TaskGroup() as tasks:
            for asset in missing:
                tasks.create_task(train(asset))
    except* DemoFailed as failed:
        raise failed.exceptions[0] from None


async def step(*arguments: str, home: Path, quiet: bool = False) -> None:
    """Run one of kullager's commands to its end; raises `DemoFailed`. `quiet`: what goes well needs no words."""
    environ = os.environ | {"KULLAGER_HOME": str(home)}
    out = asyncio.subprocess.DEVNULL if quiet else None
    process = await asyncio.create_subprocess_exec(*tied(), sys.executable, "-m", *arguments, env=environ, stdout=out)
    try:
        if code := await process.wait():
            raise DemoFailed(f"'python -m {shlex.join(arguments)}' failed with exit code {code}; what it says stands above.")
    finally:
        await stop(process)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 when every model is there, 2 with one sentence on stderr where the operator can do something."""
    parser = argparse.ArgumentParser(prog="python -m simulator.demo.first_models", description="Train what is missing.")
    parser.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    options = parser.parse_args(arguments)
    home = Path(os.environ.get("KULLAGER_HOME", ".kullager")).resolve()
    try:
        asyncio.run(train_missing_models(load_plant(options.plant, os.environ), options.plant, home))
    except KullagerError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command of its own
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
