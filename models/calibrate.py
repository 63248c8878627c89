"""Limits and false alarms from healthy data that the model has not seen.

Trailing windows overlap, so neighbours are nearly copies: limits from the training rows themselves, or from shuffled
cross-validation, are far too tight (false alarms on 87 to 100 % of healthy rows in the SKAB recordings). So whole blocks of
time are held out, as each family of detectors needs it, and the limit is the smallest at which what was held out raises no
more alarms than are wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import lfilter
from scipy.special import gammaincinv

from edge.contracts.errors import RecordingError
from edge.contracts.model_spec import SustainedLimit
from edge.contracts.plant import AlarmSettings
from models.detectors import Detector
from models.detectors.base import Matrix, Modes, Samples, limits, ratio_to

N_BLOCKS: Final = 4
WEEK_S: Final = 7 * 86_400.0
# before the rate of alarms decides, limits are brought to this quantile of their statistics: a machine whose alarms are rare
# is still not to look anomalous every hour
USUAL: Final = 0.99
# in the mean of scores that last: an hour, where an instant is a second
SUSTAINED_INSTANTS: Final = 3600
# how often the held-out time holds the mean's, at least; and how much higher than in all of it the mean may come, as days
# differ: on simulated machines, of other seeds than those that the documentation tells of, it came up to 1.3 times as high
SUSTAINED_TIMES: Final = 10
SUSTAINED_MARGIN: Final = 1.4
# the quick mean is of so much less, and of the limit it needs but this share, as it wavers more
QUICKER: Final = 20
QUICK_SHARE: Final = 0.8


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

    limits:       (n_statistics,) what the model is deployed with
    index:        (n_held_out,) the windows that were held out
    scores:       (n_held_out,) each against the limits of the *other* blocks, so that no window has a say in the limit it is
                  judged by
    expected:     (n_held_out, n_features) what a model that has not seen the window expected
    exceedance:   share of held-out windows with a score ≥ 1
    sustained:    the limit of small scores that last; None where there is too little data for one
    """

    limits: Matrix
    index: NDArray[np.int64]
    scores: Matrix
    expected: NDArray[np.floating]
    false_alarms: FalseAlarms
    sustained: SustainedLimit | None = None

    @property
    def exceedance(self) -> float:
        return float((self.scores >= 1).mean())


def calibrate(
    detector: Detector,
    features: Samples,
    time: NDArray[np.int64],
    *,
    n_samples: int,
    period_s: float,
    persistence: int,
    alarm: AlarmSettings,
    false_alarms_per_week: float,
    mode: Modes | None = None,
) -> Calibration:
    """Held-out statistics, the limits at which they raise the wanted alarms at most, and the alarms that they then would.

    features: (n_windows, n_features) of healthy windows in time order; time: (n_windows,) [ns] at which they end.
    Where there is less data than it takes for one wanted alarm, none is allowed.
    """
    try:
        held = detector.held_out(features, n_samples - 1, N_BLOCKS, mode)
    except ValueError as error:
        raise RecordingError(f"{error}; give more healthy rows") from None
    usual = limits(held.statistics, USUAL)
    score = ratio_to(usual, held.statistics)
    on_instants = persistence + round(alarm.on_delay_s / period_s)
    off_instants = 1 + round(alarm.off_delay_s / period_s)
    blocks = [held.block == number for number in np.unique(held.block)]
    counters = [
        AlarmCounter(score[here], time[held.index[here]], period_s, on_instants, off_instants, alarm) for here in blocks
    ]
    scores, count = np.empty(len(score)), 0
    for here, counter in zip(blocks, counters, strict=True):
        others = [other for other in counters if other is not counter]
        level = lowest_level(others, false_alarms_per_week, period_s)
        scores[here] = score[here] / level
        count += counter.count(level)
    level = lowest_level(counters, false_alarms_per_week, period_s)
    return Calibration(
        limits=usual * level**2,
        index=held.index,
        scores=scores,
        expected=held.expected,
        false_alarms=FalseAlarms(count=count, observed_s=len(score) * period_s),
        sustained=sustained_limit([score[here] / level for here in blocks], SUSTAINED_INSTANTS),
    )


def sustained_limit(blocks: Sequence[Matrix], instants: int) -> SustainedLimit | None:
    """The highest sustained score of blocks of held-out scores (n,), and `SUSTAINED_MARGIN`.

    None where there is less than `SUSTAINED_TIMES` the time that it is a mean of, or where healthy scores come so near their
    limit that a mean of small ones says nothing.
    """
    if sum(map(len, blocks)) < SUSTAINED_TIMES * instants:
        return None
    quick_instants = -(-instants // QUICKER)
    highest = 0.0
    for scores in blocks:
        # as the edge does, which begins with 0 and passes over what speaks for itself
        small = scores[scores < 1.0]
        slow, quick = (lfilter([1.0 / n], [1.0, 1.0 / n - 1.0], small) for n in (instants, quick_instants))
        highest = max(highest, float(np.minimum(slow, quick / QUICK_SHARE).max(initial=0.0)))
    limit = SUSTAINED_MARGIN * highest
    if not 0.0 < limit < 1.0:
        return None
    return SustainedLimit(limit=limit, instants=instants, quick_limit=QUICK_SHARE * limit, quick_instants=quick_instants)


class AlarmCounter:
    """How many alarms a sequence of scores raises at a level, many levels being asked for.

    The alarm comes with the `on_instants`-th score at or above the level in a row, and returns when scores have stayed below
    its hysteresis for `off_instants`. A gap in time starts anew.

    >>> seconds = np.arange(8) * 1_000_000_000
    >>> counter = AlarmCounter(np.array([0, 2, 2, 2, 0, 0, 2, 2.0]), seconds, 1.0, 3, 2, AlarmSettings())
    >>> counter.count(1.0), counter.count(2.5)
    (1, 0)
    """

    def __init__(
        self,
        scores: Matrix,
        time: NDArray[np.int64],
        period_s: float,
        on_instants: int,
        off_instants: int,
        alarm: AlarmSettings,
    ) -> None:
        self.n = len(scores)
        self._hysteresis = alarm.hysteresis
        index = np.arange(self.n)
        starts_anew = np.diff(time, prepend=time[:1]) > 1.5 * period_s * 1e9
        begun = np.maximum.accumulate(np.where(starts_anew, index, 0)) if self.n else index
        # trailing extremes; where a gap lies within, there is neither alarm nor return
        self._least = np.where(index - begun + 1 >= on_instants, _trailing(minimum_filter1d, scores, on_instants), -np.inf)
        self._most = np.where(index - begun + 1 >= off_instants, _trailing(maximum_filter1d, scores, off_instants), np.inf)

    @property
    def highest(self) -> float:
        """Above this level there is no alarm."""
        return float(self._least.max(initial=0.0))

    def count(self, level: float) -> int:
        on = np.flatnonzero(self._least >= level)
        off = np.flatnonzero(self._most < level * (1.0 - self._hysteresis))
        count, now = 0, -1
        while (begins := int(np.searchsorted(on, now, "right"))) < len(on):
            count += 1
            returns = int(np.searchsorted(off, on[begins], "right"))
            if returns == len(off):
                break
            now = int(off[returns])
        return count


def lowest_level(counters: list[AlarmCounter], per_week: float, period_s: float) -> float:
    """The smallest level, at least 1, at which all counters together count no more alarms than `per_week` allows."""
    allowed = int(per_week * sum(counter.n for counter in counters) * period_s / WEEK_S)
    low, high = 1.0, max(counter.highest for counter in counters) * (1.0 + 1e-6)
    if high <= low or sum(counter.count(low) for counter in counters) <= allowed:
        return low
    while high / low > 1.0 + 1e-6:
        middle = float(np.sqrt(low * high))
        if sum(counter.count(middle) for counter in counters) <= allowed:
            high = middle
        else:
            low = middle
    return high


def _trailing(filter1d: object, values: Matrix, length: int) -> Matrix:
    """The extreme of each value and the `length` - 1 before it."""
    extreme: Matrix = filter1d(values, size=length, origin=(length - 1) // 2, mode="nearest")  # type: ignore[operator]
    return extreme
