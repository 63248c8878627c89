"""Recordings as Parquet, by asset and day: made of the recorder's closed logs, and kept as long as the plant file says.

    recordings/asset=pump-101/day=2026-11-27/….parquet      time, signal, value, text, quality, recovered

A row is a sample as it came: `time` (UTC), `value` in the plant file's unit, or `text` of a text signal, `quality` good,
uncertain or bad, and whether it was `recovered`, read back from a server's history after an absence. pandas and DuckDB read
the folder, or one machine's, as one table. Files are written whole or not at all and carry checksums. Of a day that is over
the parts become one file.

The edge runs this in a process of its own, so that neither memory nor failures are the edge's.
"""

import fcntl
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge import logs
from edge.contracts.errors import RecordingError
from edge.contracts.plant import RecordingSettings
from edge.contracts.sample_batch import Quality, SampleBatch
from edge.formats.sample_log import RECOVERED, SampleLog, read_log

logger = logging.getLogger(__name__)

DAY_NS: Final = 86_400_000_000_000
WHOLE_DAY: Final = "day.parquet"
PARTS: Final = b"kullager.parts"
WORD: Final = pa.dictionary(pa.int32(), pa.string())
QUALITIES: Final = [quality.name.lower() for quality in Quality]
SCHEMA: Final = pa.schema(
    {
        "time": pa.timestamp("ns", "UTC"),
        "signal": WORD,
        "value": pa.float64(),
        "text": WORD,
        "quality": WORD,
        "recovered": pa.bool_(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDay:
    """What there is of one asset and day."""

    asset: str
    day: str
    rows: int
    n_bytes: int


def tidy(folder: Path, settings: RecordingSettings, now: float) -> None:
    """Make Parquet of all closed logs, one file of each day that is over, and room. `now`: s since 1970.

    A crash at any moment leaves logs or parts that the next call takes up again. Raises `RecordingError` where the disk does
    not take it; nothing is lost then.
    """
    with _alone(folder):
        try:
            for path in sorted(folder.glob("*.klog")):
                _convert(path)
            today = _day_of(round(now * 1e9))
            for day in sorted(folder.glob("asset=*/day=*")):
                if day.name.removeprefix("day=") < today:
                    _merge(day)
            _make_room(folder, settings, now)
        except OSError as error:
            raise RecordingError(
                f"{error.filename or folder}: {error.strerror or error}; the logs stay until it works"
            ) from None


def recorded(folder: Path) -> list[RecordedDay]:
    """What there is, by asset and day."""
    found = []
    for day in sorted(folder.glob("asset=*/day=*")):
        files = list(day.glob("*.parquet"))
        found.append(
            RecordedDay(
                asset=day.parent.name.removeprefix("asset="),
                day=day.name.removeprefix("day="),
                rows=sum(pq.read_metadata(path).num_rows for path in files),
                n_bytes=sum(path.stat().st_size for path in files),
            )
        )
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for another process that tidies the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _convert(path: Path) -> None:
    log = read_log(path)
    if log.damaged > log.cut_off:
        logger.error("%s: %d bytes are damaged; the samples in them are left out", path, log.damaged - log.cut_off)
    if log.batches:
        samples = SampleBatch.joined(log.batches)
        assets = sorted({signal.asset for signal in log.signals})
        of_asset = np.array([assets.index(signal.asset) for signal in log.signals], np.int64)[samples.signal]
        day = samples.time // DAY_NS
        for number, asset in enumerate(assets):
            for each in np.unique(day[of_asset == number]).tolist():
                rows = np.flatnonzero((of_asset == number) & (day == each))
                rows = rows[np.argsort(samples.time[rows], kind="stable")]
                place = path.parent / f"asset={asset}" / f"day={_day_of(each * DAY_NS)}" / f"{path.stem}.parquet"
                _write(place, [_table(samples, rows, log)])
    path.unlink()


def _table(samples: SampleBatch, rows: NDArray[np.int64], log: SampleLog) -> pa.Table:
    signal, value = samples.signal[rows], samples.value[rows]
    texts = sorted({text for table in log.texts.values() for text in table.values()})
    text = np.full(len(rows), -1, np.int32)
    for number, table in log.texts.items():
        of_it = np.flatnonzero((signal == number) & ~np.isnan(value))
        text[of_it] = [texts.index(table[code]) if code in table else -1 for code in value[of_it].astype(np.int64).tolist()]
    is_text = np.array([each.is_text for each in log.signals])[signal]
    quality = samples.quality[rows] & ~RECOVERED
    names = pa.array([each.name for each in log.signals], pa.string())
    return pa.table(
        {
            "time": pa.array(samples.time[rows], pa.timestamp("ns", "UTC")),
            "signal": pa.DictionaryArray.from_arrays(pa.array(signal), names),
            "value": pa.array(np.where(is_text, np.nan, value), from_pandas=True),
            "text": pa.DictionaryArray.from_arrays(pa.array(text, mask=text < 0), pa.array(texts, pa.string())),
            "quality": pa.DictionaryArray.from_arrays(pa.array(quality.astype(np.int32)), pa.array(QUALITIES)),
            "recovered": pa.array(samples.quality[rows] >= RECOVERED),
        },
        SCHEMA,
    )


def _write(path: Path, tables: Iterable[pa.Table], parts: Sequence[str] = ()) -> None:
    """A file whole or not at all, which says of which parts it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    schema = SCHEMA.with_metadata({PARTS: orjson.dumps(parts)})
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in tables:
                writer.write_table(table)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _merge(day: Path) -> None:
    """Of the parts of a day one file; what a crash left as part and within the day's file goes as part."""
    whole = day / WHOLE_DAY
    done: list[str] = orjson.loads((pq.read_schema(whole).metadata or {}).get(PARTS, b"[]")) if whole.exists() else []
    for name in done:
        (day / name).unlink(missing_ok=True)
    parts = sorted(path for path in day.glob("*.parquet") if path != whole)
    if not parts:
        return
    try:
        _write(whole, map(_read, [*[whole] * whole.exists(), *parts]), [part.name for part in parts])
    except pa.ArrowException as error:
        logger.error("%s: a part is damaged, so they stay apart: %s", day, error)
        return
    for part in parts:
        part.unlink()


def _read(path: Path) -> pa.Table:
    return pq.ParquetFile(path, page_checksum_verification=True).read()


def _make_room(folder: Path, settings: RecordingSettings, now: float) -> None:
    """Whole days go, the oldest first."""
    days: dict[str, list[Path]] = {}
    for path in folder.glob("asset=*/day=*"):
        days.setdefault(path.name.removeprefix("day="), []).append(path)
    oldest = _day_of(round((now - settings.keep_days * 86_400) * 1e9))
    size = {day: sum(file.stat().st_size for path in paths for file in path.glob("*")) for day, paths in days.items()}
    total = sum(size.values())
    for day in sorted(days):
        if day >= oldest and total <= settings.max_gb * 1e9:
            break
        for path in days[day]:
            shutil.rmtree(path)
        total -= size[day]
        logger.info(
            "%s: the recordings of %s are gone, after %g days or beyond %g GB", folder, day, settings.keep_days, settings.max_gb
        )


def _day_of(time: int) -> str:
    return datetime.fromtimestamp(time / 1e9, UTC).strftime("%Y-%m-%d")


def main(folder: str, keep_days: str, max_gb: str) -> int:
    logs.configure(os.environ)
    os.nice(10)
    try:
        tidy(Path(folder), RecordingSettings(keep_days=float(keep_days), max_gb=float(max_gb)), time.time())
    except RecordingError as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
