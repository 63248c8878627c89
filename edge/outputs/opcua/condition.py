"""An alarm in the form of OPC UA part 9: the fields of its condition, which are those of each of its events."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.common.events import Event

from edge.contracts.alarm import Alarm, AlarmState
from edge.formats.opcua_nodes import below
from edge.outputs.opcua.asset_nodes import AssetNodes, moment
from edge.outputs.opcua.device_health import SEVERITIES

ALARM_TYPE: Final = ua.NodeId(ua.ObjectIds.AlarmConditionType)
SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_NAMESPACE: Final = uuid.UUID("0a3c0b52-6f4e-4f0e-8a58-6f0c6f1d1c11")
_SHELVED: Final = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_TimedShelved)
_UNSHELVED: Final = ua.NodeId(ua.ObjectIds.ShelvedStateMachineType_Unshelved)
# (active, acknowledged, retained, suppressed or shelved); a shelved alarm follows its condition without a word
_STATES: Final = {
    AlarmState.NORMAL: (False, True, False, False),
    AlarmState.ACTIVE_UNACKNOWLEDGED: (True, False, True, False),
    AlarmState.ACTIVE_ACKNOWLEDGED: (True, True, True, False),
    AlarmState.RETURNED_UNACKNOWLEDGED: (False, False, True, False),
    AlarmState.SHELVED: (True, False, True, True),
    AlarmState.SUPPRESSED: (True, False, True, True),
    AlarmState.OUT_OF_SERVICE: (False, True, False, True),
}
_V: Final = ua.VariantType

# by browse path
Fields = dict[str, tuple[Any, ua.VariantType]]


@dataclass(slots=True, kw_only=True)
class Condition:
    """A condition as it is now; `events` are the ids of all events of the present alarm."""

    asset: AssetNodes
    node: ua.NodeId
    alarm: Alarm
    fields: Fields
    events: set[bytes] = field(default_factory=set)

    @property
    def shelving(self) -> ua.NodeId:
        """The object of its ShelvingState."""
        return below(self.node, "ShelvingState")

    def is_set(self, path: str) -> bool:
        return bool(self.fields[path][0])


def fields_of(asset: AssetNodes, alarm: Alarm) -> Fields:
    """The fields of an event, by their browse path."""
    active, acknowledged, retained, suppressed = _STATES[alarm.state]
    shelved = alarm.state is AlarmState.SHELVED
    # the same after a restart
    event_id = uuid.uuid5(_NAMESPACE, f"{alarm.alarm_id} {alarm.state} {alarm.changed} {alarm.comment}").bytes
    severity, class_name = SEVERITIES[alarm.priority], ua.LocalizedText("MaintenanceConditionClassType", "en")
    return {
        "EventId": (event_id, _V.ByteString),
        "EventType": (ALARM_TYPE, _V.NodeId),
        "SourceNode": (asset.node, _V.NodeId),
        "SourceName": (asset.name, _V.String),
        "Time": (moment(alarm.changed), _V.DateTime),
        "ReceiveTime": (datetime.now(UTC), _V.DateTime),
        "Message": (ua.LocalizedText(alarm.text.en, "en"), _V.LocalizedText),
        "MessageSv": (ua.LocalizedText(alarm.text.sv, "sv"), _V.LocalizedText),
        "Severity": (severity, _V.UInt16),
        "ConditionClassId": (ua.NodeId(ua.ObjectIds.MaintenanceConditionClassType), _V.NodeId),
        "ConditionClassName": (class_name, _V.LocalizedText),
        "ConditionName": (alarm.rule, _V.String),
        "BranchId": (ua.NodeId(), _V.NodeId),
        "Retain": (retained, _V.Boolean),
        "EnabledState": (ua.LocalizedText("Enabled", "en"), _V.LocalizedText),
        "EnabledState/Id": (True, _V.Boolean),
        "Quality": (ua.StatusCode(ua.StatusCodes.Good), _V.StatusCode),
        "LastSeverity": (severity, _V.UInt16),
        "Comment": (ua.LocalizedText(alarm.comment or "", "en"), _V.LocalizedText),
        "ClientUserId": (alarm.by or "", _V.String),
        "AckedState": (ua.LocalizedText("Acknowledged" if acknowledged else "Unacknowledged", "en"), _V.LocalizedText),
        "AckedState/Id": (acknowledged, _V.Boolean),
        "ActiveState": (ua.LocalizedText("Active" if active else "Inactive", "en"), _V.LocalizedText),
        "ActiveState/Id": (active, _V.Boolean),
        "InputNode": (below(asset.node, "Score"), _V.NodeId),
        "SuppressedOrShelved": (suppressed, _V.Boolean),
        "ShelvingState/CurrentState": (ua.LocalizedText("Timed Shelved" if shelved else "Unshelved", "en"), _V.LocalizedText),
        "ShelvingState/CurrentState/Id": (_SHELVED if shelved else _UNSHELVED, _V.NodeId),
        "AlarmId": (alarm.alarm_id, _V.String),
    }


def event_of(condition: Condition, emitter: ua.NodeId) -> Event:
    event = Event(emitter)
    for path, (value, kind) in condition.fields.items():
        event.add_property(path, value, kind)
    # what clients call the ConditionId: the attribute NodeId of ConditionType (part 9, 5.5.2.13)
    event.add_property("NodeId", condition.node, _V.NodeId)
    return event


def refresh_event(kind: int) -> Event:
    event, now = Event(), datetime.now(UTC)
    fields: Fields = {
        "EventId": (uuid.uuid4().bytes, _V.ByteString),
        "EventType": (ua.NodeId(kind), _V.NodeId),
        "SourceNode": (SERVER, _V.NodeId),
        "SourceName": ("Server", _V.String),
        "Time": (now, _V.DateTime),
        "ReceiveTime": (now, _V.DateTime),
        "Message": (ua.LocalizedText("ConditionRefresh", "en"), _V.LocalizedText),
        "Severity": (1, _V.UInt16),
    }
    for path, (value, variant) in fields.items():
        event.add_property(path, value, variant)
    return event
