"""A small plant and a model whose scores are easy to tell: what the tests of the blocks need."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
from asyncua import Server
from onnx import TensorProto, helper, numpy_helper

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant

PLANT = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.plc]
kind = "opcua"
url = "opc.tcp://127.0.0.1:4840"
clock = "source"
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
clock = "source"
[assets.press-1]
class = "press"
model = "press"
period_s = 1.0
lateness_s = {lateness}
running = {{ signal = "speed", above = 1.0 }}
alarm = {{ on_delay_s = 2.0, off_delay_s = 3.0, hysteresis = 0.2, priority = "high" }}
[assets.press-1.signals]
speed = {{ unit = "/min", source = "plc", node = "nsu=urn:x;s=speed", stale_s = 5.0 }}
force = {{ unit = "kN", source = "broker", topic = "press", field = "force", time_field = "time", stale_s = 5.0{more} }}
"""


@pytest.fixture
def make_plant(tmp_path: Path) -> Callable[..., Plant]:
    def make(lateness: float = 0.5, resample: str = "") -> Plant:
        path = tmp_path / "plant.toml"
        more = ", limits = { alarm = 50.0 }" + (f', resample = "{resample}"' if resample else "")
        path.write_text(PLANT.format(lateness=lateness, more=more))
        return load_plant(path)

    return make


def write_model(
    path: Path, n_samples: int = 3, persistence: int = 1, score: str = "ReduceMax", golden: float = 0.5, **spec: object
) -> Path:
    """A model of class `press` whose score is the largest (or another reduction) force in the window, over 10.

    `golden` is its score of a window of forces of 5.
    """
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    force = numpy_helper.from_array(np.array(1, np.int64), "force")
    ten = numpy_helper.from_array(np.array(10, np.float32), "ten")
    nodes = [
        helper.make_node("Gather", ["window", "force"], ["column"], axis=2),
        helper.make_node(score, ["column", "axes"], ["largest"], keepdims=0),
        helper.make_node("Div", ["largest", "ten"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "press",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["n", n_samples, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        [axes, force, ten],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    window = np.tile(np.float32([[100, 5]]), (2, n_samples, 1))
    vectors = {"inputs": {"window": tensor(window)}, "outputs": {"score": tensor(np.float32([golden] * 2))}, "tolerance": 1e-4}
    contract = {
        "schema": 1,
        "name": "press",
        "version": "1",
        "asset_class": "press",
        "period_s": 1.0,
        "n_samples": n_samples,
        "signals": [{"name": "speed", "unit": "/min"}, {"name": "force", "unit": "kN"}],
        "persistence": persistence,
        **spec,
    }
    for key, content in (("kullager.spec", contract), ("kullager.golden", vectors)):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, orjson.dumps(content).decode()
    onnx.save(model, path)
    return path


def tensor(array: "np.typing.NDArray[np.float32]") -> dict[str, object]:
    return {"shape": list(array.shape), "dtype": "float32", "data": base64.b64encode(array.tobytes()).decode()}


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return write_model(tmp_path / "models" / "press.onnx")


@pytest.fixture
async def server(free_port: Callable[[], int]) -> AsyncIterator[Server]:
    """A real OPC UA server that has nothing yet."""
    made = Server()
    await made.init()
    made.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}")
    async with made:
        yield made
