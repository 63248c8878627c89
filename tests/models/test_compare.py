"""Two models on the same recording: what people would notice of the change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.plant import Plant
from edge.formats.recording import Recording, write_csv
from edge.pipeline import OnnxModel
from models.__main__ import main
from models.compare import compare, table
from models.export import write
from models.settings import Settings
from models.training import train
from tests.models.test_modes import pump

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of a pump, one of which does not look at the flow, and a recording with two faults."""
    folder = tmp_path_factory.mktemp("compared")
    healthy = pump(2000, 5000, ("shaft-80",))
    write(folder / "all.onnx", train(healthy, plant, Settings()).content)
    write(folder / "some.onnx", train(healthy, plant, Settings(without=("flow",), version="2")).content)
    return folder


@pytest.fixture(scope="module")
def faulty() -> Recording:
    """Flow is lost in rows 100 to 199, pressure in rows 350 to 449."""
    recording = pump(550, 5000, ("shaft-80",), seed=9)
    label = np.zeros(550)
    label[100:200] = label[350:450] = 1.0
    recording.values["flow"][100:200] -= 1.5
    recording.values["pressure"][350:450] -= 0.3
    return replace(recording, others={"anomaly": label})


def test_what_one_sees_and_the_other_does_not(plant: Plant, folder: Path, faulty: Recording) -> None:
    both = OnnxModel.load(folder / "all.onnx"), OnnxModel.load(folder / "some.onnx")
    found = compare(plant, "pump", both, faulty, "anomaly")
    (lost,), gained = found.lost, found.gained
    assert gained == ()
    assert 100 <= (lost.raised - faulty.time[0]) // 10**9 <= 200
    assert lost.true
    assert "flow" in lost.text
    ((first, second, delay),) = found.same
    assert delay == (second.raised - first.raised) / 1e9
    assert first.true
    other_way = compare(plant, "pump", both[::-1], faulty, "anomaly")
    assert other_way.gained == found.lost
    assert [-delay for _, _, delay in other_way.same] == [delay]
    text = table(found)
    for said in ("pump version 2 instead of pump version 1", "lost: 1", "gained: 0", "the same: 1", "in a labelled event"):
        assert said in text


def test_a_model_loses_and_gains_nothing_against_itself(plant: Plant, folder: Path, faulty: Recording) -> None:
    model = OnnxModel.load(folder / "all.onnx")
    found = compare(plant, "pump", (model, model), faulty)
    assert (found.gained, found.lost) == ((), ())
    assert len(found.same) == 2
    assert all(delay == 0.0 for _, _, delay in found.same)


def test_the_command_shows_it_without_labels_too(folder: Path, faulty: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(folder / "week.csv", faulty)
    of_pump = ["--plant", str(ROOT / "tests/cases/training/plant.toml"), "--asset", "pump"]
    assert main(["compare", str(folder / "all.onnx"), str(folder / "some.onnx"), str(folder / "week.csv"), *of_pump]) == 0
    said = capsys.readouterr().out
    assert "lost: 1" in said
    assert "labelled" not in said
