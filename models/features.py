"""What is computed from a window before the estimator: graphs of ONNX, which training runs, too.

Each feature exists once, so training and service cannot drift apart. A feature is a block of one number per signal:

mean    deviation of the mean over the window from the `centre` of training, in the signal's unit
spread  natural logarithm of the standard deviation within the window
slope   change over the window by the straight line through it, in the signal's unit
jitter  natural logarithm of the standard deviation of the differences from instant to instant

Where a window has too few values for it, a feature is NaN.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.contracts.model_spec import WAVEFORM_PREFIX
from models.spectra import SpectrumGraph

Inputs = dict[str, NDArray[np.float32]]
OPSET: Final = 21
TREES: Final = 3  # version of ai.onnx.ml
IR_VERSION: Final = 10
WINDOWS_AT_ONCE: Final = 4096
# a spread below this share of the usual counts as this: what a display rounds away has no logarithm
LEAST_SPREAD: Final = 0.03

# the centre is taken off first: float32 has seven digits, and a mean of large values would spend them on the offset
MEAN: Final = """
    missing = IsNaN(window)
    centred = Sub(window, centre)
    filled = Where(missing, zero, centred)
    there = Not(missing)
    there_number = Cast<to = 1>(there)
    total = ReduceSum<keepdims = 1>(filled, axis_1)
    found = ReduceSum<keepdims = 1>(there_number, axis_1)
    count = Max(found, one)
    mean_3 = Div(total, count)
    mean_found = Squeeze(mean_3, axis_1)
    found_2 = Squeeze(found, axis_1)
    is_none = Less(found_2, one)
    mean = Where(is_none, nan, mean_found)
"""
WITHIN: Final = """
    around_mean = Sub(centred, mean_3)
    within = Where(missing, zero, around_mean)
    is_single = Less(found_2, two)
"""
SPREAD: Final = """
    within_square = ReduceSumSquare<keepdims = 0>(within, axis_1)
    count_2 = Squeeze(count, axis_1)
    variance = Div(within_square, count_2)
    variance_above = Add(variance, least_variance)
    variance_logarithm = Log(variance_above)
    spread_found = Mul(variance_logarithm, half)
    spread = Where(is_single, nan, spread_found)
"""
SLOPE: Final = """
    leaning = Mul(within, lever)
    slope_found = ReduceSum<keepdims = 0>(leaning, axis_1)
    slope = Where(is_single, nan, slope_found)
"""
JITTER: Final = """
    later = Slice(filled, from_1, to_end, axis_1)
    sooner = Slice(filled, from_0, to_last, axis_1)
    difference = Sub(later, sooner)
    later_there = Slice(there_number, from_1, to_end, axis_1)
    sooner_there = Slice(there_number, from_0, to_last, axis_1)
    both_there = Mul(later_there, sooner_there)
    difference_there = Mul(difference, both_there)
    jitter_square = ReduceSumSquare<keepdims = 0>(difference_there, axis_1)
    both_found = ReduceSum<keepdims = 0>(both_there, axis_1)
    both_count = Max(both_found, one)
    jitter_variance = Div(jitter_square, both_count)
    jitter_above = Add(jitter_variance, least_jitter)
    jitter_logarithm = Log(jitter_above)
    jitter_found = Mul(jitter_logarithm, half)
    is_no_pair = Less(both_found, one)
    jitter = Where(is_no_pair, nan, jitter_found)
"""
# in 64 bits as training computes it: a tree cuts at a number, and a rounding would cross it
SCALED: Final = """
    {x}_64 = Cast<to = 11>({x})
    {x}_around = Sub({x}_64, {mean})
    {x}_ratio = Div({x}_around, {scale})
    {x}_missing = IsNaN({x}_ratio)
    {x}_filled = Where({x}_missing, zero_64, {x}_ratio)
    {out} = Cast<to = 1>({x}_filled)
"""
KINDS: Final = {"mean": MEAN, "spread": SPREAD, "slope": SLOPE, "jitter": JITTER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Trailing windows over grid values, as views: nothing is copied but the few that are worked on.

    values:    (n_instants, n_signals) float32 in plant units, NaN where missing
    last:      (n_windows,) int64, the row of `values` at which each window ends
    n_samples: rows in a window
    since:     (n_instants,) int64, the first row of `values` that belongs to a window that ends at each of them: what came
               before is missing to it; None where all of it belongs
    waveforms: of each fast signal its blocks (n_blocks, n_points) float32, and (n_instants,) int64 which is the newest at
               each row of `values`
    """

    values: NDArray[np.float32]
    last: NDArray[np.int64]
    n_samples: int
    since: NDArray[np.int64] | None = None
    waveforms: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.last)

    def take(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Some windows, copied out as a model takes them: (n_taken, n_samples, n_signals)."""
        views = np.moveaxis(sliding_window_view(self.values, self.n_samples, axis=0), -1, 1)
        last = self.last[index]
        found = np.ascontiguousarray(views[last - (self.n_samples - 1)])
        if self.since is not None:
            # most windows are all of one product
            missing = np.maximum(self.since[last] - (last - (self.n_samples - 1)), 0)
            (young,) = missing.nonzero()
            rows = found[young]
            rows[np.arange(self.n_samples) < missing[young, None]] = np.nan
            found[young] = rows
        return found

    def inputs(self, index: NDArray[np.int64] | slice) -> Inputs:
        """What a model is given for some windows, but their context: the windows, and the newest blocks of fast signals."""
        found = {"window": self.take(index)}
        for name, (blocks, newest) in self.waveforms.items():
            found[f"{WAVEFORM_PREFIX}{name}"] = blocks[newest[self.last[index]]]
        return found

    def blocks(self) -> Iterator[Inputs]:
        """All windows in order, some thousand at a time; fewer where they come with long blocks."""
        at_once = 256 if self.waveforms else WINDOWS_AT_ONCE
        for start in range(0, len(self), at_once):
            yield self.inputs(slice(start, start + at_once))

    def only(self, index: NDArray[np.int64]) -> "Windows":
        """Some of them."""
        return replace(self, last=self.last[index])

    @property
    def newest(self) -> NDArray[np.float32]:
        """The newest values of each window (n_windows, n_signals)."""
        return self.values[self.last]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureGraph:
    """The features `kinds` of windows of `n_samples` instants; "mean" comes first, always.

    centre: (n_signals,) float32, the mean of training; least_variance, least_jitter: (n_signals,) float32, see `LEAST_SPREAD`
    """

    kinds: tuple[str, ...]
    n_samples: int
    centre: NDArray[np.float32]
    least_variance: NDArray[np.float32]
    least_jitter: NDArray[np.float32]
    spectra: tuple[SpectrumGraph, ...] = ()

    @classmethod
    def learn(cls, windows: Windows, kinds: Sequence[str], spectra: Sequence[SpectrumGraph] = ()) -> "FeatureGraph":
        """Centre and least spreads from the values that healthy windows were cut from."""
        # a column at a time: months of many signals would not fit twice
        moments = [_moments(windows.values[windows.last, column]) for column in range(windows.values.shape[1])]
        mean, varies = np.array(moments).T
        least = LEAST_SPREAD**2 * np.maximum(varies, 1e-20)
        return cls(
            kinds=("mean", *(kind for kind in kinds if kind != "mean")),
            n_samples=windows.n_samples,
            centre=mean.astype(np.float32),
            least_variance=least.astype(np.float32),
            least_jitter=least.astype(np.float32),
            spectra=tuple(spectra),
        )

    @property
    def n_signals(self) -> int:
        return len(self.centre)

    @property
    def n_features(self) -> int:
        return len(self.signal_of)

    @property
    def signal_of(self) -> NDArray[np.int64]:
        """(n_features,) the signal that each feature is of; fast signals are numbered after the others."""
        of_spectra = [np.full(len(each.names), self.n_signals + number) for number, each in enumerate(self.spectra)]
        return np.concatenate([np.tile(np.arange(self.n_signals), len(self.kinds)), *of_spectra]).astype(np.int64)

    @property
    def n_sources(self) -> int:
        """Signals and fast signals."""
        return self.n_signals + len(self.spectra)

    @property
    def inputs(self) -> str:
        """The inputs of the graph but the context, as ONNX writes them."""
        waves = "".join(f", float[n_assets, {each.n_points}] {each.input}" for each in self.spectra)
        return f"float[n_assets, {self.n_samples}, {self.n_signals}] window{waves}"

    @property
    def text(self) -> str:
        """Nodes from `window` to `feature` (n_assets, n_features)."""
        return self.text_with(())

    def text_with(self, kinds: Iterable[str]) -> str:
        """The same, with nodes of further kinds beside it."""
        parts = [*self.kinds, *(each.output for each in self.spectra)]
        nodes = self.nodes([*self.kinds, *kinds]) + "".join(each.text for each in self.spectra)
        return f"{nodes}    feature = Concat<axis = 1>({', '.join(parts)})\n"

    @staticmethod
    def nodes(kinds: Iterable[str]) -> str:
        """Nodes from `window` to features of these kinds, each by its own name (n_assets, n_signals)."""
        wanted = set(kinds)
        nodes = MEAN
        if {"spread", "slope"} & wanted:
            nodes += WITHIN
        return nodes + "".join(text for kind, text in KINDS.items() if kind in wanted and kind != "mean")

    @property
    def constants(self) -> dict[str, Any]:
        time = np.arange(self.n_samples) - (self.n_samples - 1) / 2.0
        squares = max(float((time**2).sum()), 1.0)
        return {
            "zero": np.float32(0),
            "zero_64": Double.of(np.array(0.0)),
            "one": np.float32(1),
            "two": np.float32(2),
            "nan": np.float32(np.nan),
            "half": np.float32(0.5),
            "axis_1": np.array([1], np.int64),
            "centre": self.centre,
            "least_variance": self.least_variance,
            "least_jitter": self.least_jitter,
            "lever": (time / squares * self.n_samples).astype(np.float32)[:, None],
            "from_0": np.array([0], np.int64),
            "from_1": np.array([1], np.int64),
            "to_last": np.array([-1], np.int64),
            "to_end": np.array([np.iinfo(np.int64).max], np.int64),
            **{name: value for each in self.spectra for name, value in each.constants.items()},
        }

    def compute(self, windows: Windows) -> NDArray[np.float32]:
        """(n_windows, n_features), float32 numbers as the graph gives them."""
        return self._features(windows.blocks())

    def compute_of(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of windows that are there already, (n_windows, n_samples, n_signals)."""
        starts = range(0, len(window), WINDOWS_AT_ONCE)
        return self._features({"window": window[start : start + WINDOWS_AT_ONCE]} for start in starts)

    def run(
        self, nodes: str, constants: dict[str, Any], output: str, width: int, blocks: Iterable[Inputs]
    ) -> NDArray[np.float32]:
        """(n_windows, width): what `nodes` make of windows, by onnxruntime."""
        model = build(
            "features",
            self.inputs,
            f"float[n_assets, {width}] {output}",
            nodes,
            constants,
        )
        session = open_session(model.SerializeToString())
        taken = {node.name for node in session.get_inputs()}
        found = [session.run([output], {name: block[name] for name in taken})[0] for block in blocks]
        return np.concatenate(found) if found else np.empty((0, width), np.float32)

    def _features(self, blocks: Iterable[Inputs]) -> NDArray[np.float32]:
        return self.run(self.text, self.constants, "feature", self.n_features, blocks)


def _moments(values: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and variance of what is not missing."""
    exact = values.astype(np.float64)
    return float(np.nanmean(exact)), float(np.nanvar(exact))


def scaled(numbers: str, mean: str, scale: str, out: str) -> str:
    """Nodes that bring numbers (n_assets, n) to deviations from a mean in units of a scale, none where missing."""
    return SCALED.format(x=numbers, mean=mean, scale=scale, out=out)


def build(
    name: str,
    inputs: str,
    outputs: str,
    nodes: str,
    constants: dict[str, Any],
    attributes: dict[str, dict[str, Any]] | None = None,
    opset: int = OPSET,
    check: bool = True,
) -> onnx.ModelProto:
    """A checked model from nodes in ONNX's text form; constants that no node takes are left out."""
    model = onnx.parser.parse_model(f"""
        <ir_version: {IR_VERSION}, opset_import: ["" : {opset}, "ai.onnx.ml" : {TREES}], producer_name: "kullager">
        {name} ({inputs}) => ({outputs}) {{ {nodes} }}
    """)
    taken = {taken for node in model.graph.node for taken in node.input}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(_as_constant(value), key) for key, value in constants.items() if key in taken
    )
    for node in model.graph.node:
        for key, value in (attributes or {}).get(node.output[0], {}).items():
            node.attribute.append(onnx.helper.make_attribute(key, value))
    if not any(node.domain == "ai.onnx.ml" for node in model.graph.node):
        del model.opset_import[1]
    if check:
        onnx.checker.check_model(model, full_check=True)
    return model


def open_session(content: bytes) -> ort.InferenceSession:
    """A session on one thread, so that its sums do not depend on how many cores there are."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _as_constant(value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    # float64 stays so where it was meant so: it comes as an array of its own
    kept = array.dtype == np.int64 or isinstance(value, Double)
    # in this order, but not `ascontiguousarray`, which gives a number a dimension
    return np.require(array if kept else array.astype(np.float32), requirements="C")


class Double(np.ndarray):
    """A constant that keeps its 64 bits."""

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Double":
        return np.asarray(values, np.float64).view(cls)
