"""Every result enters the journal on disk before it is published.

One SQLite file (WAL): the entries with their sequence numbers, and the pipeline's state. Alarms and the entries they
gave stand in one transaction, so that a kill at any moment leaves both or neither. A wiped journal gets a new id and
starts at 1, so that its numbers are never taken for those of the old one.

Entries and state carry a CRC-32: what a disk has changed is never taken for what was written. A damaged entry is told as such;
where the file itself is no longer sound it is set aside, and another journal begun.
"""

import io
import logging
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.assessment import Assessment
from edge.contracts.assessment_table import AssessmentTable
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case, CaseState
from edge.contracts.errors import KullagerError, MessageError
from edge.contracts.performance import Performance
from edge.contracts.topics import Topics
from edge.formats.assessment_json import encode_table
from edge.formats.json_message import SCHEMA, Identity, decode, encode
from edge.sqlite_damage import check, is_damage, set_aside

logger = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 2 << 30
DEFAULT_MAX_AGE_S: Final = 14 * 86400.0
# how many entries go at a time when the journal is trimmed: a short pause, not a long one
TRIM_STEP: Final = 10_000
# so many damaged entries are named in the log
MOST_TOLD: Final = 20

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, written REAL NOT NULL, topic TEXT NOT NULL,
                                  clears INTEGER NOT NULL, payload BLOB NOT NULL, crc INTEGER);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, content BLOB NOT NULL, crc INTEGER);
"""


Result = Assessment | Alarm | Case | Performance | ModelAudit


class JournalError(KullagerError):
    """The journal cannot be opened or written."""


class Entry(NamedTuple):
    """One message of the journal. `clears`: its topic has nothing to keep, the alarm or case is over.

    One that the disk has damaged has no topic, and says so with its number.
    """

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
            try:
                self._open()
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._db.close()
                set_aside(self.path, error)
                self._open()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self.path}: the journal cannot be opened: {error}") from None
        return self

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None)
        # a text that is none any more is damage of its entry alone
        self._db.text_factory = lambda content: content.decode(errors="replace")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        for table in ("entry", "fact"):
            if "crc" not in {column for _, column, *_ in self._db.execute(f"PRAGMA table_info({table})")}:
                # of a version that had none: what it wrote is believed
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN crc INTEGER")
        check(self._db, self.path)
        self.is_damaged = False
        self._told: set[int] = set()
        self.id = (self._fact("id") or str(uuid.uuid4()).encode()).decode()
        self._put_fact("id", self.id.encode())
        self._trimmed_to = int(self._fact("trimmed_to") or 0)
        self.last_seq = self._last()

    def _last(self) -> int:
        """The newest number. Where the newest entries are damaged their numbers are not believed: only how many they are."""
        unsound = 0
        rows = self._db.execute("SELECT seq, topic, payload, clears, crc FROM entry ORDER BY seq DESC LIMIT 1000")
        for seq, *rest in rows:
            if self._entry(seq, *rest).topic:
                self._db.execute("DELETE FROM entry WHERE seq > ?", (seq + unsound,))
                return int(seq) + unsound
            unsound += 1
        return self._trimmed_to + unsound

    def begin_another(self) -> None:
        """Set the damaged file aside. Raises `JournalError` where not even that can be done."""
        try:
            self._db.close()
            set_aside(self.path, "it cannot be read")
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self.path}: the journal cannot be opened: {error}") from None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    @property
    def trimmed_before(self) -> int:
        """The first number that is still there."""
        return self._trimmed_to + 1

    def append(
        self,
        results: Iterable[Result | AssessmentTable],
        now: float,
        reached: Sequence[int],
        open_alarms: tuple[Iterable[Alarm], Iterable[str], Iterable[Case]] | None = None,
    ) -> list[Entry]:
        """Write results in one transaction with what they leave behind. `now`: s since 1970.

        reached:     for each group of the pipeline the last instant that was assessed
        open_alarms: the open alarms, the ids of those whose condition holds, and the open cases, where they have changed
        """
        entries: list[Entry] = []
        for result in results:
            entries += self._entries(result, self.last_seq + 1 + len(entries))
        if not entries:
            return []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)",
                [(e.seq, now, e.topic, e.clears, e.payload, _crc(e.seq, e.topic, e.clears, e.payload)) for e in entries],
            )
            self._put_fact("reached", " ".join(map(str, reached)).encode())
            if open_alarms is not None:
                alarms_now, holding, cases = open_alarms
                self._put_fact("alarms", b"\n".join(encode(alarm) for alarm in alarms_now))
                self._put_fact("holding", "\n".join(holding).encode())
                self._put_fact("cases", b"\n".join(encode(case) for case in cases))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.is_damaged |= is_damage(error)
            raise JournalError(f"{self.path}: cannot be written: {error}") from None
        self.last_seq = entries[-1].seq
        return entries

    def _entries(self, result: Result | AssessmentTable, first: int) -> list[Entry]:
        """What is written of a result, or of each in a table, numbered from `first` on."""
        if not isinstance(result, AssessmentTable):
            topic, clears = self._address(result)
            payload = encode(result, Identity(edge=self._edge, journal=self.id, seq=first))
            return [Entry(seq=first, topic=topic, payload=payload, clears=clears)]
        topics = [self._topics.assessment(result.assets[row]) for row in result.told]
        payloads = encode_table(result, self._edge, self.id, first)
        return [
            Entry(seq=seq, topic=topic, payload=payload, clears=False)
            for seq, (topic, payload) in enumerate(zip(topics, payloads, strict=True), first)
        ]

    def _address(self, result: Result) -> tuple[str, bool]:
        """The topic of a result, and whether nothing is left there to keep."""
        match result:
            case Assessment(asset=asset):
                return self._topics.assessment(asset), False
            case Alarm(asset=asset, alarm_id=alarm_id, state=state):
                return self._topics.alarm(asset, alarm_id), state is AlarmState.NORMAL
            case Case(asset=asset, case_id=case_id):
                return self._topics.case(asset, case_id), result.state is CaseState.CLOSED
            case Performance(asset=asset):
                return self._topics.performance(asset), False
            case ModelAudit(edge=edge):
                return self._topics.edge_audit(edge), False

    def read(self, first: int, last: int, at_most: int) -> list[Entry]:
        """The entries from `first` to `last` that have not been trimmed, `at_most` of them."""
        first = max(first, self.trimmed_before)
        last = min(last, self.last_seq, first + at_most - 1)
        try:
            rows = self._db.execute(
                "SELECT seq, topic, payload, clears, crc FROM entry WHERE seq BETWEEN ? AND ?", (first, last)
            ).fetchall()
        except sqlite3.Error as error:
            # a disk that fails for a while is asked again; a damaged file is replaced by whoever owns this
            self.is_damaged |= is_damage(error)
            logger.error("%s: cannot be read: %s", self.path, error)
            return []
        found = {seq: rest for seq, *rest in rows}
        return [self._entry(seq, *found.get(seq, (None, None, None, None))) for seq in range(first, last + 1)]

    def _entry(self, seq: int, topic: Any, payload: Any, clears: Any, crc: Any) -> Entry:
        # a flipped bit may make another type of a column
        is_sound = isinstance(topic, str) and isinstance(payload, bytes) and isinstance(clears, int)
        if is_sound and (crc is None or crc == _crc(seq, topic, bool(clears), payload)):
            return Entry(seq=seq, topic=topic, payload=payload, clears=bool(clears))
        if seq not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(seq)
            logger.error("%s: result number %d is not what was written: it is told as damaged", self.path, seq)
        body = {"schema": SCHEMA, "edge": self._edge, "journal": self.id, "seq": seq, "kind": "damaged"}
        return Entry(seq=seq, topic="", payload=orjson.dumps(body), clears=False)

    def open_alarms(self) -> tuple[list[Alarm], list[str]]:
        """The alarms that were open when the last results were written, and the ids of those whose condition held."""
        lines = (self._fact("alarms") or b"").splitlines()
        try:
            alarms = [decode(Alarm, line, f"{self.path}: alarms") for line in lines]
        except MessageError as error:
            raise JournalError(str(error)) from None
        return alarms, (self._fact("holding") or b"").decode().split()

    def open_cases(self) -> list[Case]:
        """The cases that were open when the last results were written."""
        try:
            return [decode(Case, line, f"{self.path}: cases") for line in (self._fact("cases") or b"").splitlines()]
        except MessageError as error:
            raise JournalError(str(error)) from None

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
        """Keep how far the broker has everything. Raises `JournalError`; readers then get some of it twice, which they know."""
        try:
            self._put_fact("published", str(seq).encode())
        except sqlite3.Error as error:
            self.is_damaged |= is_damage(error)
            raise JournalError(f"{self.path}: cannot be written: {error}") from None

    def trim(self, now: float) -> int:
        """Drop the oldest entries beyond age or size, a bounded number at a time; how many. Raises `JournalError`."""
        try:
            return self._trim(now)
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.is_damaged |= is_damage(error)
            raise JournalError(f"{self.path}: cannot be trimmed: {error}") from None

    def _trim(self, now: float) -> int:
        (pages,), (free,), (page_size,) = (
            self._db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * page_size > self._max_bytes:
            rows = self._db.execute("SELECT seq FROM entry ORDER BY seq LIMIT ?", (TRIM_STEP,))
        else:
            # only of the oldest: to look at all of them each second costs more than to write them
            rows = self._db.execute(
                "SELECT seq FROM (SELECT seq, written FROM entry ORDER BY seq LIMIT ?) WHERE written < ?",
                (TRIM_STEP if self._oldest_is_due(now) else 0, now - self._max_age_s),
            )
        last = max((seq for (seq,) in rows), default=None)
        if last is None:
            return 0
        self._db.execute("BEGIN IMMEDIATE")
        dropped = self._db.execute("DELETE FROM entry WHERE seq <= ?", (last,)).rowcount
        self._put_fact("trimmed_to", str(last).encode())
        self._db.execute("COMMIT")
        self._trimmed_to = last
        logger.warning("%s: %d old results were dropped, up to number %d", self.path, dropped, last)
        return dropped

    def _oldest_is_due(self, now: float) -> bool:
        oldest = self._db.execute("SELECT written FROM entry ORDER BY seq LIMIT 1").fetchone()
        return oldest is not None and oldest[0] < now - self._max_age_s

    def _fact(self, name: str) -> bytes | None:
        try:
            row = self._db.execute("SELECT content, crc FROM fact WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            self.is_damaged |= is_damage(error)
            logger.error("%s: '%s' cannot be read: %s", self.path, name, error)
            return None
        if row is None:
            return None
        content, crc = row
        # a flipped bit may make another type of it
        if not isinstance(content, bytes) or (crc is not None and crc != zlib.crc32(content)):
            logger.error("%s: '%s' is not what was written, and is left aside", self.path, name)
            return None
        return content

    def _put_fact(self, name: str, content: bytes) -> None:
        self._db.execute(
            "INSERT INTO fact VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content, crc = excluded.crc",
            (name, content, zlib.crc32(content)),
        )


def _crc(seq: int, topic: str, clears: bool, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(f"{seq} {topic} {clears:d} ".encode()))
