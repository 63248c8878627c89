"""Starts the demo, says where it is, and ends all of it with this process."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shlex
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import edge
from edge.contracts.plant_file import load_plant
from simulator.demo.broker import broker_command
from simulator.demo.first_models import train_missing_models
from simulator.demo.offspring import end_orphans, end_with_parent, stop, tied
from simulator.demo.ports import check_page_port, environment_of, source_ports
from simulator.demo.signing_key import trusted_key
from simulator.demo.speech import DemoFailed, tell

SUPERVISORD: Final = Path(__file__).parent / "supervisord.conf"
PAGE_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    plant: Path
    home: Path
    port: int


async def run(settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. Raises `KullagerError` with a sentence for whoever started it."""
    end_with_parent()
    with only_one(settings.home):
        demo = asyncio.create_task(_demo(settings), name="demo")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # who is started with `nohup` means to outlive the terminal
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, demo.cancel)
        try:
            await demo
        except asyncio.CancelledError:
            tell("Stopped.")
        finally:
            await end_orphans()


async def _demo(settings: Settings) -> None:
    check_page_port(settings.port)
    plant = load_plant(settings.plant, os.environ)
    ports = list(source_ports(plant))
    for moved in (port for port in ports if port.port != port.wanted):
        tell(f"Port {moved.wanted} is in use by another program; source '{moved.source}' takes {moved.port} instead.")
    await train_missing_models(plant, settings.plant, settings.home)
    key = await trusted_key(settings.home)

    token = secrets.token_urlsafe(24)
    broker_source = plant.results_source[0]
    broker_port = next(port.port for port in ports if port.source == broker_source)
    broker, command = broker_command(settings.home / "broker", broker_port)
    tell(f"Starting the broker ({broker}), the simulator, the edge and the api …")
    environ = environment_of(ports, os.environ) | {
        "KULLAGER_HOME": str(settings.home),
        "KULLAGER_ADMIN_TOKEN": token,
        "DEMO_BROKER": command,
        "DEMO_PLANT": shlex.quote(str(settings.plant)),
        "DEMO_PORT": str(settings.port),
        "DEMO_PYTHON": shlex.quote(sys.executable),
        "DEMO_TIED": shlex.join(tied()),
    }
    supervisor = await asyncio.create_subprocess_exec(
        *tied(),
        *(sys.executable, "-m", "supervisor.supervisord", "-c", str(SUPERVISORD)),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        # a session of its own: signals from the terminal come here alone, and supervisord would take SIGHUP for a restart
        start_new_session=True,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pass_on(supervisor), name="what supervisor says")
            page = tasks.create_task(_tell_when_ready(settings, token, key), name="page")
            await supervisor.wait()
            page.cancel()
        raise DemoFailed(f"supervisord ended by itself; why may stand in {settings.home / 'log' / 'supervisord.log'}.")
    finally:
        await stop(supervisor)


async def _pass_on(supervisor: asyncio.subprocess.Process) -> None:
    assert supervisor.stdout is not None  # noqa: S101  # a pipe was asked for
    async for line in supervisor.stdout:
        tell(line.decode(errors="replace").rstrip())


async def _tell_when_ready(settings: Settings, token: str, key: Path) -> None:
    address, logs = f"http://localhost:{settings.port}", settings.home / "log"
    try:
        async with asyncio.timeout(PAGE_WITHIN_S):
            await _page(settings.port)
    except TimeoutError:
        tell(f"The page has not answered for {PAGE_WITHIN_S:g} s; why may stand in {logs}. Waiting …")
        await _page(settings.port)
    tell(
        f"\nkullager is running.\n\n"
        f"  visitors   {address}\n"
        f"  operator   {address}/#token={token}\n"
        f"             (may change everything; this address is new at each start and shown only here)\n"
        f"  models     {shlex.join((sys.executable, '-m', 'models', 'sign', 'NEW.onnx', '--key', str(key)))}\n"
        f"             (signs a model that this edge then trusts; send both from the operator's page, under Models)\n"
        f"  logs       {logs}\n\n"
        f"Ctrl-C stops everything."
    )


async def _page(port: int) -> None:
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/")
            return
        await asyncio.sleep(0.1)


def _get(address: str) -> None:
    urllib.request.urlopen(address, timeout=5).close()  # noqa: S310  # http, as above


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Two demos on one state would write over each other; raises `DemoFailed` for the second."""
    try:
        for folder in ("demo", "log"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        lock = (home / "demo" / "lock").open("w")
    except OSError as error:
        raise DemoFailed(f"{home} cannot be written to: {error.strerror or error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoFailed(
                f"A demo is running on {home} already; stop it first, or set KULLAGER_HOME to another folder."
            ) from None
        yield


def default_plant() -> Path:
    """The demo's plant file, in the source tree or wherever the package is installed."""
    return Path(edge.__path__[0]) / "plants" / "demo.toml"
