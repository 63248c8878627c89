"""The operating points a machine is driven through: held for minutes, joined by ramps, repeatable by seed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingRange:
    """What an operator sets, and how often. Ranges are (lowest, highest)."""

    ranges: tuple[tuple[float, float], ...]
    hold_s: tuple[float, float] = (120.0, 420.0)
    ramp_s: tuple[float, float] = (15.0, 45.0)


class OperatingSchedule:
    """Setpoints over machine time; `at` is asked with times that do not go back."""

    def __init__(self, operating: OperatingRange, rng: np.random.Generator) -> None:
        self._operating, self._rng = operating, rng
        self._from = self._to = self._draw()
        self._ramp_start = self._ramp_end = 0.0
        self._next = float(rng.uniform(*operating.hold_s))

    def at(self, time_s: float) -> tuple[float, ...]:
        """The setpoints at `time_s` [s]."""
        while time_s >= self._next:
            self._from, self._to = self._to, self._draw()
            self._ramp_start = self._next
            self._ramp_end = self._ramp_start + float(self._rng.uniform(*self._operating.ramp_s))
            self._next = self._ramp_end + float(self._rng.uniform(*self._operating.hold_s))
        if time_s >= self._ramp_end:
            return self._to
        share = (time_s - self._ramp_start) / (self._ramp_end - self._ramp_start)
        return tuple(a + (b - a) * share for a, b in zip(self._from, self._to, strict=True))

    def _draw(self) -> tuple[float, ...]:
        return tuple(float(self._rng.uniform(low, high)) for low, high in self._operating.ranges)
