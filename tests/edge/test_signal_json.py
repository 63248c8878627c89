"""Plant messages over MQTT: what is good is used, what is not is counted by its reason, and nothing crashes."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contracts.errors import MessageError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import Quality
from edge.formats import signal_json
from edge.formats.json_message import parse_time
from edge.formats.signal_json import SignalTopics

NOW = parse_time("2026-11-23T10:00:10Z")
THEN = "2026-11-23T10:00:05Z"


@pytest.fixture
def topics(make_plant: Callable[..., Plant]) -> SignalTopics:
    return SignalTopics(make_plant(), "broker", {})


def test_a_good_message(topics: SignalTopics) -> None:
    reading = topics.read("press", f'{{"force": 12.5, "time": "{THEN}", "other": 1}}'.encode(), NOW)
    assert reading.batch.value.tolist() == [12.5]
    assert reading.batch.time.tolist() == [parse_time(THEN)]
    assert not reading.rejected


def test_times_are_text_or_numbers_of_any_unit(topics: SignalTopics) -> None:
    then = parse_time(THEN)
    for written in (then, then // 1000, then // 1_000_000, then // 1_000_000_000, then / 1e9, f'"{THEN}"'):
        reading = topics.read("press", f'{{"force": 1, "time": {written}}}'.encode(), NOW)
        assert reading.batch.time.tolist() == [then], written


def test_one_message_brings_many_samples(topics: SignalTopics) -> None:
    then = parse_time(THEN)
    listed = ", ".join(f'{{"force": {number}.5, "time": {then // 1_000_000 + number}}}' for number in range(3))
    columns = f'{{"force": [0.5, 1.5, null], "time": [{then}, {then + 1_000_000}, {then + 2_000_000}]}}'
    rows = topics.read("press", f"[{listed}]".encode(), NOW).batch
    assert rows.value.tolist() == [0.5, 1.5, 2.5]
    assert rows.time.tolist() == [then, then + 1_000_000, then + 2_000_000]
    batch = topics.read("press", columns.encode(), NOW).batch
    assert batch.time.tolist() == rows.time.tolist()
    assert batch.value[:2].tolist() == [0.5, 1.5]
    assert batch.quality.tolist() == [Quality.GOOD, Quality.GOOD, Quality.BAD]
    uneven = topics.read("press", f'{{"force": [1, 2], "time": ["{THEN}"]}}'.encode(), NOW)
    assert (len(uneven.batch), uneven.rejected) == (0, {"bad-time": 1})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"force": NaN}', "not-json"),
        (b'{"force": Infinity}', "not-json"),
        (b"x" * (2 << 20), "too-large"),
        (b"[" * 100_000, "not-json"),
    ],
)
def test_what_is_no_message_raises_with_the_topic(topics: SignalTopics, payload: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match="press") as refused:
        topics.read("press", payload, NOW)
    assert refused.value.reason == reason


def test_an_unknown_topic_raises(topics: SignalTopics) -> None:
    with pytest.raises(MessageError, match="no signal of the plant file has this topic"):
        topics.read("elsewhere", b"{}", NOW)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ('{"force": "12", "time": "%s"}', "wrong-type"),
        ('{"force": true, "time": "%s"}', "wrong-type"),
        ('{"force": [1], "time": "%s"}', "wrong-type"),
        ('{"force": {"value": 1}, "time": "%s"}', "wrong-type"),
    ],
)
def test_a_wrong_type_is_a_bad_sample_and_counted(topics: SignalTopics, payload: str, reason: str) -> None:
    reading = topics.read("press", (payload % THEN).encode(), NOW)
    assert reading.rejected == {reason: 1}
    assert reading.batch.quality.tolist() == [Quality.BAD]
    assert math.isnan(reading.batch.value[0])


@pytest.mark.parametrize(
    "time",
    ["null", "true", "-5", "1e40", '"yesterday"', '"2026-11-23T10:00:05"', '"9999-01-01T00:00:00Z"', '"1900-01-01T00:00:00Z"'],
)
def test_a_bad_time_is_no_sample_and_counted(topics: SignalTopics, time: str) -> None:
    reading = topics.read("press", f'{{"force": 1.0, "time": {time}}}'.encode(), NOW)
    assert (len(reading.batch), reading.rejected) == (0, {"bad-time": 1})


def test_a_sensor_that_does_not_know_is_a_bad_sample(topics: SignalTopics) -> None:
    reading = topics.read("press", f'{{"force": null, "time": "{THEN}"}}'.encode(), NOW)
    assert (reading.batch.quality.tolist(), reading.rejected) == ([Quality.BAD], {})


def test_a_field_that_is_left_out_is_no_sample(topics: SignalTopics) -> None:
    assert len(topics.read("press", b"{}", NOW).batch) == 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=200) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(repr).map(str.encode))
def test_no_message_whatsoever_does_more_than_raise_a_message_error(topics: SignalTopics, payload: bytes) -> None:
    try:
        reading = topics.read("press", payload, NOW)
    except MessageError:
        return
    assert len(reading.batch) <= 1


def looked_at_one_by_one(topics: SignalTopics) -> SignalTopics:
    """The same, as if nothing could be had at once."""
    slow = copy.copy(topics)
    slow._topics = {topic: replace(each, get=None) for topic, each in topics._topics.items()}
    return slow


VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**64 - 1),
    st.none(),
    st.booleans(),
    st.sampled_from(["12", 1.7e308, -1.7e308]),
)
TIME = st.one_of(
    st.sampled_from([THEN, "2026-11-23T10:00:05.25+01:00", "then", None, True, 0, -1, 2**63]),
    st.integers(10**9, 2 * 10**18),
    st.floats(1e9, 2e9),
)
BODY = st.one_of(
    st.fixed_dictionaries({}, optional={"force": VALUE, "time": TIME}),
    st.integers(1, 12).flatmap(
        lambda n: st.fixed_dictionaries(
            {"force": st.lists(VALUE, min_size=n, max_size=n), "time": st.lists(TIME, min_size=n, max_size=n)}
        )
    ),
    st.integers(1, 12).flatmap(
        lambda n: st.fixed_dictionaries(
            {
                "force": st.lists(st.floats(-1e9, 1e9), min_size=n, max_size=n),
                "time": st.lists(st.integers(10**12, 10**13), min_size=n, max_size=n),
            }
        )
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(BODY, st.lists(BODY, max_size=4)))
def test_what_is_had_at_once_is_what_is_had_one_by_one(
    topics: SignalTopics, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    payload = orjson.dumps(body)
    quick = topics.read("press", payload, NOW)
    with monkeypatch.context() as patched:
        patched.setattr(signal_json, "_alike", lambda _raw: ())
        patched.setattr(signal_json, "_MANY", 10**9)
        slow = looked_at_one_by_one(topics).read("press", payload, NOW)
    assert quick.rejected == slow.rejected
    for name in ("signal", "time", "quality"):
        assert getattr(quick.batch, name).tolist() == getattr(slow.batch, name).tolist()
    assert list(map(repr, quick.batch.value.tolist())) == list(map(repr, slow.batch.value.tolist()))
