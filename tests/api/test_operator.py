"""What operators and visitors change: alarms at their edge, faults in the simulator."""

from pathlib import Path

import pytest

from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import START, ScriptedEdge, alarm


@pytest.fixture
async def open_alarm(api: RunningApi, scripted_edge: ScriptedEdge) -> str:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(1)
    return "/alarms/alarm-1"


async def test_an_acknowledgement_goes_to_the_edge_and_comes_back(
    api: RunningApi, scripted_edge: ScriptedEdge, open_alarm: str
) -> None:
    answer = await api.post(f"{open_alarm}/acknowledge", {"comment": "seen"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["by"], answer.json()["comment"]) == (
        "active-acknowledged",
        "operator",
        "seen",
    )
    (verb, command) = scripted_edge.alarm_commands[0]
    assert (verb, command.alarm_id, command.by, command.comment) == ("acknowledge", "alarm-1", "operator", "seen")
    detail = await api.get(open_alarm)
    assert detail["alarm"] == answer.json()
    assert [change["state"] for change in detail["history"]] == ["active-unacknowledged", "active-acknowledged"]

    assert (await api.post(f"{open_alarm}/shelve", {"duration_s": 60})).json()["state"] == "shelved"
    (_, command) = scripted_edge.alarm_commands[1]
    assert command.shelved_until == command.time + 60_000_000_000
    assert (await api.post(f"{open_alarm}/shelve", {"until": "2026-11-23T11:00:00+01:00"})).status_code == 200
    assert scripted_edge.alarm_commands[2][1].shelved_until == START
    assert (await api.post(f"{open_alarm}/unshelve", {})).status_code == 200
    assert (await api.post(f"{open_alarm}/comment", {"comment": "ordered"})).json()["comment"] == "ordered"
    assert [verb for verb, _ in scripted_edge.alarm_commands] == ["acknowledge", "shelve", "shelve", "unshelve", "comment"]


async def test_an_edge_that_says_no_or_nothing(api: RunningApi, scripted_edge: ScriptedEdge, open_alarm: str) -> None:
    scripted_edge.answer = lambda _verb: "an alarm that is normal cannot take 'acknowledge'"
    refused = await api.post(f"{open_alarm}/acknowledge", {})
    assert (refused.status_code, refused.json()["detail"]) == (409, "an alarm that is normal cannot take 'acknowledge'")
    assert (refused.json()["type"], refused.json()["edge"]) == ("/problems/edge-refused", "edge-1")
    scripted_edge.answer = lambda _verb: None
    unanswered = await api.post(f"{open_alarm}/acknowledge", {})
    assert unanswered.status_code == 504
    assert "edge-1" in unanswered.json()["detail"]
    assert (unanswered.json()["type"], unanswered.json()["edge"]) == ("/problems/edge-silent", "edge-1")
    assert unanswered.headers["content-type"] == "application/problem+json"


async def test_visitors_may_read_but_not_change(api: RunningApi, scripted_edge: ScriptedEdge, open_alarm: str) -> None:
    path = f"/api/v1{open_alarm}/acknowledge"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3A6eA=="}):
        answer = await api.client.post(path, json={}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "KULLAGER_OPERATOR_TOKEN" in answer.json()["detail"]
    form = await api.client.post(path, content="{}", headers={**api.operator, "Content-Type": "text/plain"})
    assert form.status_code == 415
    assert scripted_edge.alarm_commands == []


async def test_in_a_demo_every_visitor_may_break_and_repair(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    fault = {"asset": "pump-101", "fault": "bearing-wear", "severity": 0.5, "over_s": 10}
    nobody_there = await api.client.post("/api/v1/simulator/faults", json=fault)
    assert (nobody_there.status_code, nobody_there.json()["type"]) == (503, "/problems/simulator-away")
    scripted_edge.publish_catalogue()

    async def faults() -> object:
        return (await api.get("/simulator/faults"))["items"]

    known = {
        "fault": "bearing-wear",
        "name": {"sv": "Lagerskada", "en": "Bearing wear"},
        "description": {"sv": "Det skakar.", "en": "It shakes."},
        "active": False,
    }
    assert await until(faults) == [{"asset": "pump-101", **known}]
    assert (await api.get("/simulator/machines"))["items"] == [
        {"asset": "pump-101", "name": {"sv": "Pump", "en": "Pump"}, "recipes": ["day", "boost"], "faults": [known]}
    ]
    assert (await api.client.post("/api/v1/simulator/faults", json=fault)).status_code == 202
    assert (await api.client.delete("/api/v1/simulator/faults/pump-101")).status_code == 202
    assert [verb for verb, _ in scripted_edge.simulator_commands] == ["inject", "repair"]
    sent = scripted_edge.simulator_commands[0][1]
    assert {key: sent[key] for key in fault} == fault
    for wrong in ({"asset": "pump-9"}, {"fault": "rust"}):
        assert (await api.client.post("/api/v1/simulator/faults", json={**fault, **wrong})).status_code == 404


async def test_a_visitor_may_ask_for_a_job_and_a_story(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish_catalogue()

    async def scenarios() -> list[dict[str, object]]:
        return (await api.get("/simulator/scenarios"))["items"]

    (week,) = await until(scenarios)
    assert (week["scenario"], week["active"]) == ("week", True)
    for path, body in (("jobs", {"asset": "pump-101", "recipe": "boost"}), ("scenarios", {"scenario": "week"})):
        answer = await api.client.post(f"/api/v1/simulator/{path}", json=body)
        assert answer.status_code == 202
        verb, sent = scripted_edge.simulator_commands.pop()
        assert verb == path.removesuffix("s")
        assert body.items() <= sent.items()
        assert sent["command_id"] == answer.json()["command_id"]
    assert (await api.client.delete("/api/v1/simulator/scenarios")).status_code == 202
    assert scripted_edge.simulator_commands.pop()[1]["scenario"] == ""
    recipe = await api.client.post("/api/v1/simulator/jobs", json={"asset": "pump-101", "recipe": "night"})
    assert (recipe.status_code, recipe.json()["detail"]) == (404, "'pump-101' has no recipe 'night'; possible: day, boost")
    story = await api.client.post("/api/v1/simulator/scenarios", json={"scenario": "saga"})
    assert (story.status_code, story.json()["detail"]) == (404, "there is no scenario 'saga'; possible: week")


async def test_a_visitor_may_ask_for_chaos(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish_catalogue()

    async def kinds() -> list[dict[str, object]]:
        return (await api.get("/simulator/chaos"))["items"]

    (silence,) = await until(kinds)
    assert (silence["chaos"], silence["for_s"], silence["active"]) == ("half-open", 20.0, ["plc"])
    asked = {"source": "plc", "for_s": 5.0, "amount": 1.0}
    assert (await api.client.post("/api/v1/simulator/chaos", json={"chaos": "half-open", **asked})).status_code == 202
    verb, sent = scripted_edge.simulator_commands.pop()
    assert (verb, sent["kind"]) == ("chaos", "half-open")
    assert asked.items() <= sent.items()
    assert (await api.client.delete("/api/v1/simulator/chaos")).status_code == 202
    assert scripted_edge.simulator_commands.pop()[1]["kind"] == "calm"
    fire = await api.client.post("/api/v1/simulator/chaos", json={"chaos": "fire"})
    assert (fire.status_code, fire.json()["detail"]) == (404, "there is no chaos 'fire'; possible: half-open")


async def test_elsewhere_the_simulator_needs_the_operator(
    api: RunningApi, scripted_edge: ScriptedEdge, demo_plant: Path
) -> None:
    text = demo_plant.read_text()  # noqa: ASYNC240  # a small file
    demo_plant.write_text(text.replace("demo = true", "demo = false"))  # noqa: ASYNC240
    await api.stop()
    await api.start()
    scripted_edge.publish_catalogue()
    path = "/api/v1/simulator/faults/pump-101"
    assert (await api.client.delete(path)).status_code == 401

    async def accepted() -> bool:
        return (await api.client.delete(path, headers=api.operator)).status_code == 202

    await until(accepted)


async def test_an_alarm_goes_out_of_service_and_comes_back(
    api: RunningApi, scripted_edge: ScriptedEdge, open_alarm: str
) -> None:
    out = await api.post(f"{open_alarm}/out-of-service", {"comment": "overhaul"})
    assert out.status_code == 200
    assert (out.json()["state"], out.json()["by"], out.json()["comment"]) == ("out-of-service", "operator", "overhaul")
    # it is not normal: it stays in the list of the open ones
    assert [item["state"] for item in (await api.get("/alarms"))["items"]] == ["out-of-service"]
    back = await api.post(f"{open_alarm}/return-to-service", {})
    assert (back.status_code, back.json()["state"]) == (200, "active-unacknowledged")
    assert [(verb, command.alarm_id, command.asset) for verb, command in scripted_edge.alarm_commands] == [
        ("out-of-service", "alarm-1", None),
        ("return-to-service", "alarm-1", None),
    ]


async def test_a_machine_goes_out_of_service_and_comes_back(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    await api.until_connected()
    path = "/assets/pump-101"
    out = await api.post(f"{path}/out-of-service", {"comment": "overhaul"})
    assert (out.status_code, out.json()) == (200, {"asset": "pump-101", "rule": None, "in_service": False})
    back = await api.post(f"{path}/return-to-service", {"rule": "anomaly"})
    assert (back.status_code, back.json()) == (200, {"asset": "pump-101", "rule": "anomaly", "in_service": True})
    told = [(verb, c.asset, c.rule, c.by, c.comment, c.alarm_id) for verb, c in scripted_edge.alarm_commands]
    assert told == [
        ("out-of-service", "pump-101", None, "operator", "overhaul", ""),
        ("return-to-service", "pump-101", "anomaly", "operator", None, ""),
    ]
    scripted_edge.answer = lambda _verb: "'pump-101' has no alarm rule 'color'"
    refused = await api.post(f"{path}/out-of-service", {"rule": "color"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "'pump-101' has no alarm rule 'color'")

    scripted_edge.alarm_commands.clear()
    assert (await api.client.post(f"/api/v1{path}/out-of-service", json={})).status_code == 401
    assert (await api.post("/assets/pump-9/out-of-service", {})).status_code == 404
    # an empty rule is no rule, and not all of them
    for wrong in ({"rule": ""}, {"rules": "anomaly"}, {"comment": ""}, {"comment": "x" * 1001}):
        assert (await api.post(f"{path}/out-of-service", wrong)).status_code == 422
    form = {**api.operator, "Content-Type": "text/plain"}
    assert (await api.client.post(f"/api/v1{path}/out-of-service", content="{}", headers=form)).status_code == 415
    assert scripted_edge.alarm_commands == []
