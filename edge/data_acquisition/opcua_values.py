"""OPC UA publish results as sample batches."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from asyncua import ua

from edge.contracts.plant import SignalEntry, WaveformEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.opcua_types import Enumerated, ServerTypes

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# part 4, table 173: the info bits say that they belong to a data value, and that its queue has overflowed
_OVERFLOW: Final = 0x480
_BY_SEVERITY: Final = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)


def quality_of(status: int) -> Quality:
    """The quality that the severity bits of a StatusCode stand for.

    >>> quality_of(0), quality_of(0x40920000), quality_of(0x80310000)
    (<Quality.GOOD: 0>, <Quality.UNCERTAIN: 1>, <Quality.BAD: 2>)
    """
    return _BY_SEVERITY[status >> 30 & 3]


def to_ns(moment: datetime) -> int:
    """ns since 1970 UTC; asyncua gives times in UTC, with or without saying so."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND * 1000


def sample_batch(
    items: Sequence[ua.MonitoredItemNotification],
    rows: Mapping[int, SignalEntry],
    texts: Mapping[int, TextTable],
    received: int,
    types: ServerTypes,
) -> tuple[SampleBatch, Counter[str]]:
    """The samples of one notification, and by reason how many of its values could not be used.

    rows: client handle → signal; types: of the server. A value of another type than a number, or one that is not finite, is a
    bad sample.
    """
    rejected: Counter[str] = Counter()
    signal, time, value, quality = [], [], [], []
    for item in items:
        row = rows.get(item.ClientHandle)
        if row is None:
            rejected["unknown-handle"] += 1
            continue
        data = item.Value
        status = data.StatusCode.value if data.StatusCode is not None else 0
        if status == ua.StatusCodes.BadWaitingForInitialData:
            # there has been no sample yet, not even a bad one
            continue
        if status & _OVERFLOW == _OVERFLOW:
            rejected["queue-overflow"] += 1
        grade = quality_of(status)
        number, fault = _number(data.Value.Value if data.Value is not None else None, row, texts, types)
        if fault is not None and grade is not Quality.BAD:
            rejected[fault] += 1
        moment = data.SourceTimestamp or data.ServerTimestamp
        signal.append(row.index)
        time.append(received if moment is None else to_ns(moment))
        value.append(number)
        quality.append(grade if fault is None else Quality.BAD)
    return SampleBatch.of(signal, time, value, quality), rejected


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
    moment = data.SourceTimestamp or data.ServerTimestamp
    time = received if moment is None else to_ns(moment)
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
