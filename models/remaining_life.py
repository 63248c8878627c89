# ruff: noqa: N803 - scikit-learn names the samples X, and calls by that name
"""Remaining useful life from lives that ended: p10, p50 and p90 in hours, with an interval that was measured.

What is seen are means and slopes of each signal over spans of the window, from the newest few instants to all of it: wear
shows as a level that leaves where it was and as a change that quickens. Instants before the machine was there are missing.
"""

import warnings
from collections.abc import Iterator
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

from models.detectors.base import Fragment, Matrix, Samples
from models.features import Double, FeatureGraph, Windows, scaled
from models.trees import of_boosting

SHORTEST_SPAN: Final = 5
N_FOLDS: Final = 5
N_KNOTS: Final = 9
# the networks learn targets of this size, whatever the horizon: their penalty is meant for it
TARGET: Final = 125.0

# after `models.features.MEAN`; spans as rows of matrices, so that all of them cost one product
TREND: Final = """
    span_total = MatMul(spans, filled)
    span_found = MatMul(spans, there_number)
    span_count = Max(span_found, one)
    span_mean = Div(span_total, span_count)
    lever_total = MatMul(levers, filled)
    lever_found = MatMul(levers, there_number)
    square_found = MatMul(squares, there_number)
    covaries_found = Mul(span_found, lever_total)
    covaries_mean = Mul(lever_found, span_total)
    covaries = Sub(covaries_found, covaries_mean)
    varies_found = Mul(span_found, square_found)
    varies_mean = Mul(lever_found, lever_found)
    varies_exactly = Sub(varies_found, varies_mean)
    varies = Max(varies_exactly, one)
    span_slope = Div(covaries, varies)
    trend_means = Flatten(span_mean)
    trend_slopes = Flatten(span_slope)
    trend = Concat<axis = 1>(trend_means, trend_slopes)
"""
GRAPH: Final = f"""{scaled("trend", "life_mean", "life_scale", "trend_z")}
    layer_1_sum = MatMul(trend_z, layer_1)
    layer_1_shifted = Add(layer_1_sum, layer_1_bias)
    layer_1_out = Relu(layer_1_shifted)
    layer_2_sum = MatMul(layer_1_out, layer_2)
    layer_2_shifted = Add(layer_2_sum, layer_2_bias)
    layer_2_out = Relu(layer_2_shifted)
    layer_3_sum = MatMul(layer_2_out, layer_3)
    networks = Add(layer_3_sum, layer_3_bias)
    networks_within = Clip(networks, zero, target)
    network = ReduceMean<keepdims = 1>(networks_within, axis_1)
    boosts = ai.onnx.ml.TreeEnsembleRegressor(trend)
    boosted = Add(boosts, boosting_baseline)
    boosted_within = Clip(boosted, zero, target)
    both = Add(network, boosted_within)
    middle = Mul(both, half)
    beyond_knot = Sub(middle, knots)
    beyond = Relu(beyond_knot)
    deviation_rise = MatMul(beyond, deviation_slopes)
    deviation = Add(deviation_rise, deviation_first)
    quantile = Add(middle, deviation)
    quantile_within = Clip(quantile, zero, target)
    rul_h = Mul(quantile_within, hours_of_target)
"""


def spans_of(n_samples: int) -> list[int]:
    """Lengths [instants] over which means and slopes are taken: doubling, and the whole window.

    >>> spans_of(100)
    [5, 10, 20, 40, 100]
    """
    doubling = (SHORTEST_SPAN << number for number in range(32))
    spans = []
    for span in doubling:
        if span >= 0.8 * n_samples:
            break
        spans.append(span)
    return [*spans, n_samples]


def trend_constants(n_samples: int) -> dict[str, Any]:
    """What the nodes `TREND` need besides those of `FeatureGraph`."""
    spans, levers = [], []
    for span in spans_of(n_samples):
        row = np.zeros(n_samples)
        row[-span:] = 1.0
        spans.append(row)
        # round the middle of the span: float32 has seven digits
        lever = np.arange(n_samples) - (n_samples - (span + 1) / 2)
        levers.append(row * lever)
    return {"spans": np.array(spans), "levers": np.array(levers), "squares": np.array(levers) ** 2}


def trends(features: FeatureGraph, windows: Windows) -> Samples:
    """(n_windows, 2 · n_spans · n_signals): means over the spans, then slopes per instant, as the graph gives them."""
    width = 2 * len(spans_of(windows.n_samples)) * features.n_signals
    nodes, constants = features.text + TREND, features.constants | trend_constants(windows.n_samples)
    return features.run(nodes, constants, "trend", width, windows.blocks())


class LifeRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees and small neural networks in equal parts; the quantiles from what they did on lives they had not seen.

    The networks follow what is smooth, the trees what has steps; their errors are not the same. Round their mean lie the
    quantiles of held-out residuals, wide where predictions of that size were far off (split conformal prediction by
    groups, conditional on the prediction).

    Parameters
    ----------
    horizon : longest remaining life that is told [the unit of y]: what is farther off shows in no signal
    n_networks, max_iter : how many networks, and their epochs

    References
    ----------
    F. O. Heimes: Recurrent neural networks for remaining useful life estimation. PHM 2008 (the capped target). J. Lei et al.:
    Distribution-free predictive inference for regression. JASA 113(523), 2018.
    """

    def __init__(self, *, horizon: float = 125.0, n_networks: int = 4, max_iter: int = 40) -> None:
        self.horizon = horizon
        self.n_networks = n_networks
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the middle from samples (n_samples, n_features) and their remaining lives (n_samples,) ≥ 0."""
        samples, life = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        target = np.clip(life, 0.0, self.horizon) * (TARGET / self.horizon)
        self.mean_ = samples.mean(axis=0)
        spread = samples.std(axis=0)
        self.scale_ = np.where(spread > 1e-7 * np.maximum(np.abs(self.mean_), 1e-20), spread, 1.0)
        self.boosting_ = HistGradientBoostingRegressor(
            max_iter=200,
            learning_rate=0.05,
            max_leaf_nodes=12,
            min_samples_leaf=min(60, max(2, len(samples) // 20)),
            l2_regularization=1.0,
            max_features=0.3,
            early_stopping=False,
            random_state=0,
        ).fit(samples, target)
        z = (samples - self.mean_) / self.scale_
        with warnings.catch_warnings():
            # stopping early is a choice here
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.networks_ = [
                MLPRegressor(
                    hidden_layer_sizes=(64, 32),
                    alpha=10.0,
                    max_iter=self.max_iter,
                    batch_size=min(256, len(z)),
                    random_state=number,
                ).fit(z, target)
                for number in range(self.n_networks)
            ]
        self.knots_ = np.zeros(1)
        self.deviations_: Matrix = np.zeros((1, 3))
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """(n_samples,) the middle of the remaining life."""
        return self.quantiles(X)[:, 1]

    def quantiles(self, X: Any) -> Matrix:
        """(n_samples, 3) p10, p50, p90, rising, 0 to the horizon."""
        check_is_fitted(self, "mean_")
        samples = validate_data(self, X, dtype=np.float64, reset=False)
        z = (samples - self.mean_) / self.scale_
        network = np.mean([np.clip(each.predict(z), 0.0, TARGET) for each in self.networks_], axis=0)
        middle = (network + np.clip(self.boosting_.predict(samples), 0.0, TARGET)) / 2
        return self._around(middle) * (self.horizon / TARGET)

    def held_out(self, X: Samples, y: Matrix, life: NDArray[np.int64], n_folds: int = N_FOLDS) -> Matrix:
        """(n_samples,) the middle, by models that have not seen the life a sample is of; `life` (n_samples,) numbers them."""
        found = np.empty(len(y))
        for train, judged in self._folds(life, n_folds):
            found[judged] = clone(self).fit(X[train], y[train]).predict(X[judged])
        return found

    def calibrate(self, predicted: Matrix, y: Matrix) -> Self:
        """Set the interval from held-out predictions (n_samples,) and what was the case."""
        scale = TARGET / self.horizon
        middle, actual = predicted * scale, np.clip(y * scale, 0.0, TARGET)
        # knots at quantiles of the prediction; each with the residuals of its neighbourhood
        order = np.argsort(middle, kind="stable")
        parts = np.array_split(order, N_KNOTS)
        knots = np.array([middle[part].mean() for part in parts])
        residual = actual - middle
        deviations = np.array([np.quantile(residual[part], (0.1, 0.5, 0.9)) for part in parts])
        # near the horizon the median is the horizon itself; the mean is what gives the smallest error
        mean = np.array([residual[part].mean() for part in parts])
        deviations[:, 1] = np.clip(mean, deviations[:, 0], deviations[:, 2])
        for number, part in enumerate(parts):
            if np.quantile(actual[part], 0.9) >= TARGET:
                # nothing is known of how much longer than the horizon: all the way to it
                deviations[number, 2] = TARGET - middle[part].min()
        keep = np.concatenate([[True], np.diff(knots) > 1e-3 * TARGET])
        self.knots_, self.deviations_ = knots[keep], deviations[keep]
        return self

    def interval(self, predicted: Matrix) -> Matrix:
        """(n_samples, 3) p10, p50, p90 round held-out predictions (n_samples,)."""
        return self._around(predicted * (TARGET / self.horizon)) * (self.horizon / TARGET)

    def coverage(self, predicted: Matrix, y: Matrix, life: NDArray[np.int64], n_folds: int = N_FOLDS) -> float:
        """Share of held-out samples within an 80 % interval in which their own life had no say."""
        inside = np.empty(len(y), np.bool_)
        scale = TARGET / self.horizon
        for others, judged in self._folds(life, n_folds):
            model = clone(self).calibrate(predicted[others], y[others])
            low, _, high = model._around(predicted[judged] * scale).T
            actual = np.clip(y[judged] * scale, 0.0, TARGET)
            inside[judged] = (low <= actual) & (actual <= high)
        return float(inside.mean())

    def fragment(self, hours: float = 1.0) -> Fragment:
        """Nodes from `trend` to `rul_h`; `hours` that are one unit of the horizon."""
        slopes, first = self._slopes()
        blocks: dict[str, Any] = {}
        for layer in range(3):
            weights = [each.coefs_[layer] for each in self.networks_]
            biases = [each.intercepts_[layer] for each in self.networks_]
            blocks[f"layer_{layer + 1}"] = np.concatenate(weights, axis=1) if layer == 0 else _diagonal(weights)
            blocks[f"layer_{layer + 1}_bias"] = np.concatenate(biases)
        return Fragment(
            GRAPH,
            {
                **blocks,
                "life_mean": Double.of(self.mean_),
                "life_scale": Double.of(self.scale_),
                "target": TARGET,
                "boosting_baseline": float(np.ravel(self.boosting_._baseline_prediction)[0]),
                "knots": self.knots_[None],
                "deviation_slopes": slopes,
                "deviation_first": first[None],
                "hours_of_target": self.horizon / TARGET * hours,
            },
            {"boosts": of_boosting(self.boosting_)},
        )

    def _around(self, middle: NDArray[np.float64]) -> Matrix:
        """p10, p50, p90 in the unit of the target: straight lines between knots, level before the first and after the last."""
        deviation = np.column_stack([np.interp(middle, self.knots_, column) for column in self.deviations_.T])
        return np.asarray(np.clip(middle[:, None] + deviation, 0.0, TARGET))

    def _slopes(self) -> tuple[Matrix, Matrix]:
        """The straight lines between knots as a sum of ramps, one beginning at each knot."""
        slope = np.diff(self.deviations_, axis=0) / np.diff(self.knots_)[:, None]
        level = np.zeros((1, 3))
        return np.diff(np.concatenate([level, slope, level]), axis=0), self.deviations_[0]

    @staticmethod
    def _folds(life: NDArray[np.int64], n_folds: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        n_lives = len(np.unique(life))
        if n_lives < 2:
            raise ValueError("one life alone teaches no remaining life: two or more are needed that ended")
        yield from GroupKFold(min(n_folds, n_lives)).split(life, groups=life)


def _diagonal(blocks: list[Matrix]) -> Matrix:
    rows, columns = (sum(block.shape[axis] for block in blocks) for axis in (0, 1))
    whole, row, column = np.zeros((rows, columns)), 0, 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole
