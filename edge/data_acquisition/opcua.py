"""Samples from an OPC UA server by subscription, and the only owner of reconnection to it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import numpy as np
from asyncua import Client, ua

from edge.back_off import back_off
from edge.contracts.errors import ConnectionRefused
from edge.contracts.plant import OpcuaSource, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import FAR_OFF_NS, SourceAccount
from edge.data_acquisition.on_change import OnChange
from edge.data_acquisition.opcua_history import read_back
from edge.data_acquisition.opcua_monitoring import Entry, Monitoring
from edge.data_acquisition.opcua_publishing import Publishing
from edge.data_acquisition.opcua_records import Records
from edge.data_acquisition.opcua_security import Credentials
from edge.data_acquisition.opcua_session import CONNECTION_ERRORS, connected, describe, resolve, status_words
from edge.data_acquisition.opcua_types import ServerTypes
from edge.data_acquisition.opcua_values import Handles, looked_into, samples, waveform_block

logger = logging.getLogger(__name__)

# the server says that it is alive this often when it has no values to send
KEEP_ALIVE_S: Final = 2.0
SILENT_S: Final = 3 * KEEP_ALIVE_S + 1.0
LOOK_S: Final = 1.0
RETRY_NODES_S: Final = 30.0
REPEAT_S: Final = 1.0
# until then the first new samples have come, and say to where the past is missing
READ_BACK_AFTER_S: Final = 2.0
_DELETED: Final = (ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadNodeIdInvalid)

Sink = Callable[[str, SampleBatch | WaveformBlock], Awaitable[None]]


class Past(Protocol):
    """Knows by signal the newest sample that ever came [ns UTC], and takes what was read back."""

    def newest(self) -> Mapping[int, int]: ...

    def recovered(self, batch: SampleBatch) -> None: ...


class OpcuaAcquisition:
    """One server. `run` connects, subscribes and hands batches to `sink` for ever; the account knows how it goes.

    periods: of each asset's grid [s]; past: who knows what is missing, and takes what is read back
    on_change: the signals that stay as they are while the subscription is alive
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
        on_change: Sequence[SignalEntry] = (),
    ) -> None:
        self._past, self._on_change, self._repeated_s = past, OnChange(on_change), 0.0
        self._name, self._source, self._texts = name, source, texts
        self._account, self._sink, self._credentials = account, sink, credentials
        # the index in the plant's tables is the client handle of the monitored item
        self._rows = {row.index: row for row in signals}
        self._signals = {row.index: row for row in signals if isinstance(row, SignalEntry)}
        self._monitoring = Monitoring(name, account, periods, source.publishing_ms)
        self._types = ServerTypes()
        self._handles = Handles(self._signals, self._rows.keys() - self._signals.keys())
        # by signal: whether its item has not brought a first value yet
        self._initial = np.zeros(max(self._rows, default=-1) + 1, np.bool_)
        self._heard_s = 0.0
        # by signal: what keeps it from being served, and its node
        self._problems: dict[int, str] = {}
        self._nodes: dict[int, ua.NodeId] = {}
        # by signal the newest sample of before this connection, and the first of it [ns UTC]
        self._since: Mapping[int, int] = {}
        # the same until it has been read back: a connection may be lost, or the edge killed, before that
        self.owed: Mapping[int, int] = {}
        self._first: dict[int, int] = {}

    async def run(self) -> None:
        waits = back_off()
        while True:
            try:
                async with connected(self._source, self._credentials) as client:
                    self.owed = {**(self._past.newest() if self._past else {}), **self.owed}
                    self._since, self._first = self.owed, {}
                    async with self._subscribed(client) as lost:
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
        # from here on no sample is looked at for its being the first: one that never comes back would cost every batch a look
        since, self._since = self._since, {}
        count = 0
        try:
            async for batch in read_back(client, self._monitoring.limits, wanted, since, until, self._types):
                count += len(batch)
                self._past.recovered(batch)
        except ua.UaStatusCodeError as error:
            self._monitoring.note(f"what came in between cannot be read back: {describe(error)}")
        except CONNECTION_ERRORS:
            # the next connection asks again
            return
        self.owed = {}
        if count:
            self._account.recovered(count)
            logger.info("source '%s': %d samples were read back from the server's history", self._name, count)

    def _say(self, problem: str, *, refused: bool = False) -> None:
        before = self._account.status().problem
        self._account.disconnected(problem, refused=refused)
        if problem != before:
            logger.warning("source '%s': %s; trying again", self._name, problem)

    @asynccontextmanager
    async def _subscribed(self, client: Client) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """Subscribe to all signals; what it gives waits until the connection is lost, and gives the reason."""
        gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

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
        self._problems.clear()
        self._on_change.forget()
        self._monitoring.items.clear()
        await self._monitoring.limits.read(client)
        publishing = Publishing(client, self._account, self._monitoring.note)
        subscription = await publishing.subscribe(parameters)
        self._monitoring.publishing_ms = subscription.RevisedPublishingInterval
        if self._monitoring.publishing_ms > 1.01 * self._source.publishing_ms:
            self._monitoring.note(
                f"the server publishes every {self._monitoring.publishing_ms:g} ms instead of {self._source.publishing_ms:g}"
            )
        self._heard_s = time.monotonic()
        running = asyncio.create_task(publishing.run(self._take), name=f"publishing of {self._name}")

        async def lost() -> str:
            last_retry = last_look = time.monotonic()
            while True:
                await asyncio.wait([gone, running], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return gone.result()
                if running.done():
                    try:
                        return running.result()
                    except ConnectionError:
                        return f"the connection to {self._source.url} was lost"
                now = time.monotonic()
                # what came while this process had no processor waits in the socket: that is no silence of the server
                self._heard_s = min(now, self._heard_s + max(0.0, now - last_look - LOOK_S))
                last_look = now
                if now - self._heard_s > SILENT_S:
                    return f"{self._source.url} has been silent for {SILENT_S:.0f} s, without even a sign of life"
                if self._problems and now - last_retry > RETRY_NODES_S:
                    last_retry = now
                    await self._serve(client, subscription.SubscriptionId, [self._rows[index] for index in self._problems])

        try:
            await self._serve(client, subscription.SubscriptionId, list(self._rows.values()))
            yield lost
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

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
        stale = [self._monitoring.items.pop(row.index) for row in rows if row.index in self._monitoring.items]
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
        signals = [(row, node) for row, node in found if isinstance(row, SignalEntry)]
        if self._source.clock == "wall":
            # the first values come while further items are still being created
            self._initial[[row.index for row, _ in signals]] = True
        shapes = await self._learn(client, [(row, node) for row, node in signals if looked_into(row)])
        self._problems |= await self._monitoring.monitor(client, subscription, found)
        # a number is read without it: this only tells why it is none, and no value has to wait for that
        with contextlib.suppress(TimeoutError):
            # a server that is busy with values may answer too late: what is no number is then counted, and not explained
            shapes |= await self._learn(client, [(row, node) for row, node in signals if not looked_into(row)])
        self._problems |= shapes
        self._tell()

    async def _learn(self, client: Client, signals: Sequence[tuple[SignalEntry, ua.NodeId]]) -> dict[int, str]:
        """Ask what these values are made of; by signal, what keeps its value from being one number or text."""
        try:
            return await self._types.learn(client, self._monitoring.limits, signals)
        except ua.UaError as error:
            self._monitoring.note(f"the server does not say what its values are made of: {describe(error)}")
            return {}

    async def _take(self, message: ua.NotificationMessage) -> None:
        """One message: data, or a sign of life."""
        received = time.time_ns()
        self._heard_s = time.monotonic()
        for notification in message.NotificationData or ():
            if isinstance(notification, ua.DataChangeNotification):
                records = notification.MonitoredItems
                if len(self._signals) < len(self._rows):
                    await self._take_waveforms(records, received)
                self._date_initial(records, received)
                batch, rejected = samples(records, self._handles, self._texts, received, self._types)
                for reason, count in rejected.items():
                    self._account.reject(reason, count)
                self._note_deleted(records)
                self._account.count_objects(len(records.others))
                accepted = self._account.accept(batch, received)
                if self._past is not None:
                    self._note_first(accepted)
                await self._sink(self._name, accepted)
                if self._on_change and (more := self._on_change.saw(accepted)) is not None:
                    await self._sink(self._name, self._account.confirmed(more))
        await self._repeat(received)

    async def _repeat(self, received: int) -> None:
        """Say again what has not changed: by this response the server vouches for it."""
        if self._on_change and self._heard_s - self._repeated_s > REPEAT_S:
            self._repeated_s = self._heard_s
            vouched = received if self._source.clock == "wall" else self._account.last_sample
            if vouched is not None:
                await self._sink(self._name, self._account.confirmed(self._on_change.repeat(vouched)))

    def _date_initial(self, records: Records, received: int) -> None:
        """The first value of an item is what is so now, even if it came to be long ago: that is no fault of a clock."""
        if not self._initial.any():
            return
        own = np.flatnonzero(records.handle < len(self._initial))
        waiting = own[self._initial[records.handle[own]]]
        handles, first = np.unique(records.handle[waiting], return_index=True)
        self._initial[handles] = False
        places = waiting[first]
        old = places[records.source[places] < received - FAR_OFF_NS]
        records.source[old] = records.server[old]

    def _note_first(self, batch: SampleBatch) -> None:
        """Of each signal the first sample that is newer than those of before: until there its past is missing."""
        if len(self._first) < len(self._since):
            for index, moment in zip(batch.signal.tolist(), batch.time.tolist(), strict=True):
                if index not in self._first and moment > self._since.get(index, moment):
                    self._first[index] = moment

    async def _take_waveforms(self, records: Records, received: int) -> None:
        """Hand over the blocks of fast signals."""
        for place in self._handles.waveforms(records):
            item = records[place]
            row = self._rows[item.ClientHandle]
            if isinstance(row, WaveformEntry):
                block, fault = waveform_block(item.Value, row, received)
                if fault is not None:
                    self._account.reject(fault)
                if block is not None and (timed := self._account.accept_block(block, received)) is not None:
                    await self._sink(self._name, timed)

    def _note_deleted(self, records: Records) -> None:
        """A server that deletes a node says so as the last status of its items (part 4, DeleteNodes), and nothing more."""
        deleted: dict[int, str] = {}
        if not records.status.any():
            # as a rule
            return
        for place in np.flatnonzero(np.isin(records.status, _DELETED)).tolist():
            row = self._rows.get(int(records.handle[place]))
            if row is not None:
                words = status_words(ua.StatusCode(int(records.status[place])))
                deleted[row.index] = f"{row.asset}.{row.name}: node '{row.signal.node}': {words}"
        if deleted:
            self._problems |= deleted
            self._tell()
