# ruff: noqa: N803 - scikit-learn names the samples X, and calls by that name
"""Which fault it is, learnt from recordings in which that was known: probabilities that mean what they say.

What is seen are all features of the window, and its values themselves where windows are cycles of the machine (`profile`).
"""

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from models.detectors.base import Fragment, Matrix, Samples
from models.features import KINDS, Double, FeatureGraph, Windows, scaled
from models.trees import of_classifier

Labels = NDArray[Any]
N_FOLDS: Final = 5
# how far the covariance is drawn to its diagonal; which, is chosen by what is held out
SHRINKAGES: Final = (0.003, 0.03, 0.3)
SMALLEST_PROBABILITY: Final = 1e-6

# after the nodes of all kinds of features
SIGNS: Final = "    sign = Concat<axis = 1>({})\n"
PROFILE: Final = "    profile = Flatten(filled)\n"
GRAPH: Final = f"""{scaled("sign", "sign_mean", "sign_scale", "sign_z")}
    sign_z_64 = Cast<to = 11>(sign_z)
    logit_sum = MatMul(sign_z_64, discriminant)
    logit = Add(logit_sum, discriminant_bias)
    by_line_64 = Softmax<axis = 1>(logit)
    by_line = Cast<to = 1>(by_line_64)
    by_tree = ai.onnx.ml.TreeEnsembleRegressor(sign_z)
    by_both = Add(by_line, by_tree)
    raw_probability = Mul(by_both, half)
    raw_above = Add(raw_probability, smallest_probability)
    raw_logarithm = Log(raw_above)
    cooled = Mul(raw_logarithm, sharpness)
    class_probability = Softmax<axis = 1>(cooled)
    fault_probability = Gather<axis = 1>(class_probability, faults_of_classes)
"""


def sign_text(features: FeatureGraph, profile: bool) -> str:
    """Nodes from the features of all kinds, and those of fast signals, to `sign` (n_assets, n_signs)."""
    parts = [*KINDS, *(each.output for each in features.spectra), *(["profile"] if profile else [])]
    return (PROFILE if profile else "") + SIGNS.format(", ".join(parts))


def n_signs(features: FeatureGraph, profile: bool) -> int:
    of_signals = (len(KINDS) + (features.n_samples if profile else 0)) * features.n_signals
    return of_signals + sum(len(each.names) for each in features.spectra)


def signs(features: FeatureGraph, windows: Windows, profile: bool = False) -> Samples:
    """(n_windows, n_signs) as the graph gives them; NaN where a window has too few values for one."""
    nodes = features.text_with(KINDS) + sign_text(features, profile)
    return features.run(nodes, features.constants, "sign", n_signs(features, profile), windows.blocks())


class FaultClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear discriminant analysis and extremely randomised trees in equal parts, then one temperature for both.

    The line sees small shifts of many signs together, the trees see thresholds. Missing signs (NaN) count as their mean.

    Parameters
    ----------
    n_trees : trees of the forest
    shrinkage : of the covariance to its diagonal; where `fit` is given groups, the best of `SHRINKAGES` on held-out ones

    References
    ----------
    J. H. Friedman: Regularized discriminant analysis. JASA 84, 1989. P. Geurts, D. Ernst, L. Wehenkel: Extremely randomized
    trees. Machine Learning 63, 2006. C. Guo et al.: On calibration of modern neural networks. ICML 2017 (temperature).
    """

    def __init__(self, *, n_trees: int = 100, shrinkage: float = 0.03) -> None:
        self.n_trees = n_trees
        self.shrinkage = shrinkage

    def fit(self, X: Any, y: Any, groups: NDArray[np.int64] | None = None) -> Self:
        """Learn from samples (n_samples, n_features) and their classes; `groups` (n_samples,) are never torn apart."""
        samples, classes = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(classes)
        self.classes_ = np.unique(classes)
        if len(self.classes_) < 2:
            raise ValueError(f"only one class is there ({self.classes_[0]}); two or more are needed")
        counts = np.maximum((~np.isnan(samples)).sum(axis=0), 1)
        self.mean_ = np.nansum(samples, axis=0) / counts
        spread = np.sqrt(np.nansum((samples - self.mean_) ** 2, axis=0) / counts)
        self.scale_ = np.where(spread > 1e-7 * np.maximum(np.abs(self.mean_), 1e-20), spread, 1.0)
        z = self._scaled(samples)
        self.shrinkage_ = self.shrinkage if groups is None else self._best_shrinkage(z, classes, groups)
        self.line_ = _line(self.shrinkage_).fit(z, classes)
        self.forest_ = ExtraTreesClassifier(
            self.n_trees, max_features=0.3, class_weight="balanced", random_state=0, n_jobs=1
        ).fit(z, classes)
        self.sharpness_ = 1.0
        return self

    def predict_proba(self, X: Any) -> Matrix:
        """(n_samples, n_classes), in the order of `classes_`."""
        check_is_fitted(self, "mean_")
        samples = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        z = self._scaled(samples)
        return _sharpened((self.line_.predict_proba(z) + self.forest_.predict_proba(z)) / 2, self.sharpness_)

    def predict(self, X: Any) -> Labels:
        probability = self.predict_proba(X)
        return np.asarray(self.classes_[probability.argmax(axis=1)])

    def held_out(self, X: Samples, y: Labels, groups: NDArray[np.int64], n_folds: int = N_FOLDS) -> Matrix:
        """(n_samples, n_classes) probabilities by models that have not seen a sample's group, before any temperature.

        Every class is in every training part; raises ValueError where a class has a single group.
        """
        classes = np.unique(y)
        for each in classes:
            if len(np.unique(groups[y == each])) < 2:
                raise ValueError(f"'{each}' was there only once; two or more separate occurrences are needed to judge it")
        found = np.zeros((len(y), len(classes)))
        for train, judged in _folds(y, groups, n_folds):
            model = clone(self).fit(X[train], y[train], groups[train])
            found[judged[:, None], np.searchsorted(classes, model.classes_)[None]] = model.predict_proba(X[judged])
        return found

    def calibrate(self, probability: Matrix, y: Labels) -> Self:
        """Set the temperature that makes held-out probabilities (n_samples, n_classes) the likeliest."""
        actual = np.searchsorted(self.classes_, y)

        def surprise(logarithm: float) -> float:
            return _surprise(_sharpened(probability, float(np.exp(logarithm))), actual)

        self.sharpness_ = float(np.exp(minimize_scalar(surprise, bounds=(-1.5, 1.5), method="bounded").x))
        return self

    def sharpened(self, probability: Matrix) -> Matrix:
        """Held-out probabilities at the temperature that was set."""
        return _sharpened(probability, self.sharpness_)

    def fragment(self, faults: Sequence[Any]) -> Fragment:
        """Nodes from `sign` to `fault_probability`, of the classes that are faults, in this order."""
        order = list(self.classes_)
        weights, bias = self.line_.coef_.T, self.line_.intercept_
        if len(order) == 2:
            # of two classes scikit-learn keeps the difference
            weights, bias = np.column_stack([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
        return Fragment(
            GRAPH,
            {
                "sign_mean": Double.of(self.mean_),
                "sign_scale": Double.of(self.scale_),
                "discriminant": Double.of(weights),
                "discriminant_bias": Double.of(bias[None]),
                "smallest_probability": SMALLEST_PROBABILITY,
                "sharpness": self.sharpness_,
                "faults_of_classes": np.array([order.index(fault) for fault in faults], np.int64),
            },
            {"by_tree": of_classifier(self.forest_)},
        )

    def _scaled(self, samples: Matrix) -> Matrix:
        z = np.where(np.isnan(samples), 0.0, (samples - self.mean_) / self.scale_)
        # float32, as the graph has them: a tree cuts at a number, and a rounding would cross it
        return z.astype(np.float32).astype(np.float64)

    def _best_shrinkage(self, z: Matrix, y: Labels, groups: NDArray[np.int64]) -> float:
        surprise = dict.fromkeys(SHRINKAGES, 0.0)
        try:
            folds = list(_folds(y, groups, 2))
        except ValueError:
            return self.shrinkage
        for train, judged in folds:
            if len(np.unique(y[train])) < len(self.classes_):
                return self.shrinkage
            for shrinkage in SHRINKAGES:
                probability = _line(shrinkage).fit(z[train], y[train]).predict_proba(z[judged])
                surprise[shrinkage] += _surprise(probability, np.searchsorted(self.classes_, y[judged]))
        return min(surprise, key=surprise.__getitem__)


def calibration_error(probability: Matrix, y: Labels, classes: Labels, n_bins: int = 10) -> float:
    """Mean distance between how sure the likeliest class was and how often it was right, over bins of sureness (ECE)."""
    sure, right = probability.max(axis=1), classes[probability.argmax(axis=1)] == y
    number = np.minimum((sure * n_bins).astype(np.int64), n_bins - 1)
    gaps = [abs(float(sure[number == each].sum() - right[number == each].sum())) for each in range(n_bins)]
    return sum(gaps) / len(y)


def _surprise(probability: Matrix, actual: NDArray[np.int64]) -> float:
    """Mean negative logarithm of the probability that was given to what was the case."""
    return float(-np.log(probability[np.arange(len(actual)), actual] + SMALLEST_PROBABILITY).mean())


def _line(shrinkage: float) -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)


def _sharpened(probability: Matrix, sharpness: float) -> Matrix:
    powered = (probability + SMALLEST_PROBABILITY) ** sharpness
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def _folds(y: Labels, groups: NDArray[np.int64], n_folds: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """By group, with every class in every training part where that can be."""
    n_groups = min(len(np.unique(groups[y == each])) for each in np.unique(y))
    if n_groups >= n_folds:
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(groups, y, groups))
    return list(GroupKFold(max(2, min(n_folds, len(np.unique(groups))))).split(groups, groups=groups))
