"""What the server guards against: who may come in, how much each may ask for, and messages made to do harm.

asyncua 2.1.0 believes its clients: it answers calls of any size at once, keeps sessions that nobody uses, and lets an event
filter refer to itself. Its classes are narrowed here; it is pinned to this version, and tests hold these.

GuardedServer     users by name and password; sessions, connections, subscriptions and queues are bounded
GuardedSession    calls are bounded, and let others in between
GuardedProcessor  a message beyond the bounds of `opcua_bounds` closes its connection, as does an answer that nobody fetches
GuardedListener   takes connections, and frames no larger than agreed
"""

import asyncio
import hmac
import logging
import math
from collections.abc import Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.uaprocessor import UaProcessor

from edge.data_acquisition.opcua_bounds import TooMuch, bound
from edge.outputs.opcua.guard_subscription import GuardedSubscription, Where, judge_filter

logger = logging.getLogger(__name__)

bound()

MOST_CONNECTIONS: Final = 50
MOST_SESSIONS: Final = 100
MOST_SUBSCRIPTIONS: Final = 200
MOST_ITEMS: Final = 20_000
MOST_PER_CALL: Final = 1000
# so many are begun, then others have their turn
ITEMS_AT_ONCE: Final = 250
MOST_METHODS_PER_CALL: Final = 100
# references in one answer to Browse; a single node's are never cut
MOST_REFERENCES: Final = 5000
MOST_PENDING: Final = 100
MOST_QUEUED: Final = 1000
LONGEST_SESSION_MS: Final = 120_000
ACTIVATION_S: Final = 10.0
PUBLISHING_MS: Final = (100.0, 10_000.0)
CHUNK_BYTES: Final = 65_535
MESSAGE_BYTES: Final = 256 << 10
MOST_CHUNKS: Final = 64
# answers that a client does not fetch
MOST_UNREAD_BYTES: Final = 16 << 20
_MESSAGE_TYPES: Final = (b"HEL", b"OPN", b"MSG", b"CLO", b"ERR")
_CREATE_SESSION: Final = ua.NodeId(ua.ObjectIds.CreateSessionRequest_Encoding_DefaultBinary)

TRANSPORT: Final = TransportLimits(
    max_recv_buffer=CHUNK_BYTES,
    max_send_buffer=CHUNK_BYTES,
    max_chunk_count=MOST_CHUNKS,
    max_message_size=MESSAGE_BYTES,
)


class GuardedServer(InternalServer):  # type: ignore[misc]  # asyncua is taken as untyped
    """Lets in whoever knows `password`, or everyone where there is no `user`; nobody may change the address space."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        super().__init__(user_manager=self)
        self.supported_tokens = (ua.UserNameIdentityToken if user else ua.AnonymousIdentityToken,)
        self.allow_remote_admin = False
        self.max_connections, self.max_subscriptions = MOST_CONNECTIONS, MOST_SUBSCRIPTIONS
        self.max_session_timeout_ms = LONGEST_SESSION_MS
        self.max_pending_messages_per_connection = MOST_PENDING
        self.max_pending_activation_seconds = ACTIVATION_S
        self.max_monitored_item_queue_size = MOST_QUEUED
        self.max_unacked_messages_per_subscription = MOST_PENDING
        self.max_lifetime_count, self.max_keep_alive_count = 3000, 1000

    def get_user(
        self, _server: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        """Called when a session is activated; None refuses it."""
        if self._user:
            right_name = hmac.compare_digest((username or "").encode(), self._user.encode())
            right_password = hmac.compare_digest((password or "").encode(), self._password.encode())
            if not (right_name and right_password):
                logger.warning("OPC UA user '%.50s' was refused: name or password is wrong", username)
                return None
        return User(role=UserRole.User, name=self._user or None)

    def create_session(self, name: str, user: Any = None, external: bool = False) -> InternalSession:
        if external and len(self._external_sessions) >= MOST_SESSIONS:
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        user = user or User(role=UserRole.Anonymous)
        return GuardedSession(self, self.aspace, self.subscription_service, name, user=user, external=external)

    def register_server(self, server: Any, conf: Any = None) -> None:
        """This is no discovery server, and would take registrations without end."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)


class GuardedSession(InternalSession):  # type: ignore[misc]
    """A session whose every call costs little, or makes room for others in between."""

    async def read(self, params: Any) -> Any:
        _at_most(params.NodesToRead, MOST_PER_CALL)
        return await super().read(params)

    async def write(self, params: Any) -> Any:
        _at_most(params.NodesToWrite, MOST_PER_CALL)
        return await super().write(params)

    async def call(self, params: Any) -> Any:
        _at_most(params, MOST_METHODS_PER_CALL)
        return await super().call(params)

    async def browse(self, params: Any) -> list[Any]:
        _at_most(params.NodesToBrowse, MOST_PER_CALL)
        results: list[Any] = []
        references = 0
        for each in params.NodesToBrowse:
            if references >= MOST_REFERENCES:
                # no answer goes on in another one here, so that the client has to ask anew
                status = ua.StatusCode(ua.StatusCodes.BadNoContinuationPoints)
                results.append(ua.BrowseResult(StatusCode=status))
                continue
            results += self.iserver.view_service.browse(ua.BrowseParameters(NodesToBrowse=[each]))
            references += len(results[-1].References)
            await asyncio.sleep(0)
        return results

    async def translate_browsepaths_to_nodeids(self, params: Any) -> list[Any]:
        _at_most(params, MOST_PER_CALL)
        results: list[Any] = []
        for each in params:
            results += self.iserver.view_service.translate_browsepaths_to_nodeids([each])
            await asyncio.sleep(0)
        return results

    async def create_subscription(self, params: Any, callback: Any, request_callback: Any = None) -> Any:
        shortest, longest = PUBLISHING_MS
        wanted = params.RequestedPublishingInterval
        params.RequestedPublishingInterval = shortest if math.isnan(wanted) else min(max(wanted, shortest), longest)
        result = await super().create_subscription(params, callback, request_callback)
        # asyncua has no other place where its kind could be chosen; its loop has not begun yet
        self.subscription_service.subscriptions[result.SubscriptionId].__class__ = GuardedSubscription
        return result

    async def create_monitored_items(self, params: Any) -> Any:
        _at_most(params.ItemsToCreate, MOST_PER_CALL)
        subscriptions = self.subscription_service.subscriptions
        there = sum(len(each.monitored_item_srv._monitored_items) for each in subscriptions.values())
        if there + len(params.ItemsToCreate) > MOST_ITEMS:
            raise ServiceError(ua.StatusCodes.BadTooManyMonitoredItems)
        for item in params.ItemsToCreate:
            wanted = item.RequestedParameters
            # what asyncua makes of none
            if type(wanted.Filter) is ua.ExtensionObject and wanted.Filter.TypeId.is_null():
                wanted.Filter = None
            judge_filter(wanted.Filter, item.ItemToMonitor.AttributeId)
        results: list[Any] = []
        wanted_items = params.ItemsToCreate
        for start in range(0, len(wanted_items), ITEMS_AT_ONCE):
            params.ItemsToCreate = wanted_items[start : start + ITEMS_AT_ONCE]
            results += await super().create_monitored_items(params)
            await asyncio.sleep(0)
        if params.SubscriptionId not in subscriptions:
            # it ended in between
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        items = subscriptions[params.SubscriptionId].monitored_item_srv._monitored_items
        for result in results:
            created = items.get(result.MonitoredItemId)
            if created is not None and created.where_clause_evaluator is not None:
                created.where_clause_evaluator = Where(self.logger, self.aspace, created.filter.WhereClause)
        return results

    async def modify_monitored_items(self, params: Any) -> Any:
        _at_most(params.ItemsToModify, MOST_PER_CALL)
        for item in params.ItemsToModify:
            wanted = item.RequestedParameters
            wanted.QueueSize = min(wanted.QueueSize or MOST_QUEUED, MOST_QUEUED)
            # what is watched stays: asyncua would take a filter of the other kind, and fail with each value
            wanted.Filter = None
        return await super().modify_monitored_items(params)


class GuardedProcessor(UaProcessor):  # type: ignore[misc]
    """Reads the messages of one connection."""

    async def process(self, header: Any, body: Any) -> bool:
        # of messages that wait already asyncua would take one after the other, and nobody else would be served
        await asyncio.sleep(0)
        try:
            return bool(await super().process(header, body))
        except TooMuch as error:
            return self._refuse(error)

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        if typeid == _CREATE_SESSION and self.session is not None:
            # asyncua would forget the one before, and keep it for ever
            if self._session_watchdog_task is not None:
                self._session_watchdog_task.cancel()
            await self.session.close_session(True)
        try:
            return await super()._process_message(typeid, requesthdr, seqhdr, body)
        except TooMuch as error:
            return self._refuse(error)

    def send_response(self, *arguments: Any, **more: Any) -> None:
        super().send_response(*arguments, **more)
        if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            logger.warning("OPC UA client %s does not read its answers; its connection is closed", self.name)
            self._transport.abort()

    def _refuse(self, error: TooMuch) -> bool:
        logger.warning("OPC UA client %s is cut off: %s", self.name, error)
        return False


class _Connection(OPCUAProtocol):  # type: ignore[misc]
    processor: Any
    _buffer: bytes

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.processor is not None:
            self.processor = GuardedProcessor(self.iserver, transport, self.limits)
            self.processor.set_policies(self.policies)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # what is left is the beginning of a frame
        rest, transport = self._buffer, self.transport
        if transport is None or not rest:
            return
        announced = int.from_bytes(rest[4:8], "little") if len(rest) >= 8 else 0
        is_known = any(kind.startswith(bytes(rest[:3])) for kind in _MESSAGE_TYPES)
        if not is_known or max(announced, len(rest)) > CHUNK_BYTES:
            logger.warning("OPC UA client %s is cut off: it sends what is no message, or one too large", self.peer_name)
            self._buffer = b""
            transport.abort()


class GuardedListener(BinaryServer):  # type: ignore[misc]
    """Takes connections."""

    def _make_protocol(self) -> OPCUAProtocol:
        return _Connection(self.iserver, self._policies, self.clients, self.closing_tasks, self.limits)


def _at_most(operations: Sequence[Any] | None, most: int) -> None:
    if len(operations or ()) > most:
        raise ServiceError(ua.StatusCodes.BadTooManyOperations)
