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


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def plainly(number: float) -> str:
    """Two or three digits that mean something, never in powers of ten."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"
