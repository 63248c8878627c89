"""Supervisor's event listener: says in one sentence when a program of the demo dies, and when it dies for good.

Standard input and output speak supervisor's event protocol; the sentences go to standard error.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from supervisor import childutils

TAIL_LINES: Final = 5
TAIL_BYTES: Final = 20_000


def sentence(event: str, program: str, log: Path) -> str:
    """What to tell of `event`, one of supervisor's PROCESS_STATE_EXITED and PROCESS_STATE_FATAL."""
    if event == "PROCESS_STATE_FATAL":
        said = "\n".join(f"    {line}" for line in tail(log)) or "    (nothing)"
        return f"The {program} does not stay up and is not started again until the demo is; its log {log} ends:\n{said}"
    return f"The {program} ended unasked and is started again; why may stand in {log}."


def tail(log: Path) -> list[str]:
    """The last lines of a log that say something."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return [f"{log} cannot be read: {error.strerror or error}"]
    return [line for line in lines if line.strip()][-TAIL_LINES:]


def watch(environ: Mapping[str, str]) -> None:
    """Answer each event that supervisor sends, until it ends this process."""
    while True:
        headers, payload = childutils.listener.wait()
        program = childutils.get_headers(payload)["processname"]
        if program != "watch":  # this process's own predecessor
            log = Path(environ["KULLAGER_HOME"]) / "log" / f"{program}.log"
            sys.stderr.write(sentence(headers["eventname"], program, log) + "\n")
            sys.stderr.flush()
        childutils.listener.ok()


if __name__ == "__main__":
    watch(os.environ)
