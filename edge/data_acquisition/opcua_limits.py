"""What a server takes in one call: read from it, kept to, and made smaller where it turns out to take less than it says."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from asyncua import Client, ua

logger = logging.getLogger(__name__)

ITEMS_PER_CALL: Final = 1000
# what a server says where a call was too much for it (part 4, 7.39.2)
TOO_MUCH: Final = frozenset(
    {
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadTooManyMonitoredItems,
        ua.StatusCodes.BadRequestTooLarge,
        ua.StatusCodes.BadResponseTooLarge,
        ua.StatusCodes.BadEncodingLimitsExceeded,
        ua.StatusCodes.BadTcpMessageTooLarge,
        ua.StatusCodes.BadOutOfMemory,
        ua.StatusCodes.BadResourceUnavailable,
    }
)
_LIMITS: Final = {
    "read": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "browse": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    "translate": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
    "monitor": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "history": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
}
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class Limit:
    """How many of one kind a call may have; it only gets smaller."""

    at_most: int = ITEMS_PER_CALL


class ServerLimits:
    """The limits of one server, by kind of call: what it states, and less where that was too much. Lives over reconnections."""

    def __init__(self) -> None:
        self.stated: dict[str, int] = {}
        self._limits = {kind: Limit() for kind in _LIMITS}

    def of(self, kind: str) -> Limit:
        return self._limits[kind]

    async def read(self, client: Client) -> None:
        """Ask the server anew."""
        self.stated = await stated_limits(client)
        for kind, at_most in self.stated.items():
            self._limits[kind].at_most = min(self._limits[kind].at_most, at_most)


async def stated_limits(client: Client) -> dict[str, int]:
    """The operation limits of a server (part 5, 6.3.11), by kind; 0, nothing or nonsense is no limit."""
    stated = {}
    try:
        values = await client.uaclient.read_attributes([ua.NodeId(each) for each in _LIMITS.values()], ua.AttributeIds.Value)
        for kind, data in zip(_LIMITS, values, strict=True):
            value = data.Value.Value if data.Value is not None else None
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                stated[kind] = value
    except ua.UaError:
        # a server too small to have the nodes
        return {}
    return stated


async def in_batches(
    items: Sequence[Item], limit: Limit, call: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
) -> list[Result]:
    """The results of all items, in order.

    A batch that is too much for the server is halved, down to single items. Where it falls silent or cuts the connection over
    a batch the error is raised, and the next connection begins with half of it.
    """
    results: list[Result] = []
    start = 0
    while start < len(items):
        part = items[start : start + limit.at_most]
        try:
            found = await call(part)
        except (ua.UaError, OSError, TimeoutError) as error:
            if len(part) > 1:
                limit.at_most = len(part) // 2
                logger.warning("a call with %d items failed (%s); %d are tried", len(part), error, limit.at_most)
            if len(part) == 1 or not isinstance(error, ua.UaStatusCodeError) or error.code not in TOO_MUCH:
                raise
            continue
        results += found
        start += len(part)
    return results
