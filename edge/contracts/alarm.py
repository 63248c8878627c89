"""Alarms with the life cycle of ISA-18.2 / IEC 62682, as a table."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge.contracts.errors import IllegalTransition


class AlarmState(StrEnum):
    NORMAL = "normal"
    ACTIVE_UNACKNOWLEDGED = "active-unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active-acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned-unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed-by-design"
    OUT_OF_SERVICE = "out-of-service"


class AlarmEvent(StrEnum):
    """What can happen to an alarm. What ends a silence tells whether the condition still holds."""

    ACTIVATE = "activate"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE_ACTIVE = "unshelve-active"
    UNSHELVE_NORMAL = "unshelve-normal"
    SUPPRESS = "suppress"
    UNSUPPRESS_ACTIVE = "unsuppress-active"
    UNSUPPRESS_NORMAL = "unsuppress-normal"
    REMOVE_FROM_SERVICE = "remove-from-service"
    RETURN_TO_SERVICE = "return-to-service"


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_S, _E = AlarmState, AlarmEvent
# ISA-18.2-2016, figure 3. A shelved, suppressed or out-of-service alarm keeps following its condition without a word. What was
# suppressed by design, where no operator had a say, asks for acknowledgement afterwards even when its condition is over.
TRANSITIONS: dict[tuple[AlarmState, AlarmEvent], AlarmState] = {
    (_S.NORMAL, _E.ACTIVATE): _S.ACTIVE_UNACKNOWLEDGED,
    (_S.ACTIVE_UNACKNOWLEDGED, _E.ACKNOWLEDGE): _S.ACTIVE_ACKNOWLEDGED,
    (_S.ACTIVE_UNACKNOWLEDGED, _E.RETURN): _S.RETURNED_UNACKNOWLEDGED,
    (_S.ACTIVE_ACKNOWLEDGED, _E.RETURN): _S.NORMAL,
    (_S.RETURNED_UNACKNOWLEDGED, _E.ACTIVATE): _S.ACTIVE_UNACKNOWLEDGED,
    (_S.RETURNED_UNACKNOWLEDGED, _E.ACKNOWLEDGE): _S.NORMAL,
    **{
        (state, _E.SHELVE): _S.SHELVED
        for state in (_S.ACTIVE_UNACKNOWLEDGED, _S.ACTIVE_ACKNOWLEDGED, _S.RETURNED_UNACKNOWLEDGED, _S.SUPPRESSED)
    },
    (_S.SHELVED, _E.ACTIVATE): _S.SHELVED,
    (_S.SHELVED, _E.RETURN): _S.SHELVED,
    (_S.SHELVED, _E.UNSHELVE_ACTIVE): _S.ACTIVE_UNACKNOWLEDGED,
    (_S.SHELVED, _E.UNSHELVE_NORMAL): _S.NORMAL,
    **{
        (state, _E.SUPPRESS): _S.SUPPRESSED
        for state in (_S.NORMAL, _S.ACTIVE_UNACKNOWLEDGED, _S.ACTIVE_ACKNOWLEDGED, _S.SHELVED)
    },
    (_S.SUPPRESSED, _E.ACTIVATE): _S.SUPPRESSED,
    (_S.SUPPRESSED, _E.RETURN): _S.SUPPRESSED,
    (_S.SUPPRESSED, _E.UNSUPPRESS_ACTIVE): _S.ACTIVE_UNACKNOWLEDGED,
    (_S.SUPPRESSED, _E.UNSUPPRESS_NORMAL): _S.RETURNED_UNACKNOWLEDGED,
    **{(state, _E.REMOVE_FROM_SERVICE): _S.OUT_OF_SERVICE for state in _S if state is not _S.OUT_OF_SERVICE},
    (_S.OUT_OF_SERVICE, _E.ACTIVATE): _S.OUT_OF_SERVICE,
    (_S.OUT_OF_SERVICE, _E.RETURN): _S.OUT_OF_SERVICE,
    (_S.OUT_OF_SERVICE, _E.RETURN_TO_SERVICE): _S.NORMAL,
}


def next_state(state: AlarmState, event: AlarmEvent) -> AlarmState:
    """The state after `event`; raises `IllegalTransition` where the table has none.

    >>> next_state(AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmEvent.ACKNOWLEDGE).value
    'active-acknowledged'
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        possible = ", ".join(e.value for s, e in TRANSITIONS if s is state)
        raise IllegalTransition(f"an alarm that is {state} cannot take '{event}'; possible now: {possible}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BilingualText:
    sv: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an alarm rests on: the score when it was raised and the signals to look at, the guiltiest first."""

    score: float | None = None
    signals: tuple[str, ...] = ()


class Suppression(StrEnum):
    """Why an alarm is suppressed by design."""

    MACHINE_OFF = "machine-off"
    FLOOD = "flood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One occurrence of an alarm, whole: every change publishes it anew. Times are ns since 1970 UTC.

    case_id:   the case that it belongs to; first_out: whether it was the first alarm of its case
    """

    asset: str
    alarm_id: str
    rule: str
    priority: Priority
    state: AlarmState
    raised: int
    changed: int
    by: str | None = None
    comment: str | None = None
    shelved_until: int | None = None
    suppressed_by: Suppression | None = None
    case_id: str | None = None
    first_out: bool = False
    text: BilingualText
    evidence: Evidence = field(default_factory=Evidence)
