import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.formats.recording import Recording, write_csv
from edge.pipeline import OnnxModel
from models.__main__ import main
from models.evaluate import Evaluation, evaluate, table
from models.export import write
from models.settings import Settings
from models.training import TrainedModel, train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    path = tmp_path_factory.mktemp("model") / "pump.onnx"
    write(path, trained.content)
    return OnnxModel.load(path)


@pytest.fixture(scope="module")
def labelled(recording: Recording) -> Recording:
    """The pump loses flow in rows 400 to 499."""
    label = np.zeros(len(recording))
    label[400:500] = 1
    values = recording.values | {"flow": recording.values["flow"] - 2.0 * label}
    return Recording(
        path="pump.csv",
        asset="pump",
        time=recording.time,
        values=values,
        texts=recording.texts,
        others={"anomaly": label},
    )


@pytest.fixture(scope="module")
def found(plant: Plant, model: OnnxModel, labelled: Recording) -> Evaluation:
    return evaluate(plant, "pump", model, labelled, "anomaly", skip_rows=200)


def test_a_fault_is_found_with_its_delays(found: Evaluation) -> None:
    assert found.rows == 400
    assert found.confusion.anomalous == 100
    assert found.confusion.f1 > 0.8 > found.confusion.floor_f1
    assert found.auc > 0.95
    (event,) = found.events
    assert event.detected_s is not None
    assert event.alarmed_s is not None
    # the on-delay of the plant file
    assert event.alarmed_s == pytest.approx(event.detected_s + 5.0)
    assert (found.alarms, found.false_alarms.count) == (1, 0)
    # the rule of three over the healthy rows that were judged
    assert 280.0 <= found.false_alarms.observed_s <= 300.0
    assert "false alarms: 0 a machine-week, with 95 % confidence at most" in table(found)


def test_withheld_rows_are_counted_by_reason(plant: Plant, model: OnnxModel, labelled: Recording) -> None:
    found = evaluate(plant, "pump", model, labelled, "anomaly")
    assert found.withheld["warming-up"] == 29
    assert found.rows == 600


def test_the_table_shows_the_floor_beside_the_figures(found: Evaluation) -> None:
    text = table(found)
    assert "every row anomalous      0.400   100.0     0.0    0.500" in text
    assert "FAR %" in text
    assert "1, 0 of them outside every labelled event" in text


def test_skipping_all_rows_is_refused(plant: Plant, model: OnnxModel, labelled: Recording) -> None:
    with pytest.raises(RecordingError, match="--skip-rows 600 leaves none to judge"):
        evaluate(plant, "pump", model, labelled, "anomaly", skip_rows=600)


def test_the_verb_gives_json_without_nan(
    model: OnnxModel, labelled: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / "pump.csv", labelled)
    arguments = ["--plant", str(ROOT / "tests/cases/training/plant.toml"), "--asset", "pump", "--label-column", "anomaly"]
    assert main(["evaluate", model.path, str(tmp_path / "pump.csv"), *arguments, "--skip-rows", "550", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    # only normal rows are left: there is no area under the curve
    assert document["rows"] == 50
    assert document["auc"] is None
    assert document["events"] == []


def test_the_recorded_rig_is_told_apart(skab_plant: Plant, skab_recording: Recording, tmp_path: Path) -> None:
    trained = train(skab_recording.rows(0, 400), skab_plant, Settings())
    write(tmp_path / "pump-rig.onnx", trained.content)
    model = OnnxModel.load(tmp_path / "pump-rig.onnx")
    found = evaluate(skab_plant, "rig", model, skab_recording, "anomaly", skip_rows=400)
    assert found.auc >= 0.85
    assert found.confusion.f1 > found.confusion.floor_f1
    assert [event.alarmed_s is not None or event.standing for event in found.events] == [True]


def test_an_alarm_that_comes_again_is_counted_again(plant: Plant, model: OnnxModel, labelled: Recording) -> None:
    """Nobody acknowledges in a replay, so the edge speaks of one alarm; people would have been told twice."""
    flow = labelled.values["flow"].copy()
    flow[200:250] -= 2.0
    twice = replace(labelled, values=labelled.values | {"flow": flow})
    found = evaluate(plant, "pump", model, twice, "anomaly", skip_rows=100)
    assert (found.alarms, found.false_alarms.count) == (2, 1)
