"""OPC UA publish results as sample batches."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from edge.contracts.plant import SignalEntry, WaveformEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.opcua_records import NO_TIME, NOT_READ, NULL, Records, to_ns
from edge.data_acquisition.opcua_types import Enumerated, ServerTypes

# part 4, table 173: the info bits say that they belong to a data value, and that its queue has overflowed
_OVERFLOW: Final = 0x480
_BY_SEVERITY: Final = np.array([Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD], np.uint8)
# what a client handle is of: a signal whose value is a number as it comes, or one that has to be looked into
_UNKNOWN, _PLAIN, _SINGLE, _WAVEFORM = range(4)


def quality_of(status: int) -> Quality:
    """The quality that the severity bits of a StatusCode stand for.

    >>> quality_of(0), quality_of(0x40920000), quality_of(0x80310000)
    (<Quality.GOOD: 0>, <Quality.UNCERTAIN: 1>, <Quality.BAD: 2>)
    """
    return Quality(_BY_SEVERITY[status >> 30 & 3])


def looked_into(row: SignalEntry) -> bool:
    """Whether what the server says of its types is needed to read the signal: it is no number as it comes."""
    return row.is_text or row.signal.field is not None


class Handles:
    """Which client handles are whose; a handle is the index of its signal in the plant's tables.

    rows: the signals by handle; waveforms: handles of fast signals, which are read elsewhere
    """

    def __init__(self, rows: Mapping[int, SignalEntry], waveforms: Collection[int] = ()) -> None:
        self.rows = rows
        self._kind = np.zeros(max([*rows, *waveforms], default=-1) + 2, np.uint8)
        for index, row in rows.items():
            self._kind[index] = _SINGLE if looked_into(row) else _PLAIN
        self._kind[list(waveforms)] = _WAVEFORM

    def kinds(self, handle: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n,) of each of these handles, `_UNKNOWN` among them."""
        # the last place is nobody's
        found: NDArray[np.uint8] = self._kind[np.minimum(handle, len(self._kind) - 1)]
        return found

    def waveforms(self, records: Records) -> list[int]:
        """The places of items that are blocks of fast signals."""
        places: list[int] = np.flatnonzero(self.kinds(records.handle) == _WAVEFORM).tolist()
        return places


def sample_batch(
    items: Sequence[ua.MonitoredItemNotification],
    rows: Mapping[int, SignalEntry],
    texts: Mapping[int, TextTable],
    received: int,
    types: ServerTypes,
) -> tuple[SampleBatch, Counter[str]]:
    """`samples` of objects that are there already."""
    return samples(Records.of(items), Handles(rows), texts, received, types)


def samples(
    records: Records, handles: Handles, texts: Mapping[int, TextTable], received: int, types: ServerTypes
) -> tuple[SampleBatch, Counter[str]]:
    """The samples of one notification, and by reason how many of its values could not be used.

    types: of the server. A value of another type than a number, or one that is not finite, is a bad sample.
    """
    rejected: Counter[str] = Counter()
    status, kinds = records.status, handles.kinds(records.handle)
    used = (kinds == _PLAIN) | (kinds == _SINGLE)
    if not used.all() and (unknown := int((kinds == _UNKNOWN).sum())):
        rejected["unknown-handle"] = unknown
    # there has been no sample yet, not even a bad one
    used &= status != ua.StatusCodes.BadWaitingForInitialData
    if overflowed := int(((status & _OVERFLOW == _OVERFLOW) & used).sum()):
        rejected["queue-overflow"] = overflowed
    quality, value = _BY_SEVERITY[status >> 30 & 3], records.value
    single = used & ((kinds == _SINGLE) | (records.kind == NOT_READ))
    faulty = used & ~np.isfinite(value)
    if single.any():
        value, faulty = value.copy(), faulty & ~single
        for place in np.flatnonzero(single).tolist():
            item = records[place]
            row, data = handles.rows[item.ClientHandle], item.Value
            value[place], fault = _number(data.Value.Value if data.Value is not None else None, row, texts, types)
            if fault is not None:
                if quality[place] != Quality.BAD:
                    rejected[fault] += 1
                quality[place] = Quality.BAD
    if faulty.any():
        told = faulty & (quality != Quality.BAD)
        for fault, which in (("wrong-type", records.kind == NULL), ("not-finite", records.kind != NULL)):
            if count := int((told & which).sum()):
                rejected[fault] += count
        value, quality = np.where(faulty, np.nan, value), np.where(faulty, np.uint8(Quality.BAD), quality)
    time = np.where(records.source == NO_TIME, records.server, records.source)
    time[time == NO_TIME] = received
    rows = slice(None) if used.all() else used
    signal = records.handle[rows].astype(np.int32)
    return SampleBatch(signal=signal, time=time[rows], value=value[rows], quality=quality[rows]), rejected


def waveform_block(data: ua.DataValue, row: WaveformEntry, received: int) -> tuple[WaveformBlock | None, str | None]:
    """The block of one array value, or the reason why it could not be used; neither where there has been none yet."""
    status = data.StatusCode.value if data.StatusCode is not None else 0
    if status == ua.StatusCodes.BadWaitingForInitialData:
        return None, None
    if quality_of(status) is Quality.BAD:
        return None, "bad-waveform"
    raw = data.Value.Value if data.Value is not None else None
    if not isinstance(raw, list) or len(raw) != row.signal.points:
        # an empty array is how a server says that it has not taken one yet
        return None, None if isinstance(raw, list) and not raw else "wrong-length"
    try:
        points = np.array(raw, np.float32)
    except (TypeError, ValueError):
        return None, "wrong-type"
    if points.ndim != 1 or not np.isfinite(points).all():
        return None, "not-finite"
    told = (to_ns(moment) for moment in (data.SourceTimestamp, data.ServerTimestamp) if moment is not None)
    time = next((each for each in told if each != NO_TIME), received)
    return WaveformBlock(signal=row.index, time=time, rate_hz=row.signal.rate_hz, points=points), None


def _number(raw: Any, row: SignalEntry, texts: Mapping[int, TextTable], types: ServerTypes) -> tuple[float, str | None]:
    if row.is_text or row.signal.field is not None or isinstance(raw, ua.ExtensionObject):
        try:
            raw = types.find(row, raw)
        except LookupError:
            return math.nan, "no-such-field"
    if row.is_text and isinstance(raw, Enumerated):
        return float(texts[row.index].code(raw.text)), None
    if row.is_text and isinstance(raw, str | int | float):
        return float(texts[row.index].code(str(raw))), None
    # a switch is a number here: 0 or 1
    if not isinstance(raw, int | float):
        return math.nan, "wrong-type"
    return (float(raw), None) if math.isfinite(raw) else (math.nan, "not-finite")
