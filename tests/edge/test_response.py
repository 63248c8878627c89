"""What one signal does shows in others, too: the response of a model, and faults that are known by it."""

from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.contracts.errors import ModelError
from edge.health_assessment.signature import SignatureDiagnosis
from edge.knowledge import load_knowledge
from edge.state_detection.onnx_model import OnnxModel
from edge.state_detection.response import response
from tests.edge.conftest import tensor, write_model

# what is expected of speed and force, from speed and force
EXPECTS = np.float32([[0.0, 0.5], [2.0, 0.0]])
TOLERANCES = {"speed": 10.0, "force": 1.0}


def model(path: Path, tolerances: dict[str, float], dies_above: float = np.inf) -> OnnxModel:
    """One that expects each of both signals from the other's mean; a speed above `dies_above` is more than it can bear."""
    nodes = [
        helper.make_node("ReduceMean", ["window", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "expects"], ["expected"]),
        helper.make_node("ReduceMax", ["expected", "axis"], ["score"], keepdims=0),
    ]
    if np.isfinite(dies_above):
        # a row that is not there
        nodes += [
            helper.make_node("ReduceMax", ["window"], ["highest"], keepdims=1),
            helper.make_node("Greater", ["highest", "most"], ["is_more"]),
            helper.make_node("Cast", ["is_more"], ["row"], to=TensorProto.INT64),
            helper.make_node("Gather", ["one_row", "row"], ["never"], axis=0),
            helper.make_node("Squeeze", ["never"], ["nothing"]),
            helper.make_node("Add", ["expected", "nothing"], ["given"]),
        ]
    given = "given" if np.isfinite(dies_above) else "expected"
    graph = helper.make_graph(
        nodes,
        "both",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["n", 3, 2])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info(given, TensorProto.FLOAT, ["n", 2]),
        ],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(EXPECTS, "expects"),
            numpy_helper.from_array(np.float32(dies_above if np.isfinite(dies_above) else 0.0), "most"),
            numpy_helper.from_array(np.zeros(1, np.float32), "one_row"),
        ],
    )
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == "expected" and given == "given":
                node.output[place] = "bare"
        for place, name in enumerate(node.input):
            if name == "expected" and given == "given":
                node.input[place] = "bare"
        for place, name in enumerate(node.output):
            if name == "given":
                node.output[place] = "expected"
    graph.output[1].name = "expected"
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    window = np.tile(np.float32([[100, 5]]), (2, 3, 1))
    expected = np.float32([[10, 50]] * 2)
    vectors = {
        "inputs": {"window": tensor(window)},
        "outputs": {"score": tensor(np.float32([50] * 2)), "expected": tensor(expected)},
        "tolerance": 1e-4,
    }
    contract = {
        "schema": 1,
        "name": "both",
        "version": "1",
        "asset_class": "press",
        "period_s": 1.0,
        "n_samples": 3,
        "signals": [{"name": "speed", "unit": "/min"}, {"name": "force", "unit": "kN"}],
        "persistence": 1,
        "reference": {name: {"mean": 0.0, "tolerance": size} for name, size in tolerances.items()},
    }
    for key, content in (("kullager.spec", contract), ("kullager.golden", vectors)):
        entry = built.metadata_props.add()
        entry.key, entry.value = key, orjson.dumps(content).decode()
    onnx.save(built, path)
    return OnnxModel.load(path)


def test_each_signal_shows_in_what_is_expected_of_the_others(tmp_path: Path) -> None:
    found = response(model(tmp_path / "both.onnx", TOLERANCES))
    assert found is not None
    # 10 /min more let 5 kN more be expected, which are five tolerances; 1 kN more lets 2 /min more be expected
    np.testing.assert_allclose(found, [[1.0, -0.2], [-5.0, 1.0]], rtol=1e-4)


def test_of_a_signal_without_a_tolerance_nothing_is_known(tmp_path: Path) -> None:
    found = response(model(tmp_path / "both.onnx", {"force": 1.0}))
    np.testing.assert_array_equal(found, np.eye(2))


def test_a_model_that_expects_nothing_or_fails_has_no_response(tmp_path: Path) -> None:
    assert response(OnnxModel.load(write_model(tmp_path / "press.onnx"))) is None
    failing = model(tmp_path / "failing.onnx", TOLERANCES, dies_above=110.0)
    with pytest.raises(ModelError, match="failed while scoring"):
        failing.score({"window": np.full((1, 3, 2), 120.0, np.float32)})
    assert response(failing) is None


def test_a_fault_is_known_by_what_it_makes_the_model_expect() -> None:
    (known,) = load_knowledge(["compressor"]).values()
    names = ("discharge_temperature", "flow", "load")
    # a compressor that is hot, so that the model expects more flow and load than there is
    shown = np.array([[1.0, -2.7, -1.8]])
    shows = np.eye(3)
    shows[:, 0] = shown
    signature = SignatureDiagnosis(known.faults, names, 1, 1.0)

    def share() -> float:
        for _ in range(300):
            shares = signature.update(shown, np.zeros((1, 4)))
        return float(shares[0, signature.faults.index("cooler-fouling")])

    assert share() < 0.4
    signature.shown_by(shows)
    assert share() > 0.5
    # another model, of which nothing is known
    signature.shown_by(None)
    assert share() < 0.4
