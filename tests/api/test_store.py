"""The store: idempotent, atomic, and the same after it was opened again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from api.arrivals import Result, StatusReport
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
