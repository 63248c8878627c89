import base64
import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import GOLDEN_KEY, SPEC_KEY, ModelSpec
from edge.contracts.plant import Plant
from edge.formats.json_message import decode
from edge.formats.recording import Recording
from models.detectors import FAMILIES, PcaDetector
from models.export import check_parity, graph, write
from models.features import FeatureGraph, Windows
from models.modes import OperatingModes
from models.settings import Settings
from models.training import TrainedModel, train


def session(content: bytes) -> ort.InferenceSession:
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def metadata(content: bytes) -> dict[str, str]:
    return dict(session(content).get_modelmeta().custom_metadata_map)


def array(tensor: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])


def test_the_file_gives_what_scikit_learn_gives_on_all_training_windows(trained: TrainedModel) -> None:
    windows = trained.data.windows
    score, contribution, expected = session(trained.content).run(
        ["score", "contribution", "expected"], {"window": windows.take(slice(None))}
    )
    features, n = trained.features.compute(windows), len(trained.spec.signals)
    assert len(windows) > 500
    assert score == pytest.approx(trained.detector.scores(features), rel=1e-4)
    assert contribution == pytest.approx(trained.detector.contributions(features), abs=1e-4)
    assert expected == pytest.approx(trained.detector.expected(features)[:, :n] + trained.features.centre, rel=1e-4)


def test_contributions_sum_to_one_and_accuse_the_disturbed_signal(trained: TrainedModel) -> None:
    window = trained.data.windows.take(slice(100, 140))
    window[:, :, 1] += 3.0
    score, contribution = session(trained.content).run(["score", "contribution"], {"window": window})
    assert (score > 1).all()
    assert contribution.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (contribution.argmax(axis=1) == 1).all()


def test_what_is_missing_is_taken_as_normal(trained: TrainedModel) -> None:
    """Wholly missing: every signal at its mean, so nothing deviates, and no output is NaN."""
    window = np.full((1, 30, 3), np.nan, np.float32)
    score, contribution, expected = session(trained.content).run(["score", "contribution", "expected"], {"window": window})
    assert score[0] < 0.5
    assert contribution.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(expected).all()


def test_values_missing_in_part_leave_the_mean_of_the_rest(trained: TrainedModel) -> None:
    full = trained.data.windows.take(slice(0, 1))
    steady = np.repeat(full[:, -1:, :], 30, axis=1)
    holed = steady.copy()
    holed[:, 3:9, 0] = np.nan
    run = session(trained.content)
    assert run.run(["score"], {"window": holed})[0] == pytest.approx(run.run(["score"], {"window": steady})[0], rel=1e-4)


def test_golden_vectors_are_reproduced_and_one_has_missing_values(trained: TrainedModel) -> None:
    golden = json.loads(metadata(trained.content)[GOLDEN_KEY])
    window = array(golden["inputs"]["window"])
    assert window.shape == (3, 30, 3)
    assert np.isnan(window[-1]).any()
    assert not np.isnan(window[0]).any()
    assert set(golden["outputs"]) == {"score", "contribution", "expected"}
    outputs = session(trained.content).run(list(golden["outputs"]), {"window": window})
    for given, tensor in zip(outputs, golden["outputs"].values(), strict=True):
        assert given == pytest.approx(array(tensor), abs=golden["tolerance"], rel=golden["tolerance"])


def test_the_spec_in_the_file_reads_back_the_same(trained: TrainedModel) -> None:
    text = metadata(trained.content)[SPEC_KEY]
    assert decode(ModelSpec, text.encode(), "spec") == trained.spec
    assert json.loads(text)["trained_on"]["from"] == "2026-11-24T10:00:00Z"
    assert json.loads(text)["trained_on"]["rows"] == 600


def test_the_spec_says_what_the_model_needs(trained: TrainedModel) -> None:
    spec = trained.spec
    assert [(signal.name, signal.unit) for signal in spec.signals] == [("speed", "/min"), ("flow", "m3/h"), ("pressure", "bar")]
    assert (spec.name, spec.asset_class, spec.period_s, spec.n_samples) == ("pump", "pump", 1.0, 30)
    assert all(reference.tolerance and len(reference.quantiles) == 5 for reference in spec.reference.values())
    assert 1440 < spec.reference["speed"].quantiles[2] < 1460


def test_the_same_data_give_the_same_bytes(trained: TrainedModel, recording: Recording, plant: Plant) -> None:
    assert train(recording, plant, Settings()).content == trained.content
    assert train(recording, plant, Settings(features=("spread",))).content != trained.content


def test_the_graph_holds_to_the_versions_that_the_edge_reads(trained: TrainedModel) -> None:
    model = onnx.load_from_string(trained.content)
    assert model.ir_version <= 10
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 21)]


def test_a_graph_that_disagrees_is_refused(trained: TrainedModel) -> None:
    data, features = trained.data, trained.features
    computed = features.compute(data.windows)
    content = graph(PcaDetector().fit(computed), features, data.modes).SerializeToString()
    with pytest.raises(ModelError, match="differs from scikit-learn"):
        check_parity(content, trained.detector, features, data.windows, computed, data.mode, data.codes)


def test_a_large_offset_with_a_tiny_variation_survives_float32() -> None:
    """Means are taken off before anything is added up: 231 V that vary by a millivolt would otherwise drown."""
    random = np.random.default_rng(5)
    values = (random.normal(size=(400, 3)) * [1e-3, 10.0, 1.0] + [231.0, 1e5, 0.0]).astype(np.float32)
    windows = Windows(values=values, last=np.arange(29, 400), n_samples=30)
    features = FeatureGraph.learn(windows, ())
    computed, mode = features.compute(windows), np.zeros(len(windows), np.int64)
    one_mode, codes = OperatingModes(mode_of_key=np.zeros(1, np.int64)), np.empty((len(windows), 0), np.int64)
    for make in FAMILIES.values():
        detector = make().fit(computed)
        content = graph(detector, features, one_mode).SerializeToString()
        assert check_parity(content, detector, features, windows, computed, mode, codes).largest < 1e-4


def test_writing_is_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "models/pump.onnx"
    write(path, b"first")
    write(path, "second")
    assert path.read_text() == "second"
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write(path, b"third")
    assert [found.name for found in path.parent.iterdir()] == ["pump.onnx"]
