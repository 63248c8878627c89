"""A model of any framework as a model file: put behind the window, calibrated on healthy data, with metadata.

What such a model takes is one float tensor made of the window, (n, n_samples, n_signals) or in another order; what it gives is
either the same tensor back, as autoencoders do, or one number for each window that grows with the deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.compose
from numpy.typing import NDArray

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import ModelSpec
from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from models.calibrate import N_BLOCKS, Calibration, calibrate
from models.dataset import Watch, healthy_data
from models.detectors.base import HeldOut, Matrix, Modes
from models.export import with_metadata
from models.features import build, open_session
from models.settings import Settings, UnfitSettings
from models.specification import specification

# how the window is laid out for the foreign model
LAYOUTS: Final = ("samples-signals", "signals-samples", "flat", "newest")
# of healthy scores, the share below what counts as no deviation at all, where scores may be negative
LEAST: Final = 0.01
MIN_OPSET: Final = 13
ALLOWED_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml")
PREFIX: Final = "foreign_"

BEFORE: Final = """
    missing = IsNaN(window)
    filled = Where(missing, usual, window)
    around = Sub(filled, centre)
    given = Div(around, scale)
"""
LAID_OUT: Final = {
    "samples-signals": "    laid_out = Identity(given)\n",
    "signals-samples": "    laid_out = Transpose<perm = [0, 2, 1]>(given)\n",
    "flat": "    laid_out = Flatten<axis = 1>(given)\n",
    "newest": "    newest_row = Slice(given, to_last, to_end, axis_1)\n    laid_out = Squeeze(newest_row, axis_1)\n",
}
# a reconstruction in the layout of the input → residuals (n, n_rows, n_signals) in healthy spreads, and what was expected
BACK: Final = {
    "samples-signals": "    back = Identity(answer)\n    seen = Identity(given)\n",
    "signals-samples": "    back = Transpose<perm = [0, 2, 1]>(answer)\n    seen = Identity(given)\n",
    "flat": "    back = Reshape(answer, window_shape)\n    seen = Identity(given)\n",
    "newest": "    back = Unsqueeze(answer, axis_1)\n    seen = Identity(newest_row)\n",
}
RESIDUAL: Final = """
    residual = Sub(seen, back)
    residual_scaled = Div(residual, residual_spread)
    residual_square = Mul(residual_scaled, residual_scaled)
    part_sum = ReduceSum<keepdims = 0>(residual_square, axis_1)
    part = Div(part_sum, n_rows)
    part_above = Add(part, smallest_part)
    whole = ReduceSum<keepdims = 1>(part_above, axis_1)
    contribution = Div(part_above, whole)
    mean_square_2 = Div(whole, n_signals)
    mean_square = Squeeze(mean_square_2, axis_1)
    raw_score = Sqrt(mean_square)
    back_newest_row = Slice(back, to_last, to_end, axis_1)
    back_newest = Squeeze(back_newest_row, axis_1)
    expected_around = Mul(back_newest, scale_row)
    expected = Add(expected_around, centre_row)
"""
NUMBER: Final = """
    raw_column = Reshape(answer, minus_one)
    raw_score = Mul(raw_column, direction)
"""
LIMIT: Final = """
    above_least = Sub(raw_score, least)
    relative = Div(above_least, reach)
    score = Max(relative, zero)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """How a foreign model is to be asked.

    layout:      of `LAYOUTS`
    standardise: give it values around their healthy mean, in healthy standard deviations, rather than in plant units
    output:      which of its outputs tells; the only one where None
    lower_is_worse: its number falls with the deviation, as decision functions of scikit-learn do
    """

    layout: str = "samples-signals"
    standardise: bool = False
    output: str | None = None
    lower_is_worse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    content: bytes
    spec: ModelSpec
    calibration: Calibration
    n_windows: int
    reconstructs: bool


class _Given:
    """Statistics that are there already, in the form that `calibrate` asks a detector in."""

    def __init__(self, statistics: Matrix, expected: Matrix) -> None:
        self._statistics, self._expected = statistics, expected

    def held_out(self, X: Matrix, purge: int, n_blocks: int = N_BLOCKS, mode: Modes | None = None) -> HeldOut:  # noqa: N803
        index = np.arange(len(X))
        return HeldOut(index, index * n_blocks // len(X), self._statistics, self._expected)


def wrap(
    path: Path,
    recording: Recording,
    plant: Plant,
    settings: Settings,
    foreign: Foreign,
    watch: Watch = lambda batches, _: batches,
) -> Wrapped:
    """A model file of the foreign model in `path`, with its limit from a healthy recording that it was *not* trained on.

    Raises `ModelError` where the model cannot be used, with what would be right.
    """
    model = _checked(path, foreign)
    asset = plant.assets[recording.asset]
    data = healthy_data(
        recording,
        plant,
        n_samples=settings.n_samples,
        min_coverage=settings.min_coverage,
        without=[*settings.without, *asset.context],
        watch=watch,
    )
    windows = data.windows
    values = windows.values[windows.last].astype(np.float64)
    usual = values.mean(axis=0)
    centre, scale = (usual, values.std(axis=0)) if foreign.standardise else (np.zeros_like(usual), np.ones_like(usual))
    constants = _constants(windows.n_samples, usual, centre, scale, foreign)
    reconstructs = _asked(model, windows.take(slice(0, 4)), foreign, constants, path)
    if reconstructs:
        spread, statistics, expected = _residuals(model, windows.blocks(), foreign, constants, len(windows))
        constants["residual_spread"] = spread[None, None]
        least = 0.0
    else:
        raw = _run_all(model, windows.blocks(), foreign, constants, NUMBER, "raw_score", "float[n_assets] raw_score")[:, 0]
        least = min(float(np.quantile(raw, LEAST)), float(raw.min())) if (raw < 0).any() else 0.0
        statistics, expected = ((raw - least) ** 2)[:, None], np.zeros((len(windows), len(data.signals)))
    calibration = calibrate(
        _Given(statistics, expected),  # type: ignore[arg-type]  # all that it is asked for
        np.zeros((len(windows), 1)),
        data.time,
        n_samples=windows.n_samples,
        period_s=asset.period_s,
        persistence=settings.persistence,
        alarm=asset.alarm,
        false_alarms_per_week=settings.false_alarms,
    )
    reach = float(np.sqrt(calibration.limits[0]))
    constants |= {"least": least, "reach": reach}
    after = (BACK[foreign.layout] + RESIDUAL if reconstructs else NUMBER) + LIMIT
    n_signals = len(data.signals)
    outputs = "float[n_assets] score"
    if reconstructs:
        outputs += f", float[n_assets, {n_signals}] contribution, float[n_assets, {n_signals}] expected"
    graph = _assembled(model, foreign, constants, after, outputs)
    onnx.checker.check_model(graph, full_check=True)
    spec = specification(
        asset,
        settings,
        data,
        calibration,
        (lambda column: expected[:, column]) if reconstructs else None,
        {"family": "foreign", "features": [foreign.layout], "made_by": model.producer_name or "unknown"},
    )
    content = with_metadata(graph, spec, windows, np.empty((len(windows), 0), np.int64))
    return Wrapped(content=content, spec=spec, calibration=calibration, n_windows=len(windows), reconstructs=reconstructs)


def _checked(path: Path, foreign: Foreign) -> onnx.ModelProto:
    """The foreign model, if its form lets it be asked. Raises `ModelError`."""
    if foreign.layout not in LAYOUTS:
        raise UnfitSettings(f"--layout should be {', '.join(LAYOUTS)}")
    try:
        model = onnx.load_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # protobuf and the checker raise several kinds, without a common root
        raise ModelError(f"{path}: is no ONNX model: {str(error).splitlines()[0][:200]}") from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{path}: keeps its weights in another file; export it as one, without external data")
    if wrong := sorted({entry.domain for entry in model.opset_import} - set(ALLOWED_DOMAINS)):
        raise ModelError(f"{path}: has operators of '{wrong[0]}'; those of ONNX itself and ai.onnx.ml are served")
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    if len(inputs) != 1:
        raise ModelError(f"{path}: has {len(inputs)} inputs; it should have one, made of the window")
    kind = inputs[0].type.tensor_type
    if kind.elem_type != onnx.TensorProto.FLOAT:
        named = onnx.TensorProto.DataType.Name(kind.elem_type)
        raise ModelError(f"{path}: input '{inputs[0].name}' is {named}; it should be FLOAT")
    first = kind.shape.dim[0] if kind.shape.dim else None
    if first is not None and first.HasField("dim_value"):
        raise ModelError(
            f"{path}: input '{inputs[0].name}' takes {first.dim_value} window at a time; export it with a dynamic first axis "
            "(dynamic_axes in PyTorch)"
        )
    outputs = [value.name for value in model.graph.output]
    if foreign.output is not None and foreign.output not in outputs:
        raise ModelError(f"{path}: has no output '{foreign.output}'; there are {', '.join(outputs)}")
    if foreign.output is None and len(outputs) > 1:
        raise ModelError(f"{path}: has several outputs; name the one that tells with --output: {', '.join(outputs)}")
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset and opset < MIN_OPSET:
        try:
            model = onnx.version_converter.convert_version(model, MIN_OPSET)
        except Exception as error:
            raise ModelError(f"{path}: is of opset {opset}, which cannot be brought to {MIN_OPSET}: {error}") from None
    return model


def _assembled(
    model: onnx.ModelProto, foreign: Foreign, constants: dict[str, Any], after: str, outputs: str
) -> onnx.ModelProto:
    """Window → foreign input, the foreign nodes, and what follows from its answer, as one graph."""
    n_samples, n_signals = constants["shape"]
    asked = _input(model).name
    answer = foreign.output or model.graph.output[0].name
    inner = onnx.compose.add_prefix(model, PREFIX)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), MIN_OPSET)
    trees = next((entry.version for entry in model.opset_import if entry.domain == "ai.onnx.ml"), None)
    # the text form needs every name to come from somewhere: the foreign answer is an input, until its nodes are put in
    whole = build(
        "wrapped",
        f"float[n_assets, {n_samples}, {n_signals}] window, float[] answer",
        outputs,
        BEFORE + LAID_OUT[foreign.layout] + after,
        {name: value for name, value in constants.items() if name != "shape"},
        opset=opset,
        check=False,
    )
    for node in inner.graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                if name == f"{PREFIX}{asked}":
                    names[number] = "laid_out"
                elif name == f"{PREFIX}{answer}":
                    names[number] = "answer"
    cut = next(number for number, node in enumerate(whole.graph.node) if "laid_out" in node.output) + 1
    nodes = [*whole.graph.node[:cut], *inner.graph.node, *whole.graph.node[cut:]]
    del whole.graph.node[:]
    whole.graph.node.extend(nodes)
    whole.graph.initializer.extend(inner.graph.initializer)
    del whole.graph.input[1:]
    whole.ir_version = max(whole.ir_version, min(model.ir_version, 10))
    if trees is not None:
        del whole.opset_import[1:]
        whole.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", trees))
    whole.functions.extend(inner.functions)
    return whole


def _input(model: onnx.ModelProto) -> Any:
    """The one input that is not a stored tensor."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return next(value for value in model.graph.input if value.name not in stored)


def _asked(
    model: onnx.ModelProto, window: NDArray[np.float32], foreign: Foreign, constants: dict[str, Any], path: Path
) -> bool:
    """Whether the model gives its input back, rather than a number for each window. Raises `ModelError`."""
    graph = _assembled(
        model, foreign, constants, "    laid = Identity(laid_out)\n    told = Identity(answer)\n", "float[] laid, float[] told"
    )
    cannot = f"{path}: does not take windows of {window.shape[1]} instants and {window.shape[2]} signals as {foreign.layout}: "
    changed_by = "; --window, --without and --layout change what it is given"
    try:
        laid, told = open_session(graph.SerializeToString()).run(["laid", "told"], {"window": window})
    except Exception as error:
        # onnxruntime's errors have no common root
        raise ModelError(f"{cannot}{str(error).splitlines()[0][:200]}{changed_by}") from None
    # some graphs would take what they do not say that they take
    declared = _input(model).type.tensor_type.shape.dim
    if declared and [dim.dim_value or size for dim, size in zip(declared, laid.shape, strict=False)] != list(laid.shape):
        shape = ", ".join(str(dim.dim_value or dim.dim_param or "?") for dim in declared)
        raise ModelError(f"{cannot}it is given {laid.shape}, and takes ({shape}){changed_by}")
    if told.shape == laid.shape and told.size > len(window):
        return True
    if told.size != len(window):
        raise ModelError(
            f"{path}: gives {told.shape} for {len(window)} windows; it should give one number for each, or its input "
            f"{laid.shape} back"
        )
    return False


def _residuals(
    model: onnx.ModelProto, blocks: Any, foreign: Foreign, constants: dict[str, Any], n_windows: int
) -> tuple[Matrix, Matrix, Matrix]:
    """Healthy spread of the residuals (n_signals,), squared raw scores (n_windows, 1), and expected values."""
    n_signals = constants["shape"][1]
    first = constants | {"residual_spread": np.ones((1, 1, n_signals))}
    after = BACK[foreign.layout] + RESIDUAL
    joined = after + "    both = Concat<axis = 1>(part, expected)\n"
    both = _run_all(model, blocks, foreign, first, joined, "both", f"float[n_assets, {2 * n_signals}] both")
    part, expected = both[:, :n_signals], both[:, n_signals:]
    spread = np.sqrt(part.mean(axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    return spread, (part / spread**2).mean(axis=1, keepdims=True), expected


def _run_all(
    model: onnx.ModelProto, blocks: Any, foreign: Foreign, constants: dict[str, Any], after: str, output: str, typed: str
) -> Matrix:
    session = open_session(_assembled(model, foreign, constants, after, typed).SerializeToString())
    found = np.concatenate([session.run([output], {"window": block["window"]})[0] for block in blocks])
    if not np.isfinite(found).all():
        raise ModelError("the foreign model gives numbers that are not finite for healthy windows; its scaling may be wrong")
    return found.reshape(len(found), -1).astype(np.float64)


def _constants(n_samples: int, usual: Matrix, centre: Matrix, scale: Matrix, foreign: Foreign) -> dict[str, Any]:
    def along(values: Sequence[float] | Matrix) -> Matrix:
        return np.asarray(values, np.float64)[None, None]

    n_signals = len(usual)
    return {
        "shape": (n_samples, n_signals),
        "usual": along(usual),
        "centre": along(centre),
        "scale": along(scale),
        "centre_row": np.asarray(centre)[None],
        "scale_row": np.asarray(scale)[None],
        "axis_1": np.array([1], np.int64),
        "to_last": np.array([-1], np.int64),
        "to_end": np.array([np.iinfo(np.int64).max], np.int64),
        "window_shape": np.array([-1, n_samples, n_signals], np.int64),
        "minus_one": np.array([-1], np.int64),
        "n_rows": 1.0 if foreign.layout == "newest" else float(n_samples),
        "n_signals": float(n_signals),
        "smallest_part": 1e-9,
        "direction": -1.0 if foreign.lower_is_worse else 1.0,
        "zero": 0.0,
    }
