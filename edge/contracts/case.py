"""A case: everything that one machine's trouble brought about, from its first alarm to its end; and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from edge.contracts.alarm import BilingualText, Priority
from edge.contracts.assessment import FaultMode, RemainingLife


class CaseState(StrEnum):
    """Closed: no alarm of the case has been active for a while."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do about a fault mode, until when at the latest, on which evidence and how surely.

    mode, mechanism, cause: of the fault after ISO 14224:2016, tables B.6 to B.15, B.2 and B.3; None where nobody knows
    until:                  ns since 1970 UTC: the lower end of the remaining life, or what the table says of the fault mode
    sureness:               0..1, the probability of the fault mode
    """

    name: BilingualText
    action: BilingualText
    because: BilingualText
    mode: str | None = None
    mechanism: str | None = None
    cause: str | None = None
    until: int | None = None
    sureness: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of one asset, whole: every change publishes it anew. Times are ns since 1970 UTC.

    alarms, rules: the ids of its alarms, and by which rule each was raised, as they came: the first is first-out
    limit_reached: when a fixed alarm limit of the plant was reached; ahead_h: how many hours before that the case was opened
    """

    asset: str
    case_id: str
    state: CaseState
    opened: int
    changed: int
    closed: int | None = None
    alarms: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    priority: Priority
    text: BilingualText
    signals: tuple[str, ...] = ()
    worst_score: float | None = None
    health: float | None = None
    fault: FaultMode | None = None
    rul_h: RemainingLife | None = None
    advice: Advice | None = None
    limit_reached: int | None = None
    ahead_h: float | None = None
