"""The simulator as a process: it stops cleanly, and says in one sentence what an operator can put right."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edge.contracts.plant_file import load_plant
from edge.formats.recording import read_csv
from tests.simulator.clients import until, watching

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 60.0


def simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S
    )


@contextmanager
def started(*arguments: str, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "simulator", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ | (environ or {}))
    try:
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_S)
        assert process.stderr is not None
        process.stderr.close()


def says(process: subprocess.Popen[str], words: Sequence[str]) -> str:
    """Read stderr until each of `words` has been said."""
    assert process.stderr is not None
    said, deadline = "", time.monotonic() + LIMIT_S
    os.set_blocking(process.stderr.fileno(), False)
    while not all(word in said for word in words):
        assert time.monotonic() < deadline, f"{words} was not said, but:\n{said}"
        if select.select([process.stderr], [], [], 0.5)[0]:
            part = process.stderr.read()
            assert part, f"it ended after saying:\n{said}"
            said += part
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_without_a_broker_and_stops_cleanly(demo_plant: Path, mosquitto: object, number: signal.Signals) -> None:
    mosquitto.stop()  # type: ignore[attr-defined]
    with started("run", "--plant", str(demo_plant)) as process:
        says(process, ["listens on opc.tcp://127.0.0.1:", "is not reached"])
        process.send_signal(number)
        rest = process.communicate(timeout=LIMIT_S)[1]
        assert process.returncode == 0
        assert "Traceback" not in rest
        assert f"stopped by {number.name}" in rest


def test_a_port_in_use_is_one_sentence(demo_plant: Path) -> None:
    port = urlsplit(load_plant(demo_plant).sources["plc"].url).port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port or 0))
        taken.listen()
        result = simulator("run", "--plant", str(demo_plant))
    assert result.returncode == 2
    problem = [line for line in result.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert len(problem) == 1
    assert f"port {port} is in use; stop the other program" in problem[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--plant", "none.toml"], "none.toml: cannot be read"),
        (["run", "--plant", "tests/cases/skab/plant.toml"], "classes are pump-rig; there are machines for pump"),
        (["replay", "none.csv", "--plant", "tests/cases/pump/plant.toml"], "none.csv: cannot be read"),
        (
            ["replay", "README.md", "--plant", "tests/cases/pump/plant.toml", "--asset", "p"],
            "the plant has no asset 'p'; possible: pump-101",
        ),
        (["replay", "pyproject.toml", "--plant", "tests/cases/pump/plant.toml"], "has no time column"),
        (
            ["record", "--plant", "tests/cases/pump/plant.toml", "--hours", "0.01", "--out", "/none/x.csv"],
            "/none/x.csv: cannot be written",
        ),
        (
            ["record", "--plant", "tests/cases/pump/plant.toml", "--hours", "0.01", "--out", "x.csv", "--fault", "rust"],
            "has no fault 'rust'; possible: bearing-wear, cavitation",
        ),
    ],
)
def test_an_operators_mistake_is_one_sentence(arguments: list[str], words: str) -> None:
    result = simulator(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_record_and_replay_from_the_command_line(demo_plant: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "recording.csv")
    made = simulator(
        "record", "--plant", str(demo_plant), "--hours", "0.01", "--out", file, "--fault", "cavitation", "--fault-at-h", "0.005"
    )
    assert made.returncode == 0, made.stderr
    recording = read_csv(file, load_plant(demo_plant), "pump-101", others=["anomaly"])
    assert recording.others["anomaly"].tolist() == [0.0] * 18 + [1.0] * 18
    replayed = simulator("replay", file, "--plant", str(demo_plant), "--as-fast-as-possible", "--exit")
    assert replayed.returncode == 0, replayed.stderr
    assert "replayed 36 rows" in replayed.stderr


def test_another_address_from_the_environment(demo_plant: Path, free_port: object) -> None:
    port = free_port()  # type: ignore[operator]
    url = f"opc.tcp://127.0.0.1:{port}"
    with started("run", "--plant", str(demo_plant), environ={"KULLAGER_SOURCE_PLC_URL": url}) as process:
        says(process, [f"listens on {url}"])
        socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S).close()


async def test_a_killed_simulator_leaves_no_faults_on_offer(demo_plant: Path) -> None:
    plant = load_plant(demo_plant)
    async with watching(plant.sources["broker"].url, plant.topics.simulator_catalogue) as (_, heard):
        with started("run", "--plant", str(demo_plant)) as process:
            await until(lambda: heard.messages, "the catalogue")
            assert json.loads(heard.messages[-1].payload)["assets"] != []
            process.kill()
            await until(lambda: json.loads(heard.messages[-1].payload)["assets"] == [], "its last will")
