import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Limits, Plant
from edge.formats.json_message import format_time
from edge.formats.recording import Recording, write_csv
from edge.pipeline import OnnxModel
from models.__main__ import main
from models.evaluate import Evaluation, evaluate, table
from models.export import write
from models.figures import vus_pr
from models.labels import read_labels
from models.limits_today import _cusum, limits_today
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


def test_the_limits_that_plants_have_today_stand_beside(plant: Plant, model: OnnxModel, labelled: Recording) -> None:
    """The flow falls by twenty of its spreads: control charts see it; nobody has given it a limit."""
    found = evaluate(plant, "pump", model, labelled, "anomaly", skip_rows=200)
    assert set(found.today) == {"EWMA", "CUSUM"}
    assert found.today["EWMA"].missed_rate < 0.1
    assert found.today["CUSUM"].missed_rate < 0.1
    assert "today: EWMA" in table(found)
    limited = plant.assets["pump"].signals | {
        "pressure": replace(plant.assets["pump"].signals["pressure"], limits=Limits(alarm=3.2)),
        "flow": replace(plant.assets["pump"].signals["flow"], unit="mm/s"),
    }
    asset = replace(plant.assets["pump"], signals=limited)
    flags = limits_today(labelled, asset, model.spec)
    pressure = labelled.values["pressure"]
    there = ~np.isnan(pressure)
    assert (flags["fixed limit"][there] == (pressure[there] >= 3.2)).all()
    # a velocity of 20 mm/s is in zone D from the first row to the last
    assert flags["ISO 20816"].all()


def test_a_sum_that_has_alarmed_returns() -> None:
    z = np.concatenate([np.zeros(50), np.full(200, 3.0), np.zeros(100)])
    flags = _cusum(z)
    assert not flags[:50].any()
    assert flags[55:250].all()
    assert not flags[275:].any()


def test_labelled_periods_are_judged_with_the_lead_before_the_failure(
    plant: Plant, model: OnnxModel, labelled: Recording, tmp_path: Path
) -> None:
    def at(row: int) -> str:
        return format_time(int(labelled.time[row]))

    rows = [
        f"{at(400)},{at(499)},fault,leakage",
        f"{at(490)},,failed,leakage",
        f"{at(300)},{at(320)},unknown,",
    ]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["from,to,state,mode", *rows]), encoding="utf-8")
    found = evaluate(plant, "pump", model, labelled, read_labels(path, "pump"), skip_rows=200)
    assert found.rows == 400 - 21
    assert found.confusion.anomalous == 100
    (event,), (lead,) = found.events, found.leads
    assert event.alarmed_s is not None
    assert lead == pytest.approx(90 - event.alarmed_s)
    assert f"failure: alarm {lead:.0f} s before it" in table(found)


def test_the_volume_under_precision_and_recall() -> None:
    label = np.zeros(400)
    label[100:150] = label[300:350] = 1
    random = np.random.default_rng(1)
    assert vus_pr(label, label, 0) == pytest.approx(1.0)
    # a guess is worth the share of what is anomalous
    assert vus_pr(label, random.random(400), 0) == pytest.approx(0.25, abs=0.08)
    late = np.roll(label, 5)
    shifted, exact = vus_pr(label, late, 40), vus_pr(label, late, 0)
    assert exact < shifted < 1.0
    half = label.copy()
    half[300:350] = 0
    assert vus_pr(label, half + 1e-3 * random.random(400), 0) < 0.7
    assert np.isnan(vus_pr(np.zeros(10), random.random(10), 4))
