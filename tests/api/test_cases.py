"""Cases, and the other kinds of results beside assessments and alarms: they live in the journal as those do."""

import signal

import orjson
import pytest

from edge.contracts.alarm import AlarmState
from edge.contracts.case import CaseState
from tests.api.running_api import ApiProcess, RunningApi, take, until
from tests.api.scripted_edge import ScriptedEdge, alarm, assessment, audit, case, performance


async def test_a_case_opens_changes_and_closes(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(case("pump-101", "case-1", 0))
    await api.until_contiguous(1)
    (found,) = (await api.get("/cases"))["items"]
    assert (found["case_id"], found["state"], found["seq"]) == ("case-1", "open", 1)
    assert found["advice"]["until"] == "2026-11-24T10:00:00Z"

    scripted_edge.publish(case("pump-101", "case-1", 60, alarms=("alarm-1", "alarm-2"), worst_score=2.5))
    await api.until_contiguous(2)
    (found,) = (await api.get("/cases"))["items"]
    assert (found["alarms"], found["worst_score"]) == (["alarm-1", "alarm-2"], 2.5)

    scripted_edge.publish(case("pump-101", "case-1", 120, CaseState.CLOSED))
    # as an edge does with what is over
    scripted_edge.send(scripted_edge.topics.case("pump-101", "case-1"), b"")
    await api.until_contiguous(3)
    assert (await api.get("/cases"))["items"] == []
    detail = await api.get("/cases/case-1")
    assert (detail["case"]["state"], detail["case"]["closed"]) == ("closed", "2026-11-23T10:02:00Z")
    assert [change["seq"] for change in detail["history"]] == [1, 2, 3]
    unknown = await api.client.get("/api/v1/cases/case-9")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert "case-9" in unknown.json()["detail"]


async def test_the_one_that_changed_last_comes_first_and_an_asset_narrows(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(
        case("pump-101", "case-1", 0),
        case("pump-102", "case-2", 10),
        case("pump-101", "case-3", 20),
        case("pump-101", "case-1", 30, CaseState.CLOSED),
    )
    await api.until_contiguous(4)

    async def ids(**parameters: str) -> list[str]:
        return [found["case_id"] for found in (await api.get("/cases", **parameters))["items"]]

    assert await ids() == ["case-3", "case-2"]
    assert await ids(state="all") == ["case-1", "case-3", "case-2"]
    assert await ids(state="all", asset="pump-101") == ["case-1", "case-3"]
    assert await ids(asset="pump-102") == ["case-2"]
    assert await ids(state="all", asset="pump-9") == []
    assert (await api.client.get("/api/v1/cases?state=some")).status_code == 422


async def test_a_case_that_was_cleared_is_not_open_and_an_alarm_of_its_name_is_another_thing(
    api: RunningApi, scripted_edge: ScriptedEdge
) -> None:
    scripted_edge.publish(alarm("pump-101", "same", 0), case("pump-101", "same", 1))
    await api.until_contiguous(2)
    assert [change["seq"] for change in (await api.get("/cases/same"))["history"]] == [2]
    assert [change["seq"] for change in (await api.get("/alarms/same"))["history"]] == [1]
    scripted_edge.send(scripted_edge.topics.case("pump-101", "same"), b"")

    async def none_open() -> bool:
        return (await api.get("/cases"))["items"] == []

    await until(none_open)
    assert [found["alarm_id"] for found in (await api.get("/alarms"))["items"]] == ["same"]
    assert [found["case_id"] for found in (await api.get("/cases", state="all"))["items"]] == ["same"]


async def test_an_alarm_that_is_put_back_into_service_is_open_although_its_topic_was_cleared_between(
    api: RunningApi, scripted_edge: ScriptedEdge
) -> None:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0, AlarmState.OUT_OF_SERVICE))
    await api.until_contiguous(1)
    for second in range(1, 20, 2):
        scripted_edge.publish(alarm("pump-101", "alarm-1", second, AlarmState.NORMAL))
        scripted_edge.send(scripted_edge.topics.alarm("pump-101", "alarm-1"), b"")
        scripted_edge.publish(alarm("pump-101", "alarm-1", second + 1))
    await api.until_contiguous(scripted_edge.last_seq)
    assert [found["state"] for found in (await api.get("/alarms"))["items"]] == ["active-unacknowledged"]


@pytest.fixture
def of_each_kind(scripted_edge: ScriptedEdge) -> list[int]:
    """What is in the journal and was never sent: their numbers."""
    return [
        scripted_edge.append(message)
        for message in (
            assessment("pump-101", 0),
            case("pump-101", "case-1", 1),
            performance("pump-101", 0),
            audit(2),
            case("pump-101", "case-1", 3, CaseState.CLOSED),
            alarm("pump-101", "alarm-1", 4),
        )
    ]


async def everything(api: RunningApi) -> dict[str, list[int]]:
    wide = {"from": "2026-11-23T09:00:00Z", "to": "2026-11-23T11:00:00Z"}
    return {
        "assessments": await api.numbers(),
        "alarms": [item["seq"] for item in (await api.get("/alarms"))["items"]],
        "case": [item["seq"] for item in (await api.get("/cases/case-1"))["history"]],
        "performance": [item["seq"] for item in (await api.get("/assets/pump-101/performance", **wide))["items"]],
        "audit": [item["seq"] for item in (await api.get("/models/audit"))["items"]],
    }


async def test_every_kind_is_asked_for_again_streamed_and_there_after_a_restart(
    api: RunningApi, scripted_edge: ScriptedEdge, of_each_kind: list[int]
) -> None:
    async with api.stream() as events:
        scripted_edge.publish_status()
        await api.until_contiguous(of_each_kind[-1])
        told = await take(events, 7)
    assert sorted(event.kind for event in told) == sorted(
        ["alarm", "assessment", "audit", "case", "case", "performance", "status"]
    )
    assert {event.data.encode() for event in told if event.kind == "case"} == {
        payload for _, payload in scripted_edge.entries.values() if orjson.loads(payload)["kind"] == "case"
    }
    expected = {"assessments": [1], "alarms": [6], "case": [2, 5], "performance": [3], "audit": [4]}
    assert await everything(api) == expected
    await api.stop()
    scripted_edge.append(audit(5))
    await api.start()
    assert await everything(api) == expected
    assert (await api.get("/cases"))["items"] == []
    scripted_edge.publish(case("pump-101", "case-2", 6))
    status = await api.until_contiguous(8)
    assert await everything(api) == {**expected, "audit": [4, 7]}
    assert [item["seq"] for item in (await api.get("/cases"))["items"]] == [8]
    assert status["losses"] == []


async def test_killing_the_api_loses_and_doubles_nothing_of_any_kind(
    api_process: ApiProcess, scripted_edge: ScriptedEdge, of_each_kind: list[int]
) -> None:
    for number in of_each_kind[1::2]:
        scripted_edge.send(*scripted_edge.entries[number])
    assert await api_process.end(signal.SIGKILL) != 0
    await api_process.start()
    for number in of_each_kind[::2]:
        scripted_edge.send(*scripted_edge.entries[number])
    scripted_edge.publish_status()
    status = await api_process.until_contiguous(of_each_kind[-1])
    assert await everything(api_process) == {
        "assessments": [1],
        "alarms": [6],
        "case": [2, 5],
        "performance": [3],
        "audit": [4],
    }
    assert (status["losses"], status["ingest"]["rejected"]) == ([], {})
