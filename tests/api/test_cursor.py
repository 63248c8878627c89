"""The cursor against the plainest thing that can be right: a set of numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cursor import JournalCursor, Span

NUMBERS = st.integers(1, 40)
EVENTS = st.one_of(
    st.tuples(st.just("receive"), NUMBERS),
    st.tuples(st.just("announce"), NUMBERS),
    st.tuples(st.just("trim"), NUMBERS),
    st.tuples(st.just("lose"), NUMBERS),
)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_it_agrees_with_a_set(events: list[tuple[str, int]]) -> None:
    cursor, present, announced = JournalCursor(), set[int](), 0
    for event, number in events:
        match event:
            case "receive":
                assert cursor.receive(number) == (number not in present)
                present.add(number)
            case "announce":
                cursor.announce(number)
                announced = max(announced, number)
            case "trim":
                lost = {seq for span in cursor.trim(number) for seq in range(span.first, span.last + 1)}
                assert lost == set(range(1, number)) - present
                present |= lost
            case "lose":
                span = Span(number, number + 3)
                lost = {seq for part in cursor.lose(span) for seq in range(part.first, part.last + 1)}
                assert lost == set(range(number, number + 4)) - present
                present |= lost
        announced = max(announced, *present, 0)
        missing = [seq for seq in range(1, announced + 1) if seq not in present]
        assert cursor.announced == announced
        assert cursor.contiguous == (missing[0] - 1 if missing else announced)
        assert cursor.missing_count == len(missing)
        assert all((seq in cursor) == (seq in present) for seq in range(1, 50))
        gap = cursor.missing(5)
        assert (gap is None) == (not missing)
        if gap is not None:
            assert gap.first == missing[0]
            assert len(gap) <= 5
            assert set(range(gap.first, gap.last + 1)) <= set(missing)


def test_a_copy_goes_its_own_way() -> None:
    cursor = JournalCursor()
    cursor.receive(3)
    other = cursor.copy()
    other.receive(1)
    other.receive(2)
    assert (cursor.contiguous, other.contiguous) == (0, 3)


@pytest.mark.parametrize("claimed", [10**6, 2**63 - 1])
def test_a_journal_that_claims_to_be_huge_costs_nothing(claimed: int) -> None:
    cursor = JournalCursor()
    cursor.announce(claimed)
    cursor.receive(claimed // 2)
    assert cursor.missing(1000) == Span(1, 1000)
    assert cursor.missing_count == claimed - 1
