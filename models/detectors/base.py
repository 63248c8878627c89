# ruff: noqa: N803 - scikit-learn names the samples X, and calls by that name
"""What every family has in common: scaling, limits, scores, shares, and scikit-learn's conventions.

A detector gives `statistics`, squared distances from normal, each with its own limit. The score is the root of the largest
ratio of a statistic to its limit, a distance in units of the limit: range ≥ 0, 1.0 is the alarm limit, higher is more
anomalous. What a family adds it writes twice, side by side: in numpy, and as nodes of ONNX; export proves that they agree.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

Matrix = NDArray[np.float64]
# features as the graph gives them are float32: half the memory, and every one of their digits
Samples = NDArray[np.floating]
Modes = NDArray[np.int64]
TOO_FEW = "{} windows are too few to hold a quarter of them out"
# samples that teach at most, and that are worked on at once
MOST_TAUGHT = 200_000
MOST_AT_ONCE = 100_000
# of the spread over all modes, the least that a single mode is given
LEAST_OF_POOLED = 0.3

# a limit below this [squared standard deviations] would measure the rounding of float32, not the machine
SMALLEST_LIMIT = 1e-6
# a spread below this share of the mean is the rounding of float32: the feature is constant
SMALLEST_SPREAD = 1e-7
# keeps the shares defined for a window in which nothing deviates at all; then all features share alike
SMALLEST_PART = 1e-9
# how far [standard deviations] a feature may pull the values expected of all: a fault in one signal is no reason to expect
# anything unusual of its companions
EXPECTED_REACH = 3.0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a detector says of healthy samples that it has not seen.

    index:      (n,) the samples that were held out, in order
    block:      (n,) which held-out block each belongs to
    statistics: (n, n_statistics); expected: (n, n_features) float32
    """

    index: NDArray[np.int64]
    block: NDArray[np.int64]
    statistics: Matrix
    expected: NDArray[np.floating]

    @classmethod
    def joined(cls, parts: Sequence["HeldOut"]) -> "HeldOut":
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Fragment:
    """Nodes of ONNX in its text form, and the constants they need.

    They take `z` (n, n_features), the features scaled by mean and spread of their mode, and give `statistic`
    (n, n_statistics), `part` (n, n_features), not negative, and `modelled` (n, n_features), the scaled features as the
    detector expects them. The constants `limits` (n_statistics,), `axis_1`, `reach` and `least_reach` are there.
    """

    text: str
    constants: dict[str, Any]
    # by the name of a node's output, attributes that are too long to be written as text
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)


class Detector(OutlierMixin, BaseEstimator, metaclass=ABCMeta):  # type: ignore[misc]
    """A family of detectors. Missing features (NaN) count as their training mean.

    Fitting sets in-sample limits at `quantile`, which are too tight for windows that overlap: `models.calibrate` gives
    honest ones.

    Attributes
    ----------
    mean_, scale_ : (n_modes, n_features) of training
    limits_ : (n_statistics,) limit of each statistic
    """

    quantile: float

    # -- what a family is

    @abstractmethod
    def _learn(self, z: Matrix, mode: Modes) -> None:
        """Learn from scaled healthy samples (n_samples, n_features) and their modes, in the order of time."""

    @abstractmethod
    def _statistics(self, z: Matrix) -> Matrix:
        """(n_samples, n_statistics) squared distances from normal, ≥ 0."""

    @abstractmethod
    def _parts(self, z: Matrix) -> Matrix:
        """(n_samples, n_features) what each feature adds to the deviation, ≥ 0."""

    @abstractmethod
    def _modelled(self, z: Matrix) -> Matrix:
        """(n_samples, n_features) the scaled features as they should be; `z` is within `EXPECTED_REACH`."""

    @abstractmethod
    def fragment(self) -> Fragment:
        """The same three as nodes of ONNX."""

    # -- what follows from it

    def fit(self, X: Any, y: Any = None, *, mode: Modes | None = None) -> Self:
        """Learn from healthy samples; `mode` (n_samples,) numbers the operating mode of each, from 0: all the same without."""
        samples = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        modes = np.zeros(len(samples), np.int64) if mode is None else mode
        self.mean_, self.scale_ = _moments(samples, modes)
        self.offset_ = -1.0
        z = self._scaled(samples, modes)
        self._learn(z, modes)
        self.limits_: Matrix = limits(self._statistics(z), self.quantile)
        return self

    def statistics(self, X: Any, mode: Modes | None = None) -> Matrix:
        """(n_samples, n_statistics) squared distances from normal, ≥ 0."""
        return self._statistics(self._scaled(X, mode))

    def scores(self, X: Any, mode: Modes | None = None) -> Matrix:
        """(n_samples,) ≥ 0; 1.0 is the alarm limit, higher is more anomalous."""
        statistics = self.statistics(X, mode)
        return ratio_to(self.limits_, statistics)

    def contributions(self, X: Any, mode: Modes | None = None) -> Matrix:
        """(n_samples, n_features) share of each feature in the deviation: not negative, sums to 1."""
        parts = self._parts(self._scaled(X, mode)) + SMALLEST_PART
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    def expected(self, X: Any, mode: Modes | None = None) -> Matrix:
        """(n_samples, n_features) what the others let one expect of each feature, in its unit.

        Features further out than `EXPECTED_REACH` count as that far out.
        """
        within = np.clip(self._scaled(X, mode), -EXPECTED_REACH, EXPECTED_REACH)
        return self._in_units(self._modelled(within), mode)

    def held_out(self, X: Samples, purge: int, n_blocks: int = 4, mode: Modes | None = None) -> HeldOut:
        """Purged blocked cross-validation: contiguous blocks in turn, judged by what the others teach.

        Training leaves out the `purge` samples on both sides that share rows with the block; samples of a mode that the
        others do not have are left out, too. See M. López de Prado: Advances in Financial Machine Learning, 2018, chapter
        7. Raises ValueError where the samples are too few.
        """
        modes = np.zeros(len(X), np.int64) if mode is None else mode
        folds = purged_folds(len(X), purge, n_blocks)
        if min(len(train) for train, _ in folds) <= 2 * X.shape[1]:
            raise ValueError(TOO_FEW.format(len(X)))
        parts: list[HeldOut] = []
        for number, (train, block) in enumerate(folds):
            judged = block[np.isin(modes[block], modes[train])]
            if len(judged):
                some = train[:: stride_of(len(train))]
                model = clone(self).fit(X[some], mode=modes[some])
                for part in chunks(judged):
                    statistics, expected = (find(X[part], modes[part]) for find in (model.statistics, model.expected))
                    parts.append(HeldOut(part, np.full(len(part), number), statistics, expected.astype(np.float32)))
        return HeldOut.joined(parts)

    def score_samples(self, X: Any) -> Matrix:
        """After scikit-learn's convention: higher is more normal. The negative of `scores`."""
        return -self.scores(X)

    def decision_function(self, X: Any) -> Matrix:
        """After scikit-learn's convention: negative is anomalous."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """After scikit-learn's convention: -1 is anomalous, 1 is normal."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _scaled(self, X: Any, mode: Modes | None) -> Matrix:
        check_is_fitted(self, "mean_")
        samples = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        rows = np.zeros(len(samples), np.int64) if mode is None else mode
        return np.asarray(np.where(np.isnan(samples), 0.0, (samples - self.mean_[rows]) / self.scale_[rows]))

    def _in_units(self, z: Matrix, mode: Modes | None) -> Matrix:
        rows = np.zeros(len(z), np.int64) if mode is None else mode
        return np.asarray(z * self.scale_[rows] + self.mean_[rows])


def _moments(samples: Matrix, mode: Modes) -> tuple[Matrix, Matrix]:
    """Mean and standard deviation of each mode (n_modes, n_features), missing values left out.

    A mode's spread is at least `LEAST_OF_POOLED` of what is usual over all modes: few samples would make it too narrow.
    """
    n_modes = int(mode.max()) + 1
    mean, spread = np.zeros((2, n_modes, samples.shape[1]))
    count = np.zeros((n_modes, samples.shape[1]))
    for number in range(n_modes):
        rows = samples[mode == number]
        there = ~np.isnan(rows)
        count[number] = there.sum(axis=0)
        mean[number] = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(count[number], 1)
        deviation = np.where(there, rows - mean[number], 0.0)
        spread[number] = np.sqrt((deviation**2).sum(axis=0) / np.maximum(count[number], 1))
    if n_modes > 1:
        pooled = np.sqrt((count * spread**2).sum(axis=0) / np.maximum(count.sum(axis=0), 1))
        spread = np.maximum(spread, LEAST_OF_POOLED * pooled)
    return mean, np.where(spread > SMALLEST_SPREAD * np.abs(mean), spread, 1.0)


def stride_of(n_samples: int) -> int:
    """Every how many samples teach: windows overlap, so of very many a part says all; memory and time stay bounded."""
    return max(1, n_samples // MOST_TAUGHT)


def chunks(index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Samples in parts that fit into memory."""
    return np.array_split(index, -(-len(index) // MOST_AT_ONCE)) if len(index) else []


def ratio_to(limits: Matrix, statistics: Matrix) -> Matrix:
    """(n_samples,) scores of statistics (n_samples, n_statistics), squared distances, against their limits."""
    return np.asarray(np.sqrt((statistics / limits).max(axis=1)))


def limits(statistics: Matrix, quantile: float) -> Matrix:
    """(n_statistics,) the limit of each statistic: its quantile over healthy samples (n_samples, n_statistics)."""
    return np.maximum(np.quantile(statistics, quantile, axis=0), SMALLEST_LIMIT)


def purged_folds(n_windows: int, purge: int, n_blocks: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
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
