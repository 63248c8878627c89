"""An old database serves at once, and no database grows for ever."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from api import retention
from api.arrivals import Result
from api.cursor import JournalCursor
from api.database import open_engine
from api.retention import DAY_NS, Keep
from api.routes import assets
from api.store import Batch, Store
from api.summaries import SECOND_NS
from api.upkeep import Upkeep
from edge.contracts.errors import KullagerError
from edge.formats.json_message import Identity
from tests.api.running_api import ROOT, RunningApi, until

START = 1_764_000_000 * SECOND_NS
NOW = START + 10 * DAY_NS
JOURNAL = ("edge-1", "journal-1")


def result(seq: int, time: int, score: float | None = 0.5) -> Result:
    payload = orjson.dumps({"seq": seq, "filler": "x" * 500})
    identity = Identity(edge="edge-1", journal="journal-1", seq=seq)
    return Result(
        identity=identity, kind="assessment", asset="pump-101", time=time, state="normal", score=score, payload=payload
    )


def fill(store: Store, first: int, last: int, every_s: float = 60.0, contiguous: int | None = None) -> None:
    """An assessment every minute from START on."""
    some = [result(seq, START + round(seq * every_s * SECOND_NS), float(seq % 97)) for seq in range(first, last + 1)]
    store.write(Batch(results=some, cursors={JOURNAL: JournalCursor(last if contiguous is None else contiguous)}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "home/api").mkdir(parents=True)
    return tmp_path / "home/api/api.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    store = Store(open_engine(f"sqlite:///{file}"))
    yield store
    store.close()


@pytest.fixture
def keeps_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that stays anyway, made small enough for a test."""
    monkeypatch.setattr(retention, "KEPT_ANYWAY", 100)
    monkeypatch.setattr(retention, "AT_ONCE", 300)


def rows(file: Path, query: str) -> list[tuple[int, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


async def tidied(store: Store, keep: Keep) -> Upkeep:
    """What an upkeep has done when it rests."""
    upkeep = Upkeep(store, keep, now=lambda: NOW)
    await upkeep._trim()
    return upkeep


@pytest.mark.usefixtures("keeps_little")
async def test_what_is_too_old_goes_with_its_summaries_and_nothing_else(store: Store, file: Path) -> None:
    fill(store, 1, 14_000)
    # nine of the ten days are kept: 1,440 minutes of the first go, and the one at its end stays
    upkeep = await tidied(store, Keep(days=9, megabytes=0))
    assert upkeep.forgotten == 1439
    assert rows(file, "select min(seq), count(*) from results") == [(1440, 14_000 - 1439)]
    assert rows(file, "select min(start) from summaries where width_s = 60") == [(START + DAY_NS,)]
    oldest = START + DAY_NS
    # a plot that reaches further back begins where the results do
    scores = store.summarised("pump-101", START, START + 14_000 * 60 * SECOND_NS, 600)
    messages = store.messages([row[0] for row in scores])
    assert min(orjson.loads(message)["seq"] for message in messages) in range(1440, 1451)
    assert (await tidied(store, Keep(days=9, megabytes=0))).forgotten == 0
    assert store.latest_time("pump-101") == START + 14_000 * 60 * SECOND_NS > oldest


@pytest.mark.usefixtures("keeps_little")
async def test_a_database_that_is_too_large_forgets_its_oldest_until_it_is_not(store: Store, file: Path) -> None:
    fill(store, 1, 8000)
    with store.connect() as connection:
        before = retention.used_bytes(connection)
    assert before > 4_000_000
    upkeep = await tidied(store, Keep(days=0, megabytes=3))
    with store.connect() as connection:
        assert 2_000_000 < retention.used_bytes(connection) <= 3_000_000
    left = rows(file, "select min(seq), max(seq), count(*) from results")[0]
    assert left == (upkeep.forgotten + 1, 8000, 8000 - upkeep.forgotten)


@pytest.mark.usefixtures("keeps_little")
async def test_the_newest_stay_and_so_does_what_lies_beyond_a_gap(store: Store, file: Path) -> None:
    fill(store, 1, 1000, contiguous=400)
    await tidied(store, Keep(days=1, megabytes=0))
    assert rows(file, "select min(seq), count(*) from results") == [(401, 600)]
    # the gap is filled: they go, but for the newest
    fill(store, 1001, 1001)
    upkeep = await tidied(store, Keep(days=1, megabytes=0))
    assert upkeep.forgotten == 501
    assert rows(file, "select min(seq), count(*) from results") == [(902, 100)]
    assert store.cursors()[JOURNAL].missing_count == 0


@pytest.mark.usefixtures("keeps_little")
async def test_without_limits_nothing_goes(store: Store) -> None:
    fill(store, 1, 1000)
    assert (await tidied(store, Keep(days=0, megabytes=0))).forgotten == 0


@pytest.mark.parametrize("variable", ["KULLAGER_API_KEEP_DAYS", "KULLAGER_API_KEEP_MB"])
def test_a_limit_that_is_no_number_is_refused_with_its_name(variable: str) -> None:
    with pytest.raises(KullagerError, match=rf"{variable}: 'a year' should be a whole number"):
        Keep.load({variable: "a year"})
    assert Keep.load({variable: "7"}) != Keep()


def test_where_the_size_is_not_limited_it_is_said() -> None:
    said = "KULLAGER_API_KEEP_MB limits SQLite alone: by its size a database of postgresql is not limited; "
    assert Keep().warning("postgresql") == said + "results go after 400 days"
    assert Keep(days=0).warning("postgresql") == said + "without KULLAGER_API_KEEP_DAYS nothing is forgotten"
    assert Keep().warning("sqlite") is None
    assert Keep(megabytes=0).warning("postgresql") is None


def as_an_older_version_left_it(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("drop table summaries")
        connection.execute("drop table progress")
        connection.commit()


async def test_a_history_is_summarised_in_steps_that_a_restart_does_not_begin_anew(file: Path) -> None:
    store = Store(open_engine(f"sqlite:///{file}"))
    fill(store, 1, 9000)
    every = "select * from summaries order by width_s, start"
    once = rows(file, every)
    store.close()
    as_an_older_version_left_it(file)

    store = Store(open_engine(f"sqlite:///{file}"))
    assert (store.summarised_share, rows(file, every)) == (0.0, [])
    assert store.summarise_step(4000)
    # what comes meanwhile is summarised at once
    fill(store, 9001, 9001)
    store.close()
    store = Store(open_engine(f"sqlite:///{file}"))
    assert store.summarised_share == pytest.approx(4000 / 9000)
    assert store.summarise_step(4000)
    assert not store.summarise_step(4000)
    assert store.summarised_share == 1.0
    after = rows(file, every)
    store.close()
    assert {row[:3] for row in once} <= {row[:3] for row in after}
    assert [row for row in after if row in once][:100] == once[:100]
    # and it stays so
    store = Store(open_engine(f"sqlite:///{file}"))
    assert store.backlog is None
    store.close()


@pytest.fixture
async def old(file: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningApi]:
    """An api on the database of an older version, whose summaries wait until `begin` is set."""
    store = Store(open_engine(f"sqlite:///{file}"))
    fill(store, 1, 20_000, every_s=1.0)
    store.close()
    as_an_older_version_left_it(file)
    running = RunningApi(
        ROOT / "tests/cases/pump/plant.toml", free_port(), file.parents[1], KULLAGER_SOURCE_BROKER_URL="mqtt://127.0.0.1:9"
    )
    # what lies in this database is a number and a time, and no whole message
    running.client.event_hooks = {}
    begin = asyncio.Event()
    summarise = Upkeep._summarise

    async def later(self: Upkeep) -> None:
        await begin.wait()
        await summarise(self)

    monkeypatch.setattr(Upkeep, "_summarise", later)
    await running.start()
    running.begin = begin  # type: ignore[attr-defined]
    yield running
    await running.close()


async def test_an_old_database_is_served_at_once_and_says_how_far_it_is(
    old: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await old.status())["database"] == {"problem": None, "summarised": 0.0, "forgotten": 0}
    span = {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "points": 500}
    whole = await old.get("/assets/pump-101/assessments", **span)
    assert whole["items"][0]["seq"] == 1
    assert whole["items"][-1]["seq"] == 20_000

    with monkeypatch.context() as smaller:
        smaller.setattr(assets, "MOST_UNSUMMARISED", 15_000)
        answer: httpx.Response = await old.client.get("/api/v1/assets/pump-101/assessments", params=span)
        assert answer.status_code == 503
        assert "0% of it so far" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "30"
    old.begin.set()  # type: ignore[attr-defined]

    async def done() -> bool:
        return bool((await old.status())["database"]["summarised"] == 1.0)

    await until(done)
    summarised = await old.get("/assets/pump-101/assessments", **span)
    # of six hours the first that is highest and the first that is lowest
    assert {96, 97} <= {item["seq"] for item in summarised["items"]}
    assert len(summarised["items"]) < 10 < len(whole["items"])
