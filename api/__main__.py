"""python -m api run --plant edge/plants/demo.toml"""

import argparse
import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from api.server import Settings, listen, serve, stop_at_signal
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
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        plant = load_plant(arguments.plant, os.environ)
        with listen(arguments.host, arguments.port) as listener:
            asyncio.run(_run(plant, Settings.load(plant), listener))
    except KullagerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


async def _run(plant: Plant, settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    stop_at_signal(stop)
    await serve(plant, settings, listener, stop)


if __name__ == "__main__":
    sys.exit(main())
