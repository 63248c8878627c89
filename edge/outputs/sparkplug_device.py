"""One asset as a Sparkplug B device: its newest result and its alarms as metrics, without any socket."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.contracts.alarm import Alarm, AlarmState, Priority
from edge.contracts.assessment import Assessment, Reason, State
from edge.contracts.plant import Asset
from edge.formats.sparkplug_payload import QUALITY, UNIT, DataType, Metric, Property, QualityCode, Value, quality
from edge.formats.units import UNITS

_NUMBERS: Final[tuple[tuple[str, str, Callable[[Assessment], float | None]], ...]] = (
    ("Score", "1", lambda found: found.score),
    ("Health", "1", lambda found: found.health),
    ("Fault/Probability", "1", lambda found: found.fault.probability if found.fault else None),
    ("RUL/P10", "h", lambda found: found.rul_h.p10 if found.rul_h else None),
    ("RUL/P50", "h", lambda found: found.rul_h.p50 if found.rul_h else None),
    ("RUL/P90", "h", lambda found: found.rul_h.p90 if found.rul_h else None),
    ("Coverage", "1", lambda found: found.coverage),
)
_TEXTS: Final[tuple[tuple[str, Callable[[Assessment], str | None]], ...]] = (
    ("Zone", lambda found: found.zone),
    ("State", lambda found: found.state),
    ("Reason", lambda found: found.reason),
    ("Fault/Name", lambda found: found.fault.name if found.fault else None),
)
# the alarms that call for an operator, the most urgent first; what is shelved or out of service does not
_CALLING: Final = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
_PRIORITIES: Final = tuple(Priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The value of a metric, its quality, and since when [ns UTC]. A value of None is null."""

    datatype: DataType
    value: Value | None
    time: int
    code: QualityCode = QualityCode.GOOD
    unit: str | None = None

    def is_like(self, other: "_Shown") -> bool:
        """Whether there is nothing to tell: time alone is no news."""
        return (self.value, self.code) == (other.value, other.code)


class ResultDevice:
    """What is known of one asset. `birth` gives all its metrics, `news` those that have changed since they were given last.

    rules: the alarm rules that the asset has
    since: when the edge began [ns UTC]: the time of what has not been heard of since
    """

    def __init__(self, asset: Asset, rules: Sequence[str], since: int) -> None:
        self._units = {name: _shown_unit(signal.unit) for name, signal in asset.signals.items() if name not in asset.context}
        self._rules = {acknowledge_metric(rule): rule for rule in rules}
        self._alarms: dict[str, Alarm] = {}
        self._assessment: Assessment | None = None
        self._since = since
        self._said: dict[str, _Shown] = {}
        # when hosts wrote: a metric that is older would not convince them
        self._written: dict[str, int] = {}
        # whether there are metrics that its last birth does not name
        self.is_outdated = False

    def assess(self, assessment: Assessment) -> None:
        self._assessment = assessment

    def follow(self, alarm: Alarm) -> None:
        """Take an alarm as it is now."""
        self._alarms[alarm.rule] = alarm
        if acknowledge_metric(alarm.rule) not in self._rules:
            self._rules[acknowledge_metric(alarm.rule)] = alarm.rule
            self.is_outdated = True

    def rule_of(self, metric: str) -> str | None:
        """The alarm rule that a metric acknowledges; None for metrics that nobody writes to."""
        return self._rules.get(metric)

    def open_alarm(self, rule: str) -> Alarm | None:
        alarm = self._alarms.get(rule)
        return None if alarm is None or alarm.state is AlarmState.NORMAL else alarm

    def repeat(self, metric: str, time: int) -> None:
        """Say a metric again: a host has written something else there at `time` [ns UTC]."""
        self._said.pop(metric, None)
        self._written[metric] = time

    def birth(self) -> list[Metric]:
        self._said, self.is_outdated = self._shown(), False
        return [_metric(name, shown, (QUALITY, UNIT)) for name, shown in self._said.items()]

    def news(self) -> list[Metric]:
        now, before = self._shown(), self._said
        self._said = now
        changed = [name for name in now if name not in before or not now[name].is_like(before[name])]
        return [
            _metric(name, now[name], () if _goes_without_saying(now[name], before.get(name)) else (QUALITY,))
            for name in changed
        ]

    def _shown(self) -> dict[str, _Shown]:
        return {**self._results(), **self._alarm_summary(), **self._alarm_states()}

    def _results(self) -> dict[str, _Shown]:
        found = self._assessment
        absent = _quality_of_nothing(found)
        time = self._since if found is None else found.time
        measured: Mapping[str, float | None] = {} if found is None else found.measured
        expected = {} if found is None or found.expected is None else found.expected
        # a measured value that is missing is a fault of its own, whatever becomes of the score
        missing = absent if found is None else QualityCode.BAD
        shown = {
            name: _number(None if found is None else take(found), time, absent, _shown_unit(unit))
            for name, unit, take in _NUMBERS
        }
        for name, take in _TEXTS:
            text = None if found is None else take(found)
            shown[name] = _text(str(text) if text is not None else None, time, absent)
        for name, unit in self._units.items():
            shown[f"Measured/{name}"] = _number(measured.get(name), time, missing, unit)
            shown[f"Expected/{name}"] = _number(expected.get(name), time, absent, unit)
        return shown

    def _alarm_summary(self) -> dict[str, _Shown]:
        calling = sorted((alarm for alarm in self._alarms.values() if alarm.state in _CALLING), key=_urgency)
        first = calling[0] if calling else None
        time = max((alarm.changed for alarm in self._alarms.values()), default=self._since)
        return {
            "Alarms/Open": _Shown(datatype=DataType.INT32, value=len(calling), time=time),
            "Alarms/HighestPriority": _text(first.priority.value if first else None, time),
            "Alarms/Text": _text(first.text.en if first else None, time),
            "Alarms/Text sv": _text(first.text.sv if first else None, time),
        }

    def _alarm_states(self) -> dict[str, _Shown]:
        shown: dict[str, _Shown] = {}
        for acknowledge, rule in self._rules.items():
            alarm = self._alarms.get(rule)
            state, time = (AlarmState.NORMAL, self._since) if alarm is None else (alarm.state, alarm.changed)
            shown[f"Alarms/{rule}/State"] = _text(state.value, time)
            written = self._written.get(acknowledge, time)
            shown[acknowledge] = _Shown(datatype=DataType.BOOLEAN, value=False, time=max(time, written))
        return shown


def acknowledge_metric(rule: str) -> str:
    return f"Alarms/{rule}/Acknowledge"


def _quality_of_nothing(found: Assessment | None) -> QualityCode:
    """How good it is to know nothing: Good where there is nothing, as no fault; else the reason why no score was given."""
    if found is None:
        return QualityCode.STALE
    if found.state is not State.WITHHELD:
        return QualityCode.GOOD
    return QualityCode.BAD if found.reason is Reason.BAD_QUALITY else QualityCode.STALE


def _number(value: float | None, time: int, absent: QualityCode, unit: str) -> _Shown:
    if value is None or not math.isfinite(value):
        return _Shown(datatype=DataType.DOUBLE, value=None, time=time, code=absent, unit=unit)
    return _Shown(datatype=DataType.DOUBLE, value=float(value), time=time, unit=unit)


def _text(value: str | None, time: int, absent: QualityCode = QualityCode.GOOD) -> _Shown:
    """A text; where it is known that there is none it is empty, as operators' displays write 'null' for null."""
    if value is None and absent is not QualityCode.GOOD:
        return _Shown(datatype=DataType.STRING, value=None, time=time, code=absent)
    return _Shown(datatype=DataType.STRING, value=value or "", time=time)


def _urgency(alarm: Alarm) -> tuple[int, int, int]:
    return -_PRIORITIES.index(alarm.priority), _CALLING.index(alarm.state), -alarm.raised


def _shown_unit(ucum: str) -> str:
    """As people write it: operators see this text beside the value."""
    return UNITS[ucum].display if ucum in UNITS else ucum


def _goes_without_saying(shown: _Shown, before: _Shown | None) -> bool:
    """Whether a quality need not be told with data: a host that is told none takes it for Good."""
    return shown.code is QualityCode.GOOD and before is not None and before.code is QualityCode.GOOD


def _metric(name: str, shown: _Shown, told: Sequence[str]) -> Metric:
    unit = None if shown.unit is None else Property(datatype=DataType.STRING, value=shown.unit)
    known = {QUALITY: quality(shown.code), UNIT: unit}
    return Metric(
        name=name,
        datatype=shown.datatype,
        value=shown.value,
        is_null=shown.value is None,
        timestamp=shown.time,
        properties={key: content for key, content in known.items() if key in told and content is not None},
    )
