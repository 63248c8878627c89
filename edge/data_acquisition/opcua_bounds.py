"""Bounds on what asyncua decodes: a message cannot ask for more elements than it has bytes, nor nest without an end.

asyncua 2.1.0 believes the lengths in a message: eleven bytes that announce an array of Null of huge length cost it half a
minute and gigabytes. Here its decoders of arrays are replaced by ones that compare the length with what is left of the
message, and its decoders of what can hold itself count how deep they are. `bound()` is called before the first connection;
doing it again does nothing. It is pinned to this version of asyncua, and a test decodes hostile messages.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.ua import ua_binary

MOST_NESTED: Final = 128
# of a Null there is nothing in the message, so an array of them may have so many
MOST_NULLS: Final = 1000


class TooMuch(ua.UaError):  # type: ignore[misc]  # asyncua is taken as untyped
    """A message that announces more than it has."""


_depth = 0


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

        def bounded(data: Any) -> list[Any] | None:
            _check(data, least)
            found: list[Any] | None = decode(data)
            return found

        return bounded

    original_list = ua_binary._create_list_deserializer

    def of_structures(uatype: Any) -> Callable[[Any], list[Any]]:
        decode = original_list(uatype)

        def bounded(data: Any) -> list[Any]:
            _check(data, 1)
            found: list[Any] = decode(data)
            return found

        return bounded

    ua_binary._create_uatype_array_deserializer = array
    ua_binary._create_list_deserializer = of_structures
    for name in ("variant_from_binary", "extensionobject_from_binary"):
        setattr(ua_binary, name, _nested(getattr(ua_binary, name)))
    # codecs that were made before hold the old ones
    for made in (
        ua_binary._create_uatype_deserializer,
        ua_binary._create_type_deserializer,
        ua_binary._create_dataclass_deserializer,
    ):
        made.cache_clear()


def _check(data: Any, least: int) -> None:
    """Look at the length that comes next without taking it."""
    left = len(data)
    if left < 4:
        return
    length = ua_binary.Primitives.Int32.unpack(data.copy(4))
    most = (left - 4) // least if least else MOST_NULLS
    if length > most:
        raise TooMuch(f"a message announces {length} elements and has {left - 4} bytes left")


def _nested(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def bounded(data: Any) -> Any:
        global _depth  # decoding is not asynchronous
        if _depth >= MOST_NESTED:
            raise TooMuch(f"a message nests deeper than {MOST_NESTED}")
        _depth += 1
        try:
            return decode(data)
        finally:
            _depth -= 1

    return bounded
