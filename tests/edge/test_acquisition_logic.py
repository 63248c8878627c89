"""Clocks and values of sources, as logic: time is handed in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from asyncua import ua

from edge.contracts.plant import Plant, Signal, SignalEntry
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua_records import to_ns
from edge.data_acquisition.opcua_types import ServerTypes
from edge.data_acquisition.opcua_values import sample_batch
from edge.data_acquisition.stream_clock import StreamClock
from edge.formats.json_message import parse_time

S = 1_000_000_000
NOW = parse_time("2026-11-23T10:00:00Z")

MakePlant = Callable[..., Plant]


def _row(index: int, is_text: bool = False) -> SignalEntry:
    return SignalEntry(index=index, asset="press-1", name=f"s{index}", signal=Signal(unit="1", source="plc"), is_text=is_text)


def test_a_far_off_wall_clock_is_named_and_the_time_of_reception_used(make_plant: MakePlant) -> None:
    account = SourceAccount("plc", "wall", lambda: NOW, SampleAccount(make_plant()))
    year_2000 = parse_time("2000-01-01T00:00:00Z")
    used = account.accept(SampleBatch.of([0, 1], [year_2000, NOW - S], [1.0, 2.0]), NOW)
    assert used.time.tolist() == [NOW, NOW - S]
    status = account.status()
    assert status.rejected == {"clock-replaced": 1}
    assert status.problem is not None
    assert "the clock of source 'plc' says 2000-01-01T00:00:00Z, it is 2026-11-23T10:00:00Z" in status.problem
    account.accept(SampleBatch.of([0], [NOW], [1.0]), NOW)
    assert account.status().problem is None


def test_what_a_broker_kept_during_an_absence_keeps_its_times(make_plant: MakePlant) -> None:
    now = [NOW]
    account = SourceAccount("broker", "wall", lambda: now[0], SampleAccount(make_plant()))
    # at the start nobody knows how long the edge was away
    account.expect_backlog(86_400.0)
    old = [NOW - 7200 * S, NOW - 90 * S, NOW]
    assert account.accept(SampleBatch.of([0] * 2, old[:2], [1.0, 2.0]), NOW).time.tolist() == old[:2]
    assert account.accept(SampleBatch.of([0], old[2:], [3.0]), NOW).time.tolist() == old[2:]
    # it has come: from now on a time of before is a wrong one
    assert account.accept(SampleBatch.of([0], [NOW - 90 * S], [4.0]), NOW).time.tolist() == [NOW]
    assert account.status().rejected == {"clock-replaced": 1}
    now[0] = NOW + 600 * S
    account.expect_backlog(86_400.0)
    times = [NOW + 5 * S, NOW - 7200 * S]
    assert account.accept(SampleBatch.of([0, 0], times, [5.0, 6.0]), now[0]).time.tolist() == [times[0], now[0]]


def test_what_was_kept_and_what_is_new_may_come_in_one_batch(make_plant: MakePlant) -> None:
    account = SourceAccount("broker", "wall", lambda: NOW, SampleAccount(make_plant()))
    account.expect_backlog(86_400.0)
    times = [NOW - 7200 * S, NOW - 90 * S, NOW, NOW - 90 * S]
    used = account.accept(SampleBatch.of([0] * 4, times, [1.0, 2.0, 3.0, 4.0]), NOW)
    assert used.time.tolist() == [*times[:3], NOW]
    assert account.status().rejected == {"clock-replaced": 1}


def test_a_trusted_clock_may_be_in_the_past_but_not_in_the_future(make_plant: MakePlant) -> None:
    account = SourceAccount("plc", "source", lambda: NOW, SampleAccount(make_plant()))
    times = [parse_time("2000-01-01T00:00:00Z"), parse_time("2100-01-01T00:00:00Z")]
    used = account.accept(SampleBatch.of([0, 1], times, [1.0, 2.0]), NOW)
    assert used.signal.tolist() == [0]
    assert account.status().rejected == {"time-in-future": 1}


def test_the_stream_waits_for_the_slower_source_and_a_silent_one_moves_with_the_wall() -> None:
    clock = StreamClock({"plc": "wall", "broker": "wall"})
    assert clock.time(0.0) is None
    clock.heard("plc", 100 * S, 0.0)
    clock.heard("broker", 95 * S, 0.0)
    assert clock.time(0.5) == 95 * S
    clock.heard("plc", 110 * S, 4.0)
    # silent since 0: one second of grace, then three of the wall's
    assert clock.time(4.0) == 98 * S
    clock.heard("broker", 111 * S, 4.5)
    assert clock.time(4.5) == 110 * S


def test_the_stream_begins_when_all_sources_have_spoken_or_patience_ends() -> None:
    clock = StreamClock({"plc": "wall", "broker": "wall"})
    clock.heard("broker", 100 * S, 0.0)
    assert clock.time(0.9) is None
    clock.heard("plc", 98 * S, 0.9)
    assert clock.time(0.9) == 98 * S
    alone = StreamClock({"plc": "wall", "broker": "wall"})
    alone.heard("broker", 100 * S, 0.0)
    assert alone.time(1.0) == 100 * S


def test_one_old_sample_does_not_set_the_stream_back_but_a_lasting_change_does() -> None:
    clock = StreamClock({"plc": "source"})
    clock.heard("plc", 10_000 * S, 0.0)
    assert not clock.heard("plc", 5 * S, 1.0)
    assert not clock.heard("plc", 10_001 * S, 2.0)
    assert not clock.heard("plc", 6 * S, 3.0)
    assert not clock.heard("plc", 7 * S, 5.0)
    assert clock.time(5.0) == 10_001 * S
    assert clock.heard("plc", 11 * S, 8.5)
    assert clock.time(8.5) == 11 * S


def test_after_a_restart_a_recording_may_be_replayed_anew() -> None:
    clock = StreamClock({"plc": "source"})
    clock.resume(10_000 * S)
    assert clock.heard("plc", 5 * S, 0.0)
    assert not clock.heard("plc", 6 * S, 1.0)
    going_on = StreamClock({"plc": "source"})
    going_on.resume(10_000 * S)
    assert not going_on.heard("plc", 10_001 * S, 0.0)


@pytest.mark.parametrize(
    ("variant", "status", "value", "quality", "rejected"),
    [
        (ua.Variant(1.5, ua.VariantType.Double), 0, 1.5, Quality.GOOD, {}),
        (ua.Variant(7, ua.VariantType.UInt16), 0, 7.0, Quality.GOOD, {}),
        (ua.Variant(True, ua.VariantType.Boolean), 0, 1.0, Quality.GOOD, {}),
        (ua.Variant(1.5, ua.VariantType.Double), 0x40920000, 1.5, Quality.UNCERTAIN, {}),
        (ua.Variant(1.5, ua.VariantType.Double), 0x80310000, 1.5, Quality.BAD, {}),
        (ua.Variant(), 0x80310000, np.nan, Quality.BAD, {}),
        (ua.Variant("12", ua.VariantType.String), 0, np.nan, Quality.BAD, {"wrong-type": 1}),
        (ua.Variant([1.0, 2.0], ua.VariantType.Double), 0, np.nan, Quality.BAD, {"wrong-type": 1}),
        (ua.Variant(float("nan"), ua.VariantType.Double), 0, np.nan, Quality.BAD, {"not-finite": 1}),
        (ua.Variant(float("inf"), ua.VariantType.Float), 0, np.nan, Quality.BAD, {"not-finite": 1}),
        (ua.Variant(2.0, ua.VariantType.Double), 0x480, 2.0, Quality.GOOD, {"queue-overflow": 1}),
    ],
)
def test_an_opcua_value_becomes_a_sample(
    variant: ua.Variant, status: int, value: float, quality: Quality, rejected: dict[str, int]
) -> None:
    data = ua.DataValue(variant, StatusCode=ua.StatusCode(status), SourceTimestamp=datetime(2026, 11, 23, 9, tzinfo=UTC))
    item = ua.MonitoredItemNotification(ClientHandle=3, Value=data)
    batch, counted = sample_batch([item], {3: _row(3)}, {}, NOW, ServerTypes())
    assert batch.signal.tolist() == [3]
    assert batch.time.tolist() == [NOW - 3600 * S]
    np.testing.assert_array_equal(batch.value, [value])
    assert batch.quality.tolist() == [quality]
    assert counted == rejected


def test_a_text_signal_is_numbered_and_one_without_times_takes_the_reception() -> None:
    texts = {3: TextTable(["flange-120"])}
    items = [
        ua.MonitoredItemNotification(ClientHandle=3, Value=ua.DataValue(ua.Variant(text)))
        for text in ("shaft-80", "flange-120")
    ]
    batch, counted = sample_batch(items, {3: _row(3, is_text=True)}, texts, NOW, ServerTypes())
    assert batch.value.tolist() == [1.0, 0.0]
    assert batch.time.tolist() == [NOW, NOW]
    assert not counted


def test_a_node_that_waits_for_its_first_value_brings_no_sample() -> None:
    data = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))
    batch, counted = sample_batch(
        [ua.MonitoredItemNotification(ClientHandle=3, Value=data)], {3: _row(3)}, {}, NOW, ServerTypes()
    )
    assert (len(batch), counted) == (0, {})


def test_a_handle_that_nobody_asked_for_is_counted() -> None:
    item = ua.MonitoredItemNotification(ClientHandle=9, Value=ua.DataValue(ua.Variant(1.0)))
    batch, counted = sample_batch([item], {3: _row(3)}, {}, NOW, ServerTypes())
    assert (len(batch), counted) == (0, {"unknown-handle": 1})


def test_times_are_exact_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 23, 10, 0, 0, 123457, tzinfo=UTC)
    assert to_ns(moment) == NOW + 123_457_000
    assert to_ns(moment.astimezone(timezone(timedelta(hours=1)))) == NOW + 123_457_000
    assert to_ns(moment.replace(tzinfo=None)) == NOW + 123_457_000
