"""The process: open the database, take results in, serve; and stop cleanly although streams are open."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

import uvicorn

from api.access import Access
from api.app import create_app
from api.audit_log import AuditLog
from api.commands import Commands
from api.credentials import given_tokens
from api.database import open_engine
from api.guesses import Guesses
from api.ingest import Ingest
from api.labels import Labels
from api.rates import Limits
from api.retention import Keep
from api.roles import Identity
from api.services import Services
from api.sessions import Sessions
from api.store import Store
from api.stream import EventStream
from api.tokens import open_tokens
from api.upkeep import Upkeep
from api.uploads import Uploads
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import source_password

logger = logging.getLogger(__name__)

STOP_WITHIN_S: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says: KULLAGER_HOME, KULLAGER_DATABASE_URL, KULLAGER_API_…, and the secrets."""

    database_url: str
    client_id: str
    broker_password: str | None
    home: Path
    url: str | None
    given: Mapping[str, Identity]
    limits: Limits
    keep: Keep

    @classmethod
    def load(cls, plant: Plant, environ: Mapping[str, str] = os.environ) -> Self:
        return cls(
            database_url=database_url(environ),
            client_id=environ.get("KULLAGER_API_ID") or new_client_id(),
            broker_password=source_password(plant.results_source[0], environ),
            home=home(environ),
            url=environ.get("KULLAGER_API_URL"),
            given=given_tokens(environ),
            limits=Limits.load(environ),
            keep=Keep.load(environ),
        )


def new_client_id() -> str:
    """A name that no other api on the broker has. The broker keeps nothing for it, so the next start may have another."""
    return f"api-{secrets.token_hex(4)}"


def home(environ: Mapping[str, str]) -> Path:
    """Where the api's state lies."""
    return Path(environ.get("KULLAGER_HOME", ".kullager")).resolve() / "api"


def database_url(environ: Mapping[str, str]) -> str:
    return environ.get("KULLAGER_DATABASE_URL", f"sqlite:///{home(environ) / 'api.sqlite'}")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `KullagerError` in words where the port is taken or the address is not ours."""
    if not 0 <= port <= 65535:
        raise KullagerError(f"--port: {port} should be a number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise KullagerError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another one with --host and --port"
        ) from None


def on_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def own_url(listener: socket.socket) -> str:
    """Where processes on this machine reach it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the process: it would end by the signal itself and not with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def stop_at_signal(stop: asyncio.Event) -> None:
    """Let SIGINT and SIGTERM set `stop`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def serve(plant: Plant, settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    store = Store(open_engine(settings.database_url))
    try:
        tokens = open_tokens(store, settings.home, settings.given, alone=on_loopback(listener))
        access = Access(tokens, Sessions(store), Guesses())
        stream = EventStream(store)
        ingest = Ingest(
            plant=plant, password=settings.broker_password, store=store, stream=stream, client_id=settings.client_id
        )
        upkeep = Upkeep(store, settings.keep)
        services = Services(
            plant=plant,
            store=store,
            ingest=ingest,
            stream=stream,
            commands=Commands(ingest, store),
            access=access,
            audit=AuditLog(store),
            labels=Labels(store),
            limits=settings.limits,
            upkeep=upkeep,
            uploads=Uploads(settings.home / "uploads", settings.url or own_url(listener)),
        )
        config = uvicorn.Config(
            create_app(services),
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
        logger.info("serving http://%s:%d", *listener.getsockname()[:2])
        async with asyncio.TaskGroup() as tasks:
            tidying = tasks.create_task(upkeep.run(), name="upkeep")
            taking_in = tasks.create_task(ingest.run(), name="ingest")
            server = Server(config)
            serving = tasks.create_task(server.serve(sockets=[listener]), name="server")
            await stop.wait()
            # streams never end by themselves: the server would wait for them
            stream.close()
            server.should_exit = True
            await serving
            taking_in.cancel()
            tidying.cancel()
    finally:
        store.close()
