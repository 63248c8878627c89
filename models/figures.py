"""Figures of a detector against labels. Three stand together, beside the floor of calling every row anomalous."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Rows counted by label and decision; counts of several recordings can be added (pooled).

    >>> found = Confusion.of(np.array([0, 0, 1, 1]), np.array([False, True, True, True]))
    >>> round(found.f1, 2), found.false_alarm_rate, found.missed_rate, round(found.floor_f1, 2)
    (0.8, 0.5, 0.0, 0.67)
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    true_negatives: int = 0

    @classmethod
    def of(cls, label: NDArray[np.float64], flagged: NDArray[np.bool_]) -> "Confusion":
        """label: (n_rows,) 1 where anomalous; flagged: (n_rows,) what the detector said."""
        anomalous = label > 0
        return cls(
            true_positives=int((anomalous & flagged).sum()),
            false_positives=int((~anomalous & flagged).sum()),
            false_negatives=int((anomalous & ~flagged).sum()),
            true_negatives=int((~anomalous & ~flagged).sum()),
        )

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            true_positives=self.true_positives + other.true_positives,
            false_positives=self.false_positives + other.false_positives,
            false_negatives=self.false_negatives + other.false_negatives,
            true_negatives=self.true_negatives + other.true_negatives,
        )

    @property
    def anomalous(self) -> int:
        return self.true_positives + self.false_negatives

    @property
    def normal(self) -> int:
        return self.false_positives + self.true_negatives

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1, higher is better."""
        return _ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    @property
    def false_alarm_rate(self) -> float:
        """FAR: share of the normal rows that were flagged, 0..1."""
        return _ratio(self.false_positives, self.normal)

    @property
    def missed_rate(self) -> float:
        """MAR: share of the anomalous rows that were not flagged, 0..1."""
        return _ratio(self.false_negatives, self.anomalous)

    @property
    def floor_f1(self) -> float:
        """F1 of calling every row anomalous: a detector below it is worth nothing."""
        return _ratio(2 * self.anomalous, 2 * self.anomalous + self.normal)


def roc_auc(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Area under the ROC curve over the rows that have a score; NaN where one of the two classes is missing."""
    scored = ~np.isnan(score)
    anomalous = label[scored] > 0
    if not anomalous.any() or anomalous.all():
        return float("nan")
    return float(roc_auc_score(anomalous, score[scored]))


def vus_pr(label: NDArray[np.float64], score: NDArray[np.float64], longest: int, n_buffers: int = 8) -> float:
    """Volume under the surface of precision and recall over buffers of 0 to `longest` rows round each event; NaN without one.

    Range-based: an alarm a little early or late counts in part, and an event that is missed altogether weighs more than one
    that is found for a moment. Rows without a score count as the lowest. Source: J. Paparrizos et al.: Volume under the
    surface, a new accuracy evaluation measure for time-series anomaly detection. PVLDB 15(11), 2022.
    """
    anomalous = label > 0
    if not anomalous.any() or anomalous.all():
        return float("nan")
    filled = np.where(np.isnan(score), -1.0, score)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], anomalous.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    order = np.argsort(-filled, kind="stable")
    ranked = np.empty(len(order), np.int64)
    ranked[order] = np.arange(len(order))
    # the rank at which each event is seen for the first time: from there on it exists
    seen_at = np.sort([ranked[start:stop].min() for start, stop in zip(starts, stops, strict=True)])
    counts = np.arange(1, len(order) + 1)
    existence = np.searchsorted(seen_at, counts - 1, "right") / len(starts)
    # only where the next score is lower does a threshold lie
    at = np.flatnonzero(np.append(np.diff(filled[order]) != 0, True))
    areas = []
    for buffer in np.unique(np.linspace(0, longest, n_buffers).astype(np.int64)):
        soft = _buffered(anomalous, starts, stops, int(buffer))
        hit = np.cumsum(soft[order])
        positives = (anomalous.sum() + soft.sum()) / 2
        recall = np.minimum(hit / positives, 1.0) * existence
        precision = hit / counts
        areas.append(float(np.sum(np.diff(np.concatenate([[0.0], recall[at]])) * precision[at])))
    return float(np.mean(areas))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoints:
    """Alerts counted against change points after the Numenta Anomaly Benchmark, standard profile; several can be added.

    Each change point opens a window of time behind it. The first alert within it earns up to 1, the more the sooner; a window
    without one costs 1; every alert outside all windows costs up to 0.11, the less the sooner it follows one. Source: A. Lavin,
    S. Ahmad: Evaluating real-time anomaly detection algorithms, the Numenta Anomaly Benchmark. ICMLA 2015.

    >>> found = ChangePoints.of(np.array([100.0, 500.0]), np.array([100.0, 300.0]), window=60.0)
    >>> found.found, found.missed, found.false, round(found.score, 1)
    (1, 1, 1, 47.3)
    """

    points: float = 0.0
    found: int = 0
    missed: int = 0
    false: int = 0

    @classmethod
    def of(cls, changes: NDArray[np.float64], alerts: NDArray[np.float64], window: float) -> "ChangePoints":
        """changes: (n,) in order, alerts: (m,), and the window's length, all in one unit of time."""
        points, found, outside = 0.0, 0, np.ones(len(alerts), np.bool_)
        for change in changes:
            within = (alerts >= change) & (alerts <= change + window)
            outside &= ~within
            found += bool(within.any())
            points += _earned((alerts[within].min() - change) / window - 1) / _earned(-1.0) if within.any() else -1.0
        for alert in alerts[outside]:
            before = changes[changes < alert]
            late = (alert - before[-1]) / window - 1 if len(before) else np.inf
            points += FALSE_ALERT * float(_earned(min(late, NEVER_EARNED)))
        return cls(points=points, found=found, missed=len(changes) - found, false=int(outside.sum()))

    def __add__(self, other: "ChangePoints") -> "ChangePoints":
        return ChangePoints(
            points=self.points + other.points,
            found=self.found + other.found,
            missed=self.missed + other.missed,
            false=self.false + other.false,
        )

    @property
    def score(self) -> float:
        """100 for all found at once and nothing else, 0 for never an alert; far below it for too many."""
        number = self.found + self.missed
        return _ratio(100 * (self.points + number), 2 * number) if number else float("nan")


FALSE_ALERT = 0.11
# window lengths behind a window's end, from where an alert has nothing to do with it
NEVER_EARNED = 3.0


def _earned(position: float) -> float:
    """From -1 at the window's begin (about 1) over 0 at its end (0) to the far right (-1)."""
    return float(2.0 / (1.0 + np.exp(5.0 * position)) - 1.0)


def _buffered(
    anomalous: NDArray[np.bool_], starts: NDArray[np.int64], stops: NDArray[np.int64], buffer: int
) -> NDArray[np.float64]:
    """Labels with a shoulder of half the buffer on both sides of each event, falling as a square root."""
    soft = anomalous.astype(np.float64)
    half = buffer // 2
    for start, stop in zip(starts, stops, strict=True):
        for distance in range(1, half + 1):
            weight = np.sqrt(1.0 - distance / max(buffer, 1))
            for row in (start - distance, stop - 1 + distance):
                if 0 <= row < len(soft):
                    soft[row] = max(soft[row], weight)
    return soft


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def plainly(number: float) -> str:
    """Two or three digits that mean something, never in powers of ten."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"
