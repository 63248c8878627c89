"""Auto-associative kernel regression: what should be, from the healthy situations that are most alike."""

import numpy as np
from sklearn.cluster import KMeans

from models.detectors.base import Detector, Fragment, Matrix, Modes

SAMPLES_AT_ONCE = 2048

# distances from differences, not from |z|² - 2z·p + |p|²: float32 would lose what makes near situations differ
LIKENESS = """
    {0}_3 = Unsqueeze({1}, axis_1)
    {0}_difference = Sub({0}_3, prototypes)
    {0}_distance = ReduceSumSquare<keepdims = 0>({0}_difference, axis_2)
    {0}_exponent = Mul({0}_distance, minus_half_precision)
    {0}_weight = Softmax<axis = 1>({0}_exponent)
"""
GRAPH = (
    LIKENESS.format("kernel", "z")
    + """
    kernel_modelled = MatMul(kernel_weight, prototypes)
    residual = Sub(z, kernel_modelled)
    scaled_residual = Div(residual, residual_scale)
    part = Mul(scaled_residual, scaled_residual)
    statistic = ReduceSum<keepdims = 1>(part, axis_1)

    within_reach = Clip(z, least_reach, reach)
"""
    + LIKENESS.format("within", "within_reach")
    + """
    modelled = MatMul(within_weight, prototypes)
"""
)


class KernelRegressionDetector(Detector):
    """Residuals from auto-associative kernel regression (AAKR), the robust form of MSET.

    Healthy situations are condensed into prototypes; a sample is expected to be their mean, weighted by likeness. Follows
    operating points that lie on a curve, where one covariance would not. Contributions are the squared residuals of the
    features, each in its healthy spread; they sum to the statistic.

    Parameters
    ----------
    n_prototypes : healthy situations that are kept, at most
    bandwidth : width of the kernel, in median distances between a prototype and its nearest
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    References
    ----------
    J. W. Hines, D. Garvey, R. Seibert, A. Usynin: Technical review of on-line monitoring techniques for performance
    assessment, NUREG/CR-6895 vol. 2, 2008.
    """

    def __init__(self, *, n_prototypes: int = 150, bandwidth: float = 1.0, quantile: float = 0.99) -> None:
        self.n_prototypes = n_prototypes
        self.bandwidth = bandwidth
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        n = max(1, min(self.n_prototypes, len(np.unique(z, axis=0)) // 2))
        self.prototypes_: Matrix = KMeans(n_clusters=n, n_init=1, max_iter=50, random_state=0).fit(z).cluster_centers_
        distance = ((self.prototypes_[:, None] - self.prototypes_[None]) ** 2).sum(axis=2)
        np.fill_diagonal(distance, np.inf)
        nearest = float(np.median(distance.min(axis=1))) if n > 1 else 1.0
        self.precision_ = 1.0 / (self.bandwidth**2 * max(nearest, 1e-6))
        residual = z - self._modelled(z)
        spread = np.sqrt(np.mean(residual**2, axis=0))
        self.residual_scale_: Matrix = np.where(spread > 1e-4, spread, 1.0)

    def _modelled(self, z: Matrix) -> Matrix:
        modelled = np.empty_like(z)
        for start in range(0, len(z), SAMPLES_AT_ONCE):
            some = z[start : start + SAMPLES_AT_ONCE]
            exponent = -0.5 * self.precision_ * ((some[:, None] - self.prototypes_) ** 2).sum(axis=2)
            weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            modelled[start : start + SAMPLES_AT_ONCE] = weight @ self.prototypes_ / weight.sum(axis=1, keepdims=True)
        return modelled

    def _parts(self, z: Matrix) -> Matrix:
        return np.asarray(((z - self._modelled(z)) / self.residual_scale_) ** 2)

    def _statistics(self, z: Matrix) -> Matrix:
        return np.asarray(self._parts(z).sum(axis=1, keepdims=True))

    def fragment(self) -> Fragment:
        return Fragment(
            GRAPH,
            {
                "prototypes": self.prototypes_,
                "axis_2": np.array([2], np.int64),
                "minus_half_precision": -0.5 * self.precision_,
                "residual_scale": self.residual_scale_,
            },
        )
