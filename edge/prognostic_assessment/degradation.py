"""Remaining life without a model of it: the health's trend to a failure level, by a stochastic process updated online.

The logarithm y of the score is taken as a Wiener process with drift (damage that grows in proportion to itself, unevenly):
over a step D it changes by N(b D, s² D). Drift and diffusion come from the newest steps with exponential forgetting. The time
to the failure level L is then inverse Gaussian with mean (L - y) / b and relative variance s² / (b (L - y)); what is not known
of the drift is added, and so is what is not known of the level: nobody knows at which score a machine of a kind fails before
some have. Quantiles are those of a log-normal with the same two moments.

Nobody knows beforehand how fast a fault grows, so several steps are watched, from seconds to hours. Of those whose drift is
significant the surest tells. Where none is, or the score is below its limit, there is no end in sight, and nothing is said; nor
is anything told that lies farther off than `FARTHEST` times what was watched.

Source: X.-S. Si, W. Wang, C.-H. Hu, D.-H. Zhou: Remaining useful life estimation, a review on the statistical data driven
approaches. European Journal of Operational Research 213(1), 2011.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

# steps [s] of the process that are watched at once
STEPS_S: Final = (15.0, 120.0, 900.0, 7200.0)
# steps after which a share 1/e is left of what was seen
MEMORY: Final = 20
LEAST_STEPS: Final = 10
# standard errors by which the drift must differ from none
SIGNIFICANT: Final = 3.0
FARTHEST: Final = 5.0
# a health of 0.1: six times the limit
FAILURE_SCORE: Final = 6.0
# where no machine has failed yet: somewhere between 5 and 30 times the limit
GUESSED_FAILURE_SCORE: Final = 12.0
GUESSED_SPREAD: Final = 0.9
SMALLEST_SCORE: Final = 0.01
Z_90: Final = 1.2815515655446004
S_PER_H: Final = 3600.0

Floats = NDArray[np.float64]


class DegradationTrend:
    """The process of each asset of a group; (n_steps, n_assets) arrays.

    level: the score at which a machine has failed; spread: of its logarithm, where that is a guess
    """

    def __init__(self, n_assets: int, level: float = FAILURE_SCORE, spread: float = 0.0) -> None:
        shape = len(STEPS_S), n_assets
        self._failure, self._spread = math.log(level), spread
        self._step_ns = (np.array(STEPS_S) * 1e9).astype(np.int64)
        self._block = np.full(len(STEPS_S), -1, np.int64)
        self._sum, self._count = np.zeros(shape), np.zeros(shape)
        self._level = np.full(shape, np.nan)
        self._drift, self._variance, self._weight, self._seen = (np.zeros(shape) for _ in range(4))
        self._told = np.full((n_assets, 3), np.nan)
        self._since = np.zeros(n_assets, np.int64)

    def update(self, time: int, score: NDArray[np.float32]) -> Floats:
        """Take the scores of one instant; give p10, p50, p90 [h] (n_assets, 3), NaN where unknown.

        time: [ns UTC]; score: (n_assets,), NaN where withheld
        """
        block = time // self._step_ns
        ended = np.flatnonzero(block != self._block)
        if len(ended):
            for step in ended.tolist():
                self._end_step(step, follows=bool(block[step] == self._block[step] + 1))
            self._block = block
            self._told, self._since = self._quantiles()
        there = np.isfinite(score)
        value = np.log(np.maximum(score[there], SMALLEST_SCORE), dtype=np.float64)
        self._sum[:, there] += value
        self._count[:, there] += 1
        # the level is that of the middle of its step
        return np.maximum(self._told - ((time - self._since) / 1e9 / S_PER_H)[:, None], 0.0)

    def _end_step(self, step: int, *, follows: bool) -> None:
        """A step is over: its mean against that of the one before, where they follow each other."""
        there = self._count[step] > 0
        level = np.where(there, self._sum[step] / np.maximum(self._count[step], 1), np.nan)
        change = level - self._level[step] if follows else np.full(len(level), np.nan)
        known = np.isfinite(change)
        keep = math.exp(-1.0 / MEMORY)
        weight = self._weight[step][known] * keep + 1.0
        before = self._drift[step][known]
        drift = before + (change[known] - before) / weight
        # West's update of a weighted variance
        spread = self._variance[step][known] * self._weight[step][known] * keep + (change[known] - before) * (
            change[known] - drift
        )
        self._variance[step][known] = spread / weight
        self._drift[step][known], self._weight[step][known] = drift, weight
        self._seen[step][known] += 1
        # after a repair or a standstill all begins anew
        gone = ~there if follows else np.ones(len(level), np.bool_)
        for array in (self._drift, self._variance, self._weight, self._seen):
            array[step][gone] = 0.0
        self._level[step] = level
        self._sum[step] = self._count[step] = 0.0

    def _quantiles(self) -> tuple[Floats, NDArray[np.int64]]:
        """p10, p50, p90 [h] (n_assets, 3), and the time [ns UTC] (n_assets,) from which they count."""
        with np.errstate(divide="ignore", invalid="ignore"):
            # a variance from few steps is too small
            variance = self._variance * self._weight / np.maximum(self._weight - 1.0, 1.0)
            error = np.sqrt(variance / self._weight)
            left = self._failure - self._level
            mean = left / self._drift
            relative = variance / (self._drift * left) + (error / self._drift) ** 2 + (self._spread / left) ** 2
            sure = (
                (self._seen >= LEAST_STEPS)
                & (self._drift > SIGNIFICANT * error)
                & (left > 0)
                # within its limit a machine is as healthy as others, whatever its score does
                & (self._level[0] >= 0.0)
                & (mean < FARTHEST * np.minimum(self._seen, MEMORY))
            )
            relative = np.where(sure, relative, np.inf)
            best = relative.argmin(axis=0)
            asset = np.arange(relative.shape[1])
            width = np.sqrt(np.log1p(relative[best, asset]))
            median = mean[best, asset] * np.exp(-(width**2) / 2) * np.array(STEPS_S)[best] / S_PER_H
            found = np.column_stack([median * np.exp(-Z_90 * width), median, median * np.exp(Z_90 * width)])
        found[~np.isfinite(relative[best, asset])] = np.nan
        middle = self._block * self._step_ns - self._step_ns // 2
        return found, middle[best]

    def rewind(self) -> None:
        self._block[:] = -1
        self._sum[:] = self._count[:] = 0.0
        self._level[:] = np.nan

    def state(self) -> dict[str, NDArray[np.generic]]:
        names = ("block", "sum", "count", "level", "drift", "variance", "weight", "seen")
        return {name: getattr(self, f"_{name}") for name in names}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        for name, array in state.items():
            getattr(self, f"_{name}")[:] = array
        self._told, self._since = self._quantiles()
