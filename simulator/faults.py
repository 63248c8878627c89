"""The faults a machine can get, and how far each has come, for many machines at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import BilingualText
from simulator.degradation import Law, self_accelerating

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault mode: its identifier, its name and what one would see, in plain words, and the law that it grows by.

    mechanism: ISO 14224:2016, table B.2 (failure mechanism), such as "2.4 wear"
    life_h:    characteristic time from the first trace to failure, as plants see it [h]
    """

    id: str
    name: BilingualText
    description: BilingualText
    mechanism: str
    life_h: float
    law: Law = field(default=self_accelerating)


class FaultLevels:
    """How far the faults of n machines have come; logic over machine time, which is handed in.

    >>> from simulator.machines.pump import FAULTS
    >>> levels = FaultLevels(FAULTS, 1)
    >>> levels.inject(0, "bearing-wear", severity=1.0, over_s=10.0, at_s=100.0)
    >>> round(float(levels.at(np.array([105.0]))["bearing-wear"][0]), 2), levels.active(0)
    (0.09, ('bearing-wear',))
    >>> levels.repair(0)
    >>> levels.active(0)
    ()
    """

    def __init__(self, possible: tuple[Fault, ...], n: int) -> None:
        self.possible = possible
        # (n_faults, n): a fault goes from `before` to `severity` within `over_s` from `start_s` on
        self._before, self._severity = np.zeros((2, len(possible), n))
        self._start_s = np.full((len(possible), n), -math.inf)
        self._over_s = np.zeros((len(possible), n))
        self._row = {fault.id: row for row, fault in enumerate(possible)}

    def inject(self, machine: int, fault: str, *, severity: float, over_s: float, at_s: float) -> None:
        """Let `fault` go from where it is now to `severity` within `over_s`; severity 0 ends it at once."""
        row = self._row[fault]
        times = np.full(self._start_s.shape[1], at_s)
        self._before[row, machine] = self._level(row, times)[machine] if severity > 0.0 else 0.0
        self._severity[row, machine], self._start_s[row, machine], self._over_s[row, machine] = severity, at_s, over_s

    def repair(self, machine: int) -> None:
        self._before[:, machine] = self._severity[:, machine] = 0.0
        self._start_s[:, machine] = -math.inf

    def active(self, machine: int) -> tuple[str, ...]:
        return tuple(fault.id for row, fault in enumerate(self.possible) if self._severity[row, machine] > 0.0)

    def at(self, time_s: Floats) -> Mapping[str, Floats]:
        """Severity (0..1) of each fault at the machine times `time_s` (n,) [s], (n,) each."""
        return {fault.id: self._level(row, time_s) for fault, row in zip(self.possible, self._row.values(), strict=True)}

    def remaining_s(self, time_s: Floats) -> Floats:
        """Time (n,) [s] until the first fault of each machine is complete (severity 1); infinite where none will be."""
        if not self.possible:
            return np.full(len(time_s), np.inf)
        ends = np.where(self._severity >= 1.0, np.maximum(self._start_s + self._over_s - time_s, 0.0), np.inf)
        return np.asarray(ends.min(axis=0))

    def _level(self, row: int, time_s: Floats) -> Floats:
        before, severity, start_s, over_s = self._before[row], self._severity[row], self._start_s[row], self._over_s[row]
        if not severity.any():
            return np.zeros(len(time_s))
        share = np.where(over_s > 0.0, (time_s - start_s) / np.maximum(over_s, 1e-9), np.where(time_s >= start_s, 1.0, 0.0))
        grown = np.where(share > 0.0, self.possible[row].law(share), 0.0)
        # an instant fault is whole at the instant of its injection
        grown = np.where((over_s == 0.0) & (time_s >= start_s), 1.0, grown)
        return np.asarray(np.where(time_s >= start_s, before + (severity - before) * grown, before))
