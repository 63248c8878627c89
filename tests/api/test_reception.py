"""The journal contract without a network: any order, loss and repetition ends with everything once."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.arrivals import Arrival, Cleared, Result, StatusReport, Trimmed
from api.reception import Reception
from api.resend import ANSWER_WITHIN_S, CHUNK, GRACE_S
from edge.contracts.status import EdgeStatus, JournalStatus
from edge.formats.json_message import Identity

JOURNAL = ("edge-1", "journal-1")


def result(seq: int, journal: str = JOURNAL[1]) -> Result:
    return Result(
        identity=Identity(edge="edge-1", journal=journal, seq=seq),
        kind="assessment",
        asset="a",
        time=seq,
        state="normal",
        payload=b"",
    )


def status(journal: str, last_seq: int, trimmed_before: int = 1, *, online: bool = True) -> StatusReport:
    told = JournalStatus(id=journal, last_seq=last_seq, trimmed_before=trimmed_before)
    return StatusReport(EdgeStatus(edge="edge-1", online=online, time=0, version="0.1.0", journal=told), b"")


class Conversation:
    """A reception, its clock, and everything it has stored."""

    def __init__(self) -> None:
        self.reception = Reception(client="api-1", cursors={})
        self.stored: Counter[int] = Counter()
        self.lost: set[int] = set()
        self.now = 0.0

    def take(self, *arrivals: Arrival, commit: bool = True) -> None:
        batch = self.reception.plan(arrivals, 0)
        if not commit:
            return
        before = self.reception.cursors.get(JOURNAL)
        fresh = {r.identity.seq for r in batch.results if before is None or r.identity.seq not in before}
        self.stored.update(fresh)
        for loss in batch.losses:
            self.lost |= set(range(loss.first, loss.last + 1))
        self.reception.committed(batch)

    def ask(self) -> list[tuple[int, int]]:
        due = self.reception.requests(self.now)
        for edge, command in due:
            self.reception.sent(edge, command, self.now)
        return [(command.first, command.last) for _, command in due]


@settings(deadline=None)
@given(
    total=st.integers(1, 60),
    arrived=st.lists(st.integers(1, 60), max_size=80),
    trimmed_before=st.integers(1, 60),
    drops=st.lists(st.booleans(), max_size=200),
)
def test_any_order_loss_and_repetition_ends_with_everything_once(
    total: int, arrived: list[int], trimmed_before: int, drops: list[bool]
) -> None:
    talk = Conversation()
    trimmed_before = min(trimmed_before, total + 1)
    for number, seq in enumerate(seq for seq in arrived if seq <= total):
        # a transaction that fails is tried again, and must not have counted
        talk.take(result(seq), commit=number % 3 != 1)
        talk.take(result(seq))
    talk.take(status(JOURNAL[1], total))
    fate = iter(drops)
    for _ in range(3000):
        if talk.reception.cursors[JOURNAL].missing() is None:
            break
        talk.now += 0.5
        for first, last in talk.ask():
            assert last - first < CHUNK
            if first < trimmed_before:
                talk.take(Trimmed("edge-1", "journal-1", min(trimmed_before, last + 1)))
            for seq in range(max(first, trimmed_before), last + 1):
                if not next(fate, False):
                    talk.take(result(seq))
    assert set(talk.stored) | talk.lost == set(range(1, total + 1))
    assert not set(talk.stored) & talk.lost
    assert set(talk.stored.values()) <= {1}
    assert all(seq < trimmed_before for seq in talk.lost)


def test_only_one_request_is_out_and_silence_makes_it_rarer() -> None:
    talk = Conversation()
    talk.take(status(JOURNAL[1], 5000))
    assert talk.ask() == []
    talk.now += GRACE_S
    assert talk.ask() == [(1, 1000)]
    assert talk.ask() == []
    asked = []
    while talk.now < 300:
        talk.now += 0.25
        if talk.ask():
            asked.append(talk.now)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[0] >= ANSWER_WITHIN_S
    assert pauses == sorted(pauses)
    assert pauses[-1] > 60


def test_the_next_chunk_is_asked_for_at_once_when_one_is_complete() -> None:
    talk = Conversation()
    talk.take(status(JOURNAL[1], 1500))
    assert talk.ask() == []
    talk.now += GRACE_S
    assert talk.ask() == [(1, 1000)]
    talk.take(*(result(seq) for seq in range(1, 1001)))
    assert talk.ask() == [(1001, 1500)]


def test_a_refusal_waits_and_an_edge_that_comes_back_is_asked_soon() -> None:
    talk = Conversation()
    talk.take(status(JOURNAL[1], 10))
    assert talk.ask() == []
    talk.now += GRACE_S
    ((edge, command),) = talk.reception.requests(talk.now)
    talk.reception.sent(edge, command, talk.now)
    talk.reception.refused(command.command_id, talk.now)
    assert talk.ask() == []
    talk.now += GRACE_S
    assert talk.ask() == [(1, 10)]
    talk.take(status(JOURNAL[1], 10, online=False))
    talk.now += 100
    assert talk.ask() == []
    talk.take(status(JOURNAL[1], 10))
    assert talk.ask() == []
    talk.now += GRACE_S
    assert talk.ask() == [(1, 10)]


def test_results_on_their_way_are_not_asked_for() -> None:
    talk = Conversation()
    talk.take(status(JOURNAL[1], 100))
    for seq in range(1, 101):
        talk.now += GRACE_S / 2
        assert talk.ask() == []
        talk.take(result(seq))


@pytest.mark.parametrize("claimed", [11, 10**9])
def test_an_edge_cannot_have_trimmed_more_than_it_had(claimed: int) -> None:
    talk = Conversation()
    talk.take(result(10), Trimmed("edge-1", "journal-1", claimed))
    assert talk.lost == set(range(1, 10))
    assert talk.reception.cursors[JOURNAL].contiguous == 10


def test_gaps_of_a_replaced_journal_are_lost_also_when_its_last_message_comes_late() -> None:
    talk = Conversation()
    talk.take(status("journal-2", 0))
    batch = talk.reception.plan([result(3)], 7)
    assert [(loss.journal, loss.first, loss.last, loss.reason, loss.noticed) for loss in batch.losses] == [
        ("journal-1", 1, 2, "journal-replaced", 7)
    ]
    # an edge that is offline may have an old last will: it replaces nothing
    other = Conversation()
    other.take(result(3))
    assert other.reception.plan([status("journal-2", 0, online=False)], 0).losses == []


def test_what_begins_anew_after_it_was_cleared_is_not_cleared() -> None:
    def change(seq: int) -> Result:
        return replace(result(seq), kind="alarm", subject="a")

    reception = Reception(client="api-1", cursors={})
    ended, of_a_case = Cleared("alarm", "a"), Cleared("case", "a")
    assert reception.plan([change(1), ended], 0).cleared == {ended}
    assert reception.plan([change(1), ended, of_a_case, change(2)], 0).cleared == {of_a_case}
    assert reception.plan([change(1), ended, change(2), ended], 0).cleared == {ended}
