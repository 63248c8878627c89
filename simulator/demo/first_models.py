"""The models that the demo needs and that nobody has trained yet."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Final

from edge.contracts.plant import Plant
from simulator.demo.offspring import stop, tied
from simulator.demo.speech import DemoFailed, tell

HEALTHY_HOURS: Final = 12.0


async def train_missing_models(plant: Plant, plant_file: Path, home: Path) -> None:
    """Train each model of the plant that has no file yet, from a recording of the healthy simulated machine.

    A model that is there is never touched: it may be somebody's own.
    """
    first_assets = {entry.model: asset for asset, entry in reversed(plant.assets.items()) if entry.model}
    for model, asset in reversed(first_assets.items()):
        if (home / "models" / f"{model}.onnx").exists():
            continue
        tell(f"Training the model '{model}', once, on {HEALTHY_HOURS:g} hours of the healthy {asset} …")
        recording = home / "simulator" / f"healthy-{asset}.csv"
        recording.parent.mkdir(parents=True, exist_ok=True)
        of_asset = ("--plant", str(plant_file), "--asset", asset)
        await _step("simulator", "record", *of_asset, "--hours", str(HEALTHY_HOURS), "--out", str(recording), home=home)
        await _step("models", "train", str(recording), *of_asset, home=home)


async def _step(*arguments: str, home: Path) -> None:
    environ = os.environ | {"KULLAGER_HOME": str(home)}
    process = await asyncio.create_subprocess_exec(*tied(), sys.executable, "-m", *arguments, env=environ)
    try:
        if code := await process.wait():
            raise DemoFailed(f"'python -m {shlex.join(arguments)}' failed with exit code {code}; what it says stands above.")
    finally:
        await stop(process)
