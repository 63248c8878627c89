"""A model that must not go into service is refused with the reason; what else the plant has goes on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.contracts.assessment import Reason
from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import SampleBatch
from edge.pipeline import OnnxModel, Pipeline, load_models
from tests.edge.conftest import write_model


def _edited(path: Path, edit: Callable[[onnx.ModelProto], None]) -> Path:
    model = onnx.load(path)
    edit(model)
    onnx.save(model, path)
    return path


def _metadata(key: str, old: str, new: str) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        entry = next(entry for entry in model.metadata_props if entry.key == key)
        assert old in entry.value
        entry.value = entry.value.replace(old, new)

    return edit


def _drop(key: str) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        kept = [entry for entry in model.metadata_props if entry.key != key]
        del model.metadata_props[:]
        model.metadata_props.extend(kept)

    return edit


def _rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "anomaly"
    model.graph.node[-1].output[0] = "anomaly"


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"


def _foreign_operator(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    model.graph.node[-1].domain, model.graph.node[-1].op_type = "com.example", "Magic"


CASES: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "no-spec": (_drop("kullager.spec"), "not a kullager model"),
    "no-golden": (_drop("kullager.golden"), "has no golden vectors"),
    "spec-not-json": (_metadata("kullager.spec", '{"schema"', "{schema"), "is not JSON"),
    "spec-schema": (_metadata("kullager.spec", '"schema":1', '"schema":9'), "schema 9 is unknown"),
    "spec-wrong-type": (_metadata("kullager.spec", '"n_samples":3', '"n_samples":"many"'), "n_samples"),
    "window-length": (_metadata("kullager.spec", '"n_samples":3', '"n_samples":4'), "its metadata say"),
    "golden-garbage": (_metadata("kullager.golden", '"dtype":"float32"', '"dtype":"float64"'), "cannot be read"),
    "golden-tolerance": (_metadata("kullager.golden", '"tolerance":0.0001', '"tolerance":9e9'), "should be 0 to 0.001"),
    "output-name": (_rename_output, "has no output 'score'"),
    "external-data": (_external, "onnxruntime refuses it"),
    "foreign-operator": (_foreign_operator, "onnxruntime refuses it"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_model_file_is_refused_with_the_reason(case: str, model_file: Path) -> None:
    edit, reason = CASES[case]
    with pytest.raises(ModelError, match=reason) as refused:
        OnnxModel.load(_edited(model_file, edit))
    assert str(model_file) in str(refused.value)


def test_golden_vectors_that_are_not_reproduced_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="golden vector 'score' is not reproduced"):
        OnnxModel.load(write_model(tmp_path / "press.onnx", golden=0.6))


def test_what_is_no_model_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(ModelError, match="onnxruntime refuses it"):
        OnnxModel.load(path)
    with pytest.raises(ModelError, match="there is no such model"):
        OnnxModel.load(tmp_path / "none.onnx")


def test_a_model_for_another_machine_is_refused_with_every_difference(tmp_path: Path, make_plant: Callable[..., Plant]) -> None:
    write_model(
        tmp_path / "press.onnx",
        asset_class="pump",
        signals=[{"name": "speed", "unit": "Hz"}, {"name": "flow", "unit": "m3/h"}],
    )
    plant = make_plant()
    models, problems = load_models(plant, tmp_path)
    assert models == {}
    for words in (
        "is for class 'pump', not 'press'",
        "expects 'speed' in Hz, the plant file says /min",
        "needs the signal 'flow'",
    ):
        assert words in problems["press"]


def test_a_model_that_gives_nonsense_is_withheld_and_named(tmp_path: Path, make_plant: Callable[..., Plant]) -> None:
    # a negative force gives a negative score
    pipeline = Pipeline(
        make_plant(), {"press": OnnxModel.load(write_model(tmp_path / "press.onnx", score="ReduceSum", golden=1.5))}
    )
    for k in range(5):
        pipeline.feed(SampleBatch.of([0, 1], [k * 10**9] * 2, [100.0, -5.0]))
    last = pipeline.finish().assessments[-1]
    assert (last.score, last.reason) == (None, Reason.NO_MODEL)
    assert "gave a score that is no number ≥ 0" in pipeline.problems["press"]


def test_a_score_does_not_depend_on_its_neighbours(model_file: Path) -> None:
    model = OnnxModel.load(model_file)
    windows = np.random.default_rng(0).normal(50, 20, (37, 3, 2)).astype(np.float32)
    together = model.score({"window": windows})["score"]
    alone = np.concatenate([model.score({"window": windows[k : k + 1]})["score"] for k in range(37)])
    assert together.tobytes() == alone.tobytes()
