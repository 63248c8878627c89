"""The alarms of an edge and what happens to them; the life cycle itself is the table in `contracts/alarm.py`.

Two things are silenced by design, which ISA-18.2 calls designed suppression. What a machine has while it is off is suppressed
until it runs again. In a flood (more than 10 alarms begin within 10 minutes, until it is fewer than 5) alarms that are not of
high priority, and are not the first of their case, wait until it is over: what comes first stays readable.
"""

import dataclasses
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from edge.contracts.alarm import Alarm, AlarmEvent, AlarmState, BilingualText, Evidence, Priority, Suppression, next_state
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError

_NAMESPACE: Final = uuid.UUID("5c7d3c56-9d6e-4c53-9a3c-2a4f3c7d1b60")
ACTIVE: Final = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED)
# the rule of what stands for all alarms of a machine that is out of service
ALL_RULES: Final = "all"
FLOOD_NS: Final = 600 * 1_000_000_000
FLOOD_BEGINS, FLOOD_ENDS = 10, 5
_SPARED: Final = (Priority.HIGH, Priority.CRITICAL)


class CommandRefused(KullagerError):
    """A command that cannot be carried out; its text is the answer."""


class AlarmList:
    """All alarms that are not normal, by asset and rule. Every method gives the alarms that changed, anew.

    place: the case that an alarm of an asset belongs to that is heard again at a time, and whether it is the case's first;
           None: alarms keep the case that they began in
    """

    def __init__(self, edge: str) -> None:
        self.place: Callable[[int, str], tuple[str, bool]] | None = None
        self._edge = edge
        self._alarms: dict[tuple[str, str], Alarm] = {}
        # silenced alarms follow their condition without a word
        self._condition_holds: set[str] = set()
        # machines that are off, whose alarms nobody is to hear
        self._off: set[str] = set()
        self._begun: deque[int] = deque()
        self.is_flood = False

    @property
    def open(self) -> tuple[Alarm, ...]:
        return tuple(self._alarms.values())

    @property
    def holding(self) -> tuple[str, ...]:
        """The ids of the alarms whose condition holds."""
        return tuple(sorted(self._condition_holds))

    def holds(self, asset: str, rule: str) -> bool:
        """Whether the condition of a rule holds."""
        alarm = self._alarms.get((asset, rule))
        return alarm is not None and alarm.alarm_id in self._condition_holds

    def begin(
        self,
        time: int,
        *,
        asset: str,
        rule: str,
        priority: Priority,
        text: BilingualText,
        evidence: Evidence,
        case_id: str | None = None,
        first_out: bool = False,
    ) -> Alarm | None:
        """The condition of a rule has begun; None when nothing changes for an operator (shelved, out of service, active)."""
        alarm = self._alarms.get((asset, rule))
        if alarm is None:
            alarm = dataclasses.replace(self._new(time, asset, rule, priority, text, evidence), first_out=first_out)
        self._condition_holds.add(alarm.alarm_id)
        about: dict[str, object] = {"text": text, "evidence": evidence, "case_id": case_id}
        if case_id != alarm.case_id:
            about["first_out"] = first_out
        if alarm.state in ACTIVE:
            # after a kill what watches the condition may be older than the alarm
            return None
        if alarm.state is AlarmState.NORMAL and (asset, ALL_RULES) in self._alarms:
            # it is told as such, and active when the machine is back in service
            return self._put(alarm, AlarmEvent.REMOVE_FROM_SERVICE, time, **about)
        if alarm.state is AlarmState.OUT_OF_SERVICE:
            self._alarms[asset, rule] = dataclasses.replace(alarm, priority=priority, **about)  # type: ignore[arg-type]
            return None
        if alarm.state in (AlarmState.NORMAL, AlarmState.RETURNED_UNACKNOWLEDGED):
            self._begun.append(time)
            self._look_for_flood(time)
            if self.is_flood and alarm.state is AlarmState.NORMAL and priority not in _SPARED and not first_out:
                return self._put(alarm, AlarmEvent.SUPPRESS, time, suppressed_by=Suppression.FLOOD, **about)
        return self._put(alarm, AlarmEvent.ACTIVATE, time, **about)

    def suppress(self, time: int, asset: str) -> list[Alarm]:
        """The machine is off: its active alarms are suppressed by design, and those that would be heard while it is off."""
        self._off.add(asset)
        active = [alarm for alarm in self._alarms.values() if alarm.asset == asset and alarm.state in ACTIVE]
        changed = (self._put(each, AlarmEvent.SUPPRESS, time, suppressed_by=Suppression.MACHINE_OFF) for each in active)
        return [alarm for alarm in changed if alarm is not None]

    def unsuppress(self, time: int, asset: str | None, why: Suppression) -> list[Alarm]:
        """What suppressed the alarms of a machine, or of all, for this reason is over."""
        if why is Suppression.MACHINE_OFF:
            self._off = self._off - {asset} if asset is not None else set()
        due = [
            alarm
            for alarm in self._alarms.values()
            if alarm.state is AlarmState.SUPPRESSED and alarm.suppressed_by is why and asset in (None, alarm.asset)
        ]
        changed = (self._audible(each, time, AlarmEvent.UNSUPPRESS_ACTIVE, AlarmEvent.UNSUPPRESS_NORMAL) for each in due)
        return [alarm for alarm in changed if alarm is not None]

    def end(self, time: int, *, asset: str, rule: str) -> Alarm | None:
        """The condition of a rule has ended."""
        alarm = self._alarms.get((asset, rule))
        if alarm is None:
            return None
        self._condition_holds.discard(alarm.alarm_id)
        if alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED:
            return None
        return self._put(alarm, AlarmEvent.RETURN, time)

    def expire(self, time: int) -> list[Alarm]:
        """End the shelving of alarms whose time is up, and what a flood has suppressed when it is over."""
        flood = self.is_flood
        self._look_for_flood(time)
        after_flood = self.unsuppress(time, None, Suppression.FLOOD) if flood and not self.is_flood else []
        due = [alarm for alarm in self._alarms.values() if alarm.shelved_until is not None and alarm.shelved_until <= time]
        changed = (self._unshelve(alarm, time, by=None, comment=alarm.comment) for alarm in due)
        return after_flood + [alarm for alarm in changed if alarm is not None]

    def command(self, verb: AlarmVerb, command: AlarmCommand) -> list[Alarm]:
        """Carry out what an operator asks; nothing when it was so already. Raises `CommandRefused`, `IllegalTransition`."""
        if verb in (AlarmVerb.OUT_OF_SERVICE, AlarmVerb.RETURN_TO_SERVICE):
            return self._serve(verb, command)
        changed = self._change_one(verb, command)
        return [changed] if changed is not None else []

    def _change_one(self, verb: AlarmVerb, command: AlarmCommand) -> Alarm | None:
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
                    until = command.shelved_until
                    return self._change(alarm, alarm.state, command.time, by=by, comment=comment, shelved_until=until)
                told: dict[str, object] = {"by": by, "comment": comment, "shelved_until": command.shelved_until}
                return self._put(alarm, AlarmEvent.SHELVE, command.time, suppressed_by=None, **told)
            case AlarmVerb.UNSHELVE:
                if alarm.state is not AlarmState.SHELVED:
                    return None
                return self._unshelve(alarm, command.time, by=by, comment=comment)
            case AlarmVerb.COMMENT:
                if not command.comment:
                    raise CommandRefused("a comment needs a text")
                return self._change(alarm, alarm.state, command.time, by=by, comment=command.comment)
        raise AssertionError(verb)

    def _serve(self, verb: AlarmVerb, command: AlarmCommand) -> list[Alarm]:
        """Take alarms out of service, or back: one that is open, by its id, or a machine's by asset and rule."""
        one = next((alarm for alarm in self._alarms.values() if alarm.alarm_id == command.alarm_id), None)
        if command.alarm_id and one is None:
            raise CommandRefused(f"no open alarm has the id {command.alarm_id}; name 'asset' and 'rule' instead")
        asset, rule = (one.asset, one.rule) if one is not None else (command.asset, command.rule)
        if asset is None:
            raise CommandRefused("taking out of service needs 'alarm_id', or 'asset'")
        by: dict[str, object] = {"by": command.by, "shelved_until": None, "suppressed_by": None}
        if command.comment:
            by["comment"] = command.comment
        of_it = [alarm for alarm in self._alarms.values() if alarm.asset == asset and rule in (None, ALL_RULES, alarm.rule)]
        if verb is AlarmVerb.OUT_OF_SERVICE:
            stands = rule or ALL_RULES
            due = [alarm for alarm in of_it if alarm.state is not AlarmState.OUT_OF_SERVICE]
            if (asset, stands) not in self._alarms:
                text = BilingualText(sv="Larm tagna ur drift", en="Alarms out of service")
                due.append(self._new(command.time, asset, stands, Priority.LOW, text, Evidence()))
            changed = [self._put(each, AlarmEvent.REMOVE_FROM_SERVICE, command.time, **by) for each in due]
            return [alarm for alarm in changed if alarm is not None]
        out = [alarm for alarm in of_it if alarm.state is AlarmState.OUT_OF_SERVICE]
        if not out and (asset, ALL_RULES) in self._alarms:
            raise CommandRefused(f"all alarms of '{asset}' are out of service; they come back together, without 'rule'")
        returned = []
        for alarm in out:
            holds = alarm.alarm_id in self._condition_holds
            if (normal := self._put(alarm, AlarmEvent.RETURN_TO_SERVICE, command.time, **by)) is not None:
                returned.append(normal)
                if holds:
                    self._condition_holds.add(alarm.alarm_id)
                    begun = self._heard(normal, AlarmEvent.ACTIVATE, command.time)
                    returned += [begun] if begun is not None else []
        return returned

    def restore(self, alarms: Iterable[Alarm], holding: Iterable[str]) -> None:
        """Go on with what was `open` and `holding`. Of a flood is known what it has left; what began in it counts anew."""
        self._alarms = {(alarm.asset, alarm.rule): alarm for alarm in alarms}
        self._condition_holds = set(holding)
        reasons = {alarm.asset: alarm.suppressed_by for alarm in self._alarms.values() if alarm.suppressed_by is not None}
        self._off = {asset for asset, why in reasons.items() if why is Suppression.MACHINE_OFF}
        self._begun = deque(sorted(alarm.raised for alarm in self._alarms.values()))
        self.is_flood = any(alarm.suppressed_by is Suppression.FLOOD for alarm in self._alarms.values())

    def _unshelve(self, alarm: Alarm, time: int, by: str | None, comment: str | None) -> Alarm | None:
        told: dict[str, object] = {"by": by, "comment": comment, "shelved_until": None}
        return self._audible(alarm, time, AlarmEvent.UNSHELVE_ACTIVE, AlarmEvent.UNSHELVE_NORMAL, **told)

    def _audible(self, alarm: Alarm, time: int, active: AlarmEvent, normal: AlarmEvent, **changes: object) -> Alarm | None:
        if alarm.alarm_id in self._condition_holds:
            return self._heard(alarm, active, time, **changes)
        return self._put(alarm, normal, time, suppressed_by=None, **changes)

    def _heard(self, alarm: Alarm, event: AlarmEvent, time: int, **changes: object) -> Alarm | None:
        """An alarm whose condition holds is heard again by `event`, unless its machine is off."""
        if alarm.asset in self._off:
            changes["suppressed_by"] = Suppression.MACHINE_OFF
            if alarm.state is AlarmState.SUPPRESSED:
                return self._change(alarm, alarm.state, time, **changes)
            return self._put(alarm, AlarmEvent.SUPPRESS, time, **changes)
        if self.place is not None and alarm.case_id is not None:
            # its case may have been closed while it was silent
            case_id, is_new = self.place(time, alarm.asset)
            if case_id != alarm.case_id:
                has_first = any(each.case_id == case_id and each.first_out for each in self._alarms.values())
                changes |= {"case_id": case_id, "first_out": is_new and not has_first}
        return self._put(alarm, event, time, suppressed_by=None, **changes)

    def _look_for_flood(self, time: int) -> None:
        # what lies far ahead began before a source's clock was set back
        self._begun = deque(begun for begun in self._begun if time - FLOOD_NS < begun <= time + FLOOD_NS)
        self.is_flood = len(self._begun) > FLOOD_BEGINS or (self.is_flood and len(self._begun) >= FLOOD_ENDS)

    def _new(self, time: int, asset: str, rule: str, priority: Priority, text: BilingualText, evidence: Evidence) -> Alarm:
        # the identity follows from what happened, so that a replay gives the same
        alarm_id = str(uuid.uuid5(_NAMESPACE, f"{self._edge}/{asset}/{rule}/{time}"))
        return Alarm(
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
