"""python -m simulator run | replay | record"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from edge.contracts.errors import KullagerError
from edge.contracts.plant import load_plant
from simulator import live


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 after a clean stop, 2 with one sentence on stderr where the operator can do something."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # asyncua tells of every request at INFO
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    try:
        return int(options.verb(options))
    except KullagerError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description="Machines that show themselves over OPC UA and MQTT."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the machines of a plant file, live")
    run.add_argument("--plant", required=True, help="plant file (TOML)")
    run.add_argument("--seed", type=int, default=1, help="the same seed gives the same machines (default: 1)")
    run.add_argument("--speed", type=_positive, default=1.0, help="machine time per real time (default: 1)")
    run.set_defaults(verb=_run)
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' should be above 0")
    return number


def _run(options: argparse.Namespace) -> int:
    plant = load_plant(options.plant, os.environ)
    return asyncio.run(_until_stopped(live.run(plant, os.environ, seed=options.seed, speed=options.speed)))


async def _until_stopped(work: Coroutine[Any, Any, None]) -> int:
    """Run `work` to its end, or until SIGINT or SIGTERM, after which everything is closed in order."""
    task = asyncio.create_task(work, name="simulator")
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
