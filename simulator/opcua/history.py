"""What the signals of a server were: the newest rows of each asset in memory, for HistoryRead (OPC UA part 11)."""

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from simulator.site import Row

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST: Final = 3600
# of one server, so that a large plant does not fill the memory: 16 million are 144 MB
MOST_VALUES: Final = 16_000_000
MOST_PER_ANSWER: Final = 10_000
# the time [µs] at which the next answer goes on, and how many of the values at this time it leaves out
_POINT: Final = struct.Struct("<qI")


class _Track:
    """The newest rows of one asset. Pages of memory that no row has reached yet take no space."""

    def __init__(self, names: Sequence[str], length: int) -> None:
        self.names = tuple(names)
        self.time = np.empty(length, np.int64)  # (length,) [µs UTC]
        self.values = np.empty((length, len(names)))  # NaN: no sample
        self.bad = np.empty((length, len(names)), np.bool_)
        self.count = 0

    def append(self, time: int, values: Sequence[float | None]) -> None:
        slot = self.count % len(self.time)
        self.time[slot] = time
        self.values[slot] = [math.nan if value is None else value for value in values]
        self.bad[slot] = [value is None for value in values]
        self.count += 1

    def between(
        self, column: int, oldest: int | None, newest: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Times, values and whether bad, of one signal, in order of time.

        From `oldest` to `newest` [µs], both included; None: no end.
        """
        kept = min(self.count, len(self.time))
        slots = np.arange(self.count - kept, self.count) % len(self.time)
        time, values, bad = self.time[slots], self.values[slots, column], self.bad[slots, column]
        shown = bad | ~np.isnan(values)
        if oldest is not None:
            shown &= time >= oldest
        if newest is not None:
            shown &= time <= newest
        order = np.argsort(time[shown], kind="stable")
        return time[shown][order], values[shown][order], bad[shown][order]


class History:
    """Stands in the place of asyncua's HistoryManager, which subscribes to each node and starts a task for each value.

    Only raw values are kept, and no bounding values are made up. Where there are more than asked for, the answer has a
    continuation point, which needs no memory here.
    """

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._columns: dict[ua.NodeId, tuple[_Track, int]] = {}

    def keep(self, signals: dict[str, dict[str, ua.NodeId]]) -> None:
        """Keep these signals of these assets from now on."""
        total = sum(map(len, signals.values()))
        length = max(1, min(LONGEST, MOST_VALUES // max(total, 1)))
        for asset, nodes in signals.items():
            track = self._tracks[asset] = _Track(tuple(nodes), length)
            self._columns.update((node, (track, column)) for column, node in enumerate(nodes.values()))

    def record(self, row: Row) -> None:
        track = self._tracks.get(row.asset)
        if track is not None:
            values = [row.values.get(name, math.nan) for name in track.names]
            track.append(row.time // 1000, [None if value is None else float(value) for value in values])

    # -- as asyncua calls it

    async def init(self) -> None:
        """Nothing is to be opened."""

    async def stop(self) -> None:
        """Nothing is to be closed."""

    async def read_history(self, parameters: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        if parameters.ReleaseContinuationPoints:
            return [ua.HistoryReadResult() for _ in parameters.NodesToRead]
        return [self._read(parameters.HistoryReadDetails, wanted) for wanted in parameters.NodesToRead]

    def update_history(self, parameters: ua.HistoryUpdateParameters) -> list[ua.HistoryUpdateResult]:
        refused = ua.StatusCode(ua.StatusCodes.BadHistoryOperationUnsupported)
        return [ua.HistoryUpdateResult(StatusCode=refused) for _ in parameters.HistoryUpdateDetails]

    def _read(self, details: object, wanted: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        found = self._columns.get(wanted.NodeId)
        if found is None or not isinstance(details, ua.ReadRawModifiedDetails) or details.IsReadModified:
            return _refusal(ua.StatusCodes.BadHistoryOperationUnsupported)
        start, end = _microseconds(details.StartTime), _microseconds(details.EndTime)
        # an end alone means: backwards from there
        backwards = end is not None and (start is None or start > end)
        oldest, newest = (start, end) if not backwards else (end, start) if start is not None else (None, end)
        going_on, skip = None, 0
        if wanted.ContinuationPoint:
            if len(wanted.ContinuationPoint) != _POINT.size:
                return _refusal(ua.StatusCodes.BadContinuationPointInvalid)
            going_on, skip = _POINT.unpack(wanted.ContinuationPoint)
            oldest, newest = (oldest, going_on) if backwards else (going_on, newest)
        track, column = found
        time, values, bad = track.between(column, oldest, newest)
        if backwards:
            time, values, bad = time[::-1], values[::-1], bad[::-1]
        time, values, bad = time[skip:], values[skip:], bad[skip:]
        n = min(details.NumValuesPerNode or MOST_PER_ANSWER, MOST_PER_ANSWER)
        result = ua.HistoryReadResult()
        result.HistoryData = ua.HistoryData()
        result.HistoryData.DataValues = [
            _data_value(*each) for each in zip(time[:n].tolist(), values[:n].tolist(), bad[:n].tolist(), strict=True)
        ]
        if len(time) > n:
            following = int(time[n])
            again = int(np.count_nonzero(time[:n] == following)) + (skip if following == going_on else 0)
            result.ContinuationPoint = _POINT.pack(following, again)
        if not len(time):
            result.StatusCode = ua.StatusCode(ua.StatusCodes.GoodNoData)
        return result


def _refusal(status: int) -> ua.HistoryReadResult:
    result = ua.HistoryReadResult(StatusCode=ua.StatusCode(status))
    result.HistoryData = ua.HistoryData()
    return result


def _data_value(time: int, value: float, bad: bool) -> ua.DataValue:
    moment = EPOCH + timedelta(microseconds=time)
    if bad:
        return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure), SourceTimestamp=moment)
    variant = ua.Variant(value, ua.VariantType.Double)
    return ua.DataValue(variant, StatusCode=ua.StatusCode(ua.StatusCodes.Good), SourceTimestamp=moment)


def _microseconds(moment: datetime | None) -> int | None:
    """Since 1970 [µs]; None for the null date, by which OPC UA says that no time is given."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None if aware <= ua.get_win_epoch() else (aware - EPOCH) // timedelta(microseconds=1)
