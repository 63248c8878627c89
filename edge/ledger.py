"""Every interval without data, by signal: from when to when, why, and how much of it was read back later.

A gap begins when a signal has brought nothing for longer than its `stale_s`, and ends with its next sample; it reaches from the
last sample to the next. It is kept in SQLite, so that a restart of the edge is a gap, too, and not a silence.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import SampleBatch
from edge.sqlite_damage import check, is_damage, set_aside

logger = logging.getLogger(__name__)

NEVER: Final = np.iinfo(np.int64).min
KEEP_S: Final = 400 * 86_400.0
MOST_GAPS: Final = 200_000
NOT_RUNNING: Final = "the edge was not running"
NOTHING_CAME: Final = "the source was connected, and nothing came"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS gap (id INTEGER PRIMARY KEY, asset TEXT NOT NULL, signal TEXT NOT NULL, source TEXT NOT NULL,
                                first INTEGER, last INTEGER, cause TEXT NOT NULL, recovered INTEGER NOT NULL DEFAULT 0,
                                noticed REAL NOT NULL);
CREATE INDEX IF NOT EXISTS gap_open ON gap (last) WHERE last IS NULL;
CREATE TABLE IF NOT EXISTS newest (asset TEXT NOT NULL, signal TEXT NOT NULL, time INTEGER NOT NULL,
                                   PRIMARY KEY (asset, signal));
"""


class LedgerError(KullagerError):
    """The ledger cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Without data from `first` to `last` [ns UTC]; `first` None: ever, `last` None: still. `recovered`: samples read back."""

    asset: str
    signal: str
    source: str
    first: int | None
    last: int | None
    cause: str
    recovered: int


class Ledger:
    """Open with `with Ledger(...)`; tell it what came (`saw`), let it `look` each second. Failures of the disk are told once.

    cause_of: of a source what is wrong with it, None while it is connected; now: s of a clock that only goes on
    """

    def __init__(self, path: Path, plant: Plant, cause_of: Callable[[str], str | None]) -> None:
        self.path, self._plant, self._cause_of = path, plant, cause_of
        rows = plant.signal_table
        self._names = [(row.asset, row.name) for row in rows]
        self._stale = np.array([row.signal.stale_s for row in rows])
        self._newest: NDArray[np.int64] = np.full(len(rows), NEVER, np.int64)
        self._heard = np.zeros(len(rows))
        # the number of the gap that is open, or 0
        self._open = np.zeros(len(rows), np.int64)
        self._of_source = {name: np.array([row.index for row in plant.signals_of(name)], np.int64) for name in plant.sources}
        self._begun: float | None = None
        # samples that came after newer ones of their signal
        self.out_of_order = 0
        self.problem: str | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._open_file()
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                set_aside(self.path, error)
                self._open_file()
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
            self._db = sqlite3.connect(":memory:", isolation_level=None)
            self._db.executescript(_SCHEMA)
        return self

    def _open_file(self) -> None:
        db = sqlite3.connect(self.path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
            check(db, self.path)
        except sqlite3.Error:
            db.close()
            raise
        self._db = db
        self._resume()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    @property
    def newest(self) -> dict[int, int]:
        """By number of the signal the time of its newest sample [ns UTC], of those that ever had one."""
        there = np.flatnonzero(self._newest != NEVER)
        return dict(zip(there.tolist(), self._newest[there].tolist(), strict=True))

    def silent(self, source: str) -> int:
        """How many signals of a source have an open gap."""
        return int(np.count_nonzero(self._open[self._of_source[source]]))

    def saw(self, batch: SampleBatch, now: float) -> None:
        """Samples came; gaps of their signals end."""
        signal = batch.signal
        if self._open[signal].any():
            for index in np.unique(signal[self._open[signal] > 0]).tolist():
                self._end(index, int(batch.time[signal == index].min()))
        self.out_of_order += int((batch.time < self._newest[signal]).sum())
        np.maximum.at(self._newest, signal, batch.time)
        self._heard[signal] = now

    def look(self, now: float, wall: float) -> None:
        """Open the gaps of signals that have been silent for too long. wall: s since 1970."""
        if self._begun is None:
            self._begun = now
            self._heard[:] = now
        silent = np.flatnonzero((now - self._heard > self._stale) & (self._open == 0))
        if not len(silent):
            return
        causes = {name: self._cause_of(name) or NOTHING_CAME for name in self._plant.sources}
        self._write(lambda: self._begin(silent.tolist(), causes, wall))

    def recovered(self, batch: SampleBatch) -> None:
        """Samples were read back: they are counted in the newest gap of their signal that they lie in."""
        rows = self._plant.signal_table

        def count() -> None:
            for index in np.unique(batch.signal).tolist():
                times = batch.time[batch.signal == index]
                self._db.execute(
                    "UPDATE gap SET recovered = recovered + ? WHERE id = (SELECT max(id) FROM gap "
                    "WHERE asset = ? AND signal = ? AND coalesce(first, 0) <= ? AND coalesce(last, ?) >= ?)",
                    (len(times), rows[index].asset, rows[index].name, int(times.max()), int(times.max()), int(times.min())),
                )

        self._write(count)

    def save(self, owed: Mapping[int, int] | None = None) -> None:
        """Keep when each signal was heard last, so that the next start knows what it missed.

        owed: by signal the time from where its past has still to be read back, which is what the next start has to know
        """
        names = self._names
        newest = [(*names[index], time) for index, time in {**self.newest, **(owed or {})}.items()]

        def keep() -> None:
            # at once: each by itself is a transaction of its own, and costs ten times as much
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?, ?)", newest)
            self._db.execute("COMMIT")

        self._write(keep)

    def trim(self, wall: float) -> None:
        """Drop what is old, and the oldest of too many."""

        def drop() -> None:
            self._db.execute("DELETE FROM gap WHERE noticed < ? AND last IS NOT NULL", (wall - KEEP_S,))
            self._db.execute("DELETE FROM gap WHERE id <= (SELECT max(id) FROM gap) - ? AND last IS NOT NULL", (MOST_GAPS,))

        self._write(drop)

    def gaps(self, asset: str | None = None) -> list[Gap]:
        """All that are kept, the newest first."""
        return gaps_in(self._db, asset)

    def _resume(self) -> None:
        """The signals go on where the last run ended: for all of them there is a gap since then."""
        number = {(row.asset, row.name): row.index for row in self._plant.signal_table}
        for asset, signal, time in self._db.execute("SELECT asset, signal, time FROM newest"):
            if (index := number.get((asset, signal))) is not None:
                self._newest[index] = time
        for gap, asset, signal in self._db.execute("SELECT id, asset, signal FROM gap WHERE last IS NULL").fetchall():
            if (index := number.get((asset, signal))) is not None:
                self._open[index] = gap
            else:
                # it is no longer in the plant file
                self._db.execute("UPDATE gap SET last = coalesce(first, 0) WHERE id = ?", (gap,))
        known = np.flatnonzero((self._newest != NEVER) & (self._open == 0)).tolist()
        self._begin(known, dict.fromkeys(self._plant.sources, NOT_RUNNING), 0.0)

    def _begin(self, signals: Sequence[int], causes: Mapping[str, str], wall: float) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for index in signals:
            row = self._plant.signal_table[index]
            first = int(self._newest[index]) if self._newest[index] != NEVER else None
            found = self._db.execute(
                "INSERT INTO gap (asset, signal, source, first, cause, noticed) VALUES (?, ?, ?, ?, ?, ?)",
                (row.asset, row.name, row.signal.source, first, causes[row.signal.source], wall),
            )
            self._open[index] = found.lastrowid or 0
        self._db.execute("COMMIT")

    def _end(self, index: int, time: int) -> None:
        gap, self._open[index] = int(self._open[index]), 0
        row = self._plant.signal_table[index]

        def end() -> None:
            if self._newest[index] != NEVER and time - self._newest[index] <= row.signal.stale_s * 1e9:
                # it was back before anybody missed it: the edge was restarted quickly, or its clock ran ahead
                self._db.execute("DELETE FROM gap WHERE id = ?", (gap,))
            else:
                self._db.execute("UPDATE gap SET last = max(?, coalesce(first, 0)) WHERE id = ?", (time, gap))

        self._write(end)

    def _write(self, work: Callable[[], object]) -> None:
        try:
            work()
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._fail(error)
        else:
            self.problem = None

    def _fail(self, error: Exception) -> None:
        if self.problem is None:
            logger.error("%s: gaps cannot be written down: %s", self.path, error)
        self.problem = f"{self.path}: gaps cannot be written down: {error}"


def gaps_of(path: Path, asset: str | None = None) -> list[Gap]:
    """The gaps of an edge that runs or not. Raises `LedgerError` where there is no ledger."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return gaps_in(db, asset)
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: cannot be read: {error}; an edge makes it when it runs") from None


def gaps_in(db: sqlite3.Connection, asset: str | None = None) -> list[Gap]:
    """The gaps of a ledger's file, the newest first."""
    rows = db.execute(
        "SELECT asset, signal, source, first, last, cause, recovered FROM gap WHERE ? IS NULL OR asset = ? ORDER BY id DESC",
        (asset, asset),
    )
    names = ("asset", "signal", "source", "first", "last", "cause", "recovered")
    return [Gap(**dict(zip(names, row, strict=True))) for row in rows]
