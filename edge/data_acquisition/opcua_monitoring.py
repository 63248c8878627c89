"""Monitored items at an OPC UA server: created in as many calls as it takes, and what it revises is told."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua import Client, ua

from edge.contracts.plant import SignalEntry, WaveformEntry
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua_limits import ServerLimits, in_batches
from edge.data_acquisition.opcua_session import status_words

logger = logging.getLogger(__name__)

# what a server is expected to bring at the most between two publishing intervals [values per second and signal]
MAX_RATE_HZ: Final = 100.0
_UNSUPPORTED: Final = (
    ua.StatusCodes.BadMonitoredItemFilterUnsupported,
    ua.StatusCodes.BadMonitoredItemFilterInvalid,
    ua.StatusCodes.BadFilterNotAllowed,
)

Entry = SignalEntry | WaveformEntry


class Monitoring:
    """Of one source; its limits live over reconnections.

    periods: of each asset's grid [s]; publishing_ms: as the server has revised it
    items:   by signal the monitored item that serves it
    """

    def __init__(self, name: str, account: SourceAccount, periods: Mapping[str, float], publishing_ms: float) -> None:
        self._name, self._account, self._periods = name, account, periods
        self.limits = ServerLimits()
        self.publishing_ms = publishing_ms
        self.items: dict[int, int] = {}

    async def monitor(self, client: Client, subscription: int, wanted: Sequence[tuple[Entry, ua.NodeId]]) -> dict[int, str]:
        """Create monitored items; gives what failed, by signal."""
        problems: dict[int, str] = {}
        limit = self.limits.of("monitor")
        results = await in_batches(wanted, limit, lambda part: self._create(client, subscription, part, with_filter=True))
        refused = [item for item, result in zip(wanted, results, strict=True) if result.StatusCode.value in _UNSUPPORTED]
        if refused:
            self.note(f"the server does not report values that repeat with a new time ({len(refused)} signals)")
            second = await in_batches(refused, limit, lambda part: self._create(client, subscription, part, with_filter=False))
            again = {row.index: result for (row, _), result in zip(refused, second, strict=True)}
            results = [again.get(row.index, result) for (row, _), result in zip(wanted, results, strict=True)]
        served = []
        for (row, _), result in zip(wanted, results, strict=True):
            if result.StatusCode.is_good():
                self.items[row.index] = result.MonitoredItemId
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
            rate = size / (self.publishing_ms / 1000)
            self.note(
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
            self.note(
                f"the server samples every {interval / 1000:g} s, and the plant file's grid has one instant every "
                f"{self._periods[row.asset]:g} s ({len(slow)} signals, such as {row.asset}.{row.name})"
            )

    def note(self, text: str) -> None:
        """What an operator may want to know, though nothing is wrong; said once."""
        if self._account.note(text):
            logger.warning("source '%s': %s", self._name, text)

    def _queue_size(self, row: Entry) -> int:
        # blocks are large, and only the newest counts
        return 2 if isinstance(row, WaveformEntry) else max(10, round(2 * MAX_RATE_HZ * self.publishing_ms / 1000))

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
