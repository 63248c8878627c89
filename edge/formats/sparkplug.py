"""Sparkplug B between an edge node and its hosts: topics, and who may say what when, without any socket.

An edge node leaves its NDEATH with the broker as a will, numbered `bdSeq`; says NBIRTH with the same number; then a DBIRTH for
each device, which names the metrics and gives each an alias; and only then data, by alias. All but NDEATH carry `seq`, which
is 0 at NBIRTH and goes on 1, 2, … 255, 0, 1: whoever misses one asks for a rebirth. `Session` is the edge node's side of this;
the host's is `sparkplug_reader.Reader`.

    event        offline     connected   born
    connect      connected   connected   connected      a new will, so births are due
    node birth   –           born        born           the second is a rebirth
    device birth, data, device death     born
    interrupted  offline     connected   connected      a message did not leave
    death        –           offline     offline

Reference: Sparkplug Specification 3.0.0, chapters 4 (Topics), 5 (Operational Behavior) and 6 (Payloads).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Final

from edge.contracts.errors import KullagerError, MessageError
from edge.formats.sparkplug_payload import DataType, Metric, Payload, decode_payload, encode_payload

NAMESPACE: Final = "spBv1.0"
REBIRTH: Final = "Node Control/Rebirth"
BD_SEQ: Final = "bdSeq"


class OutOfTurn(KullagerError):
    """A message that an edge node may not send in its present state."""


class Kind(StrEnum):
    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    NDATA = "NDATA"
    DDATA = "DDATA"
    NCMD = "NCMD"
    DCMD = "DCMD"

    @property
    def is_of_device(self) -> bool:
        return self.value.startswith("D")


@dataclass(frozen=True, slots=True)
class Topic:
    """`spBv1.0/<group>/<kind>/<edge node>`, and for what concerns a device `/<device>`.

    >>> str(Topic("hall-1", Kind.DDATA, "simulator", "pump-101"))
    'spBv1.0/hall-1/DDATA/simulator/pump-101'
    """

    group: str
    kind: Kind
    node: str
    device: str | None = None

    def __post_init__(self) -> None:
        for name in (self.group, self.node, "-" if self.device is None else self.device):
            if not name or any(sign in name for sign in "/+#"):
                raise ValueError(f"'{name}' should be a name without '/', '+' and '#'")
        if self.kind.is_of_device != (self.device is not None):
            raise ValueError(f"{self.kind} {'needs a' if self.kind.is_of_device else 'has no'} device")

    def __str__(self) -> str:
        node = f"{NAMESPACE}/{self.group}/{self.kind}/{self.node}"
        return node if self.device is None else f"{node}/{self.device}"

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """Read a topic; raises `MessageError` for any other."""
        namespace, *levels = text.split("/")
        try:
            if namespace != NAMESPACE or len(levels) not in (3, 4):
                raise ValueError(f"should be {NAMESPACE}/<group>/<kind>/<edge node>[/<device>]")
            return cls(levels[0], Kind(levels[1]), *levels[2:])
        except ValueError as error:
            raise MessageError("unknown-topic", f"{text}: is no topic of a Sparkplug B edge node: {error}") from None


@dataclass(frozen=True, slots=True)
class Message:
    topic: Topic
    payload: Payload

    def encode(self) -> tuple[str, bytes]:
        return str(self.topic), encode_payload(self.payload)


def rebirth_command(group: str, node: str, time: int) -> Message:
    """What a host sends to hear all births of an edge node again."""
    wish = Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=True, timestamp=time)
    return Message(Topic(group, Kind.NCMD, node), Payload(timestamp=time, metrics=(wish,)))


def state_topic(host: str) -> str:
    """Where a host application says, retained, whether it is there.

    >>> state_topic("edge-1")
    'spBv1.0/STATE/edge-1'
    """
    return f"{NAMESPACE}/STATE/{host}"


def state_payload(*, online: bool, since: int) -> bytes:
    """A host's birth or death certificate (6.4.24); `since` [ns UTC] is when it connected, in both of one connection."""
    return json.dumps({"online": online, "timestamp": since // 1_000_000}).encode()


def is_offline(payload: bytes) -> bool:
    """Whether a host's certificate says that it is gone; other content says nothing."""
    try:
        said = json.loads(payload)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("online") is False


class State(Enum):
    OFFLINE = "offline"
    CONNECTED = "connected"
    BORN = "born"


class Event(StrEnum):
    CONNECT = "connect"
    NODE_BIRTH = "node birth"
    DEVICE_BIRTH = "device birth"
    DATA = "data"
    DEVICE_DEATH = "device death"
    INTERRUPTED = "interrupted"
    DEATH = "death"


_NEXT: Final = {
    (State.OFFLINE, Event.CONNECT): State.CONNECTED,
    (State.OFFLINE, Event.INTERRUPTED): State.OFFLINE,
    (State.CONNECTED, Event.CONNECT): State.CONNECTED,
    (State.CONNECTED, Event.NODE_BIRTH): State.BORN,
    (State.CONNECTED, Event.INTERRUPTED): State.CONNECTED,
    (State.CONNECTED, Event.DEATH): State.OFFLINE,
    (State.BORN, Event.CONNECT): State.CONNECTED,
    (State.BORN, Event.NODE_BIRTH): State.BORN,
    (State.BORN, Event.DEVICE_BIRTH): State.BORN,
    (State.BORN, Event.DATA): State.BORN,
    (State.BORN, Event.DEVICE_DEATH): State.BORN,
    (State.BORN, Event.INTERRUPTED): State.CONNECTED,
    (State.BORN, Event.DEATH): State.OFFLINE,
}


class Session:
    """What one edge node says, in order: each method gives the message to send now. Times are ns UTC.

    An alias belongs to a metric for as long as the session object lives, also through rebirths.
    """

    def __init__(self, group: str, node: str, *, first_bd_seq: int = 0) -> None:
        self.group, self.node = group, node
        self.state = State.OFFLINE
        self.bd_seq = (first_bd_seq - 1) % 256
        self._seq = 0
        self._aliases: dict[tuple[str | None, str], int] = {}
        # for each born device (None is the node itself) its metrics
        self._born: dict[str | None, dict[str, Metric]] = {}

    @property
    def devices(self) -> tuple[str, ...]:
        """Those that are born."""
        return tuple(device for device in self._born if device is not None)

    @property
    def command_topic(self) -> str:
        return str(Topic(self.group, Kind.NCMD, self.node))

    def connect(self, time: int) -> Message:
        """The will for the next MQTT CONNECT: each has a number of its own."""
        self._step(Event.CONNECT)
        self.bd_seq = (self.bd_seq + 1) % 256
        return self._death(time)

    def node_birth(self, time: int, metrics: Sequence[Metric] = ()) -> Message:
        self._step(Event.NODE_BIRTH)
        self._seq = 255
        self._born = {None: {str(metric.name): metric for metric in metrics}}
        # the one that a host writes to goes without an alias (5.10), and what the will names by name does so here
        rebirth = Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False, timestamp=time)
        own = (self._bd_seq_metric(time), rebirth, *self._named(None, metrics))
        return self._message(Kind.NBIRTH, None, time, own)

    def device_birth(self, device: str, time: int, metrics: Sequence[Metric]) -> Message:
        """All metrics of a device, with what is known of them; again where that has changed."""
        self._step(Event.DEVICE_BIRTH)
        self._born[device] = {str(metric.name): metric for metric in metrics}
        return self._message(Kind.DBIRTH, device, time, self._named(device, metrics))

    def data(self, device: str | None, time: int, metrics: Sequence[Metric]) -> Message:
        """New values of metrics, by name here and by alias on the wire; without a device those of the node itself.

        The type goes along, although a host knows it from the birth and 3.0 calls it superfluous: widespread decoders
        (Eclipse Tahu's for JavaScript) find a value by it alone.
        """
        self._step(Event.DATA)
        born = self._born_of(device)
        if unknown := [metric.name for metric in metrics if metric.name not in born]:
            raise OutOfTurn(f"{device or self.node}: {', '.join(map(str, unknown))} should stand in a birth before data")
        aliased = tuple(
            replace(metric, name=None, alias=self._aliases[device, str(metric.name)], datatype=born[str(metric.name)].datatype)
            for metric in metrics
        )
        return self._message(Kind.NDATA if device is None else Kind.DDATA, device, time, aliased)

    def device_death(self, device: str, time: int) -> Message:
        self._step(Event.DEVICE_DEATH)
        self._born_of(device)
        del self._born[device]
        return self._message(Kind.DDEATH, device, time, ())

    def interrupted(self) -> None:
        """A message did not leave: the sequence is broken, and everything is to be born again."""
        self._step(Event.INTERRUPTED)

    def death(self, time: int) -> Message:
        """What the will says, said oneself before an orderly disconnect, at which a broker drops the will."""
        self._step(Event.DEATH)
        return self._death(time)

    def wants_rebirth(self, topic: str, data: bytes) -> bool:
        """Whether a command asks for all births; raises `MessageError` where it cannot be read."""
        if topic != self.command_topic:
            raise MessageError("unknown-topic", f"{topic}: commands to this edge node come on {self.command_topic}")
        return any(metric.name == REBIRTH and metric.value is True for metric in decode_payload(data, topic).metrics)

    def written(self, topic: str, data: bytes) -> tuple[str, tuple[Metric, ...]]:
        """The device that a command writes to and what it writes, by name; raises `MessageError` where it cannot be read.

        A host that goes by the letter (6.4.6) leaves the name to the alias, others write the name.
        """
        said = Topic.parse(topic)
        if (said.group, said.kind, said.node) != (self.group, Kind.DCMD, self.node):
            raise MessageError("unknown-topic", f"{topic}: is no command to a device of {self.group}/{self.node}")
        device = said.device or ""
        if device not in self._born:
            raise MessageError("no-birth", f"{topic}: {device} is no device; born are: {', '.join(self.devices) or 'none'}")
        names = {self._aliases[device, name]: name for name in self._born[device]}
        metrics = tuple(
            replace(metric, name=names.get(-1 if metric.alias is None else metric.alias)) if metric.name is None else metric
            for metric in decode_payload(data, topic).metrics
        )
        if unknown := [metric.name or metric.alias for metric in metrics if metric.name not in self._born[device]]:
            raise MessageError("unknown-metric", f"{topic}: '{str(unknown[0])[:80]}' is in no birth of {device}")
        return device, metrics

    def _step(self, event: Event) -> None:
        following = _NEXT.get((self.state, event))
        if following is None:
            raise OutOfTurn(f"{self.node}: no {event} while {self.state.value}")
        self.state = following

    def _born_of(self, device: str | None) -> dict[str, Metric]:
        if device not in self._born:
            raise OutOfTurn(f"{self.node}: {device} should be born first")
        return self._born[device]

    def _named(self, device: str | None, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
        """Metrics with their aliases, which are unique over all devices of an edge node; from 1, as 0 reads like none."""
        return tuple(
            replace(metric, alias=self._aliases.setdefault((device, str(metric.name)), len(self._aliases) + 1))
            for metric in metrics
        )

    def _message(self, kind: Kind, device: str | None, time: int, metrics: tuple[Metric, ...]) -> Message:
        self._seq = (self._seq + 1) % 256
        return Message(Topic(self.group, kind, self.node, device), Payload(timestamp=time, seq=self._seq, metrics=metrics))

    def _death(self, time: int) -> Message:
        return Message(Topic(self.group, Kind.NDEATH, self.node), Payload(timestamp=time, metrics=(self._bd_seq_metric(time),)))

    def _bd_seq_metric(self, time: int) -> Metric:
        return Metric(name=BD_SEQ, datatype=DataType.INT64, value=self.bd_seq, timestamp=time)
