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
    entries = journal.append([assessment(1), assessment(2), alarm(AlarmState.ACTIVE_UNACKNOWLEDGED)], 0.0, [7], ([], [], []))
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
    journal.append([assessment(1)], 0.0, [1], ([alarm(AlarmState.SHELVED)], ["a1"], []))
    journal.save_state({"0/grid/value": np.array([1.0, np.nan])})
    journal.set_published(1)
    with Journal(path, edge="edge-1", topics=TOPICS) as again:
        assert (again.id, again.last_seq, again.published()) == (journal.id, 1, 1)
        assert again.open_alarms() == ([alarm(AlarmState.SHELVED)], ["a1"])
        state = again.load_state()
        assert state is not None
        np.testing.assert_array_equal(state["0/grid/value"], [1.0, np.nan])
        assert again.append([assessment(2)], 0.0, [2])[0].seq == 2


def test_a_wiped_journal_is_another_journal(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS) as first:
        first.append([assessment(1)], 0.0, [1])
        old = first.id
    for file in path.parent.iterdir():
        file.unlink()
    with Journal(path, edge="edge-1", topics=TOPICS) as second:
        assert second.id != old
        assert second.append([assessment(2)], 0.0, [2])[0].seq == 1


def test_what_is_too_old_is_trimmed_and_said_and_numbers_go_on(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS, max_age_s=100.0) as journal:
        journal.append([assessment(1), assessment(2)], 0.0, [1])
        journal.append([assessment(3)], 200.0, [1])
        assert journal.trim(150.0) == 2
        assert journal.trimmed_before == 3
        assert [entry.seq for entry in journal.read(1, 9, 10)] == [3]
        assert journal.trim(1000.0) == 1
    with Journal(path, edge="edge-1", topics=TOPICS) as again:
        assert (again.last_seq, again.trimmed_before) == (3, 4)


def test_the_size_is_bounded(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS, max_bytes=200_000) as journal:
        for k in range(20):
            journal.append([assessment(k)] * 100, float(k), [k])
            while journal.trim(float(k)):
                pass
        assert journal.trimmed_before > 1
        assert journal.last_seq == 2000


def test_a_failed_write_leaves_nothing_behind(journal: Journal, path: Path) -> None:
    journal.append([assessment(1)], 0.0, [1])
    with sqlite3.connect(path) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(JournalError, match=r"journal\.sqlite: cannot be written: disk full"):
        journal.append([assessment(2), alarm(AlarmState.SHELVED)], 0.0, [2], ([alarm(AlarmState.SHELVED)], [], []))
    assert (journal.last_seq, journal.open_alarms(), journal.reached()) == (1, ([], []), [1])
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER full")
    assert journal.append([assessment(2)], 0.0, [2])[0].seq == 2


def test_a_file_that_is_no_journal_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    with Journal(path, edge="e", topics=TOPICS) as journal:
        assert journal.append([assessment(1)], 0.0, [1])[0].seq == 1
    assert "it is kept as journal.damaged-" in caplog.text
    (aside,) = path.parent.glob("journal.damaged-*.sqlite")
    assert aside.read_bytes() == b"garbage" * 1000


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "edge").write_text("a file")
    with (
        pytest.raises(JournalError, match="the journal cannot be opened"),
        Journal(tmp_path / "edge/journal.sqlite", edge="e", topics=TOPICS),
    ):
        pass


def test_a_flipped_bit_is_found_and_never_a_wrong_value(path: Path) -> None:
    """Of every entry and of the state: what was written, or that it is damaged, or another journal that says so by its id."""
    with Journal(path, edge="edge-1", topics=TOPICS) as journal:
        written = [entry for k in range(20) for entry in journal.append([assessment(k)] * 10, float(k), [k])]
        journal.append([alarm(AlarmState.SHELVED)], 20.0, [20], ([alarm(AlarmState.SHELVED)], ["a1"], []))
        journal.save_state({"0/grid/value": np.arange(500.0)})
        identity = journal.id
    for file in path.parent.glob("*-wal"):
        assert file.stat().st_size == 0
    sound, rng = path.read_bytes(), np.random.default_rng(5)
    kinds = {"as written": 0, "told": 0, "another": 0}
    for _ in range(120):
        for file in path.parent.iterdir():
            file.unlink()
        place, bit = int(rng.integers(len(sound))), int(rng.integers(8))
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << bit]) + sound[place + 1 :])
        with Journal(path, edge="edge-1", topics=TOPICS) as journal:
            found = {entry.seq: entry for entry in journal.read(1, 200, 1000)}
            state, (alarms, holding), reached = journal.load_state(), journal.open_alarms(), journal.reached()
            if journal.is_damaged or journal.id != identity:
                kinds["another"] += 1
                if journal.is_damaged:
                    journal.begin_another()
                assert journal.id != identity
                assert journal.append([assessment(1)], 0.0, [1])[0].seq == 1
                continue
            assert journal.last_seq == len(written) + 1
            told = [entry for entry in found.values() if not entry.topic]
            assert all(orjson.loads(entry.payload)["kind"] == "damaged" for entry in told)
            assert all(found[entry.seq] == entry for entry in written if found[entry.seq].topic)
            assert state is None or np.array_equal(state["0/grid/value"], np.arange(500.0))
            assert alarms in ([alarm(AlarmState.SHELVED)], [])
            assert holding in (["a1"], [])
            assert reached in ([20], [])
            kinds["told" if told or state is None or not alarms or not holding or not reached else "as written"] += 1
    assert min(kinds.values()) > 0, kinds


def test_damage_while_it_is_in_use_begins_another(path: Path) -> None:
    with Journal(path, edge="edge-1", topics=TOPICS) as journal:
        for k in range(50):
            journal.append([assessment(k)] * 10, float(k), [k])
        old = journal.id
        journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = path.read_bytes()
        path.write_bytes(content[:4096] + bytes(len(content) - 4096))
        with sqlite3.connect(path) as other:
            # the pages that this connection holds in memory are of no use any more
            other.execute("PRAGMA user_version = 1")
        assert journal.read(1, 500, 1000) == []
        assert journal.is_damaged
        journal.begin_another()
        assert journal.id != old
        assert [entry.seq for entry in journal.append([assessment(1)], 0.0, [1])] == [1]


def test_a_journal_of_a_version_without_checksums_is_gone_on_with(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE entry (seq INTEGER PRIMARY KEY, written REAL NOT NULL, topic TEXT NOT NULL, clears INTEGER NOT NULL, "
            "payload BLOB NOT NULL); CREATE TABLE fact (name TEXT PRIMARY KEY, content BLOB NOT NULL);"
        )
        old.execute("INSERT INTO entry VALUES (1, 0.0, 'a', 0, X'00')")
        old.execute("INSERT INTO fact VALUES ('id', CAST('the-same' AS BLOB))")
    with Journal(path, edge="edge-1", topics=TOPICS) as journal:
        assert (journal.id, journal.last_seq) == ("the-same", 1)
        assert journal.read(1, 9, 9)[0].topic == "a"
        assert journal.append([assessment(1)], 0.0, [1])[0].seq == 2
