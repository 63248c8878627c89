"""What a model file is made of, read without running any of it and without the `onnx` package."""

import math
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from edge.contracts.errors import ModelError
from edge.model_trial.onnx_definition import EXTERNAL, STRING, WireModel

MAX_NODES: Final = 100_000
# of subgraphs within subgraphs
MAX_DEPTH: Final = 8
MAX_DIMENSIONS: Final = 32
# the identifier of onnxruntime's format, at its place in a flatbuffer
_ORT_FORMAT: Final = b"ORTM"
# what a message quotes of a name
_QUOTED: Final = 80

# the values of whole numbers that are written in the graph, by name; None hides one of an outer graph
_Numbers = ChainMap[bytes, int | None]


@dataclass(slots=True, kw_only=True)
class Graph:
    """All that was found in a model, its subgraphs and its functions.

    operators:     domain and name of each
    opsets:        versions by domain
    functions:     that the file defines itself
    external:      the other files that tensors are said to lie in
    strings:       tensors of text, and operators that make some
    sparse:        whether there are sparse tensors
    training:      what is there for training alone
    loops:         of each Loop how often it runs at most; None where the graph does not say so
    claimed:       numbers in the largest tensor by its dimensions; -1 where one of them is below 0
    held:          bytes of the file
    metadata:      bytes by key
    """

    operators: set[tuple[str, str]] = field(default_factory=set)
    opsets: dict[str, int] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    sparse: bool = False
    training: list[str] = field(default_factory=list)
    loops: list[int | None] = field(default_factory=list)
    claimed: int = 0
    held: int = 0
    n_nodes: int = 0
    metadata: dict[str, int] = field(default_factory=dict)


def read_graph(content: bytes, path: str) -> Graph:
    """Raises `ModelError` where it is no ONNX, or larger or deeper than a model may be."""
    # onnxruntime would read its own format behind what protobuf sees as a model of ONNX
    if content[4:8] == _ORT_FORMAT:
        raise ModelError(f"{path}: is in onnxruntime's own format; export it as ONNX")
    model = WireModel()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ModelError(f"{path}: is no ONNX file: it is cut off, damaged, of another kind, or nested without end") from None
    if not model.HasField("graph"):
        raise ModelError(f"{path}: is no ONNX file: it has no graph")
    found = Graph(held=len(content))
    found.opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
    for entry in model.metadata_props:
        key = _text(entry.key)
        found.metadata[key] = max(found.metadata.get(key, 0), len(entry.value))
    reading = _Reading(found, path)
    reading.graph(model.graph, ChainMap(), 0)
    for function in model.functions:
        found.functions.append(_text(function.name))
        reading.nodes(function.node, ChainMap(), 0)
        reading.attributes(function.attribute_proto, ChainMap(), 0)
    for training in model.training_info:
        found.training.append("training information")
        reading.graph(training.initialization, ChainMap(), 0)
        reading.graph(training.algorithm, ChainMap(), 0)
    return found


class _Reading:
    """One walk over a model; `numbers` are those that an inner graph sees of the outer ones."""

    def __init__(self, found: Graph, path: str) -> None:
        self._found, self._path = found, path

    def graph(self, graph: Any, numbers: _Numbers, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ModelError(f"{self._path}: its subgraphs are nested more than {MAX_DEPTH} deep")
        inner = numbers.new_child(dict.fromkeys(value.name for value in graph.input))
        for tensor in graph.initializer:
            self._tensor(tensor)
            _learn(inner, tensor.name, tensor)
        self._sparse(graph.sparse_initializer)
        self.nodes(graph.node, inner, depth)

    def nodes(self, nodes: Any, numbers: _Numbers, depth: int) -> None:
        self._found.n_nodes += len(nodes)
        if self._found.n_nodes > MAX_NODES:
            raise ModelError(f"{self._path}: has more than {MAX_NODES} nodes")
        for node in nodes:
            self._node(node, numbers)
            self.attributes(node.attribute, numbers, depth)

    def attributes(self, attributes: Any, numbers: _Numbers, depth: int) -> None:
        for attribute in attributes:
            if attribute.HasField("t"):
                self._tensor(attribute.t)
            for tensor in attribute.tensors:
                self._tensor(tensor)
            if attribute.HasField("sparse_tensor"):
                self._sparse([attribute.sparse_tensor])
            self._sparse(attribute.sparse_tensors)
            if attribute.HasField("g"):
                self.graph(attribute.g, numbers, depth + 1)
            for graph in attribute.graphs:
                self.graph(graph, numbers, depth + 1)

    def _node(self, node: Any, numbers: _Numbers) -> None:
        found = self._found
        domain, operator = _domain(node.domain), _text(node.op_type)
        numbers.update(dict.fromkeys(node.output))
        found.operators.add((domain, operator))
        if domain:
            return
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if operator == "Constant" and len(node.output) == 1:
            _learn_constant(numbers, node.output[0], attributes)
            if attributes.keys() & {b"value_string", b"value_strings"}:
                found.strings.append("Constant")
        elif operator == "Cast" and b"to" in attributes and attributes[b"to"].i == STRING:
            found.strings.append("Cast")
        elif operator == "Loop":
            found.loops.append(numbers.get(node.input[0]) if node.input else None)
        elif operator == "Dropout" and len(node.input) > 2 and node.input[2] and numbers.get(node.input[2]) != 0:
            found.training.append("Dropout in training mode")
        elif operator == "BatchNormalization" and (
            (b"training_mode" in attributes and attributes[b"training_mode"].i != 0) or sum(map(bool, node.output)) > 1
        ):
            found.training.append("BatchNormalization in training mode")

    def _tensor(self, tensor: Any) -> None:
        found = self._found
        if tensor.data_location == EXTERNAL or tensor.external_data:
            places = [_text(entry.value) for entry in tensor.external_data if entry.key == b"location"]
            found.external.append(places[0] if places else "no file at all")
        if tensor.data_type == STRING:
            found.strings.append(_text(tensor.name) or "a tensor")
        if len(tensor.dims) > MAX_DIMENSIONS:
            raise ModelError(f"{self._path}: has a tensor of {len(tensor.dims)} dimensions; {MAX_DIMENSIONS} are allowed")
        found.claimed = (
            -1 if found.claimed < 0 or any(dim < 0 for dim in tensor.dims) else max(found.claimed, math.prod(tensor.dims))
        )

    def _sparse(self, tensors: Iterable[Any]) -> None:
        for tensor in tensors:
            self._found.sparse = True
            self._tensor(tensor.values)
            self._tensor(tensor.indices)


def _learn_constant(numbers: _Numbers, name: bytes, attributes: dict[bytes, Any]) -> None:
    if b"value_int" in attributes:
        numbers[name] = attributes[b"value_int"].i
    elif b"value" in attributes:
        _learn(numbers, name, attributes[b"value"].t)


def _learn(numbers: _Numbers, name: bytes, tensor: Any) -> None:
    """Remember a tensor of one whole number or truth value."""
    if math.prod(tensor.dims) != 1:
        return
    if len(tensor.int64_data) == 1:
        numbers[name] = tensor.int64_data[0]
    elif len(tensor.raw_data) in (1, 8):
        numbers[name] = int.from_bytes(tensor.raw_data, "little", signed=True)


def _domain(name: bytes) -> str:
    """The standard's own domain has two names."""
    return "" if name == b"ai.onnx" else _text(name)


def _text(name: bytes) -> str:
    return name.decode(errors="replace")[:_QUOTED]
