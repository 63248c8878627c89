"""The alarms of an edge and what happens to them; the life cycle itself is the table in `contracts/alarm.py`."""

import dataclasses
import uuid
from collections.abc import Iterable
from typing import Final

from edge.contracts.alarm import Alarm, AlarmEvent, AlarmState, BilingualText, Evidence, Priority, next_state
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError

_NAMESPACE: Final = uuid.UUID("5c7d3c56-9d6e-4c53-9a3c-2a4f3c7d1b60")
_ACTIVE: Final = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED)


class CommandRefused(KullagerError):
    """A command that cannot be carried out; its text is the answer."""


class AlarmList:
    """All alarms that are not normal, by asset and rule. Every method gives the alarms that changed, anew."""

    def __init__(self, edge: str) -> None:
        self._edge = edge
        self._alarms: dict[tuple[str, str], Alarm] = {}
        # shelved alarms follow their condition in silence
        self._condition_holds: set[str] = set()

    @property
    def open(self) -> tuple[Alarm, ...]:
        return tuple(self._alarms.values())

    @property
    def holding(self) -> tuple[str, ...]:
        """The ids of the alarms whose condition holds."""
        return tuple(sorted(self._condition_holds))

    def begin(
        self, time: int, *, asset: str, rule: str, priority: Priority, text: BilingualText, evidence: Evidence
    ) -> Alarm | None:
        """The condition of a rule has begun; None when nothing changes for an operator (shelved)."""
        alarm = self._alarms.get((asset, rule))
        if alarm is None:
            # the identity follows from what happened, so that a replay gives the same
            alarm_id = str(uuid.uuid5(_NAMESPACE, f"{self._edge}/{asset}/{rule}/{time}"))
            alarm = Alarm(
                asset=asset,
                alarm_id=alarm_id,
                rule=rule,
                priority=priority,
                state=AlarmState.NORMAL,
                raised=time,
                changed=time,
                text=text,
                evidence=evidence,
            )
        self._condition_holds.add(alarm.alarm_id)
        return self._put(alarm, AlarmEvent.ACTIVATE, time, text=text, evidence=evidence)

    def end(self, time: int, *, asset: str, rule: str) -> Alarm | None:
        """The condition of a rule has ended."""
        alarm = self._alarms.get((asset, rule))
        if alarm is None:
            return None
        self._condition_holds.discard(alarm.alarm_id)
        return self._put(alarm, AlarmEvent.RETURN, time)

    def expire(self, time: int) -> list[Alarm]:
        """End the shelving of alarms whose time is up."""
        due = [alarm for alarm in self._alarms.values() if alarm.shelved_until is not None and alarm.shelved_until <= time]
        changed = (self._unshelve(alarm, time, by=None, comment=alarm.comment) for alarm in due)
        return [alarm for alarm in changed if alarm is not None]

    def command(self, verb: AlarmVerb, command: AlarmCommand) -> Alarm | None:
        """Carry out what an operator asks; None when it was so already. Raises `CommandRefused`, `IllegalTransition`."""
        alarm = next((a for a in self._alarms.values() if a.alarm_id == command.alarm_id), None)
        if alarm is None:
            if verb is AlarmVerb.ACKNOWLEDGE:
                # acknowledged and returned before: the list no longer knows it, and nothing is left to do
                return None
            raise CommandRefused(f"no open alarm has the id {command.alarm_id}; it may have returned to normal")
        by, comment = command.by, command.comment or alarm.comment
        match verb:
            case AlarmVerb.ACKNOWLEDGE:
                if alarm.state is AlarmState.ACTIVE_ACKNOWLEDGED:
                    return None
                return self._put(alarm, AlarmEvent.ACKNOWLEDGE, command.time, by=by, comment=comment)
            case AlarmVerb.SHELVE:
                if command.shelved_until is None or command.shelved_until <= command.time:
                    raise CommandRefused("shelving needs 'shelved_until', a time to come")
                if alarm.state is AlarmState.SHELVED:
                    return self._change(alarm, alarm.state, command.time, by=by, shelved_until=command.shelved_until)
                return self._put(
                    alarm, AlarmEvent.SHELVE, command.time, by=by, comment=comment, shelved_until=command.shelved_until
                )
            case AlarmVerb.UNSHELVE:
                if alarm.state is not AlarmState.SHELVED:
                    return None
                return self._unshelve(alarm, command.time, by=by, comment=comment)
            case AlarmVerb.COMMENT:
                if not command.comment:
                    raise CommandRefused("a comment needs a text")
                return self._change(alarm, alarm.state, command.time, by=by, comment=command.comment)

    def restore(self, alarms: Iterable[Alarm], holding: Iterable[str]) -> None:
        self._alarms = {(alarm.asset, alarm.rule): alarm for alarm in alarms}
        self._condition_holds = set(holding)

    def _unshelve(self, alarm: Alarm, time: int, by: str | None, comment: str | None) -> Alarm | None:
        holds = alarm.alarm_id in self._condition_holds
        event = AlarmEvent.UNSHELVE_ACTIVE if holds else AlarmEvent.UNSHELVE_NORMAL
        return self._put(alarm, event, time, by=by, comment=comment, shelved_until=None)

    def _put(self, alarm: Alarm, event: AlarmEvent, time: int, **changes: object) -> Alarm | None:
        state = next_state(alarm.state, event)
        if state is alarm.state:
            return None
        return self._change(alarm, state, time, **changes)

    def _change(self, alarm: Alarm, state: AlarmState, time: int, **changes: object) -> Alarm:
        # a command may come later than the instant that is assessed after it: the order of changes stays that of time
        when = max(time, alarm.changed)
        changed = dataclasses.replace(alarm, state=state, changed=when, **changes)  # type: ignore[arg-type]
        if state is AlarmState.NORMAL:
            self._alarms.pop((alarm.asset, alarm.rule), None)
            self._condition_holds.discard(alarm.alarm_id)
        else:
            self._alarms[alarm.asset, alarm.rule] = changed
        return changed
