"""What operators may do to a condition, and how a client gets to know all that there are: the methods of OPC UA part 9.

Clients call the methods of the type with the condition as the object (part 9, 5.7.3), or those of the condition itself.
"""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from asyncua import Server, ua

from edge.contracts.alarm import AlarmState
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError
from edge.formats.opcua_nodes import AddressSpace, good
from edge.outputs import OnAlarmCommand
from edge.outputs.opcua.condition import SERVER, Condition, event_of, refresh_event

logger = logging.getLogger(__name__)

LONGEST_COMMENT: Final = 1000
LONGEST_SHELVED_MS: Final = 365 * 24 * 3_600_000.0


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
_DURATION: Final = _arguments(("ShelvingTime", ua.ObjectIds.Duration, "for how long [ms]"))
_DONE: Final = ua.StatusCode(ua.StatusCodes.Good)


def _refused(code: int) -> ua.StatusCode:
    return ua.StatusCode(code)


class ConditionMethods:
    """Answers calls on `conditions`, which another adds to. `by` is who calls."""

    def __init__(
        self,
        server: Server,
        conditions: dict[ua.NodeId, Condition],
        *,
        commands: bool,
        by: str,
        on_alarm_command: OnAlarmCommand,
    ) -> None:
        self._server, self._conditions = server, conditions
        self._commands, self._by, self._on_alarm_command = commands, by, on_alarm_command
        self._refreshing: set[int] = set()
        for method, call in (
            (ua.ObjectIds.AcknowledgeableConditionType_Acknowledge, self._acknowledge),
            (ua.ObjectIds.ConditionType_AddComment, self._add_comment),
            (ua.ObjectIds.AlarmConditionType_ShelvingState_TimedShelve, self._shelve),
            (ua.ObjectIds.AlarmConditionType_ShelvingState_Unshelve, self._unshelve),
            (ua.ObjectIds.ShelvedStateMachineType_TimedShelve, self._shelve),
            (ua.ObjectIds.ShelvedStateMachineType_Unshelve, self._unshelve),
            (ua.ObjectIds.ConditionType_ConditionRefresh, self._refresh),
            (ua.ObjectIds.ConditionType_ConditionRefresh2, self._refresh),
        ):
            server.iserver.aspace[ua.NodeId(method)].call = call

    def add_to(self, condition: Condition, space: AddressSpace) -> None:
        """Give a condition, and its ShelvingState, methods of its own."""
        for owner, method, arguments, n_arguments, call in (
            (condition.node, "Acknowledge", _EVENT_AND_COMMENT, 2, self._acknowledge),
            (condition.node, "AddComment", _EVENT_AND_COMMENT, 2, self._add_comment),
            (condition.shelving, "TimedShelve", _DURATION, 1, self._shelve),
            (condition.shelving, "Unshelve", None, 0, self._unshelve),
        ):
            name = ua.QualifiedName(method, 0)
            space.add_method(name, owner, arguments, n_arguments, call, may_call=self._commands)

    async def _acknowledge(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return self._answer(AlarmVerb.ACKNOWLEDGE, owner, arguments)

    async def _add_comment(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return self._answer(AlarmVerb.COMMENT, owner, arguments)

    def _answer(self, verb: AlarmVerb, owner: ua.NodeId, arguments: Sequence[ua.Variant]) -> ua.StatusCode:
        condition = self._meant(owner, arguments, 2)
        if not isinstance(condition, Condition):
            return condition
        event_id, said = (argument.Value for argument in arguments)
        comment = said.Text if isinstance(said, ua.LocalizedText) else said
        if not isinstance(event_id, bytes) or not isinstance(comment, str | None) or len(comment or "") > LONGEST_COMMENT:
            return _refused(ua.StatusCodes.BadInvalidArgument)
        if event_id not in condition.events:
            return _refused(ua.StatusCodes.BadEventIdUnknown)
        if verb is AlarmVerb.ACKNOWLEDGE and condition.is_set("AckedState/Id"):
            return _refused(ua.StatusCodes.BadConditionBranchAlreadyAcked)
        return self._command(verb, condition, comment=comment or None)

    async def _shelve(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        condition = self._meant(owner, arguments, 1)
        if not isinstance(condition, Condition):
            return condition
        duration_ms = arguments[0].Value
        if type(duration_ms) not in (int, float) or not math.isfinite(duration_ms):
            return _refused(ua.StatusCodes.BadInvalidArgument)
        if not 0 < duration_ms <= LONGEST_SHELVED_MS:
            return _refused(ua.StatusCodes.BadShelvingTimeOutOfRange)
        if condition.alarm.state is AlarmState.SHELVED:
            return _refused(ua.StatusCodes.BadConditionAlreadyShelved)
        return self._command(AlarmVerb.SHELVE, condition, shelve_ns=round(duration_ms * 1e6))

    async def _unshelve(self, owner: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        condition = self._meant(owner, arguments, 0)
        if not isinstance(condition, Condition):
            return condition
        if condition.alarm.state is not AlarmState.SHELVED:
            return _refused(ua.StatusCodes.BadConditionNotShelved)
        return self._command(AlarmVerb.UNSHELVE, condition)

    def _meant(self, owner: ua.NodeId, arguments: Sequence[ua.Variant], n_arguments: int) -> Condition | ua.StatusCode:
        """The condition that a call is about, or why it cannot be."""
        if not self._commands:
            return _refused(ua.StatusCodes.BadUserAccessDenied)
        if len(arguments) != n_arguments:
            few = len(arguments) < n_arguments
            return _refused(ua.StatusCodes.BadArgumentsMissing if few else ua.StatusCodes.BadTooManyArguments)
        found = (each for each in self._conditions.values() if owner in (each.node, each.shelving))
        condition = self._conditions.get(owner) or next(found, None)
        return _refused(ua.StatusCodes.BadNodeIdInvalid) if condition is None else condition

    def _command(
        self, verb: AlarmVerb, condition: Condition, *, comment: str | None = None, shelve_ns: int | None = None
    ) -> ua.StatusCode:
        now = time.time_ns()
        command = AlarmCommand(
            command_id=str(uuid.uuid4()),
            by=self._by,
            time=now,
            alarm_id=condition.alarm.alarm_id,
            comment=comment,
            shelved_until=None if shelve_ns is None else now + shelve_ns,
        )
        try:
            self._on_alarm_command(verb, command)
        except KullagerError as error:
            logger.warning("'%s' of %s by OPC UA was refused: %s", verb, condition.node.Identifier, error)
            return _refused(ua.StatusCodes.BadInvalidState)
        return _DONE

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
                await service._trigger_event(refresh_event(ua.ObjectIds.RefreshStartEventType), item)
                for condition in list(self._conditions.values()):
                    if condition.is_set("Retain") and node in (SERVER, condition.asset.node):
                        await service._trigger_event(event_of(condition, node), item)
                    # others are served in between
                    await asyncio.sleep(0)
                await service._trigger_event(refresh_event(ua.ObjectIds.RefreshEndEventType), item)
        finally:
            self._refreshing.discard(numbers[0])
        return ua.StatusCode(ua.StatusCodes.Good)

    @property
    def _subscriptions(self) -> dict[int, Any]:
        subscriptions: dict[int, Any] = self._server.iserver.subscription_service.subscriptions
        return subscriptions
