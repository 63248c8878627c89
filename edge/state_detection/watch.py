"""Whether a model in service does its work: in time, without failing, with numbers that mean something.

One instant at which it does not may be the machine's mood; five running are not, and neither is one in ten for long: each is
counted, and forgotten after ten good ones.
"""

from collections.abc import Callable
from typing import Final

IN_A_ROW: Final = 5
# good instants by which a bad one is forgotten
FORGOTTEN_AFTER: Final = 10
# share of the grid's period that the scores of a group may take, and never more than this: all else waits meanwhile
SHARE_OF_PERIOD: Final = 0.25
MOST_S: Final = 2.0
# a run is ended after so many times that, by the clock; not sooner than this, as the machine may be busy with other things
DEADLINES: Final = 4.0
LEAST_DEADLINE_S: Final = 1.0


class Watch:
    """Of one model over one group. `verdict` says why it is to be taken out of service, None while all is well.

    clock: processor seconds of this thread, so that a busy machine is not taken for a slow model
    """

    def __init__(self, period_s: float, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._budget_s = min(SHARE_OF_PERIOD * period_s, MOST_S)
        self.deadline_s = max(DEADLINES * self._budget_s, LEAST_DEADLINE_S)
        # in tenths of a bad instant
        self._failed = self._slow = 0
        self.longest_s = 0.0
        self.verdict: str | None = None

    def ran(self, seconds: float, problem: str | None, *, scored: bool = True) -> None:
        """It gave scores, some of which may be nonsense (`problem`); `scored`: whether any was wanted."""
        self.longest_s = max(self.longest_s, seconds)
        self._slow = _counted(self._slow, bad=seconds > self._budget_s)
        if self._slow >= IN_A_ROW * FORGOTTEN_AFTER:
            self.verdict = (
                f"took {seconds:.2g} s of the processor for one instant, again and again; {self._budget_s:g} s are allowed"
            )
        if scored or problem is not None:
            self._count(problem)

    def failed(self, problem: str) -> None:
        self._count(problem)

    def _count(self, problem: str | None) -> None:
        self._failed = _counted(self._failed, bad=problem is not None)
        if self._failed >= IN_A_ROW * FORGOTTEN_AFTER:
            self.verdict = f"failed again and again: {problem}"


def _counted(count: int, *, bad: bool) -> int:
    return count + FORGOTTEN_AFTER if bad else max(count - 1, 0)
