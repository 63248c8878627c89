"""The items of a data change notification as columns, without an object per value.

A DataChangeNotification holds an array of items, one behind the other (part 6, 5.2.2.16 and 5.2.2.17; little endian):

    client handle UInt32 | mask Byte | Variant: kind Byte, value | StatusCode UInt32 | source time Int64 | server time Int64
                                                                 | source picoseconds UInt16 | server picoseconds UInt16

The mask says by its bits 0 to 5 which of the parts after it are there: Variant, StatusCode, source time, server time, and their
picoseconds. A time counts 100 ns since 1601; zero or less is none (part 6, 5.2.2.5). The width of a number is that of its kind,
so mask and kind together, the *form* of an item, fix its layout to the byte. What a plant sends is mostly of one form: then the
whole array is a table of records, which numpy reads where it lies, and whether all items have the form of the first is one
comparison over a column.

Where forms are mixed the array is walked: an item's form gives its width, and so where the next begins. The items of each form
are then gathered and read as records. What has no fixed width (texts, arrays, structures, and whatever is not known) is left to
`opcua_items`, and that to asyncua; `others` holds these objects, whose number is told to the operator. A value that somebody
wants to see as an object is made from its bytes (`records[place]`), so asyncua's own users of a notification do not notice.

A test compares all of it with asyncua's own decoder: every kind of Variant, mask and StatusCode, mixed and alike, cut off
anywhere. Bounds are those of `opcua_items`: no item ends behind its message, and what costs much is refused.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, overload

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from numpy.typing import NDArray

from edge.data_acquisition.opcua_items import SMALL_BYTES, Other, Spend, read_item

# ns since 1970 of a time that was not told
NO_TIME: Final = np.iinfo(np.int64).min
# kinds of values: those of a Variant, and of what is not read here
NOT_READ: Final = 255
NULL: Final = 0
_HAS_VALUE, _HAS_STATUS, _HAS_SOURCE, _HAS_SERVER, _HAS_SOURCE_PICO, _HAS_SERVER_PICO = (1 << bit for bit in range(6))
# by the kind of a scalar number how it lies in the message; any byte but zero is true
_NUMBERS: Final = {
    ua.VariantType.Boolean.value: "u1",
    ua.VariantType.SByte.value: "i1",
    ua.VariantType.Byte.value: "u1",
    ua.VariantType.Int16.value: "<i2",
    ua.VariantType.UInt16.value: "<u2",
    ua.VariantType.Int32.value: "<i4",
    ua.VariantType.UInt32.value: "<u4",
    ua.VariantType.Int64.value: "<i8",
    ua.VariantType.UInt64.value: "<u8",
    ua.VariantType.Float.value: "<f4",
    ua.VariantType.Double.value: "<f8",
}
_BOOLEAN: Final = ua.VariantType.Boolean.value
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_US_FROM_1601: Final = 11_644_473_600_000_000
# asyncua reads times to the microsecond, and so far from 1970 in both directions they fit ns of 64 bits [us]
_MOST_US: Final = (1 << 62) // 1000


# makes the item an object that begins at a place of a message and ends before another, and says where it ends
ReadOne = Callable[[bytes, int, int], tuple[Any, int]]


class Records(Sequence[Any]):
    """The items of one notification. As a sequence: of asyncua's MonitoredItemNotification, made when they are asked for.

    handle, kind:   (n,) int64 client handle; uint8 kind of the Variant, `NULL` for none, `NOT_READ` for those in `others`
    value, status:  (n,) float64, NaN where there is no number; int64 StatusCode
    source, server: (n,) int64, ns since 1970 UTC, or `NO_TIME`
    others:         by place in the notification, the items that have no fixed width
    """

    __slots__ = ("_content", "_read", "_starts", "handle", "kind", "others", "server", "source", "status", "value")

    def __init__(self, content: bytes, starts: NDArray[np.int64], read: ReadOne) -> None:
        """content: the message; starts: (n,) where each item begins in it; read: makes one item an object"""
        n = len(starts)
        self._content, self._starts, self._read = content, starts, read
        self.handle, self.kind = np.zeros(n, np.int64), np.full(n, NOT_READ, np.uint8)
        self.value, self.status = np.full(n, np.nan), np.zeros(n, np.int64)
        self.source, self.server = np.full(n, NO_TIME, np.int64), np.full(n, NO_TIME, np.int64)
        self.others: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if (made := self.others.get(place)) is None:
            made, _ = self._read(self._content, int(self._starts[place]), len(self._content))
        return made

    @classmethod
    def of(cls, items: Sequence[Any]) -> "Records":
        """The same of objects that are there already."""
        made = cls(b"", np.zeros(len(items), np.int64), _no_bytes)
        made.others = dict(enumerate(items))
        made.take_others()
        return made

    def take_others(self) -> None:
        """Fill the rows of `others`, all but their values."""
        for place, item in self.others.items():
            told = item.Value
            self.handle[place] = item.ClientHandle
            if told.StatusCode is not None:
                self.status[place] = told.StatusCode.value
            if told.SourceTimestamp is not None:
                self.source[place] = to_ns(told.SourceTimestamp)
            if told.ServerTimestamp is not None:
                self.server[place] = to_ns(told.ServerTimestamp)

    def take(self, form: int, rows: Any, records: NDArray[Any]) -> None:
        """Fill these rows with records of one form."""
        mask = form & 0xFF
        self.handle[rows] = records["handle"]
        self.kind[rows] = form >> 8
        if form >> 8:
            self.value[rows] = records["value"] != 0 if form >> 8 == _BOOLEAN else records["value"]
        if mask & _HAS_STATUS:
            self.status[rows] = records["status"]
        if mask & _HAS_SOURCE:
            self.source[rows] = _from_ticks(records["source"])
        if mask & _HAS_SERVER:
            self.server[rows] = _from_ticks(records["server"])


def to_ns(moment: datetime) -> int:
    """ns since 1970 UTC, or `NO_TIME`; asyncua gives times in UTC, with or without saying so."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    us = (aware - _EPOCH) // _MICROSECOND
    return NO_TIME if us <= -_US_FROM_1601 else min(max(us, -_MOST_US), _MOST_US) * 1000


def _no_bytes(_content: bytes, start: int, _end: int) -> tuple[Any, int]:
    raise LookupError(f"no item begins at {start}")


def _from_ticks(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times of the wire as ns since 1970, to the microsecond."""
    us = np.clip(ticks // 10 - _US_FROM_1601, -_MOST_US, _MOST_US)
    return np.where(ticks >= 10, us * 1000, NO_TIME)


def columns(other: Other, spend: Spend) -> Callable[[Buffer], Records]:
    """A decoder of the list of items; other, spend: as in `opcua_items.decoder`. Raises `ua.UaError`."""

    def read_one(content: bytes, start: int, end: int) -> tuple[Any, int]:
        return read_item(content, start, end, other, spend)

    def decode(data: Buffer) -> Records:
        content, begin = data._data, data._cur_pos
        end = begin + len(data)
        if end - begin < 4:
            raise ua.UaError("a list of values ends behind its message")
        length = max(int.from_bytes(content[begin : begin + 4], "little", signed=True), 0)
        at = begin + 4
        found = _alike(content, at, end, length, read_one, lambda number: spend(data, number)) if length else None
        if found is None:
            found = _walked(content, at, end, length, read_one, lambda number: spend(data, number))
        records, stop = found
        data.skip(stop - begin)
        return records

    return decode


@cache
def _layout(form: int) -> np.dtype[Any] | None:
    """How an item of this form lies in the message; None where that is not fixed. The upper bits of a mask mean nothing."""
    mask, kind = form & 0xFF, form >> 8
    fields = [("handle", "<u4")]
    if not mask & _HAS_VALUE:
        fields.append(("form", "u1"))
    elif kind == NULL:
        fields.append(("form", "<u2"))
    elif kind in _NUMBERS:
        fields += [("form", "<u2"), ("value", _NUMBERS[kind])]
    else:
        return None
    if mask & _HAS_STATUS:
        fields.append(("status", "<u4"))
    if mask & _HAS_SOURCE:
        fields.append(("source", "<i8"))
    if mask & _HAS_SERVER:
        fields.append(("server", "<i8"))
    if mask & _HAS_SOURCE_PICO:
        fields.append(("source_pico", "<u2"))
    if mask & _HAS_SERVER_PICO:
        fields.append(("server_pico", "<u2"))
    return np.dtype(fields)


def _form(content: bytes, start: int) -> int:
    """Mask and kind of the item that begins here. Raises IndexError behind the end."""
    mask = content[start + 4]
    return mask | content[start + 5] << 8 if mask & _HAS_VALUE else mask


def _alike(
    content: bytes, at: int, end: int, length: int, read: ReadOne, spend: Callable[[int], None]
) -> tuple[Records, int] | None:
    """All items at once, and where they end; None where they are not all of the form of the first."""
    if at + SMALL_BYTES > end or (layout := _layout(form := _form(content, at))) is None:
        return None
    stop = at + length * layout.itemsize
    if stop > end:
        return None
    table = np.frombuffer(content, layout, length, at)
    if not (table["form"] == form).all():
        return None
    if layout.itemsize < SMALL_BYTES:
        spend(length)
    records = Records(content, np.arange(at, stop, layout.itemsize), read)
    records.take(form, slice(None), table)
    return records, stop


def _walked(
    content: bytes,
    at: int,
    end: int,
    length: int,
    read: ReadOne,
    spend: Callable[[int], None],
) -> tuple[Records, int]:
    """Item by item to where each begins, then form by form; and where they end."""
    starts, forms, others = [], [], {}
    widths: dict[int, int] = {}
    try:
        for place in range(length):
            starts.append(at)
            # `_form`, without the call
            mask = content[at + 4]
            form = mask | content[at + 5] << 8 if mask & 1 else mask
            width = widths.get(form)
            if width is None:
                layout = _layout(form)
                width = widths[form] = layout.itemsize if layout is not None else 0
            if width >= SMALL_BYTES:
                forms.append(form)
                at += width
            elif width:
                # what says nothing may be many
                spend(1)
                forms.append(form)
                at += width
            else:
                forms.append(-1)
                others[place], at = read(content, at, end)
    except IndexError:
        at = end + 1
    if at > end:
        raise ua.UaError("a value ends behind its message")
    records = Records(content, np.array(starts, np.int64), read)
    records.others = others
    of_form = np.array(forms, np.int64)
    for form, width in widths.items():
        if width and (layout := _layout(form)) is not None:
            rows = np.flatnonzero(of_form == form)
            # a record from every byte on, of which those are taken where an item begins
            everywhere = np.ndarray((len(content) - width + 1,), layout, content, strides=(1,))
            records.take(form, rows, everywhere[records._starts[rows]])
    records.take_others()
    return records, at
