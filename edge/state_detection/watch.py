"""Whether a model in service does its work: in time, without failing, with numbers that mean something."""

from collections.abc import Callable
from typing import Final

# so many instants running it may fail or be slow; one alone is the machine's mood
IN_A_ROW: Final = 5
# share of the grid's period that the scores of a group may take
SHARE_OF_PERIOD: Final = 0.25
# and of that a run in which it is ended
DEADLINES: Final = 4.0


class Watch:
    """Of one model over one group. `verdict` says why it is to be taken out of service, None while all is well.

    clock: processor seconds of this thread, so that a busy machine is not taken for a slow model
    """

    def __init__(self, period_s: float, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._budget_s = SHARE_OF_PERIOD * period_s
        self.deadline_s = DEADLINES * self._budget_s
        self._failed = self._slow = 0
        self.longest_s = 0.0
        self.verdict: str | None = None

    def ran(self, seconds: float, problem: str | None) -> None:
        """It gave scores, some of which may be nonsense (`problem`)."""
        self.longest_s = max(self.longest_s, seconds)
        self._slow = self._slow + 1 if seconds > self._budget_s else 0
        if self._slow >= IN_A_ROW:
            self.verdict = (
                f"took {seconds:.2g} s of the processor for one instant, {IN_A_ROW} times running; "
                f"{self._budget_s:g} s are allowed"
            )
        self._count(problem)

    def failed(self, problem: str) -> None:
        self._count(problem)

    def _count(self, problem: str | None) -> None:
        self._failed = self._failed + 1 if problem is not None else 0
        if self._failed >= IN_A_ROW:
            self.verdict = f"failed at {IN_A_ROW} instants running: {problem}"
