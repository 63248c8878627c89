"""What a Sparkplug B host makes of its edge nodes' messages: samples of the plant's signals, and when to ask for births.

Logic without sockets. A message that comes before its turn waits for those that are missing (`reorder_s`); when they do not
come, or one comes that no birth explains, nothing of the edge node is believed until it has been born again, and it is asked
to. A death makes bad samples: from then on there is no value, and that is known.

Reference: Sparkplug Specification 3.0.0, 5.6 to 5.10 (host action on deaths, reordering) and 5.17 (rebirth).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.contracts.errors import MessageError
from edge.contracts.plant import SignalEntry
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.formats.sparkplug import NAMESPACE, Kind, Message, Topic
from edge.formats.sparkplug_payload import QUALITY, Metric, QualityCode, decode_payload
from edge.formats.sparkplug_reader import Reader

# an edge node that does not answer is asked again after this [s]
ASK_AGAIN_S: Final = 10.0
_BIRTHS: Final = (Kind.NBIRTH, Kind.DBIRTH)
_ABSENT: Final = (QualityCode.BAD, QualityCode.STALE)

Device = tuple[str, str, str | None]


@dataclass(slots=True)
class Taken:
    """What messages brought: samples as columns, those that an edge node had kept while it was away, and what was refused.

    problems: by reason what was wrong with the first of its kind
    """

    now: "Columns" = field(default_factory=lambda: Columns())
    kept: "Columns" = field(default_factory=lambda: Columns())
    rejected: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)

    def refuse(self, error: MessageError) -> None:
        self.rejected[error.reason] += 1
        self.problems.setdefault(error.reason, str(error))


@dataclass(slots=True)
class Columns:
    signal: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)

    def add(self, signal: int, time: int, value: float, quality: Quality) -> None:
        self.signal.append(signal)
        self.time.append(time)
        self.value.append(value)
        self.quality.append(quality)

    def batch(self) -> SampleBatch:
        return SampleBatch.of(self.signal, self.time, self.value, self.quality)


class SparkplugNodes:
    """All edge nodes that signals of one source come from.

    texts: the tables of text signals; reorder_s: how long a message waits for its turn. Times are ns UTC, `now` is s of a clock
    that only goes on.
    """

    def __init__(self, rows: Sequence[SignalEntry], texts: Mapping[int, TextTable], reorder_s: float) -> None:
        self._texts = texts
        self._rows: dict[Device, dict[str, SignalEntry]] = defaultdict(dict)
        for row in rows:
            group, node, *device = (row.signal.device or "").split("/")
            self._rows[group, node, device[0] if device else None][row.signal.metric or ""] = row
        self._nodes = {(group, node): _Node(group, node, reorder_s) for group, node, _ in self._rows}
        self.topics = tuple(f"{NAMESPACE}/{group}/+/{node}{rest}" for group, node in self._nodes for rest in ("", "/+"))

    def connected(self) -> None:
        """A connection begins: what was said while there was none is not known, so all births are wanted."""
        for node in self._nodes.values():
            node.begin_anew()

    def take(self, topic_text: str, data: bytes, received: int, now: float) -> Taken:
        """One message of an edge node. What cannot be used is counted, and said in `problems`."""
        taken = Taken()
        try:
            topic = Topic.parse(topic_text)
            node = self._nodes.get((topic.group, topic.node))
            if node is None or topic.kind in (Kind.NCMD, Kind.DCMD):
                # a command of another host, or of this one
                return taken
            message = Message(topic, decode_payload(data, topic_text))
        except MessageError as error:
            taken.refuse(error)
            return taken
        if topic.kind is Kind.NDEATH and node.reader.is_of_this_session(message.payload):
            # the host's own time: a will was written when the edge node connected
            self._die([key for key in self._rows if key[:2] == (topic.group, topic.node)], received, taken)
        for each in node.in_order(message, now):
            try:
                self._read(node.reader.follow(each), received, taken)
            except MessageError as error:
                taken.refuse(error)
        return taken

    def expire(self, now: float) -> Counter[str]:
        """Give up on what was waited for; by reason the messages that are not used because of it."""
        rejected: Counter[str] = Counter()
        for node in self._nodes.values():
            rejected["sequence-gap"] += node.give_up(now)
        return +rejected

    def to_ask(self, now: float) -> list[tuple[str, str]]:
        """Group and name of the edge nodes that are to be asked for their births now."""
        return [key for key, node in self._nodes.items() if node.is_to_be_asked(now)]

    def born(self, row: SignalEntry) -> Metric | None:
        """What the birth says of a signal; None while there is none."""
        group, node, *device = (row.signal.device or "").split("/")
        return self._nodes[group, node].reader.metrics_of(device[0] if device else None).get(row.signal.metric or "")

    def living(self) -> set[int]:
        """The numbers of the signals whose edge node and device are born."""
        return {
            row.index
            for (group, node, device), rows in self._rows.items()
            if self._nodes[group, node].reader.metrics_of(device)
            for row in rows.values()
        }

    def missing(self) -> list[str]:
        """What the plant file names and no birth has, of the devices that are born; and what is not born."""
        problems = []
        for (group, node, device), rows in self._rows.items():
            born = self._nodes[group, node].reader.metrics_of(device)
            where = "/".join(filter(None, (group, node, device)))
            if not born:
                problems.append(f"'{where}' is not there: no birth of it has come, or its death has")
                continue
            problems += [
                f"{row.asset}.{row.name}: '{where}' has no metric '{metric}'; it has {_some(born)}"
                for metric, row in rows.items()
                if metric not in born
            ]
        return problems

    def _read(self, message: Message, received: int, taken: Taken) -> None:
        topic, payload = message.topic, message.payload
        key = (topic.group, topic.node, topic.device)
        sent = received if payload.timestamp is None else payload.timestamp
        if topic.kind is Kind.DDEATH:
            self._die([key], sent, taken)
            return
        rows = self._rows.get(key, {})
        for metric in payload.metrics:
            if (row := rows.get(metric.name or "")) is None:
                continue
            # a birth says what is so now, whenever it came to be
            time = sent if topic.kind in _BIRTHS or metric.timestamp is None else metric.timestamp
            value, quality, fault = self._value(metric, row)
            if fault is not None:
                taken.rejected[fault] += 1
            (taken.kept if metric.is_historical else taken.now).add(row.index, time, value, quality)

    def _value(self, metric: Metric, row: SignalEntry) -> tuple[float, Quality, str | None]:
        told = metric.properties.get(QUALITY)
        code = QualityCode.GOOD if told is None else told.value
        raw = metric.value
        if metric.is_null or code in _ABSENT:
            return math.nan, Quality.BAD, None
        quality = Quality.GOOD if code == QualityCode.GOOD else Quality.UNCERTAIN
        if row.is_text and raw is not None:
            return float(self._texts[row.index].code(str(raw))), quality, None
        if not isinstance(raw, int | float):
            return math.nan, Quality.BAD, "wrong-type"
        return (float(raw), quality, None) if math.isfinite(raw) else (math.nan, Quality.BAD, "not-finite")

    def _die(self, devices: Sequence[Device], time: int, taken: Taken) -> None:
        for device in devices:
            for row in self._rows.get(device, {}).values():
                taken.now.add(row.index, time, math.nan, Quality.BAD)


class _Node:
    """One edge node: what is known of it, what waits for its turn, and whether it is to be asked for its births."""

    def __init__(self, group: str, name: str, reorder_s: float) -> None:
        self.reader = Reader(group, name)
        self._reorder_s = reorder_s
        self._waiting: dict[int, Message] = {}
        self._waiting_since = 0.0
        self._asked = -math.inf

    def begin_anew(self) -> None:
        self._waiting.clear()
        self.reader.forget()
        self.reader.wants_rebirth, self._asked = True, -math.inf

    def in_order(self, message: Message, now: float) -> Iterator[Message]:
        """The messages whose turn it is now, with this one among them or kept for later."""
        kind, seq = message.topic.kind, message.payload.seq
        if kind in (Kind.NBIRTH, Kind.NDEATH):
            if kind is Kind.NBIRTH or self.reader.is_of_this_session(message.payload):
                self._waiting.clear()
            yield message
            return
        expected = self.reader.expected
        if self._reorder_s > 0 and expected is not None and seq is not None and seq != expected:
            if not self._waiting:
                self._waiting_since = now
            self._waiting[seq] = message
            return
        yield message
        # the reader moves on between the turns
        while (expected := self.reader.expected) is not None and expected in self._waiting:
            yield self._waiting.pop(expected)

    def give_up(self, now: float) -> int:
        if not self._waiting or now - self._waiting_since < self._reorder_s:
            return 0
        lost = len(self._waiting)
        self.begin_anew()
        return lost

    def is_to_be_asked(self, now: float) -> bool:
        if not self.reader.wants_rebirth or now - self._asked < ASK_AGAIN_S:
            return False
        self._asked = now
        return True


def _some(names: Mapping[str, Metric], most: int = 5) -> str:
    shown = [f"'{name}'" for name in names][:most]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
