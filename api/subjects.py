"""Alarms and cases in the database: what their edges told last of each, and every change that they went through."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sql
from sqlalchemy.engine import Connection, RowMapping

from api.arrivals import Cleared, Result
from api.database import alarms, cases, results
from edge.contracts.alarm import AlarmState
from edge.contracts.case import CaseState

# when it changed, the number of that in its journal, and its id
Place = tuple[int, int, str]
TABLES: Final = {"alarm": alarms, "case": cases}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    alarm_id: str
    edge: str
    asset: str
    state: str
    is_open: bool
    changed: int
    seq: int
    message: bytes

    @property
    def place(self) -> Place:
        return self.changed, self.seq, self.alarm_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    case_id: str
    edge: str
    asset: str
    state: str
    is_open: bool
    changed: int
    seq: int
    message: bytes

    @property
    def place(self) -> Place:
        return self.changed, self.seq, self.case_id


def write_subjects(
    connection: Connection, fresh: Sequence[Result], edges: Mapping[int, str], cleared: Collection[Cleared]
) -> None:
    """Bring the alarms and cases that `fresh` speaks of, already written, to what their newest entry says.

    edges: of the journals, by their number in the database
    """
    columns = results.c
    for kind, subject in dict.fromkeys((result.kind, result.subject) for result in fresh if result.subject is not None):
        table = TABLES[kind]
        query = (
            sql.select(columns.journal_id, columns.seq, columns.asset, columns.state, columns.time, columns.message)
            .where(columns.subject == subject, columns.kind == kind)
            .order_by(columns.journal_id.desc(), columns.seq.desc())
            .limit(1)
        )
        newest = connection.execute(query).one()
        values = {
            "edge": edges[newest.journal_id],
            "asset": newest.asset,
            "state": newest.state,
            "is_open": newest.state not in (AlarmState.NORMAL, CaseState.CLOSED),
            "changed": newest.time,
            "seq": newest.seq,
            "message": newest.message,
        }
        changed = connection.execute(table.update().where(_key(table) == subject).values(values))
        if changed.rowcount == 0:
            connection.execute(table.insert().values({_key(table).name: subject, **values}))
    for each in cleared:
        table = TABLES[each.kind]
        connection.execute(table.update().where(_key(table) == each.subject).values(is_open=False))


def newest_rows(
    connection: Connection,
    table: sql.Table,
    *,
    only_open: bool,
    asset: str | None,
    between: tuple[int, int] | None,
    before: Place | None,
    at_most: int,
) -> Sequence[RowMapping]:
    """Of the alarms or the cases, the one that changed last first; `between` when it changed [ns since 1970 UTC]; `before` the
    place of one."""
    order = (table.c.changed, table.c.seq, _key(table))
    query = sql.select(table).order_by(*(column.desc() for column in order)).limit(at_most)
    if only_open:
        query = query.where(table.c.is_open)
    if asset is not None:
        query = query.where(table.c.asset == asset)
    if between is not None:
        query = query.where(table.c.changed.between(*between))
    if before is not None:
        query = query.where(sql.tuple_(*order) < sql.tuple_(*before))
    return connection.execute(query).mappings().all()


def one_row(connection: Connection, table: sql.Table, subject: str) -> RowMapping | None:
    """The alarm or the case of this id."""
    return connection.execute(sql.select(table).where(_key(table) == subject)).mappings().one_or_none()


def history(connection: Connection, kind: str, subject: str) -> list[bytes]:
    """Every change of one alarm or case, the oldest first."""
    columns = results.c
    query = sql.select(columns.message).where(columns.subject == subject, columns.kind == kind)
    return list(connection.scalars(query.order_by(columns.time, columns.seq)))


def changes(connection: Connection, kind: str, first: int, last: int, at_most: int) -> list[bytes]:
    """The newest changes of all alarms or cases from `first` to `last` [ns since 1970 UTC], the oldest first."""
    columns, table = results.c, TABLES[kind]
    query = (
        sql.select(columns.message)
        # asset by asset, which the index has; all results would have to be looked through otherwise
        .where(columns.asset.in_(sql.select(table.c.asset).distinct()))
        .where(columns.kind == kind, columns.time.between(first, last))
        .order_by(columns.time.desc(), columns.seq.desc())
        .limit(at_most)
    )
    return list(connection.scalars(query))[::-1]


def unchanged_since(connection: Connection, time: int) -> list[bytes]:
    """The alarms that are open and have been as they are since before `time` [ns since 1970 UTC], the oldest first."""
    query = sql.select(alarms.c.message).where(alarms.c.is_open, alarms.c.changed < time)
    return list(connection.scalars(query.order_by(alarms.c.changed)))


def _key(table: sql.Table) -> sql.Column[str]:
    (column,) = table.primary_key.columns
    return column
