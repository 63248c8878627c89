"""How complete the values of a machine were, signal by signal."""

from dataclasses import replace

import pytest

from edge.contracts.assessment import Reason
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import ScriptedEdge, assessment


async def test_gaps_and_reasons_of_the_time_that_is_asked_for(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    nothing = await api.get("/assets/pump-101/quality")
    assert (nothing["instants"], nothing["withheld"], nothing["signals"]) == (0, {}, [])
    stale = [replace(assessment("pump-101", s, None), reason=Reason.STALE, measured={"vibration": None}) for s in (4, 5)]
    told = [assessment("pump-101", s) for s in range(4)] + stale + [assessment("pump-101", s) for s in range(6, 12)]
    scripted_edge.publish(assessment("pump-101", -7200), *told, assessment("pump-102", 3))
    await api.until_contiguous(len(told) + 2)

    found = await api.get("/assets/pump-101/quality")
    assert (found["asset"], found["instants"], found["withheld"]) == ("pump-101", 12, {"stale": 2})
    (vibration,) = [each for each in found["signals"] if each["signal"] == "vibration"]
    assert vibration["present"] == pytest.approx(10 / 12)
    assert (vibration["longest_gap_s"], vibration["last"]) == (2.0, found["to"])
    speed = next(each for each in found["signals"] if each["signal"] == "speed")
    assert (speed["present"], speed["last"], speed["longest_gap_s"]) == (0.0, None, 12.0)

    times = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T10:00:11Z"}
    (vibration, *_) = [e for e in (await api.get("/assets/pump-101/quality", **times))["signals"] if e["signal"] == "vibration"]
    assert vibration["strip"] == [1.0] * 4 + [0.0] * 2 + [1.0] * 6


async def test_what_cannot_be_asked_for_is_said(api: RunningApi) -> None:
    unknown = await api.client.get("/api/v1/assets/pump-9/quality")
    assert (unknown.status_code, unknown.json()["detail"][:27]) == (404, "there is no asset 'pump-9';")
    turned = {"from": "2026-11-23T11:00:00Z", "to": "2026-11-23T10:00:00Z"}
    refused = await api.client.get("/api/v1/assets/pump-101/quality", params=turned)
    assert (refused.status_code, "should be a time before query.to" in refused.json()["detail"]) == (422, True)
