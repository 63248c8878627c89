"""Alarms as conditions of OPC UA part 9: one for each asset and rule, with events, and methods by which operators answer.

A condition is a node `<asset>.Alarms.<rule>` from its first alarm on. Each change of its alarm is an event (AlarmConditionType)
on the asset's object and on the server's. asyncua knows such events and little more, so the methods and the refresh stand here.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import Server, ua
from asyncua.common.events import Event

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError
from edge.formats.opcua_nodes import BASE_DATA_VARIABLE, HAS_COMPONENT, HAS_PROPERTY, PROPERTY, AddressSpace, below, good
from edge.outputs import OnAlarmCommand
from edge.outputs.opcua.asset_nodes import AssetNodes, moment
from edge.outputs.opcua.device_health import SEVERITIES

logger = logging.getLogger(__name__)

ALARM_TYPE: Final = ua.NodeId(ua.ObjectIds.AlarmConditionType)
SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
LONGEST_COMMENT: Final = 1000
_NAMESPACE: Final = uuid.UUID("0a3c0b52-6f4e-4f0e-8a58-6f0c6f1d1c11")
# (active, acknowledged, retained, suppressed or shelved); a shelved alarm follows its condition without a word
_STATES: Final = {
    AlarmState.NORMAL: (False, True, False, False),
    AlarmState.ACTIVE_UNACKNOWLEDGED: (True, False, True, False),
    AlarmState.ACTIVE_ACKNOWLEDGED: (True, True, True, False),
    AlarmState.RETURNED_UNACKNOWLEDGED: (False, False, True, False),
    AlarmState.SHELVED: (True, False, True, True),
    AlarmState.OUT_OF_SERVICE: (False, True, False, True),
}
_V: Final = ua.VariantType
# the fields that are not variables of the type but properties (part 9, 5.5.2 and 5.8.2)
_COMPONENTS: Final = ("EnabledState", "AckedState", "ActiveState", "Quality", "LastSeverity", "Comment")

Fields = dict[str, tuple[Any, ua.VariantType]]


def _arguments(*arguments: tuple[str, int, str]) -> ua.DataValue:
    values = [
        ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=-1, Description=ua.LocalizedText(text, "en"))
        for name, kind, text in arguments
    ]
    return good(values, ua.VariantType.ExtensionObject, is_array=True)


_EVENT_AND_COMMENT: Final = _arguments(
    ("EventId", ua.ObjectIds.ByteString, "the event that is answered"),
    ("Comment", ua.ObjectIds.LocalizedText, "what to say about it; may be empty"),
)


@dataclass(slots=True, kw_only=True)
class _Condition:
    """A condition as it is now; `events` are the ids of all events of the present alarm."""

    asset: AssetNodes
    node: ua.NodeId
    alarm: Alarm
    fields: Fields
    events: set[bytes] = field(default_factory=set)


class Conditions:
    """All conditions of a server. `by` is who answers, `index` the namespace of the nodes."""

    def __init__(
        self, server: Server, space: AddressSpace, index: int, *, commands: bool, by: str, on_alarm_command: OnAlarmCommand
    ) -> None:
        self._server, self._space, self._index = server, space, index
        self._commands, self._by, self._on_alarm_command = commands, by, on_alarm_command
        self._conditions: dict[ua.NodeId, _Condition] = {}
        self._refreshing: set[int] = set()
        service = server.iserver.aspace
        # clients call the methods of the type, with the condition as the object (part 9, 5.7.3)
        service[ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge)].call = self._acknowledge
        service[ua.NodeId(ua.ObjectIds.ConditionType_AddComment)].call = self._add_comment
        service[ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)].call = self._refresh
        service[ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh2)].call = self._refresh

    async def show(self, asset: AssetNodes, alarm: Alarm) -> None:
        """Take a change of an alarm, and tell all who listen."""
        node = ua.NodeId(f"{asset.name}.Alarms.{alarm.rule}", self._index)
        event_id = uuid.uuid5(_NAMESPACE, f"{alarm.alarm_id} {alarm.state} {alarm.changed} {alarm.comment}").bytes
        fields = self._fields(asset, alarm, event_id)
        condition = self._conditions.get(node)
        if condition is None:
            condition = _Condition(asset=asset, node=node, alarm=alarm, fields=fields)
            self._conditions[node] = condition
            self._add_nodes(condition)
        if condition.alarm.alarm_id != alarm.alarm_id:
            condition.events.clear()
        condition.alarm, condition.fields = alarm, fields
        condition.events.add(event_id)
        await self._write(condition)
        for emitter in (asset.node, SERVER):
            event = _event(condition, emitter)
            for subscription in list(self._subscriptions.values()):
                await subscription.monitored_item_srv.trigger_event(event)

    # -- what is shown

    def _fields(self, asset: AssetNodes, alarm: Alarm, event_id: bytes) -> Fields:
        """The fields of an event, by their browse path."""
        active, acknowledged, retained, suppressed = _STATES[alarm.state]
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
            "AlarmId": (alarm.alarm_id, _V.String),
        }

    def _add_nodes(self, condition: _Condition) -> None:
        space, asset, rule = self._space, condition.asset.node, condition.alarm.rule
        folder = below(asset, "Alarms")
        if folder not in self._server.iserver.aspace:
            kind = ua.NodeId(ua.ObjectIds.FolderType)
            space.add_object(folder, ua.QualifiedName("Alarms", self._index), asset, kind=kind)
        name = ua.QualifiedName(rule, self._index)
        space.add_object(condition.node, name, folder, kind=ALARM_TYPE, label=condition.alarm.text)
        space.refer(asset, ua.NodeId(ua.ObjectIds.HasCondition), condition.node)
        for path, (_, kind) in condition.fields.items():
            owner, _, leaf = path.rpartition("/")
            is_component = leaf in _COMPONENTS
            own = leaf in ("MessageSv", "AlarmId")
            space.add_variable(
                self._variable(condition, path),
                ua.QualifiedName(leaf, self._index if own else 0),
                self._variable(condition, owner) if owner else condition.node,
                ua.NodeId(kind.value),
                reference=HAS_COMPONENT if is_component else HAS_PROPERTY,
                kind=BASE_DATA_VARIABLE if is_component else PROPERTY,
            )
        for method, call in (("Acknowledge", self._acknowledge), ("AddComment", self._add_comment)):
            name = ua.QualifiedName(method, 0)
            space.add_method(name, condition.node, _EVENT_AND_COMMENT, 2, call, may_call=self._commands)

    async def _write(self, condition: _Condition) -> None:
        source, now = moment(condition.alarm.changed), datetime.now(UTC)
        for path, (value, kind) in condition.fields.items():
            status = ua.StatusCode(ua.StatusCodes.Good)
            data = ua.DataValue(ua.Variant(value, kind), StatusCode=status, SourceTimestamp=source, ServerTimestamp=now)
            await self._server.write_attribute_value(self._variable(condition, path), data)

    def _variable(self, condition: _Condition, path: str) -> ua.NodeId:
        return below(condition.node, path.replace("/", "."))

    # -- what clients call

    async def _acknowledge(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return self._answer(AlarmVerb.ACKNOWLEDGE, owner, arguments)

    async def _add_comment(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return self._answer(AlarmVerb.COMMENT, owner, arguments)

    def _answer(self, verb: AlarmVerb, owner: ua.NodeId, arguments: Sequence[ua.Variant]) -> ua.StatusCode:
        if not self._commands:
            return ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
        if len(arguments) != 2:
            few = len(arguments) < 2
            return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing if few else ua.StatusCodes.BadTooManyArguments)
        event_id, said = (argument.Value for argument in arguments)
        comment = said.Text if isinstance(said, ua.LocalizedText) else said
        if not isinstance(event_id, bytes) or not isinstance(comment, str | None) or len(comment or "") > LONGEST_COMMENT:
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        condition = self._conditions.get(owner)
        if condition is None:
            return ua.StatusCode(ua.StatusCodes.BadNodeIdInvalid)
        if event_id not in condition.events:
            return ua.StatusCode(ua.StatusCodes.BadEventIdUnknown)
        if verb is AlarmVerb.ACKNOWLEDGE and condition.fields["AckedState/Id"][0]:
            return ua.StatusCode(ua.StatusCodes.BadConditionBranchAlreadyAcked)
        command = AlarmCommand(
            command_id=str(uuid.uuid4()),
            by=self._by,
            time=time.time_ns(),
            alarm_id=condition.alarm.alarm_id,
            comment=comment or None,
        )
        try:
            self._on_alarm_command(verb, command)
        except KullagerError as error:
            logger.warning("'%s' of %s by OPC UA was refused: %s", verb, owner.Identifier, error)
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        return ua.StatusCode(ua.StatusCodes.Good)

    async def _refresh(self, _owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        """ConditionRefresh(subscription) and ConditionRefresh2(subscription, monitored item): all that is retained, anew."""
        numbers = [argument.Value for argument in arguments]
        if len(numbers) not in (1, 2) or not all(type(number) is int for number in numbers):
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        subscription = self._subscriptions.get(numbers[0])
        if subscription is None:
            return ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
        if numbers[0] in self._refreshing:
            return ua.StatusCode(ua.StatusCodes.BadRefreshInProgress)
        service = subscription.monitored_item_srv
        listening = {item: node for node, items in service._monitored_events.items() for item in items}
        if len(numbers) == 2:
            if numbers[1] not in listening:
                return ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid)
            listening = {numbers[1]: listening[numbers[1]]}
        self._refreshing.add(numbers[0])
        try:
            for item, node in listening.items():
                await service._trigger_event(_refresh_event(ua.ObjectIds.RefreshStartEventType), item)
                for condition in list(self._conditions.values()):
                    if condition.fields["Retain"][0] and node in (SERVER, condition.asset.node):
                        await service._trigger_event(_event(condition, node), item)
                    # others are served in between
                    await asyncio.sleep(0)
                await service._trigger_event(_refresh_event(ua.ObjectIds.RefreshEndEventType), item)
        finally:
            self._refreshing.discard(numbers[0])
        return ua.StatusCode(ua.StatusCodes.Good)

    @property
    def _subscriptions(self) -> dict[int, Any]:
        subscriptions: dict[int, Any] = self._server.iserver.subscription_service.subscriptions
        return subscriptions


def _event(condition: _Condition, emitter: ua.NodeId) -> Event:
    event = Event(emitter)
    for path, (value, kind) in condition.fields.items():
        event.add_property(path, value, kind)
    # what clients call the ConditionId: the attribute NodeId of ConditionType (part 9, 5.5.2.13)
    event.add_property("NodeId", condition.node, _V.NodeId)
    return event


def _refresh_event(kind: int) -> Event:
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
