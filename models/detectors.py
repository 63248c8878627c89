# ruff: noqa: N803 - scikit-learn names the samples X, and calls by that name
"""Detectors: estimators of scikit-learn that learn what is normal from the features of healthy windows.

A detector gives `statistics`, each with its own limit: squared distances from normal. The score is the root of the largest
ratio of a statistic to its limit, a distance in units of the limit: range ≥ 0, 1.0 is the alarm limit, higher is more
anomalous.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, validate_data

Matrix = NDArray[np.float64]

# a limit below this [squared standard deviations] would measure the rounding of float32, not the machine
SMALLEST_LIMIT = 1e-6
# a spread below this share of the mean is the rounding of float32: the signal is constant
SMALLEST_SPREAD = 1e-7
# how far [standard deviations] a feature may pull the values expected of all signals: a fault in one signal is no reason
# to expect anything unusual of its companions
EXPECTED_REACH = 3.0
# keeps the shares defined for a window in which nothing deviates at all; then all signals share alike
SMALLEST_PART = 1e-9


class PcaDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Hotelling's T² and the squared prediction error Q of a principal component model.

    Scaled features are split into the subspace that holds `variance` of the healthy variation and its residual. T²
    measures how far a sample lies out within the first, Q how far outside of it: a machine at an unusual operating point,
    and signals that no longer fit together. The score is the root of max(T² / its limit, Q / its limit).

    Assumes one operating regime, in which features vary about linearly together. Missing features (NaN) count as their
    training mean. Fitting sets in-sample limits, which are too tight for windows that overlap:
    `models.calibrate.calibrate` gives honest ones.

    Parameters
    ----------
    variance : share of the variance that the retained components hold, in (0, 1)
    quantile : quantile of the statistics of healthy samples at which the limits lie, in (0, 1)

    Attributes
    ----------
    mean_, scale_ : (n_features,) of training, representable in float32, so that the exported graph computes with the same
    pca_ : the fitted decomposition
    limits_ : (2,) limits of T² and Q

    References
    ----------
    J. E. Jackson, G. S. Mudholkar: Control procedures for residuals associated with principal component analysis.
    Technometrics 21(3), 1979. H. H. Yue, S. J. Qin: Reconstruction-based fault identification using a combined index.
    Industrial & Engineering Chemistry Research 40(20), 2001.

    Examples
    --------
    >>> healthy = np.random.default_rng(0).normal(size=(500, 3))
    >>> detector = PcaDetector().fit(healthy)
    >>> detector.scores([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]]).round(1).tolist()
    [0.0, 2.8]
    """

    def __init__(self, *, variance: float = 0.85, quantile: float = 0.99) -> None:
        self.variance = variance
        self.quantile = quantile

    def fit(self, X: Any, y: Any = None) -> "PcaDetector":
        samples = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        there = ~np.isnan(samples)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, samples, 0.0).sum(axis=0) / count
        self.mean_: Matrix = mean.astype(np.float32).astype(np.float64)
        deviation = self._deviation(samples)
        spread = np.sqrt((deviation**2).sum(axis=0) / count)
        self.scale_: Matrix = (
            np.where(spread > SMALLEST_SPREAD * np.abs(mean), spread, 1.0).astype(np.float32).astype(np.float64)
        )
        self.pca_ = PCA(n_components=self.variance, svd_solver="full").fit(deviation / self.scale_)
        self.offset_ = -1.0
        self.limits_: Matrix = limits(self.statistics(samples), self.quantile)
        return self

    @property
    def whitening(self) -> Matrix:
        """(n_features, n_components) P Λ^(-1/2): scaled deviations → components of unit variance."""
        check_is_fitted(self)
        deviations = np.sqrt(np.maximum(self.pca_.explained_variance_, SMALLEST_LIMIT))
        return np.asarray(self.pca_.components_.T / deviations, np.float64)

    def statistics(self, X: Any) -> Matrix:
        """(n_samples, 2): T² and Q of each sample, both ≥ 0."""
        centred, residual = self._split(X)
        return np.column_stack([((centred @ self.whitening) ** 2).sum(axis=1), (residual**2).sum(axis=1)])

    def scores(self, X: Any) -> Matrix:
        """(n_samples,) ≥ 0; 1.0 is the alarm limit, higher is more anomalous."""
        statistics = self.statistics(X)
        return ratio_to(self.limits_, statistics)

    def contributions(self, X: Any) -> Matrix:
        """(n_samples, n_features) share of each feature in the deviation: not negative, sums to 1.

        The complete decomposition of T², (e_j' D^(1/2) x)² with D = P Λ⁻¹ P', and of Q, the squared residual of the
        feature: both not negative, both sum to their statistic. Each is divided by its limit and they are added, as in the
        combined index of Yue and Qin (2001). See C. F. Alcala, S. J. Qin: Analysis and generalization of fault diagnosis
        methods for process monitoring. Journal of Process Control 21(3), 2011. Contributions smear: a strong deviation
        of one signal also gives its companions a share, but a smaller one.
        """
        centred, residual = self._split(X)
        t2_parts = (centred @ self.whitening @ self.pca_.components_) ** 2
        parts = t2_parts / self.limits_[0] + residual**2 / self.limits_[1] + SMALLEST_PART
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    def expected(self, X: Any) -> Matrix:
        """(n_samples, n_features) what the retained components make of the sample, in the unit of each feature.

        Features further out than `EXPECTED_REACH` count as that far out.
        """
        centred, _ = self._split(X)
        modelled = np.clip(centred, -EXPECTED_REACH, EXPECTED_REACH) @ self.pca_.components_.T @ self.pca_.components_
        return np.asarray((modelled + self.pca_.mean_) * self.scale_ + self.mean_)

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

    def _deviation(self, samples: Matrix) -> Matrix:
        return np.where(np.isnan(samples), 0.0, samples - self.mean_)

    def _split(self, X: Any) -> tuple[Matrix, Matrix]:
        """Scaled and centred samples, and the part of them that the retained components do not hold."""
        check_is_fitted(self)
        samples = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        centred = self._deviation(samples) / self.scale_ - self.pca_.mean_
        return centred, centred - centred @ self.pca_.components_.T @ self.pca_.components_


def ratio_to(limits: Matrix, statistics: Matrix) -> Matrix:
    """(n_samples,) scores of statistics (n_samples, n_statistics), squared distances, against their limits."""
    return np.asarray(np.sqrt((statistics / limits).max(axis=1)))


def limits(statistics: Matrix, quantile: float) -> Matrix:
    """(n_statistics,) the limit of each statistic: its quantile over healthy samples (n_samples, n_statistics)."""
    return np.maximum(np.quantile(statistics, quantile, axis=0), SMALLEST_LIMIT)
