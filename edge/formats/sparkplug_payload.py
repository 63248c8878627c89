"""Sparkplug B payloads: what one message of an edge node says, as protobuf on the wire and as plain dataclasses here.

Times are ms since 1970 UTC on the wire and ns in the program. Whatever comes is bounded before anything is made of it.
Reference: Sparkplug Specification 3.0.0, chapter 6 (Payloads).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from edge.contracts.errors import MessageError
from edge.formats.sparkplug_definition import WirePayload

MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_METRICS: Final = 10_000
MAX_PROPERTIES: Final = 100
_METRICS_FIELD: Final = 2
COMPRESSED: Final = "SPBV1.0_COMPRESSED"
QUALITY: Final = "Quality"
# as Ignition names them: the specification leaves the names of other properties open
UNIT, LOW, HIGH = "engUnit", "engLow", "engHigh"

Value = float | int | str | bool


class DataType(IntEnum):
    """The basic types, and those whose values are not read here."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


class QualityCode(IntEnum):
    """The values that the property `Quality` may have (6.4.9)."""

    BAD = 0
    GOOD = 192
    STALE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What a birth says of a metric: its unit, its range. None is null, or a value of a kind that is not read here."""

    datatype: DataType
    value: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value. A birth gives its name, alias and type; data may leave the name, the type or both to the birth.

    timestamp: when the value was taken [ns UTC]
    value:     None where `is_null` is set, and for types whose values are not read (data sets, templates, bytes, arrays)
    """

    datatype: DataType | None = None
    value: Value | None = None
    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    is_null: bool = False
    is_historical: bool = False
    properties: Mapping[str, Property] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message: when it was sent [ns UTC], its place in the sequence 0..255, and what it carries."""

    timestamp: int | None = None
    seq: int | None = None
    metrics: tuple[Metric, ...] = ()


def quality(code: QualityCode) -> Property:
    return Property(datatype=DataType.INT32, value=int(code))


# ---- values

# the field that holds a value of a type, and for an integer its bits
_WIRE: Final[dict[DataType, tuple[str, int]]] = {
    DataType.INT8: ("int_value", 8),
    DataType.INT16: ("int_value", 16),
    DataType.INT32: ("int_value", 32),
    DataType.INT64: ("long_value", 64),
    DataType.UINT8: ("int_value", 8),
    DataType.UINT16: ("int_value", 16),
    # fits into int_value, too, but Eclipse Tahu's decoder for JavaScript looks for it here alone
    DataType.UINT32: ("long_value", 32),
    DataType.UINT64: ("long_value", 64),
    DataType.FLOAT: ("float_value", 0),
    DataType.DOUBLE: ("double_value", 0),
    DataType.BOOLEAN: ("boolean_value", 0),
    DataType.STRING: ("string_value", 0),
    DataType.DATETIME: ("long_value", 64),
    DataType.TEXT: ("string_value", 0),
    DataType.UUID: ("string_value", 0),
}
_SIGNED: Final = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
_READ: Final = frozenset(name for name, _ in _WIRE.values())


def as_type(value: Value | None, datatype: DataType) -> Value | None:
    """A number from the wire as its type means it: signed types are two's complements there.

    Doing it twice changes nothing, so a value read before its type was known may be given it later.

    >>> as_type(0xFFFF_FFFE, DataType.INT16), as_type(-2, DataType.INT16), as_type(254, DataType.UINT8)
    (-2, -2, 254)
    """
    bits = _WIRE.get(datatype, ("", 0))[1]
    if not bits or not isinstance(value, int):
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if datatype in _SIGNED and value >> (bits - 1) else value


def _put(target: Any, datatype: DataType, value: Value) -> None:
    """Set the field of the type. Raises ValueError or TypeError where the value is none of this type."""
    if datatype not in _WIRE:
        raise ValueError(f"values of type {datatype.name} are not written")
    name, bits = _WIRE[datatype]
    if bits:
        if isinstance(value, bool) or not isinstance(value, int) or as_type(value, datatype) != value:
            raise ValueError(f"{value!r} is no {datatype.name}")
        value &= 0xFFFF_FFFF if name == "int_value" else 0xFFFF_FFFF_FFFF_FFFF
    setattr(target, name, value)


def _get(source: Any, datatype: DataType | None) -> Value | None:
    name = source.WhichOneof("value")
    if name not in _READ or source.is_null:
        return None
    value: Value = _text(source.string_value) if name == "string_value" else getattr(source, name)
    return value if datatype is None else as_type(value, datatype)


def _text(content: str | bytes) -> str:
    """protobuf hands a string that is no UTF-8 over as bytes; raises UnicodeDecodeError for these."""
    return content.decode() if isinstance(content, bytes) else content


_DATATYPES: Final = tuple(DataType)


def _datatype(number: int) -> DataType:
    return _DATATYPES[number] if number < len(_DATATYPES) else DataType.UNKNOWN


# ---- payloads


def encode_payload(payload: Payload) -> bytes:
    """The payload on the wire. Times lose what is finer than a millisecond."""
    message = WirePayload()
    if payload.timestamp is not None:
        message.timestamp = payload.timestamp // 1_000_000
    if payload.seq is not None:
        message.seq = payload.seq
    for metric in payload.metrics:
        entry = message.metrics.add()
        if metric.name is not None:
            entry.name = metric.name
        if metric.alias is not None:
            entry.alias = metric.alias
        if metric.timestamp is not None:
            entry.timestamp = metric.timestamp // 1_000_000
        if metric.datatype is not None:
            entry.datatype = int(metric.datatype)
        if metric.is_historical:
            entry.is_historical = True
        if metric.is_null:
            entry.is_null = True
        elif metric.value is not None:
            if metric.datatype is None:
                raise ValueError(f"the value of {metric.name or metric.alias} needs a type")
            _put(entry, metric.datatype, metric.value)
        for key, content in metric.properties.items():
            entry.properties.keys.append(key)
            place = entry.properties.values.add(type=int(content.datatype))
            if content.value is None:
                place.is_null = True
            else:
                _put(place, content.datatype, content.value)
    return bytes(message.SerializeToString())


def decode_payload(data: bytes, topic: str) -> Payload:
    """Read a payload; raises `MessageError`, which names the topic, for everything that is none or is too large."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise MessageError("too-large", f"{topic}: {len(data)} bytes; at most {MAX_PAYLOAD_BYTES} are read")
    if len(data) > 2 * MAX_METRICS:
        _check_outline(data, topic)
    try:
        message = WirePayload.FromString(data)
        if message.uuid == COMPRESSED:
            raise MessageError("compressed", f"{topic}: is compressed, which is not read; have the sender turn that off")
        return Payload(
            timestamp=_time(message, topic),
            seq=message.seq if message.HasField("seq") else None,
            metrics=tuple(_metric(entry, topic) for entry in message.metrics),
        )
    except (DecodeError, UnicodeDecodeError) as error:
        raise MessageError("not-sparkplug", f"{topic}: is no Sparkplug B payload: {error}") from None


def _metric(entry: Any, topic: str) -> Metric:
    datatype = _datatype(entry.datatype) if entry.HasField("datatype") else None
    return Metric(
        datatype=datatype,
        value=_get(entry, datatype),
        name=_text(entry.name) if entry.HasField("name") else None,
        alias=entry.alias if entry.HasField("alias") else None,
        timestamp=_time(entry, topic),
        is_null=entry.is_null,
        is_historical=entry.is_historical,
        properties=_properties(entry.properties, topic) if entry.HasField("properties") else {},
    )


def _properties(entries: Any, topic: str) -> dict[str, Property]:
    if len(entries.keys) != len(entries.values):
        reason = f"{len(entries.keys)} property names with {len(entries.values)} values"
        raise MessageError("not-sparkplug", f"{topic}: a metric has {reason}; each needs one")
    if len(entries.keys) > MAX_PROPERTIES:
        raise MessageError(
            "too-large", f"{topic}: a metric has {len(entries.keys)} properties; at most {MAX_PROPERTIES} are read"
        )
    types = [_datatype(entry.type) for entry in entries.values]
    return {
        _text(key): Property(datatype=datatype, value=_get(entry, datatype))
        for key, datatype, entry in zip(entries.keys, types, entries.values, strict=True)
    }


def _time(entry: Any, topic: str) -> int | None:
    if not entry.HasField("timestamp"):
        return None
    time = int(entry.timestamp) * 1_000_000
    if time >= 1 << 62:
        raise MessageError("bad-time", f"{topic}: {entry.timestamp} ms lies outside 1970 to 2116")
    return time


def _check_outline(data: bytes, topic: str) -> None:
    """Walk the outermost fields, so that nothing is made of a payload with more metrics than are read.

    An empty metric is two bytes on the wire (so a short payload need not be walked) and a hundred times that in memory.
    """
    place = metrics = fields = 0
    try:
        while place < len(data):
            tag, place = _varint(data, place)
            wire_type = tag & 7
            if wire_type == 0:
                _, place = _varint(data, place)
            elif wire_type == 2:
                length, place = _varint(data, place)
                place += length
            elif wire_type in (1, 5):
                place += 8 if wire_type == 1 else 4
            else:
                raise ValueError(f"there is a field of wire type {wire_type}")
            fields += 1
            metrics += tag >> 3 == _METRICS_FIELD
            if metrics > MAX_METRICS or fields > MAX_METRICS + MAX_PROPERTIES:
                raise MessageError("too-large", f"{topic}: more than {MAX_METRICS} metrics; at most these are read")
    except (IndexError, ValueError) as error:
        raise MessageError("not-sparkplug", f"{topic}: is no Sparkplug B payload: {error}") from None


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place` and where the next field begins (Protocol Buffers encoding: 7 bits a byte, lowest first)."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("a number has more than ten bytes")
