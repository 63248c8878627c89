"""Windows that hold several cycles of a machine, and begin anew with each product."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.assessment import Reason
from edge.contracts.plant import Plant, Production, Signal
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.cycles import with_window
from models.dataset import healthy_data
from models.evaluate import replay
from models.export import write
from models.settings import Settings, UnfitSettings
from models.training import train
from tests.models.test_modes import pump

N, PART_S = 100, 12
PLAIN = Settings(n_samples=N)
ANEW = replace(PLAIN, since_change=True)


def cyclic(n: int, every: int, seed: int = 3, extra: float = 0.0) -> Recording:
    """A machine whose flow swings with each part of 12 s, and the counter of its parts."""
    made = pump(n, every, seed=seed)
    swing = np.sin(2 * np.pi * np.arange(n) / PART_S + 0.3 * made.values["speed"] / 1400)
    values = {**made.values, "flow": made.values["flow"] + 6.0 * swing + extra, "parts": np.arange(n) // PART_S + 0.0}
    return replace(made, values=values)


@pytest.fixture(scope="module")
def counting(plant: Plant) -> Plant:
    """The plant, with a counter of parts."""
    asset = plant.assets["pump"]
    parts: Signal = replace(asset.signals["flow"], unit="1", counter=True, node="ns=2;s=parts")
    signals = {**asset.signals, "parts": parts}
    return replace(plant, assets={"pump": replace(asset, signals=signals, production=Production(product="parts"))})


def test_a_window_holds_ten_cycles_of_a_machine_that_counts_its_parts(counting: Plant) -> None:
    asset, recording = counting.assets["pump"], cyclic(2000, 500)
    found = with_window(Settings(), recording, asset)
    assert (found.n_samples, found.since_change) == (10 * PART_S, True)
    # it stops for an hour and counts on
    stopped = replace(recording, time=recording.time + np.where(np.arange(2000) < 900, 0, 3600) * 1_000_000_000)
    assert with_window(Settings(), stopped, asset) == found


def test_where_there_are_no_cycles_to_count_it_is_said_why(counting: Plant, plant: Plant) -> None:
    asset, recording = counting.assets["pump"], cyclic(2000, 500)
    slow = replace(recording, values={**recording.values, "parts": np.arange(2000) // 60 + 0.0})
    cubic = replace(asset, signals={**asset.signals, "parts": replace(asset.signals["parts"], unit="m3")})
    for of, given, why in (
        (asset, slow, "10 cycles are 600 instants, more than 300"),
        (cubic, recording, "production.product of 'pump' should count parts"),
        (plant.assets["pump"], recording, "production.product of 'pump' should count parts"),
        (asset, pump(2000, 500), "pump.csv should have a column for 'parts'"),
        (asset, cyclic(9 * PART_S, 500), "'parts' counts 8 parts in pump.csv; 10 are needed"),
    ):
        with pytest.raises(UnfitSettings, match=why):
            with_window(Settings(), given, of)


def test_after_a_change_of_product_scores_come_with_half_a_window(counting: Plant, tmp_path: Path) -> None:
    trained = train(cyclic(6000, 400), counting, ANEW)
    assert trained.spec.since_change
    write(tmp_path / "pump.onnx", trained.content)
    model = OnnxModel.load(tmp_path / "pump.onnx")
    found, _ = replay(counting, "pump", model, cyclic(900, 300, seed=8))
    withheld = [each for each in found if each.reason is Reason.CHANGEOVER]
    assert len(withheld) == 2 * (N // 2 - 1)
    scored = {each.time: each for each in found if each.score is not None}
    assert np.mean([each.score >= 1.0 for each in scored.values() if each.score is not None]) < 0.02
    # halfway through the new product half of the window is missing, and a whole window later nothing
    first = min(time for time in scored if time > max(each.time for each in withheld if each.time < 550e9 + found[0].time))
    assert scored[first].coverage == pytest.approx(0.5)
    assert scored[first + (N // 2) * 1_000_000_000].coverage == pytest.approx(1.0)


def test_the_edge_scores_the_windows_that_training_saw(counting: Plant, tmp_path: Path) -> None:
    recording = cyclic(6000, 400)
    trained = train(recording, counting, ANEW)
    write(tmp_path / "pump.onnx", trained.content)
    found, _ = replay(counting, "pump", OnnxModel.load(tmp_path / "pump.onnx"), recording)
    lived = {each.time: each.score for each in found if each.score is not None}
    data = healthy_data(recording, counting, n_samples=N, min_coverage=0.5, since_change=True)
    assert data.time.tolist() == sorted(lived)
    young = data.windows.since[data.windows.last] > data.windows.last - (N - 1)
    assert young.sum() > 500
    expected = trained.detector.scores(trained.features.compute(data.windows), data.mode)
    assert [lived[time] for time in data.time.tolist()] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)


def test_long_windows_see_what_short_ones_do_not(counting: Plant, tmp_path: Path) -> None:
    recording = cyclic(20_000, 400)
    above = {}
    for settings in (Settings(), with_window(Settings(), recording, counting.assets["pump"])):
        trained = train(recording, counting, settings)
        write(tmp_path / "pump.onnx", trained.content)
        model = OnnxModel.load(tmp_path / "pump.onnx")
        found, _ = replay(counting, "pump", model, cyclic(2000, 400, seed=8, extra=0.6))
        scores = [each.score for each in found if each.score is not None]
        above[settings.n_samples] = float(np.median(scores))
    assert above[10 * PART_S] > 1.5 * above[30]
