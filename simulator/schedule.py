"""The operating points that machines are driven through: held for minutes, joined by ramps, repeatable by seed."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulator.randomness import Draws, Floats

HOLD_S: Final = (120.0, 420.0)
RAMP_S: Final = (15.0, 45.0)

# of each setpoint the (lowest, highest)
Ranges = tuple[tuple[float, float], ...]


class OperatingSchedule:
    """Setpoints of n machines over their time. Each point is drawn in the ranges of a mode, which is drawn first.

    mode: (n,) int, the number of the mode of each machine's newest point
    """

    def __init__(self, modes: Sequence[Ranges], weights: Sequence[float], draws: Draws) -> None:
        self._modes, self._weights = tuple(modes), np.array(weights) / np.sum(weights)
        self._generators = draws.generators()
        n, k = draws.n, len(self._modes[0])
        self.mode = np.zeros(n, np.int64)
        self._asked: dict[int, int] = {}
        self._time_s = 0.0
        self._from, self._to = np.empty((k, n)), np.empty((k, n))
        self._ramp_start, self._ramp_end = np.zeros(n), np.zeros(n)
        self._next = np.empty(n)
        for machine, generator in enumerate(self._generators):
            self._to[:, machine] = self._draw(machine)
            self._next[machine] = generator.uniform(*HOLD_S)
        self._from[:] = self._to

    def ask(self, machine: int, mode: int) -> None:
        """Let the next point come at once, and in this mode."""
        self._asked[machine] = mode
        self._next[machine] = self._time_s

    def step(self, dt_s: float) -> Floats:
        """The setpoints (k, n), `dt_s` after the last ones."""
        self._time_s += dt_s
        now = self._time_s
        for machine in np.flatnonzero(now >= self._next):
            # where a ramp is cut short, the next one begins where it had come to
            self._from[:, machine] = self._at(now)[:, machine]
            self._to[:, machine] = self._draw(int(machine))
            generator = self._generators[machine]
            self._ramp_start[machine] = now
            self._ramp_end[machine] = now + generator.uniform(*RAMP_S)
            self._next[machine] = self._ramp_end[machine] + generator.uniform(*HOLD_S)
        return self._at(now)

    def _at(self, now: float) -> Floats:
        share = np.clip((now - self._ramp_start) / np.maximum(self._ramp_end - self._ramp_start, 1e-9), 0.0, 1.0)
        return self._from + (self._to - self._from) * share

    def _draw(self, machine: int) -> Floats:
        generator = self._generators[machine]
        drawn = int(generator.choice(len(self._modes), p=self._weights))
        self.mode[machine] = self._asked.pop(machine, drawn)
        return np.array([generator.uniform(low, high) for low, high in self._modes[self.mode[machine]]])
