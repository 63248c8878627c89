"""Recordings as CSV: one row per instant, one column per signal, as the simulator writes and most plants export."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.formats.json_message import format_time, parse_time

TIME_COLUMNS = ("time", "datetime", "timestamp", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The signals of one asset over time, in the plant file's names and units.

    time:    (n_rows,) int64, ns since 1970 UTC, in the order of the file
    values:  for each signal (n_rows,) float64, NaN where the cell is empty: no sample there
    texts:   for each text signal the table its values index
    others:  (n_rows,) float64 for each further column that was asked for, such as labels
    """

    path: str
    asset: str
    time: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    texts: dict[str, TextTable] = field(default_factory=dict)
    others: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, start: int, stop: int | None = None) -> "Recording":
        """The rows from `start` up to `stop`."""
        part = slice(start, stop)
        return Recording(
            path=self.path,
            asset=self.asset,
            time=self.time[part],
            values={name: column[part] for name, column in self.values.items()},
            texts=self.texts,
            others={name: column[part] for name, column in self.others.items()},
        )

    def coded(self, tables: Mapping[str, TextTable]) -> "Recording":
        """The same, with the texts numbered by these tables, which get what they do not have yet."""
        values, texts = dict(self.values), dict(self.texts)
        for name, table in self.texts.items():
            if name in tables:
                numbers = np.array([*(tables[name].code(text) for text in table.texts), np.nan])
                missing = np.isnan(values[name])
                values[name] = numbers[np.where(missing, -1, np.nan_to_num(values[name])).astype(np.int64)]
                texts[name] = tables[name]
        return replace(self, values=values, texts=texts)

    def batches(self, plant: Plant, rows_per_batch: int = 256) -> Iterator[SampleBatch]:
        """All samples as batches; within a batch row by row, and nothing for empty cells."""
        names = list(self.values)
        signal = np.array([plant.signal_index[self.asset, name] for name in names], np.int32)
        for start in range(0, len(self), rows_per_batch):
            block = np.column_stack([self.values[name][start : start + rows_per_batch] for name in names])
            time = np.repeat(self.time[start : start + rows_per_batch], len(names))
            value = block.ravel()
            there = ~np.isnan(value)
            quality = np.full(int(there.sum()), Quality.GOOD, np.uint8)
            yield SampleBatch(signal=np.tile(signal, len(block))[there], time=time[there], value=value[there], quality=quality)


def read_csv(path: Path | str, plant: Plant, asset: str, others: Sequence[str] = ()) -> Recording:
    """Read a recording of `asset`; separators , ; and tab are told apart by the header.

    Columns are found by the signal's name, or its `column` in the plant file. Times without a zone are taken as UTC.
    Raises `RecordingError` that names the file and the column or row.
    """
    path = Path(path)
    if asset not in plant.assets:
        raise RecordingError(f"{path}: the plant has no asset '{asset}'; possible: {', '.join(plant.assets)}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            delimiter = max(",;\t", key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
            cells = list(csv.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from None
    position = {name.strip(): index for index, name in enumerate(names)}
    time_column = next((name for name in position if name.lower() in TIME_COLUMNS), None)
    if time_column is None:
        raise RecordingError(f"{path}: has no time column; one should be named {', '.join(TIME_COLUMNS)}")
    if not cells:
        raise RecordingError(f"{path}: has a header but no rows")
    for number, row in enumerate(cells, start=2):
        if len(row) != len(names):
            raise RecordingError(f"{path}: row {number} has {len(row)} cells; the header has {len(names)}")
    columns = list(zip(*cells, strict=True))
    signals = plant.assets[asset].signals
    present = {name: column for name, signal in signals.items() for column in (name, signal.column) if column in position}
    if not present:
        expected = ", ".join(signal.column or name for name, signal in signals.items())
        raise RecordingError(f"{path}: has no column of '{asset}'; expected {expected}")
    values, texts = {}, {}
    for name, column in present.items():
        raw = columns[position[column]]
        if name in plant.assets[asset].context:
            table = texts[name] = TextTable()
            values[name] = np.array([table.code(text) if text else np.nan for text in raw], np.float64)
        else:
            values[name] = _numbers(raw, path, column)
    for column in others:
        if column not in position:
            raise RecordingError(f"{path}: has no column '{column}'; there are {', '.join(position)}")
    return Recording(
        path=str(path),
        asset=asset,
        time=_times(columns[position[time_column]], path, time_column),
        values=values,
        texts=texts,
        others={column: _numbers(columns[position[column]], path, column) for column in others},
    )


def write_csv(path: Path | str, recording: Recording) -> None:
    """Write what `read_csv` reads back the same."""
    names = [*recording.values, *recording.others]
    columns = [_cells(recording, name) for name in names]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *names])
        writer.writerows(zip((format_time(time) for time in recording.time.tolist()), *columns, strict=True))


def _cells(recording: Recording, name: str) -> list[str]:
    column = recording.values[name] if name in recording.values else recording.others[name]
    table = recording.texts.get(name)
    return ["" if value != value else table.text(int(value)) if table else repr(value) for value in column.tolist()]


def _numbers(cells: Sequence[str], path: Path, column: str) -> NDArray[np.float64]:
    numbers = np.full(len(cells), np.nan)
    for index, cell in enumerate(cells):
        if cell and (text := cell.strip()):
            try:
                numbers[index] = float(text)
            except ValueError:
                raise RecordingError(f"{path}: row {index + 2}, column '{column}': '{cell}' is not a number") from None
    if np.isinf(numbers).any():
        raise RecordingError(f"{path}: row {int(np.argmax(np.isinf(numbers))) + 2}, column '{column}': is infinite")
    return numbers


def _times(cells: Sequence[str], path: Path, column: str) -> NDArray[np.int64]:
    times = np.empty(len(cells), np.int64)
    for index, cell in enumerate(cells):
        text = cell.strip().replace(" ", "T")
        try:
            # the wire's form first; what plants export without a zone is UTC
            zoned = text[-1:] in "Zz" or "+" in text or text.count("-") > 2
            times[index] = parse_time(text) if zoned else parse_time(_full(text) + "Z")
        except ValueError:
            raise RecordingError(f"{path}: row {index + 2}, column '{column}': '{cell}' is not a time") from None
    return times


def _full(text: str) -> str:
    """A local time with its seconds, however many of its parts were written."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC).isoformat().removesuffix("+00:00") if "." not in text else text
