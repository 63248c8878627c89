import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import AlarmSettings
from models.calibrate import Calibration, FalseAlarms, calibrate, count_alarms, purged_folds
from models.detectors import PcaDetector
from models.features import Windows, trailing_means

SECOND = 1_000_000_000
QUICK = AlarmSettings(on_delay_s=2.0, off_delay_s=3.0, hysteresis=0.1)


def alarms(scores: list[float], time: np.ndarray | None = None, persistence: int = 1) -> int:
    seconds = np.arange(len(scores)) * SECOND if time is None else time
    return count_alarms(np.array(scores, np.float64), seconds, 1.0, persistence, QUICK)


def test_no_training_window_shares_a_row_with_a_held_out_one() -> None:
    n_samples = 30
    for train, held_out in purged_folds(400, n_samples - 1):
        nearest = np.abs(train[:, None] - held_out[None, :]).min()
        assert nearest >= n_samples


def test_every_window_is_held_out_once() -> None:
    held_out = np.concatenate([held_out for _, held_out in purged_folds(403, 9)])
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
    features, time = trailing_means(windows), np.arange(29, n_instants) * SECOND
    detector = PcaDetector()
    calibration = calibrate(detector, features, time, n_samples=30, period_s=1.0, persistence=1, alarm=AlarmSettings())
    return calibration, features, detector


def test_held_out_limits_are_wider_than_those_of_the_training_rows() -> None:
    calibration, features, detector = drifting(600)
    in_sample = detector.fit(features).limits_
    assert (calibration.limits > 1.5 * in_sample).all()


def test_too_few_windows_are_refused_in_words() -> None:
    with pytest.raises(RecordingError, match="41 windows are too few to hold a quarter of them out"):
        drifting(70)
