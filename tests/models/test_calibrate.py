import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import AlarmSettings
from models.calibrate import (
    SUSTAINED_MARGIN,
    AlarmCounter,
    Calibration,
    FalseAlarms,
    calibrate,
    lowest_level,
    sustained_limit,
)
from models.detectors import PcaDetector
from models.detectors.base import purged_folds
from models.features import FeatureGraph, Windows

SECOND = 1_000_000_000
QUICK = AlarmSettings(on_delay_s=2.0, off_delay_s=3.0, hysteresis=0.1)


def alarms(scores: list[float], time: np.ndarray | None = None, persistence: int = 1) -> int:
    seconds = np.arange(len(scores)) * SECOND if time is None else time
    on, off = persistence + round(QUICK.on_delay_s), 1 + round(QUICK.off_delay_s)
    return AlarmCounter(np.array(scores, np.float64), seconds, 1.0, on, off, QUICK).count(1.0)


def test_no_training_window_shares_a_row_with_a_held_out_one() -> None:
    n_samples = 30
    for train, held_out in purged_folds(400, n_samples - 1, 4):
        nearest = np.abs(train[:, None] - held_out[None, :]).min()
        assert nearest >= n_samples


def test_every_window_is_held_out_once() -> None:
    held_out = np.concatenate([held_out for _, held_out in purged_folds(403, 9, 4)])
    assert held_out.tolist() == list(range(403))


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([0.5] * 10, 0),
        ([2, 2, 0, 2, 2, 0], 0),  # never as long as the on-delay
        ([2, 2, 2, 0, 0], 1),
        ([2, 2, 2, 0.95, 0.95, 0.95, 0.95, 2, 2, 2], 1),  # within the hysteresis it stands
        ([2, 2, 2, 0, 0, 0, 0, 2, 2, 2], 2),
    ],
)
def test_alarms_are_counted_as_the_plant_file_delays_them(scores: list[float], count: int) -> None:
    assert alarms(scores) == count


def test_persistence_comes_before_the_on_delay() -> None:
    assert alarms([2] * 5, persistence=3) == 1
    assert alarms([2] * 4, persistence=3) == 0


def test_a_gap_in_time_begins_the_delays_anew() -> None:
    time = np.array([0, 1, 100, 101]) * SECOND
    assert alarms([2, 2, 2, 2], time) == 0


def test_no_alarm_in_little_data_promises_little() -> None:
    none = FalseAlarms(count=0, observed_s=3600.0)
    assert none.per_week == 0
    # the rule of three: 3 / observed
    assert none.at_most == pytest.approx(3.0 * 168, rel=0.01)


def drifting(n_instants: int) -> tuple[Calibration, np.ndarray, PcaDetector]:
    """Four signals that wander slowly, as temperatures do: neighbouring windows are nearly copies."""
    random = np.random.default_rng(11)
    values = np.cumsum(random.normal(0, 0.05, (n_instants, 4)), axis=0) + random.normal(size=(n_instants, 4))
    windows = Windows(values=values.astype(np.float32), last=np.arange(29, n_instants), n_samples=30)
    features, time = FeatureGraph.learn(windows, ()).compute(windows), np.arange(29, n_instants) * SECOND
    detector = PcaDetector()
    calibration = calibrate(
        detector, features, time, n_samples=30, period_s=1.0, persistence=1, alarm=AlarmSettings(), false_alarms_per_week=1.0
    )
    return calibration, features, detector


def test_held_out_limits_are_wider_than_those_of_the_training_rows() -> None:
    calibration, features, detector = drifting(600)
    in_sample = detector.fit(features).limits_
    assert (calibration.limits > 1.5 * in_sample).all()


def test_too_few_windows_are_refused_in_words() -> None:
    with pytest.raises(RecordingError, match="41 windows are too few to hold a quarter of them out"):
        drifting(70)


def test_the_limit_is_the_lowest_that_the_wanted_alarms_allow() -> None:
    """Three peaks in a week of scores: as many alarms as are allowed, and at a slightly lower limit there would be more."""
    n = 7 * 86_400 // 60
    scores = np.full(n, 0.5)
    for where, height in ((1000, 3.0), (5000, 4.0), (9000, 5.0)):
        scores[where : where + 20] = height
    counter = AlarmCounter(scores, np.arange(n) * 60 * SECOND, 60.0, 3, 3, QUICK)
    for allowed, limit in ((0.0, 5.0), (1.0, 4.0), (2.0, 3.0), (3.0, 1.0)):
        level = lowest_level([counter], allowed, 60.0)
        assert level == pytest.approx(limit, rel=1e-4)
        assert counter.count(level) <= allowed
        assert counter.count(level * 0.999) > allowed or level == 1.0
    # a day alone allows no alarm at one a week
    day = AlarmCounter(scores[:1440], np.arange(1440) * 60 * SECOND, 60.0, 3, 3, QUICK)
    assert lowest_level([day], 1.0, 60.0) > 3.0


def test_counting_at_many_levels_is_what_the_state_machine_does() -> None:
    random = np.random.default_rng(4)
    scores = np.abs(random.normal(size=3000)) + np.repeat(random.random(100), 30)
    time = np.cumsum(np.where(random.random(3000) < 0.003, 40, 1)) * SECOND
    for persistence in (1, 3):
        on, off = persistence + 2, 4
        counter = AlarmCounter(scores, time, 1.0, on, off, QUICK)
        for level in (0.4, 0.8, 1.2, 2.0):
            assert counter.count(level) == counted(scores / level, time, on, off)


def counted(scores: np.ndarray, time: np.ndarray, on: int, off: int) -> int:
    count = above = below = 0
    active, before = False, time[0]
    for score, now in zip(scores, time, strict=True):
        if now - before > 1.5 * SECOND:
            above = below = 0
        before = now
        above = above + 1 if score >= 1 else 0
        below = below + 1 if score < 1 - QUICK.hysteresis else 0
        if not active and above >= on:
            active, count = True, count + 1
        elif active and below >= off:
            active = False
    return count


def test_a_mean_of_small_scores_has_a_limit_above_all_that_healthy_time_gave() -> None:
    random = np.random.default_rng(2)
    blocks = [random.uniform(0.0, 0.6, 4000) for _ in range(4)]
    # what speaks for itself does not count as small
    blocks[1][1000:1100] = 5.0
    found = sustained_limit(blocks, 400)
    assert found is not None
    # the mean of the scores is 0.3, and that of 400 of them strays from it by a little
    assert 0.3 * SUSTAINED_MARGIN < found.limit < 0.35 * SUSTAINED_MARGIN
    assert (found.instants, found.quick_instants) == (400, 20)
    assert found.quick_limit == pytest.approx(0.8 * found.limit)
    higher = sustained_limit([*blocks, np.full(4000, 0.5)], 400)
    assert higher is not None
    assert higher.limit == pytest.approx(0.5 * SUSTAINED_MARGIN, rel=1e-3)


def test_little_time_and_scores_near_the_limit_give_no_limit_of_their_mean() -> None:
    assert sustained_limit([np.full(3999, 0.3)], 400) is None
    assert sustained_limit([np.full(40_000, 0.9)], 400) is None
