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


# every three hours a batch lifts the score to its whole height and lets it fall to a fiftieth
CYCLE_S = 10_800
GROWS_S = 60 * 3600


def batches(cycle_s: float) -> tuple[np.ndarray, np.ndarray]:
    """What is told (m, 3) of one machine whose batches' heights double every 10 h, and what is left until 20 [h] (m,)."""
    random, trend = np.random.default_rng(3), DegradationTrend(1, 10.0, 0.5, cycle_s)
    told, left = [], []
    for second in range(0, GROWS_S, PERIOD_S):
        height = 20.0 * 2.0 ** ((second - GROWS_S) / 36_000)
        within = 0.02 ** (0.5 + 0.5 * np.cos(2 * np.pi * second / CYCLE_S))
        score = np.array([height * within * np.exp(random.normal(0, 0.15))], np.float32)
        (life,) = trend.update(BEGIN + second * 10**9, score)
        told.append(life)
        left.append((GROWS_S - second) / 3600)
    known = np.isfinite(np.array(told)[:, 1])
    return np.array(told)[known], np.array(left)[known]


def test_what_a_score_does_within_a_batch_is_no_trend() -> None:
    told, left = batches(0.0)
    assert np.median(told[:, 1] / left) < 0.2, "without knowing of batches each of them looks like the last one"
    told, left = batches(CYCLE_S)
    assert len(told) > 500
    assert 0.3 < np.median(told[:, 1] / left) < 3.0
    assert ((told[:, 0] <= left) & (left <= told[:, 2])).mean() > 0.7


def test_the_spread_of_the_failure_level_widens_the_interval_and_moves_no_middle() -> None:
    def left(spread: float) -> np.ndarray:
        trend = DegradationTrend(1, 10.0, spread)
        for second in range(0, 900, PERIOD_S):
            (told,) = trend.update(BEGIN + second * 10**9, np.array([np.exp(second / 700)], np.float32))
        return told

    sure, unsure = left(0.0), left(1.0)
    assert unsure[2] / unsure[0] > 3.0 * sure[2] / sure[0]
    assert 0.8 < unsure[1] / sure[1] < 1.5
