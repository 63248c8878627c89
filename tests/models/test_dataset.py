from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant, RecordingSettings
from edge.formats.json_message import format_time
from edge.formats.recording import Recording, write_csv
from edge.pipeline import OnnxModel, grid_values, regular_grid
from edge.recorder import Recorder
from edge.recordings import tidy
from models.dataset import from_frame, healthy_data, read_recording, scored_windows, select
from models.evaluate import replay
from models.export import write
from models.settings import Settings
from models.training import TrainedModel, train

START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
NAMES = ["speed", "flow", "pressure"]


def as_table(recording: Recording) -> pd.DataFrame:
    columns = {"time": pd.to_datetime(recording.time, utc=True)} | {name: recording.values[name] for name in NAMES}
    return pd.DataFrame(columns).assign(recipe="shaft-80")


def test_csv_and_parquet_give_the_same_file(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    write_csv(tmp_path / "pump.csv", recording)
    as_table(recording).to_parquet(tmp_path / "pump.parquet")
    csv, parquet = (read_recording(tmp_path / name, plant, "pump") for name in ("pump.csv", "pump.parquet"))
    assert train(csv, plant, Settings()).content == train(parquet, plant, Settings()).content


def test_a_table_gives_the_same_recording_and_stays_as_it_is(recording: Recording, plant: Plant) -> None:
    table = as_table(recording)
    indexed = table.set_index("time").rename_axis(None).rename(columns={"pressure": "pressure [kPa]"})
    indexed["pressure [kPa]"] *= 100.0
    before = indexed.copy()
    for given in (table, indexed):
        found = from_frame(given, plant, "pump")
        assert found.time.tolist() == recording.time.tolist()
        for name in NAMES:
            np.testing.assert_allclose(found.values[name], recording.values[name], rtol=1e-12)
    pd.testing.assert_frame_equal(indexed, before)
    with pytest.raises(RecordingError, match=r"DataFrame: column 'flow \[kg\]' is in kg, which is no m3/h; .* m3/s, l/min"):
        from_frame(table.rename(columns={"flow": "flow [kg]"}), plant, "pump")


def test_what_the_edge_recorded_gives_the_same_model(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    def recorded(given: Recording, folder: Path) -> Recording:
        texts = {plant.signal_index["pump", "recipe"]: given.texts["recipe"]}
        recorder = Recorder(folder, RecordingSettings(), plant.signal_table, texts)
        for batch in given.batches(plant, 7):
            recorder.add(batch)
            recorder.write(0.0)
        recorder.close()
        tidy(folder, RecordingSettings(), START / 1e9)
        return read_recording(folder, plant, "pump")

    write_csv(tmp_path / "pump.csv", recording)
    found = recorded(recording, tmp_path / "recordings")
    assert found.texts["recipe"].texts == ("shaft-80",)
    assert (
        train(found, plant, Settings()).content
        == train(read_recording(tmp_path / "pump.csv", plant, "pump"), plant, Settings()).content
    )
    machine = read_recording(tmp_path / "recordings" / "asset=pump", plant, "pump")
    assert machine.time.tolist() == found.time.tolist()
    # what was bad is bad, and not as if it had not come
    bad = np.zeros(len(recording), np.bool_)
    bad[100:200] = True
    flow = np.where(bad, np.nan, recording.values["flow"])
    given = replace(recording, values=recording.values | {"flow": flow}, bad={"flow": bad})
    kept = recorded(given, tmp_path / "bad")
    assert kept.bad["flow"].tolist() == bad.tolist()
    windows = [len(healthy_data(each, plant, n_samples=30, min_coverage=0.5).windows) for each in (kept, found)]
    assert windows[1] - windows[0] == 100
    with pytest.raises(RecordingError, match="the plant has no asset 'rig'"):
        read_recording(tmp_path / "recordings", plant, "rig")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_of_a_wall_are_read_by_their_zone(plant: Plant, tmp_path: Path, kind: str) -> None:
    """In the night in which clocks go back an hour comes twice; in that in which they go forward one is missing."""
    zone = ZoneInfo("Europe/Stockholm")
    instants = pd.date_range("2026-10-25T00:30Z", periods=6, freq="20min")
    wall = instants.tz_convert(zone).tz_localize(None)
    assert not wall.is_unique

    def read(times: pd.DatetimeIndex) -> Recording:
        table = pd.DataFrame({"time": times, "speed": 1.0})
        table.to_csv(tmp_path / "pump.csv", index=False)
        table.to_parquet(tmp_path / "pump.parquet")
        return read_recording(tmp_path / f"pump.{kind}", plant, "pump", zone=zone)

    assert pd.to_datetime(read(wall).time, utc=True).tolist() == instants.tolist()
    assert pd.to_datetime(read(instants).time, utc=True).tolist() == instants.tolist()
    with pytest.raises(RecordingError, match="02:30"):
        read(pd.DatetimeIndex(["2026-03-29T02:30"]))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_times_of_any_resolution_and_without_zone(
    recording: Recording, plant: Plant, tmp_path: Path, unit: str
) -> None:
    table = as_table(recording)
    table["time"] = table["time"].dt.tz_localize(None).astype(f"datetime64[{unit}]")
    table.set_index("time").to_parquet(tmp_path / "pump.parquet")
    assert read_recording(tmp_path / "pump.parquet", plant, "pump").time.tolist() == recording.time.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="time"), "has no time column"),
        (lambda table: table[["time"]], "has no column of 'pump'; expected speed, flow, pressure, recipe"),
        (lambda table: table.assign(flow="much"), "column 'flow' should hold numbers"),
        (lambda table: table.assign(flow=np.inf), "column 'flow' is infinite in row 1"),
        (lambda table: table.assign(time=range(len(table))), "column 'time' holds numbers; it should hold times"),
        (lambda table: table.assign(time="noon"), "column 'time' should hold times"),
        (lambda table: table.assign(time=table["time"].where(table.index != 4)), "column 'time' has no time in row 5"),
    ],
)
def test_bad_parquet_is_named(recording: Recording, plant: Plant, tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "pump.parquet"
    change(as_table(recording)).to_parquet(path)
    with pytest.raises(Exception, match=message) as caught:
        read_recording(path, plant, "pump")
    assert type(caught.value).__name__ == "RecordingError"
    assert str(path) in str(caught.value)


def test_the_windows_of_training_are_those_that_the_edge_scores(
    recording: Recording, plant: Plant, trained: TrainedModel, tmp_path: Path
) -> None:
    """Standstill, missing cells and a stale signal: scored instants and scores of a replay are those of the dataset."""
    values = {name: column.copy() for name, column in recording.values.items()}
    values["speed"][200:240] = 0.0
    values["flow"][400:425] = np.nan
    troubled = Recording(path="pump.csv", asset="pump", time=recording.time, values=values, texts=recording.texts)
    write(tmp_path / "pump.onnx", trained.content)
    assessments, _ = replay(plant, "pump", OnnxModel.load(tmp_path / "pump.onnx"), troubled)
    scored = {found.time: found.score for found in assessments if found.score is not None}

    grid = grid_values(plant, "pump", troubled.batches(plant), 30)
    windows = scored_windows(grid, NAMES, 30, 0.5)
    times = grid.time[windows.last]
    assert set(times.tolist()) == set(scored)
    assert 300 < len(times) < 520
    given = trained.detector.scores(trained.features.compute(windows))
    assert given == pytest.approx([scored[time] for time in times.tolist()], rel=1e-4)


def test_healthy_rows_are_chosen_by_row_and_by_time(recording: Recording) -> None:
    assert len(select(recording, slice(100, 400))) == 300
    chosen = select(recording, None, int(recording.time[10]), int(recording.time[19]))
    assert chosen.time.tolist() == recording.time[10:20].tolist()


def test_a_signal_can_be_left_out(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    trained = train(recording, plant, Settings(without=("flow",)))
    assert [signal.name for signal in trained.spec.signals] == ["speed", "pressure"]
    write(tmp_path / "pump.onnx", trained.content)
    assessments, _ = replay(plant, "pump", OnnxModel.load(tmp_path / "pump.onnx"), recording)
    assert assessments[-1].score is not None
    assert set(assessments[-1].contribution or {}) == {"speed", "pressure"}


def test_the_hash_is_of_what_was_learnt_from(recording: Recording, plant: Plant) -> None:
    def sha256(some: Recording, without: tuple[str, ...] = ()) -> str:
        return healthy_data(some, plant, n_samples=30, min_coverage=0.5, without=without).trained_on.sha256

    assert sha256(recording) == sha256(recording)
    assert len({sha256(recording), sha256(recording.rows(0, 599)), sha256(recording, ("flow",))}) == 3


def test_trained_on_names_the_period(trained: TrainedModel, recording: Recording) -> None:
    on = trained.spec.trained_on
    assert on is not None
    assert (on.first, on.last) == (format_time(int(recording.time[0])), format_time(int(recording.time[-1])))


@pytest.mark.parametrize("seed", range(8))
def test_the_fast_way_to_the_grid_gives_what_the_edge_gives(seed: int, plant: Plant) -> None:
    """Silences, missing cells, rows without any, times off the grid, a standstill: every value, instant and skip the same."""
    random = np.random.default_rng(seed)
    step_ns = random.choice([400_000_000, SECOND, SECOND, 1_700_000_000, 15 * SECOND, 200 * SECOND], 300)
    time = START + 123 + np.cumsum(step_ns)
    values = {name: random.normal(1000, 1, 300) for name in ("speed", "flow", "pressure")}
    for column in values.values():
        column[random.random(300) < 0.3] = np.nan
        column[100:110] = np.nan
    values["speed"][150:170] = 0.0
    made = Recording(path="made.csv", asset="pump", time=time, values=values)
    n_samples = int(random.choice([3, 30]))
    slow = grid_values(plant, "pump", made.batches(plant, 7), n_samples)
    fast = regular_grid(plant, "pump", time, values, n_samples)
    assert fast.signals == slow.signals
    np.testing.assert_array_equal(fast.time, slow.time)
    np.testing.assert_array_equal(fast.value, slow.value)
    np.testing.assert_array_equal(fast.running, slow.running)
    np.testing.assert_array_equal(fast.skipped, slow.skipped)
