"""The whole product on loopback: its real processes, a real broker, and a real browser."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from edge.contracts.plant_file import load_plant
from edge.formats.recording import write_csv
from simulator.generate import generate
from tests.conftest import Mosquitto

ROOT = Path(__file__).parents[2]
TOKEN = "an-operator-token-for-tests"  # noqa: S105
ENGINEER_TOKEN = "an-engineer-token-for-tests"  # noqa: S105
PUMP = "pump-101"
T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], limit_s: float = 90.0) -> T:
    """Wait until `condition` gives something true; the failure says what was waited for and what there was."""
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {limit_s:.0f} s; last seen: {found!r}"
        time.sleep(0.2)


class Process:
    """One of the product's processes; its log is in `log`."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._arguments, self._environment = arguments, environment
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """End it in order; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)


class Site:
    """A plant with its processes, each started when a test asks for it."""

    def __init__(self, plant: Path, home: Path, mosquitto: Mosquitto, free_port: Callable[[], int]) -> None:
        self.plant, self.home, self.mosquitto = plant, home, mosquitto
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KULLAGER_HOME": str(home),
            "KULLAGER_SOURCE_PLC_URL": f"opc.tcp://127.0.0.1:{free_port()}",
            "KULLAGER_SOURCE_BROKER_URL": mosquitto.url,
            "KULLAGER_OPERATOR_TOKEN": TOKEN,
            "KULLAGER_ENGINEER_TOKEN": ENGINEER_TOKEN,
            "KULLAGER_EDGE_METRICS": f"127.0.0.1:{free_port()}",
        }
        self.processes: list[Process] = []

    def start(self, *arguments: str) -> Process:
        name = "-".join(arguments[:2])
        process = Process([*arguments, "--plant", str(self.plant)], self.environment, self.home / f"{name}.log")
        self.processes.append(process)
        return process

    def start_api(self) -> Process:
        api = self.start("api", "run", "--port", str(self.port))
        wait_for("the api answers", lambda: self.get("/assets"))
        return api

    def run(self, *arguments: str) -> None:
        """Run a command of the product to its end."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments, "--plant", str(self.plant)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def get(self, path: str) -> Any:
        """The answer below /api/v1, None while the api does not answer."""
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any], *, method: str = "POST", token: str | None = TOKEN) -> Any:
        return self._ask(method, path, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})

    def latest(self, asset: str) -> dict[str, Any]:
        """The newest assessment of an asset, empty while there is none."""
        items = (self.get("/assets") or {"items": []})["items"]
        return next((item["latest"] for item in items if item["id"] == asset), None) or {}

    def alarms(self, rule: str, state: str = "all") -> list[dict[str, Any]]:
        items = (self.get(f"/alarms?state={state}") or {"items": []})["items"]
        return [alarm for alarm in items if alarm["rule"] == rule]

    def edge_status(self) -> dict[str, Any]:
        edges = (self.get("/status") or {"edges": []})["edges"]
        return edges[0] if edges else {}

    def ask_edge(self, path: str) -> tuple[int, str]:
        """Status and text of what the edge itself answers; 0 while it does not."""
        try:
            answer = httpx.get(f"http://{self.environment['KULLAGER_EDGE_METRICS']}{path}", timeout=10)
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.text

    def logs(self) -> str:
        return "\n".join(f"== {p.log.name}\n{p.log.read_text()[-3000:]}" for p in self.processes)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = httpx.request(method, f"{self.url}/api/v1{path}", timeout=10, **more)
        except httpx.TransportError:
            return None
        assert not answer.is_client_error, f"{method} {path}: {answer.status_code}: {answer.text}"
        return answer.json() if answer.is_success and answer.content else None


@pytest.fixture
def make_site(tmp_path: Path, mosquitto: Mosquitto, free_port: Callable[[], int]) -> Iterator[Callable[[Path], Site]]:
    sites: list[Site] = []

    def make(plant: Path) -> Site:
        home = tmp_path / "home"
        home.mkdir()
        sites.append(Site(plant, home, mosquitto, free_port))
        return sites[-1]

    yield make
    for site in sites:
        print(site.logs())  # noqa: T201  # pytest shows it where a test fails
        for process in reversed(site.processes):
            if process.runs:
                process.stop()


@pytest.fixture(scope="session")
def pump_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model, trained on some hours of the simulated pump, once for all workers."""
    # what workers share is one above their own
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pump-model"
    done = shared / "done"
    try:
        shared.mkdir()
    except FileExistsError:
        wait_for("another worker has trained the model", done.exists, 300.0)
        return shared / "pump.onnx"
    recording, model = shared / "healthy.csv", shared / "pump.onnx"
    plant = ROOT / "tests" / "cases" / "pump" / "plant.toml"
    # short shifts show more of what the pump does, and are made side by side
    healthy, _ = next(generate(load_plant(plant), [PUMP], hours=16.0, seed=1, shift_h=1.0))
    write_csv(recording, healthy)
    train = ["train", str(recording), "--plant", str(plant), "--asset", PUMP, "--false-alarms", "0", "--out", str(model)]
    subprocess.run([sys.executable, "-m", "models", *train], cwd=ROOT, check=True, capture_output=True)
    done.touch()
    return model


@pytest.fixture
def pump_site(make_site: Callable[[Path], Site], pump_model: Path) -> Site:
    """The demo's plant with its model in place; nothing is started yet."""
    site = make_site(ROOT / "tests" / "cases" / "pump" / "plant.toml")
    (site.home / "models").mkdir()
    shutil.copy(pump_model, site.home / "models" / "pump.onnx")
    return site


# not of the session: playwright's own event loop would be in the way of the asynchronous tests that follow
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed; `apt-get install chromium` brings it")
    if not (ROOT / "api" / "dashboard" / "dist" / "index.html").exists():
        pytest.skip("the dashboard is not built; `make dashboard` builds it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield chromium
        chromium.close()
