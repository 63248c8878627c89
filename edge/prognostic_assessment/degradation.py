"""Remaining life without a model of it: the trend of the score, led on to where machines fail.

Nobody knows beforehand by which law a fault grows, nor how fast. So means of the score over steps from seconds to hours are
kept, the newest `POINTS` of each, and through them go two straight lines: one of the score (wear in proportion to what was
done), one of its logarithm (damage that grows in proportion to itself). With b the rise of a line, e its standard error, y
where it is now and L where machines fail, the time until then is (L - y) / b. What is not known of it is added up as variances
of its logarithm:

    of the rise          (e / b)², e after what neighbouring steps have in common (r, their residuals' correlation):
                         e² = σ² / Σ(t - mean t)² · (1 + r) / (1 - r)
    of what is to come   s² / (b (L - y)), s² being what a step adds at random: the changes of the residuals, without the part
                         that the next change takes back
    of the law           how far the two lines' times lie from p50, which lies between them by their likelihood. Neither
                         counts for less than `LEAST_SHARE`: hardly any wear follows one of them all its life
    of where it fails    L is log-normal around `level`, given that the machine has not failed at y: what has run out of a
                         life never says that there is none left

A machine that works in cycles longer than a step, such as a furnace with its batches, makes the score rise and fall within
each of them. What it does there is the work's: only steps of a cycle or more tell.

Of the steps whose two lines surely rise the surest tells. Where none does, or the score is below its limit, there is no end in
sight, and nothing is said; nor is anything told that lies farther off than `FARTHEST` times what was watched.

Sources: X.-S. Si, W. Wang, C.-H. Hu, D.-H. Zhou: Remaining useful life estimation, a review on the statistical data driven
approaches. European Journal of Operational Research 213(1), 2011 (regression-based models, random failure threshold).
F. H. C. Marriott, J. A. Pope: Bias in the estimation of autocorrelations. Biometrika 41, 1954.
"""

import math
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# steps [s] over which the score is averaged, all at once
STEPS_S: Final = (15.0, 120.0, 900.0, 7200.0)
# steps that a line goes through, and the fewest that it may
POINTS: Final = 32
LEAST_POINTS: Final = 12
# standard errors by which the rise must differ from none
SIGNIFICANT: Final = 3.0
FARTHEST: Final = 5.0
# neighbours that have more than this in common are one
MOST_CORRELATION: Final = 0.9
# a health of 0.1: six times the limit
FAILURE_SCORE: Final = 6.0
# where nobody knows of any machine of its class: between 5 and 30 times the limit, as simulated ones of several classes do
GUESSED_FAILURE_SCORE: Final = 12.0
GUESSED_SPREAD: Final = 0.75
SMALLEST_SCORE: Final = 0.01
# a step whose mean has fallen so far below the highest one, and below the limit, is one after a repair
REPAIRED: Final = 0.5
# the same of one that works in cycles: between them it comes down, too
REPAIRED_IN_CYCLES: Final = 0.1
# of the line that is less likely, in what is not known
LEAST_SHARE: Final = 0.25
S_PER_H: Final = 3600.0
# of the hours that are told, as a logarithm: ten million
MOST_LOG_H: Final = math.log(1e7)

Floats = NDArray[np.float64]

_NORMAL: Final = NormalDist()
_P50, _P90 = 0.5, 0.9
_Z_90: Final = _NORMAL.inv_cdf(_P90)
# of p10, p50, p90
_SIDES: Final = np.array([-1.0, 0.0, 1.0])


class _Line(NamedTuple):
    """Lines through the steps of each asset, (n_assets,): where they are now, rise per step, and its standard error.

    diffusion: what a step adds at random, as a variance; independent: of the points, those that are no neighbours' copies
    at: (POINTS, n_assets) what the line has there
    """

    now: Floats
    rise: Floats
    error: Floats
    diffusion: Floats
    independent: Floats
    at: Floats


class DegradationTrend:
    """The trend of each asset of a group.

    level: the score at which a machine has failed; spread: of its logarithm, where that is a guess
    cycle_s: how long it takes until its work begins anew, where that changes the score
    """

    def __init__(self, n_assets: int, level: float = FAILURE_SCORE, spread: float = 0.0, cycle_s: float = 0.0) -> None:
        shape = len(STEPS_S), n_assets
        self._failure, self._spread = math.log(level), spread
        # where a cycle is longer than all of them the longest tells
        self._telling = [step for step, step_s in enumerate(STEPS_S) if step_s >= min(cycle_s, STEPS_S[-1])]
        self._repaired = REPAIRED_IN_CYCLES if cycle_s > STEPS_S[0] else REPAIRED
        self._step_ns = (np.array(STEPS_S) * 1e9).astype(np.int64)
        self._block = np.full(len(STEPS_S), -1, np.int64)
        self._sum, self._count = np.zeros(shape), np.zeros(shape)
        # (n_steps, POINTS, n_assets) the means, the newest last; NaN where nothing was scored
        self._means = np.full((len(STEPS_S), POINTS, n_assets), np.nan)
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
                self._end_step(step, int(block[step] - self._block[step]))
            self._block = block
            self._told, self._since = self._quantiles()
        there = np.isfinite(score)
        self._sum += np.where(there, np.maximum(score, SMALLEST_SCORE), 0.0)
        self._count += there
        return np.maximum(self._told - ((time - self._since) / 1e9 / S_PER_H)[:, None], 0.0)

    def _end_step(self, step: int, passed: int) -> None:
        """A step is over, and `passed` - 1 more without any instant."""
        means, count = self._means[step], self._count[step]
        passed = min(passed, POINTS)
        means[:-passed] = means[passed:].copy()
        means[-passed:] = np.nan
        means[-passed] = np.where(count > 0, self._sum[step] / np.maximum(count, 1), np.nan)
        highest = np.fmax.reduce(means, axis=0)
        repaired = (means[-passed] < np.minimum(1.0, self._repaired * highest)) & (highest > 1.0)
        means[:-passed, repaired] = np.nan
        self._sum[step] = self._count[step] = 0.0

    def _quantiles(self) -> tuple[Floats, NDArray[np.int64]]:
        """p10, p50, p90 [h] (n_assets, 3), and the time [ns UTC] (n_assets,) from which they count."""
        n_assets = self._means.shape[2]
        told, since = np.full((n_assets, 3), np.nan), np.zeros(n_assets, np.int64)
        surest = np.full(n_assets, np.inf)
        # within its limit a machine is as healthy as others, whatever its score did before
        above = self._means[0, -1] >= 1.0
        for step in self._telling if above.any() else ():
            means = self._means[step]
            n_points = np.isfinite(means).sum(axis=0)
            asset = np.flatnonzero(above & (n_points >= LEAST_POINTS) & np.isfinite(means[-1]))
            logarithm, plain = _line(np.log(means[:, asset])), _line(means[:, asset])
            sure = (logarithm.now >= 0.0) & (plain.now > 0.0)
            for line in (logarithm, plain):
                sure &= (line.rise > 0.0) & (line.rise > SIGNIFICANT * line.error)
            if not sure.any():
                continue
            asset = asset[sure]
            logarithm, plain = (_Line(*(array[..., sure] for array in line)) for line in (logarithm, plain))
            left, unsure = self._left(logarithm, plain, _likelihood(np.log(means[:, asset]), logarithm, plain))
            # beyond what a float holds in hours is beyond everything
            hours = np.minimum(left + math.log(STEPS_S[step] / S_PER_H), MOST_LOG_H)
            better = (unsure < surest[asset]) & (np.exp(hours[:, 1]) < FARTHEST * n_points[asset] * STEPS_S[step] / S_PER_H)
            told[asset[better]] = np.exp(hours[better])
            surest[asset[better]] = unsure[better]
            since[asset[better]] = self._block[step] * self._step_ns[step]
        return told, since

    def _left(self, logarithm: _Line, plain: _Line, likelihood: Floats) -> tuple[Floats, Floats]:
        """Logarithms of p10, p50, p90 [steps] (n, 3), and how unsure the rise is (n,).

        likelihood: (n,) share of the line of the logarithm
        """
        lines = []
        for line, failure, now in (
            (logarithm, self._failure_after(logarithm.now), logarithm.now),
            (plain, np.exp(self._failure_after(np.log(plain.now))), plain.now),
        ):
            distance = np.maximum(failure - now[:, None], 1e-9)
            left = np.log(distance) - np.log(line.rise)[:, None]
            rise = _Z_90**2 * ((line.error / line.rise) ** 2 + line.diffusion / (line.rise * distance[:, 1]))
            lines.append((left[:, 1], (left - left[:, 1:2]) ** 2 + rise[:, None]))
        shares = likelihood, 1.0 - likelihood
        middle = sum(share * each for share, (each, _) in zip(shares, lines, strict=True))
        square = sum(
            (LEAST_SHARE + (1.0 - 2.0 * LEAST_SHARE) * share)[:, None] * (around + ((_Z_90 * (each - middle)) ** 2)[:, None])
            for share, (each, around) in zip(shares, lines, strict=True)
        )
        told = middle[:, None] + _SIDES * np.sqrt(square)
        return told, np.minimum(logarithm.error / logarithm.rise, plain.error / plain.rise)

    def _failure_after(self, now: Floats) -> Floats:
        """(n, 3) 0.1, 0.5 and 0.9 quantiles of the logarithm of the score at failure, given that it is not reached at `now`."""
        if not self._spread:
            return np.repeat(np.full((len(now), 1), self._failure), 3, axis=1)
        level = NormalDist(self._failure, self._spread)
        # farther out a float knows no difference to certainty
        passed = [min(level.cdf(value), 1.0 - 1e-9) for value in now.tolist()]
        return np.array([[level.inv_cdf(p + share * (1.0 - p)) for share in (1.0 - _P90, _P50, _P90)] for p in passed])

    def rewind(self) -> None:
        self._block[:] = -1
        self._sum[:] = self._count[:] = 0.0
        self._means[:] = np.nan

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {name: getattr(self, f"_{name}") for name in ("block", "sum", "count", "means")}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        for name, array in state.items():
            getattr(self, f"_{name}")[:] = array
        self._told, self._since = self._quantiles()


def _line(values: Floats) -> _Line:
    """The straight line through each column of (POINTS, n), by least squares; NaN are left out. Now is the last one's end."""
    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=0), LEAST_POINTS)
    time = np.arange(len(values))[:, None] - (len(values) - 0.5)
    mean_time = np.where(there, time, 0.0).sum(axis=0) / count
    mean = np.where(there, values, 0.0).sum(axis=0) / count
    around = np.where(there, time - mean_time, 0.0)
    spread = (around**2).sum(axis=0)
    rise = (around * np.where(there, values - mean, 0.0)).sum(axis=0) / spread
    residual = np.where(there, values - mean - rise * around, 0.0)
    square = (residual**2).sum(axis=0)
    common = (residual[1:] * residual[:-1]).sum(axis=0) / np.maximum(square, 1e-30)
    # few points make neighbours look more unlike than they are
    common = np.clip(common + (1.0 + 3.0 * common) / count, 0.0, MOST_CORRELATION)
    error = np.sqrt(square / (count - 2) / spread * (1.0 + common) / (1.0 - common))
    # what was only measured wrong is taken back in the next change: Whitmore, Lifetime Data Analysis 1, 1995
    change = np.diff(residual, axis=0)
    both = there[1:] & there[:-1]
    change = np.where(both, change, 0.0)
    n_changes = np.maximum(both.sum(axis=0), 1)
    diffusion = np.maximum(((change**2).sum(axis=0) + 2.0 * (change[1:] * change[:-1]).sum(axis=0)) / n_changes, 0.0)
    independent = count * (1.0 - common) / (1.0 + common)
    return _Line(mean - rise * mean_time, rise, error, diffusion, independent, mean + rise * (time - mean_time))


def _likelihood(logarithms: Floats, logarithm: _Line, plain: _Line) -> Floats:
    """(n,) the share of the line of the logarithm. Both are held against the logarithms (POINTS, n): noise is in proportion."""
    there = np.isfinite(logarithms)
    squares = [
        np.where(there, (logarithms - at) ** 2, 0.0).sum(axis=0) + 1e-12
        for at in (logarithm.at, np.log(np.maximum(plain.at, SMALLEST_SCORE)))
    ]
    independent = (logarithm.independent + plain.independent) / 2.0
    odds = np.clip(independent / 2.0 * np.log(squares[1] / squares[0]), -50.0, 50.0)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))
