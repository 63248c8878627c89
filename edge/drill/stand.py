"""A test stand: a server, a broker, a simulated pump and an edge, each a process of its own, with cables that can fail.

Everything is on loopback and in a folder that is thrown away. What the edge received it says itself (`/metrics`); what it lost
is counted in its recordings, against the clock of the signals, which have one value a second.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge.contracts.command import ChaosCommand
from edge.contracts.errors import KullagerError, RecordingError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.drill.proxy import Proxy
from edge.formats.json_message import encode
from edge.formats.sample_log import read_log
from edge.logs import LOG_FILE
from edge.mqtt_connection import Connected, Message, MqttConnection

NS: Final = 1_000_000_000
LIMIT_S: Final = 120.0
PUMP: Final = "pump-101"
OPCUA: Final = ("speed", "flow", "pressure", "current", "power")
MQTT: Final = ("vibration", "bearing_temperature", "fluid_temperature")
_PLANT: Final = """\
schema = 1
[site]
enterprise = "drill"
site = "stand"
area = "hall"
demo = true
[edge]
id = "edge-1"
recording = {{ max_gb = 1.0 }}
[sources.plc]
kind = "opcua"
url = "{plc}"
security = "{security}"
[sources.broker]
kind = "mqtt"
url = "{broker}"
[assets.pump-101]
class = "pump"
[assets.pump-101.signals]
"""


class DrillError(KullagerError):
    """The stand cannot be built, or what was waited for did not come."""


class Program:
    """One process of the stand."""

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._command, self._environ, self._log = command, dict(environ), log

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environ, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.returncode is None

    async def kill(self) -> None:
        """End it as a crash would."""
        await self.stop(signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        await self._process.wait()

    def tail(self) -> str:
        return self._log.read_text(errors="replace")[-800:]


class Stand:
    """Use as an asynchronous context: it is left when the edge receives all signals.

    server: the command of an OPC UA server of another make, with {port}; it has nodes `speed` … of the pump, one value a second
    home: of the edge, by default in `folder`; security: of the connection to the server
    """

    def __init__(self, folder: Path, server: str = "", *, home: Path | None = None, security: str = "None") -> None:
        self.folder, self.home = folder, home or folder / "home"
        self._foreign, self._security = server, security
        ports = free_ports(4)
        self.server_port, self.broker_port, self._metrics_port, self._unused_port = ports
        self.results: dict[tuple[str, int], bytes] = {}
        self.twice = 0
        self.status: dict[str, Any] = {}

    @property
    def is_simulator(self) -> bool:
        return not self._foreign

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        enter = self._stack.enter_async_context
        self.plc_cable = await enter(Proxy(self.server_port))
        self.broker_cable = await enter(Proxy(self.broker_port))
        self.plant_file = self.folder / "plant.toml"
        nodes = [
            f'{name} = {{ unit = "1", source = "plc", node = "nsu=urn:kullager:simulator;s={PUMP}.{name}" }}' for name in OPCUA
        ]
        fields = [
            f'{name} = {{ unit = "1", source = "broker", topic = "plant/{PUMP}", field = "{name}", time_field = "time" }}'
            for name in MQTT
        ]
        settings = {"plc": f"opc.tcp://127.0.0.1:{self.plc_cable.port}", "broker": f"mqtt://127.0.0.1:{self.broker_cable.port}"}
        self.plant_file.write_text(
            _PLANT.format(security=self._security, **settings) + "\n".join([*nodes, *fields]), encoding="utf-8"
        )
        self.plant: Plant = load_plant(self.plant_file)
        near = {
            **os.environ,
            "KULLAGER_HOME": str(self.folder / "machines"),
            "KULLAGER_SOURCE_PLC_URL": f"opc.tcp://127.0.0.1:{self._unused_port if self._foreign else self.server_port}",
            "KULLAGER_SOURCE_BROKER_URL": f"mqtt://127.0.0.1:{self.broker_port}",
        }
        self.environ = {
            **os.environ,
            "KULLAGER_HOME": str(self.home),
            "KULLAGER_EDGE_METRICS": f"127.0.0.1:{self._metrics_port}",
            "KULLAGER_LOG": "text",
        }
        broker = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if broker is None:
            raise DrillError("mosquitto is not installed; `requirements/setup.sh system` brings it")
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest stderr\n"
            f"persistence true\npersistence_location {self.folder}/\nautosave_interval 1\n"
            "max_queued_messages 100000\nmax_inflight_messages 1000\n"
        )
        python, plant = sys.executable, str(self.plant_file)
        self.broker = await self._program([broker, "-c", str(configuration)], near, "broker")
        simulator = [python, "-m", "simulator", "run", "--plant", plant]
        self.machines = await self._program(simulator, near, "machines")
        self.server = self.machines
        if self._foreign:
            self.server = await self._program(shlex.split(self._foreign.format(port=self.server_port)), near, "server")
        await wait_for("the server", lambda: not self.server.runs or _listens(self.server_port), explain=self.server.tail)
        if not self.server.runs:
            raise DrillError(f"the server has ended by itself:\n{self.server.tail()}")
        watching = asyncio.create_task(self._watch())
        self._stack.callback(watching.cancel)
        self.edge = await self._program([python, "-m", "edge", "run", "--plant", plant], self.environ, "edge")
        await self.flowing(LIMIT_S)

    async def _program(self, command: list[str], environ: Mapping[str, str], name: str) -> Program:
        program = Program(command, environ, self.folder / f"{name}.log")
        await program.start()
        self._stack.push_async_callback(program.stop)
        return program

    async def _watch(self) -> None:
        """Listens to the broker itself, beside the cable: all results, each with its number."""
        topics = self.plant.topics
        url = f"mqtt://127.0.0.1:{self.broker_port}"
        connection = MqttConnection(url=url, client_id="drill", subscriptions=(f"{topics.base}/#",), session_s=3600)
        self._connection = connection
        async with connection:
            async for event in connection:
                match event:
                    case Message(topic=topic, payload=payload) if payload:
                        body = json.loads(payload)
                        if "seq" in body and "journal" in body:
                            key = body["journal"], body["seq"]
                            self.twice += self.results.setdefault(key, payload) != payload
                        elif topic == topics.edge_status(self.plant.edge.id):
                            self.status = body
                    case Connected():
                        pass

    # ---- what the drills do

    def chaos(self, kind: str, for_s: float, amount: float | None = None, source: str = "") -> None:
        """Let the simulator misbehave."""
        command = ChaosCommand(
            command_id=f"drill-{time.monotonic_ns()}",
            by="drill",
            time=time.time_ns(),
            kind=kind,
            source=source,
            for_s=for_s,
            amount=amount,
        )
        self._connection.publish(self.plant.topics.simulator_command("chaos"), encode(command))

    def publish(self, topic: str, payload: bytes) -> None:
        self._connection.publish(topic, payload)

    # ---- what the drills see

    async def flowing(self, limit_s: float = LIMIT_S) -> float:
        """Wait until every signal has brought a good sample anew, and its newest is of now; gives the seconds that it took."""
        begun = time.monotonic()
        before = await self.used()
        await wait_for("all signals to flow", lambda: self._all_flow(before), limit_s, self.edge.tail)
        return time.monotonic() - begun

    async def _all_flow(self, before: Mapping[str, float]) -> bool:
        now = await self.used()
        # a restarted edge counts anew
        return all(
            now.get(name, 0) > (before.get(name, 0) if now.get(name, 0) >= before.get(name, 0) else 0) for name in OPCUA + MQTT
        )

    async def used(self) -> dict[str, float]:
        """By signal the samples that were used."""
        found = {}
        for line in (await self.ask("/metrics")).splitlines():
            if line.startswith("kullager_signal_settled_samples_total") and 'fate="used"' in line:
                found[line.partition('signal="')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
        return found

    async def unaccounted(self) -> float:
        lines = (await self.ask("/metrics")).splitlines()
        return next(
            (float(line.split()[1]) for line in lines if line.startswith("kullager_unaccounted_samples ")), float("nan")
        )

    async def ask(self, path: str) -> str:
        """What the edge answers over HTTP; empty where it does not."""

        def get() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}{path}", timeout=5) as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                return error.read().decode()
            except (OSError, ValueError):
                return ""

        return await asyncio.to_thread(get)

    def log_mark(self) -> int:
        with contextlib.suppress(OSError):
            return (self.home / "edge" / LOG_FILE).stat().st_size
        return 0

    def told_since(self, mark: int) -> list[str]:
        """Warnings and errors in the edge's log, each once."""
        try:
            content = (self.home / "edge" / LOG_FILE).read_bytes()[mark:].decode(errors="replace")
        except OSError:
            return []
        lines = [line for line in content.splitlines() if " WARNING " in line or " ERROR " in line]
        return list(dict.fromkeys(line.split(": ", 1)[-1] for line in lines))

    def recorded(self) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
        """By signal the times [ns UTC] of all recorded samples that are not bad; every file is opened."""
        times: dict[str, list[np.ndarray[Any, np.dtype[np.int64]]]] = {name: [] for name in OPCUA + MQTT}
        folder = self.home / "edge" / "recordings"
        for path in (*folder.glob("*.open"), *folder.glob("*.klog")):
            # it may just have become Parquet
            with contextlib.suppress(RecordingError):
                log = read_log(path)
                for batch in log.batches:
                    for index, signal in enumerate(log.signals):
                        good = (batch.signal == index) & (batch.quality & 0x7F < 2)
                        if signal.name in times:
                            times[signal.name].append(batch.time[good])
        for path in folder.glob("asset=*/day=*/*.parquet"):
            table: pa.Table = pq.ParquetFile(path, page_checksum_verification=True).read()
            names, quality = table["signal"].to_pylist(), table["quality"].to_pylist()
            moments = np.asarray(table["time"].cast(pa.int64()))
            for name in times:
                mine = [k for k, each in enumerate(names) if each == name and quality[k] != "bad"]
                times[name].append(moments[mine])
        return {name: np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64) for name, parts in times.items()}

    def lost(self, since: float) -> tuple[int, int]:
        """Values that are missing since then [s since 1970], of OPC UA and of MQTT: of the signal that misses most."""
        found = []
        for names in (OPCUA, MQTT):
            missing = 0
            recorded = self.recorded()
            for name in names:
                times = recorded[name][recorded[name] >= round(since * NS)]
                seconds = np.unique(np.round(times / NS))
                missing = max(missing, int(seconds[-1] - seconds[0]) + 1 - len(seconds) if len(seconds) else 10**6)
            found.append(missing)
        return found[0], found[1]

    def lost_results(self) -> int:
        """Numbers of the journals that never came to the broker, up to the newest that did."""
        lost = 0
        for journal in {journal for journal, _ in self.results}:
            numbers = [seq for name, seq in self.results if name == journal]
            lost += max(numbers) - min(numbers) + 1 - len(numbers)
        return lost


async def wait_for(
    what: str, condition: Callable[[], Any], limit_s: float = LIMIT_S, explain: Callable[[], str] = lambda: ""
) -> None:
    """Raises `DrillError` where it does not come true in time."""
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        if time.monotonic() > end:
            raise DrillError(f"in vain waited {limit_s:.0f} s for {what}\n{explain()}".rstrip())
        await asyncio.sleep(0.1)


def free_ports(number: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False
