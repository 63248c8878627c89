"""Samples from an OPC UA server by subscription, and the only owner of reconnection to it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from asyncua import Client, ua
from asyncua.ua.uaerrors import UaStructParsingError

from edge.back_off import back_off
from edge.contracts.errors import ConnectionRefused
from edge.contracts.plant import OpcuaSource, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua_bounds import bound
from edge.data_acquisition.opcua_history import read_back
from edge.data_acquisition.opcua_limits import ServerLimits, in_batches
from edge.data_acquisition.opcua_security import Credentials, closed, refusal, secure
from edge.data_acquisition.opcua_values import sample_batch, waveform_block

logger = logging.getLogger(__name__)

bound()

REQUEST_TIMEOUT_S: Final = 5.0
SESSION_TIMEOUT_MS: Final = 30_000
# the server says that it is alive this often when it has no values to send
KEEP_ALIVE_S: Final = 2.0
SILENT_S: Final = 3 * KEEP_ALIVE_S + 1.0
RETRY_NODES_S: Final = 30.0
# until then the first new samples have come, and say to where the past is missing
READ_BACK_AFTER_S: Final = 2.0
# what a server is expected to bring at the most between two publishing intervals [values per second and signal]
MAX_RATE_HZ: Final = 100.0
_UNSUPPORTED: Final = (
    ua.StatusCodes.BadMonitoredItemFilterUnsupported,
    ua.StatusCodes.BadMonitoredItemFilterInvalid,
    ua.StatusCodes.BadFilterNotAllowed,
)
_DELETED: Final = (ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadNodeIdInvalid)
CONNECTION_ERRORS: Final = (OSError, TimeoutError, ua.UaError, ConnectionError, asyncio.IncompleteReadError)

Entry = SignalEntry | WaveformEntry
Sink = Callable[[str, SampleBatch | WaveformBlock], Awaitable[None]]


class Past(Protocol):
    """Knows by signal the newest sample that ever came [ns UTC], and takes what was read back."""

    def newest(self) -> Mapping[int, int]: ...

    def recovered(self, batch: SampleBatch) -> None: ...


class OpcuaAcquisition:
    """One server. `run` connects, subscribes and hands batches to `sink` for ever; the account knows how it goes.

    periods: of each asset's grid [s]; past: who knows what is missing, and takes what is read back
    """

    def __init__(
        self,
        name: str,
        source: OpcuaSource,
        signals: Sequence[Entry],
        texts: Mapping[int, TextTable],
        account: SourceAccount,
        sink: Sink,
        credentials: Credentials,
        periods: Mapping[str, float],
        past: Past | None = None,
    ) -> None:
        self._past = past
        self._name, self._source, self._texts = name, source, texts
        self._account, self._sink, self._credentials = account, sink, credentials
        # the index in the plant's tables is the client handle of the monitored item
        self._rows = {row.index: row for row in signals}
        self._signals = {row.index: row for row in signals if isinstance(row, SignalEntry)}
        self._limits = ServerLimits()
        self._publishing_ms = source.publishing_ms
        self._periods = periods
        self._heard_s = 0.0
        self._sequence: int | None = None
        # by signal: what keeps it from being served, and the monitored item that serves it
        self._problems: dict[int, str] = {}
        self._items: dict[int, int] = {}
        self._nodes: dict[int, ua.NodeId] = {}
        # by signal the newest sample of before this connection, and the first of it [ns UTC]
        self._since: Mapping[int, int] = {}
        self._first: dict[int, int] = {}

    async def run(self) -> None:
        waits = back_off()
        while True:
            try:
                async with connected(self._source, self._credentials) as client:
                    self._since, self._first = self._past.newest() if self._past else {}, {}
                    lost = await self._subscribe(client)
                    waits = back_off()
                    reading = asyncio.create_task(self._read_back(client))
                    try:
                        reason = await lost()
                    finally:
                        reading.cancel()
                        await asyncio.gather(reading, return_exceptions=True)
            except ConnectionRefused as error:
                self._say(str(error), refused=True)
            except CONNECTION_ERRORS as error:
                self._say(f"{self._source.url} is not reached: {describe(error)}")
            else:
                self._say(reason)
            await asyncio.sleep(next(waits))

    async def _read_back(self, client: Client) -> None:
        """Ask the server for what it kept since the newest sample of before."""
        if self._past is None:
            return
        await asyncio.sleep(READ_BACK_AFTER_S)
        now = time.time_ns()
        wanted = [
            (row, self._nodes[index])
            for index, row in self._signals.items()
            if index in self._since and index in self._nodes and not row.is_text
        ]
        until = {row.index: self._first.get(row.index, now) for row, _ in wanted}
        count = 0
        try:
            async for batch in read_back(client, self._limits, wanted, self._since, until):
                count += len(batch)
                self._past.recovered(batch)
        except CONNECTION_ERRORS as error:
            self._note(f"what came in between cannot be read back: {describe(error)}")
        if count:
            self._account.recovered(count)
            logger.info("source '%s': %d samples were read back from the server's history", self._name, count)

    def _say(self, problem: str, *, refused: bool = False) -> None:
        before = self._account.status().problem
        self._account.disconnected(problem, refused=refused)
        if problem != before:
            logger.warning("source '%s': %s; trying again", self._name, problem)

    async def _subscribe(self, client: Client) -> Callable[[], Awaitable[str]]:
        """Subscribe to all signals; what comes back waits until the connection is lost, and gives the reason."""
        gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def take(result: ua.PublishResult) -> None:
            try:
                await self._take(result)
            except Exception as error:
                # asyncua's publish loop would only log it, and go on without the samples
                if not gone.done():
                    gone.set_exception(error)
                raise

        async def connection_lost(_error: Exception) -> None:
            if not gone.done():
                gone.set_result(f"the connection to {self._source.url} was lost")

        client.connection_lost_callback = connection_lost
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = self._source.publishing_ms
        parameters.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE_S * 1000 / self._source.publishing_ms))
        parameters.RequestedLifetimeCount = 10 * parameters.RequestedMaxKeepAliveCount
        parameters.MaxNotificationsPerPublish = 0
        parameters.PublishingEnabled = True
        self._sequence = None
        self._problems.clear()
        self._items.clear()
        await self._limits.read(client)
        self._count_undecodable(client)
        subscription = await client.uaclient.create_subscription(parameters, take)
        self._publishing_ms = subscription.RevisedPublishingInterval
        if self._publishing_ms > 1.01 * self._source.publishing_ms:
            self._note(f"the server publishes every {self._publishing_ms:g} ms instead of {self._source.publishing_ms:g}")
        self._heard_s = time.monotonic()
        await self._serve(client, subscription.SubscriptionId, list(self._rows.values()))

        async def lost() -> str:
            last_retry = time.monotonic()
            while True:
                done, _ = await asyncio.wait([gone], timeout=1.0)
                if done:
                    return gone.result()
                now = time.monotonic()
                if now - self._heard_s > SILENT_S:
                    return f"{self._source.url} has been silent for {SILENT_S:.0f} s, without even a sign of life"
                if self._problems and now - last_retry > RETRY_NODES_S:
                    last_retry = now
                    await self._serve(client, subscription.SubscriptionId, [self._rows[index] for index in self._problems])

        return lost

    def _count_undecodable(self, client: Client) -> None:
        """asyncua passes over a notification that it cannot decode, and only logs it; here it is an entry in the account."""
        session = client.uaclient.session
        publish = session.publish

        async def counting(acknowledged: Any) -> Any:
            try:
                return await publish(acknowledged)
            except UaStructParsingError as error:
                self._account.reject("undecodable")
                self._note(f"the server sent what cannot be decoded: {error.__cause__ or error}")
                raise

        session.publish = counting

    def _tell(self) -> None:
        """Say that the source is connected, and what is missing from it."""
        problem = "; ".join(self._problems.values()) or None
        first = not self._account.is_connected
        self._account.connected(problem)
        if first:
            served = len(self._rows) - len(self._problems)
            logger.info("source '%s': connected to %s, %d of %d signals", self._name, self._source.url, served, len(self._rows))
        if problem:
            logger.warning("source '%s': %s", self._name, problem)

    async def _serve(self, client: Client, subscription: int, rows: Sequence[Entry]) -> None:
        """Find the nodes of these signals and monitor them, and tell what failed."""
        # the item of a node that was deleted stays with the old node, even where one of the same name comes back
        stale = [self._items.pop(row.index) for row in rows if row.index in self._items]
        if stale:
            await client.uaclient.delete_monitored_items(
                ua.DeleteMonitoredItemsParameters(SubscriptionId=subscription, MonitoredItemIds=stale)
            )
        nodes = await resolve(client, [row.signal.node or "" for row in rows])
        found = [(row, node) for row, node in zip(rows, nodes, strict=True) if isinstance(node, ua.NodeId)]
        for row in rows:
            self._problems.pop(row.index, None)
        self._nodes |= {row.index: node for row, node in found}
        self._problems |= {row.index: node for row, node in zip(rows, nodes, strict=True) if isinstance(node, str)}
        self._problems |= await self._monitor(client, subscription, found)
        self._tell()

    async def _monitor(self, client: Client, subscription: int, wanted: Sequence[tuple[Entry, ua.NodeId]]) -> dict[int, str]:
        """Create monitored items; gives what failed, by signal."""
        problems: dict[int, str] = {}
        limit = self._limits.of("monitor")
        results = await in_batches(wanted, limit, lambda part: self._create(client, subscription, part, with_filter=True))
        refused = [item for item, result in zip(wanted, results, strict=True) if result.StatusCode.value in _UNSUPPORTED]
        if refused:
            self._note(f"the server does not report values that repeat with a new time ({len(refused)} signals)")
            second = await in_batches(refused, limit, lambda part: self._create(client, subscription, part, with_filter=False))
            again = {row.index: result for (row, _), result in zip(refused, second, strict=True)}
            results = [again.get(row.index, result) for (row, _), result in zip(wanted, results, strict=True)]
        served = []
        for (row, _), result in zip(wanted, results, strict=True):
            if result.StatusCode.is_good():
                self._items[row.index] = result.MonitoredItemId
                served.append((row, result))
            else:
                problems[row.index] = f"{row.asset}.{row.name}: node '{row.signal.node}': {status_words(result.StatusCode)}"
        self._note_revisions(served)
        return problems

    def _note_revisions(self, served: Sequence[tuple[Entry, Any]]) -> None:
        """Say where the server gives less than was asked for."""
        short = [(row, result.RevisedQueueSize) for row, result in served if result.RevisedQueueSize < self._queue_size(row)]
        if short:
            row, size = min(short, key=lambda each: each[1])
            rate = size / (self._publishing_ms / 1000)
            self._note(
                f"the server keeps {size} values of a signal instead of {self._queue_size(row)}: what comes more than "
                f"{rate:.3g} times a second may be lost ({len(short)} signals, such as {row.asset}.{row.name})"
            )
        slow = [
            (row, result.RevisedSamplingInterval)
            for row, result in served
            if isinstance(row, SignalEntry) and result.RevisedSamplingInterval > 1000 * self._periods[row.asset]
        ]
        if slow:
            row, interval = max(slow, key=lambda each: each[1])
            self._note(
                f"the server samples every {interval / 1000:g} s, and the plant file's grid has one instant every "
                f"{self._periods[row.asset]:g} s ({len(slow)} signals, such as {row.asset}.{row.name})"
            )

    def _note(self, text: str) -> None:
        """What an operator may want to know, though nothing is wrong; said once."""
        if self._account.note(text):
            logger.warning("source '%s': %s", self._name, text)

    def _queue_size(self, row: Entry) -> int:
        # blocks are large, and only the newest counts
        return 2 if isinstance(row, WaveformEntry) else max(10, round(2 * MAX_RATE_HZ * self._publishing_ms / 1000))

    async def _create(
        self, client: Client, subscription: int, wanted: Sequence[tuple[Entry, ua.NodeId]], with_filter: bool
    ) -> Sequence[Any]:
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = subscription
        # source, server or none: a sample's time is what its maker says
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        for row, node in wanted:
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
            item.MonitoringMode = ua.MonitoringMode.Reporting
            item.RequestedParameters.ClientHandle = row.index
            item.RequestedParameters.SamplingInterval = 0.0
            item.RequestedParameters.QueueSize = self._queue_size(row)
            item.RequestedParameters.DiscardOldest = True
            if with_filter:
                # the default reports a value only when it differs; a repeated value with a new time is a sample, too
                item.RequestedParameters.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
            parameters.ItemsToCreate.append(item)
        results: Sequence[Any] = await client.uaclient.create_monitored_items(parameters)
        return results

    async def _take(self, result: ua.PublishResult) -> None:
        """One publish response: data, or a sign of life."""
        received = time.time_ns()
        self._heard_s = time.monotonic()
        message = result.NotificationMessage
        if not message.NotificationData:
            return
        if self._sequence is not None and message.SequenceNumber != self._sequence % 0xFFFFFFFF + 1:
            self._account.reject("sequence-gap")
        self._sequence = message.SequenceNumber
        for notification in message.NotificationData:
            if isinstance(notification, ua.DataChangeNotification):
                items = notification.MonitoredItems
                if len(self._signals) < len(self._rows):
                    items = await self._take_waveforms(items, received)
                batch, rejected = sample_batch(items, self._signals, self._texts, received)
                for reason, count in rejected.items():
                    self._account.reject(reason, count)
                self._note_deleted(notification.MonitoredItems)
                accepted = self._account.accept(batch, received)
                if self._past is not None:
                    self._note_first(accepted)
                await self._sink(self._name, accepted)

    def _note_first(self, batch: SampleBatch) -> None:
        """Of each signal the first sample that is newer than those of before: until there its past is missing."""
        if len(self._first) < len(self._since):
            for index, moment in zip(batch.signal.tolist(), batch.time.tolist(), strict=True):
                if index not in self._first and moment > self._since.get(index, moment):
                    self._first[index] = moment

    async def _take_waveforms(
        self, items: Sequence[ua.MonitoredItemNotification], received: int
    ) -> list[ua.MonitoredItemNotification]:
        """Hand over the blocks of fast signals; gives the other items."""
        others = []
        for item in items:
            row = self._rows.get(item.ClientHandle)
            if not isinstance(row, WaveformEntry):
                others.append(item)
                continue
            block, fault = waveform_block(item.Value, row, received)
            if fault is not None:
                self._account.reject(fault)
            if block is not None and (timed := self._account.accept_block(block, received)) is not None:
                await self._sink(self._name, timed)
        return others

    def _note_deleted(self, items: Sequence[ua.MonitoredItemNotification]) -> None:
        """A server that deletes a node says so as the last status of its items (part 4, DeleteNodes), and nothing more."""
        deleted = {}
        for item in items:
            row = self._rows.get(item.ClientHandle)
            if row is not None and item.Value.StatusCode is not None and item.Value.StatusCode.value in _DELETED:
                deleted[row.index] = f"{row.asset}.{row.name}: node '{row.signal.node}': {status_words(item.Value.StatusCode)}"
        if deleted:
            self._problems |= deleted
            self._tell()


@asynccontextmanager
async def connected(source: OpcuaSource, credentials: Credentials) -> AsyncIterator[Client]:
    """A session with a server. Raises `ConnectionRefused` when one side does not want the other."""
    client = Client(source.url, timeout=REQUEST_TIMEOUT_S)
    client.name = client.description = "kullager edge"
    client.session_timeout = SESSION_TIMEOUT_MS
    await secure(client, source, credentials)
    try:
        await client.connect()
    except ua.UaStatusCodeError as error:
        raise ConnectionRefused(refusal(error, source, credentials)) from None
    except CONNECTION_ERRORS:
        # it was there a moment ago, and said what it offers
        if source.security != "None":
            raise ConnectionRefused(closed(source, credentials)) from None
        raise
    try:
        yield client
    finally:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await client.disconnect()
        except CONNECTION_ERRORS as error:
            logger.debug("%s: the session did not end in order: %s", source.url, describe(error))


async def resolve(client: Client, nodes: Sequence[str]) -> list[ua.NodeId | str]:
    """Node ids with namespace URIs as the server numbers them now; in place of one that it has not, what is wrong."""
    uris = await client.get_namespace_array()
    resolved: list[ua.NodeId | str] = []
    for node in nodes:
        uri, _, identifier = node.removeprefix("nsu=").partition(";")
        if uri not in uris:
            own = ", ".join(uris[1:])
            resolved.append(f"node '{node}': the server has no namespace '{uri}'; it has {own}")
            continue
        try:
            resolved.append(ua.NodeId.from_string(f"ns={uris.index(uri)};{identifier}"))
        except ua.UaStringParsingError:
            resolved.append(f"node '{node}': '{identifier}' should be such as 's=pump-101.speed' or 'i=2042'")
    return resolved


def status_words(status: Any) -> str:
    """A StatusCode, or the error made of one, by name and in words."""
    code = status.code if isinstance(status, ua.UaStatusCodeError) else status.value
    name, words = ua.status_codes.get_name_and_doc(code)
    return f"{name} ({words.rstrip('.')})"


def describe(error: BaseException) -> str:
    """An error of the network in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
