"""Every result enters the journal on disk before it is published.

One SQLite file (WAL): the entries with their sequence numbers, and the pipeline's state. Alarms and the entries they
gave stand in one transaction, so that a kill at any moment leaves both or neither. A wiped journal gets a new id and
starts at 1, so that its numbers are never taken for those of the old one.
"""

import io
import logging
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.errors import KullagerError, MessageError
from edge.contracts.topics import Topics
from edge.formats.json_message import Identity, decode, encode

logger = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 2 << 30
DEFAULT_MAX_AGE_S: Final = 14 * 86400.0
# how many entries go at a time when the journal is trimmed: a short pause, not a long one
TRIM_STEP: Final = 10_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, written REAL NOT NULL, topic TEXT NOT NULL,
                                  clears INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, content BLOB NOT NULL);
"""


class JournalError(KullagerError):
    """The journal cannot be opened or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of the journal. `clears`: its topic has nothing to keep, the alarm is over."""

    seq: int
    topic: str
    payload: bytes
    clears: bool


class Journal:
    """Open with `with Journal(...)`. Bounded by age and size; what was trimmed is below `trimmed_before`."""

    def __init__(
        self,
        path: Path,
        *,
        edge: str,
        topics: Topics,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_s: float = DEFAULT_MAX_AGE_S,
    ) -> None:
        self.path, self._edge, self._topics = path, edge, topics
        self._max_bytes, self._max_age_s = max_bytes, max_age_s

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self.path}: the journal cannot be opened: {error}") from None
        self.id = (self._fact("id") or str(uuid.uuid4()).encode()).decode()
        self._put_fact("id", self.id.encode())
        (last,) = self._db.execute("SELECT max(seq) FROM entry").fetchone()
        self.last_seq = int(last or self._fact("trimmed_to") or 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    @property
    def trimmed_before(self) -> int:
        """The first number that is still there."""
        return int(self._fact("trimmed_to") or 0) + 1

    def append(
        self,
        assessments: Sequence[Assessment],
        alarms: Sequence[Alarm],
        now: float,
        reached: Sequence[int],
        open_alarms: tuple[Iterable[Alarm], Iterable[str]] | None = None,
    ) -> list[Entry]:
        """Write results in one transaction with what they leave behind. `now`: s since 1970.

        reached:     for each group of the pipeline the last instant that was assessed
        open_alarms: the open alarms and the ids of those whose condition holds, where they have changed
        """
        entries, seq = [], self.last_seq
        for message, topic, clears in (
            *((a, self._topics.assessment(a.asset), False) for a in assessments),
            *((a, self._topics.alarm(a.asset, a.alarm_id), a.state == "normal") for a in alarms),
        ):
            seq += 1
            payload = encode(message, Identity(edge=self._edge, journal=self.id, seq=seq))
            entries.append(Entry(seq=seq, topic=topic, payload=payload, clears=clears))
        if not entries:
            return []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?)", [(e.seq, now, e.topic, e.clears, e.payload) for e in entries]
            )
            self._put_fact("reached", " ".join(map(str, reached)).encode())
            if open_alarms is not None:
                alarms_now, holding = open_alarms
                self._put_fact("alarms", b"\n".join(encode(alarm) for alarm in alarms_now))
                self._put_fact("holding", "\n".join(holding).encode())
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise JournalError(f"{self.path}: cannot be written: {error}") from None
        self.last_seq = seq
        return entries

    def read(self, first: int, last: int, at_most: int) -> list[Entry]:
        """The entries from `first` to `last` that are still there, `at_most` of them."""
        rows = self._db.execute(
            "SELECT seq, topic, payload, clears FROM entry WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (first, last, at_most),
        )
        return [Entry(seq=seq, topic=topic, payload=payload, clears=bool(clears)) for seq, topic, payload, clears in rows]

    def open_alarms(self) -> tuple[list[Alarm], list[str]]:
        """The alarms that were open when the last results were written, and the ids of those whose condition held."""
        lines = (self._fact("alarms") or b"").splitlines()
        try:
            alarms = [decode(Alarm, line, f"{self.path}: alarms") for line in lines]
        except MessageError as error:
            raise JournalError(str(error)) from None
        return alarms, (self._fact("holding") or b"").decode().split()

    def reached(self) -> list[int]:
        """For each group of the pipeline the last instant whose assessment is in the journal."""
        return [int(time) for time in (self._fact("reached") or b"").split()]

    def save_state(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Keep the pipeline's state for a restart."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub mistakes the names for its own arguments
        try:
            self._put_fact("state", buffer.getvalue())
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot be written: {error}") from None

    def load_state(self) -> dict[str, NDArray[np.generic]] | None:
        """The state last saved; None where there is none."""
        content = self._fact("state")
        if content is None:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)

    def published(self) -> int:
        """The number up to which the broker has acknowledged everything."""
        return int(self._fact("published") or 0)

    def set_published(self, seq: int) -> None:
        self._put_fact("published", str(seq).encode())

    def trim(self, now: float) -> int:
        """Drop the oldest entries beyond age or size, a bounded number at a time; how many were dropped."""
        (pages,), (free,), (page_size,) = (
            self._db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * page_size > self._max_bytes:
            rows = self._db.execute("SELECT seq FROM entry ORDER BY seq LIMIT ?", (TRIM_STEP,))
        else:
            rows = self._db.execute(
                "SELECT seq FROM entry WHERE written < ? ORDER BY seq LIMIT ?", (now - self._max_age_s, TRIM_STEP)
            )
        last = max((seq for (seq,) in rows), default=None)
        if last is None:
            return 0
        self._db.execute("BEGIN IMMEDIATE")
        dropped = self._db.execute("DELETE FROM entry WHERE seq <= ?", (last,)).rowcount
        self._put_fact("trimmed_to", str(last).encode())
        self._db.execute("COMMIT")
        logger.warning("%s: %d old results were dropped, up to number %d", self.path, dropped, last)
        return dropped

    def _fact(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT content FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _put_fact(self, name: str, content: bytes) -> None:
        self._db.execute("INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET content = excluded.content", (name, content))
