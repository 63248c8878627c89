"""One model file in service: checked against its contract before it scores anything."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.contracts.errors import MessageError, ModelError
from edge.contracts.model_spec import GOLDEN_KEY, SPEC_KEY, WAVEFORM_PREFIX, ModelSpec
from edge.formats.json_message import decode, load_object
from edge.state_detection.deadline import within

MAX_MODEL_BYTES: Final = 64 << 20
# onnxruntime gives the same row other last bits in batches of other size, but not when sizes are multiples of this
BATCH_MULTIPLE: Final = 16
MAX_TOLERANCE: Final = 1e-3
# name → number of dimensions, see the model contract
OUTPUTS: Final = {"score": 1, "contribution": 2, "expected": 2, "fault_probability": 2, "rul_h": 2, "known": 1}
INPUTS: Final = {"window": 3, "context": 2}

Arrays = dict[str, NDArray[np.float32]]
# what onnxruntime raises, has no common root but this; ValueError where an input is missing
_RUNTIME_ERRORS = (
    ValueError,
    ort.capi.onnxruntime_pybind11_state.Fail,
    ort.capi.onnxruntime_pybind11_state.InvalidArgument,
    ort.capi.onnxruntime_pybind11_state.InvalidGraph,
    ort.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    ort.capi.onnxruntime_pybind11_state.NoSuchFile,
    ort.capi.onnxruntime_pybind11_state.NotImplemented,
    ort.capi.onnxruntime_pybind11_state.RuntimeException,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A few windows, and the outputs that they must give within `tolerance`."""

    inputs: Arrays
    outputs: Arrays
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """A model that has passed its checks. `score` takes and gives what the model contract says."""

    spec: ModelSpec
    path: str
    session: ort.InferenceSession
    outputs: tuple[str, ...]
    sha256: str = ""

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read and check a file: contract, shapes, golden vectors. Raises `ModelError` with the reason."""
        path = Path(path)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ModelError(f"{path}: there is no such model; `python -m models train` makes one") from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        return cls.of(content, path)

    @classmethod
    def of(cls, content: bytes, path: Path | str) -> Self:
        """The same of what was read already; `path` is what messages call it.

        From bytes: so no tensor can be fetched from another file.
        """
        path = Path(path)
        if len(content) > MAX_MODEL_BYTES:
            raise ModelError(f"{path}: {len(content)} bytes; a model may have {MAX_MODEL_BYTES}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # not its own format, which may hide behind what protobuf sees as a model of ONNX
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except _RUNTIME_ERRORS as error:
            raise ModelError(f"{path}: onnxruntime refuses it: {_first_line(error)}") from None
        sha256 = hashlib.sha256(content).hexdigest()
        metadata = session.get_modelmeta().custom_metadata_map
        spec = _spec(path, metadata)
        model = cls(
            spec=spec, path=str(path), session=session, outputs=tuple(o.name for o in session.get_outputs()), sha256=sha256
        )
        model._check_signature()
        model._check_golden()
        return model

    @property
    def golden(self) -> Golden:
        """The golden vectors of the file. Raises `ModelError` where they cannot be read."""
        metadata = self.session.get_modelmeta().custom_metadata_map
        if GOLDEN_KEY not in metadata:
            raise ModelError(f"{self.path}: has no golden vectors ('{GOLDEN_KEY}' in its metadata)")
        try:
            golden = load_object(metadata[GOLDEN_KEY].encode(), f"{self.path}: {GOLDEN_KEY}")
            return Golden(
                inputs={name: _tensor(tensor) for name, tensor in golden["inputs"].items()},
                outputs={name: _tensor(tensor) for name, tensor in golden["outputs"].items()},
                tolerance=float(golden["tolerance"]),
            )
        except (MessageError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{self.path}: its golden vectors cannot be read: {error}") from None

    def score(self, inputs: Mapping[str, NDArray[np.float32]], deadline_s: float | None = None) -> Arrays:
        """One batch. Padded to a multiple of 16 rows, so that a row's score never depends on its neighbours.

        Raises `ModelError` where it fails, or is not done within `deadline_s`.
        """
        n_rows = len(inputs["window"])
        padding = -n_rows % BATCH_MULTIPLE
        if padding:
            inputs = {name: np.concatenate([array, np.repeat(array[-1:], padding, axis=0)]) for name, array in inputs.items()}
        try:
            if deadline_s is None:
                results = self.session.run(None, dict(inputs))
            else:
                with within(deadline_s) as options:
                    results = self.session.run(None, dict(inputs), options)
        except _RUNTIME_ERRORS as error:
            raise ModelError(f"{self.path}: failed while scoring: {_first_line(error)}") from None
        return {name: result[:n_rows] for name, result in zip(self.outputs, results, strict=True)}

    def _check_signature(self) -> None:
        inputs = {i.name: i for i in self.session.get_inputs()}
        if "window" not in inputs:
            raise ModelError(f"{self.path}: has no input 'window'; it has {', '.join(inputs)}")
        if "score" not in self.outputs:
            raise ModelError(f"{self.path}: has no output 'score'; it has {', '.join(self.outputs)}")
        waves = {f"{WAVEFORM_PREFIX}{wave.name}": wave for wave in self.spec.waveforms}
        for node in inputs.values():
            self._check_node("input", node, INPUTS | dict.fromkeys(waves, 2))
        for name, wave in waves.items():
            if name not in inputs:
                raise ModelError(f"{self.path}: has no input '{name}', and its metadata name the waveform '{wave.name}'")
            points = inputs[name].shape[1]
            if isinstance(points, int) and points != wave.n_points:
                raise ModelError(f"{self.path}: input '{name}' is (n, {points}); its metadata say {wave.n_points}")
        for node in self.session.get_outputs():
            self._check_node("output", node, OUTPUTS)
        if bool(self.spec.context) != ("context" in inputs):
            has, says = ("has", "no") if "context" in inputs else ("has no", "a")
            raise ModelError(f"{self.path}: {has} input 'context', and its metadata name {says} context")
        if self.spec.context and inputs["context"].shape[1] not in (len(self.spec.context), None, "n_contexts"):
            wide, wanted_width = inputs["context"].shape[1], len(self.spec.context)
            raise ModelError(f"{self.path}: input 'context' is (n, {wide}); its metadata say {wanted_width}")
        wanted = [self.spec.n_samples, len(self.spec.signals)]
        given = inputs["window"].shape[1:]
        if any(isinstance(have, int) and have != want for have, want in zip(given, wanted, strict=True)):
            raise ModelError(f"{self.path}: input 'window' is (n, {given[0]}, {given[1]}); its metadata say {wanted}")

    def _check_node(self, kind: str, node: Any, known: Mapping[str, int]) -> None:
        if node.name not in known:
            raise ModelError(f"{self.path}: {kind} '{node.name}' is not in the contract; known: {', '.join(known)}")
        if node.type != "tensor(float)":
            raise ModelError(f"{self.path}: {kind} '{node.name}' is {node.type}; it should be tensor(float)")
        if len(node.shape) != known[node.name]:
            raise ModelError(
                f"{self.path}: {kind} '{node.name}' has {len(node.shape)} dimensions; it should have {known[node.name]}"
            )

    def _check_golden(self) -> None:
        golden = self.golden
        inputs, outputs, tolerance = golden.inputs, golden.outputs, golden.tolerance
        for node in self.session.get_inputs():
            if node.name not in inputs or inputs[node.name].ndim != len(node.shape):
                raise ModelError(f"{self.path}: its golden vectors have no input '{node.name}' of {len(node.shape)} dimensions")
        if "score" not in outputs:
            raise ModelError(f"{self.path}: its golden vectors have no 'score'")
        if not 0 <= tolerance <= MAX_TOLERANCE:
            raise ModelError(f"{self.path}: its golden vectors' tolerance {tolerance} should be 0 to {MAX_TOLERANCE}")
        given = self.score(inputs)
        for name, expected in outputs.items():
            if name not in given or given[name].shape != expected.shape:
                raise ModelError(f"{self.path}: golden vector '{name}' has another shape than what the model gives")
            if not np.allclose(given[name], expected, rtol=tolerance, atol=tolerance, equal_nan=True):
                raise ModelError(f"{self.path}: golden vector '{name}' is not reproduced within {tolerance}")


def _spec(path: Path, metadata: Mapping[str, str]) -> ModelSpec:
    if SPEC_KEY not in metadata:
        raise ModelError(f"{path}: has no '{SPEC_KEY}' in its metadata: not a kullager model")
    try:
        return decode(ModelSpec, metadata[SPEC_KEY].encode(), f"{path}: {SPEC_KEY}")
    except MessageError as error:
        raise ModelError(str(error)) from None
    except RecursionError:
        raise ModelError(f"{path}: '{SPEC_KEY}' in its metadata is nested too deep") from None


def _tensor(tensor: Mapping[str, Any]) -> NDArray[np.float32]:
    if tensor["dtype"] != "float32":
        raise ValueError(f"dtype {tensor['dtype']} should be float32")
    data = np.frombuffer(base64.b64decode(tensor["data"], validate=True), "<f4")
    return data.reshape(tensor["shape"]).astype(np.float32)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
