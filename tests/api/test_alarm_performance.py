"""Figures of the alarm system: on histories whose figures are known, against a simple model, and over the route."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alarm_performance import AlarmPerformance, NamedCount, alarm_performance
from api.routes import alarms
from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Priority
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import SECOND, START, ScriptedEdge, alarm, assessment

PERIOD_S = 600
DAY_S = 86_400
ACTIVE, ACKNOWLEDGED = AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED
RETURNED, NORMAL, SHELVED = AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.NORMAL, AlarmState.SHELVED
SUPPRESSED, OUT = AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE


def change(second: float, alarm_id: str, state: AlarmState = ACTIVE, **more: Any) -> Alarm:
    told: dict[str, Any] = {"asset": "pump-101", "rule": "anomaly", "priority": Priority.LOW, "raised": START, **more}
    return Alarm(
        alarm_id=alarm_id,
        state=state,
        changed=START + round(second * SECOND),
        text=BilingualText(sv="Avvikande", en="Unusual"),
        **told,
    )


def begin(times: Iterable[float], **more: Any) -> list[Alarm]:
    return [change(second, f"{more.get('rule', 'anomaly')}-{second}", **more) for second in times]


def told(changes: Iterable[Alarm], last_s: float, first_s: float = 0) -> AlarmPerformance:
    return alarm_performance(changes, START + round(first_s * SECOND), START + round(last_s * SECOND))


def spread(counts: Sequence[int]) -> list[float]:
    """Times of so many alarms in each period, evenly."""
    return [PERIOD_S * (period + number / count) for period, count in enumerate(counts) for number in range(count)]


def test_floods_begin_with_more_than_ten_and_end_with_fewer_than_five() -> None:
    counts = [10, 11, 5, 4, 0, 25, 12, 2, 1, 11]
    found = told(begin(spread(counts)), 10 * PERIOD_S)
    assert (found.periods, found.alarms, found.most) == (10, sum(counts), 25)
    assert found.mean == sum(counts) / 10
    # 11 and 5; 25 and 12; and the last, which has not ended
    assert (found.floods, found.flood_share) == (3, 0.5)
    assert (found.acceptable, found.manageable, found.over_10) == (0.2, 0.3, 0.4)
    assert found.per_period == tuple({0: 1, 1: 1, 2: 1, 4: 1, 5: 1, 10: 1, 11: 2, 12: 1, 20: 1}.get(n, 0) for n in range(21))


def test_chattering_is_three_within_a_minute_of_one_rule() -> None:
    found = told(
        begin([0, 30, 60, 90], rule="chatters")
        + begin([0, 30, 61], rule="does-not")
        + begin([0, 1], asset="pump-101", rule="two")
        + begin([2], asset="pump-102", rule="two"),
        PERIOD_S,
    )
    assert found.chattering == (NamedCount(asset="pump-101", rule="chatters", count=2),)
    assert found.frequent[:2] == (
        NamedCount(asset="pump-101", rule="chatters", count=4),
        NamedCount(asset="pump-101", rule="does-not", count=3),
    )


def test_fleeting_is_what_goes_by_itself_at_once() -> None:
    history = [
        *(change(0, name) for name in "abcdefg"),
        change(9.9, "a", RETURNED),
        change(10, "b", RETURNED),
        change(2, "c", ACKNOWLEDGED),
        change(3, "c", NORMAL),
        change(2, "d", SHELVED),
        change(2, "e", SUPPRESSED),
        change(2, "f", OUT),
        # it comes and goes once more
        change(100, "a"),
        change(101, "a", RETURNED),
    ]
    found = told(history, PERIOD_S)
    assert (found.alarms, found.fleeting, found.standing, found.suppressed) == (8, 2, 1, 1)


def test_stale_is_more_than_a_day_and_standing_is_what_is_active_at_the_end() -> None:
    history = [
        change(-2 * DAY_S, "old"),
        change(-2 * DAY_S, "ended-before"),
        change(-1, "ended-before", RETURNED),
        change(0, "a"),
        change(10, "b"),
        change(20, "b", ACKNOWLEDGED),
        change(30, "c"),
        change(DAY_S, "c", RETURNED),
        change(DAY_S + 11, "b", NORMAL),
        change(2 * DAY_S - 1, "new"),
        change(2 * DAY_S, "after"),
        change(2 * DAY_S, "a", RETURNED),
    ]
    found = told(history, 2 * DAY_S)
    assert (found.alarms, found.stale, found.standing) == (4, 3, 3)
    assert found.periods == 288


def test_an_acknowledged_one_whose_beginning_nobody_kept_stands_and_is_stale() -> None:
    found = told([change(0, "a", ACKNOWLEDGED, raised=START - 2 * DAY_S * SECOND)], PERIOD_S, first_s=-PERIOD_S)
    assert (found.alarms, found.stale, found.standing) == (0, 1, 1)


def test_a_comment_is_no_alarm_and_what_is_silent_does_not_count() -> None:
    history = [
        change(0, "a"),
        change(1, "a", comment="seen"),
        change(2, "a", SUPPRESSED),
        change(3, "a", SUPPRESSED, comment="seen again"),
        change(4, "b", SUPPRESSED),
        change(5, "c", OUT),
        change(6, "d", SHELVED),
        # it is heard again
        change(7, "a"),
    ]
    found = told(history, PERIOD_S)
    assert (found.alarms, found.suppressed, found.standing) == (2, 2, 1)


def test_priorities_are_shares_of_the_alarms() -> None:
    urgent = begin([1], rule="high", priority=Priority.HIGH) + begin([2], rule="top", priority=Priority.CRITICAL)
    found = told(begin(range(10, 16)) + urgent, PERIOD_S)
    assert found.by_priority == {"low": 0.75, "medium": 0.0, "high": 0.125, "critical": 0.125}
    assert told([], PERIOD_S).by_priority == {}


@pytest.mark.parametrize(("length_s", "periods"), [(1, 1), (600, 1), (601, 2), (900, 2), (1200, 2)])
def test_periods_are_whole(length_s: int, periods: int) -> None:
    """Ten alarms in ten minutes and five in the next five are no flood, and no period has fifteen."""
    found = told(begin(range(0, length_s, 60)), length_s)
    assert (found.periods, found.floods) == (periods, 0)
    assert found.last - found.first == periods * PERIOD_S * SECOND
    assert found.alarms == -(-length_s // 60)
    assert found.most <= 10


STATES = st.sampled_from(list(AlarmState))
CHANGES = st.lists(
    st.tuples(st.integers(-5000, 9000), st.sampled_from("abcdef"), STATES, st.sampled_from(["pump-101", "pump-102"])),
    max_size=80,
)


@given(changes=CHANGES, length_s=st.integers(1, 7000))
def test_the_figures_agree_with_each_other(changes: list[tuple[int, str, AlarmState, str]], length_s: int) -> None:
    history = [change(second, name, state, asset=asset) for second, name, state, asset in sorted(changes)]
    found = told(history, length_s)
    assert sum(found.per_period) == found.periods
    assert found.mean * found.periods == pytest.approx(found.alarms)
    if found.most < 20:
        assert sum(n * periods for n, periods in enumerate(found.per_period)) == found.alarms
    assert found.alarms <= sum(each.state is ACTIVE for each in history)
    assert 0 <= found.acceptable <= found.manageable <= 1 - found.over_10 <= 1
    assert found.floods <= round(found.over_10 * found.periods) <= round(found.flood_share * found.periods)
    assert sum(named.count for named in found.frequent) == found.alarms
    assert sum(found.by_priority.values()) == pytest.approx(1.0 if found.alarms else 0.0)
    assert found.fleeting <= len(history)
    assert found.standing <= len({each.alarm_id for each in history})
    newest = {each.alarm_id: each.state for each in history if each.changed < found.last}
    assert found.standing == sum(state in (ACTIVE, ACKNOWLEDGED) for state in newest.values())


@given(counts=st.lists(st.integers(0, 13), min_size=1, max_size=20))
def test_floods_are_those_of_a_simple_model(counts: list[int]) -> None:
    found = told(begin(spread(counts)), len(counts) * PERIOD_S)
    inside = []
    for count in counts:
        inside.append(count >= 5 and (count > 10 or bool(inside and inside[-1])))
    assert round(found.flood_share * len(counts)) == sum(inside)
    assert found.floods == sum(now and not before for before, now in itertools.pairwise([False, *inside]))


async def test_the_route_tells_of_the_last_week(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    week = 7 * DAY_S
    scripted_edge.publish(
        # open for so long that no change of it lies in what is read
        alarm("pump-101", "ancient", -4 * week),
        alarm("pump-101", "over", -4 * week),
        alarm("pump-101", "over", -4 * week + 5, AlarmState.NORMAL),
        *(alarm("pump-101", f"alarm-{number}", number) for number in range(12)),
        alarm("pump-101", "alarm-0", 11, AlarmState.RETURNED_UNACKNOWLEDGED),
        alarm("pump-101", "alarm-1", 5, AlarmState.RETURNED_UNACKNOWLEDGED),
        assessment("pump-101", PERIOD_S - 1),
    )
    await api.until_contiguous(scripted_edge.last_seq)
    found = await api.get("/alarms/performance")
    assert (found["from"], found["to"]) == ("2026-11-16T10:09:59.000000001Z", "2026-11-23T10:09:59.000000001Z")
    assert (found["periods"], found["alarms"], found["most"], found["floods"]) == (1008, 12, 12, 1)
    assert (found["standing"], found["stale"], found["fleeting"]) == (11, 1, 1)
    assert found["chattering"] == [{"asset": "pump-101", "rule": "anomaly", "count": 10}]
    assert found["frequent"] == [{"asset": "pump-101", "rule": "anomaly", "count": 12}]
    assert found["by_priority"] == {"low": 0.0, "medium": 0.0, "high": 1.0, "critical": 0.0}

    before = await api.get("/alarms/performance", **{"from": "2026-11-23T08:00:00Z", "to": "2026-11-23T09:05:00Z"})
    assert (before["from"], before["periods"], before["alarms"]) == ("2026-11-23T07:55:00Z", 7, 0)
    assert (before["acceptable"], before["standing"]) == (1.0, 1)
    later = await api.get("/alarms/performance", **{"from": "2026-11-23T10:05:00Z"})
    assert (later["periods"], later["alarms"]) == (1, 12)


async def test_more_changes_than_are_looked_at_give_no_wrong_figures(
    api: RunningApi, scripted_edge: ScriptedEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_edge.publish(*(alarm("pump-101", f"alarm-{number}", number) for number in range(4)))
    await api.until_contiguous(4)
    monkeypatch.setattr(alarms, "MOST_CHANGES", 4)
    assert (await api.get("/alarms/performance"))["alarms"] == 4
    monkeypatch.setattr(alarms, "MOST_CHANGES", 3)
    answer = await api.client.get("/api/v1/alarms/performance")
    assert (answer.status_code, "shorter time" in answer.json()["detail"]) == (422, True)


async def test_without_any_alarm_all_is_quiet(api: RunningApi) -> None:
    found = await api.get("/alarms/performance")
    assert (found["periods"], found["alarms"], found["by_priority"]) == (1008, 0, {})
    assert (await api.get("/alarms/performance", **{"from": "2026-11-23T10:00:00Z"}))["alarms"] == 0


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "before query.to"),
        ("2020-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "400 days"),
        ("0001-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "1678 to 2262"),
        ("2026-11-23T10:00:00Z", "9999-01-01T00:00:00Z", "1678 to 2262"),
        ("yesterday", "2026-11-23T10:00:00Z", "yesterday"),
    ],
)
async def test_a_time_that_cannot_be_asked_for_is_explained(api: RunningApi, first: str, last: str, says: str) -> None:
    answer = await api.client.get("/api/v1/alarms/performance", params={"from": first, "to": last})
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text
