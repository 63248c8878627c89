"""What an assessment and the open alarms mean in the words of NAMUR NE 107 and OPC UA for Devices (OPC 10000-100, 4.5.4).

NE 107 knows four states besides the normal one, and which of several is told: failure, then function check, then out of
specification, then maintenance required. The table stands in `edge/outputs/README.md`.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from edge.advisory_generation.rules import ANOMALY
from edge.contracts.alarm import Alarm, AlarmState, Priority
from edge.contracts.assessment import Assessment, Reason, Zone


class DeviceHealth(IntEnum):
    """DeviceHealthEnumeration, with its numbers."""

    NORMAL = 0
    FAILURE = 1
    CHECK_FUNCTION = 2
    OFF_SPEC = 3
    MAINTENANCE_REQUIRED = 4


# OPC UA part 5, table 5: severities from 1 to 1000, in five bands of 200
SEVERITIES: Final = {Priority.LOW: 300, Priority.MEDIUM: 500, Priority.HIGH: 700, Priority.CRITICAL: 900}
# that nothing can be said of a machine now is no fault of it
_PASSING: Final = frozenset({Reason.MACHINE_OFF, Reason.WARMING_UP, Reason.CHANGEOVER})
_ACTIVE: Final = frozenset({AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED})
_SILENT: Final = frozenset({AlarmState.NORMAL, AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE})
_MOST_TELLING: Final = (
    DeviceHealth.FAILURE,
    DeviceHealth.CHECK_FUNCTION,
    DeviceHealth.OFF_SPEC,
    DeviceHealth.MAINTENANCE_REQUIRED,
)


def judged(assessment: Assessment, before: DeviceHealth | None) -> DeviceHealth:
    """What an assessment alone says; `before` stays while a machine is off, warms up, or is changed over."""
    if assessment.zone is Zone.D:
        return DeviceHealth.FAILURE
    if assessment.reason in _PASSING:
        return DeviceHealth.CHECK_FUNCTION if before is None else before
    if assessment.reason is Reason.UNKNOWN_OPERATING_POINT:
        return DeviceHealth.OFF_SPEC
    if assessment.reason is not None:
        return DeviceHealth.CHECK_FUNCTION
    return DeviceHealth.MAINTENANCE_REQUIRED if assessment.zone is Zone.C else DeviceHealth.NORMAL


def device_health(judgement: DeviceHealth | None, alarms: Iterable[Alarm]) -> DeviceHealth | None:
    """The judgement together with the alarms that are active; None while nothing is known.

    >>> device_health(DeviceHealth.NORMAL, ()).name
    'NORMAL'
    """
    told = {
        DeviceHealth.MAINTENANCE_REQUIRED if alarm.rule == ANOMALY else DeviceHealth.OFF_SPEC
        for alarm in alarms
        if alarm.state in _ACTIVE
    }
    return next((each for each in _MOST_TELLING if each in told or each is judgement), judgement)


def told_alarms(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Those that an operator is to see, the most important first: by priority, unacknowledged before acknowledged, newest."""
    heard = (alarm for alarm in alarms if alarm.state not in _SILENT)

    def importance(alarm: Alarm) -> tuple[int, bool, int]:
        return SEVERITIES[alarm.priority], alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED, alarm.raised

    return sorted(heard, key=importance, reverse=True)
