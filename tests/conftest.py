"""Real parts for all tests: free ports, a mosquitto that can be stopped and started, and the demo plant on both."""

import contextlib
import itertools
import os
import pickle
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_server import InternalServer
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from tests.bench.processes import node

# tests never time: a busy machine is no counter-example. The same examples each time, so that a change is judged by itself;
# HYPOTHESIS_PROFILE=search looks for others
settings.register_profile("kullager", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("kullager"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "kullager"))

ROOT = Path(__file__).parent.parent
# programs by others, which `requirements/setup.sh counterparts` brings
COUNTERPARTS = ROOT / "tests/counterparts"
LIMIT_S = 30.0
# for clients of plain HTTP: reading the machine's authorities for TLS is forty milliseconds of work for each client
PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# as few as leave something short for the end
FILES_BETWEEN = 5


# below the ports that the kernel gives to clients, and other ones for each worker: nobody else takes one before it is used
FIRST_PORT, PORTS_OF_A_WORKER = 10_000, 5_000
_given = itertools.count(os.getpid() % PORTS_OF_A_WORKER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Between the files of `tests/system` some of the others, so that workers rarely start whole sites at the same time."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    sites = [file for file in files if file.parent == ROOT / "tests/system"]
    others = [file for file in files if file not in sites]
    order: list[Path] = []
    for number, site in enumerate(sites):
        order += [site, *others[number * FILES_BETWEEN : (number + 1) * FILES_BETWEEN]]
    order += others[len(sites) * FILES_BETWEEN :]
    items[:] = [item for file in order for item in files[file]]


def node_program(package: str) -> str:
    """Node.js; skips without it or without the counterpart."""
    executable = node()
    if executable is None or not (COUNTERPARTS / "node_modules" / package).exists():
        pytest.skip(f"{package} is not installed; `requirements/setup.sh counterparts` brings it")
    return executable


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that gives another free TCP port on loopback with each call."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

    def find() -> int:
        while True:
            port = FIRST_PORT + worker % 4 * PORTS_OF_A_WORKER + next(_given) % PORTS_OF_A_WORKER
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port

    return find


class StandardNodes(dict[ua.NodeId, Any]):
    """The nodes of one server: those of the standard are copies of `made`, each when it is first asked for.

    Of six thousand a test looks at some dozens; an address space of its own is half a million objects to make and throw away.
    """

    def __init__(self, made: dict[ua.NodeId, Any]) -> None:
        super().__init__(dict.fromkeys(made))
        self._made = made

    def __getitem__(self, node: ua.NodeId) -> Any:
        data = super().__getitem__(node)
        if data is None:
            if (pickled := _pickled.get(node)) is None:
                pickled = _pickled[node] = pickle.dumps(self._made[node])
            data = self[node] = pickle.loads(pickled)  # noqa: S301  # of our own making
        return data

    def get(self, node: ua.NodeId, default: Any = None) -> Any:
        try:
            return self[node]
        except KeyError:
            return default

    def values(self) -> Any:
        return [self[node] for node in self]

    def items(self) -> Any:
        return [(node, self[node]) for node in self]


_standard_nodes: dict[ua.NodeId, Any] = {}
# what has been copied once will be again
_pickled: dict[ua.NodeId, bytes] = {}


@pytest.fixture(scope="session", autouse=True)
def one_thread_each() -> Iterator[None]:
    """As the commands of `models` have it: on busy cores, threads that wait for each other cost five times the work."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session", autouse=True)
def servers_start_quickly() -> None:
    """OPC UA servers of this process have the standard's six thousand nodes from those that the first one has made.

    Making them takes asyncua three seconds of each start, of which the tests have more than a hundred.
    """
    original = InternalServer.load_standard_address_space

    async def load(server: InternalServer, shelf_file: Path | None = None) -> None:
        if not _standard_nodes:
            await original(server, shelf_file)
            _standard_nodes.update(server.aspace._nodes)
        server.aspace._nodes = StandardNodes(_standard_nodes)

    InternalServer.load_standard_address_space = load


class Mosquitto:
    """A real mosquitto on one loopback port: `stop()` and `start()` make the outage that a test needs.

    settings: lines of its configuration that say whom it lets in
    """

    def __init__(self, port: int, folder: Path, settings: str = "allow_anonymous true\n") -> None:
        self.port, self.url = port, f"mqtt://127.0.0.1:{port}"
        self._folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._process is None, "mosquitto runs already"
        configuration = self._folder / "mosquitto.conf"
        # "user root" keeps root from dropping to a user who cannot read the folder; others ignore it
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\n{self._settings}user root\nlog_dest stderr\n"
            "max_queued_messages 100000\nset_tcp_nodelay true\n"
        )
        executable = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([executable, "-c", str(configuration)], stderr=log, stdout=log)
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._folder / "mosquitto.log").read_text()
                    raise RuntimeError(f"mosquitto does not listen on port {self.port}:\n{said}") from None
                time.sleep(0.02)

    def pause(self) -> None:
        """Make it silent, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it, without a good-bye to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None


@contextlib.contextmanager
def running_mosquitto(port: int, folder: Path, settings: str = "allow_anonymous true\n") -> Iterator[Mosquitto]:
    """A running mosquitto with `.url`, `.port`, `.stop()` and `.start()`; skips where it is not installed."""
    if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("mosquitto is not installed; `apt-get install mosquitto` brings it")
    broker = Mosquitto(port, folder, settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def mosquitto(free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """The test's own `running_mosquitto`."""
    with running_mosquitto(free_port(), tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture
def demo_plant(tmp_path: Path, free_port: Callable[[], int], mosquitto: Mosquitto) -> Path:
    """The path of a copy of the demo's plant file, on a free OPC UA port and the test's mosquitto."""
    text = (ROOT / "tests/cases/pump/plant.toml").read_text(encoding="utf-8")
    for before, after in (("127.0.0.1:4840", f"127.0.0.1:{free_port()}"), ("127.0.0.1:1883", f"127.0.0.1:{mosquitto.port}")):
        assert before in text, f"the demo's plant file no longer has {before}"
        text = text.replace(before, after)
    path = tmp_path / "demo.toml"
    path.write_text(text, encoding="utf-8")
    return path
