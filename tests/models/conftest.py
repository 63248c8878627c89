"""Recordings to train on: a made-up pump that is quick to train, and the recorded rig where it is there."""

from pathlib import Path

import numpy as np
import pytest

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording, read_csv
from models.settings import Settings
from models.training import TrainedModel, train

ROOT = Path(__file__).parents[2]
SKAB = ROOT.parent / "shared/data/skab"
START = 1_795_514_400_000_000_000
SECOND = 1_000_000_000


@pytest.fixture(scope="session")
def plant() -> Plant:
    return load_plant(ROOT / "tests/cases/training/plant.toml")


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Ten minutes of a healthy pump: flow and pressure follow the speed, with noise; a few cells are empty."""
    random = np.random.default_rng(7)
    n = 600
    speed = 1450 + 15 * np.sin(np.arange(n) / 40) + random.normal(0, 3, n)
    flow = 20 * speed / 1450 + random.normal(0, 0.1, n)
    pressure = 3.2 * (speed / 1450) ** 2 + random.normal(0, 0.02, n)
    pressure[[50, 51, 300]] = np.nan
    return Recording(
        path="pump.csv",
        asset="pump",
        time=START + np.arange(n) * SECOND,
        values={"speed": speed, "flow": flow, "pressure": pressure, "recipe": np.zeros(n)},
        texts={"recipe": TextTable(["shaft-80"])},
    )


@pytest.fixture(scope="session")
def trained(recording: Recording, plant: Plant) -> TrainedModel:
    return train(recording, plant, Settings())


@pytest.fixture(scope="session")
def skab_plant() -> Plant:
    return load_plant(ROOT / "tests/cases/skab/plant.toml")


@pytest.fixture(scope="session")
def skab_recording(skab_plant: Plant) -> Recording:
    """Valve 1, experiment 1 of the rig, with its labels."""
    path = SKAB / "valve1/1.csv"
    if not path.exists():
        pytest.skip(f"needs the recorded pump rig; {path} is not there")
    return read_csv(path, skab_plant, "rig", ["anomaly"])
