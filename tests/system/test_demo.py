"""The demo as a newcomer starts it, on a machine without mosquitto: the broker is the one that pip installs."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import onnx
import orjson
import pytest
from onnx import helper

from edge.contracts.plant_file import load_plant
from models.export import write
from models.settings import Settings
from models.training import train
from simulator.demo.launcher import default_plant
from simulator.generate import generate
from tests.conftest import PLAIN_HTTP
from tests.system.conftest import ROOT, wait_for


class Demo:
    """`python -m simulator.demo` in a state folder and on ports of its own."""

    def __init__(self, home: Path, programs: Path, ports: list[int]) -> None:
        self.ports = ports
        self.page, plc, broker = ports
        self.home, self.log = home, home / "demo.log"
        self.client = httpx.Client(timeout=5, verify=PLAIN_HTTP, limits=httpx.Limits(max_keepalive_connections=0))
        self.environment = os.environ | {
            "PATH": str(programs),
            "PYTHONPATH": str(ROOT),
            "KULLAGER_HOME": str(home),
            "KULLAGER_SOURCE_PLC_URL": f"opc.tcp://127.0.0.1:{plc}",
            "KULLAGER_SOURCE_BROKER_URL": f"mqtt://127.0.0.1:{broker}",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "simulator.demo", "--port", str(self.page)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def newest(self) -> str:
        """The time of the pump's newest score, empty while there is none."""
        try:
            asset, *_ = self.client.get(f"http://127.0.0.1:{self.page}/api/v1/assets").json()["items"]
        except (httpx.TransportError, ValueError, KeyError):
            return ""
        latest = asset["latest"] or {}
        return str(latest["time"]) if latest.get("score") is not None else ""

    def process_of(self, words: str) -> int:
        """The process of this demo whose command line has these words."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words in command and f"KULLAGER_HOME={self.home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    return int(folder.name)
            except OSError:
                continue
        return 0


@pytest.fixture
def demo(tmp_path: Path, free_port: Callable[[], int], pump_model: Path) -> Iterator[Demo]:
    """With models that were trained on a few hours for all machines but one, whose model the demo trains itself."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    (home / "models").mkdir(parents=True)
    shutil.copy(pump_model, home / "models" / "pump.onnx")
    plant = load_plant(default_plant())
    for asset in ("spindle-201", "compressor-301", "robot-401"):
        model = plant.assets[asset].model
        assert model
        ((recording, _),) = generate(plant, [asset], hours=4.0, seed=1, shift_h=0.5)
        write(home / "models" / f"{model}.onnx", train(recording, plant, Settings(false_alarms=0.0)).content)
    programs.mkdir()
    for needed in ("setpriv",):
        (programs / needed).symlink_to(shutil.which(needed) or needed)
    started = Demo(home, programs, [free_port() for _ in range(3)])
    yield started
    print(started.said(), *(path.read_text()[-2000:] for path in (home / "log").glob("*.log")))  # noqa: T201  # on failure
    if started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGKILL)


def test_the_demo_runs_heals_and_ends_without_a_trace(demo: Demo) -> None:
    wait_for("the demo is up", lambda: "kullager is running" in demo.said(), 400)
    assert "amqtt" in demo.said()
    assert "Training models, once, on three days or more of the healthy furnace-501 …" in demo.said()
    assert (demo.home / "models" / "furnace.onnx").exists()
    assert f"http://localhost:{demo.page}/#token=" in demo.said()
    assert "<html" in demo.client.get(f"http://127.0.0.1:{demo.page}/").text.lower()
    wait_for("a score", demo.newest, 180)
    a_model_that_was_signed_as_it_says_is_taken(demo)

    for words in ("amqtt.scripts", "-m simulator run", "-m edge run", "-m api run"):
        killed = wait_for(words, lambda: demo.process_of(words))  # noqa: B023  # waited for at once
        os.kill(killed, signal.SIGKILL)
        wait_for(f"{words} is back", lambda: demo.process_of(words) not in (0, killed))  # noqa: B023
        before = demo.newest()
        wait_for(f"scores go on after {words}", lambda: demo.newest() > before, 180)  # noqa: B023

    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.process.wait(60) == 0
    for port in demo.ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    assert demo.process_of("python") == 0


def a_model_that_was_signed_as_it_says_is_taken(demo: Demo) -> None:
    """By what the demo prints alone: the command that signs, and the token of the operator's address."""
    model = demo.home / "pump-2.onnx"
    newer = onnx.load(demo.home / "models" / "pump.onnx")
    metadata = {entry.key: entry.value for entry in newer.metadata_props}
    spec = orjson.loads(metadata["kullager.spec"]) | {"version": "2"}
    helper.set_model_props(newer, metadata | {"kullager.spec": orjson.dumps(spec).decode()})
    model.write_bytes(newer.SerializeToString())
    (command,) = re.findall(r"^  models +(.+)$", demo.said(), re.MULTILINE)
    subprocess.run(shlex.split(command.replace("NEW.onnx", str(model))), cwd=ROOT, check=True, env=demo.environment)
    (token,) = re.findall(r"#token=(\S+)", demo.said())
    api = httpx.Client(
        base_url=f"http://127.0.0.1:{demo.page}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    with api:
        signature = Path(f"{model}.sig").read_text().strip()
        headers = {"Content-Type": "application/octet-stream", "X-Model-Signature": signature}
        answer = api.post("/models/pump/upload", content=model.read_bytes(), headers=headers)
        assert answer.status_code == 202, answer.text
        (first,) = wait_for("what comes of it", lambda: api.get("/models/audit").json()["items"])
    assert (first["step"], first["version"], first["key"]) == ("shadow", "2", "demo"), first
    assert (demo.home / "demo/demo.key").stat().st_mode & 0o077 == 0


def test_a_busy_page_port_is_one_sentence(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        ended = subprocess.run(
            [sys.executable, "-m", "simulator.demo", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "KULLAGER_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode != 0
    assert str(port) in ended.stderr
    assert "make demo PORT=" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
