"""Alarms of one cause grouped into one case per asset, from its first alarm until none has been active for a while."""

import dataclasses
import math
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from edge.advisory_generation.advice import NS_PER_H, advise
from edge.advisory_generation.alarm_list import ACTIVE
from edge.contracts.alarm import Alarm, BilingualText, Priority
from edge.contracts.assessment import Assessment, Diagnosis, FaultMode
from edge.contracts.case import Case, CaseState
from edge.knowledge import ClassKnowledge

_NAMESPACE: Final = uuid.UUID("b1d0c1a4-5f0e-4bd5-9d3e-8a5d6f1c7e22")
# So long none of its alarms has been active when a case is closed: what comes sooner is of the same cause. A fault that grows
# slowly shows at first only now and then, under load or at one recipe: a case that has lasted long waits for longer. [ns]
CLOSES_AFTER_NS: Final = 600 * 1_000_000_000
CLOSES_AFTER_SHARE: Final = 4
CLOSES_AFTER_MOST_NS: Final = 7200 * 1_000_000_000
# what only moves on is told so often at most [ns]
REFRESH_NS: Final = 300 * 1_000_000_000
# after a restart what was found before counts as so many instants
REMEMBERED: Final = 60
# anomalous instants after which a share 1/e is left of what was found: another fault may follow in the same case
FADES_AFTER: Final = 900.0
# instants without which no likeness names a fault: the first ones are those of whatever changes the fastest
LEAST_INSTANTS: Final = 30
# so many times as likely as the second a fault must be that likeness names first: of two alike the wrong one costs a stop
CLEARLY: Final = 1.3
_KEPT: Final = math.exp(-1.0 / FADES_AFTER)
_LIMIT_ALARM: Final = "limit-alarm-"
_RANKS: Final = tuple(Priority)


class CaseList:
    """The open cases of an edge, by asset."""

    def __init__(self, edge: str) -> None:
        self._edge = edge
        self._cases: dict[str, Case] = {}
        # by asset: what each fault mode was given in all, and by how many instants
        self._votes: dict[str, dict[str, float]] = {}
        self._instants: dict[str, float] = {}
        self._active: dict[str, set[str]] = {}
        self._quiet_since: dict[str, int] = {}
        self._told: dict[str, tuple[int, Case]] = {}

    @property
    def open(self) -> tuple[Case, ...]:
        return tuple(self._cases.values())

    def restore(self, cases: Iterable[Case], alarms: Iterable[Alarm]) -> None:
        self._cases = {case.asset: case for case in cases}
        self._told = {case.asset: (case.changed, case) for case in self._cases.values()}
        active = [alarm for alarm in alarms if alarm.state in ACTIVE]
        for asset, case in self._cases.items():
            self._active[asset] = {alarm.alarm_id for alarm in active if alarm.case_id == case.case_id}
            if case.fault is not None:
                self._votes[asset] = {case.fault.name: REMEMBERED * case.fault.probability}
                self._instants[asset] = REMEMBERED

    def place(self, time: int, asset: str) -> tuple[str, bool]:
        """The case that an alarm that begins now belongs to, and whether it is its first."""
        if (case := self._cases.get(asset)) is not None:
            return case.case_id, False
        return str(uuid.uuid5(_NAMESPACE, f"{self._edge}/{asset}/{time}")), True

    def take(self, time: int, alarms: Sequence[Alarm]) -> None:
        """What has changed of alarms; those that begin open or join a case."""
        for alarm in alarms:
            if alarm.case_id is None:
                continue
            case = self._cases.get(alarm.asset)
            if case is None and alarm.state in ACTIVE:
                case = self._cases[alarm.asset] = Case(
                    asset=alarm.asset,
                    case_id=alarm.case_id,
                    state=CaseState.OPEN,
                    opened=time,
                    changed=time,
                    priority=alarm.priority,
                    text=alarm.text,
                )
                self._votes[alarm.asset], self._instants[alarm.asset] = {}, 0
            if case is None or case.case_id != alarm.case_id:
                continue
            active = self._active.setdefault(alarm.asset, set())
            (active.add if alarm.state in ACTIVE else active.discard)(alarm.alarm_id)
            if alarm.alarm_id not in case.alarms:
                signals = tuple(dict.fromkeys((*case.signals, *alarm.evidence.signals)))
                case = dataclasses.replace(
                    case,
                    alarms=(*case.alarms, alarm.alarm_id),
                    rules=(*case.rules, alarm.rule),
                    priority=max(case.priority, alarm.priority, key=_RANKS.index),
                    signals=signals,
                )
            if alarm.rule.startswith(_LIMIT_ALARM) and case.limit_reached is None:
                case = dataclasses.replace(case, limit_reached=time, ahead_h=(time - case.opened) / NS_PER_H)
            self._cases[alarm.asset] = case

    def follow(
        self,
        time: int,
        assessment: Assessment,
        probabilities: dict[str, float],
        knowledge: ClassKnowledge,
        facts: Callable[[], BilingualText],
    ) -> Case | None:
        """One instant of an asset that has a case; the case where there is something to tell.

        probabilities: of each fault mode now; facts: gives what was measured, in words, which only news needs
        """
        asset = assessment.asset
        case = self._cases[asset]
        fault = self._fault(asset, assessment, probabilities, case.fault)
        life = assessment.rul_h or case.rul_h
        worst = max((score for score in (case.worst_score, assessment.score) if score is not None), default=None)
        case = dataclasses.replace(
            case,
            worst_score=worst,
            health=assessment.health if assessment.health is not None else case.health,
            fault=fault,
            rul_h=life,
            changed=max(time, case.changed),
        )
        if self._is_over(time, asset):
            case = dataclasses.replace(case, state=CaseState.CLOSED, closed=time)
            for kept in (self._cases, self._votes, self._instants, self._active, self._quiet_since, self._told):
                kept.pop(asset, None)
            return case
        self._cases[asset] = case
        told_at, told = self._told.get(asset, (0, None))
        if told is not None and not _is_news(told, case) and time - told_at < REFRESH_NS:
            return None
        advice = advise(time, fault, knowledge, life, facts())
        before = case.advice
        is_same = told is not None and _name(told.fault) == _name(fault)
        if before is not None and assessment.rul_h is None and (is_same or life is not None):
            # nothing new is known of how long it lasts: time goes by, and the latest moment stays
            advice = dataclasses.replace(advice, until=before.until)
        case = dataclasses.replace(case, advice=advice)
        if fault is not None or (told is not None and told.fault is not None):
            case = dataclasses.replace(case, text=advice.name)
        self._cases[asset] = case
        self._told[asset] = time, case
        return case

    @property
    def assets(self) -> frozenset[str]:
        """Those that have an open case."""
        return frozenset(self._cases)

    def signals(self, asset: str) -> tuple[str, ...]:
        """What the alarms of an asset's case rest on."""
        return self._cases[asset].signals

    def _fault(
        self, asset: str, assessment: Assessment, probabilities: dict[str, float], before: FaultMode | None
    ) -> FaultMode | None:
        """The fault mode with the largest mean probability over the case's anomalous instants; None: no fault is likelier."""
        if not probabilities or (assessment.score or 0.0) < 1.0:
            return before
        votes, n = self._votes.setdefault(asset, {}), self._instants.get(asset, 0.0) * _KEPT + 1.0
        self._instants[asset] = n
        # of all: a model that comes into service meanwhile may know other faults
        for name in dict.fromkeys((*votes, *probabilities)):
            votes[name] = votes.get(name, 0.0) * _KEPT + probabilities.get(name, 0.0)
        likeliest = max(votes, key=lambda name: votes[name])
        # a fault takes the lead only at an instant that names one
        named = assessment.fault or before
        # what the probabilities leave to 1 is that of no fault
        if named is None or votes[likeliest] <= n - sum(votes.values()):
            return None
        if before is None and named.by is Diagnosis.SIGNATURE:
            second = max((votes[name] for name in votes if name != likeliest), default=0.0)
            if n < LEAST_INSTANTS * _KEPT**LEAST_INSTANTS or votes[likeliest] < CLEARLY * second:
                return None
        return FaultMode(name=likeliest, probability=round(votes[likeliest] / n, 3), by=named.by)

    def _is_over(self, time: int, asset: str) -> bool:
        if self._active.get(asset):
            self._quiet_since.pop(asset, None)
            return False
        since = self._quiet_since.setdefault(asset, time)
        waits = (since - self._cases[asset].opened) // CLOSES_AFTER_SHARE
        return time - since >= min(max(waits, CLOSES_AFTER_NS), CLOSES_AFTER_MOST_NS)


def _is_news(told: Case, case: Case) -> bool:
    """Whether something has happened, and not only moved on."""
    return _name(told.fault) != _name(case.fault) or told.alarms != case.alarms or told.limit_reached != case.limit_reached


def _name(fault: FaultMode | None) -> str | None:
    return fault.name if fault is not None else None
