"""The JSON of everything that crosses a process boundary.

Times are RFC 3339 in UTC on the wire and int64 ns since 1970 in the program; float32 values are written in their
shortest form that reads back the same; a missing number is null; readers ignore unknown fields.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.errors import MessageError
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus

T = TypeVar("T")
SCHEMA: Final = 1
# the fields that hold ns in the program and RFC 3339 on the wire
TIME_FIELDS: Final = frozenset(
    {
        *("time", "raised", "changed", "shelved_until", "since", "last_sample"),
        *("opened", "closed", "until", "limit_reached"),
    }
)
# names that differ because the wire's are reserved words here
WIRE_NAMES: Final = {"first": "from", "last": "to"}
MODEL_NAMES: Final = {wire: name for name, wire in WIRE_NAMES.items()}
KINDS: Final[dict[type, str]] = {
    Assessment: "assessment",
    Alarm: "alarm",
    Case: "case",
    Performance: "performance",
    ModelAudit: "audit",
    WaveformSpectrum: "spectrum",
    EdgeStatus: "status",
}

_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What makes a result the same result, however often it arrives."""

    edge: str
    journal: str
    seq: int


# all assets of one instant share its time
@lru_cache(maxsize=64)
def format_time(time: int) -> str:
    """RFC 3339 in UTC, with as many decimals as the time has.

    >>> format_time(1_763_892_005_000_000_000), format_time(1_763_892_005_020_000_000)
    ('2025-11-23T10:00:05Z', '2025-11-23T10:00:05.02Z')
    """
    seconds, nanos = divmod(int(time), 1_000_000_000)
    # not fromtimestamp: its range depends on the platform
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos:09d}".rstrip("0") + "Z" if nanos else f"{text}Z"


def parse_time(text: str) -> int:
    """ns since 1970 UTC of an RFC 3339 time; raises ValueError where the zone is missing.

    >>> parse_time("2025-11-23T11:00:05.02+01:00")
    1763892005020000000
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' should be a time with its zone, such as '2026-11-23T10:00:05Z'")
    date, clock, fraction, zone = match.groups()
    return _second(date, clock, zone) + (int(fraction.ljust(9, "0")) if fraction else 0)


# what comes together is mostly of few seconds
@lru_cache(maxsize=1024)
def _second(date: str, clock: str, zone: str) -> int:
    """ns since 1970 UTC of a whole second; raises ValueError where there is no such."""
    whole = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    return int((whole - _EPOCH) / timedelta(seconds=1)) * 1_000_000_000


def encode(message: Any, identity: Identity | None = None) -> bytes:
    """One contract dataclass as JSON, with `schema`, its `kind` where it has one, and its identity where given."""
    body: dict[str, Any] = {"schema": SCHEMA}
    if identity is not None:
        body |= {"edge": identity.edge, "journal": identity.journal, "seq": identity.seq}
    if kind := KINDS.get(type(message)):
        body["kind"] = kind
    body |= _plain(message)
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def decode(kind: type[T], payload: bytes, topic: str) -> T:
    """Read a contract dataclass; raises `MessageError` that names the topic and the field."""
    return decode_fields(kind, load_object(payload, topic), topic)


def decode_fields(kind: type[T], body: Mapping[str, Any], topic: str) -> T:
    """The same from an already parsed message."""
    try:
        schema = body.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise MessageError("schema", f"{topic}: schema {schema!r} is unknown; this version reads {SCHEMA}")
        return _adapter(kind).validate_python(_times_to_ns(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MessageError("wrong-type", f"{topic}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise MessageError("bad-time", f"{topic}: {error}") from None


def decode_identity(body: Mapping[str, Any], topic: str) -> Identity:
    """The identity of a result; raises `MessageError` where it has none."""
    return decode_fields(Identity, {key: body.get(key) for key in ("edge", "journal", "seq")}, topic)


def load_object(payload: bytes, topic: str) -> dict[str, Any]:
    """A JSON object; raises `MessageError` for everything else."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise MessageError("not-json", f"{topic}: is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise MessageError("not-an-object", f"{topic}: should be a JSON object, not {type(body).__name__}")
    return body


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a dataclass is written: what gets all its fields, and of each its name on the wire and whether it is a time."""

    get: Callable[[Any], tuple[Any, ...]]
    fields: tuple[tuple[str, bool], ...]


_LAYOUTS: dict[type, _Layout] = {}
# what orjson writes as it is: numbers (float32 in its shortest form, NaN as null) and texts
_AS_IS: Final = frozenset({float, int, bool, str, type(None), np.float32})


def _layout(kind: type) -> _Layout:
    names = [field.name for field in fields(kind)]
    get = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return _Layout(get, tuple((WIRE_NAMES.get(name, name), name in TIME_FIELDS) for name in names))


def _plain(value: Any) -> dict[str, Any]:
    """A dataclass as what the wire has: its times as text, its fields by their names there."""
    kind = type(value)
    layout = _LAYOUTS.get(kind)
    if layout is None:
        layout = _LAYOUTS[kind] = _layout(kind)
    body: dict[str, Any] = {}
    for (name, is_time), content in zip(layout.fields, layout.get(value), strict=True):
        if is_time and content is not None:
            body[name] = format_time(content)
        else:
            body[name] = content if type(content) in _AS_IS else _json(content)
    return body


def _json(value: Any) -> Any:
    """Plain containers stay as they are, too."""
    if isinstance(value, dict):
        name, held = next(iter(value.items()), ("", None))
        if isinstance(name, StrEnum):
            return {each.value: content for each, content in value.items()}
        if type(held) in _AS_IS or not is_dataclass(held):
            return value
        return {key: _plain(content) for key, content in value.items()}
    if isinstance(value, tuple):
        return [_plain(content) for content in value] if value and is_dataclass(value[0]) else value
    return _plain(value) if is_dataclass(value) else value


def _times_to_ns(body: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, content in body.items():
        if key in TIME_FIELDS and isinstance(content, str):
            out[key] = parse_time(content)
        elif isinstance(content, dict):
            out[key] = _times_to_ns(content)
        elif isinstance(content, list):
            out[key] = [_times_to_ns(item) if isinstance(item, dict) else item for item in content]
        else:
            out[MODEL_NAMES.get(key, key)] = content
    return out
