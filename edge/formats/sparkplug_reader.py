"""The host's side of Sparkplug B: from the messages of an edge node to metrics that have their names and types."""

from collections.abc import Mapping
from dataclasses import replace

from edge.contracts.errors import MessageError
from edge.formats.sparkplug import BD_SEQ, Kind, Message, Topic
from edge.formats.sparkplug_payload import Metric, Payload, as_type, decode_payload


class Reader:
    """What a host knows of one edge node: reads its messages into metrics that have their names and types.

    A gap in the sequence may hide a birth that gave an alias to another metric. So after one nothing is believed until the
    next NBIRTH, and `wants_rebirth` says that it is time for a `rebirth_command`.
    """

    def __init__(self, group: str, node: str) -> None:
        self.group, self.node = group, node
        self.is_alive = False
        self.wants_rebirth = False
        self.bd_seq: int | None = None
        self._seq = 0
        self._names: dict[str | None, dict[str, Metric]] = {}
        self._aliases: dict[str | None, dict[int, Metric]] = {}

    @property
    def devices(self) -> tuple[str, ...]:
        """Those that are born."""
        return tuple(device for device in self._names if device is not None)

    @property
    def expected(self) -> int | None:
        """The sequence number that is to come next; None before a birth."""
        return self._seq if self.is_alive else None

    def metrics_of(self, device: str | None) -> Mapping[str, Metric]:
        """What is born of a device, or of the node itself; empty where it is not."""
        return self._names.get(device, {})

    def read(self, text: str, data: bytes) -> Message:
        """A message with all its metrics named and typed; raises `MessageError` where it does not follow from what was said."""
        topic = Topic.parse(text)
        return self.follow(Message(topic, decode_payload(data, text)))

    def follow(self, message: Message) -> Message:
        """The same of a message that is decoded already."""
        topic, payload = message.topic, message.payload
        text = str(topic)
        if (topic.group, topic.node) != (self.group, self.node) or topic.kind in (Kind.NCMD, Kind.DCMD):
            raise MessageError("unknown-topic", f"{text}: is not said by {self.group}/{self.node}")
        if topic.kind is Kind.NDEATH:
            # the will of an earlier connection may come late; it says nothing of this one
            if self.is_of_this_session(payload):
                self.forget()
            return message
        self._follow(topic.kind, payload.seq, text)
        if topic.kind is Kind.NBIRTH:
            self.forget()
        if topic.kind in (Kind.NBIRTH, Kind.DBIRTH):
            self._learn(topic.device, payload, text)
        elif topic.device not in self._names:
            self.wants_rebirth = True
            raise MessageError("no-birth", f"{text}: {topic.device} should be born before")
        elif topic.kind is Kind.DDEATH:
            del self._names[topic.device], self._aliases[topic.device]
        if topic.kind is Kind.NBIRTH:
            self.is_alive, self.wants_rebirth, self.bd_seq = True, False, _bd_seq_of(payload)
        metrics = tuple(self._known(topic.device, metric, text) for metric in payload.metrics)
        return Message(topic, replace(payload, metrics=metrics))

    def _follow(self, kind: Kind, seq: int | None, text: str) -> None:
        if seq is None or not 0 <= seq <= 255:
            raise MessageError("no-seq", f"{text}: seq should lie between 0 and 255, not {seq}")
        expected, self._seq = self._seq, (seq + 1) % 256
        if kind is Kind.NBIRTH:
            return
        if not self.is_alive:
            self.wants_rebirth = True
            raise MessageError("no-birth", f"{text}: an NBIRTH should come before")
        if seq != expected:
            self.forget()
            self.wants_rebirth = True
            raise MessageError("sequence-gap", f"{text}: seq {seq} follows where {expected} should")

    def is_of_this_session(self, death: Payload) -> bool:
        """Whether an NDEATH ends the session that the last NBIRTH began."""
        return self.bd_seq is not None and _bd_seq_of(death) == self.bd_seq

    def forget(self) -> None:
        """What was born is not believed any more."""
        self.is_alive = False
        self._names, self._aliases = {}, {}

    def _learn(self, device: str | None, payload: Payload, text: str) -> None:
        names = {metric.name: metric for metric in payload.metrics if metric.name is not None and metric.datatype is not None}
        aliases = {metric.alias: metric for metric in names.values() if metric.alias is not None}
        if len(names) < len(payload.metrics):
            raise MessageError("not-sparkplug", f"{text}: each metric of a birth needs a name of its own, and a type")
        taken = {alias for other, known in self._aliases.items() if other != device for alias in known}
        if len(aliases) < sum(metric.alias is not None for metric in payload.metrics) or taken & aliases.keys():
            raise MessageError("not-sparkplug", f"{text}: one alias stands for two metrics")
        self._names[device], self._aliases[device] = names, aliases

    def _known(self, device: str | None, metric: Metric, text: str) -> Metric:
        if metric.name is not None:
            birth = self._names.get(device, {}).get(metric.name)
        else:
            birth = self._aliases.get(device, {}).get(-1 if metric.alias is None else metric.alias)
        if birth is None or birth.datatype is None:
            self.wants_rebirth = True
            raise MessageError("unknown-metric", f"{text}: {metric.name or metric.alias} is in no birth")
        return replace(metric, name=birth.name, datatype=birth.datatype, value=as_type(metric.value, birth.datatype))


def _bd_seq_of(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BD_SEQ and isinstance(metric.value, int):
            return metric.value
    return None
