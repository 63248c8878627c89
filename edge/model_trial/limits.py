"""What the process of a trial may take, as the kernel enforces it on the process that calls this."""

import contextlib
import os
import resource
import signal
from pathlib import Path

from edge.model_trial.request import Request


def confine(request: Request) -> None:
    """From here on: so much memory more than now, so much time, no file, no core dump, and the machine's own work first.

    What is open stays open. The kernel's out-of-memory killer is pointed at this process before any other.
    """
    os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(b"1000")
    in_use = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, in_use + request.memory_bytes)
    cpu_s = int(request.cpu_s) + 1
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)
    # 0: the end of this process, should it write one
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    # standard input, output and error are all that it has
    _limit(resource.RLIMIT_NOFILE, 3)
    # no program and no thread besides; the kernel does not hold root to it
    _limit(resource.RLIMIT_NPROC, 0)
    # though nobody is left to end it: SIGALRM does
    signal.setitimer(signal.ITIMER_REAL, request.wall_s + 1.0)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Never above what the process is held to already."""
    ceiling = resource.getrlimit(what)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(what, (soft, wanted))
