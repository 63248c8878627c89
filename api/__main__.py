"""python -m api run --plant edge/plants/demo.toml"""

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path

from api.credentials import GIVEN_ROLES, first_token, given_tokens
from api.database import open_engine
from api.roles import Role
from api.server import Settings, database_url, home, listen, serve, stop_at_signal
from api.store import Store
from api.tokens import Tokens
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api", description="Results over HTTP, live, with the dashboard.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="serve the api and the dashboard")
    run.add_argument("--plant", type=Path, required=True, help="the plant file, as in edge/plants/demo.toml")
    run.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    run.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")
    token = verbs.add_parser("token", help="make a token, and print it: the only time that it is told")
    token.add_argument("name", help="the name under which its changes are told")
    token.add_argument("--role", choices=[role.value for role in GIVEN_ROLES], default=Role.OPERATOR.value)
    token.add_argument("--if-none", action="store_true", help="only where nobody has a token yet, as at a first start")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        if arguments.verb == "token":
            _make_token(arguments.name, Role(arguments.role), if_none=arguments.if_none)
            return 0
        plant = load_plant(arguments.plant, os.environ)
        with listen(arguments.host, arguments.port) as listener:
            asyncio.run(_run(plant, Settings.load(plant), listener))
    except KullagerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _make_token(name: str, role: Role, *, if_none: bool) -> None:
    with contextlib.closing(Store(open_engine(database_url(os.environ)))) as store:
        tokens = Tokens(store, given_tokens(os.environ))
        if (kept := first_token(home(os.environ), make=False)) is not None:
            tokens.take_first(kept)
        if if_none and tokens.all():
            return
        _, token = tokens.make(name, role, by="command line")
        print(f"The token of '{name}' (role {role}), shown only this once: {token}", flush=True)


async def _run(plant: Plant, settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    stop_at_signal(stop)
    await serve(plant, settings, listener, stop)


if __name__ == "__main__":
    sys.exit(main())
