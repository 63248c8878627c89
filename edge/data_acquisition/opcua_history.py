"""What a server kept while the edge was away, read back by HistoryRead (part 11)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import Client, ua

from edge.contracts.plant import SignalEntry
from edge.contracts.sample_batch import SampleBatch
from edge.data_acquisition.opcua_limits import ServerLimits, in_batches
from edge.data_acquisition.opcua_records import to_ns
from edge.data_acquisition.opcua_types import ServerTypes
from edge.data_acquisition.opcua_values import sample_batch

HISTORY_READ: Final = 0x04  # of AccessLevel, part 3, 8.57
VALUES_PER_NODE: Final = 1000
NODES_AT_ONCE: Final = 50
# of an absence at most this is read back, the newest part of it
LONGEST: Final = timedelta(days=7)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def read_back(
    client: Client,
    limits: ServerLimits,
    wanted: Sequence[tuple[SignalEntry, ua.NodeId]],
    since: Mapping[int, int],
    until: Mapping[int, int],
    types: ServerTypes,
) -> AsyncIterator[SampleBatch]:
    """Samples after `since` and before `until` [ns UTC], each by signal; nothing of nodes that keep no history.

    Raises `ua.UaError` where the server refuses.
    """
    limit = limits.of("history")
    limit.at_most = min(limit.at_most, NODES_AT_ONCE)
    nodes = [node for _, node in wanted]

    async def levels(part: Sequence[ua.NodeId]) -> Sequence[Any]:
        found: Sequence[Any] = await client.uaclient.read_attributes(list(part), ua.AttributeIds.UserAccessLevel)
        return found

    access = await in_batches(nodes, limits.of("read"), levels)
    kept = [
        each
        for each, data in zip(wanted, access, strict=True)
        if data.Value is not None and isinstance(data.Value.Value, int) and data.Value.Value & HISTORY_READ
    ]
    for start in range(0, len(kept), limit.at_most):
        part = kept[start : start + limit.at_most]
        last = max(until[row.index] for row, _ in part)
        first = max(min(since[row.index] for row, _ in part), last - round(LONGEST.total_seconds() * 1e9))
        async for batch in _read_part(client, part, first, last, types):
            signals = batch.signal.tolist()
            inside = (batch.time > [since[index] for index in signals]) & (batch.time < [until[index] for index in signals])
            if inside.any():
                yield SampleBatch(
                    signal=batch.signal[inside],
                    time=batch.time[inside],
                    value=batch.value[inside],
                    quality=batch.quality[inside],
                )


async def _read_part(
    client: Client, part: Sequence[tuple[SignalEntry, ua.NodeId]], first: int, last: int, types: ServerTypes
) -> AsyncIterator[SampleBatch]:
    rows = {row.index: row for row, _ in part}
    points: list[bytes | None] = [None] * len(part)
    left, cut_off = list(range(len(part))), []
    while left:
        results = await client.uaclient.history_read(_request(part, left, points, first, last))
        items, again = [], []
        for number, result in zip(left, results, strict=True):
            row = part[number][0]
            if not result.StatusCode.is_good() or not isinstance(result.HistoryData, ua.HistoryData):
                continue
            found = result.HistoryData.DataValues
            items += [ua.MonitoredItemNotification(ClientHandle=row.index, Value=data) for data in found]
            # a server that gives the same point again makes no progress
            if result.ContinuationPoint and result.ContinuationPoint != points[number]:
                points[number] = result.ContinuationPoint
                again.append(number)
            elif len(found) >= VALUES_PER_NODE and found[-1].SourceTimestamp is not None:
                cut_off.append((number, to_ns(found[-1].SourceTimestamp)))
        left = again
        batch, _ = sample_batch(items, rows, {}, last, types)
        yield batch
    for number, reached in cut_off:
        # there are servers that stop at the number that was asked for, without a point to go on from
        if reached > first:
            async for batch in _read_part(client, [part[number]], reached + 1000, last, types):
                yield batch


def _request(
    part: Sequence[tuple[SignalEntry, ua.NodeId]], left: Sequence[int], points: Sequence[bytes | None], first: int, last: int
) -> ua.HistoryReadParameters:
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified, details.ReturnBounds, details.NumValuesPerNode = False, False, VALUES_PER_NODE
    details.StartTime, details.EndTime = _moment(first), _moment(last)
    parameters = ua.HistoryReadParameters()
    parameters.HistoryReadDetails = details
    parameters.TimestampsToReturn, parameters.ReleaseContinuationPoints = ua.TimestampsToReturn.Both, False
    for number in left:
        value = ua.HistoryReadValueId()
        value.NodeId, value.IndexRange, value.ContinuationPoint = part[number][1], "", points[number]
        parameters.NodesToRead.append(value)
    return parameters


def _moment(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time // 1000)
