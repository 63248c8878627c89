"""Recordings of fast signals: what comes back, and what is said of files that are not right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.waveform_recording import WaveformRecording, read_waveforms, write_waveforms

ROOT = Path(__file__).parents[2]
RIGHT: dict[str, Any] = {
    "time": np.array([10, 20], np.int64),
    "points": np.arange(8192, dtype=np.float32).reshape(2, 4096),
    "rate_hz": np.array(25600.0),
    "unit": np.array("m/s2"),
}


@pytest.fixture
def plant() -> Plant:
    return load_plant(ROOT / "edge/plants/demo.toml", {})


def test_it_reads_back_what_was_written(plant: Plant, tmp_path: Path) -> None:
    written = WaveformRecording(
        asset="pump-101",
        waveform="acceleration",
        time=RIGHT["time"],
        points=RIGHT["points"],
        rate_hz=25600.0,
        unit="m/s2",
        others={"severity": np.array([0.0, 0.5])},
    )
    write_waveforms(tmp_path / "blocks.npz", written)
    read = read_waveforms(tmp_path / "blocks.npz", plant, "pump-101", "acceleration")
    np.testing.assert_array_equal(read.points, written.points)
    np.testing.assert_array_equal(read.others["severity"], [0.0, 0.5])
    assert (read.time.tolist(), read.rate_hz, read.unit, len(read)) == ([10, 20], 25600.0, "m/s2", 2)


def test_numpys_own_times_will_do(plant: Plant, tmp_path: Path) -> None:
    times = np.array(["2026-01-01T00:00:00", "2026-01-01T00:00:10"], "datetime64[s]")
    np.savez(tmp_path / "blocks.npz", **{**RIGHT, "time": times})
    read = read_waveforms(tmp_path / "blocks.npz", plant, "pump-101", "acceleration")
    assert np.diff(read.time).tolist() == [10_000_000_000]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"points": np.zeros(5)}, r"n_blocks, n_points"),
        ({"points": np.array([["a"] * 4096] * 2)}, r"should be numbers"),
        ({"points": np.full((2, 4096), np.nan)}, r"'points' of block 0 should be finite"),
        ({"points": np.zeros((2, 100), np.float32)}, r"blocks of 100 points; .*waveforms.acceleration.points .* is 4096"),
        ({"time": np.array([20, 10])}, r"should grow"),
        ({"time": np.array([10])}, r"one for each of the 2 blocks"),
        ({"time": np.array([10.5, 20.5])}, r"whole ns"),
        ({"rate_hz": np.array(12000.0)}, r"taken at 12000 Hz; .*rate_hz of the plant file is 25600"),
        ({"unit": np.array("g")}, r"in g; .*unit of the plant file is m/s2"),
    ],
)
def test_what_does_not_fit_the_plant_file_is_named(wrong: dict[str, Any], said: str, plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "blocks.npz"
    np.savez(path, **{**RIGHT, **wrong})
    with pytest.raises(RecordingError, match=said) as refused:
        read_waveforms(path, plant, "pump-101", "acceleration")
    assert str(path) in str(refused.value)


def test_what_is_no_such_file(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "blocks.npz"
    for content in (b"", b"time,points\n1,2\n", b"PK\x03\x04broken"):
        path.write_bytes(content)
        with pytest.raises(RecordingError, match=r"cannot be read as a NumPy file"):
            read_waveforms(path, plant, "pump-101", "acceleration")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(RecordingError, match=r"cannot be read as a NumPy file"):
        read_waveforms(tmp_path / "one.npy", plant, "pump-101", "acceleration")
    np.savez(path, points=RIGHT["points"])
    with pytest.raises(RecordingError, match=r"has no array 'time'; there are points"):
        read_waveforms(path, plant, "pump-101", "acceleration")
    with pytest.raises(RecordingError, match=r"no waveform 'sound'; possible: acceleration"):
        read_waveforms(path, plant, "pump-101", "sound")
    with pytest.raises(RecordingError, match=r"no asset 'pump-9'"):
        read_waveforms(path, plant, "pump-9", "acceleration")
