"""How warm it is around the machines, against what is usual there; logic over machine time, which is handed in."""

import numpy as np

from simulator.randomness import Floats


class Weather:
    """Kelvins above the usual, for n machines: each change comes evenly within its time.

    >>> weather = Weather(1)
    >>> weather.change(0, 8.0, over_s=100.0, at_s=0.0)
    >>> [float(weather.at(np.array([time_s]))[0]) for time_s in (0.0, 50.0, 200.0)]
    [0.0, 4.0, 8.0]
    """

    def __init__(self, n: int) -> None:
        self._before, self._warmer, self._start_s = np.zeros((3, n))
        self._over_s = np.ones(n)
        self._ever = False

    def change(self, machine: int, warmer: float, *, over_s: float, at_s: float) -> None:
        """Let it become `warmer` [K] than usual round one machine, within `over_s` from `at_s` on."""
        self._before[machine] = self.at(np.full(len(self._before), at_s))[machine]
        self._warmer[machine], self._start_s[machine], self._over_s[machine] = warmer, at_s, max(over_s, 1e-9)
        self._ever = True

    def at(self, time_s: Floats) -> Floats:
        """[K] above the usual at the machine times `time_s` (n,) [s], (n,)."""
        if not self._ever:
            return np.zeros(len(time_s))
        share = np.clip((time_s - self._start_s) / self._over_s, 0.0, 1.0)
        return np.asarray(self._before + (self._warmer - self._before) * share)
