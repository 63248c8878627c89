# ruff: noqa: N803 - scikit-learn names the samples X, and calls by that name
"""Mahalanobis distance with the covariance of what the machine does later than what was learnt from."""

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from models.detectors.base import (
    EXPECTED_REACH,
    TOO_FEW,
    Detector,
    Fragment,
    HeldOut,
    Matrix,
    Modes,
    Samples,
    chunks,
    stride_of,
)

GRAPH = """
    whitened = MatMul(z, root)
    squared = Mul(whitened, whitened)
    statistic = ReduceSum<keepdims = 1>(squared, axis_1)
    part = Identity(squared)

    within_reach = Clip(z, least_reach, reach)
    pull = MatMul(within_reach, pulls)
    modelled = Sub(within_reach, pull)
"""


class CovarianceDetector(Detector):
    """Mahalanobis distance, with the Ledoit–Wolf covariance of the healthy samples round their mean.

    Assumes one regime, in which features vary about linearly together. Contributions are the complete decomposition
    (e_j' S^(-1/2) x)², which sums to the distance. The value expected of a feature is its regression on all others,
    x_j - (S⁻¹x)_j / (S⁻¹)_jj.

    Parameters
    ----------
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    Attributes
    ----------
    covariance_ : (n_features, n_features), of scaled features

    References
    ----------
    O. Ledoit, M. Wolf: A well-conditioned estimator for large-dimensional covariance matrices. Journal of Multivariate
    Analysis 88(2), 2004. A. Kessy, A. Lewin, K. Strimmer: Optimal whitening and decorrelation. The American Statistician
    72(4), 2018.
    """

    def __init__(self, *, quantile: float = 0.99) -> None:
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        self._set(_covariance(z))

    def _set(self, covariance: Matrix) -> None:
        self.covariance_ = covariance
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, 1e-9 * values.max())
        self.root_: Matrix = (vectors / np.sqrt(values)) @ vectors.T
        precision = self.root_ @ self.root_
        self.pulls_: Matrix = precision / np.diag(precision)

    def _statistics(self, z: Matrix) -> Matrix:
        return np.asarray((self._parts(z)).sum(axis=1, keepdims=True))

    def _parts(self, z: Matrix) -> Matrix:
        return np.asarray((z @ self.root_) ** 2)

    def _modelled(self, z: Matrix) -> Matrix:
        return np.asarray(z - z @ self.pulls_)

    def fragment(self) -> Fragment:
        return Fragment(GRAPH, {"root": self.root_, "pulls": self.pulls_})


class ForwardDetector(CovarianceDetector):
    """Mahalanobis distance, with a Ledoit–Wolf covariance of *later* behaviour.

    A machine that was watched for a while goes on to wander: it warms up, ambient and load change. The covariance of the
    training samples round their own mean knows nothing of that, and alarms come the more the longer the training lies back.
    Here the training time is cut into `n_blocks`, and the covariance is that of each block's deviations from the mean of
    all *earlier* ones, which is what service will ask for. Directions in which the machine wanders get wide, those in which
    it is steady stay narrow.

    Parameters
    ----------
    n_blocks : into how many the training time is cut
    purge : samples at a block's begin that share rows with those before it, and are left out
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    References
    ----------
    Forward chaining: C. Bergmeir, J. M. Benítez: On the use of cross-validation for time series predictor
    evaluation. Information Sciences 191, 2012.
    """

    def __init__(self, *, n_blocks: int = 4, purge: int = 0, quantile: float = 0.99) -> None:
        self.n_blocks = n_blocks
        self.purge = purge
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        parts = [deviation for _, deviation, _ in self._later(z, mode)]
        self._set(_covariance(np.concatenate(parts) if parts else z))

    def _later(self, z: Matrix, mode: Modes) -> list[tuple[NDArray[np.int64], Matrix, Matrix]]:
        """Of each block but the first: its samples, their deviations from the earlier mean of their mode, and these means.

        Means are (n_modes, n_features), NaN for a mode that has not been there before; its samples are left out.
        """
        index, blocks = np.arange(len(z)), []
        for block in np.array_split(index, self.n_blocks)[1:]:
            before = index[: max(int(block[0]) - self.purge, 0)] if len(block) else index[:0]
            kept = block[np.isin(mode[block], mode[before])]
            if len(kept) > 1 and len(before) > 1:
                mean = np.full((int(mode.max()) + 1, z.shape[1]), np.nan)
                for number in np.unique(mode[before]):
                    mean[number] = z[before][mode[before] == number].mean(axis=0)
                blocks.append((kept, z[kept] - mean[mode[kept]], mean))
        return blocks

    def held_out(self, X: Samples, purge: int, n_blocks: int = 4, mode: Modes | None = None) -> HeldOut:
        """Forward chaining: deviations of each block from the earlier mean, judged by the covariance of the other blocks'."""
        modes = np.zeros(len(X), np.int64) if mode is None else mode
        stride = stride_of(len(X))
        some, some_modes = X[::stride], modes[::stride]
        model = type(self)(n_blocks=n_blocks, purge=-(-purge // stride), quantile=self.quantile).fit(some, mode=some_modes)
        later = model._later(model._scaled(some, some_modes), some_modes)
        if len(later) < 2 or min(len(block) for block, _, _ in later) <= X.shape[1]:
            raise ValueError(TOO_FEW.format(len(X)))
        parts = []
        for number, (block, _, mean) in enumerate(later):
            others = [each for other, (_, each, _) in enumerate(later) if other != number]
            model._set(_covariance(np.concatenate(others)))
            # every sample is judged, also where a few taught the covariance
            every = np.arange(block[0] * stride, min((block[-1] + 1) * stride, len(X)))
            every = every[~np.isnan(mean[modes[every], 0])]
            for part in chunks(every):
                deviation = model._scaled(X[part], modes[part]) - mean[modes[part]]
                within = np.clip(deviation, -EXPECTED_REACH, EXPECTED_REACH)
                expected = model._in_units(model._modelled(within) + mean[modes[part]], modes[part])
                statistics = model._statistics(deviation)
                parts.append(HeldOut(part, np.full(len(part), number), statistics, expected.astype(np.float32)))
        return HeldOut.joined(parts)


def _covariance(deviations: Matrix) -> Matrix:
    return np.asarray(LedoitWolf(assume_centered=True).fit(deviations).covariance_)
