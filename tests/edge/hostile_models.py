"""Model files that must not go into service, by name: each with the words that its refusal has to say.

All are made from one that is fit, a press of two signals whose score is its mean force over 10.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper, numpy_helper

from tests.edge.conftest import tensor

N_SAMPLES = 3
SCORE = "score = Mul(mean_force, tenth)"
# the graph that all begin with, in ONNX's text form
BEFORE = """
    column = Gather<axis = 2>(window, force)
    mean_force = ReduceMean<keepdims = 0>(column, axis_1)
"""
CONSTANTS: dict[str, np.ndarray] = {
    "force": np.array(1, np.int64),
    "axis_1": np.array([1], np.int64),
    "axis_0": np.array([0], np.int64),
    "tenth": np.array(0.1, np.float32),
    "zero": np.array(0, np.float32),
    "one": np.array(1, np.float32),
    "huge": np.array([1 << 33], np.int64),
    "yes": np.array(True),
}
SPEC: dict[str, object] = {
    "schema": 1,
    "name": "press",
    "version": "1",
    "asset_class": "press",
    "period_s": 1.0,
    "n_samples": N_SAMPLES,
    "signals": [{"name": "speed", "unit": "/min"}, {"name": "force", "unit": "kN"}],
}
WINDOW = np.tile(np.float32([[100, 5]]), (2, N_SAMPLES, 1))
GOLDEN: dict[str, Any] = {
    "inputs": {"window": tensor(WINDOW)},
    "outputs": {"score": tensor(np.float32([0.5, 0.5]))},
    "tolerance": 1e-4,
}


def press(
    nodes: str = SCORE,
    outputs: str = "float[n] score",
    *,
    inputs: str = f"float[n, {N_SAMPLES}, 2] window",
    constants: Mapping[str, np.ndarray] | None = None,
    golden: Mapping[str, Any] | None = None,
    **spec: object,
) -> onnx.ModelProto:
    """The model, with other nodes after `mean_force` (n,), other outputs or another contract."""
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3]> press ({inputs}) => ({outputs}) {{ {BEFORE} {nodes} }}'
    )
    stored = CONSTANTS | dict(constants or {})
    taken = set(_names(model.graph))
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in stored.items() if name in taken)
    described(model, SPEC | spec, GOLDEN | dict(golden or {}))
    return model


def _names(graph: onnx.GraphProto) -> list[str]:
    """What nodes take, those of inner graphs as well."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [name for node in graph.node for name in node.input] + [name for each in inner for name in _names(each)]


def described(model: onnx.ModelProto, spec: object, golden: object) -> None:
    helper.set_model_props(
        model, {"kullager.spec": orjson.dumps(spec).decode(), "kullager.golden": orjson.dumps(golden).decode()}
    )


class Way(Enum):
    """READ: it is refused by what is read in it; JUDGED: by how it behaves, which harms nobody; TRIED: by its process alone."""

    READ = auto()
    JUDGED = auto()
    TRIED = auto()


Maker = Callable[[Path], bytes | onnx.ModelProto]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """make: writes what it needs into a folder, and gives the model; limits: of the trial, where others than usual.

    way: how far it comes before it is refused
    """

    make: Maker
    words: str
    way: Way = Way.JUDGED
    limits: dict[str, Any] = field(default_factory=dict)


def _edited(edit: Callable[[onnx.ModelProto], object]) -> Maker:
    def make(_: Path) -> onnx.ModelProto:
        model = press()
        edit(model)
        return model

    return make


def _of(*arguments: Any, **others: Any) -> Maker:
    return lambda _: press(*arguments, **others)


def _with_metadata(**texts: str | None) -> Maker:
    def make(_: Path) -> onnx.ModelProto:
        model = press()
        old = {entry.key: entry.value for entry in model.metadata_props}
        new = old | {f"kullager.{key}": text for key, text in texts.items()}
        helper.set_model_props(model, {key: text for key, text in new.items() if text is not None})
        return model

    return make


def _adding(nodes: str, **constants: np.ndarray) -> Maker:
    """A score to which nought times `extra`, whatever its shape, is added."""
    after = """
        largest = ReduceMax<keepdims = 0>(extra)
        number = Cast<to = 1>(largest)
        nought = Mul(number, zero)
        plain = Mul(mean_force, tenth)
        score = Add(plain, nought)
    """
    return _of(nodes + after, constants=constants)


# -- other files -------------------------------------------------------------------------------------------------------------


def _outside(location: str) -> onnx.TensorProto:
    made = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        entry = made.external_data.add()
        entry.key, entry.value = key, value
    return made


def _external(place: Callable[[Path], str]) -> Maker:
    def make(folder: Path) -> onnx.ModelProto:
        model = press()
        model.graph.initializer.append(_outside(place(folder)))
        return model

    return make


def _weights(folder: Path) -> Path:
    path = folder / "weights.bin"
    path.write_bytes(b"\x00\x00\x80\x3f" * 2)
    return path


def _relative(folder: Path) -> str:
    return _weights(folder).name


def _symbolic(folder: Path) -> str:
    (folder / "link.bin").symlink_to(_weights(folder))
    return "link.bin"


def _hard(folder: Path) -> str:
    os.link(_weights(folder), folder / "hard.bin")
    return "hard.bin"


def _in_attribute(folder: Path) -> onnx.ModelProto:
    model = press()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], value=_outside(_relative(folder))))
    return model


def _branch(initializers: Sequence[onnx.TensorProto] = (), nodes: Sequence[onnx.NodeProto] = ()) -> onnx.GraphProto:
    told = helper.make_tensor_value_info("told", TensorProto.FLOAT, None)
    last = helper.make_node("Identity", ["mean_force"], ["told"])
    return helper.make_graph([*nodes, last], "branch", [], [told], list(initializers))


def _in_subgraph(folder: Path) -> onnx.ModelProto:
    model = press()
    chosen = _branch([_outside(_relative(folder))])
    model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=chosen, else_branch=_branch()))
    return model


def _function(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    opsets = [helper.make_opsetid("", 21)]
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.append(helper.make_function("local", "Own", ["x"], ["y"], list(nodes), opsets))


def _in_function(folder: Path) -> onnx.ModelProto:
    model = press()
    constant = helper.make_node("Constant", [], ["unused"], value=_outside(_relative(folder)))
    _function(model, [constant, helper.make_node("Identity", ["x"], ["y"])])
    return model


def _sparse_outside(folder: Path) -> onnx.ModelProto:
    model = press()
    model.graph.sparse_initializer.add().values.CopyFrom(_outside(_relative(folder)))
    return model


# -- memory and time ---------------------------------------------------------------------------------------------------------


def _small_bomb(_: Path) -> bytes:
    """Sixty-eight bytes or so that ask for 8 GB."""
    shape = helper.make_node("Constant", [], ["s"], value_ints=[1 << 31])
    fill = helper.make_node("ConstantOfShape", ["s"], ["y"])
    graph = helper.make_graph([shape, fill], "", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def _claimed(dims: Sequence[int]) -> Maker:
    def make(_: Path) -> onnx.ModelProto:
        model = press()
        model.graph.initializer.append(TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 8))
        return model

    return make


def _large_sparse_file(folder: Path) -> bytes:
    """No bytes: the file of 2 GB that it leaves behind holds nothing, and takes no place."""
    with (folder / "model.onnx").open("wb") as file:
        file.truncate(2 << 30)
    return b""


def _ort_in_disguise(_: Path) -> bytes:
    """To protobuf it begins with the name of its producer; onnxruntime sees a flatbuffer's offset and identifier there."""
    return _field(2, b"\0\0ORTM" + b" " * 10) + press().SerializeToString()


def _many_dimensions(_: Path) -> onnx.ModelProto:
    model = press()
    model.graph.initializer.append(TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[1 << 62] * 1000))
    return model


def _turn(*inner: onnx.NodeProto, state: str = "state") -> onnx.GraphProto:
    """The body of a Loop that never says that it is done, and adds one to a number."""
    nodes = [
        *inner,
        helper.make_node("Identity", ["going"], ["goes_on"]),
        helper.make_node("Add", [state, "one"], ["next"]),
    ]
    takes = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, []),
    ]
    gives = [
        helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, []),
    ]
    return helper.make_graph(nodes, "turn", takes, gives)


def loops(n_turns: int | None, *, depth: int = 1, computed: bool = False) -> onnx.ModelProto:
    """Loops within loops that count; `computed` takes the number of turns from the window."""
    count = "" if n_turns is None else "n_turns"
    body = _turn()
    for _level in range(depth - 1):
        body = _turn(helper.make_node("Loop", [count, "yes", "state"], ["inner"], body=body), state="inner")
    model = press("plain = Mul(mean_force, tenth) score = Add(plain, nought)")
    first = [
        helper.make_node("Loop", [count, "yes", "zero"], ["counted"], body=body),
        helper.make_node("Mul", ["counted", "zero"], ["nought"]),
    ]
    stored = {name: CONSTANTS[name] for name in ("yes", "zero", "one")}
    if computed:
        first.insert(0, helper.make_node("ReduceMax", ["window"], ["top"], keepdims=0))
        first.insert(1, helper.make_node("Cast", ["top"], ["n_turns"], to=TensorProto.INT64))
    elif n_turns is not None:
        stored["n_turns"] = np.array(n_turns, np.int64)
    nodes = [*first, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in stored.items())
    return model


def _loop(n_turns: int | None, *, depth: int = 1, computed: bool = False) -> Maker:
    return lambda _: loops(n_turns, depth=depth, computed=computed)


def _hidden_count(_: Path) -> onnx.ModelProto:
    """The inner Loop's count has the name of a small constant outside, but is the turn of the outer one."""
    model = loops(3, depth=2)
    outer = next(node for node in model.graph.node if node.op_type == "Loop").attribute[0].g
    outer.input[0].name = "n_turns"
    return model


def _nested(depth: int) -> Maker:
    """Graphs in attributes of nodes of graphs, written by hand: protobuf's own writer refuses what is too deep."""

    def make(_: Path) -> bytes:
        graph = b""
        for _level in range(depth):
            # of a graph its node (1), of that its attribute (5), of that its graph (6)
            graph = _field(1, _field(5, _field(6, graph)))
        return _field(7, graph)

    return make


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _many_nodes(_: Path) -> bytes:
    """Two bytes for each node: an empty one."""
    return _field(7, _field(1, b"") * 150_000)


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


# of each window a matrix, times itself and again; with a period of a millisecond, so that any machine is too slow for it
SLOW = """
    one_each = Unsqueeze(mean_force, axes)
    big = Expand(one_each, side)
    square = MatMul(big, big)
    cube = MatMul(square, big)
    row = ReduceMax<keepdims = 0>(cube, axes)
    plain = Mul(mean_force, tenth)
    nought = Mul(row, zero)
    score = Add(plain, nought)
"""


# -- what a model says of itself ---------------------------------------------------------------------------------------------


def _golden(**changes: Any) -> Maker:
    return _of(golden=changes)


def _score(*values: float) -> dict[str, Any]:
    return {"outputs": {"score": tensor(np.float32(values))}}


# -- what it gives -----------------------------------------------------------------------------------------------------------


def _two_columns(first: float, second: float) -> str:
    """Nodes that give (n, 2) `pair`."""
    return f"""
        {SCORE}
        ones = Sub(mean_force, mean_force)
        flat = Unsqueeze(ones, axis_1)
        row = Constant<value = float[1, 2] {{{first}, {second}}}>()
        pair = Add(flat, row)
    """


def _three_columns(*values: float) -> str:
    row = ", ".join(map(str, values))
    return f"""
        {SCORE}
        ones = Sub(mean_force, mean_force)
        flat = Unsqueeze(ones, axis_1)
        row = Constant<value = float[1, 3] {{{row}}}>()
        rul_h = Add(flat, row)
    """


def _external_word(place: str) -> str:
    return f"keeps weights in another file ('{place}"


CASES: dict[str, Hostile] = {
    # no model at all
    "empty": Hostile(way=Way.READ, make=lambda _: b"", words="is no ONNX file: it has no graph"),
    "truncated": Hostile(
        way=Way.READ, make=lambda _: press().SerializeToString()[:-100], words="is no ONNX file: it is cut off"
    ),
    "not-protobuf": Hostile(way=Way.READ, make=lambda _: b"PK\x03\x04 not a model", words="is no ONNX file"),
    "too-large-file": Hostile(way=Way.TRIED, make=_large_sparse_file, words="is larger than the 64 MB that a model may have"),
    "ort-format": Hostile(way=Way.READ, make=lambda _: b"\x18\0\0\0ORTM" + b"\0" * 64, words="is in onnxruntime's own format"),
    "ort-format-in-disguise": Hostile(way=Way.READ, make=_ort_in_disguise, words="is in onnxruntime's own format"),
    # weights that are not there
    "claims-2-GB": Hostile(way=Way.READ, make=_claimed([1 << 29]), words="claims a tensor of 536870912 numbers, more than its"),
    "claims-more-than-64-bits": Hostile(way=Way.READ, make=_claimed([1 << 62, 1 << 62]), words="claims a tensor of"),
    "claims-less-than-nothing": Hostile(way=Way.READ, make=_claimed([-4]), words="dimensions below 0"),
    "claims-a-thousand-dimensions": Hostile(way=Way.READ, make=_many_dimensions, words="has a tensor of 1000 dimensions"),
    "external-relative": Hostile(way=Way.READ, make=_external(_relative), words=_external_word("weights.bin")),
    "external-parent": Hostile(way=Way.READ, make=_external(lambda _: "../../etc/hostname"), words=_external_word("../../etc")),
    "external-absolute": Hostile(
        way=Way.READ, make=_external(lambda _: "/etc/hostname"), words=_external_word("/etc/hostname")
    ),
    "external-memory-address": Hostile(
        way=Way.READ, make=_external(lambda _: "*/_ORT_MEM_ADDR_/*"), words=_external_word("*/_ORT_MEM_ADDR_/*")
    ),
    "external-symbolic-link": Hostile(way=Way.READ, make=_external(_symbolic), words=_external_word("link.bin")),
    "external-hard-link": Hostile(way=Way.READ, make=_external(_hard), words=_external_word("hard.bin")),
    "external-in-attribute": Hostile(way=Way.READ, make=_in_attribute, words=_external_word("weights.bin")),
    "external-in-subgraph": Hostile(way=Way.READ, make=_in_subgraph, words=_external_word("weights.bin")),
    "external-in-function": Hostile(way=Way.READ, make=_in_function, words=_external_word("weights.bin")),
    "external-sparse": Hostile(way=Way.READ, make=_sparse_outside, words=_external_word("weights.bin")),
    "sparse": Hostile(
        way=Way.READ, make=_edited(lambda model: model.graph.sparse_initializer.add(dims=[1 << 40])), words="has sparse tensors"
    ),
    # memory
    # it is not run: it says nothing of itself
    "bomb-of-few-bytes": Hostile(make=_small_bomb, words="not a kullager model"),
    "bomb-constant": Hostile(
        way=Way.TRIED, make=_adding("extra = ConstantOfShape(huge)"), words="took more than 1 GB of memory"
    ),
    "bomb-expand": Hostile(way=Way.TRIED, make=_adding("extra = Expand(one, huge)"), words="took more than 1 GB of memory"),
    "bomb-tile": Hostile(
        way=Way.TRIED,
        make=_adding("extra = Tile(window, times)", times=np.array([1, 1 << 12, 1 << 11], np.int64)),
        words="took more than 1 GB of memory",
    ),
    "bomb-range": Hostile(
        way=Way.TRIED,
        make=_adding("extra = Range(from, to, step)", **{"from": np.array(0), "to": np.array(1 << 33), "step": np.array(1)}),
        words="took more than 1 GB of memory",
    ),
    "bomb-smaller-limit": Hostile(
        way=Way.TRIED,
        make=_adding("extra = Expand(mean_force, large)", large=np.array([1 << 25, 1], np.int64)),
        words="took more than 64 MB of memory",
        limits={"memory_bytes": 64 << 20},
    ),
    # time
    "loop-endless": Hostile(way=Way.READ, make=_loop(None), words="has a Loop that may never end"),
    "loop-of-unknown-turns": Hostile(way=Way.READ, make=_loop(1, computed=True), words="has a Loop that may never end"),
    "loop-of-hidden-turns": Hostile(way=Way.READ, make=_hidden_count, words="has a Loop that may never end"),
    "loop-very-long": Hostile(
        way=Way.READ, make=_loop(1 << 40), words="has a Loop of up to 1099511627776 turns; 10000 are allowed"
    ),
    "loops-in-loops": Hostile(
        way=Way.TRIED,
        make=_loop(10_000, depth=3),
        words="took more than 1 s of processor time",
        limits={"cpu_s": 1.0, "wall_s": 60.0},
    ),
    "loops-and-wall-time": Hostile(
        way=Way.TRIED,
        make=_loop(10_000, depth=3),
        words="was not done after 2 s, and was stopped",
        limits={"cpu_s": 60.0, "wall_s": 2.0},
    ),
    "too-slow": Hostile(
        way=Way.TRIED,
        make=_of(SLOW, constants={"axes": np.array([1, 2]), "side": np.array([1, 256, 256])}, period_s=1e-3),
        words="too slow: takes",
    ),
    "nested-subgraphs": Hostile(way=Way.READ, make=_nested(12), words="subgraphs are nested more than 8 deep"),
    "nested-without-end": Hostile(way=Way.READ, make=_nested(60), words="nested without end"),
    "too-many-nodes": Hostile(way=Way.READ, make=_many_nodes, words="has more than 100000 nodes"),
    # operators
    "custom-domain": Hostile(
        way=Way.READ,
        make=_edited(lambda model: model.graph.node[-1].MergeFrom(onnx.NodeProto(domain="com.example", op_type="Magic"))),
        words="uses the operator 'Magic' of 'com.example'",
    ),
    "com-microsoft": Hostile(
        way=Way.READ,
        make=_edited(lambda model: model.graph.node[-1].MergeFrom(onnx.NodeProto(domain="com.microsoft", op_type="FusedGemm"))),
        words="uses the operator 'FusedGemm' of 'com.microsoft'",
    ),
    "custom-in-subgraph": Hostile(
        way=Way.READ,
        make=_edited(
            lambda model: model.graph.node.append(
                helper.make_node(
                    "If",
                    ["yes"],
                    ["unused"],
                    then_branch=_branch(nodes=[helper.make_node("Magic", [], ["m"], domain="com.example")]),
                    else_branch=_branch(),
                )
            )
        ),
        words="uses the operator 'Magic' of 'com.example'",
    ),
    "own-function": Hostile(
        way=Way.READ,
        make=_edited(lambda model: _function(model, [helper.make_node("Identity", ["x"], ["y"])])),
        words="defines a function of its own ('Own')",
    ),
    "random-noise": Hostile(
        way=Way.READ,
        make=_of("noise = RandomNormalLike(mean_force) score = Add(mean_force, noise)"),
        words="draws random numbers",
    ),
    "random-choice": Hostile(
        way=Way.READ, make=_of("share = Sigmoid(mean_force) score = Bernoulli(share)"), words="draws random numbers"
    ),
    "dropout-in-training": Hostile(
        way=Way.READ,
        make=_of("half = Constant<value = float {0.5}>() score, mask = Dropout(mean_force, half, yes)"),
        words="holds Dropout in training mode",
    ),
    "training-information": Hostile(
        way=Way.READ,
        make=_edited(lambda model: model.training_info.add().algorithm.CopyFrom(_branch())),
        words="holds training information",
    ),
    "text-operator": Hostile(
        way=Way.READ,
        make=_of("text = Cast<to = 8>(mean_force) low = StringNormalizer(text) score = Cast<to = 1>(low)"),
        words="works on text ('StringNormalizer')",
    ),
    "text-cast": Hostile(
        way=Way.READ, make=_of("text = Cast<to = 8>(mean_force) score = Cast<to = 1>(text)"), words="works on text ('Cast')"
    ),
    "text-tensor": Hostile(
        way=Way.READ,
        make=_edited(lambda model: model.graph.initializer.append(helper.make_tensor("label", 8, [1], [b"secret"]))),
        words="works on text ('label')",
    ),
    "sequence": Hostile(
        way=Way.READ,
        make=_of(f"many = SequenceConstruct(mean_force) {SCORE}"),
        words="uses the operator 'SequenceConstruct', which is not",
    ),
    "picture": Hostile(
        way=Way.READ, make=_of(f"there = Cast<to = 2>(mean_force) seen = ImageDecoder(there) {SCORE}"), words="'ImageDecoder'"
    ),
    "operator-that-is-none": Hostile(
        way=Way.READ,
        make=_edited(lambda model: setattr(model.graph.node[-1], "op_type", "Magic")),
        words="uses the operator 'Magic', which",
    ),
    # its inputs and outputs
    "wrong-type-inside": Hostile(make=_of("score = Not(mean_force)"), words="onnxruntime refuses it"),
    "no-score": Hostile(make=_of("anomaly = Mul(mean_force, tenth)", "float[n] anomaly"), words="has no output 'score'"),
    "extra-output": Hostile(
        make=_of(f"{SCORE} other = Identity(score)", "float[n] score, float[n] other"),
        words="output 'other' is not in the contract",
    ),
    "extra-input": Hostile(
        make=_of(inputs=f"float[n, {N_SAMPLES}, 2] window, float[n] temperature"),
        words="input 'temperature' is not in the contract",
    ),
    "score-of-64-bits": Hostile(
        make=_of("less = Mul(mean_force, tenth) score = Cast<to = 11>(less)", "double[n] score"),
        words="output 'score' is tensor(double)",
    ),
    "score-of-two-dimensions": Hostile(
        make=_of("flat = Mul(mean_force, tenth) score = Unsqueeze(flat, axis_1)", "float[n, 1] score"),
        words="output 'score' has 2 dimensions; it should have 1",
    ),
    "one-score-for-all": Hostile(
        make=_of("flat = Mul(mean_force, tenth) score = ReduceMax<keepdims = 1>(flat)", "float[m] score"),
        words="'score' has another shape than what the model gives",
    ),
    "contribution-too-narrow": Hostile(
        make=_of(
            f"{SCORE} none = Sub(score, score) all = Add(none, one) contribution = Unsqueeze(all, axis_1)",
            "float[n] score, float[n, 1] contribution",
        ),
        words="output 'contribution' has the shape (16, 1)",
    ),
    "window-contradicts-metadata": Hostile(
        make=_of(inputs="float[n, 7, 2] window"), words="input 'window' is (n, 7, 2); its metadata say"
    ),
    # its metadata
    "metadata-missing": Hostile(make=_with_metadata(spec=None), words="not a kullager model"),
    "metadata-not-json": Hostile(make=_with_metadata(spec="{schema: 1"), words="is not JSON"),
    "metadata-huge": Hostile(
        way=Way.READ,
        make=_with_metadata(spec='{"name": "' + "x" * (2 << 20) + '"}'),
        words="'kullager.spec' in its metadata has 2097164 bytes",
    ),
    "metadata-deep": Hostile(make=_with_metadata(spec='{"figures":' * 5000 + "1" + "}" * 5000), words="is not JSON"),
    "metadata-nested": Hostile(
        make=_with_metadata(spec=orjson.dumps(SPEC).decode()[:-1] + ',"figures":' + '{"a":' * 1000 + "1" + "}" * 1001),
        words="nested too deep",
    ),
    "metadata-of-another-schema": Hostile(make=_of(schema=9), words="schema 9 is unknown"),
    "lying-n-samples": Hostile(
        make=_of(inputs="float[n, samples, 2] window", n_samples=5), words="golden input 'window' has the shape (2, 3, 2)"
    ),
    "n-samples-without-end": Hostile(
        make=_of(inputs="float[n, samples, 2] window", n_samples=1 << 40), words="n_samples in its metadata is 1099511627776"
    ),
    "n-samples-below-1": Hostile(
        make=_of(inputs="float[n, samples, 2] window", n_samples=0), words="n_samples in its metadata is 0"
    ),
    "lying-signals": Hostile(
        way=Way.TRIED,
        make=_of(signals=[{"name": "speed", "unit": "/min"}, {"name": "flow", "unit": "m3/h"}]),
        words="needs the signal 'flow'",
    ),
    "signal-twice": Hostile(
        make=_of(signals=[{"name": "speed", "unit": "/min"}, {"name": "speed", "unit": "/min"}]),
        words="name the signal 'speed' twice",
    ),
    "lying-units": Hostile(
        way=Way.TRIED,
        make=_of(signals=[{"name": "speed", "unit": "Hz"}, {"name": "force", "unit": "kN"}]),
        words="expects 'speed' in Hz, the plant file says /min",
    ),
    "wrong-class": Hostile(way=Way.TRIED, make=_of(asset_class="pump"), words="is for class 'pump', not 'press'"),
    "wrong-period": Hostile(
        way=Way.TRIED, make=_of(period_s=5.0), words="expects a period of 5.0 s, the plant file says 1.0 s"
    ),
    "sustained-nonsense": Hostile(
        make=_of(sustained={"limit": 0.0, "instants": 3600, "quick_limit": 0.4, "quick_instants": 180}),
        words="sustained in its metadata is",
    ),
    "no-period": Hostile(make=_of(period_s=0.0), words="period_s in its metadata is 0.0"),
    "coverage-above-1": Hostile(make=_of(min_coverage=2.0), words="min_coverage in its metadata is 2.0"),
    # its golden vectors
    "golden-missing": Hostile(make=_with_metadata(golden=None), words="has no golden vectors"),
    "golden-garbage": Hostile(make=_with_metadata(golden="[]"), words="golden vectors cannot be read"),
    "golden-without-window": Hostile(make=_golden(inputs={}), words="golden vectors have no input 'window'"),
    "golden-not-reproduced": Hostile(make=_golden(**_score(0.5, 0.6)), words="golden vector 'score' is not reproduced"),
    "golden-tolerance-too-wide": Hostile(make=_golden(tolerance=0.1), words="tolerance 0.1 should be 0 to 0.001"),
    "golden-without-rows": Hostile(
        make=_golden(inputs={"window": tensor(WINDOW[:0])}, **_score()), words="golden input 'window' has the shape (0, 3, 2)"
    ),
    "golden-nan": Hostile(
        make=_of("none = Sub(mean_force, mean_force) score = Div(none, none)", golden=_score(np.nan, np.nan)),
        words="golden vector 'score' holds nan",
    ),
    "golden-negative": Hostile(
        make=_of("less = Mul(mean_force, tenth) score = Neg(less)", golden=_score(-0.5, -0.5)),
        words="golden vector 'score' holds -0.5",
    ),
    # what it gives
    "nan-for-healthy": Hostile(
        make=_of(
            "less = Mul(mean_force, tenth) off = Sub(mean_force, five) size = Abs(off) near = Less(size, small) "
            "score = Where(near, less, nan)",
            constants={
                "five": np.array(5, np.float32),
                "small": np.array(0.001, np.float32),
                "nan": np.array(np.nan, np.float32),
            },
        ),
        words="score nan for a healthy window with noise; it should be a number ≥ 0",
    ),
    "negative-score": Hostile(
        make=_of(
            "off = Sub(mean_force, five) far = Mul(off, off) much = Mul(far, thousand) score = Sub(half, much)",
            constants={
                "five": np.array(5, np.float32),
                "thousand": np.array(1000, np.float32),
                "half": np.array(0.5, np.float32),
            },
        ),
        words="it should be a number ≥ 0",
    ),
    "depends-on-neighbours": Hostile(
        make=_of(
            "top = ReduceMax<keepdims = 1>(mean_force, axis_0) share = Div(mean_force, top) score = Mul(share, half)",
            constants={"half": np.array(0.5, np.float32)},
        ),
        words="of a window depends on its neighbours in the batch",
    ),
    "depends-on-place": Hostile(
        make=_of(
            "none = Sub(mean_force, mean_force) ones = Add(none, one) count = CumSum(ones, nought) "
            "by_place = Mul(count, little) plain = Mul(mean_force, tenth) score = Add(plain, by_place)",
            constants={"little": np.array(1e-5, np.float32), "nought": np.array(0, np.int64)},
            golden={"tolerance": 1e-3},
        ),
        words="of a window depends on its neighbours in the batch",
    ),
    "fails-for-missing-values": Hostile(
        make=_of(
            "missing = IsNaN(mean_force) number = Cast<to = 7>(missing) any = ReduceMax<keepdims = 1>(number, axis_0) "
            "big = Mul(any, far) place = Squeeze(big) picked = Gather(mean_force, place) plain = Mul(mean_force, tenth) "
            "nought = Mul(picked, zero) score = Add(plain, nought)",
            constants={"far": np.array([1000], np.int64)},
        ),
        words="failed while scoring",
    ),
    "contributions-do-not-sum-to-1": Hostile(
        make=_of(_two_columns(0.7, 0.7) + "contribution = Identity(pair)", "float[n] score, float[n, 2] contribution"),
        words="contributions sum to 1.4 for a healthy window",
    ),
    "contribution-below-0": Hostile(
        make=_of(_two_columns(1.5, -0.5) + "contribution = Identity(pair)", "float[n] score, float[n, 2] contribution"),
        words="a contribution is -0.5",
    ),
    "expected-is-no-number": Hostile(
        make=_of(
            _two_columns(0, 0) + "none = Sub(pair, pair) expected = Div(none, none)", "float[n] score, float[n, 2] expected"
        ),
        words="output 'expected' is nan",
    ),
    "probability-above-1": Hostile(
        make=_of(
            _two_columns(0.5, 7) + "fault_probability = Identity(pair)",
            "float[n] score, float[n, 2] fault_probability",
            faults=["clogging", "leakage"],
        ),
        words="'fault_probability' is 7 for a healthy window; it should be 0 to 1",
    ),
    "probabilities-of-unnamed-faults": Hostile(
        make=_of(
            _two_columns(0.5, 0.5) + "fault_probability = Identity(pair)", "float[n] score, float[n, 2] fault_probability"
        ),
        words="output 'fault_probability' has the shape (16, 2)",
    ),
    "known-above-1": Hostile(
        make=_of(f"{SCORE} known = Mul(mean_force, mean_force)", "float[n] score, float[n] known"), words="'known' is 25"
    ),
    "life-that-falls": Hostile(
        make=_of(_three_columns(30, 20, 10), "float[n] score, float[n, 3] rul_h"),
        words="'rul_h' does not rise from p10 to p50 and p90",
    ),
    "life-below-0": Hostile(make=_of(_three_columns(-3, 20, 30), "float[n] score, float[n, 3] rul_h"), words="'rul_h' is -3"),
}
