"""Subscriptions whose filters cost little, and whose answers let others in between; see `guard`."""

import asyncio
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import WhereClauseEvaluator

MOST_SELECTED: Final = 500
# of one answer: some 20 ms
MOST_VALUES_SENT: Final = 1000
MOST_EVENTS_SENT: Final = 20
_HAS_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)


class GuardedSubscription(InternalSubscription):  # type: ignore[misc]
    """Sends what waits in several answers, and lets others in between: writing one of 20,000 values takes half a second."""

    _triggered_datachanges: dict[int, list[Any]]
    _triggered_events: dict[int, list[Any]]

    async def stop(self) -> None:
        # asyncua looks for each item among all that there were: 20,000 take it as long
        service = self.monitored_item_srv
        for handle in list(service._monitored_datachange):
            service.aspace.delete_datachange_callback(handle)
        for kept in (service._monitored_datachange, service._monitored_events, service._monitored_items):
            kept.clear()
        await super().stop()

    def _pop_triggered_datachanges(self, result: Any) -> None:
        self._triggered_datachanges, left = _part(self._triggered_datachanges, MOST_VALUES_SENT)
        super()._pop_triggered_datachanges(result)
        self._triggered_datachanges = left

    def _pop_triggered_events(self, result: Any) -> None:
        self._triggered_events, left = _part(self._triggered_events, MOST_EVENTS_SENT)
        super()._pop_triggered_events(result)
        self._triggered_events = left

    async def publish_results(self, requestdata: Any = None) -> bool:
        is_sent = goes_on = bool(await super().publish_results(requestdata))
        while goes_on and self._publishing_enabled and (self._triggered_datachanges or self._triggered_events):
            await asyncio.sleep(0)
            # with the next of the requests that the client has sent for answers, while there is one
            goes_on = bool(await super().publish_results())
        return is_sent


class Where(WhereClauseEvaluator):  # type: ignore[misc]
    """The where clause of an event filter: as asyncua's, but OfType means subtypes, too, and fields have whole paths."""

    def _eval_el(self, index: int, event: Any) -> Any:
        element = self.elements[index]
        if element.FilterOperator == ua.FilterOperator.OfType:
            wanted = self._eval_op(element.FilterOperands[0], event)
            return wanted in _with_supertypes(self._aspace, event.EventType)
        return super()._eval_el(index, event)

    def _eval_op(self, op: Any, event: Any) -> Any:
        if isinstance(op, ua.SimpleAttributeOperand) and op.BrowsePath:
            return getattr(event, "/".join(each.Name or "" for each in op.BrowsePath), None)
        return super()._eval_op(op, event)


def judge_filter(found: Any, attribute: Any) -> None:
    """Refuse a filter that is of the wrong kind, or would take long: its elements should be a tree (part 4, 7.7.1)."""
    if attribute != ua.AttributeIds.EventNotifier:
        if found is not None and not isinstance(found, ua.DataChangeFilter):
            raise ServiceError(ua.StatusCodes.BadMonitoredItemFilterInvalid)
        return
    if not isinstance(found, ua.EventFilter) or len(found.SelectClauses or ()) > MOST_SELECTED:
        raise ServiceError(ua.StatusCodes.BadMonitoredItemFilterInvalid)
    seen: set[int] = set()
    elements = found.WhereClause.Elements or ()
    for index, element in enumerate(elements):
        for operand in element.FilterOperands or ():
            if isinstance(operand, ua.ElementOperand):
                if not index < operand.Index < len(elements) or operand.Index in seen:
                    raise ServiceError(ua.StatusCodes.BadEventFilterInvalid)
                seen.add(operand.Index)


def _part(waiting: dict[int, list[Any]], most: int) -> tuple[dict[int, list[Any]], dict[int, list[Any]]]:
    """The first items with so many values, or a few more, and the others."""
    taken: dict[int, list[Any]] = {}
    left: dict[int, list[Any]] = {}
    number = 0
    for item, values in waiting.items():
        (taken if number < most else left)[item] = values
        number += len(values)
    return taken, left


def _with_supertypes(space: Any, kind: ua.NodeId) -> list[ua.NodeId]:
    """A type and those above it, up to the root."""
    found = [kind]
    while (node := space.get(found[-1])) is not None:
        above = (each.NodeId for each in node.references if not each.IsForward and each.ReferenceTypeId == _HAS_SUBTYPE)
        parent = next(above, None)
        if parent is None:
            break
        found.append(parent)
    return found
