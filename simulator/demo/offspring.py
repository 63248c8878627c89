"""What this process has started must not outlive it, and what is orphaned below it becomes its own child (Linux)."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
STOP_WITHIN_S: Final = 15.0


def tied() -> list[str]:
    """The start of a command line whose program gets SIGTERM when its parent ends; empty where the system has no such thing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def end_with_parent() -> None:
    """Get SIGTERM when the parent ends, and inherit the orphans of one's children."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, wait, and kill it if it does not."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def end_orphans() -> None:
    """Wait until all children have ended; those that have not in time are killed.

    Programs become children of this process when their own parent, supervisord, was killed.
    """
    deadline = time.monotonic() + STOP_WITHIN_S
    while pids := _children():
        for pid in pids:
            with contextlib.suppress(ChildProcessError, ProcessLookupError):
                running = os.waitpid(pid, os.WNOHANG)[0] == 0  # noqa: ASYNC222  # does not wait: WNOHANG
                if running and time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.05)


def _children() -> list[int]:
    """The processes that are direct children of this one; none where there is no /proc."""
    with contextlib.suppress(OSError):
        return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return []
