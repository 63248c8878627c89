"""The store: idempotent, atomic, and the same after it was opened again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from api.arrivals import Cleared, Result, StatusReport
from api.cursor import JournalCursor, Span
from api.database import StoreError, open_engine
from api.store import Batch, Loss, Store
from edge.contracts.status import EdgeStatus
from edge.formats.json_message import Identity

JOURNAL = ("edge-1", "journal-1")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'below' / 'api.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(open_engine(url))
    yield store
    store.close()


def result(seq: int, time: int, alarm: str | None = None, state: str = "normal") -> Result:
    return Result(
        identity=Identity(edge="edge-1", journal="journal-1", seq=seq),
        kind="alarm" if alarm else "assessment",
        asset="pump-101",
        time=time,
        state=state,
        subject=alarm,
        payload=b'{"seq":%d}' % seq,
    )


def batch(*results: Result, contiguous: int = 0, losses: tuple[Loss, ...] = ()) -> Batch:
    return Batch(results=list(results), cursors={JOURNAL: JournalCursor(contiguous)}, losses=list(losses))


def test_what_is_there_is_not_stored_again(store: Store) -> None:
    assert [event.event_id for event in store.write(batch(result(1, 10), result(2, 20), result(1, 10)))] == [1, 2]
    assert store.write(batch(result(2, 20), result(1, 10))) == []
    assert [event.event_id for event in store.write(batch(result(2, 20), result(3, 5)))] == [3]
    assert store.latest("pump-101") == b'{"seq":3}'
    assert [event.message for event in store.events_after(1, 10)] == [b'{"seq":2}', b'{"seq":3}']


def test_an_old_alarm_message_does_not_replace_a_newer_one(store: Store) -> None:
    store.write(batch(result(5, 50, "a", "active-acknowledged")))
    store.write(batch(result(4, 40, "a", "active-unacknowledged")))
    alarm = store.alarm("a")
    assert alarm is not None
    assert (alarm.state, alarm.is_open, alarm.seq) == ("active-acknowledged", True, 5)
    store.write(batch(result(6, 60, "a", "normal")))
    assert store.alarms(only_open=True, asset=None, at_most=10) == []
    assert store.alarm_messages("a") == [b'{"seq":4}', b'{"seq":5}', b'{"seq":6}']


def test_a_clock_that_is_set_back_does_not_hide_what_is_new(store: Store, url: str) -> None:
    store.write(batch(result(1, 9_000), result(2, 9_001, "a", "active-unacknowledged")))
    store.write(batch(result(5, 50), result(4, 40, "a", "normal"), result(3, 30)))
    assert (store.latest("pump-101"), store.latest_time("pump-101")) == (b'{"seq":5}', 50)
    alarm = store.alarm("a")
    assert alarm is not None
    assert (alarm.state, alarm.is_open, alarm.changed) == ("normal", False, 40)
    again = Store(open_engine(url))
    again.write(batch(result(6, 60)))
    assert again.latest("pump-101") == b'{"seq":6}'
    again.close()


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    bad = Loss(edge="edge-1", journal="journal-1", first=1, last=1, reason=None, noticed=0)  # type: ignore[arg-type]
    with pytest.raises(SQLAlchemyError):
        store.write(batch(result(1, 10), contiguous=1, losses=(bad,)))
    assert store.latest("pump-101") is None
    assert store.cursors() == {}
    assert [event.event_id for event in store.write(batch(result(1, 10)))] == [1]


def test_everything_is_there_after_it_was_opened_again(url: str) -> None:
    first = Store(open_engine(url))
    loss = Loss(edge="edge-1", journal="journal-1", first=5, last=5, reason="trimmed", noticed=7)
    first.write(batch(result(1, 10), result(3, 30), result(6, 60), contiguous=1, losses=(loss,)))
    status = EdgeStatus(edge="edge-1", online=True, time=1, version="0")
    report = StatusReport(status, b'{"edge":"edge-1","online":true,"time":"1970-01-01T00:00:00.000000001Z","version":"0"}')
    assert [event.event_id for event in first.write(Batch(statuses={"edge-1": report}))] == [4]
    first.close()
    second = Store(open_engine(url))
    assert second.newest_event_id == 4
    cursor = second.cursors()[JOURNAL]
    assert (cursor.contiguous, cursor.missing(), cursor.missing_count) == (1, Span(2, 2), 2)
    assert 5 in cursor
    assert second.losses() == [loss]
    assert [known for known, _ in second.statuses()] == [status]
    # the same retained status after a reconnection is no event
    assert second.write(Batch(statuses={"edge-1": report})) == []
    second.close()


def test_what_comes_after_all_is_no_loss(store: Store) -> None:
    lost = Loss(edge="edge-1", journal="journal-1", first=1, last=9, reason="trimmed", noticed=7)
    store.write(batch(contiguous=9, losses=(lost,)))
    assert len(store.write(batch(result(4, 40), result(9, 90), result(10, 100), contiguous=10))) == 3
    assert [(loss.first, loss.last, loss.reason, loss.noticed) for loss in store.losses()] == [
        (1, 3, "trimmed", 7),
        (5, 8, "trimmed", 7),
    ]


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nothing://u:secret@h/d"])
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as error:
        open_engine(url)
    assert "KULLAGER_DATABASE_URL" in str(error.value)
    assert "secret" not in str(error.value)


# as the version before there were cases made it
OLD_TABLES = """
CREATE TABLE results (event_id INTEGER NOT NULL, journal_id INTEGER NOT NULL, seq BIGINT NOT NULL, kind VARCHAR(16) NOT NULL,
  asset VARCHAR(128) NOT NULL, alarm_id VARCHAR(128), time BIGINT NOT NULL, state VARCHAR(32) NOT NULL, score DOUBLE,
  message BLOB NOT NULL, PRIMARY KEY (event_id), UNIQUE (journal_id, seq));
CREATE INDEX results_of_asset ON results (asset, kind, time);
CREATE INDEX results_of_alarm ON results (alarm_id) WHERE alarm_id IS NOT NULL;
CREATE TABLE alarms (alarm_id VARCHAR(128) NOT NULL, edge VARCHAR(128) NOT NULL, asset VARCHAR(128) NOT NULL,
  state VARCHAR(32) NOT NULL, is_open BOOLEAN NOT NULL, changed BIGINT NOT NULL, seq BIGINT NOT NULL, message BLOB NOT NULL,
  PRIMARY KEY (alarm_id));
CREATE INDEX ix_alarms_changed ON alarms (changed);
CREATE INDEX ix_alarms_is_open ON alarms (is_open);
CREATE TABLE edge_statuses (edge VARCHAR(128) NOT NULL, event_id BIGINT NOT NULL, time BIGINT NOT NULL, message BLOB NOT NULL,
  PRIMARY KEY (edge));
CREATE TABLE journals (journal_id INTEGER NOT NULL, edge VARCHAR(128) NOT NULL, journal VARCHAR(128) NOT NULL,
  contiguous BIGINT NOT NULL, announced BIGINT NOT NULL, PRIMARY KEY (journal_id), UNIQUE (edge, journal));
CREATE TABLE losses (loss_id INTEGER NOT NULL, journal_id INTEGER NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
  reason VARCHAR(64) NOT NULL, noticed BIGINT NOT NULL, PRIMARY KEY (loss_id));
CREATE INDEX ix_losses_journal_id ON losses (journal_id);
INSERT INTO journals VALUES (1, 'edge-1', 'journal-1', 2, 2);
INSERT INTO results VALUES (1, 1, 1, 'assessment', 'pump-101', NULL, 10, 'normal', 0.5, CAST('{"seq":1}' AS BLOB));
INSERT INTO results VALUES (2, 1, 2, 'alarm', 'pump-101', 'a', 20, 'active-unacknowledged', NULL, CAST('{"seq":2}' AS BLOB));
INSERT INTO alarms VALUES ('a', 'edge-1', 'pump-101', 'active-unacknowledged', 1, 20, 2, CAST('{"seq":2}' AS BLOB));
"""


def test_a_file_of_the_version_before_opens_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.sqlite"
    with closing(sqlite3.connect(path)) as before:
        before.executescript(OLD_TABLES)
    store = Store(open_engine(f"sqlite:///{path}"))
    assert (store.newest_event_id, store.latest("pump-101"), store.edge_of("pump-101")) == (2, b'{"seq":1}', "edge-1")
    assert [alarm.alarm_id for alarm in store.alarms(only_open=True, asset=None, at_most=10)] == ["a"]
    assert store.alarm_messages("a") == [b'{"seq":2}']
    assert store.alarm_changes(0, 100, 10) == [b'{"seq":2}']
    assert store.cases(only_open=False, asset=None, at_most=10) == []
    case = replace(result(4, 40, "c", "open"), kind="case")
    events = store.write(batch(result(2, 20, "a"), result(3, 30, "a", "normal"), case, contiguous=4))
    assert [event.event_id for event in events] == [3, 4]
    store.close()

    again = Store(open_engine(f"sqlite:///{path}"))
    assert again.cursors()[JOURNAL].contiguous == 4
    assert again.alarm_messages("a") == [b'{"seq":2}', b'{"seq":3}']
    assert again.alarms(only_open=True, asset=None, at_most=10) == []
    assert [found.case_id for found in again.cases(only_open=True, asset="pump-101", at_most=10)] == ["c"]
    assert again.case_messages("c") == [b'{"seq":4}']
    again.close()


def test_a_case_that_comes_late_does_not_replace_a_newer_one_nor_an_alarm_of_its_name(store: Store) -> None:
    def case(seq: int, state: str) -> Result:
        return replace(result(seq, seq * 10, "a", state), kind="case")

    store.write(batch(case(5, "closed"), result(1, 10, "a", "active-unacknowledged")))
    store.write(batch(case(3, "open"), result(6, 60, "a", "active-acknowledged")))
    (found, alarm) = store.case("a"), store.alarm("a")
    assert found is not None
    assert (found.state, found.is_open, found.seq, found.changed) == ("closed", False, 5, 50)
    assert alarm is not None
    assert (alarm.state, alarm.is_open, alarm.seq) == ("active-acknowledged", True, 6)
    assert (store.case_messages("a"), store.alarm_messages("a")) == (
        [b'{"seq":3}', b'{"seq":5}'],
        [b'{"seq":1}', b'{"seq":6}'],
    )
    store.write(Batch(cleared={Cleared("case", "a")}))
    assert [each.alarm_id for each in store.alarms(only_open=True, asset=None, at_most=10)] == ["a"]
    assert store.case("b") is None


def test_messages_of_a_kind_are_the_newest_of_their_time_the_oldest_first(store: Store) -> None:
    told = [replace(result(seq, seq * 10), kind="performance") for seq in (3, 1, 4, 2)]
    store.write(batch(*told, result(5, 25), replace(result(6, 25), kind="performance", asset="pump-102")))
    assert store.of_kind("performance", "pump-101", 20, 40, 10) == [b'{"seq":2}', b'{"seq":3}', b'{"seq":4}']
    assert store.of_kind("performance", "pump-101", 20, 40, 2) == [b'{"seq":3}', b'{"seq":4}']
    assert store.of_kind("audit", "", -(2**63), 2**63 - 1, 10) == []


def test_changes_of_alarms_begin_with_what_has_stood_since_before(store: Store) -> None:
    store.write(
        batch(
            result(1, 10, "stands", "active-acknowledged"),
            result(2, 20, "over", "active-unacknowledged"),
            result(3, 30, "over", "normal"),
            result(4, 100, "a", "active-unacknowledged"),
            result(5, 200, "a", "normal"),
        )
    )
    assert store.alarm_changes(50, 150, 10) == [b'{"seq":1}', b'{"seq":4}']
    assert store.alarm_changes(50, 250, 1) == [b'{"seq":1}', b'{"seq":5}']
    assert store.alarm_changes(0, 150, 10) == [b'{"seq":1}', b'{"seq":2}', b'{"seq":3}', b'{"seq":4}']


def test_what_is_asked_for_of_a_kind_is_found_by_an_index(store: Store, url: str) -> None:
    store.write(batch(result(1, 10), result(2, 20, "a", "normal")))
    path = url.removeprefix("sqlite:///")
    asked: list[str] = []
    sql.event.listen(store._engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement))
    store.alarm_changes(0, 100, 10)
    store.of_kind("audit", "", 0, 100, 10)
    with closing(sqlite3.connect(path)) as database:
        for statement in asked:
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", [0] * statement.count("?")).fetchall()
            assert not any("SCAN results" in step[-1] for step in plan), (statement, plan)
