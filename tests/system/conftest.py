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
from tests.conftest import PLAIN_HTTP, Mosquitto, running_mosquitto

ROOT = Path(__file__).parents[2]
TOKEN = "an-operator-token-for-tests"  # noqa: S105
ENGINEER_TOKEN = "an-engineer-token-for-tests"  # noqa: S105
PUMP = "pump-101"
PUMP_PLANT = ROOT / "tests" / "cases" / "pump" / "plant.toml"
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
        # a connection for each request: one that was kept might be to a process that is gone
        self._client = httpx.Client(timeout=10, verify=PLAIN_HTTP, limits=httpx.Limits(max_keepalive_connections=0))

    def start(self, *arguments: str) -> Process:
        name = "-".join(arguments[:2])
        process = Process([*arguments, "--plant", str(self.plant)], self.environment, self.home / f"{name}.log")
        self.processes.append(process)
        return process

    def start_api(self) -> Process:
        api = self.start("api", "run", "--port", str(self.port))
        wait_for("the api answers", lambda: self.get("/assets"), 300.0)
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
            answer = self._client.get(f"http://{self.environment['KULLAGER_EDGE_METRICS']}{path}")
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.text

    def start_pump(self) -> Process:
        """All of a plant with the pump, ten times as fast as life, until it is scored; the edge's process."""
        self.start_api()
        edge = self.start("edge", "run")
        self.start("simulator", "run", "--speed", "10")
        # on a busy machine all of this takes its time
        wait_for("the pump is scored", lambda: self.latest(PUMP).get("state") == "normal", 300.0)
        wait_for("the truth is told", lambda: self.get("/simulator/truth")["items"], 300.0)
        return edge

    def episode(self) -> dict[str, Any]:
        """What is true of the pump's newest fault, empty where it had none."""
        (item,) = self.get("/simulator/truth")["items"]
        return item["episode"] or {}

    def heal_pump(self) -> None:
        """As it was at the start, whatever a test has left: nothing is broken, and no alarm is open."""
        if self.episode() and self.episode()["repaired"] is None:
            self.post(f"/simulator/faults/{PUMP}", {}, method="DELETE", token=None)
            wait_for("it is repaired", lambda: self.episode()["repaired"])
        wait_for("the pump is healthy", lambda: self.latest(PUMP).get("state") == "normal", 300.0)
        wait_for("no alarm is active", lambda: not any(alarm["state"].startswith("active") for alarm in self._open()), 300.0)
        for alarm in self._open():
            self.post(f"/alarms/{alarm['alarm_id']}/acknowledge", {})
        wait_for("no alarm is open", lambda: not self._open())

    def stop(self) -> None:
        """End what still runs, the newest first."""
        for process in reversed(self.processes):
            if process.runs:
                process.stop()

    def logs(self) -> str:
        return "\n".join(f"== {p.log.name}\n{p.log.read_text()[-3000:]}" for p in self.processes)

    def _open(self) -> list[dict[str, Any]]:
        return list(self.get("/alarms?state=open")["items"])

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._client.request(method, f"{self.url}/api/v1{path}", **more)
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
        site.stop()


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
    # short shifts show more of what the pump does, and are made side by side
    healthy, _ = next(generate(load_plant(PUMP_PLANT), [PUMP], hours=16.0, seed=1, shift_h=1.0))
    write_csv(recording, healthy)
    train = ["train", str(recording), "--plant", str(PUMP_PLANT), "--asset", PUMP, "--false-alarms", "0", "--out", str(model)]
    subprocess.run([sys.executable, "-m", "models", *train], cwd=ROOT, check=True, capture_output=True)
    done.touch()
    return model


@pytest.fixture
def pump_site(make_site: Callable[[Path], Site], pump_model: Path) -> Site:
    """The demo's plant with its model in place; nothing is started yet."""
    site = make_site(PUMP_PLANT)
    (site.home / "models").mkdir()
    shutil.copy(pump_model, site.home / "models" / "pump.onnx")
    return site


@pytest.fixture(scope="module")
def broker(free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A `running_mosquitto` for the tests of a file."""
    with running_mosquitto(free_port(), tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture(scope="module")
def shared_site(
    broker: Mosquitto, free_port: Callable[[], int], pump_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The demo's plant with its model, started once for the tests of a file: a start costs more than most of them do."""
    home = tmp_path_factory.mktemp("site")
    (home / "models").mkdir()
    shutil.copy(pump_model, home / "models" / "pump.onnx")
    site = Site(PUMP_PLANT, home, broker, free_port)
    try:
        site.start_pump()
        yield site
    finally:
        print(site.logs())  # noqa: T201  # pytest shows it where it did not come up
        site.stop()


@pytest.fixture
def running(shared_site: Site) -> Iterator[Site]:
    """The file's pump, ten times as fast as life, healthy and scored, without an open alarm."""
    shared_site.heal_pump()
    yield shared_site
    print(shared_site.logs())  # noqa: T201  # pytest shows it where a test fails


# not of the session: playwright's own event loop would be in the way of the asynchronous tests that follow
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Without a graphics card what moves on a page is painted by the processor: most tests ask for less motion."""
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
