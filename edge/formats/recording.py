"""Recordings as CSV: one row per instant, one column per signal, as the simulator writes and most plants export."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Asset, Plant
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.formats.json_message import format_time, parse_time
from edge.formats.units import Conversion, conversion, like, unit_of

TIME_COLUMNS = ("time", "datetime", "timestamp", "date")
SAME = Conversion(1.0, 0.0)
# `pressure [kPa]`, `pressure (kPa)`
_WITH_UNIT = re.compile(r"(.*\S)\s*[\[(]([^\[\]()]*(?:\[[^\[\]]*\])?[^\[\]()]*)[\])]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The signals of one asset over time, in the plant file's names and units.

    time:    (n_rows,) int64, ns since 1970 UTC, in the order of the file
    values:  for each signal (n_rows,) float64, NaN where the cell is empty: no sample there
    texts:   for each text signal the table its values index
    others:  (n_rows,) float64 for each further column that was asked for, such as labels
    bad:     for each signal that had any (n_rows,) bool, where a sample of bad quality came: its value is NaN
    """

    path: str
    asset: str
    time: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    texts: dict[str, TextTable] = field(default_factory=dict)
    others: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    bad: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

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
            bad={name: column[part] for name, column in self.bad.items()},
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
        names, none = list(self.values), np.zeros(len(self), np.bool_)
        signal = np.array([plant.signal_index[self.asset, name] for name in names], np.int32)
        for start in range(0, len(self), rows_per_batch):
            rows = slice(start, start + rows_per_batch)
            value = np.column_stack([self.values[name][rows] for name in names]).ravel()
            bad = np.column_stack([self.bad.get(name, none)[rows] for name in names]).ravel()
            there = ~np.isnan(value) | bad
            time = np.repeat(self.time[rows], len(names))
            yield SampleBatch(
                signal=np.tile(signal, len(value) // len(names))[there],
                time=time[there],
                value=value[there],
                quality=np.where(bad[there], Quality.BAD, Quality.GOOD).astype(np.uint8),
            )


@dataclass(frozen=True, slots=True)
class Column:
    """Where a signal stands in a table, and how its numbers become the plant file's unit."""

    column: str
    conversion: Conversion

    def converted(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        return numbers if self.conversion == SAME else numbers * self.conversion.factor + self.conversion.offset


def find_columns(
    header: Sequence[str], asset: Asset, asset_id: str, path: Path | str, others: Sequence[str] = ()
) -> dict[str, Column]:
    """Of each signal that is there its column: by its name or its `column`, with a unit in brackets where that differs.

    `pressure [kPa]` is converted where the plant file says bar. Raises `RecordingError` for a unit of another quantity, for a
    signal that is there twice, for no signal at all, and for a further column (`others`) that is missing.
    """
    with_unit = {match[1]: (column, match[2]) for column in header if (match := _WITH_UNIT.fullmatch(column))}
    found = {}
    for name, signal in asset.signals.items():
        for wanted in (signal.column or name, name):
            if wanted in header:
                found[name] = Column(wanted, SAME)
                break
            if wanted in with_unit:
                column, unit = with_unit[wanted]
                found[name] = Column(column, _conversion(path, column, unit, signal.unit))
                break
    if not found:
        expected = ", ".join(signal.column or name for name, signal in asset.signals.items())
        raise RecordingError(f"{path}: has no column of '{asset_id}'; expected {expected}")
    if missing := [column for column in others if column not in header]:
        raise RecordingError(f"{path}: has no column '{missing[0]}'; there are {', '.join(header)}")
    return found


def _conversion(path: Path | str, column: str, unit: str, wanted: str) -> Conversion:
    known = unit_of(unit)
    found = conversion(known, wanted) if known else None
    if found is None:
        fault = f"is in {known}, which is no {wanted}" if known else f"is in '{unit}', a unit that is not known here"
        raise RecordingError(
            f"{path}: column '{column}' {fault}; the plant file says {wanted}: possible are {', '.join(like(wanted))}"
        )
    return found


def read_csv(path: Path | str, plant: Plant, asset: str, others: Sequence[str] = (), zone: ZoneInfo | None = None) -> Recording:
    """Read a recording of `asset`; separators , ; and tab are told apart by the header.

    Columns are found by the signal's name, or its `column` in the plant file, with its unit in brackets where that is
    another: see `find_columns`. Times without a zone are those of a clock on the wall of `zone`, UTC where none is given.
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
    values, texts = {}, {}
    for name, found in find_columns(list(position), plant.assets[asset], asset, path, others).items():
        raw = columns[position[found.column]]
        if name in plant.assets[asset].context:
            table = texts[name] = TextTable()
            values[name] = np.array([table.code(text) if text else np.nan for text in raw], np.float64)
        else:
            values[name] = found.converted(_numbers(raw, path, found.column))
    return Recording(
        path=str(path),
        asset=asset,
        time=_times(columns[position[time_column]], path, time_column, zone),
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


def _times(cells: Sequence[str], path: Path | str, column: str, zone: ZoneInfo | None) -> NDArray[np.int64]:
    times = np.empty(len(cells), np.int64)
    for index, cell in enumerate(cells):
        text = cell.strip().replace(" ", "T")
        try:
            # the wire's form first
            zoned = text[-1:] in "Zz" or "+" in text or text.count("-") > 2
            if zoned or zone is None:
                times[index] = parse_time(text if zoned else _full(text) + "Z")
            else:
                times[index] = _of_wall(datetime.fromisoformat(text), zone, int(times[index - 1]) if index else 0)
        except ValueError as error:
            why = f" ({error})" if isinstance(error, _NoSuchTime) else ""
            raise RecordingError(f"{path}: row {index + 2}, column '{column}': '{cell}' is not a time{why}") from None
    return times


class _NoSuchTime(ValueError):
    pass


def _of_wall(moment: datetime, zone: ZoneInfo, before: int) -> int:
    """ns UTC of a clock on the wall; the hour that comes twice in autumn is the second where the first would go back."""
    time = moment.replace(tzinfo=zone)
    if time.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise _NoSuchTime(f"clocks of {zone} skip it")
    found = _nanoseconds(time)
    return found if found > before else _nanoseconds(time.replace(fold=1))


def _nanoseconds(time: datetime) -> int:
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def _full(text: str) -> str:
    """A local time with its seconds, however many of its parts were written."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC).isoformat().removesuffix("+00:00") if "." not in text else text
