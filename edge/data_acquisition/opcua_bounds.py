"""Bounds on what asyncua decodes: a message cannot ask for more elements than it has bytes, nor nest without an end.

asyncua 2.1.0 believes the lengths in a message: eleven bytes that announce an array of Null of huge length cost it half a
minute and gigabytes. Here its decoders of arrays are replaced by ones that compare the length with what is left of the
message, and its decoders of what can hold itself count how deep they are. `bound()` is called before the first connection;
doing it again does nothing. It is pinned to this version of asyncua, and a test decodes hostile messages.
"""

import functools
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, Final

from asyncua import ua
from asyncua.ua import ua_binary

from edge.data_acquisition.opcua_items import ITEM_BYTES, decoder
from edge.data_acquisition.opcua_records import columns

MOST_NESTED: Final = 128
# of a Null there is nothing in the message, so an array of them may have so many
MOST_NULLS: Final = 1000
# of values within values, and elements that are more than a number, of one message: asyncua takes 4 to 20 us for each
MOST_WITHIN: Final = 2000
SMALL_BYTES: Final = 64 << 10


_DEAR: Final = (
    ua.VariantType.NodeId,
    ua.VariantType.ExpandedNodeId,
    ua.VariantType.QualifiedName,
    ua.VariantType.LocalizedText,
    ua.VariantType.ExtensionObject,
    ua.VariantType.DiagnosticInfo,
)


class TooMuch(ua.UaError):  # type: ignore[misc]  # asyncua is taken as untyped
    """A message that announces more than it has."""


_depth = 0
# the message that is being decoded, and how many values within values it has had
_message: object = None
_within = 0


def bound() -> None:
    """Replace asyncua's decoders by bounded ones."""
    if getattr(ua_binary, "_kullager_bounds", False):
        return
    ua_binary._kullager_bounds = True
    original_array = ua_binary._create_uatype_array_deserializer

    @functools.cache
    def array(vtype: ua.VariantType) -> Callable[[Any], list[Any] | None]:
        decode = original_array(vtype)
        least = 0 if vtype is ua.VariantType.Null else 1
        is_dear = vtype in _DEAR
        if vtype is ua.VariantType.DataValue:
            decode = decoder(_any_variant, _spend)

        def bounded(data: Any) -> list[Any] | None:
            length = _check(data, least)
            if is_dear:
                _spend(data, length)
            found: list[Any] | None = decode(data)
            return found

        return bounded

    original_list = ua_binary._create_list_deserializer

    @functools.cache
    def of_structures(uatype: Any) -> Callable[[Any], list[Any]]:
        decode, least, is_dear = original_list(uatype), 1, False
        if uatype is ua.MonitoredItemNotification:
            decode, least = columns(_any_variant, _spend), ITEM_BYTES
        else:
            is_dear = is_dataclass(uatype) and uatype is not ua.StatusCode

        def bounded(data: Any) -> list[Any]:
            length = _check(data, least)
            if is_dear:
                _spend(data, length)
            found: list[Any] = decode(data)
            return found

        return bounded

    ua_binary._create_uatype_array_deserializer = array
    ua_binary._create_list_deserializer = of_structures
    global _paid_variant
    _paid_variant = _nested(ua_binary.variant_from_binary, paid=True)
    for name in ("variant_from_binary", "extensionobject_from_binary"):
        setattr(ua_binary, name, _nested(getattr(ua_binary, name)))
    # codecs that were made before hold the old ones
    for made in (
        ua_binary._create_uatype_deserializer,
        ua_binary._create_type_deserializer,
        ua_binary._create_dataclass_deserializer,
    ):
        made.cache_clear()


# the same for a value for which our own decoder has spent already
_paid_variant: Callable[[Any], Any] = ua_binary.variant_from_binary


def _any_variant(data: Any) -> Any:
    # looked up anew: it is the bounded one
    return _paid_variant(data)


def _check(data: Any, least: int) -> int:
    """Look at the length that comes next without taking it."""
    left = len(data)
    if left < 4:
        return 0
    length = ua_binary.Primitives.Int32.unpack(data.copy(4))
    most = (left - 4) // least if least else MOST_NULLS
    if length > most:
        raise TooMuch(f"a message announces {length} elements and has {left - 4} bytes left")
    return max(int(length), 0)


def _spend(data: Any, number: int) -> None:
    """So many dear elements more; of one message no more than `MOST_WITHIN`."""
    global _message, _within  # decoding is not asynchronous
    content = getattr(data, "_data", None)
    if content is not _message:
        _message, _within = content, 0
    _within += number
    most = MOST_WITHIN * (1 + len(content or b"") // SMALL_BYTES)
    if _within > most:
        raise TooMuch(f"a message has more than {most} structures, identifiers or values within values")


def _nested(decode: Callable[[Any], Any], *, paid: bool = False) -> Callable[[Any], Any]:
    def bounded(data: Any) -> Any:
        global _depth  # decoding is not asynchronous
        if _depth >= MOST_NESTED:
            raise TooMuch(f"a message nests deeper than {MOST_NESTED}")
        if _depth and not paid:
            _spend(data, 1)
        _depth += 1
        try:
            return decode(data)
        finally:
            _depth -= 1

    return bounded
