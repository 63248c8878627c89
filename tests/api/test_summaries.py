"""Summaries: the same whatever the order of arrival, and a plot of them shows what a plot of everything would."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from api.database import metadata, open_engine, results, summaries
from api.downsample import thin_rows
from api.summaries import (
    SECOND_NS,
    WIDTHS_S,
    Scored,
    all_scores,
    backlog,
    begin_backlog,
    end_step,
    next_scored,
    summarise,
    summarised_scores,
)

START = 1_764_000_000 * SECOND_NS
ASSET = "pump-101"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{tmp_path / 'api.sqlite'}")
    metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def history(seconds: int) -> list[Scored]:
    """A score that rises and falls, with one peak and two stretches without a score."""
    chance = random.Random(7)  # noqa: S311
    scores: list[float | None] = [abs(chance.gauss(0.5, 0.1)) for _ in range(seconds)]
    scores[seconds // 3] = 9.0
    for begin, length in ((100, 700), (seconds // 2, 3)):
        scores[begin : begin + length] = [None] * length
    return [Scored(number + 1, ASSET, START + number * SECOND_NS, score) for number, score in enumerate(scores)]


def store(connection: Connection, assessed: list[Scored]) -> None:
    rows = [
        {
            "event_id": each.event_id,
            "journal_id": 1,
            "seq": each.event_id,
            "kind": "assessment",
            "asset": ASSET,
            "subject": None,
            "time": each.time,
            "state": "normal",
            "score": each.score,
            "message": b"",
        }
        for each in assessed
    ]
    connection.execute(results.insert(), rows)


def everything(connection: Connection) -> list[tuple[object, ...]]:
    query = sql.select(summaries).order_by(summaries.c.width_s, summaries.c.start)
    return [tuple(row) for row in connection.execute(query)]


def test_the_order_of_arrival_does_not_matter(connection: Connection) -> None:
    assessed = history(3000)
    summarise(connection, assessed)
    once = everything(connection)
    assert len(once) > sum(3000 // width_s for width_s in WIDTHS_S)
    connection.execute(summaries.delete())
    random.Random(1).shuffle(assessed)  # noqa: S311
    for begin in range(0, len(assessed), 70):
        summarise(connection, assessed[begin : begin + 70])
    assert everything(connection) == once
    # and so a database that had none yet gets the same, step by step
    connection.execute(summaries.delete())
    store(connection, assessed)
    begin_backlog(connection, 3000)
    shares = []
    while (left := backlog(connection)) is not None:
        shares.append(left.done)
        summarise(connection, next_scored(connection, left, 700))
        end_step(connection, min(left.done + 700, left.last))
    assert shares == [0, 700, 1400, 2100, 2800]
    assert everything(connection) == once


@pytest.mark.parametrize("width_s", WIDTHS_S)
def test_a_plot_of_summaries_shows_peaks_and_gaps(connection: Connection, width_s: int) -> None:
    assessed = history(20_000)
    store(connection, assessed)
    summarise(connection, assessed)
    first, last = assessed[150].time + 5, assessed[-150].time
    found = summarised_scores(connection, ASSET, first, last, width_s)
    assert found == sorted(found, key=lambda row: row[1])
    assert first <= found[0][1]
    assert found[-1][1] <= last
    whole = [row for part in all_scores(connection, ASSET, first, last, 1000) for row in part]
    assert {tuple(row) for row in found} <= {tuple(row) for row in whole}
    # both ends, the peak, the lowest, and the ends of what was withheld survive being thinned, too
    kept = set(thin_rows(iter([found]), 200))
    scores = np.array([np.nan if row[2] is None else row[2] for row in whole])
    withheld = [row[0] for row in whole if row[2] is None]
    wanted = [whole[0][0], whole[-1][0], whole[int(np.nanargmax(scores))][0], whole[int(np.nanargmin(scores))][0]]
    assert kept >= {*wanted, min(withheld), 801 - 1}
    assert any(row[0] in kept for row in whole if row[2] is None and row[0] > 10_000)


def test_a_span_within_one_summary_and_an_empty_one(connection: Connection) -> None:
    assessed = history(1000)
    store(connection, assessed)
    summarise(connection, assessed)
    found = summarised_scores(connection, ASSET, assessed[10].time, assessed[20].time, 3600)
    assert [row[0] for row in found] == list(range(11, 22))
    assert summarised_scores(connection, ASSET, 0, 10, 60) == []
    assert summarised_scores(connection, "pump-9", START, START + 900 * SECOND_NS, 60) == []
