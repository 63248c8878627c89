"""Tables as Apache Parquet, row group by row group, so that a long one needs no memory. Logic alone.

A part of the format that every reader knows: flat optional columns, plain encoding, one gzip page per column and row group;
the footer is Thrift in its compact protocol. After https://parquet.apache.org/docs/file-format/. A library that writes it
would be larger than all of the api.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np

MAGIC: Final = b"PAR1"
CREATED_BY: Final = "kullager"
_OPTIONAL, _PLAIN, _RLE, _GZIP, _DATA_PAGE = 1, 0, 3, 2, 0
_I32, _I64, _BINARY, _LIST, _STRUCT, _TRUE = 5, 6, 8, 9, 12, 1


class Kind(Enum):
    """What a column holds. TIME is ns since 1970 UTC. The value is the number of the physical type."""

    TIME = 2
    NUMBER = 5
    TEXT = 6


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


def parquet(columns: Sequence[Column], row_groups: Iterable[Sequence[Sequence[Any]]]) -> Iterator[bytes]:
    """The file in parts; each row group is a sequence of columns, each of these a sequence of values or None.

    >>> b"".join(parquet([Column("n", Kind.NUMBER)], [[[1.5, None]]]))[:4]
    b'PAR1'
    """
    yield MAGIC
    place, rows, groups = len(MAGIC), 0, []
    for group in row_groups:
        count = len(group[0])
        if not count:
            continue
        chunks, size = [], 0
        for column, values in zip(columns, group, strict=True):
            page, raw_size = _page(column, values)
            yield page
            chunks.append(_chunk(column, count, place, raw_size, len(page)))
            place += len(page)
            size += raw_size
        groups.append(_struct((1, _list(_STRUCT, chunks)), (2, _i64(size)), (3, _i64(count))))
        rows += count
    schema = [_struct((4, _text("schema")), (5, _i32(len(columns)))), *(_element(column) for column in columns)]
    footer = _struct(
        (1, _i32(2)), (2, _list(_STRUCT, schema)), (3, _i64(rows)), (4, _list(_STRUCT, groups)), (6, _text(CREATED_BY))
    )[1]
    yield footer + struct.pack("<I", len(footer)) + MAGIC


def _page(column: Column, values: Sequence[Any]) -> tuple[bytes, int]:
    """A data page with its header, and how large it is uncompressed."""
    present = np.fromiter((value is not None for value in values), np.bool_, len(values))
    some = [value for value in values if value is not None]
    match column.kind:
        case Kind.TIME:
            plain = np.array(some, "<i8").tobytes()
        case Kind.NUMBER:
            plain = np.array(some, "<f8").tobytes()
        case Kind.TEXT:
            texts = [text.encode() for text in some]
            plain = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    bits = np.packbits(present, bitorder="little").tobytes()
    levels = _varint(len(bits) << 1 | 1) + bits
    content = struct.pack("<I", len(levels)) + levels + plain
    squeezed = zlib.compressobj(level=1, wbits=31)
    packed = squeezed.compress(content) + squeezed.flush()
    about = _struct((1, _i32(len(values))), (2, _i32(_PLAIN)), (3, _i32(_RLE)), (4, _i32(_RLE)))
    header = _struct((1, _i32(_DATA_PAGE)), (2, _i32(len(content))), (3, _i32(len(packed))), (5, about))[1]
    return header + packed, len(header) + len(content)


def _chunk(column: Column, count: int, place: int, raw_size: int, size: int) -> tuple[int, bytes]:
    about = _struct(
        (1, _i32(column.kind.value)),
        (2, _list(_I32, [_i32(_PLAIN), _i32(_RLE)])),
        (3, _list(_BINARY, [_text(column.name)])),
        (4, _i32(_GZIP)),
        (5, _i64(count)),
        (6, _i64(raw_size)),
        (7, _i64(size)),
        (9, _i64(place)),
    )
    return _struct((2, _i64(place)), (3, about))


def _element(column: Column) -> tuple[int, bytes]:
    fields = [(1, _i32(column.kind.value)), (3, _i32(_OPTIONAL)), (4, _text(column.name))]
    match column.kind:
        case Kind.TEXT:
            # once for readers of old and once for those of today: UTF-8
            fields += [(6, _i32(0)), (10, _struct((1, _struct())))]
        case Kind.TIME:
            # UTC, in nanoseconds
            fields += [(10, _struct((8, _struct((1, (_TRUE, b"")), (2, _struct((3, _struct())))))))]
    return _struct(*fields)


# -- Thrift: a value is the number of its type and its bytes

_Value = tuple[int, bytes]


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _i32(number: int) -> _Value:
    return _I32, _varint(number << 1)


def _i64(number: int) -> _Value:
    return _I64, _varint(number << 1)


def _text(text: str) -> _Value:
    encoded = text.encode()
    return _BINARY, _varint(len(encoded)) + encoded


def _list(kind: int, values: Sequence[_Value]) -> _Value:
    head = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([0xF0 | kind]) + _varint(len(values))
    return _LIST, head + b"".join(content for _, content in values)


def _struct(*fields: tuple[int, _Value]) -> _Value:
    parts, before = [], 0
    for number, (kind, content) in fields:
        # all numbers here are close enough for the short form
        parts.append(bytes([number - before << 4 | kind]) + content)
        before = number
    return _STRUCT, b"".join(parts) + b"\0"
