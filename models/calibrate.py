"""Limits and false alarms from healthy data that the model has not seen.

Trailing windows overlap, so neighbours are nearly copies: limits from the training rows themselves, or from shuffled
cross-validation, are far too tight (false alarms on 87 to 100 % of healthy rows in the SKAB recordings). Therefore
*purged blocked* cross-validation: contiguous blocks are held out in turn, and training leaves out the n_samples - 1
windows on both sides that share rows with the block. See M. López de Prado: Advances in Financial Machine Learning,
2018, chapter 7.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv
from sklearn.base import clone

from edge.contracts.errors import RecordingError
from edge.contracts.plant import AlarmSettings
from models.detectors import Matrix, PcaDetector, limits, ratio_to

N_BLOCKS: Final = 4
WEEK_S: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Alarms counted on healthy data that was held out.

    per_week: alarms per machine-week, count / observed; at_most: upper end of the one-sided 95 % Poisson interval
    """

    count: int
    observed_s: float

    @property
    def per_week(self) -> float:
        return self.count * WEEK_S / self.observed_s

    @property
    def at_most(self) -> float:
        return float(gammaincinv(self.count + 1, 0.95)) * WEEK_S / self.observed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What held-out windows say about a detector.

    limits:       (n_statistics,) the quantile of all held-out statistics: what the model is deployed with
    scores:       (n_windows,) each held-out window against the limits of the *other* blocks, so that no window has a say
                  in the limit it is judged by
    expected:     (n_windows, n_signals) what a model that has not seen the window expected
    exceedance:   share of held-out windows with a score ≥ 1
    """

    limits: Matrix
    scores: Matrix
    expected: Matrix
    false_alarms: FalseAlarms

    @property
    def exceedance(self) -> float:
        return float((self.scores >= 1).mean())


def purged_folds(n_windows: int, purge: int, n_blocks: int = N_BLOCKS) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training, held-out) indices for each block.

    Windows are purged by their index. Where instants in between were left out, two windows are farther apart in time than
    in index, so this never purges too few.

    >>> [(train.tolist(), held_out.tolist()) for train, held_out in purged_folds(6, 1, 3)]
    [([3, 4, 5], [0, 1]), ([0, 5], [2, 3]), ([0, 1, 2], [4, 5])]
    """
    folds = []
    index = np.arange(n_windows)
    for held_out in np.array_split(index, n_blocks):
        train = index[(index < held_out[0] - purge) | (index > held_out[-1] + purge)]
        folds.append((train, held_out))
    return folds


def calibrate(
    detector: PcaDetector,
    features: Matrix,
    time: NDArray[np.int64],
    *,
    n_samples: int,
    period_s: float,
    persistence: int,
    alarm: AlarmSettings,
) -> Calibration:
    """Held-out statistics of all windows, the limits at `detector.quantile` of them, and the alarms they would have raised.

    features: (n_windows, n_features) of healthy windows in time order; time: (n_windows,) [ns] at which they end.
    """
    folds = purged_folds(len(features), n_samples - 1)
    if min(len(train) for train, _ in folds) <= 2 * features.shape[1]:
        raise RecordingError(f"{len(features)} windows are too few to hold a quarter of them out; give more healthy rows")
    statistics, expected = None, np.empty_like(features)
    for train, held_out in folds:
        model = clone(detector).fit(features[train])
        found = model.statistics(features[held_out])
        statistics = np.empty((len(features), found.shape[1])) if statistics is None else statistics
        statistics[held_out] = found
        expected[held_out] = model.expected(features[held_out])
    assert statistics is not None  # noqa: S101 - there is always a fold
    scores = np.empty(len(features))
    count = 0
    for _, held_out in folds:
        others = np.delete(statistics, held_out, axis=0)
        scores[held_out] = ratio_to(limits(others, detector.quantile), statistics[held_out])
        count += count_alarms(scores[held_out], time[held_out], period_s, persistence, alarm)
    return Calibration(
        limits=limits(statistics, detector.quantile),
        scores=scores,
        expected=expected,
        false_alarms=FalseAlarms(count=count, observed_s=len(features) * period_s),
    )


def count_alarms(scores: Matrix, time: NDArray[np.int64], period_s: float, persistence: int, alarm: AlarmSettings) -> int:
    """How many alarms a sequence of scores raises.

    An asset is anomalous from the `persistence`-th score ≥ 1 in a row; the alarm comes when that has lasted for the
    on-delay, and returns when scores have stayed below 1 - hysteresis for the off-delay. A gap in time starts anew.

    >>> seconds = np.arange(8) * 1_000_000_000
    >>> quick = AlarmSettings(on_delay_s=1.0, off_delay_s=1.0)
    >>> count_alarms(np.array([0, 2, 2, 2, 0, 0, 2, 2.0]), seconds, 1.0, 2, quick)
    1
    """
    on_instants = persistence + round(alarm.on_delay_s / period_s)
    off_instants = 1 + round(alarm.off_delay_s / period_s)
    gap = np.diff(time, prepend=time[:1]) > 1.5 * period_s * 1e9
    count = above = below = 0
    active = False
    for score, starts_anew in zip(scores.tolist(), gap.tolist(), strict=True):
        if starts_anew:
            above = below = 0
        above = above + 1 if score >= 1 else 0
        below = below + 1 if score < 1 - alarm.hysteresis else 0
        if not active and above >= on_instants:
            active = True
            count += 1
        elif active and below >= off_instants:
            active = False
    return count
