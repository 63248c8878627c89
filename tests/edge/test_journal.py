"""The journal: numbers without gaps, one transaction for results and alarms, and what is trimmed is said."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Priority
from edge.contracts.assessment import Assessment, Reason, State
from edge.contracts.topics import Topics
from edge.journal import Journal, JournalError

TOPICS = Topics("kullager/v1/a/b/c")


def assessment(second: int) -> Assessment:
    return Assessment(
        asset="press-1", time=second * 10**9, state=State.WITHHELD, reason=Reason.STALE, measured={}, coverage=0.0
    )


def alarm(state: AlarmState) -> Alarm:
    return Alarm(
        asset="press-1",
        alarm_id="a1",
        rule="anomaly",
        priority=Priority.HIGH,
        state=state,
        raised=10**9,
        changed=2 * 10**9,
        text=BilingualText(sv="s", en="e"),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edge" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, edge="edge-1", topics=TOPICS) as opened:
        yield opened


def test_every_message_carries_its_identity(journal: Journal) -> None:
    entries = journal.append([assessment(1), assessment(2)], [alarm(AlarmState.ACTIVE_UNACKNOWLEDGED)], 0.0, [7], ([], []))
    bodies = [orjson.loads(entry.payload) for entry in entries]
    assert [(body["edge"], body["journal"], body["seq"], body["kind"]) for body in bodies] == [
        ("edge-1", journal.id, 1, "assessment"),
        ("edge-1", journal.id, 2, "assessment"),
        ("edge-1", journal.id, 3, "alarm"),
    ]
    assert [entry.topic for entry in entries][1:] == [TOPICS.assessment("press-1"), TOPICS.alarm("press-1", "a1")]
    assert journal.read(2, 3, 10) == entries[1:]
    assert journal.reached() == [7]


def test_a_restart_goes_on_counting_with_alarms_and_state(journal: Journal, path: Path) -> None:
    journal.append([assessment(1)], [], 0.0, [1], ([alarm(AlarmState.SHELVED)], ["a1"]))
    journal.save_state({"0/grid/value": np.array([1.0, np.nan])})
    journal.set_published(1)
    with Journal(path, edge="edge-1", topics=TOPICS) as again:
        assert (again.id, again.last_seq, again.published()) == (journal.id, 1, 1)
        assert again.open_alarms() == ([alarm(AlarmState.SHELVED)], ["a1"])
        state = again.load_state()
        assert state is not None
        np.testing.assert_array_equal(state["0/grid/value"], [1.0, np.nan])
        assert again.append([assessment(2)], [], 0.0, [2])[0].seq == 2


def test_a_wiped_journal_is_another_journal(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS) as first:
        first.append([assessment(1)], [], 0.0, [1])
        old = first.id
    for file in path.parent.iterdir():
        file.unlink()
    with Journal(path, edge="edge-1", topics=TOPICS) as second:
        assert second.id != old
        assert second.append([assessment(2)], [], 0.0, [2])[0].seq == 1


def test_what_is_too_old_is_trimmed_and_said_and_numbers_go_on(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS, max_age_s=100.0) as journal:
        journal.append([assessment(1), assessment(2)], [], 0.0, [1])
        journal.append([assessment(3)], [], 200.0, [1])
        assert journal.trim(150.0) == 2
        assert journal.trimmed_before == 3
        assert [entry.seq for entry in journal.read(1, 9, 10)] == [3]
        assert journal.trim(1000.0) == 1
    with Journal(path, edge="edge-1", topics=TOPICS) as again:
        assert (again.last_seq, again.trimmed_before) == (3, 4)


def test_the_size_is_bounded(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS, max_bytes=200_000) as journal:
        for k in range(20):
            journal.append([assessment(k)] * 100, [], float(k), [k])
            while journal.trim(float(k)):
                pass
        assert journal.trimmed_before > 1
        assert journal.last_seq == 2000


def test_a_failed_write_leaves_nothing_behind(journal: Journal, path: Path) -> None:
    journal.append([assessment(1)], [], 0.0, [1])
    with sqlite3.connect(path) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(JournalError, match=r"journal\.sqlite: cannot be written: disk full"):
        journal.append([assessment(2)], [alarm(AlarmState.SHELVED)], 0.0, [2], ([alarm(AlarmState.SHELVED)], []))
    assert (journal.last_seq, journal.open_alarms(), journal.reached()) == (1, ([], []), [1])
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER full")
    assert journal.append([assessment(2)], [], 0.0, [2])[0].seq == 2


def test_a_file_that_is_no_journal_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(JournalError, match="the journal cannot be opened"), Journal(path, edge="e", topics=TOPICS):
        pass
