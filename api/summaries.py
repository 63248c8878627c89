"""What a plot of a long time must show, kept beside the assessments: so that a year is looked at as fast as an hour.

Of every minute and every hour the lowest and the highest score are known, and the first and the last assessment without one.
They come out the same whatever the order in which assessments arrive.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from api.database import progress, results, summaries

WIDTHS_S: Final = (60, 600, 3600, 21_600)
SECOND_NS: Final = 1_000_000_000
# so many assessments or summaries are read and sorted in a part of a second
MOST_ASSESSMENTS: Final = 12_000
MOST_SUMMARIES: Final = 6_000
ROWS_AT_ONCE: Final = 20_000
AT_ONCE: Final = 200
TASK: Final = "summaries"


class Scored(NamedTuple):
    """An assessment by its event id; `time` in ns since 1970 UTC, `score` None where it was withheld."""

    event_id: int
    asset: str
    time: int
    score: float | None


class Backlog(NamedTuple):
    """Events up to `done` are summarised, those after it up to `last` are not."""

    done: int
    last: int


Key = tuple[str, int, int]  # asset, width_s, start
# lowest (score, time, id), highest (-score, time, id), first withheld (time, id), last withheld (-time, id): of two the smaller
# one stays, and of equals the earlier, so that the order of arrival does not matter
Summary = list[tuple[Any, ...] | None]


def width_for(span_ns: int) -> int:
    """The width [s] of summaries to look at for a span of time.

    >>> [width_for(days * 86_400 * 1_000_000_000) for days in (1, 31, 200, 999)]
    [60, 600, 3600, 21600]
    """
    span_s = span_ns / SECOND_NS
    return next((width_s for width_s in WIDTHS_S if span_s / width_s <= MOST_SUMMARIES), WIDTHS_S[-1])


def summarise(connection: Connection, assessed: Iterable[Scored]) -> None:
    """Take new assessments into their summaries."""
    minutes: dict[tuple[str, int], Summary] = {}
    narrow = WIDTHS_S[0] * SECOND_NS
    for event_id, asset, time, score in assessed:
        one: Summary
        if score is None:
            one = [None, None, (time, event_id), (-time, event_id)]
        else:
            one = [(score, time, event_id), (-score, time, event_id), None, None]
        _join(minutes.setdefault((asset, time // narrow * narrow), [None] * 4), one)
    fresh: dict[Key, Summary] = {}
    for (asset, start), summary in minutes.items():
        for width_s in WIDTHS_S:
            width = width_s * SECOND_NS
            _join(fresh.setdefault((asset, width_s, start // width * width), [None] * 4), summary)
    keys = list(fresh)
    for begin in range(0, len(keys), AT_ONCE):
        some = keys[begin : begin + AT_ONCE]
        these = sql.tuple_(summaries.c.asset, summaries.c.width_s, summaries.c.start).in_(some)
        for row in connection.execute(sql.select(summaries).where(these)):
            _join(fresh[row.asset, row.width_s, row.start], _of_row(row))
        connection.execute(summaries.delete().where(these))
        connection.execute(summaries.insert(), [_row(key, fresh[key]) for key in some])


def begin_backlog(connection: Connection, last: int) -> None:
    """Note that the events up to `last` came before there were summaries; to be called before their table is made."""
    connection.execute(progress.insert().values(task=TASK, done=0, last=last))


def backlog(connection: Connection) -> Backlog | None:
    """What is not summarised yet; None where everything is."""
    row = connection.execute(sql.select(progress).where(progress.c.task == TASK)).one_or_none()
    return Backlog(row.done, row.last) if row is not None and row.done < row.last else None


def next_scored(connection: Connection, left: Backlog, events: int) -> list[Scored]:
    """The assessments among the next `events` events of the backlog."""
    columns = results.c
    query = sql.select(columns.event_id, columns.asset, columns.time, columns.score).where(
        columns.event_id > left.done, columns.event_id <= min(left.done + events, left.last), columns.kind == "assessment"
    )
    return [Scored(*row) for row in connection.execute(query)]


def end_step(connection: Connection, done: int) -> None:
    connection.execute(progress.update().where(progress.c.task == TASK).values(done=done))


def all_scores(connection: Connection, asset: str, first: int, last: int, rows: int) -> Iterator[Sequence[Any]]:
    """(event_id, time, score) of the assessments from `first` to `last` [ns since 1970 UTC], in parts of `rows`."""
    query = (
        sql.select(results.c.event_id, results.c.time, results.c.score)
        .where(results.c.asset == asset, results.c.kind == "assessment", results.c.time.between(first, last))
        .order_by(results.c.time, results.c.seq)
    )
    yield from connection.execution_options(yield_per=rows).execute(query).partitions()


def summarised_scores(connection: Connection, asset: str, first: int, last: int, width_s: int) -> list[Sequence[Any]]:
    """(event_id, time, score), in order of time, of the assessments from `first` to `last` [ns since 1970 UTC] that their
    summaries know; at both ends, where a summary would reach beyond, those of narrower ones, and at last of all."""
    width = width_s * SECOND_NS
    begin, end = -(-first // width) * width, (last + 1) // width * width
    narrower = [each for each in WIDTHS_S if each < width_s]
    found: dict[int, tuple[int, float | None]] = {}
    for since, until in ((first, begin - 1), (end, last)) if begin < end else ((first, last),):
        if narrower:
            found.update((row[0], (row[1], row[2])) for row in summarised_scores(connection, asset, since, until, narrower[-1]))
        elif since <= until:
            for part in all_scores(connection, asset, since, until, ROWS_AT_ONCE):
                found.update((row[0], (row[1], row[2])) for row in part)
    columns = summaries.c
    inside = (columns.asset == asset, columns.width_s == width_s, columns.start >= begin, columns.start < end)
    for which, score in (("lowest", columns.lowest_score), ("highest", columns.highest_score)):
        query = sql.select(columns[f"{which}_id"], columns[f"{which}_time"], score).where(*inside)
        found.update((row[0], (row[1], row[2])) for row in connection.execute(query).all() if row[0] is not None)
    for which in ("first_withheld", "last_withheld"):
        query = sql.select(columns[f"{which}_id"], columns[f"{which}_time"]).where(*inside, columns[f"{which}_id"].is_not(None))
        found.update((row[0], (row[1], None)) for row in connection.execute(query).all())
    return sorted(((event_id, *rest) for event_id, rest in found.items()), key=lambda row: (row[1], row[0]))


def _join(summary: Summary, other: Summary) -> None:
    """Take what another summary of the same stretch knows better."""
    for place, new in enumerate(other):
        if new is not None and ((old := summary[place]) is None or new < old):
            summary[place] = new


def _row(key: Key, summary: Summary) -> dict[str, Any]:
    lowest, highest, first_withheld, last_withheld = (each or (None,) * 3 for each in summary)
    return {
        **dict(zip(("asset", "width_s", "start"), key, strict=True)),
        **dict(zip(("lowest_score", "lowest_time", "lowest_id"), lowest, strict=True)),
        **dict(zip(("highest_score", "highest_time", "highest_id"), (_negative(highest[0]), *highest[1:]), strict=True)),
        **dict(zip(("first_withheld_time", "first_withheld_id"), first_withheld, strict=False)),
        **dict(zip(("last_withheld_time", "last_withheld_id"), (_negative(last_withheld[0]), last_withheld[1]), strict=True)),
    }


def _of_row(row: Any) -> Summary:
    scored = row.lowest_id is not None
    withheld = row.first_withheld_id is not None
    return [
        (row.lowest_score, row.lowest_time, row.lowest_id) if scored else None,
        (-row.highest_score, row.highest_time, row.highest_id) if scored else None,
        (row.first_withheld_time, row.first_withheld_id) if withheld else None,
        (-row.last_withheld_time, row.last_withheld_id) if withheld else None,
    ]


def _negative(number: Any) -> Any:
    return None if number is None else -number
