"""Trees of scikit-learn as one TreeEnsembleRegressor of ONNX, which is many times faster than what skl2onnx writes."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingRegressor

_NODES: Final = (
    "treeids",
    "nodeids",
    "featureids",
    "modes",
    "values",
    "truenodeids",
    "falsenodeids",
    "missing_value_tracks_true",
)


class TreeEnsemble:
    """Collects trees; `attributes` are those of the ONNX operator, which adds up the weights of the leaves that are reached."""

    def __init__(self, n_targets: int = 1) -> None:
        self._n_targets = n_targets
        self._n_trees = 0
        self._nodes: dict[str, list[Any]] = {name: [] for name in _NODES}
        self._leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}

    def add(
        self,
        left: Iterable[int],
        right: Iterable[int],
        feature: Iterable[int],
        threshold: Iterable[float],
        weights: Callable[[int], Iterable[float]],
    ) -> None:
        """One tree: of each node its children (-1 for a leaf), feature and threshold; `weights` of a leaf, for each target."""
        number, self._n_trees = self._n_trees, self._n_trees + 1
        for node, (true, false, column, limit) in enumerate(zip(left, right, feature, threshold, strict=True)):
            is_leaf = true < 0
            row = (
                number,
                node,
                0 if is_leaf else int(column),
                "LEAF" if is_leaf else "BRANCH_LEQ",
                0.0 if is_leaf else _not_above(float(limit)),
                0 if is_leaf else int(true),
                0 if is_leaf else int(false),
                0,
            )
            for name, value in zip(_NODES, row, strict=True):
                self._nodes[name].append(value)
            if is_leaf:
                for target, weight in enumerate(weights(node)):
                    for name, value in zip(self._leaves, (number, node, target, float(weight)), strict=True):
                        self._leaves[name].append(value)

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            **{f"nodes_{name}": column for name, column in self._nodes.items()},
            **{f"target_{name}": column for name, column in self._leaves.items()},
            "n_targets": self._n_targets,
        }


def of_classifier(forest: ExtraTreesClassifier) -> dict[str, Any]:
    """A forest whose trees vote with the shares of the classes in their leaves; targets are the classes."""
    ensemble = TreeEnsemble(len(forest.classes_))
    for estimator in forest.estimators_:
        tree = estimator.tree_
        share: NDArray[np.float64] = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)

        def weights(node: int, share: NDArray[np.float64] = share) -> Iterable[float]:
            return share[node] / len(forest.estimators_)  # type: ignore[no-any-return]

        ensemble.add(tree.children_left, tree.children_right, tree.feature, tree.threshold, weights)
    return ensemble.attributes


def of_boosting(model: HistGradientBoostingRegressor) -> dict[str, Any]:
    """Boosted trees for features that are never missing, without the model's baseline."""
    ensemble = TreeEnsemble()
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))

        def weights(node: int, value: NDArray[np.float64] = nodes["value"]) -> Iterable[float]:
            return (value[node],)

        ensemble.add(left, nodes["right"].astype(np.int64), nodes["feature_idx"], nodes["num_threshold"], weights)
    return ensemble.attributes


def _not_above(threshold: float) -> float:
    """The largest float32 that is not above a threshold: features are float32, so they fall on the same side of both."""
    single = np.float32(threshold)
    return float(single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf)))
