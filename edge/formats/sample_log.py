"""A log of sample batches that is only ever appended to, so that a kill at any moment leaves all but the last record whole.

A record is `KLOG`, its kind, the length of its content, and a CRC-32 over kind, length and content, little-endian all. The
first record names the signals; texts of text signals come before the samples that use their numbers. What a bit flip hits is
left out and counted: the reader goes on at the next `KLOG`.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from edge.contracts.errors import RecordingError
from edge.contracts.plant import SignalEntry
from edge.contracts.sample_batch import SampleBatch, TextTable

MAGIC: Final = b"KLOG"
_HEAD: Final = struct.Struct("<4sBII")
# signal, time, value, quality
_SAMPLE: Final = np.dtype([("time", "<i8"), ("value", "<f8"), ("signal", "<i4"), ("quality", "u1")])
MOST_CONTENT: Final = 1 << 28
# a bit of the quality: the sample was read back from a server's history
RECOVERED: Final = np.uint8(0x80)


class Kind(IntEnum):
    SIGNALS = 0
    TEXT = 1
    SAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSignal:
    """A signal as it was when the log was begun; its place in the log's list is its number."""

    asset: str
    name: str
    unit: str
    is_text: bool


@dataclass(slots=True, kw_only=True)
class SampleLog:
    """What a log holds.

    texts:   by the number of a text signal the texts of its values
    batches: in the order in which they came
    damaged: bytes that belong to no whole record; `cut_off`: of these, how many are a last record that was begun only
    """

    signals: tuple[LoggedSignal, ...] = ()
    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    batches: list[SampleBatch] = field(default_factory=list)
    damaged: int = 0
    cut_off: int = 0


def begin(signals: Sequence[SignalEntry]) -> bytes:
    """The first record."""
    listed = [[each.asset, each.name, each.signal.unit, each.is_text] for each in signals]
    return _record(Kind.SIGNALS, orjson.dumps(listed))


def samples(batches: Sequence[SampleBatch]) -> bytes:
    """One record of some batches."""
    content = np.empty(sum(map(len, batches)), _SAMPLE)
    for name in ("signal", "time", "value", "quality"):
        content[name] = np.concatenate([getattr(batch, name) for batch in batches])
    return _record(Kind.SAMPLES, content.tobytes())


def new_texts(tables: dict[int, TextTable], written: dict[int, int]) -> bytes:
    """Records of the texts that the tables have got since; `written` says how many of each were written, and is moved on."""
    records = b""
    for signal, table in tables.items():
        for code in range(written.get(signal, 0), len(table.texts)):
            records += _record(Kind.TEXT, orjson.dumps([signal, code, table.text(code)]))
        written[signal] = len(table.texts)
    return records


def read_log(path: Path) -> SampleLog:
    """All whole records. Raises `RecordingError` where the file cannot be read; damage within it is counted."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from None
    log, end = SampleLog(), 0
    for start, stop, kind, body in _records(content):
        log.damaged += start - end
        end = stop
        _take(log, kind, body)
    log.cut_off = len(content) - end if content[end : end + len(MAGIC)] == MAGIC[: len(content) - end] else 0
    log.damaged += len(content) - end
    return log


def _record(kind: Kind, content: bytes) -> bytes:
    return _HEAD.pack(MAGIC, kind, len(content), _check(kind, content)) + content


def _check(kind: int, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(struct.pack("<BI", kind, len(content))))


def _records(content: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(start, stop, kind, content) of each whole record, in order."""
    at = 0
    while (at := content.find(MAGIC, at)) >= 0 and at + _HEAD.size <= len(content):
        _, kind, length, check = _HEAD.unpack_from(content, at)
        stop = at + _HEAD.size + length
        body = content[at + _HEAD.size : stop]
        if length <= MOST_CONTENT and stop <= len(content) and _check(kind, body) == check:
            yield at, stop, kind, body
            at = stop
        else:
            at += 1


def _take(log: SampleLog, kind: int, body: bytes) -> None:
    if kind == Kind.SAMPLES:
        found = np.frombuffer(body, _SAMPLE)
        log.batches.append(SampleBatch.of(found["signal"], found["time"], found["value"], found["quality"]))
        return
    content: Any = orjson.loads(body)
    if kind == Kind.SIGNALS:
        log.signals = tuple(
            LoggedSignal(asset=asset, name=name, unit=unit, is_text=is_text) for asset, name, unit, is_text in content
        )
    elif kind == Kind.TEXT:
        signal, code, text = content
        log.texts.setdefault(signal, {})[code] = text
