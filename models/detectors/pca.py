"""Principal components: Hotelling's T² and the squared prediction error Q."""

import numpy as np
from sklearn.decomposition import PCA

from models.detectors.base import SMALLEST_LIMIT, Detector, Fragment, Matrix, Modes

GRAPH = """
    around = Sub(z, component_mean)
    component = MatMul(around, whitening)
    t2 = ReduceSumSquare<keepdims = 1>(component, axis_1)
    projection = MatMul(around, loadings)
    within_components = MatMul(projection, loadings_transposed)
    residual = Sub(around, within_components)
    q = ReduceSumSquare<keepdims = 1>(residual, axis_1)
    statistic = Concat<axis = 1>(t2, q)

    t2_share = MatMul(component, loadings_transposed)
    t2_square = Mul(t2_share, t2_share)
    t2_part = Div(t2_square, t2_limit)
    q_square = Mul(residual, residual)
    q_part = Div(q_square, q_limit)
    part = Add(t2_part, q_part)

    within_reach = Clip(z, least_reach, reach)
    around_within = Sub(within_reach, component_mean)
    projection_within = MatMul(around_within, loadings)
    modelled_around = MatMul(projection_within, loadings_transposed)
    modelled = Add(modelled_around, component_mean)
"""


class PcaDetector(Detector):
    """Hotelling's T² and the squared prediction error Q of a principal component model.

    Scaled features are split into the subspace that holds `variance` of the healthy variation and its residual. T²
    measures how far a sample lies out within the first, Q how far outside of it: a machine at an unusual operating point,
    and signals that no longer fit together. The score is the root of max(T² / its limit, Q / its limit).

    Assumes one operating regime, in which features vary about linearly together.

    Contributions are the complete decomposition of T², (e_j' D^(1/2) x)² with D = P Λ⁻¹ P', and of Q, the squared residual
    of the feature: both not negative, both sum to their statistic. Each is divided by its limit and they are added, as in
    the combined index of Yue and Qin (2001). They smear: a strong deviation of one signal also gives its companions a
    share, but a smaller one.

    Parameters
    ----------
    variance : share of the variance that the retained components hold, in (0, 1)
    quantile : quantile of the statistics of healthy samples at which the limits lie, in (0, 1]

    Attributes
    ----------
    pca_ : the fitted decomposition

    References
    ----------
    J. E. Jackson, G. S. Mudholkar: Control procedures for residuals associated with principal component analysis.
    Technometrics 21(3), 1979. H. H. Yue, S. J. Qin: Reconstruction-based fault identification using a combined index.
    Industrial & Engineering Chemistry Research 40(20), 2001. C. F. Alcala, S. J. Qin: Analysis and generalization of fault
    diagnosis methods for process monitoring. Journal of Process Control 21(3), 2011.

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

    @property
    def whitening(self) -> Matrix:
        """(n_features, n_components) P Λ^(-1/2): scaled deviations → components of unit variance."""
        deviations = np.sqrt(np.maximum(self.pca_.explained_variance_, SMALLEST_LIMIT))
        return np.asarray(self.pca_.components_.T / deviations, np.float64)

    def _learn(self, z: Matrix, mode: Modes) -> None:
        self.pca_ = PCA(n_components=self.variance, svd_solver="full").fit(z)

    def _split(self, z: Matrix) -> tuple[Matrix, Matrix]:
        """Centred samples, and the part of them that the retained components do not hold."""
        around = z - self.pca_.mean_
        return around, around - around @ self.pca_.components_.T @ self.pca_.components_

    def _statistics(self, z: Matrix) -> Matrix:
        around, residual = self._split(z)
        return np.column_stack([((around @ self.whitening) ** 2).sum(axis=1), (residual**2).sum(axis=1)])

    def _parts(self, z: Matrix) -> Matrix:
        around, residual = self._split(z)
        t2_parts = (around @ self.whitening @ self.pca_.components_) ** 2
        return np.asarray(t2_parts / self.limits_[0] + residual**2 / self.limits_[1])

    def _modelled(self, z: Matrix) -> Matrix:
        around = z - self.pca_.mean_
        return np.asarray(around @ self.pca_.components_.T @ self.pca_.components_ + self.pca_.mean_)

    def fragment(self) -> Fragment:
        components = self.pca_.components_
        return Fragment(
            GRAPH,
            {
                "component_mean": self.pca_.mean_,
                "whitening": self.whitening,
                "loadings": components.T,
                "loadings_transposed": components,
                "t2_limit": self.limits_[0],
                "q_limit": self.limits_[1],
            },
        )
