"""Sparkplug B without a broker: the bytes on the wire, who may say what when, and what a host makes of it."""

import itertools
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.errors import MessageError
from edge.formats.sparkplug import Kind, Message, OutOfTurn, Session, State, Topic, rebirth_command
from edge.formats.sparkplug_payload import (
    COMPRESSED,
    MAX_METRICS,
    MAX_PAYLOAD_BYTES,
    MAX_PROPERTIES,
    QUALITY,
    DataType,
    Metric,
    Payload,
    Property,
    QualityCode,
    decode_payload,
    encode_payload,
    quality,
)
from edge.formats.sparkplug_reader import Reader

NOW = 1_763_892_005_000_000_000
TOPIC = "spBv1.0/hall-1/DDATA/simulator/pump-101"

# ---- the wire


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: int | bytes) -> bytes:
    """One field after the Protocol Buffers encoding, made by hand."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_a_payload_has_the_field_numbers_of_the_specification() -> None:
    payload = Payload(
        timestamp=NOW,
        seq=7,
        metrics=(
            Metric(
                name="vibration",
                alias=3,
                timestamp=NOW,
                datatype=DataType.DOUBLE,
                value=1.5,
                properties={"engUnit": Property(datatype=DataType.STRING, value="mm/s"), QUALITY: quality(QualityCode.GOOD)},
            ),
            Metric(alias=4, datatype=DataType.INT16, value=-2),
            Metric(alias=5, is_null=True),
            Metric(alias=6, datatype=DataType.BOOLEAN, value=False, is_historical=True),
        ),
    )
    ms = NOW // 1_000_000
    unit = field(1, 12) + field(8, b"mm/s")
    code = field(1, 3) + field(3, 192)
    properties = field(1, b"engUnit") + field(1, b"Quality") + field(2, unit) + field(2, code)
    double = varint(13 << 3 | 1) + struct.pack("<d", 1.5)
    metrics = [
        field(1, b"vibration") + field(2, 3) + field(3, ms) + field(4, 10) + field(9, properties) + double,
        field(2, 4) + field(4, 2) + field(10, 0xFFFF_FFFE),
        field(2, 5) + field(7, 1),
        field(2, 6) + field(4, 11) + field(5, 1) + field(14, 0),
    ]
    assert encode_payload(payload) == field(1, ms) + b"".join(field(2, metric) for metric in metrics) + field(3, 7)
    assert decode_payload(encode_payload(payload), TOPIC) == payload


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


VALUES: dict[DataType, st.SearchStrategy[Any]] = {
    DataType.INT8: integers(8, signed=True),
    DataType.INT16: integers(16, signed=True),
    DataType.INT32: integers(32, signed=True),
    DataType.INT64: integers(64, signed=True),
    DataType.UINT8: integers(8, signed=False),
    DataType.UINT16: integers(16, signed=False),
    DataType.UINT32: integers(32, signed=False),
    DataType.UINT64: integers(64, signed=False),
    DataType.FLOAT: st.floats(width=32, allow_nan=False),
    DataType.DOUBLE: st.floats(allow_nan=False),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: st.text(max_size=20),
    DataType.DATETIME: integers(62, signed=False),
    DataType.TEXT: st.text(max_size=20),
    DataType.UUID: st.uuids().map(str),
}
typed = st.sampled_from(list(VALUES)).flatmap(lambda datatype: st.tuples(st.just(datatype), st.none() | VALUES[datatype]))
times = st.none() | st.integers(0, (1 << 62) // 1_000_000 - 1).map(lambda ms: ms * 1_000_000)
properties = st.dictionaries(
    st.text(min_size=1, max_size=8), typed.map(lambda pair: Property(datatype=pair[0], value=pair[1])), max_size=3
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    datatype, value = draw(typed)
    return Metric(
        datatype=datatype,
        value=value,
        is_null=value is None,
        name=draw(st.none() | st.text(max_size=8)),
        alias=draw(st.none() | integers(64, signed=False)),
        timestamp=draw(times),
        is_historical=draw(st.booleans()),
        properties=draw(properties),
    )


payloads = st.builds(
    Payload, timestamp=times, seq=st.none() | st.integers(0, 255), metrics=st.lists(metrics(), max_size=4).map(tuple)
)


@given(payloads)
def test_what_is_written_reads_back_the_same(payload: Payload) -> None:
    assert decode_payload(encode_payload(payload), TOPIC) == payload


@given(st.binary(max_size=200) | payloads.map(encode_payload).flatmap(lambda data: st.permutations(data).map(bytes)))
def test_whatever_comes_is_a_payload_or_a_message_error(data: bytes) -> None:
    try:
        decode_payload(data, TOPIC)
    except MessageError as error:
        assert TOPIC in str(error)  # noqa: PT017  # most data raise, not all


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (Metric(datatype=DataType.INT8, value=128), "128 is no INT8"),
        (Metric(datatype=DataType.UINT32, value=-1), "-1 is no UINT32"),
        (Metric(datatype=DataType.INT32, value=True), "True is no INT32"),
        (Metric(datatype=DataType.INT64, value=1.0), "1.0 is no INT64"),
        (Metric(datatype=DataType.DATASET, value=1), "DATASET are not written"),
        (Metric(alias=9, value=1.0), "the value of 9 needs a type"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_not_written(metric: Metric, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        encode_payload(Payload(metrics=(metric,)))


def test_values_of_other_kinds_and_of_types_to_come_are_left_out_and_the_rest_is_read() -> None:
    data = b"".join(
        field(2, metric)
        for metric in (
            field(1, b"table") + field(4, 16) + field(17, b"\xff" * 50),
            field(1, b"nested") + field(4, 19) + field(18, b"\x0a" * 50),
            field(1, b"array") + field(4, 31) + field(16, b"\x00" * 16),
            field(1, b"number") + field(4, 5) + field(10, 200) + field(99, b"of a later version"),
        )
    )
    table, nested, array, number = decode_payload(data, TOPIC).metrics
    assert (table.value, nested.value, array.value) == (None, None, None)
    assert (table.datatype, nested.datatype, array.datatype) == (DataType.DATASET, DataType.TEMPLATE, DataType.UNKNOWN)
    assert (number.name, number.value) == ("number", 200)


METRIC_WITH_MANY_PROPERTIES = field(9, (field(1, b"") + field(2, b"")) * (MAX_PROPERTIES + 1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", "not-sparkplug"),
        (b'{"vibration": 1.5}', "not-sparkplug"),
        (field(2, b"\x08"), "not-sparkplug"),
        (field(2, field(1, b"\xff\xfe")), "not-sparkplug"),
        (field(2, field(4, 12) + field(15, b"\xff\xfe")), "not-sparkplug"),
        (field(2, field(9, field(1, b"\xff") + field(2, b""))), "not-sparkplug"),
        (field(2, field(9, field(1, b"unit"))), "not-sparkplug"),
        (b"\x0b" * 30_000, "not-sparkplug"),
        (varint(2 << 3 | 2) + varint(1 << 63) + b"\x00" * 30_000, "not-sparkplug"),
        (b"\xff" * 30_000, "not-sparkplug"),
        (field(5, b"x" * MAX_PAYLOAD_BYTES), "too-large"),
        (field(2, b"") * (MAX_METRICS + 1), "too-large"),
        (field(99, b"") * 300_000, "too-large"),
        (field(2, METRIC_WITH_MANY_PROPERTIES), "too-large"),
        (field(1, (1 << 62) // 1_000_000 + 1), "bad-time"),
        (field(2, field(3, (1 << 64) - 1)), "bad-time"),
        (field(4, COMPRESSED.encode()) + field(5, b"x"), "compressed"),
    ],
    ids=str,
)
def test_what_is_no_payload_or_too_large_is_refused_with_the_topic(data: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=TOPIC) as refused:
        decode_payload(data, TOPIC)
    assert refused.value.reason == reason


def test_as_many_metrics_as_are_allowed_are_read() -> None:
    assert len(decode_payload(field(2, b"") * MAX_METRICS, TOPIC).metrics) == MAX_METRICS


# ---- topics


def test_topics_name_group_kind_node_and_device() -> None:
    assert Topic.parse(TOPIC) == Topic("hall-1", Kind.DDATA, "simulator", "pump-101")
    assert str(Topic.parse("spBv1.0/hall-1/NBIRTH/simulator")) == "spBv1.0/hall-1/NBIRTH/simulator"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spBv1.0",
        "spBv1.0/STATE/scada",
        "spAv1.0/hall-1/NBIRTH/simulator",
        "spBv1.0/hall-1/XBIRTH/simulator",
        "spBv1.0/hall-1/NBIRTH/simulator/pump-101",
        "spBv1.0/hall-1/DBIRTH/simulator",
        "spBv1.0/hall-1/DBIRTH/simulator/",
        "spBv1.0//NBIRTH/simulator",
        "spBv1.0/hall-1/DBIRTH/simulator/pump/101",
        "spBv1.0/hall-1/NBIRTH/+",
    ],
)
def test_other_topics_are_refused(text: str) -> None:
    with pytest.raises(MessageError) as refused:
        Topic.parse(text)
    assert refused.value.reason == "unknown-topic"


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#"])
def test_a_name_that_would_break_a_topic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="without"):
        Topic("hall-1", Kind.NBIRTH, name)


# ---- the edge node


def pump(value: float = 1.5) -> list[Metric]:
    return [
        Metric(name="vibration", datatype=DataType.DOUBLE, value=value, timestamp=NOW),
        Metric(name="recipe", datatype=DataType.STRING, value="A", timestamp=NOW),
    ]


@pytest.fixture
def session() -> Session:
    session = Session("hall-1", "simulator")
    session.connect(NOW)
    return session


def values(message: Message) -> dict[str | int | None, Any]:
    return {metric.name or metric.alias: metric.value for metric in message.payload.metrics}


def test_birth_and_will_have_one_number_and_the_next_connection_another() -> None:
    session = Session("hall-1", "simulator")
    for number in (0, 1, 2):
        will = session.connect(NOW)
        assert str(will.topic) == "spBv1.0/hall-1/NDEATH/simulator"
        assert will.payload.seq is None
        assert values(will) == {"bdSeq": number}
        birth = session.node_birth(NOW)
        assert birth.payload.seq == 0
        assert values(birth) == {"bdSeq": number, "Node Control/Rebirth": False}
        assert [metric.alias for metric in birth.payload.metrics] == [None, None]
        # a rebirth is none of a new connection
        assert values(session.node_birth(NOW)) == values(birth)
    assert values(session.death(NOW)) == {"bdSeq": 2}


def test_the_number_of_a_birth_wraps() -> None:
    session = Session("hall-1", "simulator", first_bd_seq=255)
    assert [values(session.connect(NOW))["bdSeq"] for _ in range(3)] == [255, 0, 1]


def test_the_sequence_goes_on_through_all_messages_and_wraps(session: Session) -> None:
    messages = [session.node_birth(NOW), session.device_birth("pump-101", NOW, pump()), session.device_birth("b", NOW, pump())]
    messages += [session.data("pump-101", NOW, pump(float(count))) for count in range(400)]
    messages.append(session.device_death("b", NOW))
    assert [message.payload.seq for message in messages] == [count % 256 for count in range(len(messages))]
    assert session.node_birth(NOW).payload.seq == 0


def test_aliases_are_unique_and_last(session: Session) -> None:
    def aliases() -> list[int | None]:
        session.node_birth(NOW, [Metric(name="uptime", datatype=DataType.INT64, value=1)])
        births = [session.device_birth(device, NOW, pump()) for device in ("pump-101", "pump-102")]
        return [metric.alias for birth in births for metric in birth.payload.metrics]

    first = aliases()
    assert len({*first}) == 4
    assert None not in first
    assert aliases() == first
    data = session.data("pump-102", NOW, [Metric(name="recipe", value="B")])
    (metric,) = data.payload.metrics
    assert (metric.name, metric.alias, metric.datatype, metric.value) == (None, first[3], DataType.STRING, "B")


def test_what_comes_out_of_turn_raises() -> None:
    session = Session("hall-1", "simulator")
    with pytest.raises(OutOfTurn, match="no node birth while offline"):
        session.node_birth(NOW)
    with pytest.raises(OutOfTurn, match="no death while offline"):
        session.death(NOW)
    session.connect(NOW)
    with pytest.raises(OutOfTurn, match="no data while connected"):
        session.data("pump-101", NOW, pump())
    session.node_birth(NOW)
    with pytest.raises(OutOfTurn, match="pump-101 should be born first"):
        session.data("pump-101", NOW, pump())
    session.device_birth("pump-101", NOW, pump())
    with pytest.raises(OutOfTurn, match="flow should stand in a birth before data"):
        session.data("pump-101", NOW, [Metric(name="flow", value=1.0)])
    session.device_death("pump-101", NOW)
    with pytest.raises(OutOfTurn, match="born first"):
        session.data("pump-101", NOW, pump())


def test_a_new_connection_or_a_lost_message_asks_for_births(session: Session) -> None:
    happenings: list[Callable[[], object]] = [session.interrupted, lambda: session.connect(NOW)]
    for happens in happenings:
        session.node_birth(NOW)
        session.device_birth("pump-101", NOW, pump())
        happens()
        assert session.state is State.CONNECTED
        with pytest.raises(OutOfTurn):
            session.data("pump-101", NOW, pump())
        session.node_birth(NOW)
        with pytest.raises(OutOfTurn, match="born first"):
            session.data("pump-101", NOW, pump())


def test_only_a_rebirth_command_to_this_node_asks_for_rebirth(session: Session) -> None:
    command = rebirth_command("hall-1", "simulator", NOW)
    topic, data = command.encode()
    assert topic == session.command_topic
    assert session.wants_rebirth(topic, data)
    (wish,) = command.payload.metrics
    for other in (replace(wish, value=False), replace(wish, name="Node Control/Reboot")):
        assert not session.wants_rebirth(topic, encode_payload(Payload(metrics=(other,))))
    with pytest.raises(MessageError, match="is no Sparkplug B payload"):
        session.wants_rebirth(topic, b"{}")
    with pytest.raises(MessageError, match="commands to this edge node come on"):
        session.wants_rebirth("spBv1.0/hall-1/NCMD/other", data)


# ---- the host


@pytest.fixture
def reader() -> Reader:
    return Reader("hall-1", "simulator")


def born(session: Session, reader: Reader) -> None:
    reader.read(*session.node_birth(NOW).encode())
    reader.read(*session.device_birth("pump-101", NOW, pump()).encode())


def test_a_host_resolves_aliases_and_types(session: Session, reader: Reader) -> None:
    born(session, reader)
    assert reader.is_alive
    assert reader.devices == ("pump-101",)
    assert reader.bd_seq == 0
    data = session.data("pump-101", NOW, pump(2.5))
    assert values(reader.read(*data.encode())) == {"vibration": 2.5, "recipe": "A"}
    assert reader.devices == ("pump-101",)
    reader.read(*session.device_death("pump-101", NOW).encode())
    assert not reader.devices


def test_a_host_knows_the_type_of_data_that_come_without(session: Session, reader: Reader) -> None:
    reader.read(*session.node_birth(NOW).encode())
    birth = session.device_birth("pump-101", NOW, [Metric(name="load", datatype=DataType.INT16, value=1)])
    reader.read(*birth.encode())
    alias = birth.payload.metrics[0].alias
    assert alias is not None
    bare = field(2, field(2, alias) + field(10, 0xFFFF_FFFE)) + field(3, 2)
    assert values(reader.read(TOPIC, bare)) == {"load": -2}


def test_after_a_gap_nothing_is_believed_until_the_next_births(session: Session, reader: Reader) -> None:
    born(session, reader)
    session.data("pump-101", NOW, pump())
    with pytest.raises(MessageError, match="seq 3 follows where 2 should") as refused:
        reader.read(*session.data("pump-101", NOW, pump()).encode())
    assert refused.value.reason == "sequence-gap"
    assert reader.wants_rebirth
    with pytest.raises(MessageError, match="an NBIRTH should come before"):
        reader.read(*session.data("pump-101", NOW, pump()).encode())
    born(session, reader)
    assert not reader.wants_rebirth
    assert reader.read(*session.data("pump-101", NOW, pump()).encode()).payload.metrics


def test_a_host_follows_a_sequence_that_wraps(session: Session, reader: Reader) -> None:
    born(session, reader)
    for count in range(600):
        assert values(reader.read(*session.data("pump-101", NOW, pump(float(count))).encode()))["vibration"] == count


def test_a_late_will_of_an_earlier_connection_kills_nobody(session: Session, reader: Reader) -> None:
    late = Session("hall-1", "simulator", first_bd_seq=255).connect(NOW)
    will = Session("hall-1", "simulator").connect(NOW)
    born(session, reader)
    reader.read(*late.encode())
    assert reader.is_alive
    reader.read(*will.encode())
    assert not reader.is_alive
    assert not reader.devices


def test_a_host_refuses_what_does_not_follow(session: Session, reader: Reader) -> None:
    def refused(message: Message) -> str:
        with pytest.raises(MessageError) as refusal:
            reader.read(*message.encode())
        return refusal.value.reason

    def said(kind: Kind, seq: int | None, *metrics: Metric, device: str = "pump-101") -> Message:
        return Message(Topic("hall-1", kind, "simulator", device), Payload(seq=seq, metrics=metrics))

    one = Metric(name="a", alias=9, datatype=DataType.DOUBLE, value=1.0)
    assert refused(session.node_birth(NOW) and session.device_birth("pump-101", NOW, pump())) == "no-birth"
    born(session, reader)
    sequence = itertools.count(2)
    assert refused(said(Kind.DDATA, next(sequence), device="pump-102")) == "no-birth"
    assert refused(said(Kind.DDATA, next(sequence), Metric(alias=77, value=None))) == "unknown-metric"
    assert refused(said(Kind.DDATA, next(sequence), Metric(name="b"))) == "unknown-metric"
    assert refused(said(Kind.DDATA, next(sequence), Metric())) == "unknown-metric"
    assert refused(said(Kind.DBIRTH, next(sequence), one, replace(one, name="b"))) == "not-sparkplug"
    assert refused(said(Kind.DBIRTH, next(sequence), one, replace(one, alias=10))) == "not-sparkplug"
    assert refused(said(Kind.DBIRTH, next(sequence), replace(one, name=None))) == "not-sparkplug"
    assert refused(said(Kind.DBIRTH, next(sequence), Metric(name="untyped"))) == "not-sparkplug"
    assert refused(said(Kind.DBIRTH, next(sequence), replace(one, alias=1), device="pump-102")) == "not-sparkplug"
    assert refused(said(Kind.DDATA, None)) == "no-seq"
    assert refused(said(Kind.DDATA, 256)) == "no-seq"
    assert refused(rebirth_command("hall-1", "simulator", NOW)) == "unknown-topic"
    assert refused(rebirth_command("hall-1", "other", NOW)) == "unknown-topic"
    # and goes on where the message after these does
    assert values(reader.read(*said(Kind.DDATA, next(sequence), Metric(alias=1, datatype=DataType.DOUBLE, value=4.0)).encode()))
