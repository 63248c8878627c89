"""Models that others made: asked in their own layout, calibrated, and served by the edge like any other."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.formats.recording import Recording, write_csv
from edge.pipeline import OnnxModel
from models.__main__ import main
from models.evaluate import replay
from models.features import open_session
from models.settings import Settings
from models.wrap import Foreign, Wrapped, wrap

CASES = Path(__file__).parents[1] / "cases/training"
N, S = 10, 3
HEADER = '<ir_version: 8, opset_import: ["" : 17], producer_name: "pytorch">'
# the mean of the neighbours in time: a reconstruction that no offset fools, and noise does
SMOOTHER = f"""{HEADER}
    net (float[batch, {S}, {N}] x) => (float[batch, {S}, {N}] y) {{
        mean = ReduceMean<axes = [2], keepdims = 1>(x)
        zeros = Sub(x, x)
        y = Add(mean, zeros)
    }}"""
# what scikit-learn's decision function is like: a number that falls, and passes zero
DECISION = f"""{HEADER}
    net (float[batch, {N * S}] x) => (float[batch, 1] label, float[batch, 1] decision) {{
        square = ReduceSumSquare<axes = [1], keepdims = 1>(x)
        decision = Neg(square)
        label = Identity(square)
    }}"""
NEWEST = f"""{HEADER}
    net (float[batch, {S}] x) => (float[batch] y) {{
        y = ReduceL2<axes = [1], keepdims = 0>(x)
    }}"""
SETTINGS = Settings(n_samples=N, without=("recipe",))


def saved(text: str, folder: Path) -> Path:
    path = folder / "foreign.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def wrapped(text: str, foreign: Foreign, recording: Recording, plant: Plant, folder: Path) -> tuple[Wrapped, OnnxModel]:
    found = wrap(saved(text, folder), recording, plant, SETTINGS, foreign)
    (folder / "pump.onnx").write_bytes(found.content)
    return found, OnnxModel.load(folder / "pump.onnx")


def disturbed(recording: Recording, signal: str, by: np.ndarray) -> Recording:
    return Recording(
        path=recording.path,
        asset=recording.asset,
        time=recording.time,
        values={name: column + (by if name == signal else 0.0) for name, column in recording.values.items()},
        texts=recording.texts,
    )


def test_a_reconstruction_is_scored_by_its_residuals(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    found, model = wrapped(SMOOTHER, Foreign(layout="signals-samples"), recording, plant, tmp_path)
    assert found.reconstructs
    assert found.spec.figures["made_by"] == "pytorch"
    healthy, _ = replay(plant, "pump", model, recording)
    assert np.mean([each.score >= 1 for each in healthy if each.score is not None]) < 0.05
    noise = np.random.default_rng(5).normal(0, 1.0, len(recording))
    noisy, alarms = replay(plant, "pump", model, disturbed(recording, "flow", noise))
    scored = [each for each in noisy if each.score is not None]
    assert np.median([each.score for each in scored]) > 2
    assert all(max(each.contribution, key=each.contribution.get) == "flow" for each in scored)
    assert sum(scored[0].contribution.values()) == pytest.approx(1.0, abs=1e-5)
    assert scored[0].expected["speed"] == pytest.approx(1450, abs=30)
    assert any(each.rule == "anomaly" for each in alarms)


def test_the_answer_in_the_file_is_that_of_the_foreign_model(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    """Scores are proportional to the residuals that numpy finds with the same model."""
    found, _ = wrapped(SMOOTHER, Foreign(layout="signals-samples"), recording, plant, tmp_path)
    values = np.stack([recording.values[name][100:150] for name in ("speed", "flow", "pressure")], axis=1)
    window = np.lib.stride_tricks.sliding_window_view(values, N, axis=0).transpose(0, 2, 1).astype(np.float32)
    (score,) = open_session(found.content).run(["score"], {"window": window})
    residual = window - window.mean(axis=1, keepdims=True)
    healthy = np.stack([recording.values[name] for name in ("speed", "flow", "pressure")], axis=1)
    every = np.lib.stride_tricks.sliding_window_view(healthy, N, axis=0)
    every = every[~np.isnan(every).any(axis=(1, 2))]
    spread = np.sqrt(((every - every.mean(axis=2, keepdims=True)) ** 2).mean(axis=(0, 2)))
    raw = np.sqrt(((residual / spread) ** 2).mean(axis=(1, 2)))
    assert np.std(score / raw) / np.mean(score / raw) < 0.02


def test_a_decision_function_that_falls_is_turned_round(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    foreign = Foreign(layout="flat", standardise=True, output="decision", lower_is_worse=True)
    found, model = wrapped(DECISION, foreign, recording, plant, tmp_path)
    assert not found.reconstructs
    assert model.outputs == ("score",)
    far, _ = replay(plant, "pump", model, disturbed(recording, "pressure", np.full(len(recording), 2.0)))
    assert min(each.score for each in far if each.score is not None) > 2
    near, _ = replay(plant, "pump", model, recording)
    assert all(each.score is None or each.score >= 0 for each in near)


def test_a_model_of_the_newest_values_alone(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    _, model = wrapped(NEWEST, Foreign(layout="newest", standardise=True), recording, plant, tmp_path)
    far, _ = replay(plant, "pump", model, disturbed(recording, "flow", np.full(len(recording), 3.0)))
    assert np.mean([each.score > 1 for each in far if each.score is not None]) > 0.95


@pytest.mark.parametrize(
    ("text", "foreign", "expected"),
    [
        (SMOOTHER.replace("batch", "1"), Foreign(layout="signals-samples"), "takes 1 window at a time; export it with"),
        (SMOOTHER, Foreign(), "does not take windows of 10 instants and 3 signals as samples-signals"),
        (DECISION, Foreign(layout="flat"), "has several outputs; name the one that tells with --output: label, decision"),
        (DECISION, Foreign(layout="flat", output="logits"), "has no output 'logits'; there are label, decision"),
        (NEWEST.replace("float[batch, 3] x", "double[batch, 3] x").replace("float[batch] y", "double[batch] y"),
         Foreign(layout="newest"), "input 'x' is DOUBLE; it should be FLOAT"),
        (NEWEST.replace("keepdims = 0>(x)", "keepdims = 0>(x2)").replace("y = ", "x2 = Concat<axis = 0>(x, x)\n y = "),
         Foreign(layout="newest"), "for 4 windows; it should give one number for each"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(
    text: str, foreign: Foreign, expected: str, recording: Recording, plant: Plant, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as refused:
        wrap(saved(text, tmp_path), recording, plant, SETTINGS, foreign)
    assert expected in str(refused.value)


def test_what_is_no_model_is_refused(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no ONNX model"):
        wrap(tmp_path / "foreign.onnx", recording, plant, SETTINGS, Foreign())
    with pytest.raises(ModelError, match="No such file"):
        wrap(tmp_path / "none.onnx", recording, plant, SETTINGS, Foreign())


def test_wrap_as_a_command(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KULLAGER_HOME", str(tmp_path / "home"))
    write_csv(tmp_path / "pump.csv", recording)
    path = saved(SMOOTHER, tmp_path)
    arguments = ["--plant", str(CASES / "plant.toml"), "--asset", "pump", "--window", str(N), "--layout", "signals-samples"]
    assert main(["wrap", str(path), str(tmp_path / "pump.csv"), *arguments]) == 0
    said = capsys.readouterr().out
    for part in ("made by pytorch", "residuals are scored", "false alarms", "models/pump.onnx"):
        assert part in said
    assert OnnxModel.load(tmp_path / "home/models/pump.onnx").spec.n_samples == N
