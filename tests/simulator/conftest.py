"""The demo plant of one test, read."""

from pathlib import Path

import pytest

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant


@pytest.fixture
def plant(demo_plant: Path) -> Plant:
    return load_plant(demo_plant)
