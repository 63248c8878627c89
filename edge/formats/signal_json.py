"""Plant signals in JSON over MQTT: which fields of which topic are which signals."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson

from edge.contracts.errors import MessageError
from edge.contracts.plant import Plant, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.formats.json_message import format_time, parse_time

MAX_PAYLOAD_BYTES = 1 << 20
# of a time [ns since 1970]
LATEST: Final = 1 << 62
# a number below the first is in units of so many nanoseconds
EPOCH_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1000))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message brought, and by reason how many of its values could not be used."""

    batch: SampleBatch
    rejected: Counter[str]
    blocks: tuple[WaveformBlock, ...] = ()


class Gathered:
    """Columns that grow while messages are read; `batch` makes arrays of them once, however many messages there were."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.times: list[int] = []
        self.values: list[float] = []
        # where the bad samples are
        self._bad: list[int] = []
        self.rejected: Counter[str] = Counter()

    def one(self, signal: int, time: int, value: float, quality: Quality) -> None:
        if quality is Quality.BAD:
            self._bad.append(len(self.signals))
        self.signals.append(signal)
        self.times.append(time)
        self.values.append(value)

    def several(self, signals: Sequence[int], times: Sequence[int], values: Sequence[float]) -> None:
        """Good samples."""
        self.signals += signals
        self.times += times
        self.values += values

    def batch(self) -> SampleBatch:
        quality = np.zeros(len(self.signals), np.uint8)
        quality[self._bad] = Quality.BAD
        return SampleBatch.of(self.signals, self.times, self.values, quality)


@dataclass(frozen=True, slots=True)
class _Topic:
    """The rows of one topic; where all are numbers in fields of the message itself, at one time, they are had in one go.

    get: gives the values of a message in the order of `signals`, always several
    """

    rows: tuple[SignalEntry, ...]
    signals: tuple[int, ...] = ()
    get: Callable[[Any], Sequence[Any]] | None = None
    time_field: str | None = None

    @classmethod
    def of(cls, rows: Sequence[SignalEntry]) -> "_Topic":
        names = [row.signal.field for row in rows]
        (time_field, *others) = dict.fromkeys(row.signal.time_field for row in rows) or [None]
        is_plain = rows and not any(row.is_text for row in rows) and not any(name is None or "." in name for name in names)
        if not is_plain or others or "." in (time_field or ""):
            return cls(tuple(rows))
        # with one name it would give the value itself
        get = itemgetter(*names) if len(names) > 1 else lambda body: (body[names[0]],)
        return cls(tuple(rows), tuple(row.index for row in rows), get, time_field)


_NO_TOPIC: Final = _Topic(())
_NUMBERS: Final = {int, float}
# fewer are had one by one as quickly
_MANY: Final = 4


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether all are finite numbers; of some whose sum is too large it is not said."""
    return _NUMBERS.issuperset(map(type, values)) and math.isfinite(sum(values))


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
        rows: dict[str, list[SignalEntry]] = defaultdict(list)
        for row in plant.signals_of(source):
            if row.signal.topic is not None:
                rows[row.signal.topic].append(row)
        self._topics = {topic: _Topic.of(each) for topic, each in rows.items()}

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._topics, *self._waveforms]))

    def read(self, topic: str, payload: bytes, received: int) -> Reading:
        """The samples of one message; `received` [ns UTC] stands in where the plant file names no time field.

        Raises `MessageError` where nothing of the message can be used.
        """
        gathered = Gathered()
        blocks = self.gather(gathered, topic, payload, received)
        return Reading(gathered.batch(), gathered.rejected, blocks)

    def gather(self, gathered: Gathered, topic: str, payload: bytes, received: int) -> tuple[WaveformBlock, ...]:
        """The same into columns that are there already; gives the blocks. What raises has brought nothing."""
        known, waveform = self._topics.get(topic, _NO_TOPIC), self._waveforms.get(topic)
        if not known.rows and waveform is None:
            raise MessageError("unknown-topic", f"{topic}: no signal of the plant file has this topic")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MessageError("too-large", f"{topic}: {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are read")
        try:
            body = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise MessageError("not-json", f"{topic}: is not JSON: {error}") from None
        blocks = (_block(body, waveform, topic),) if waveform is not None else ()
        for one in body if isinstance(body, list) else (body,):
            if not self._read_plain(one, known, topic, received, gathered):
                self._read_one(one, known.rows, topic, received, gathered)
        return blocks

    @staticmethod
    def _read_plain(body: Any, known: _Topic, topic: str, received: int, gathered: Gathered) -> bool:
        """All signals of the topic at once, which most messages allow; False where one has to be looked at."""
        if known.get is None or type(body) is not dict:
            return False
        try:
            values = known.get(body)
            if not _are_numbers(values):
                return False
            time = received if known.time_field is None else _time(body[known.time_field], known.time_field, topic)
        except (KeyError, MessageError):
            return False
        gathered.several(known.signals, (time,) * len(values), values)
        return True

    def _read_one(self, body: Any, rows: Sequence[SignalEntry], topic: str, received: int, gathered: Gathered) -> None:
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
                gathered.rejected[error.reason] += 1
                continue
            if len(several) >= _MANY and not row.is_text and _are_numbers(several):
                gathered.several([row.index] * len(several), times, several)
                continue
            for time, each in zip(times, several, strict=True):
                value, quality, fault = self._value(row, each)
                if fault is not None:
                    gathered.rejected[fault] += 1
                gathered.one(row.index, time, value, quality)

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
        return _alike(raw) or [_time(each, path, topic) for each in raw]
    return (_time(raw if found else None, path, topic),)


def _alike(raw: Sequence[Any]) -> Sequence[int]:
    """Times of one kind and unit at once; nothing where they have to be looked at one by one."""
    kinds = set(map(type, raw))
    try:
        if kinds == {int} and (unit := _unit(min(raw))) == _unit(max(raw)):
            times = [each * unit for each in raw]
        elif kinds == {str}:
            times = list(map(parse_time, raw))
        else:
            return ()
    except ValueError:
        return ()
    return times if min(times) >= 0 and max(times) < LATEST else ()


def _unit(raw: float) -> int:
    """How many ns one of the number is."""
    # from 1973 to 5138 the units do not overlap
    return next((unit for below, unit in EPOCH_UNITS if abs(raw) < below), 1)


def _time(raw: Any, path: str, topic: str) -> int:
    """ns since 1970 UTC."""
    if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
        unit = _unit(raw)
        time = raw * unit if isinstance(raw, int) else round(raw * unit)
    elif isinstance(raw, str):
        try:
            time = parse_time(raw)
        except ValueError as error:
            raise MessageError("bad-time", f"{topic}: {path}: {error}") from None
    else:
        raise MessageError("bad-time", f"{topic}: '{path}' should be a time such as '2026-11-23T10:00:05Z', not {raw!r}")
    if not 0 <= time < LATEST:
        raise MessageError("bad-time", f"{topic}: {path}: {raw} lies outside 1970 to 2116")
    return time


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        body = body.setdefault(key, {})
    body[last] = value
