"""Isolation forest, exported as one tree ensemble."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from models.detectors.base import Detector, Fragment, Matrix, Modes
from models.trees import TreeEnsemble

GRAPH = """
    path_length = ai.onnx.ml.TreeEnsembleRegressor(z)
    path_exponent = Div(path_length, minus_usual_length)
    isolation = Pow(two, path_exponent)
    statistic = Mul(isolation, isolation)
    part = Mul(z, z)
    within_reach = Clip(z, least_reach, reach)
    modelled = Mul(within_reach, nothing)
"""


class ForestDetector(Detector):
    """How few random cuts set a sample apart from the healthy ones.

    The statistic is the square of the isolation score. A forest does not say which feature was to blame; contributions are
    the squared deviations from the mean, and the mean is what is expected. Shown for comparison: it sees values that are
    out of range, and hardly values that no longer fit together.

    Parameters
    ----------
    n_trees : trees of the forest
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    References
    ----------
    F. T. Liu, K. M. Ting, Z.-H. Zhou: Isolation forest. IEEE International Conference on Data Mining, 2008.
    """

    def __init__(self, *, n_trees: int = 100, quantile: float = 0.99) -> None:
        self.n_trees = n_trees
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        self.forest_ = IsolationForest(n_estimators=self.n_trees, random_state=0).fit(z)

    def _statistics(self, z: Matrix) -> Matrix:
        return np.asarray(self.forest_.score_samples(z)[:, None] ** 2)

    def _parts(self, z: Matrix) -> Matrix:
        return np.asarray(z**2)

    def _modelled(self, z: Matrix) -> Matrix:
        return np.zeros_like(z)

    def fragment(self) -> Fragment:
        return Fragment(
            GRAPH,
            {
                "two": 2.0,
                "nothing": 0.0,
                "minus_usual_length": -float(_average_path_length([self.forest_.max_samples_])[0]),
            },
            {"path_length": _ensemble(self.forest_)},
        )


def _ensemble(forest: IsolationForest) -> dict[str, Any]:
    """The leaves hold their share of the mean path length."""
    ensemble = TreeEnsemble()
    for estimator in forest.estimators_:
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        for node in np.flatnonzero(tree.children_left >= 0):
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1.0
        # what scikit-learn counts: edges to the leaf, and what the samples left in it would take
        length = (depth + _average_path_length(tree.n_node_samples)) / len(forest.estimators_)

        def weights(node: int, length: Matrix = length) -> Iterable[float]:
            return (length[node],)

        ensemble.add(tree.children_left, tree.children_right, tree.feature, tree.threshold, weights)
    return ensemble.attributes
