"""Isolation forest, exported as one tree ensemble."""

from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from models.detectors.base import Detector, Fragment, Matrix, Modes

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
    """The attributes of a TreeEnsembleRegressor whose leaves hold their share of the mean path length."""
    nodes: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        for node in range(tree.node_count):
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            is_leaf = left < 0
            nodes["treeids"].append(number)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(0 if is_leaf else int(tree.feature[node]))
            nodes["modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            nodes["values"].append(0.0 if is_leaf else _not_above(float(tree.threshold[node])))
            nodes["truenodeids"].append(0 if is_leaf else left)
            nodes["falsenodeids"].append(0 if is_leaf else right)
            if is_leaf:
                # what scikit-learn counts: edges to the leaf, and what the samples left in it would take
                length = depth[node] + float(_average_path_length([tree.n_node_samples[node]])[0])
                leaves["treeids"].append(number)
                leaves["nodeids"].append(node)
                leaves["ids"].append(0)
                leaves["weights"].append(length / len(forest.estimators_))
            else:
                depth[left] = depth[right] = depth[node] + 1.0
    return {
        **{f"nodes_{name}": column for name, column in nodes.items()},
        **{f"target_{name}": column for name, column in leaves.items()},
        "n_targets": 1,
    }


def _not_above(threshold: float) -> float:
    """The largest float32 that is not above a threshold: features are float32, so they fall on the same side of both."""
    single = np.float32(threshold)
    return float(single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf)))
