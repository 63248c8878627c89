"""Several regimes, each with its own covariance: Mahalanobis distance to the one that is nearest."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from models.detectors.base import Detector, Fragment, Matrix, Modes

# how sharply the nearest regime is preferred; a hard choice would jump where two are equally near
SHARPNESS = 4.0
SMALLEST_DISTANCE = 1e-3

NEAREST = """
    {0}_wide = MatMul({1}, roots)
    {0}_from_mean = Sub({0}_wide, rooted_means)
    {0}_flat = Mul({0}_from_mean, {0}_from_mean)
    {0}_parts = Reshape({0}_flat, by_regime)
    {0}_distance = ReduceSum<keepdims = 0>({0}_parts, axis_2)
    {0}_positive = Add({0}_distance, smallest_distance)
    {0}_logarithm = Log({0}_positive)
    {0}_sharp = Mul({0}_logarithm, minus_sharpness)
    {0}_share = Softmax<axis = 1>({0}_sharp)
    {0}_share_3 = Unsqueeze({0}_share, axis_2)
"""
GRAPH = (
    NEAREST.format("seen", "z")
    + """
    seen_weighed = Mul(seen_parts, seen_share_3)
    part = ReduceSum<keepdims = 0>(seen_weighed, axis_1)
    statistic = ReduceSum<keepdims = 1>(part, axis_1)

    within_reach = Clip(z, least_reach, reach)
"""
    + NEAREST.format("within", "within_reach")
    + """
    pulled_wide = MatMul(within_reach, keeps)
    regressed_wide = Add(pulled_wide, kept_means)
    regressed = Reshape(regressed_wide, by_regime)
    regressed_weighed = Mul(regressed, within_share_3)
    modelled = ReduceSum<keepdims = 0>(regressed_weighed, axis_1)
"""
)


class MixtureDetector(Detector):
    """Distance to the nearest component of a Gaussian mixture; how many there are is chosen by BIC.

    For machines with a few regimes that nobody labelled. Contributions are the decomposition of the distance as in
    `CovarianceDetector`, of the nearest regime.

    Parameters
    ----------
    most_regimes : components at most
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    References
    ----------
    J. Yu, S. J. Qin: Multimode process monitoring with Bayesian inference-based finite Gaussian mixture models. AIChE
    Journal 54(7), 2008.
    """

    def __init__(self, *, most_regimes: int = 4, quantile: float = 0.99) -> None:
        self.most_regimes = most_regimes
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        n_features = z.shape[1]
        best, least = None, np.inf
        for n in range(1, self.most_regimes + 1):
            # a regime needs samples enough for its covariance
            if n > 1 and len(z) < 10 * n * n_features:
                break
            mixture = GaussianMixture(n, reg_covar=1e-3, random_state=0, max_iter=200)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(z)
            criterion = mixture.bic(z)
            if criterion < least:
                best, least = mixture, criterion
        assert best is not None  # noqa: S101 - one regime is always tried
        self.means_: Matrix = best.means_
        values, vectors = np.linalg.eigh(best.covariances_)
        values = np.maximum(values, 1e-9 * values.max(axis=1, keepdims=True))
        self.roots_: Matrix = vectors / np.sqrt(values)[:, None, :] @ np.swapaxes(vectors, 1, 2)
        precision = self.roots_ @ self.roots_
        diagonal = np.diagonal(precision, axis1=1, axis2=2)
        self.keeps_: Matrix = np.eye(n_features) - precision / diagonal[:, None, :]

    def _near(self, z: Matrix) -> tuple[Matrix, Matrix]:
        """(n_regimes, n, n_features) parts of the distances, and (n_regimes, n) how much each regime counts."""
        parts = ((z[None] - self.means_[:, None]) @ self.roots_) ** 2
        logarithm = -SHARPNESS * np.log(parts.sum(axis=2) + SMALLEST_DISTANCE)
        share = np.exp(logarithm - logarithm.max(axis=0))
        return parts, share / share.sum(axis=0)

    def _parts(self, z: Matrix) -> Matrix:
        parts, share = self._near(z)
        return np.asarray((parts * share[:, :, None]).sum(axis=0))

    def _statistics(self, z: Matrix) -> Matrix:
        return np.asarray(self._parts(z).sum(axis=1, keepdims=True))

    def _modelled(self, z: Matrix) -> Matrix:
        _, share = self._near(z)
        regressed = self.means_[:, None] + (z[None] - self.means_[:, None]) @ self.keeps_
        return np.asarray((regressed * share[:, :, None]).sum(axis=0))

    def fragment(self) -> Fragment:
        n_regimes, n_features = self.means_.shape
        return Fragment(
            GRAPH,
            {
                "roots": np.concatenate(list(self.roots_), axis=1),
                "rooted_means": np.concatenate([mean @ root for mean, root in zip(self.means_, self.roots_, strict=True)])[
                    None
                ],
                "keeps": np.concatenate(list(self.keeps_), axis=1),
                "kept_means": np.concatenate([mean - mean @ keep for mean, keep in zip(self.means_, self.keeps_, strict=True)])[
                    None
                ],
                "by_regime": np.array([-1, n_regimes, n_features], np.int64),
                "axis_2": np.array([2], np.int64),
                "smallest_distance": SMALLEST_DISTANCE,
                "minus_sharpness": -SHARPNESS,
            },
        )
