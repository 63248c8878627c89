"""python -m simulator.demo: all of kullager on this machine, in the foreground."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.contracts.errors import KullagerError
from simulator.demo.launcher import Settings, default_plant, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 after a clean stop, 2 with one sentence on stderr where the operator can do something."""
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description="All of kullager on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="the page's port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--plant", type=Path, default=default_plant(), help="plant file (default: the demo's)")
    options = parser.parse_args(arguments)
    home = Path(os.environ.get("KULLAGER_HOME", ".kullager")).resolve()
    try:
        asyncio.run(run(Settings(plant=options.plant.resolve(), home=home, port=options.port)))
    except KullagerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
