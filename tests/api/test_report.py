"""The report of a shift."""

import pytest

from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import ScriptedEdge, alarm, case, performance

SHIFT = {"from": "2026-11-23T09:00:00Z", "to": "2026-11-23T17:00:00Z"}


async def test_a_shift_is_told_by_machine_with_what_is_open(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    energy = {"energy": 0.5, "energy_unit": "kW.h", "amount": 2.0, "product_unit": "m3", "withheld_s": {"stale": 12.0}}
    for minute in (1, 2):
        scripted_edge.publish(performance("pump-101", minute, **energy))
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    scripted_edge.publish(case("pump-101", "case-1", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(4)
    told = await api.get("/report", **SHIFT)
    (pump,) = (asset for asset in told["assets"] if asset["id"] == "pump-101")
    assert pump["alarms_by_priority"] == {"high": 1}
    assert [each["alarm_id"] for each in pump["alarms"]] == ["alarm-1"]
    assert [each["case_id"] for each in pump["cases"]] == ["case-1"]
    assert pump["performance"]["operation_s"] == {"running": 120.0}
    assert (told["withheld_s"], told["energy"]) == ({"stale": 24.0}, {"kW.h": 1.0})
    assert [each["alarm_id"] for each in told["open"]["unacknowledged"]] == ["alarm-1"]
    assert [each["case_id"] for each in told["open"]["cases"]] == ["case-1"]
    assert told["open"]["shelved"] == told["open"]["problems"] == []
    assert told["truncated"] is False

    # of another day it tells nothing but what is open now
    quiet = await api.get("/report", **{"from": "2026-11-20T09:00:00Z", "to": "2026-11-20T17:00:00Z"})
    assert all(not asset["alarms"] and not asset["cases"] for asset in quiet["assets"])
    assert (quiet["withheld_s"], quiet["energy"], len(quiet["open"]["alarms"])) == ({}, {}, 1)

    # what the next shift has to know
    await api.post("/alarms/alarm-1/acknowledge", {"comment": "bearing is ordered"})
    scripted_edge.publish_status(online=False)

    async def offline() -> bool:
        return bool((await api.get("/report", **SHIFT))["open"]["problems"])

    await until(offline)
    after = (await api.get("/report", **SHIFT))["open"]
    assert (after["unacknowledged"], after["problems"]) == ([], ["edge 'edge-1' is offline"])
    assert after["alarms"][0]["comment"] == "bearing is ordered"


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"from": "2026-11-23T09:00:00Z", "to": "2026-11-23T09:00:00Z"}, "before"),
        ({"from": "2026-01-23T09:00:00Z", "to": "2026-11-23T09:00:00Z"}, "31 days"),
        ({"from": "morning"}, "morning"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_time_is_explained(shared_api: RunningApi, parameters: dict[str, str], says: str) -> None:
    answer = await shared_api.client.get("/api/v1/report", params=parameters)
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True)
