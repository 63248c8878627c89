"""The ISA-18.2 life cycle as a table."""

import pytest

from edge.contracts.alarm import TRANSITIONS, AlarmEvent, AlarmState, next_state
from edge.contracts.errors import IllegalTransition


def test_every_state_is_reached_and_can_be_left() -> None:
    assert {state for state, _ in TRANSITIONS} == set(AlarmState)
    assert set(TRANSITIONS.values()) == set(AlarmState)
    assert {event for _, event in TRANSITIONS} == set(AlarmEvent)


def test_nothing_is_forgotten_without_an_operator() -> None:
    """Without acknowledgement or removal from service no active alarm ends in normal."""
    quiet = {AlarmEvent.ACTIVATE, AlarmEvent.RETURN}
    reached, before = {AlarmState.ACTIVE_UNACKNOWLEDGED}, set()
    while reached != before:
        before = set(reached)
        reached |= {after for (state, event), after in TRANSITIONS.items() if state in before and event in quiet}
    assert AlarmState.NORMAL not in reached


@pytest.mark.parametrize("pair", [(s, e) for s in AlarmState for e in AlarmEvent if (s, e) not in TRANSITIONS])
def test_an_illegal_event_raises_and_names_what_is_possible(pair: tuple[AlarmState, AlarmEvent]) -> None:
    state, event = pair
    with pytest.raises(IllegalTransition, match=f"is {state} cannot take '{event}'; possible now: "):
        next_state(state, event)
