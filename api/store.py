"""What the api remembers: results, the newest state of alarms, edge statuses, journal cursors and losses.

SQLite in WAL mode by default; any database SQLAlchemy speaks to, by its URL. One process writes, in one transaction
per batch; readers run beside it. Every row that goes out on the stream has an event id from one increasing count.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.arrivals import Cleared, Result, StatusReport
from api.cursor import JournalCursor, Span
from api.database import (
    StoreError,
    alarms,
    cases,
    journals,
    losses,
    make_safe,
    metadata,
    progress,
    results,
    statuses,
    summaries,
)
from api.retention import Keep, Trimming, trim_some
from api.subjects import AlarmRow, CaseRow, Place, changes, history, newest_rows, one_row, unchanged_since, write_subjects
from api.summaries import (
    Backlog,
    Scored,
    all_scores,
    backlog,
    begin_backlog,
    end_step,
    next_scored,
    summarise,
    summarised_scores,
)
from edge.contracts.status import EdgeStatus
from edge.formats.json_message import decode

Journal = tuple[str, str]  # edge, journal id
MAX_PARAMETERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the stream: `kind` is that of the message, `message` its JSON; `asset` is empty for what concerns none."""

    event_id: int
    kind: str
    message: bytes
    asset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Entries of a journal that will never come: `first` to `last`, why, and when that was noticed [ns since 1970 UTC]."""

    edge: str
    journal: str
    first: int
    last: int
    reason: str
    noticed: int


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one transaction writes: everything that arrived, and the cursors as they stand after it."""

    results: list[Result] = field(default_factory=list)
    statuses: dict[str, StatusReport] = field(default_factory=dict)
    cleared: set[Cleared] = field(default_factory=set)
    losses: list[Loss] = field(default_factory=list)
    cursors: dict[Journal, JournalCursor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newest:
    """The newest assessment of an asset, and the edge that made it; `order` is that of the edge's journals."""

    edge: str
    order: tuple[int, int]
    time: int
    message: bytes

    def is_newer_than(self, other: "_Newest") -> bool:
        """Of one edge by its journals, which a clock that is set back does not turn; of two edges by time."""
        return self.order > other.order if self.edge == other.edge else self.time > other.time


class Store:
    """Open one with `Store(open_engine(url))`; `close()` it at the end. Methods block: call them from threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._newest: dict[str, _Newest] = {}
        try:
            self._prepare(engine)
            with engine.connect() as connection:
                self.newest_event_id = self._newest_event_id(connection)
                self.backlog = backlog(connection)
                self._journal_ids: dict[Journal, int] = {
                    (row.edge, row.journal): row.journal_id for row in connection.execute(sql.select(journals))
                }
        except SQLAlchemyError as error:
            raise StoreError(f"the database {make_safe(str(engine.url))} cannot be used: {error}") from None

    def _prepare(self, engine: Engine) -> None:
        """Make the tables. What was stored before there were summaries is summarised later, beside everything else."""
        before = sql.inspect(engine)
        if before.has_table(results.name) and not before.has_table(summaries.name):
            progress.create(engine, checkfirst=True)
            with engine.begin() as connection:
                if backlog(connection) is None:
                    begin_backlog(connection, self._newest_event_id(connection))
        metadata.create_all(engine)

    @property
    def dialect(self) -> str:
        """What kind of database it is, as SQLAlchemy calls it."""
        return self._engine.dialect.name

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that writes, for what people enter; only one writes at a time."""
        with self._writing, self._engine.begin() as connection:
            yield connection

    def connect(self) -> Connection:
        """A connection that reads."""
        return self._engine.connect()

    # -- writing

    def write(self, batch: Batch) -> list[Event]:
        """Write a batch in one transaction; the events are those that were not there before, in their order."""
        with self._writing:
            with self._engine.begin() as connection:
                journal_ids = self._write_cursors(connection, batch)
                known = {**self._journal_ids, **journal_ids}
                fresh = self._fresh(connection, batch.results, known)
                events = self._write_results(connection, fresh, known)
                write_subjects(connection, fresh, {number: edge for (edge, _), number in known.items()}, batch.cleared)
                events += self._write_statuses(connection, batch.statuses.values(), self.newest_event_id + len(events))
                self._write_losses(connection, batch.losses, known)
                self._take_back_losses(connection, fresh, known)
            # only now: a transaction that failed is written again with the same numbers
            self._journal_ids.update(journal_ids)
            self.newest_event_id += len(events)
            self._keep_newest(fresh)
        return events

    def _keep_newest(self, fresh: Sequence[Result]) -> None:
        for result in fresh:
            if result.kind != "assessment":
                continue
            edge = result.identity.edge
            order = self._journal_ids[edge, result.identity.journal], result.identity.seq
            known = self._newest.get(result.asset) or self._newest_by_time(result.asset)
            found = _Newest(edge=edge, order=order, time=result.time, message=result.payload)
            self._newest[result.asset] = found if known is None or found.is_newer_than(known) else known

    def _write_cursors(self, connection: Connection, batch: Batch) -> dict[Journal, int]:
        new: dict[Journal, int] = {}
        for (edge, journal), cursor in batch.cursors.items():
            values = {"contiguous": cursor.contiguous, "announced": cursor.announced}
            if (journal_id := self._journal_ids.get((edge, journal))) is not None:
                connection.execute(journals.update().where(journals.c.journal_id == journal_id).values(values))
            else:
                inserted = connection.execute(journals.insert().values(edge=edge, journal=journal, **values))
                assert inserted.inserted_primary_key is not None  # noqa: S101  # an insert into a table with a key
                new[edge, journal] = inserted.inserted_primary_key[0]
        return new

    def _fresh(self, connection: Connection, arrived: Sequence[Result], ids: dict[Journal, int]) -> list[Result]:
        """The results that are not stored yet, each once. The database itself is asked: it cannot be wrong about itself."""
        unique = {(r.identity.edge, r.identity.journal, r.identity.seq): r for r in arrived}
        wanted: dict[Journal, list[int]] = defaultdict(list)
        for edge, journal, seq in unique:
            wanted[edge, journal].append(seq)
        for (edge, journal), numbers in wanted.items():
            for start in range(0, len(numbers), MAX_PARAMETERS):
                some = numbers[start : start + MAX_PARAMETERS]
                stored = sql.select(results.c.seq).where(results.c.journal_id == ids[edge, journal], results.c.seq.in_(some))
                for seq in connection.scalars(stored):
                    del unique[edge, journal, seq]
        return list(unique.values())

    def _write_results(self, connection: Connection, fresh: Sequence[Result], ids: dict[Journal, int]) -> list[Event]:
        if not fresh:
            return []
        numbered = list(enumerate(fresh, self.newest_event_id + 1))
        connection.execute(
            results.insert(),
            [
                {
                    "event_id": event_id,
                    "journal_id": ids[result.identity.edge, result.identity.journal],
                    "seq": result.identity.seq,
                    "kind": result.kind,
                    "asset": result.asset,
                    "subject": result.subject,
                    "time": result.time,
                    "state": result.state,
                    "score": result.score,
                    "message": result.payload,
                }
                for event_id, result in numbered
            ],
        )
        assessed = (
            Scored(event_id, result.asset, result.time, result.score)
            for event_id, result in numbered
            if result.kind == "assessment"
        )
        summarise(connection, assessed)
        return [
            Event(event_id=event_id, kind=result.kind, message=result.payload, asset=result.asset)
            for event_id, result in numbered
        ]

    def _write_statuses(self, connection: Connection, reports: Iterable[StatusReport], newest: int) -> list[Event]:
        events: list[Event] = []
        for report in reports:
            edge, time = report.status.edge, report.status.time
            present = connection.execute(sql.select(statuses).where(statuses.c.edge == edge)).mappings().one_or_none()
            if present is not None and present["message"] == report.payload:
                continue
            event = Event(event_id=newest + len(events) + 1, kind="status", message=report.payload)
            values = {"event_id": event.event_id, "time": time, "message": report.payload}
            if present is None:
                connection.execute(statuses.insert().values(edge=edge, **values))
            else:
                connection.execute(statuses.update().where(statuses.c.edge == edge).values(values))
            events.append(event)
        return events

    def _write_losses(self, connection: Connection, named: Sequence[Loss], ids: dict[Journal, int]) -> None:
        if named:
            connection.execute(
                losses.insert(),
                [
                    {
                        "journal_id": ids[loss.edge, loss.journal],
                        "first": loss.first,
                        "last": loss.last,
                        "reason": loss.reason,
                        "noticed": loss.noticed,
                    }
                    for loss in named
                ],
            )

    def _take_back_losses(self, connection: Connection, fresh: Sequence[Result], ids: dict[Journal, int]) -> None:
        """What came after all, having been on its way when it was given up, is no loss."""
        arrived: dict[int, set[int]] = defaultdict(set)
        for result in fresh:
            arrived[ids[result.identity.edge, result.identity.journal]].add(result.identity.seq)
        for journal_id, numbers in arrived.items():
            for row in connection.execute(sql.select(losses).where(losses.c.journal_id == journal_id)).mappings().all():
                inside = sorted(seq for seq in numbers if row["first"] <= seq <= row["last"])
                if not inside:
                    continue
                connection.execute(losses.delete().where(losses.c.loss_id == row["loss_id"]))
                rest = [(before + 1, after - 1) for before, after in pairwise([row["first"] - 1, *inside, row["last"] + 1])]
                for first, last in rest:
                    if first <= last:
                        same = {key: row[key] for key in ("journal_id", "reason", "noticed")}
                        connection.execute(losses.insert().values(first=first, last=last, **same))

    # -- upkeep, in steps short enough that results need not wait for them

    def summarise_step(self, events: int) -> bool:
        """Summarise some of what came before there were summaries; whether more is left."""
        left = self.backlog
        if left is None:
            return False
        with self._engine.connect() as connection:
            scored = next_scored(connection, left, events)
        done = min(left.done + events, left.last)
        with self.begin() as connection:
            summarise(connection, scored)
            end_step(connection, done)
        self.backlog = Backlog(done, left.last) if done < left.last else None
        return self.backlog is not None

    @property
    def summarised_share(self) -> float:
        """How much is, of what came before there were summaries."""
        left = self.backlog
        return 1.0 if left is None else left.done / left.last

    def trim_step(self, keep: Keep, oldest: int, after: int) -> Trimming:
        """Forget some of the oldest results, beginning after event `after`; see `api.retention`."""
        with self.begin() as connection:
            return trim_some(connection, keep, oldest, after, self.newest_event_id)

    # -- reading

    def cursors(self) -> dict[Journal, JournalCursor]:
        """Each journal's cursor, with what is stored beyond its contiguous part."""
        cursors: dict[Journal, JournalCursor] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(sql.select(journals)):
                cursor = JournalCursor(row.contiguous, row.announced)
                beyond = sql.and_(results.c.journal_id == row.journal_id, results.c.seq > row.contiguous)
                for seq in connection.scalars(sql.select(results.c.seq).where(beyond).order_by(results.c.seq)):
                    cursor.receive(seq)
                for loss in connection.execute(
                    sql.select(losses.c.first, losses.c.last).where(
                        losses.c.journal_id == row.journal_id, losses.c.last > row.contiguous
                    )
                ):
                    cursor.lose(Span(loss.first, loss.last))
                cursors[row.edge, row.journal] = cursor
        return cursors

    def latest(self, asset: str) -> bytes | None:
        """The newest assessment of an asset: by the order of its journal, so that a late one never replaces it."""
        newest = self._newest.get(asset) or self._newest_by_time(asset)
        return newest.message if newest is not None else None

    def edge_of(self, asset: str) -> str | None:
        """The edge that has made the newest assessment of an asset."""
        newest = self._newest.get(asset) or self._newest_by_time(asset)
        return newest.edge if newest is not None else None

    def latest_time(self, asset: str) -> int | None:
        newest = self._newest.get(asset) or self._newest_by_time(asset)
        return newest.time if newest is not None else None

    def _newest_by_time(self, asset: str) -> _Newest | None:
        """What is taken for the newest until this process has written one: it is found in a moment."""
        query = (
            sql.select(results.c.journal_id, results.c.seq, results.c.time, results.c.message, journals.c.edge)
            .join_from(results, journals, results.c.journal_id == journals.c.journal_id)
            .where(results.c.asset == asset, results.c.kind == "assessment")
            .order_by(results.c.time.desc(), results.c.seq.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return _Newest(edge=row.edge, order=(row.journal_id, row.seq), time=row.time, message=row.message)

    def scores(self, asset: str, first: int, last: int, rows: int) -> Iterator[Sequence[Any]]:
        """(event_id, time, score) of the assessments from `first` to `last` [ns since 1970 UTC], in parts of `rows`."""
        with self._engine.connect() as connection:
            yield from all_scores(connection, asset, first, last, rows)

    def summarised(self, asset: str, first: int, last: int, width_s: int) -> list[Sequence[Any]]:
        """The same, of every `width_s` seconds only those that a plot of a long time must show."""
        with self._engine.connect() as connection:
            return summarised_scores(connection, asset, first, last, width_s)

    def assessments_between(self, asset: str, first: int, last: int, at_most: int) -> int:
        """How many there are from `first` to `last` [ns since 1970 UTC], counted no further than `at_most`."""
        some = (
            sql.select(results.c.event_id)
            .where(results.c.asset == asset, results.c.kind == "assessment", results.c.time.between(first, last))
            .limit(at_most)
        )
        with self._engine.connect() as connection:
            return connection.scalar(sql.select(sql.func.count()).select_from(some.subquery())) or 0

    def all_messages(self, asset: str, first: int, last: int, rows: int) -> Iterator[list[bytes]]:
        """The assessments from `first` to `last` [ns since 1970 UTC], in order of time, in parts of `rows`."""
        query = (
            sql.select(results.c.message)
            .where(results.c.asset == asset, results.c.kind == "assessment", results.c.time.between(first, last))
            .order_by(results.c.time, results.c.seq)
        )
        with self._engine.connect() as connection:
            for part in connection.execution_options(yield_per=rows).execute(query).scalars().partitions():
                yield list(part)

    def messages(self, event_ids: Sequence[int]) -> list[bytes]:
        """The messages of these events, in this order."""
        found: dict[int, bytes] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(event_ids), MAX_PARAMETERS):
                some = event_ids[start : start + MAX_PARAMETERS]
                query = sql.select(results.c.event_id, results.c.message).where(results.c.event_id.in_(some))
                found.update((row.event_id, row.message) for row in connection.execute(query))
        # one that has been forgotten in between is not there
        return [found[event_id] for event_id in event_ids if event_id in found]

    def alarms(
        self,
        *,
        only_open: bool,
        asset: str | None,
        at_most: int,
        between: tuple[int, int] | None = None,
        before: Place | None = None,
    ) -> list[AlarmRow]:
        """The one that changed last first; `between` when it changed [ns since 1970 UTC]; `before` the place of one."""
        with self._engine.connect() as connection:
            rows = newest_rows(
                connection, alarms, only_open=only_open, asset=asset, between=between, before=before, at_most=at_most
            )
        return [AlarmRow(**row) for row in rows]

    def alarm(self, alarm_id: str) -> AlarmRow | None:
        with self._engine.connect() as connection:
            row = one_row(connection, alarms, alarm_id)
        return AlarmRow(**row) if row is not None else None

    def alarm_messages(self, alarm_id: str) -> list[bytes]:
        """Every change of an alarm, the oldest first."""
        with self._engine.connect() as connection:
            return history(connection, "alarm", alarm_id)

    def alarm_changes(self, first: int, last: int, at_most: int) -> list[bytes]:
        """The newest changes of all alarms from `first` to `last` [ns since 1970 UTC], the oldest first; before them how those
        are that have been open without a change since before `first`."""
        with self._engine.connect() as connection:
            return unchanged_since(connection, first) + changes(connection, "alarm", first, last, at_most)

    def cases(
        self,
        *,
        only_open: bool,
        asset: str | None,
        at_most: int,
        between: tuple[int, int] | None = None,
        before: Place | None = None,
    ) -> list[CaseRow]:
        """The one that changed last first; `between` when it changed [ns since 1970 UTC]; `before` the place of one."""
        with self._engine.connect() as connection:
            rows = newest_rows(
                connection, cases, only_open=only_open, asset=asset, between=between, before=before, at_most=at_most
            )
        return [CaseRow(**row) for row in rows]

    def case(self, case_id: str) -> CaseRow | None:
        with self._engine.connect() as connection:
            row = one_row(connection, cases, case_id)
        return CaseRow(**row) if row is not None else None

    def case_messages(self, case_id: str) -> list[bytes]:
        """Every change of a case, the oldest first."""
        with self._engine.connect() as connection:
            return history(connection, "case", case_id)

    def of_kind(self, kind: str, asset: str, first: int, last: int, at_most: int) -> list[bytes]:
        """The newest messages of a kind from `first` to `last` [ns since 1970 UTC], of one asset, the oldest first.

        asset: empty for what concerns an edge as a whole
        """
        columns = results.c
        query = (
            sql.select(columns.message)
            .where(columns.asset == asset, columns.kind == kind, columns.time.between(first, last))
            .order_by(columns.time.desc(), columns.seq.desc())
            .limit(at_most)
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(query))[::-1]

    def statuses(self) -> list[tuple[EdgeStatus, bytes]]:
        with self._engine.connect() as connection:
            rows = connection.scalars(sql.select(statuses.c.message).order_by(statuses.c.edge)).all()
        return [(decode(EdgeStatus, message, "the database"), message) for message in rows]

    def losses(self) -> list[Loss]:
        query = (
            sql.select(journals.c.edge, journals.c.journal, losses)
            .join_from(losses, journals, losses.c.journal_id == journals.c.journal_id)
            .order_by(losses.c.loss_id)
        )
        with self._engine.connect() as connection:
            return [
                Loss(edge=r.edge, journal=r.journal, first=r.first, last=r.last, reason=r.reason, noticed=r.noticed)
                for r in connection.execute(query)
            ]

    def events_after(self, event_id: int, at_most: int) -> list[Event]:
        """The next events after this one; of the statuses of an edge only the newest is kept."""
        kinds = (
            sql.select(results.c.event_id, results.c.kind, results.c.message, results.c.asset).where(
                results.c.event_id > event_id
            ),
            sql.select(statuses.c.event_id, sql.literal("status"), statuses.c.message, sql.literal("")).where(
                statuses.c.event_id > event_id
            ),
        )
        found: list[Event] = []
        with self._engine.connect() as connection:
            for query in kinds:
                rows = connection.execute(query.order_by(query.selected_columns[0]).limit(at_most))
                found += [Event(event_id=row[0], kind=row[1], message=row[2], asset=row[3]) for row in rows]
        return sorted(found, key=lambda event: event.event_id)[:at_most]

    @staticmethod
    def _newest_event_id(connection: Connection) -> int:
        newest = (connection.scalar(sql.select(sql.func.max(table.c.event_id))) for table in (results, statuses))
        return max(event_id or 0 for event_id in newest)
