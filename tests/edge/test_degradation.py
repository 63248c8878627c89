"""The health's trend to a failure level: its interval covers what it says, and where there is no trend nothing is said."""

from collections.abc import Callable

import numpy as np
import pytest

from edge.prognostic_assessment.degradation import FAILURE_SCORE, DegradationTrend

BEGIN = 1_795_514_400_000_000_000
PERIOD_S = 5


def lives(
    n: int, length_s: int, step: Callable[[np.random.Generator, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is told (n_instants, n, 3), the logarithm of the true level, and what is left until failure [h], NaN if none."""
    random = np.random.default_rng(2)
    level, trend = np.full(n, np.log(0.5)), DegradationTrend(n)
    told, levels = [], []
    for second in range(0, length_s, PERIOD_S):
        level = level + step(random, level)
        seen = np.exp(level + random.normal(0, 0.15, n)).astype(np.float32)
        told.append(trend.update(BEGIN + second * 10**9, seen))
        levels.append(level)
    reached = np.array(levels) >= np.log(FAILURE_SCORE)
    failed_s = np.where(reached.any(axis=0), reached.argmax(axis=0) * float(PERIOD_S), np.nan)
    left_h = (failed_s - np.arange(0, length_s, PERIOD_S)[:, None]) / 3600
    return np.array(told), np.array(levels), np.where(left_h > 0, left_h, np.nan)


def test_the_interval_covers_what_it_says_on_lives_that_grow_unevenly() -> None:
    drift = np.log(FAILURE_SCORE / 0.5) / np.geomspace(1200, 9000, 200)
    told, _, left = lives(200, 14400, lambda random, _: drift * PERIOD_S + random.normal(0, 0.005 * PERIOD_S**0.5, 200))
    known = np.isfinite(told[..., 1]) & np.isfinite(left)
    assert known.sum() / np.isfinite(left).sum() > 0.3
    low, middle, high = np.moveaxis(told[known], -1, 0)
    assert 0.7 < ((low <= left[known]) & (left[known] <= high)).mean() < 0.9
    # the law is told by the scores alone: another one would end later
    assert np.median(np.abs(middle - left[known]) / left[known]) < 0.45


@pytest.mark.parametrize("level", [0.5, 3.0])
def test_a_score_that_stays_has_no_end_in_sight(level: float) -> None:
    told, _, _ = lives(50, 7200, lambda _, now: np.full(50, np.log(level)) - now)
    assert np.isfinite(told[..., 1]).mean() < 0.005


def test_a_machine_within_its_limit_has_no_end_in_sight() -> None:
    told, levels, _ = lives(20, 3600, lambda *_: np.full(20, 1e-4 * PERIOD_S))
    within = levels < np.log(0.8)
    assert within.sum() > 1000
    assert np.isnan(told[within]).all()


def test_a_repair_ends_the_trend() -> None:
    def step(_: np.random.Generator, level: np.ndarray) -> np.ndarray:
        return np.where(level > np.log(4.0), np.log(0.3) - level, 5e-4 * PERIOD_S)

    told, levels, _ = lives(20, 7200, step)
    before = (levels > np.log(3.0)) & (levels < np.log(4.0))
    assert np.isfinite(told[before][:, 1]).mean() > 0.9
    # two of the shortest steps later
    repaired = np.array([np.all(levels[max(0, now - 7) : now + 1] < np.log(0.8), axis=0) for now in range(len(levels))])
    assert repaired.sum() > 1000
    assert np.isnan(told[repaired]).all()


def test_a_silence_begins_anew_and_time_goes_on_between_steps() -> None:
    trend = DegradationTrend(1)
    for second in range(0, 900, PERIOD_S):
        (told,) = trend.update(BEGIN + second * 10**9, np.array([1.0 + second / 300], np.float32))
    assert np.isfinite(told[1])
    (later,) = trend.update(BEGIN + (second + 1) * 10**9, np.array([4.0], np.float32))
    assert later[1] == pytest.approx(told[1] - 1 / 3600, abs=1e-6)
    (after,) = trend.update(BEGIN + 4000 * 10**9, np.array([4.0], np.float32))
    assert np.isnan(after).all()


def test_a_restart_goes_on_where_it_ended() -> None:
    trend, other = DegradationTrend(3), DegradationTrend(3)
    for second in range(0, 1200, PERIOD_S):
        trend.update(BEGIN + second * 10**9, np.full(3, np.exp(second / 700), np.float32))
    other.restore({name: array.copy() for name, array in trend.state().items()})
    now = BEGIN + 1200 * 10**9, np.full(3, np.exp(1200 / 700), np.float32)
    np.testing.assert_array_equal(other.update(*now), trend.update(*now))
