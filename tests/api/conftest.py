"""A running api and a scripted edge on a real mosquitto."""

import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from edge.contracts.plant_file import load_plant
from tests.api.running_api import ROOT, ApiProcess, RunningApi
from tests.api.scripted_edge import ScriptedEdge
from tests.conftest import Mosquitto


@pytest_asyncio.fixture
async def api(demo_plant: Path, free_port: Callable[[], int], tmp_path: Path) -> AsyncIterator[RunningApi]:
    running = RunningApi(demo_plant, free_port(), tmp_path / "home")
    await running.start()
    yield running
    await running.close()


@pytest_asyncio.fixture
async def api_process(demo_plant: Path, free_port: Callable[[], int], tmp_path: Path) -> AsyncIterator[ApiProcess]:
    process = ApiProcess(demo_plant, free_port(), tmp_path / "home")
    await process.start()
    yield process
    await process.close()


@pytest_asyncio.fixture
async def scripted_edge(demo_plant: Path, mosquitto: Mosquitto) -> AsyncIterator[ScriptedEdge]:
    async with ScriptedEdge(mosquitto.url, load_plant(demo_plant).topics) as edge:
        yield edge


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApi]:
    """An api without a broker, for tests that change nothing: one for all of a file."""
    folder = tmp_path_factory.mktemp("shared")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    running = RunningApi(
        ROOT / "tests/cases/pump/plant.toml", port, folder / "home", KULLAGER_SOURCE_BROKER_URL="mqtt://127.0.0.1:9"
    )
    await running.start()
    yield running
    await running.close()
