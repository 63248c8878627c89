"""The faults a machine can get, and how they grow."""

import math
from dataclasses import dataclass
from typing import Final

from edge.contracts.alarm import BilingualText

# e^3: the last tenth of the time brings a quarter of the damage
GROWTH: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault mode: its identifier, and its name in plain words."""

    id: str
    name: BilingualText


BEARING_WEAR: Final = Fault(id="bearing-wear", name=BilingualText(sv="Lagerskada", en="Bearing wear"))
CAVITATION: Final = Fault(
    id="cavitation", name=BilingualText(sv="Kavitation (för lågt sugtryck)", en="Cavitation (suction pressure too low)")
)


def growth(elapsed: float) -> float:
    """Share (0..1) of the final damage after the share `elapsed` (0..1) of its time.

    A spall's edges and a starved suction side load themselves harder the worse they are: ds/dt = k·(s + s₀), whose
    solution through (0, 0) and (1, 1) is (e^(k·t) - 1) / (e^k - 1). So a fault stays small for long and ends fast,
    as bearing life tests show (exponential degradation: Gebraeel et al., IIE Transactions 37, 2005).

    >>> [round(growth(t), 2) for t in (0.0, 0.5, 0.9, 1.0)]
    [0.0, 0.18, 0.73, 1.0]
    """
    share = min(max(elapsed, 0.0), 1.0)
    return math.expm1(GROWTH * share) / math.expm1(GROWTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFault:
    """A fault on its way from the severity `before` to `severity` (0..1), from the machine time `start_s` on [s]."""

    severity: float
    start_s: float
    over_s: float
    before: float = 0.0

    def level(self, at_s: float) -> float:
        """Severity (0..1) at the machine time `at_s` [s]."""
        elapsed = (at_s - self.start_s) / self.over_s if self.over_s > 0 else 1.0
        return self.before + (self.severity - self.before) * growth(elapsed)


class FaultState:
    """The faults that one machine has now; logic over machine time, which is handed in.

    >>> state = FaultState((BEARING_WEAR, CAVITATION))
    >>> state.inject("bearing-wear", severity=1.0, over_s=10.0, at_s=100.0)
    >>> round(state.level("bearing-wear", 105.0), 2), state.level("cavitation", 105.0)
    (0.18, 0.0)
    >>> state.repair()
    >>> state.active
    ()
    """

    def __init__(self, possible: tuple[Fault, ...]) -> None:
        self.possible = possible
        self._active: dict[str, ActiveFault] = {}

    @property
    def active(self) -> tuple[str, ...]:
        return tuple(self._active)

    def inject(self, fault: str, *, severity: float, over_s: float, at_s: float) -> None:
        """Let `fault` go from where it is now to `severity` within `over_s`; severity 0 ends it."""
        before = self.level(fault, at_s)
        if severity == 0.0:
            self._active.pop(fault, None)
        else:
            self._active[fault] = ActiveFault(severity=severity, start_s=at_s, over_s=over_s, before=before)

    def repair(self) -> None:
        self._active.clear()

    def level(self, fault: str, at_s: float) -> float:
        active = self._active.get(fault)
        return active.level(at_s) if active else 0.0
