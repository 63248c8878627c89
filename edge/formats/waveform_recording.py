"""Recordings of fast signals: the blocks of one accelerometer as a NumPy file (.npz), as anybody can write one.

    np.savez("acceleration.npz", time=times, points=blocks, rate_hz=25600.0, unit="m/s2")

time: (n_blocks,) when the first point of each block was taken: int64 ns since 1970 UTC, or datetime64
points: (n_blocks, n_points); further arrays, such as labels, are carried along
"""

from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant, Waveform


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformRecording:
    """The blocks of one fast signal of one asset.

    time: (n_blocks,) int64 [ns since 1970 UTC], growing; points: (n_blocks, n_points) float32, plant units;
    others: (n_blocks,) each: what else the file says of its blocks
    """

    asset: str
    waveform: str
    time: NDArray[np.int64]
    points: NDArray[np.float32]
    rate_hz: float
    unit: str
    others: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)


def write_waveforms(path: Path | str, recording: WaveformRecording) -> None:
    """Write what `read_waveforms` reads back the same. Raises `RecordingError`."""
    arrays: dict[str, NDArray[np.generic]] = {
        "time": recording.time,
        "points": recording.points,
        "rate_hz": np.array(recording.rate_hz),
        "unit": np.array(recording.unit),
        **recording.others,
    }
    try:
        with Path(path).open("wb") as file:  # a name without .npz stays as it is
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_waveforms(path: Path | str, plant: Plant, asset: str, waveform: str) -> WaveformRecording:
    """Read the recording of one waveform of the plant file. Raises `RecordingError` that names the file and the array."""
    settings = _waveform(path, plant, asset, waveform)
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, TypeError, BadZipFile) as error:
        raise RecordingError(f"{path}: cannot be read as a NumPy file (.npz): {error}") from None
    for name in ("time", "points", "rate_hz"):
        if name not in arrays:
            raise RecordingError(f"{path}: has no array '{name}'; there are {', '.join(arrays) or 'none'}")
    points, time = arrays["points"], arrays["time"]
    if points.ndim != 2 or not np.issubdtype(points.dtype, np.number):
        raise RecordingError(f"{path}: 'points' should be numbers in blocks (n_blocks, n_points), not {points.shape}")
    if not np.isfinite(points).all():
        block = int(np.argmin(np.isfinite(points).all(axis=1)))
        raise RecordingError(f"{path}: 'points' of block {block} should be finite numbers")
    if np.issubdtype(time.dtype, np.datetime64):
        time = time.astype("datetime64[ns]").astype(np.int64)
    if time.shape != (len(points),) or not np.issubdtype(time.dtype, np.integer):
        raise RecordingError(f"{path}: 'time' should be whole ns or datetime64, one for each of the {len(points)} blocks")
    if not len(time) or (np.diff(time) <= 0).any():
        raise RecordingError(f"{path}: 'time' should grow from block to block")
    rate_hz, unit = float(arrays["rate_hz"]), str(arrays.get("unit", settings.unit))
    where = f"assets.{asset}.waveforms.{waveform}"
    if rate_hz != settings.rate_hz:
        raise RecordingError(f"{path}: was taken at {rate_hz:g} Hz; {where}.rate_hz of the plant file is {settings.rate_hz:g}")
    if points.shape[1] != settings.points:
        raise RecordingError(
            f"{path}: has blocks of {points.shape[1]} points; {where}.points of the plant file is {settings.points}"
        )
    if unit != settings.unit:
        raise RecordingError(f"{path}: is in {unit}; {where}.unit of the plant file is {settings.unit}")
    others = {name: array for name, array in arrays.items() if name not in ("time", "points", "rate_hz", "unit")}
    return WaveformRecording(
        asset=asset,
        waveform=waveform,
        time=time.astype(np.int64),
        points=points.astype(np.float32),
        rate_hz=rate_hz,
        unit=unit,
        others=others,
    )


def _waveform(path: Path | str, plant: Plant, asset: str, waveform: str) -> Waveform:
    if asset not in plant.assets:
        raise RecordingError(f"{path}: the plant has no asset '{asset}'; possible: {', '.join(plant.assets)}")
    known = plant.assets[asset].waveforms
    if waveform not in known:
        possible = ", ".join(known) or "none: give it one in the plant file"
        raise RecordingError(f"{path}: '{asset}' has no waveform '{waveform}'; possible: {possible}")
    return known[waveform]
