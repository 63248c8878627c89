"""A thinned history looks like the whole one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from api.downsample import TOGETHER, thin, thin_rows
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import ScriptedEdge, assessment


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 400), elements=st.one_of(st.floats(0, 10), st.just(np.nan))),
    st.integers(10, 100),
)
def test_it_keeps_its_promises(scores: np.ndarray, points: int) -> None:
    kept = thin(scores, points)
    assert len(kept) <= points or len(kept) == len(scores)
    assert list(kept) == sorted(set(kept))
    assert {0, len(scores) - 1} <= set(kept)
    if not np.isnan(scores).all():
        assert np.nanmax(scores[kept]) == np.nanmax(scores)
        assert np.nanmin(scores[kept]) == np.nanmin(scores)


def test_a_single_peak_and_the_ends_of_a_gap_survive() -> None:
    scores = 0.3 + 0.1 * np.sin(np.arange(50_000) / 100)
    scores[31_234] = 7.0
    scores[10_000:20_000] = np.nan
    kept = set(thin(scores, 100))
    assert {31_234, 10_000, 19_999} <= kept
    assert len(kept) <= 100
    # the scored part keeps most of the points: a gap needs two
    assert sum(1 for index in kept if not np.isnan(scores[index])) > 80


def test_long_histories_are_thinned_in_parts() -> None:
    n = TOGETHER + 50_000
    rows = [(event_id, event_id, 9.0 if event_id == 123_456 else 0.5 + event_id % 7 / 100) for event_id in range(n)]
    kept = thin_rows((rows[start : start + 20_000] for start in range(0, n, 20_000)), 50)
    assert len(kept) <= 50
    assert {0, 123_456, n - 1} <= set(kept)
    assert kept == sorted(kept)


async def test_the_route_thins_whole_messages(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scores = [0.4 + second % 5 / 100 for second in range(600)]
    scores[333] = 3.0
    history = [assessment("pump-101", second, None if 100 <= second < 150 else scores[second]) for second in range(600)]
    scripted_edge.publish(*history)
    await api.until_contiguous(600)
    items = (await api.get("/assets/pump-101/assessments", points=40))["items"]
    assert len(items) <= 40
    assert max(item["score"] or 0 for item in items) == 3.0
    times = [item["time"] for item in items]
    assert times == sorted(times)
    assert {101, 150} <= {item["seq"] for item in items if item["state"] == "withheld"}
    some = await api.get(
        "/assets/pump-101/assessments", **{"from": "2026-11-23T10:00:10Z", "to": "2026-11-23T11:00:12+01:00", "points": 100}
    )
    assert [item["time"] for item in some["items"]] == [f"2026-11-23T10:00:{second}Z" for second in (10, 11, 12)]
