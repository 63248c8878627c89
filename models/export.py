"""A trained detector as one ONNX file: raw window in; score, contributions and expected values out.

The graph is written in ONNX's own text form, so it can be read here as it runs at the edge. The same data and seed give
the same bytes: nothing in the file tells when or where it was made.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from models.detectors import Detector
from models.detectors.base import EXPECTED_REACH, SMALLEST_PART, Modes, Samples
from models.features import Double, FeatureGraph, Windows, build, open_session, scaled
from models.modes import GRAPH as MODE_GRAPH
from models.modes import OperatingModes
from models.operating import GRAPH as REGION_GRAPH
from models.operating import OperatingRegion
from models.supervision import Addition

TOLERANCE: Final = 1e-4
N_GOLDEN: Final = 3

# the mean and the scale of the features, of the mode that a machine is in or of the only one there is
MODE_SCALE_GRAPH: Final = """
    mode_mean = Gather(mean_table, mode)
    mode_scale = Gather(scale_table, mode)
"""
ONLY_SCALE_GRAPH: Final = """
    mode_mean = Identity(mean_table)
    mode_scale = Identity(scale_table)
"""
# `statistic`, `part`, `modelled` → the outputs
OUTPUT_GRAPH: Final = """
    ratios = Div(statistic, limits)
    ratio = ReduceMax<keepdims = 0>(ratios, axis_1)
    score = Sqrt(ratio)

    part_above = Add(part, smallest_part)
    part_of_signal = MatMul(part_above, signal_of)
    whole = ReduceSum<keepdims = 1>(part_of_signal, axis_1)
    contribution = Div(part_of_signal, whole)

    modelled_mean_z = Slice(modelled, from_0, n_signals, axis_1)
    mean_of_mode = Slice(mode_mean, from_0, n_signals, axis_1)
    scale_of_mode = Slice(mode_scale, from_0, n_signals, axis_1)
    mean_single = Cast<to = 1>(mean_of_mode)
    scale_single = Cast<to = 1>(scale_of_mode)
    expected_around = Mul(modelled_mean_z, scale_single)
    expected_deviation = Add(expected_around, mean_single)
    expected = Add(expected_deviation, centre)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Largest relative difference between scikit-learn and the exported graph, over `n_windows` windows."""

    n_windows: int
    largest: float


def graph(
    detector: Detector,
    features: FeatureGraph,
    modes: OperatingModes,
    region: OperatingRegion | None = None,
    additions: Sequence[Addition] = (),
) -> onnx.ModelProto:
    """The model of a fitted detector over its features, and of what labels added to it, without its metadata."""
    fragment = detector.fragment()
    n_signals, conditioned = features.n_signals, bool(modes.contexts)
    constants: dict[str, Any] = {
        **features.constants,
        **modes.constants,
        **fragment.constants,
        "mean_table": Double.of(detector.mean_),
        "scale_table": Double.of(detector.scale_),
        "limits": detector.limits_[None],
        "reach": np.float32(EXPECTED_REACH),
        "least_reach": np.float32(-EXPECTED_REACH),
        "smallest_part": np.float32(SMALLEST_PART),
        "signal_of": np.eye(features.n_sources)[features.signal_of],
        "n_signals": np.array([n_signals], np.int64),
    }
    inputs, n_sources = features.inputs, features.n_sources
    outputs = f"float[n_assets] score, float[n_assets, {n_sources}] contribution, float[n_assets, {n_signals}] expected"
    if conditioned:
        inputs += f", float[n_assets, {len(modes.contexts)}] context"
    by_mode = MODE_GRAPH + MODE_SCALE_GRAPH if conditioned else ONLY_SCALE_GRAPH
    told = ["mode_known"] * conditioned + ["point_known"] * (region is not None)
    if region is not None:
        by_mode += REGION_GRAPH
        constants |= region.constants
    if told:
        outputs += ", float[n_assets] known"
        by_mode += f"    known = Min({', '.join(told)})\n"
    nodes = features.text_with(kind for addition in additions for kind in addition.kinds)
    nodes += by_mode + scaled("feature", "mode_mean", "mode_scale", "z") + fragment.text + OUTPUT_GRAPH
    attributes = dict(fragment.attributes)
    for addition in additions:
        nodes += addition.nodes + addition.fragment.text
        outputs += f", float[n_assets, {addition.width}] {addition.output}"
        constants |= addition.fragment.constants
        attributes |= addition.fragment.attributes
    return build("detector", inputs, outputs, nodes, constants, attributes)


def with_metadata(model: onnx.ModelProto, spec: ModelSpec, windows: Windows, codes: NDArray[np.int64]) -> bytes:
    """The file: graph, spec and golden vectors (some training windows, the last with values missing).

    codes: (n_windows, n_contexts) of the windows
    """
    some = np.linspace(0, len(windows) - 1, N_GOLDEN).astype(np.int64)
    golden = windows.inputs(some)
    window = golden["window"]
    window[-1, : windows.n_samples // 3, 0] = np.nan
    window[-1, :, -1] = np.nan
    if spec.context:
        golden["context"] = codes[some].astype(np.float32)
    outputs = _run(open_session(model.SerializeToString()), golden)
    vectors = {
        "inputs": {name: _tensor(values) for name, values in golden.items()},
        "outputs": {name: _tensor(values) for name, values in outputs.items()},
        "tolerance": TOLERANCE,
    }
    metadata = {SPEC_KEY: encode(spec).decode(), GOLDEN_KEY: orjson.dumps(vectors).decode()}
    onnx.helper.set_model_props(model, metadata)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_parity(
    content: bytes,
    detector: Detector,
    features: FeatureGraph,
    windows: Windows,
    computed: Samples,
    mode: Modes,
    codes: NDArray[np.int64],
    region: OperatingRegion | None = None,
) -> Parity:
    """Every training window through scikit-learn and through the file; raises `ModelError` where they disagree.

    Scores are compared relative to themselves (below 0.01 to that), contributions and what is known as they are, expected
    values relative to the spread of their signal.
    """
    session = open_session(content)
    largest, done, n_signals = 0.0, 0, features.n_signals
    for block in windows.blocks():
        here = slice(done, done + len(block["window"]))
        given = _run(session, block | {"context": codes[here].astype(np.float32)})
        part, modes = computed[here], mode[here]
        score = detector.scores(part, modes)
        contribution = detector.contributions(part, modes) @ np.eye(features.n_sources)[features.signal_of]
        expected = detector.expected(part, modes)[:, :n_signals] + features.centre
        size = np.maximum(detector.scale_[modes][:, :n_signals], np.abs(features.centre))
        for difference in (
            np.abs(given["score"] - score) / np.maximum(score, 0.01),
            np.abs(given["contribution"] - contribution),
            np.abs(given["expected"] - expected) / size,
        ):
            largest = max(largest, float(difference.max()))
        if region is not None:
            largest = max(largest, float(np.abs(given["known"] - region.known(part)).max()))
        done += len(block["window"])
    _accept(largest, "score, contribution, expected or known")
    return Parity(n_windows=done, largest=largest)


def check_additions(content: bytes, additions: Sequence[Addition], n_contexts: int, parity: Parity) -> Parity:
    """The same proof of further outputs, over all windows that they were learnt from, joined with that of the detector."""
    session = open_session(content)
    for addition in additions:
        done = 0
        for block in addition.windows.blocks():
            n = len(block["window"])
            codes = np.zeros((n, n_contexts)) if addition.codes is None else addition.codes[done : done + n]
            inputs = block | {"context": codes.astype(np.float32)}
            difference = _run(session, inputs)[addition.output] - addition.expected[done : done + n]
            parity = replace(parity, largest=max(parity.largest, float(np.abs(difference).max()) / addition.size))
            done += n
        _accept(parity.largest, addition.output)
        parity = replace(parity, n_windows=parity.n_windows + done)
    return parity


def _accept(largest: float, what: str) -> None:
    # written so that NaN is refused, too
    if not largest <= TOLERANCE:
        raise ModelError(
            f"the exported graph differs from scikit-learn by {largest:.1e} (relative, in {what}), more than {TOLERANCE:.0e}: "
            "the file was not written; a signal with a large offset and a tiny variation is the usual cause"
        )


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


def _run(session: ort.InferenceSession, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """All outputs; inputs that the model does not take are left out."""
    names = [output.name for output in session.get_outputs()]
    taken = {node.name: inputs[node.name] for node in session.get_inputs()}
    return dict(zip(names, session.run(names, taken), strict=True))


def _tensor(array: NDArray[np.float32]) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
    return {"shape": list(array.shape), "dtype": "float32", "data": data}
