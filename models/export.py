"""A trained detector as one ONNX file: raw window in; score, contributions and expected values out.

The graph is written in ONNX's own text form, so it can be read here as it runs at the edge. The same data and seed give
the same bytes: nothing in the file tells when or where it was made.
"""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
import orjson
from numpy.typing import NDArray

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import GOLDEN_KEY, SPEC_KEY, ModelSpec
from edge.formats.json_message import encode
from models.detectors import EXPECTED_REACH, SMALLEST_PART, Matrix, PcaDetector
from models.features import TRAILING_MEAN_GRAPH, Windows

OPSET: Final = 21
IR_VERSION: Final = 10
TOLERANCE: Final = 1e-4
N_GOLDEN: Final = 3
OUTPUTS: Final = ("score", "contribution", "expected")

# `deviation` → the outputs; the names are those of `PcaDetector`
PCA_GRAPH: Final = """
    scaled = Div(deviation, scale)
    around = Sub(scaled, component_mean)
    component = MatMul(around, whitening)
    t2 = ReduceSumSquare<keepdims = 1>(component, axis_1)
    projection = MatMul(around, loadings)
    modelled = MatMul(projection, loadings_transposed)
    residual = Sub(around, modelled)
    q = ReduceSumSquare<keepdims = 1>(residual, axis_1)
    t2_ratio = Div(t2, t2_limit)
    q_ratio = Div(q, q_limit)
    ratio = Max(t2_ratio, q_ratio)
    distance = Sqrt(ratio)
    score = Squeeze(distance, axis_1)

    t2_share = MatMul(component, loadings_transposed)
    t2_square = Mul(t2_share, t2_share)
    t2_part = Div(t2_square, t2_limit)
    q_square = Mul(residual, residual)
    q_part = Div(q_square, q_limit)
    both = Add(t2_part, q_part)
    part = Add(both, smallest_part)
    whole = ReduceSum<keepdims = 1>(part, axis_1)
    contribution = Div(part, whole)

    within_reach = Clip(around, least_reach, reach)
    projection_within = MatMul(within_reach, loadings)
    modelled_within = MatMul(projection_within, loadings_transposed)
    modelled_scaled = Add(modelled_within, component_mean)
    modelled_deviation = Mul(modelled_scaled, scale)
    expected = Add(modelled_deviation, centre)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Largest relative difference between scikit-learn and the exported graph, over `n_windows` windows."""

    n_windows: int
    largest: float


def graph(detector: PcaDetector, n_samples: int) -> onnx.ModelProto:
    """The model of a fitted detector over trailing means, without its metadata."""
    components = detector.pca_.components_
    constants: dict[str, Any] = {
        "zero": np.float32(0),
        "one": np.float32(1),
        "axis_1": np.array([1], np.int64),
        "centre": detector.mean_,
        "scale": detector.scale_,
        "component_mean": detector.pca_.mean_,
        "whitening": detector.whitening,
        "loadings": components.T,
        "loadings_transposed": components,
        "t2_limit": detector.limits_[0],
        "q_limit": detector.limits_[1],
        "reach": np.float32(EXPECTED_REACH),
        "least_reach": np.float32(-EXPECTED_REACH),
        "smallest_part": np.float32(SMALLEST_PART),
    }
    n_signals = components.shape[1]
    model = onnx.parser.parse_model(f"""
        <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}], producer_name: "kullager">
        pca (float[n_assets, {n_samples}, {n_signals}] window)
        => (float[n_assets] score, float[n_assets, {n_signals}] contribution, float[n_assets, {n_signals}] expected)
        {{ {TRAILING_MEAN_GRAPH} {PCA_GRAPH} }}
    """)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(_as_constant(value), name) for name, value in constants.items())
    onnx.checker.check_model(model, full_check=True)
    return model


def with_metadata(model: onnx.ModelProto, spec: ModelSpec, windows: Windows) -> bytes:
    """The file: graph, spec and golden vectors (some training windows, the last with values missing)."""
    golden = windows.take(np.linspace(0, len(windows) - 1, N_GOLDEN).astype(np.int64))
    golden[-1, : windows.n_samples // 3, 0] = np.nan
    golden[-1, :, -1] = np.nan
    outputs = _run(_session(model.SerializeToString()), golden)
    vectors = {
        "inputs": {"window": _tensor(golden)},
        "outputs": {name: _tensor(values) for name, values in outputs.items()},
        "tolerance": TOLERANCE,
    }
    metadata = {SPEC_KEY: encode(spec).decode(), GOLDEN_KEY: orjson.dumps(vectors).decode()}
    onnx.helper.set_model_props(model, metadata)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_parity(content: bytes, detector: PcaDetector, windows: Windows, features: Matrix) -> Parity:
    """Every training window through scikit-learn and through the file; raises `ModelError` where they disagree.

    Scores are compared relative to themselves (below 0.01 to that), contributions as they are, expected values relative to
    the spread of their signal.
    """
    session = _session(content)
    largest, done = 0.0, 0
    for block in windows.blocks():
        given = _run(session, block)
        part = features[done : done + len(block)]
        score = detector.scores(part)
        for difference in (
            np.abs(given["score"] - score) / np.maximum(score, 0.01),
            np.abs(given["contribution"] - detector.contributions(part)),
            np.abs(given["expected"] - detector.expected(part)) / np.maximum(detector.scale_, np.abs(detector.mean_)),
        ):
            largest = max(largest, float(difference.max()))
        done += len(block)
    # written so that NaN is refused, too
    if not largest <= TOLERANCE:
        raise ModelError(
            f"the exported graph differs from scikit-learn by {largest:.1e} (relative), more than {TOLERANCE:.0e}: "
            "the file was not written; a signal with a large offset and a tiny variation is the usual cause"
        )
    return Parity(n_windows=done, largest=largest)


def write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all: what reads it never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _as_constant(value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    return np.ascontiguousarray(array if array.dtype == np.int64 else array.astype(np.float32))


def _session(content: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, window: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return dict(zip(OUTPUTS, session.run(OUTPUTS, {"window": window}), strict=True))


def _tensor(array: NDArray[np.float32]) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
    return {"shape": list(array.shape), "dtype": "float32", "data": data}
