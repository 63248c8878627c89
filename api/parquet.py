"""Tables as Apache Parquet, row group by row group, so that a long one needs no memory."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


class Kind(Enum):
    """What a column holds. TIME is ns since 1970 UTC."""

    TIME = pa.timestamp("ns", tz="UTC")
    NUMBER = pa.float64()
    TEXT = pa.string()


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


class _Parts(io.RawIOBase):
    """A file that is given away while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any, /) -> int:
        content = bytes(part)
        self._parts.append(content)
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size

    def given(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def parquet(columns: Sequence[Column], row_groups: Iterable[Sequence[Sequence[Any]]]) -> Iterator[bytes]:
    """The file in parts; each row group is a sequence of columns, each of these a sequence of values or None.

    >>> b"".join(parquet([Column("n", Kind.NUMBER)], [[[1.5, None]]]))[:4]
    b'PAR1'
    """
    schema = pa.schema([(column.name, column.kind.value) for column in columns])
    parts = _Parts()
    with pq.ParquetWriter(parts, schema, compression="zstd") as writer:
        yield parts.given()
        for group in row_groups:
            arrays = [pa.array(values, field.type) for values, field in zip(group, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            yield parts.given()
    yield parts.given()
