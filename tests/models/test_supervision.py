"""What labels add: the fault by name, and the remaining life, from training to the edge's assessments."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.formats.json_message import format_time
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.card import card
from models.card_page import page
from models.diagnosis import FaultClassifier, calibration_error
from models.evaluate import replay
from models.labels import Labels, read_labels
from models.remaining_life import LifeRegressor, spans_of, trends
from models.settings import Settings
from models.training import TrainedModel, train
from tests.models.test_card import pictures

START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
SETTINGS = Settings(n_samples=20, without=("recipe",))
FAULTS = {"clogging": [(900, 1100), (1500, 1700), (2100, 2300)], "leakage": [(1200, 1400), (1800, 2000), (2400, 2600)]}
LIFE_S = 300


def pump(n: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    speed = 1450 + 15 * np.sin(np.arange(n) / 40) + random.normal(0, 3, n)
    return {
        "speed": speed,
        "flow": 20 * speed / 1450 + random.normal(0, 0.1, n),
        "pressure": 3.2 * (speed / 1450) ** 2 + random.normal(0, 0.02, n),
    }


def recorded(values: dict[str, np.ndarray]) -> Recording:
    n = len(values["speed"])
    return Recording(path="pump.csv", asset="pump", time=START + np.arange(n) * SECOND, values=values)


def with_faults(seed: int) -> Recording:
    """A clogged filter takes flow and adds pressure, a leak takes both."""
    values = pump(2700, seed)
    for mode, spans in FAULTS.items():
        for first, last in spans:
            values["flow"][first:last] -= 1.5
            values["pressure"][first:last] += 0.4 if mode == "clogging" else -0.4
    return recorded(values)


def with_lives(n_lives: int, seed: int) -> Recording:
    """Flow wears down over each life, and is repaired."""
    values = pump(n_lives * LIFE_S, seed)
    values["flow"] -= 4.0 * (np.arange(n_lives * LIFE_S) % LIFE_S / LIFE_S) ** 2
    return recorded(values)


def labels(folder: Path, rows: list[str]) -> Labels:
    path = folder / "labels.csv"
    path.write_text("\n".join(["from,to,state,mode", *rows]), encoding="utf-8")
    return read_labels(path, "pump")


def moment(second: float) -> str:
    return format_time(START + round(second * SECOND))


def fault_rows(most: int = 9) -> list[str]:
    return [
        f"{moment(first)},{moment(last - 1)},fault,{mode}" for mode, spans in FAULTS.items() for first, last in spans[:most]
    ]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As training does; and the suite's processes do not fight for the cores."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def diagnosing(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return train(with_faults(1), plant, SETTINGS, labels(tmp_path_factory.mktemp("labels"), fault_rows()))


@pytest.fixture(scope="module")
def ageing(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    failures = [f"{moment((number + 1) * LIFE_S - 0.5)},,failed,wear" for number in range(6)]
    healthy = [f"{moment(number * LIFE_S + 1)},{moment(number * LIFE_S + 120)},healthy," for number in range(6)]
    return train(with_lives(6, 2), plant, SETTINGS, labels(tmp_path_factory.mktemp("labels"), failures + healthy))


def test_the_edge_names_faults_that_were_labelled(diagnosing: TrainedModel, plant: Plant, tmp_path: Path) -> None:
    """On another recording of the pump, through the pipeline that runs live."""
    path = tmp_path / "pump.onnx"
    path.write_bytes(diagnosing.content)
    assert diagnosing.spec.faults == ("clogging", "leakage")
    assessments, _ = replay(plant, "pump", OnnxModel.load(path), with_faults(5))
    named = {(each.time - START) // SECOND: each.fault.name if each.fault else None for each in assessments}
    for mode, spans in FAULTS.items():
        for first, last in spans:
            told = [named[second] for second in range(first + 25, last)]
            assert sum(name == mode for name in told) / len(told) > 0.95
    quiet = [named[second] for second in range(30, 800)]
    assert sum(name is None for name in quiet) / len(quiet) > 0.95


def test_figures_of_the_diagnosis_come_from_occurrences_that_were_held_out(diagnosing: TrainedModel) -> None:
    figures = diagnosing.spec.figures
    assert figures["diagnosis_occurrences"] == {"clogging": 3, "leakage": 3}
    assert min(figures["diagnosis_f1"].values()) > 0.9
    assert figures["diagnosis_calibration_error"] < 0.1
    assert diagnosing.parity.largest <= 1e-4


def test_the_limit_is_learnt_from_healthy_time_alone(diagnosing: TrainedModel) -> None:
    """With the faults in it, the spread of the flow would be several times as wide."""
    assert diagnosing.features.least_variance[1] < 0.1**2
    second = (diagnosing.data.time - START) // SECOND
    for spans in FAULTS.values():
        for first, last in spans:
            assert not ((second >= first) & (second < last + 19)).any()


def test_a_fault_that_was_there_only_once_cannot_be_judged(plant: Plant, tmp_path: Path) -> None:
    rows = [row for row in fault_rows() if "leakage" in row] + [row for row in fault_rows(1) if "clogging" in row]
    with pytest.raises(RecordingError, match="'clogging' was there only once"):
        train(with_faults(1), plant, SETTINGS, labels(tmp_path, rows))


def test_a_fault_shorter_than_a_window_is_named(plant: Plant, tmp_path: Path) -> None:
    rows = [f"{moment(first)},{moment(first + 5)},fault,clogging" for first in (900, 1500)]
    with pytest.raises(RecordingError, match="no window of 20 instants lies within a fault 'clogging'"):
        train(with_faults(1), plant, SETTINGS, labels(tmp_path, rows))


def test_the_edge_tells_the_remaining_life(ageing: TrainedModel, plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "pump.onnx"
    path.write_bytes(ageing.content)
    figures = ageing.spec.figures
    horizon_s = figures["rul_horizon_h"] * 3600
    assert figures["rul_lives"] == 6
    assert figures["rul_rmse_h"] < 0.3 * figures["rul_rmse_floor_h"]
    assert 0.7 < figures["rul_coverage"] < 0.9
    assessments, _ = replay(plant, "pump", OnnxModel.load(path), with_lives(3, 9))
    told = [each for each in assessments if each.rul_h is not None]
    assert len(told) > 800
    left = np.array([LIFE_S - (each.time - START) / SECOND % LIFE_S for each in told])
    middle = np.array([each.rul_h.p50 * 3600 for each in told])
    close = left < 0.8 * horizon_s
    # the window of each new life holds the end of the last one at first
    close &= left < LIFE_S - 30
    assert np.abs(middle - left)[close].mean() < 25
    assert all(each.rul_h.p10 <= each.rul_h.p50 <= each.rul_h.p90 for each in told)


def test_one_life_teaches_nothing(plant: Plant, tmp_path: Path) -> None:
    rows = [f"{moment(LIFE_S - 1)},,failed,wear", f"{moment(1)},{moment(150)},healthy,"]
    with pytest.raises(RecordingError, match="1 of the labelled failures ends a life"):
        train(with_lives(2, 2), plant, SETTINGS, labels(tmp_path, rows))


def test_the_same_labels_give_the_same_bytes(diagnosing: TrainedModel, plant: Plant, tmp_path: Path) -> None:
    assert train(with_faults(1), plant, SETTINGS, labels(tmp_path, fault_rows())).content == diagnosing.content


def test_trends_are_means_and_slopes_over_spans(ageing: TrainedModel) -> None:
    windows = ageing.data.windows
    found = trends(ageing.features, windows)[100]
    window = windows.take(slice(100, 101))[0].astype(np.float64)
    spans, n = spans_of(20), 3
    assert spans == [5, 10, 20]
    for number, span in enumerate(spans):
        part = window[-span:]
        slope = np.polyfit(np.arange(span), part, 1)[0]
        assert found[number * n : (number + 1) * n] == pytest.approx(part.mean(axis=0) - ageing.features.centre, abs=1e-3)
        assert found[(len(spans) + number) * n :][:n] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_probabilities_are_calibrated_by_what_was_held_out() -> None:
    random = np.random.default_rng(3)
    group = np.repeat(np.arange(40), 25)
    y = np.where(group % 2 == 0, "a", "b")
    # blocks have an offset of their own, which a model that has seen them would be too sure of
    x = random.normal(size=(1000, 8)) + (y == "a")[:, None] * 0.5 + random.normal(size=(40, 8))[group]
    model = FaultClassifier(n_trees=30)
    held_out = model.held_out(x, y, group)
    model.fit(x, y, group).calibrate(held_out, y)
    before = calibration_error(held_out, y, model.classes_)
    after = calibration_error(model.sharpened(held_out), y, model.classes_)
    assert model.sharpness_ != 1.0
    assert after <= before + 0.01


def test_an_interval_that_was_measured_covers_what_it_says() -> None:
    random = np.random.default_rng(4)
    life = np.repeat(np.arange(30), 40)
    left = np.tile(np.arange(40.0)[::-1], 30)
    x = left[:, None] + random.normal(size=(1200, 3)) * (1 + left[:, None] / 5)
    model = LifeRegressor(horizon=30.0, n_networks=1)
    predicted = model.held_out(x, left, life)
    assert 0.72 < model.coverage(predicted, left, life) < 0.88
    low, middle, high = model.fit(x, left).calibrate(predicted, left).quantiles(x).T
    assert ((low <= middle) & (middle <= high)).all()
    # wide where little is known
    assert (high - low)[(left > 10) & (left < 20)].mean() > 1.5 * (high - low)[left < 3].mean()


def test_labelled_faults_are_shaded_and_told(diagnosing: TrainedModel) -> None:
    html = page(diagnosing, card(diagnosing, "pump", 12.0))
    picture = pictures(html)["Score over time"]
    assert sum(shape.attrib["class"] == "event" for shape in picture.iter("rect")) == 6
    assert {"clogging", "leakage"} <= {text.text for text in picture.iter("text")}
    assert "<h2>Which fault</h2>" in html
    assert "which of 2 faults it most likely is" in html


def test_the_fan_of_held_out_lives_is_drawn(ageing: TrainedModel) -> None:
    html = page(ageing, card(ageing, "pump", 12.0))
    picture = pictures(html)["Remaining life of held-out lives"]
    assert [shape.attrib["class"] for shape in picture.iter("polygon")] == ["fan"]
    assert "Learnt from 6 lives" in html
