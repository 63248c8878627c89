"""Recordings, and the healthy windows a model learns from: made by the edge's own grid, so training sees what service will."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.model_spec import ModelSignal, TrainedOn
from edge.contracts.plant import Asset, Plant
from edge.contracts.sample_batch import SampleBatch, TextTable
from edge.formats.json_message import format_time
from edge.formats.recording import TIME_COLUMNS, Recording, find_columns, read_csv
from edge.formats.waveform_recording import WaveformRecording
from edge.pipeline import WAVEFORM_INTERVALS as INTERVALS
from edge.pipeline import GridValues, grid_values, regular_grid
from models.features import Windows
from models.labels import Labels
from models.modes import OperatingModes, learn_modes

Watch = Callable[[Iterable[SampleBatch], int], Iterable[SampleBatch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyData:
    """The windows of one asset that the edge would score, and what they came from.

    time:  (n_windows,) int64 [ns UTC], the instant at which each window ends
    scored, scored_time: all windows of the recording that the edge would score, healthy or not
    modes: what tells operating modes apart; mode: (n_windows,) that of each window; codes: (n_windows, n_contexts)
    """

    signals: tuple[ModelSignal, ...]
    windows: Windows
    time: NDArray[np.int64]
    modes: OperatingModes
    mode: NDArray[np.int64]
    codes: NDArray[np.int64]
    trained_on: TrainedOn
    scored: Windows
    scored_time: NDArray[np.int64]


def read_recording(
    path: Path | str, plant: Plant, asset: str, others: Sequence[str] = (), zone: ZoneInfo | None = None
) -> Recording:
    """A recording of `asset` from CSV, from Parquet where the name ends in .parquet or .pq, or from an edge's own folder.

    Times without a zone are those of a clock on the wall of `zone`, UTC where none is given.

    Raises `RecordingError` that names the file and the column or row.
    """
    path = Path(path)
    edges_own = path.is_dir()
    if not edges_own and path.suffix.lower() not in (".parquet", ".pq"):
        return read_csv(path, plant, asset, others, zone)
    try:
        table = pd.read_parquet(
            path,
            engine="pyarrow",
            # of a folder of many machines the one
            filters=[("asset", "=", asset)] if edges_own and not path.name.startswith("asset=") else None,
            page_checksum_verification=True,
        )
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: cannot be read as Parquet: {error}") from None
    return from_frame(table, plant, asset, others, zone, path=path)


def from_frame(
    table: pd.DataFrame,
    plant: Plant,
    asset: str,
    others: Sequence[str] = (),
    zone: ZoneInfo | None = None,
    *,
    path: Path | str = "DataFrame",
) -> Recording:
    """A recording of `asset` from a pandas table, which stays as it is; `path` is what errors call it.

    Times are its index or a column named time, datetime, timestamp or date; without a zone they are those of a clock on the
    wall of `zone`, UTC where none is given. Signals are columns by their name or their `column` in the plant file, with a unit
    in brackets where that is another. Of a table of many machines, with a column `asset`, the rows of this one are taken.
    Raises `RecordingError` that names the column or row.
    """
    if asset not in plant.assets:
        raise RecordingError(f"{path}: the plant has no asset '{asset}'; possible: {', '.join(plant.assets)}")
    if isinstance(table.index, pd.DatetimeIndex) and not any(str(name).lower() in TIME_COLUMNS for name in table.columns):
        table = table.rename_axis("time")
    if str(table.index.name).lower() in TIME_COLUMNS:
        table = table.reset_index()
    if "asset" in table and "asset" not in plant.assets[asset].signals:
        # whoever is not in it leaves no rows
        table = table[table["asset"] == asset]
        if not len(table):
            raise RecordingError(f"{path}: has no rows of '{asset}' in its column 'asset'")
    time_column = next((name for name in table.columns if str(name).lower() in TIME_COLUMNS), None)
    if time_column is None:
        raise RecordingError(f"{path}: has no time column; one should be named {', '.join(TIME_COLUMNS)}")
    if {"signal", "value", "text", "quality"} <= set(map(str, table.columns)):
        return _of_samples(table, _times(table[time_column], path, zone), plant, asset, path)
    values: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, TextTable] = {}
    for name, found in find_columns([str(name) for name in table.columns], plant.assets[asset], asset, path, others).items():
        column = table[found.column]
        if name in plant.assets[asset].context:
            coder = texts[name] = TextTable()
            cells = column.tolist()
            values[name] = np.array([np.nan if pd.isna(cell) or cell == "" else coder.code(str(cell)) for cell in cells])
        else:
            values[name] = found.converted(_numbers(column, path))
    return Recording(
        path=str(path),
        asset=asset,
        time=_times(table[time_column], path, zone),
        values=values,
        texts=texts,
        others={column: _numbers(table[column], path) for column in others},
    )


def _of_samples(table: pd.DataFrame, time: NDArray[np.int64], plant: Plant, asset: str, path: Path | str) -> Recording:
    """Samples as the edge records them, one a row; where one instant has several of a signal, the last one counts."""
    instants, row = np.unique(time, return_inverse=True)
    values, texts, bad = {}, {}, {}
    signal = table["signal"].astype(str).to_numpy()
    is_bad = (table["quality"].astype(str) == "bad").to_numpy()
    for name in plant.assets[asset].signals:
        of_it = np.flatnonzero(signal == name)
        if not len(of_it):
            continue
        column = np.full(len(instants), np.nan)
        if name in plant.assets[asset].context:
            coder = texts[name] = TextTable()
            cells = table["text"].iloc[of_it].tolist()
            column[row[of_it]] = [np.nan if pd.isna(cell) else coder.code(str(cell)) for cell in cells]
        else:
            column[row[of_it]] = _numbers(table["value"].iloc[of_it], path)
        was_bad = np.zeros(len(instants), np.bool_)
        was_bad[row[of_it]] = is_bad[of_it]
        if was_bad.any():
            column[was_bad], bad[name] = np.nan, was_bad
        values[name] = column
    if not values:
        raise RecordingError(f"{path}: has no samples of the plant file's signals of '{asset}'")
    return Recording(path=str(path), asset=asset, time=instants, values=values, texts=texts, bad=bad)


def select(recording: Recording, rows: slice | None = None, first: int | None = None, last: int | None = None) -> Recording:
    """The part of a recording that is known to be healthy: rows of the file, or times from `first` to `last` [ns UTC]."""
    chosen = recording if rows is None else recording.rows(*rows.indices(len(recording))[:2])
    if first is not None or last is not None:
        after = chosen.time >= (first if first is not None else np.iinfo(np.int64).min)
        before = chosen.time <= (last if last is not None else np.iinfo(np.int64).max)
        inside = np.flatnonzero(after & before)
        chosen = chosen.rows(int(inside[0]), int(inside[-1]) + 1) if len(inside) else chosen.rows(0, 0)
    if not len(chosen):
        raise RecordingError(f"{recording.path}: no rows are left of {len(recording)}; check --rows, --from and --to")
    return chosen


def healthy_data(
    recording: Recording,
    plant: Plant,
    *,
    n_samples: int,
    min_coverage: float,
    since_change: bool = False,
    without: Sequence[str] = (),
    labels: Labels | None = None,
    waveforms: Sequence[WaveformRecording] = (),
    watch: Watch = lambda batches, _: batches,
) -> HealthyData:
    """Grid and windows of a recording, all of it taken as healthy where no labels say more.

    since_change: as in `Settings`; without: signals to leave out of the model;
    waveforms: the blocks of fast signals that the model takes;
    watch: is given the batches and their number, to show progress.
    Raises `RecordingError` where the recording cannot teach anything, `LabelError` where labels do not belong to it.
    """
    asset = plant.assets[recording.asset]
    if unknown := [name for name in without if name not in asset.signals]:
        raise RecordingError(f"'{recording.asset}' has no signal '{unknown[0]}'; possible: {', '.join(asset.signals)}")
    names = [
        name
        for name, signal in asset.signals.items()
        if name not in asset.context and name not in without and not signal.counter
    ]
    check(recording, names)
    if not recording.bad and all(signal.resample == "last" for signal in asset.signals.values()):
        grid = regular_grid(plant, recording.asset, recording.time, recording.values, n_samples)
    else:
        rows_per_batch = 256
        batches = watch(recording.batches(plant, rows_per_batch), -(-len(recording) // rows_per_batch))
        grid = grid_values(plant, recording.asset, batches, n_samples)
    windows = scored = _with_blocks(scored_windows(grid, names, n_samples, min_coverage), grid.time, asset, waveforms)
    if labels is not None:
        labels.check(recording.path, int(recording.time[0]), int(recording.time[-1]))
        ends = grid.time[scored.last]
        healthy = labels.healthy(ends - round((n_samples - 1) * asset.period_s * 1e9), ends)
        windows = replace(scored, last=scored.last[healthy])
    contexts = [name for name in asset.context if name in recording.texts and name in grid.signals and name not in without]
    codes, changes = context_of(grid, contexts, windows)
    begins = windows.last - (n_samples - 1)
    if since_change:
        # what is left of each window, after a change of one context or another, is enough of it
        begins = windows.last - (math.ceil(min_coverage * n_samples) - 1)
    modes, columns, belongs = learn_modes(contexts, recording.texts, codes, changes[windows.last] > begins[:, None], len(names))
    if since_change and len(columns):
        windows, scored = (replace(each, since=changes[:, columns].max(axis=1)) for each in (windows, scored))
    windows = replace(windows, last=windows.last[belongs])
    codes = codes[belongs][:, columns]
    needed = max(4 * n_samples, 10 * len(names))
    if len(windows) < needed:
        raise RecordingError(
            f"{recording.path}: gives {len(windows)} whole windows of {n_samples} instants; at least {needed} are needed: "
            "give more healthy rows in which the machine runs, or a shorter --window"
        )
    return HealthyData(
        signals=tuple(ModelSignal(name=name, unit=asset.signals[name].unit) for name in names),
        windows=windows,
        time=grid.time[windows.last],
        modes=modes,
        mode=modes.of(codes),
        codes=codes,
        trained_on=TrainedOn(
            rows=len(recording),
            first=format_time(int(recording.time[0])),
            last=format_time(int(recording.time[-1])),
            sha256=content_hash(recording, names),
        ),
        scored=scored,
        scored_time=grid.time[scored.last],
    )


def scored_windows(grid: GridValues, names: Sequence[str], n_samples: int, min_coverage: float) -> Windows:
    """The windows for which the edge gives a score: whole, covered, the newest values there, and the machine running."""
    columns = [grid.signals.index(name) for name in names]
    all_of_them = columns == list(range(grid.value.shape[1]))
    values = grid.value if all_of_them else np.ascontiguousarray(grid.value[:, columns])
    there = ~np.isnan(values)
    row = np.arange(len(values))
    # the window begins anew after a standstill, and with what ends a long silence
    begun = np.maximum.accumulate(np.where(~grid.running, row + 1, np.where(grid.skipped > 0, row, 0))) if len(row) else row
    # an exact count in integers, whatever the length
    found = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    coverage = (found[row + 1] - found[np.maximum(row + 1 - n_samples, 0)]) / (n_samples * len(names))
    scored = (row - begun + 1 >= n_samples) & grid.running & there.all(axis=1) & (coverage >= min_coverage)
    return Windows(values=values, last=np.flatnonzero(scored), n_samples=n_samples)


def _with_blocks(windows: Windows, time: NDArray[np.int64], asset: Asset, waveforms: Sequence[WaveformRecording]) -> Windows:
    """The windows at whose end each fast signal has a block that is not stale, as the edge would hold it."""
    for wave in waveforms:
        taken = wave.time + round(wave.points.shape[1] / wave.rate_hz * 1e9)
        newest = np.searchsorted(taken, time, "right") - 1
        oldest = time - round(INTERVALS * asset.waveforms[wave.waveform].every_s * 1e9)
        there = (newest >= 0) & (taken[np.maximum(newest, 0)] >= oldest)
        windows = replace(
            windows,
            last=windows.last[there[windows.last]],
            waveforms={**windows.waveforms, wave.waveform: (wave.points, newest)},
        )
        if not len(windows):
            raise RecordingError(f"no block of '{wave.waveform}' belongs to an instant of the recording; do their times fit?")
    return windows


def context_of(grid: GridValues, names: Sequence[str], windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n_windows, n_names) the numbers of the texts at the end of each window, -1 where missing; and (n_instants, n_names) at
    which row each had changed last."""
    texts = grid.value[:, [grid.signals.index(name) for name in names]]
    newest = np.nan_to_num(texts, nan=-1.0).astype(np.int64)
    row = np.arange(len(texts))[:, None]
    differs = np.zeros_like(newest, np.bool_)
    # a missing text is no change, but the next one is compared with the last that was there
    last_there = np.maximum.accumulate(np.where(newest >= 0, row, 0), axis=0)
    known = np.take_along_axis(newest, last_there, axis=0)
    differs[1:] = (known[1:] != known[:-1]) & (known[:-1] >= 0)
    last_change = np.maximum.accumulate(np.where(differs, row, 0), axis=0)
    return newest[windows.last], last_change


def check(recording: Recording, names: Sequence[str]) -> None:
    """Raise `RecordingError` for what no model can be learnt from, in one sentence that names column or row."""
    if missing := [name for name in names if name not in recording.values]:
        raise RecordingError(
            f"{recording.path}: has no column for {', '.join(missing)} of '{recording.asset}'; "
            "add it, or leave the signal out with --without"
        )
    step = np.diff(recording.time)
    if (step <= 0).any():
        row = int(np.argmax(step <= 0)) + 1
        fault = "the same time as the row before" if step[row - 1] == 0 else "an earlier time than the row before"
        time = format_time(int(recording.time[row]))
        raise RecordingError(f"{recording.path}: {time} has {fault}; each row needs its own time, in order")
    for name in names:
        column = recording.values[name]
        found = column[~np.isnan(column)]
        if not len(found):
            raise RecordingError(
                f"{recording.path}: '{name}' has no values in the chosen rows; leave it out with --without {name}"
            )
        if np.abs(found).max() > np.finfo(np.float32).max:
            raise RecordingError(
                f"{recording.path}: '{name}' reaches {np.abs(found).max():g}, more than a model can take (3.4e38)"
            )
        if found.min() == found.max():
            raise RecordingError(
                f"{recording.path}: '{name}' is always {found[0]:g} in the chosen rows, so a model would alarm at its first "
                f"change; choose rows in which it varies, or leave it out with --without {name}"
            )


def content_hash(recording: Recording, names: Sequence[str]) -> str:
    """SHA-256 over what was learnt from, the same for a CSV file and a Parquet file of the same values."""
    digest = hashlib.sha256()
    for part in _content(recording, names):
        digest.update(part)
    return digest.hexdigest()


def _content(recording: Recording, names: Sequence[str]) -> Iterator[bytes]:
    yield recording.time.astype("<i8").tobytes()
    for name in names:
        yield name.encode()
        # one bit pattern for every missing value
        yield np.where(np.isnan(recording.values[name]), np.nan, recording.values[name]).astype("<f8").tobytes()


def _numbers(column: "pd.Series[float]", path: Path | str) -> NDArray[np.float64]:
    try:
        numbers = column.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: column '{column.name}' should hold numbers: {error}") from None
    if np.isinf(numbers).any():
        raise RecordingError(f"{path}: column '{column.name}' is infinite in row {int(np.argmax(np.isinf(numbers))) + 1}")
    return np.asarray(numbers)


def _times(column: "pd.Series[pd.Timestamp]", path: Path | str, zone: ZoneInfo | None) -> NDArray[np.int64]:
    """ns since 1970 UTC."""
    if pd.api.types.is_numeric_dtype(column):
        raise RecordingError(f"{path}: column '{column.name}' holds numbers; it should hold times")
    try:
        times = pd.to_datetime(column, utc=zone is None)
        if zone is not None and times.dt.tz is None:
            times = times.dt.tz_localize(zone, ambiguous="infer")
        times = times.dt.tz_convert("UTC")
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: column '{column.name}' should hold times: {error}") from None
    if times.isna().any():
        raise RecordingError(f"{path}: column '{column.name}' has no time in row {int(np.argmax(times.isna())) + 1}")
    return np.asarray(times.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64))
