"""Plant signals in JSON over MQTT: which fields of which topic are which signals."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from edge.contracts.errors import MessageError
from edge.contracts.plant import Plant, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.formats.json_message import format_time, parse_time

MAX_PAYLOAD_BYTES = 1 << 20
# a number below the first is in units of so many nanoseconds
EPOCH_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1000))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message brought, and by reason how many of its values could not be used."""

    batch: SampleBatch
    rejected: Counter[str]
    blocks: tuple[WaveformBlock, ...] = ()


@dataclass(slots=True)
class _Taken:
    """Columns that grow while a message is read."""

    signals: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)


class SignalTopics:
    """Reads the messages of one MQTT source into sample batches.

    A message is an object, a number, or a list of either; fields may hold lists of samples, with a list of their times. Times
    are RFC 3339, or numbers since 1970 in seconds, milli-, micro- or nanoseconds, told apart by their size.

    A number is a good sample, `null` a bad one (the sensor says that it does not know). A value of another type or
    one that is not finite is a bad sample too, and counted. A field that a message leaves out is no sample.
    """

    def __init__(
        self, plant: Plant, source: str, texts: Mapping[int, TextTable], waveforms: Sequence[WaveformEntry] = ()
    ) -> None:
        self._texts = texts
        self._waveforms = {entry.signal.topic: entry for entry in waveforms if entry.signal.topic is not None}
        self._rows: dict[str, list[SignalEntry]] = defaultdict(list)
        for row in plant.signals_of(source):
            if row.signal.topic is not None:
                self._rows[row.signal.topic].append(row)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._rows, *self._waveforms]))

    def read(self, topic: str, payload: bytes, received: int) -> Reading:
        """The samples of one message; `received` [ns UTC] stands in where the plant file names no time field.

        Raises `MessageError` where nothing of the message can be used.
        """
        rows, waveform = self._rows.get(topic, []), self._waveforms.get(topic)
        if not rows and waveform is None:
            raise MessageError("unknown-topic", f"{topic}: no signal of the plant file has this topic")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MessageError("too-large", f"{topic}: {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are read")
        try:
            body = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise MessageError("not-json", f"{topic}: is not JSON: {error}") from None
        taken = _Taken()
        for one in body if isinstance(body, list) else (body,):
            self._read_one(one, rows, topic, received, taken)
        blocks = (_block(body, waveform, topic),) if waveform is not None else ()
        batch = SampleBatch.of(taken.signals, taken.times, taken.values, taken.qualities)
        return Reading(batch, taken.rejected, blocks)

    def _read_one(self, body: Any, rows: Sequence[SignalEntry], topic: str, received: int, taken: "_Taken") -> None:
        # most messages carry one time for all their values
        known_times: dict[str, Sequence[int]] = {}
        for row in rows:
            try:
                found, raw = _field(body, row.signal.field, topic)
                if not found:
                    continue
                if (path := row.signal.time_field) is None:
                    times: Sequence[int] = (received,)
                elif (known := known_times.get(path)) is None:
                    times = known_times[path] = _times(body, path, topic)
                else:
                    times = known
                # a list of values needs a list of times
                several = raw if isinstance(raw, list) and isinstance(times, list) else [raw]
                if len(several) != len(times):
                    raise MessageError(
                        "bad-time", f"{topic}: '{row.signal.field}' has {len(several)} values at {len(times)} times"
                    )
            except MessageError as error:
                taken.rejected[error.reason] += 1
                continue
            for time, each in zip(times, several, strict=True):
                value, quality, fault = self._value(row, each)
                if fault is not None:
                    taken.rejected[fault] += 1
                taken.signals.append(row.index)
                taken.times.append(time)
                taken.values.append(value)
                taken.qualities.append(quality)

    def _value(self, row: SignalEntry, raw: Any) -> tuple[float, Quality, str | None]:
        if raw is None:
            return math.nan, Quality.BAD, None
        if row.is_text and isinstance(raw, str | int | float):
            return float(self._texts[row.index].code(str(raw))), Quality.GOOD, None
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return math.nan, Quality.BAD, "wrong-type"
        if not math.isfinite(raw):
            return math.nan, Quality.BAD, "not-finite"
        return float(raw), Quality.GOOD, None


class SignalMessages:
    """Writes samples as the messages that `SignalTopics` reads: the simulator's side of the same plant file."""

    def __init__(self, plant: Plant, asset: str, source: str) -> None:
        self._rows: dict[str, list[SignalEntry]] = defaultdict(list)
        for row in plant.signals_of(source):
            if row.asset == asset and row.signal.topic is not None:
                self._rows[row.signal.topic].append(row)

    def write(self, time: int, value_of: Callable[[str], float | str | None]) -> dict[str, bytes]:
        """Topic → payload for one instant [ns UTC]; `value_of` gives the value of a signal by name.

        None is a bad sample. NaN is none at all: its field is left out, and a message without any is not written.
        """
        messages = {}
        for topic, rows in self._rows.items():
            body: Any = {}
            for row in rows:
                value = value_of(row.name)
                if isinstance(value, float) and math.isnan(value):
                    continue
                if row.signal.field is None:
                    body = value
                    continue
                _put(body, row.signal.field, value)
                if row.signal.time_field is not None:
                    _put(body, row.signal.time_field, format_time(time))
            if body != {}:
                messages[topic] = orjson.dumps(body)
        return messages


def waveform_message(block: WaveformBlock) -> bytes:
    """A block of a fast signal: `{"time": …, "rate_hz": 25600.0, "points": […]}`, the time that of the first point."""
    body = {"time": format_time(block.time), "rate_hz": block.rate_hz, "points": block.points}
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _block(body: Any, entry: WaveformEntry, topic: str) -> WaveformBlock:
    """What `waveform_message` has written. Raises `MessageError`."""
    wanted = entry.signal
    _, raw = _field(body, "points", topic)
    if not isinstance(raw, list) or len(raw) != wanted.points:
        has = len(raw) if isinstance(raw, list) else "no"
        raise MessageError("wrong-length", f"{topic}: has {has} points; the plant file says {wanted.points}")
    _, rate_hz = _field(body, "rate_hz", topic)
    if rate_hz is not None and rate_hz != wanted.rate_hz:
        raise MessageError("wrong-rate", f"{topic}: was taken at {rate_hz} Hz; the plant file says {wanted.rate_hz:g}")
    try:
        points = np.array(raw, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise MessageError("wrong-type", f"{topic}: 'points' should be numbers") from None
    if points.ndim != 1 or not np.isfinite(points).all():
        raise MessageError("not-finite", f"{topic}: 'points' should be finite numbers")
    return WaveformBlock(signal=entry.index, time=_times(body, "time", topic)[0], rate_hz=wanted.rate_hz, points=points)


def _field(body: Any, path: str | None, topic: str) -> tuple[bool, Any]:
    """Whether the field of a dotted path is there, and what it holds; without a path the message itself."""
    if path is None:
        return True, body
    for key in path.split("."):
        if not isinstance(body, dict):
            raise MessageError("not-an-object", f"{topic}: has no field '{path}'")
        if key not in body:
            return False, None
        body = body[key]
    return True, body


def _times(body: Any, path: str, topic: str) -> Sequence[int]:
    """A list where the message has one, otherwise a tuple of one."""
    found, raw = _field(body, path, topic)
    if found and isinstance(raw, list):
        return [_time(each, path, topic) for each in raw]
    return (_time(raw if found else None, path, topic),)


def _time(raw: Any, path: str, topic: str) -> int:
    """ns since 1970 UTC."""
    if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
        # from 1973 to 5138 the units do not overlap
        unit = next((unit for below, unit in EPOCH_UNITS if abs(raw) < below), 1)
        time = raw * unit if isinstance(raw, int) else round(raw * unit)
    elif isinstance(raw, str):
        try:
            time = parse_time(raw)
        except ValueError as error:
            raise MessageError("bad-time", f"{topic}: {path}: {error}") from None
    else:
        raise MessageError("bad-time", f"{topic}: '{path}' should be a time such as '2026-11-23T10:00:05Z', not {raw!r}")
    if not 0 <= time < 1 << 62:
        raise MessageError("bad-time", f"{topic}: {path}: {raw} lies outside 1970 to 2116")
    return time


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        body = body.setdefault(key, {})
    body[last] = value
