"""The values of a read, or of a data change notification, as objects, decoded at a third of what asyncua takes for them.

A DataValue is (part 6, 5.2.2.17) a mask of what follows, and by its bits 0 a Variant, 1 a StatusCode (UInt32), 2 and 3 the
source and the server time (Int64, 100 ns since 1601), 4 and 5 their picoseconds (UInt16). In a notification the client handle
(UInt32) stands before each. Scalars, which plants mostly send, are read here from the bytes and put into asyncua's own classes;
whatever else a Variant holds is left to asyncua. A test compares both over all kinds of Variants and masks.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.uatypes import win_epoch_to_datetime

_LENGTH: Final = struct.Struct("<i")
_HANDLE: Final = struct.Struct("<I")
_STATUS: Final = struct.Struct("<I")
_TIME: Final = struct.Struct("<q")
_PICOSECONDS: Final = struct.Struct("<H")
# of an item at the least: a handle and a mask
ITEM_BYTES: Final = 5
# what is smaller says nothing, and may be many
SMALL_BYTES: Final = 6
# by the encoding byte of a scalar Variant
_SCALARS: Final = {
    kind.value: (kind, struct.Struct(f"<{letter}"))
    for kind, letter in (
        (ua.VariantType.Boolean, "?"),
        (ua.VariantType.SByte, "b"),
        (ua.VariantType.Byte, "B"),
        (ua.VariantType.Int16, "h"),
        (ua.VariantType.UInt16, "H"),
        (ua.VariantType.Int32, "i"),
        (ua.VariantType.UInt32, "I"),
        (ua.VariantType.Int64, "q"),
        (ua.VariantType.UInt64, "Q"),
        (ua.VariantType.Float, "f"),
        (ua.VariantType.Double, "d"),
    )
}
_STRING, _TIME_VALUE = ua.VariantType.String.value, ua.VariantType.DateTime.value
# what asyncua takes longest for
_DEAR: Final = range(ua.VariantType.XmlElement.value, ua.VariantType.DiagnosticInfo.value + 1)
_VALUE, _CODE, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = (1 << bit for bit in range(6))
_NULL: Final = ua.VariantType.Null
# what is not told is good (part 4, 7.11)
_GOOD: Final = ua.StatusCode()
_new: Final = object.__new__


Other = Callable[[Buffer], Any]
Spend = Callable[[Buffer, int], None]


def decoder(other: Other, spend: Spend) -> Callable[[Buffer], list[Any] | None]:
    """A decoder of lists of DataValue; None is a list that is null.

    other: reads a Variant of any kind; spend: is called before each of those with what it costs, and may refuse
    """

    def decode(data: Buffer) -> list[Any] | None:
        content, begin = data._data, data._cur_pos
        at, end = begin, begin + len(data)
        try:
            (length,) = _LENGTH.unpack_from(content, at)
            at += 4
            if length < 0:
                data.skip(4)
                return None
            found = []
            for _ in range(length):
                start = at
                made, at = _data_value(content, at, end, other, spend)
                if at - start < SMALL_BYTES:
                    spend(data, 1)
                found.append(made)
        except (struct.error, IndexError) as error:
            raise ua.UaError(f"a value ends behind its message: {error}") from None
        data.skip(at - begin)
        return found

    return decode


def read_item(content: bytes, start: int, end: int, other: Other, spend: Spend) -> tuple[Any, int]:
    """The MonitoredItemNotification that begins here, and where it ends."""
    made = _new(ua.MonitoredItemNotification)
    try:
        (made.ClientHandle,) = _HANDLE.unpack_from(content, start)
        made.Value, stop = _data_value(content, start + 4, end, other, spend)
    except (struct.error, IndexError) as error:
        raise ua.UaError(f"a value ends behind its message: {error}") from None
    return made, stop


def _data_value(content: bytes, at: int, end: int, other: Other, spend: Spend) -> tuple[Any, int]:
    """A DataValue, and where it ends."""
    mask = content[at]
    told = _new(ua.DataValue)
    # asyncua leaves it so
    told.Encoding = 0
    at += 1
    if mask & _VALUE:
        told.Value, at = _variant(content, at, end, other, spend)
    else:
        told.Value = _scalar(_NULL, None)
    told.StatusCode, told.SourceTimestamp, told.ServerTimestamp = _GOOD, None, None
    told.SourcePicoseconds = told.ServerPicoseconds = None
    if mask & _CODE:
        (code,) = _STATUS.unpack_from(content, at)
        told.StatusCode, at = ua.StatusCode(code), at + 4
    if mask & _SOURCE:
        told.SourceTimestamp, at = win_epoch_to_datetime(_TIME.unpack_from(content, at)[0]), at + 8
    if mask & _SERVER:
        told.ServerTimestamp, at = win_epoch_to_datetime(_TIME.unpack_from(content, at)[0]), at + 8
    if mask & _SOURCE_PICO:
        (told.SourcePicoseconds,), at = _PICOSECONDS.unpack_from(content, at), at + 2
    if mask & _SERVER_PICO:
        (told.ServerPicoseconds,), at = _PICOSECONDS.unpack_from(content, at), at + 2
    if at > end:
        raise ua.UaError("a value ends behind its message")
    return told, at


def _variant(content: bytes, at: int, end: int, other: Other, spend: Spend) -> tuple[Any, int]:
    """A Variant, and where it ends."""
    if at >= end:
        raise ua.UaError("a value ends behind its message")
    encoding = content[at]
    if (known := _SCALARS.get(encoding)) is not None:
        kind, packed = known
        (value,) = packed.unpack_from(content, at + 1)
        return _scalar(kind, value), at + 1 + packed.size
    if encoding == 0:
        return _scalar(_NULL, None), at + 1
    if encoding == _TIME_VALUE:
        return _scalar(ua.VariantType.DateTime, win_epoch_to_datetime(_TIME.unpack_from(content, at + 1)[0])), at + 9
    if encoding == _STRING:
        (length,) = _LENGTH.unpack_from(content, at + 1)
        stop = at + 5 + max(length, 0)
        if stop > end:
            raise ua.UaError("a text ends behind its message")
        try:
            return _scalar(ua.VariantType.String, None if length < 0 else content[at + 5 : stop].decode()), stop
        except UnicodeDecodeError:
            # asyncua has a way of its own with these
            pass
    rest = Buffer(content, at, end - at)
    spend(rest, 2 if encoding in _DEAR else 1)
    return other(rest), rest._cur_pos


def _scalar(kind: Any, value: Any) -> Any:
    made = _new(ua.Variant)
    made.Value, made.VariantType, made.Dimensions, made.is_array = value, kind, None, False
    return made
