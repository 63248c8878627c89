"""How long results are kept: the oldest are forgotten, by age and by size, in steps. Alarms and cases keep their last state."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from api.database import journals, results, summaries
from api.summaries import SECOND_NS, WIDTHS_S
from edge.contracts.errors import KullagerError

DAY_NS: Final = 86_400 * SECOND_NS
# whatever the limits say: who resumes a stream is caught up from these
KEPT_ANYWAY: Final = 50_000
AT_ONCE: Final = 2000
PARAMETERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The limits; 0 for without one. The size is that of a SQLite database: others keep the room of what is deleted, so that
    a limit on theirs would forget everything.
    """

    days: int = 400
    megabytes: int = 20_000

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """From `KULLAGER_API_KEEP_DAYS` and `KULLAGER_API_KEEP_MB`; raises `KullagerError`."""
        found = {}
        for name, variable in (("days", "KULLAGER_API_KEEP_DAYS"), ("megabytes", "KULLAGER_API_KEEP_MB")):
            if (text := environ.get(variable)) is not None:
                if not (text.isascii() and text.isdigit() and len(text) <= 9):
                    raise KullagerError(f"{variable}: '{text}' should be a whole number, or 0 for without a limit")
                found[name] = int(text)
        return cls(**found)

    def warning(self, dialect: str) -> str | None:
        """What to say at the start of a database of this dialect, as SQLAlchemy names it; None where both limits hold."""
        if dialect == "sqlite" or not self.megabytes:
            return None
        age = f"results go after {self.days} days" if self.days else "without KULLAGER_API_KEEP_DAYS nothing is forgotten"
        return f"KULLAGER_API_KEEP_MB limits SQLite alone: by its size a database of {dialect} is not limited; {age}"


class Trimming(NamedTuple):
    """What a step has done: how many results it has forgotten, after which event to go on, and whether that is needed."""

    forgotten: int
    after: int
    more: bool


def trim_some(connection: Connection, keep: Keep, oldest: int, after: int, newest_id: int) -> Trimming:
    """Forget those of the next results, in the order in which they came, that are older than `oldest` [ns since 1970 UTC], or
    all of them while the database is too large.

    What stands beyond a gap of its journal stays: forgotten, it would be asked for again.
    """
    too_large = bool(keep.megabytes) and used_bytes(connection) > keep.megabytes * 1_000_000
    if not too_large and not keep.days:
        return Trimming(0, 0, False)
    columns = results.c
    query = (
        sql.select(columns.event_id, columns.asset, columns.kind, columns.time, columns.journal_id, columns.seq)
        .where(columns.event_id > after, columns.event_id <= newest_id - KEPT_ANYWAY)
        .order_by(columns.event_id)
        .limit(AT_ONCE)
    )
    rows = connection.execute(query).all()
    whole = {row.journal_id: row.contiguous for row in connection.execute(sql.select(journals))}
    past = [row for row in rows if too_large or (keep.days and row.time < oldest)]
    gone = [row for row in past if row.seq <= whole.get(row.journal_id, 0)]
    for begin in range(0, len(gone), PARAMETERS):
        some = [row.event_id for row in gone[begin : begin + PARAMETERS]]
        connection.execute(results.delete().where(columns.event_id.in_(some)))
    _forget_summaries(connection, gone)
    more = len(rows) == AT_ONCE and bool(past)
    return Trimming(len(gone), rows[-1].event_id if more else 0, more)


def used_bytes(connection: Connection) -> int:
    """What the database holds, without what has been freed in it; 0 where it is none of SQLite."""
    if connection.dialect.name != "sqlite":
        return 0
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _forget_summaries(connection: Connection, gone: Sequence[Any]) -> None:
    """The summaries that know nothing but what is gone."""
    times: dict[str, list[int]] = defaultdict(list)
    for row in gone:
        if row.kind == "assessment":
            times[row.asset].append(row.time)
    forgotten = [row.event_id for row in gone]
    if not forgotten:
        return
    columns = summaries.c
    known = (columns.lowest_id, columns.highest_id, columns.first_withheld_id, columns.last_withheld_id)
    for asset, told in times.items():
        for width_s in WIDTHS_S:
            width = width_s * SECOND_NS
            connection.execute(
                summaries.delete().where(
                    columns.asset == asset,
                    columns.width_s == width_s,
                    columns.start.between(min(told) // width * width, max(told)),
                    *(sql.or_(column.is_(None), column <= max(forgotten)) for column in known),
                )
            )
