"""Notifications as columns: what asyncua's own decoder finds in the same bytes, and what it would make of hostile ones."""

import math
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.plant import Signal, SignalEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.data_acquisition.opcua_bounds import bound
from edge.data_acquisition.opcua_records import NO_TIME, NOT_READ, Records, to_ns
from edge.data_acquisition.opcua_types import ServerTypes
from edge.data_acquisition.opcua_values import Handles, samples

bound()
NOW = 1_795_514_400_000_000_000
TICKS = 132_000_000_000_000_000
# handles of a number, a text, an element of an array, a fast signal; anything else is nobody's
NUMBER, TEXT, ELEMENT, FAST, NOBODY = 0, 1, 2, 3, 9
INTEGERS = {
    kind: st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)
    for kind, bits, signed in (
        (ua.VariantType.SByte, 8, True),
        (ua.VariantType.Byte, 8, False),
        (ua.VariantType.Int16, 16, True),
        (ua.VariantType.UInt16, 16, False),
        (ua.VariantType.Int32, 32, True),
        (ua.VariantType.UInt32, 32, False),
        (ua.VariantType.Int64, 64, True),
        (ua.VariantType.UInt64, 64, False),
    )
}
TIMES = st.datetimes(datetime(1700, 1, 1), datetime(9000, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))
VALUES: dict[ua.VariantType, st.SearchStrategy[Any]] = {
    ua.VariantType.Null: st.none(),
    ua.VariantType.Boolean: st.booleans(),
    **INTEGERS,
    ua.VariantType.Float: st.floats(width=32),
    ua.VariantType.Double: st.floats(),
    ua.VariantType.String: st.one_of(st.none(), st.text(max_size=20)),
    ua.VariantType.DateTime: TIMES,
    ua.VariantType.Guid: st.uuids(),
    ua.VariantType.ByteString: st.one_of(st.none(), st.binary(max_size=20)),
    ua.VariantType.XmlElement: st.text(max_size=9).map(ua.XmlElement),
    ua.VariantType.NodeId: st.integers(0, 1000).map(lambda number: ua.NodeId(number, 2)),
    ua.VariantType.ExpandedNodeId: st.integers(0, 1000).map(lambda number: ua.ExpandedNodeId(number, 2)),
    ua.VariantType.StatusCode: st.sampled_from([0, 0x80310000]).map(ua.StatusCode),
    ua.VariantType.QualifiedName: st.text(max_size=9).map(lambda name: ua.QualifiedName(name, 1)),
    ua.VariantType.LocalizedText: st.text(max_size=9).map(ua.LocalizedText),
    ua.VariantType.ExtensionObject: st.floats(-1e9, 1e9).map(lambda low: ua.Range(low, low + 1)),
    ua.VariantType.DataValue: st.floats(-1, 1).map(lambda value: ua.DataValue(ua.Variant(value))),
    ua.VariantType.Variant: st.floats(-1, 1).map(ua.Variant),
    ua.VariantType.DiagnosticInfo: st.builds(ua.DiagnosticInfo),
}
STATUSES = st.one_of(
    st.sampled_from([0, 0x480, 0x40920000, 0x80310000, ua.StatusCodes.BadWaitingForInitialData, 0xFFFFFFFF]),
    st.integers(0, 2**32 - 1),
)
MOMENTS = st.one_of(st.sampled_from([0, 1, 9, 10, -1, -(2**63), 2**63 - 1]), st.integers(-(2**63), 2**63 - 1), st.just(TICKS))


def encoded(draw: st.DrawFn, handle: int, mask: int, kind: ua.VariantType, *, is_array: bool) -> bytes:
    """An item, its parts put together by hand."""
    item = struct.pack("<IB", handle, mask)
    if mask & 1:
        values = VALUES[kind]
        value = draw(st.lists(values.filter(lambda each: each is not None), max_size=4)) if is_array else draw(values)
        item += ua_binary.variant_to_binary(ua.Variant(value, kind, is_array=is_array))
    if mask & 2:
        item += struct.pack("<I", draw(STATUSES))
    for bit in (4, 8):
        if mask & bit:
            item += struct.pack("<q", draw(MOMENTS))
    for bit in (16, 32):
        if mask & bit:
            item += struct.pack("<H", draw(st.integers(0, 2**16 - 1)))
    return item


HANDLES = st.sampled_from([NUMBER, TEXT, ELEMENT, NOBODY, 2**32 - 1])
KINDS = st.sampled_from(list(VALUES))
MASKS = st.integers(0, 63)


@st.composite
def mixed(draw: st.DrawFn) -> list[bytes]:
    """Items of any forms."""
    return [
        encoded(
            draw,
            draw(HANDLES),
            draw(MASKS),
            kind := draw(KINDS),
            is_array=kind is not ua.VariantType.Null and draw(st.integers(0, 4)) == 0,
        )
        for _ in range(draw(st.integers(0, 8)))
    ]


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Items of one form, as plants send them."""
    mask, kind = draw(MASKS), draw(KINDS)
    return [encoded(draw, draw(HANDLES), mask, kind, is_array=False) for _ in range(draw(st.integers(1, 20)))]


def listed(items: list[bytes]) -> bytes:
    return struct.pack("<i", len(items)) + b"".join(items)


def decoded(content: bytes) -> Records:
    found: Records = ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(Buffer(content))
    return found


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN equals itself."""
    return one == other or repr(one) == repr(other)


@settings(max_examples=500, deadline=None)
@given(items=st.one_of(mixed(), alike()), behind=st.binary(max_size=8))
def test_columns_hold_what_asyncua_reads(items: list[bytes], behind: bytes) -> None:
    objects = [ua_binary.from_binary(ua.MonitoredItemNotification, Buffer(item)) for item in items]
    buffer = Buffer(b"before" + listed(items) + behind)
    buffer.skip(6)
    records = ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(buffer)
    assert buffer.read(len(behind)) == behind
    assert isinstance(records, Records)
    assert len(records) == len(objects)
    for place, item in enumerate(objects):
        told = item.Value
        assert records.handle[place] == item.ClientHandle
        assert records.status[place] == told.StatusCode.value
        for column, moment in ((records.source, told.SourceTimestamp), (records.server, told.ServerTimestamp)):
            assert column[place] == (NO_TIME if moment is None else to_ns(moment))
        kind = told.Value.VariantType
        is_read = not told.Value.is_array and kind.value <= ua.VariantType.Double.value
        assert records.kind[place] == (kind.value if is_read else NOT_READ)
        assert (place in records.others) != is_read
        number = float(told.Value.Value) if is_read and told.Value.Value is not None else math.nan
        assert records.value[place] == number or (math.isnan(records.value[place]) and math.isnan(number))
        # as an object, too, it is what asyncua makes of it
        assert records[place].ClientHandle == item.ClientHandle
        assert same(records[place].Value, told)
    assert [each.ClientHandle for each in records[1:]] == [each.ClientHandle for each in objects[1:]]


@settings(max_examples=300, deadline=None)
@given(items=st.one_of(mixed(), alike()))
def test_samples_of_columns_are_those_of_objects(items: list[bytes]) -> None:
    """Text signals, parts of values, bad qualities and handles of nobody among them."""
    objects = [ua_binary.from_binary(ua.MonitoredItemNotification, Buffer(item)) for item in items]
    found = []
    for records in (decoded(listed(items)), Records.of(objects)):
        texts = {TEXT: TextTable()}
        batch, rejected = samples(records, handles(), texts, NOW, ServerTypes())
        found.append((columns_of(batch), rejected, texts[TEXT].texts))
    assert found[0] == found[1]
    signal, time, _, quality = found[0][0]
    assert set(signal) <= {NUMBER, TEXT, ELEMENT}
    assert all(-(2**62) <= each <= 2**62 for each in time)
    assert set(quality) <= set(Quality)


def handles() -> Handles:
    def row(index: int, *, is_text: bool = False, field: str | None = None) -> SignalEntry:
        signal = Signal(unit="1", source="plc", node="nsu=urn:x;s=x", field=field, stale_s=10.0)
        return SignalEntry(index=index, asset="press-1", name=f"s{index}", signal=signal, is_text=is_text)

    return Handles({NUMBER: row(NUMBER), TEXT: row(TEXT, is_text=True), ELEMENT: row(ELEMENT, field="0")}, [FAST])


def columns_of(batch: SampleBatch) -> tuple[list[int], list[int], list[str], list[int]]:
    # as text, since NaN is not equal to itself
    return batch.signal.tolist(), batch.time.tolist(), list(map(repr, batch.value.tolist())), batch.quality.tolist()


@settings(max_examples=300, deadline=None)
@given(data=st.data(), items=st.one_of(mixed(), alike()))
def test_what_is_cut_off_is_refused(data: st.DataObject, items: list[bytes]) -> None:
    content = listed(items)
    short = Buffer(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ua.UaError):
        ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(short)
    # and so it is where the message goes on with something else
    short = Buffer(content + b"\0" * 100).copy(data.draw(st.integers(0, len(content) - 1)))
    with pytest.raises(ua.UaError):
        ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(short)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), st.integers(-1, 60))
def test_whatever_bytes_come_are_read_as_asyncua_reads_them_or_refused(content: bytes, number: int) -> None:
    """Among them masks with bits that mean nothing, and Variants of kinds that there are not."""
    buffer = Buffer(content)
    objects: list[Any] | None = []
    try:
        for _ in range(number):
            if not len(buffer):
                raise ua.UaError("no more")
            objects.append(ua_binary.from_binary(ua.MonitoredItemNotification, buffer))
    except Exception:  # asyncua raises many kinds
        objects = None
    try:
        records = decoded(struct.pack("<i", number) + content)
    except ua.UaError:
        assert objects is None
    except (ValueError, TypeError, OverflowError, LookupError):
        # from asyncua's own decoders of dear kinds
        assert objects is None
    else:
        assert objects is not None
        assert [each.ClientHandle for each in records] == [each.ClientHandle for each in objects]
        assert all(same(mine.Value, theirs.Value) for mine, theirs in zip(records, objects, strict=True))


def test_a_null_list_is_an_empty_one() -> None:
    assert len(decoded(b"\xff" * 4)) == 0


def test_what_says_nothing_is_refused_where_it_is_many() -> None:
    with pytest.raises(ua.UaError, match="more than"):
        decoded(listed([struct.pack("<IB", 1, 0)] * 10_000))


def test_a_source_time_of_zero_is_none() -> None:
    """Part 6, 5.2.2.5; asyncua makes it the year 1601, which ns do not reach."""
    item = struct.pack("<IBBdqq", NUMBER, 0x0D, ua.VariantType.Double.value, 1.5, 0, TICKS)
    for records in (decoded(listed([item])), Records.of([ua_binary.from_binary(ua.MonitoredItemNotification, Buffer(item))])):
        batch, _ = samples(records, handles(), {}, NOW, ServerTypes())
        assert batch.time.tolist() == [records.server[0]]
        assert np.isfinite(batch.value).all()
