"""Alarms as conditions of OPC UA part 9: one for each asset and rule.

A condition is a node `<asset>.Alarms.<rule>` from its first alarm on. Each change of its alarm is an event (AlarmConditionType)
on the asset's object and on the server's. asyncua knows such events and little more: methods and refresh are our own.
"""

from datetime import UTC, datetime
from typing import Final

from asyncua import Server, ua

from edge.contracts.alarm import Alarm
from edge.formats.opcua_nodes import BASE_DATA_VARIABLE, HAS_COMPONENT, HAS_PROPERTY, PROPERTY, AddressSpace, below
from edge.outputs import OnAlarmCommand
from edge.outputs.opcua.asset_nodes import AssetNodes, moment
from edge.outputs.opcua.condition import ALARM_TYPE, SERVER, Condition, event_of, fields_of
from edge.outputs.opcua.condition_methods import ConditionMethods

# the fields that are variables of the type; the others are properties (part 9, 5.5.2 and 5.8.2)
_COMPONENTS: Final = (
    "EnabledState", "AckedState", "ActiveState", "Quality", "LastSeverity", "Comment", "CurrentState",
)  # fmt: skip
# what part 9 has no field for
_OWN: Final = ("MessageSv", "AlarmId")


class Conditions:
    """All conditions of a server; `index` is the namespace of their nodes."""

    def __init__(
        self, server: Server, space: AddressSpace, index: int, *, commands: bool, by: str, on_alarm_command: OnAlarmCommand
    ) -> None:
        self._server, self._space, self._index = server, space, index
        self._conditions: dict[ua.NodeId, Condition] = {}
        self._methods = ConditionMethods(server, self._conditions, commands=commands, by=by, on_alarm_command=on_alarm_command)

    async def show(self, asset: AssetNodes, alarm: Alarm) -> None:
        """Take a change of an alarm, and tell all who listen."""
        node = ua.NodeId(f"{asset.name}.Alarms.{alarm.rule}", self._index)
        fields = fields_of(asset, alarm)
        condition = self._conditions.get(node)
        if condition is None:
            condition = Condition(asset=asset, node=node, alarm=alarm, fields=fields)
            self._conditions[node] = condition
            self._add_nodes(condition)
        if condition.alarm.alarm_id != alarm.alarm_id:
            condition.events.clear()
        condition.alarm, condition.fields = alarm, fields
        condition.events.add(fields["EventId"][0])
        await self._write(condition)
        for emitter in (asset.node, SERVER):
            event = event_of(condition, emitter)
            for subscription in list(self._server.iserver.subscription_service.subscriptions.values()):
                await subscription.monitored_item_srv.trigger_event(event)

    def _add_nodes(self, condition: Condition) -> None:
        space, asset, rule = self._space, condition.asset.node, condition.alarm.rule
        folder = below(asset, "Alarms")
        if folder not in self._server.iserver.aspace:
            kind = ua.NodeId(ua.ObjectIds.FolderType)
            space.add_object(folder, ua.QualifiedName("Alarms", self._index), asset, kind=kind)
        name = ua.QualifiedName(rule, self._index)
        space.add_object(condition.node, name, folder, kind=ALARM_TYPE, label=condition.alarm.text)
        space.refer(asset, ua.NodeId(ua.ObjectIds.HasCondition), condition.node)
        name, kind = ua.QualifiedName("ShelvingState", 0), ua.NodeId(ua.ObjectIds.ShelvedStateMachineType)
        space.add_object(condition.shelving, name, condition.node, kind=kind)
        for path, (_, kind) in condition.fields.items():
            owner, _, leaf = path.rpartition("/")
            is_component = leaf in _COMPONENTS
            space.add_variable(
                self._variable(condition, path),
                ua.QualifiedName(leaf, self._index if leaf in _OWN else 0),
                self._variable(condition, owner) if owner else condition.node,
                ua.NodeId(kind.value),
                reference=HAS_COMPONENT if is_component else HAS_PROPERTY,
                kind=BASE_DATA_VARIABLE if is_component else PROPERTY,
            )
        self._methods.add_to(condition, space)

    async def _write(self, condition: Condition) -> None:
        source, now = moment(condition.alarm.changed), datetime.now(UTC)
        for path, (value, kind) in condition.fields.items():
            status = ua.StatusCode(ua.StatusCodes.Good)
            data = ua.DataValue(ua.Variant(value, kind), StatusCode=status, SourceTimestamp=source, ServerTimestamp=now)
            await self._server.write_attribute_value(self._variable(condition, path), data)

    def _variable(self, condition: Condition, path: str) -> ua.NodeId:
        return below(condition.node, path.replace("/", "."))
