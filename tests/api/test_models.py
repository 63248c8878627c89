"""Models in service: what the edges tell of them, and what an engineer does with them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api import commands
from edge.contracts.audit import ModelStep
from edge.contracts.plant_file import load_plant
from edge.contracts.status import ModelStatus, ShadowStatus
from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import SECOND, START, ScriptedEdge, assessment, audit
from tests.conftest import Mosquitto

SHA = "0123456789abcdef" * 4
NEW_MODEL = {"url": "http://models.example/pump-4.onnx", "sha256": SHA.upper(), "signature": "c2lnbmVk"}


@pytest_asyncio.fixture
async def second_edge(demo_plant: Path, mosquitto: Mosquitto) -> AsyncIterator[ScriptedEdge]:
    async with ScriptedEdge(mosquitto.url, load_plant(demo_plant).topics, "edge-2") as edge:
        yield edge


async def send(api: RunningApi, verb: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    return await api.client.request(verb, f"/api/v1/models/{path}", json=body, headers=headers)


ROUTES = [
    ("POST", "pump/shadow", NEW_MODEL, "model"),
    ("DELETE", "pump/shadow", None, "dismiss"),
    ("POST", "pump/promote", {"sha256": SHA}, "promote"),
    ("POST", "pump/promote", {}, "promote"),
    ("POST", "pump/rollback", {}, "rollback"),
]


async def test_what_an_engineer_does_goes_to_the_edge(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish_status()
    await api.until_edges("edge-1")
    for method, path, body, verb in ROUTES:
        answer = await send(api, method, path, body, **api.engineer)
        assert answer.status_code == 202, answer.text
        sent_verb, command = scripted_edge.model_commands.pop()
        assert (sent_verb, command.name, command.by) == (verb, "pump", "engineer")
        assert command.command_id == answer.json()["command_id"]
        wanted = SHA if body and "sha256" in body else ""
        assert command.sha256 == wanted
        if verb == "model":
            assert (command.url, command.signature) == (NEW_MODEL["url"], NEW_MODEL["signature"])


async def test_an_edge_that_refuses_says_why_and_silence_is_told(
    api: RunningApi, scripted_edge: ScriptedEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.until_connected()
    said = "there is no model in shadow for 'pump'; send one first"
    scripted_edge.answer = lambda _verb: said
    for method, path, body, _ in ROUTES:
        answer = await send(api, method, path, body, **api.engineer)
        assert (answer.status_code, answer.json()["detail"]) == (409, said)
        assert answer.headers["content-type"] == "application/problem+json"
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 0.2)
    scripted_edge.answer = lambda _verb: None
    answer = await send(api, "POST", "pump/rollback", {}, **api.engineer)
    assert (answer.status_code, "edge-1" in answer.json()["detail"]) == (504, True)


async def test_visitors_may_not_and_a_wrong_body_is_explained(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    for method, path, body, _ in ROUTES:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = await send(api, method, path, body, **headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for path, wrong, names in (
        ("shadow", {}, "body.url"),
        ("shadow", {**NEW_MODEL, "url": ""}, "body.url"),
        ("shadow", {**NEW_MODEL, "sha256": SHA[1:]}, "body.sha256"),
        ("shadow", {**NEW_MODEL, "sha256": SHA[1:] + "g"}, "body.sha256"),
        ("shadow", {**NEW_MODEL, "sha256": SHA + "\n"}, "body.sha256"),
        ("shadow", {**NEW_MODEL, "signature": "x" * 201}, "body.signature"),
        ("shadow", {**NEW_MODEL, "version": "4"}, "body.version"),
        ("promote", {"sha256": "4"}, "body.sha256"),
        # there is but one to go back to: who names another would get what was not meant
        ("rollback", {"sha256": SHA}, "body.sha256"),
    ):
        answer = await send(api, "POST", f"pump/{path}", wrong, **api.engineer)
        assert (answer.status_code, names in answer.json()["detail"]) == (422, True), answer.text
    form = await api.client.post(
        "/api/v1/models/pump/rollback", content="{}", headers={**api.engineer, "Content-Type": "text/plain"}
    )
    assert form.status_code == 415
    assert scripted_edge.model_commands == []


async def test_what_is_in_service_and_in_shadow_is_told_with_its_time(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    shadow = ShadowStatus(version="4", sha256=SHA, since=START + SECOND // 2, instants=10, scored=9, agreed=8)
    pump = ModelStatus(version="3", assets=("pump-101",), sha256=SHA, previous=2, shadow=shadow)
    scripted_edge.publish_status(models={"pump": pump, "spindle": ModelStatus(problem="there is none")})
    await api.until_edges("edge-1")

    async def check() -> None:
        found, without = (await api.get("/models"))["items"]
        assert (found["name"], found["edge"], found["previous"], found["sha256"]) == ("pump", "edge-1", 2, SHA)
        assert found["shadow"]["since"] == "2026-11-23T10:00:00.5Z"
        assert (found["shadow"]["version"], found["shadow"]["agreed"], found["shadow"]["difference"]) == ("4", 8, None)
        assert (without["name"], without["problem"], without["shadow"]) == ("spindle", "there is none", None)
        (status,) = (await api.status())["edges"]
        assert status["models"]["pump"]["shadow"]["since"] == "2026-11-23T10:00:00.5Z"

    await check()
    await api.stop()
    await api.start()
    await check()


async def test_every_step_is_kept_in_its_order(api: RunningApi, scripted_edge: ScriptedEdge, second_edge: ScriptedEdge) -> None:
    scripted_edge.publish(
        audit(0, ModelStep.REFUSED, reason="its sha256 is not what was said"), audit(10, ModelStep.SHADOW, version="4")
    )
    second_edge.publish(audit(5, ModelStep.WITHDRAWN, edge="edge-2"))
    scripted_edge.publish(audit(20, version="4", sha256=SHA, key="plant"))

    async def steps() -> list[dict[str, Any]] | None:
        items = (await api.get("/models/audit"))["items"]
        return items if len(items) == 4 else None

    found = await until(steps)
    assert found is not None
    assert [(each["edge"], each["step"]) for each in found] == [
        ("edge-1", "refused"),
        ("edge-2", "withdrawn"),
        ("edge-1", "shadow"),
        ("edge-1", "promoted"),
    ]
    assert found[0]["reason"] == "its sha256 is not what was said"
    assert (found[3]["time"], found[3]["key"]) == ("2026-11-23T10:00:20Z", "plant")


async def test_of_a_fleet_the_edge_that_has_the_model_is_asked(
    api: RunningApi, scripted_edge: ScriptedEdge, second_edge: ScriptedEdge
) -> None:
    both, alone = ModelStatus(version="1"), ModelStatus(version="2")
    scripted_edge.publish_status(models={"pump": both})
    second_edge.publish_status(models={"pump": both, "spindle": alone})
    await api.until_edges("edge-1", "edge-2")

    async def asked(name: str, edge: str | None = None) -> list[str]:
        answer = await send(api, "POST", f"{name}/rollback" + (f"?edge={edge}" if edge else ""), {}, **api.engineer)
        assert answer.status_code == 202, answer.text
        edges = [each.name for each in (scripted_edge, second_edge) if each.model_commands]
        scripted_edge.model_commands.clear()
        second_edge.model_commands.clear()
        return edges

    assert await asked("spindle") == ["edge-2"]
    # of several that of the plant file; and where none has it, this one says so
    assert await asked("pump") == ["edge-1"]
    assert await asked("compressor") == ["edge-1"]
    assert await asked("pump", "edge-2") == ["edge-2"]
    for wrong in ("edge-9", "%2B", "edge-1/command/%23"):
        answer = await send(api, "POST", f"pump/rollback?edge={wrong}", {}, **api.engineer)
        assert (answer.status_code, "possible: edge-1, edge-2" in answer.json()["detail"]) == (404, True), answer.text


async def test_of_several_others_one_has_to_be_named(
    api: RunningApi, scripted_edge: ScriptedEdge, second_edge: ScriptedEdge, mosquitto: Mosquitto
) -> None:
    async with ScriptedEdge(mosquitto.url, scripted_edge.topics, "edge-3") as third:
        for edge in (second_edge, third):
            edge.publish_status(models={"spindle": ModelStatus(version="1")})
        await api.until_edges("edge-2", "edge-3")
        answer = await send(api, "POST", "spindle/rollback", {}, **api.engineer)
    assert (answer.status_code, "possible: edge-2, edge-3" in answer.json()["detail"]) == (409, True)


async def test_a_machine_goes_out_of_service_at_the_edge_that_told_last_of_it(
    api: RunningApi, scripted_edge: ScriptedEdge, second_edge: ScriptedEdge
) -> None:
    await api.until_connected()

    async def asked() -> list[str]:
        answer = await api.post("/assets/pump-101/out-of-service", {})
        assert answer.status_code == 200, answer.text
        edges = [each.name for each in (scripted_edge, second_edge) if each.alarm_commands]
        scripted_edge.alarm_commands.clear()
        second_edge.alarm_commands.clear()
        return edges

    async def newest(edge: ScriptedEdge, second: int) -> None:
        edge.publish(assessment("pump-101", second))

        async def told() -> bool:
            latest = (await api.get("/assets/pump-101"))["latest"]
            return latest is not None and (latest["edge"], latest["seq"]) == (edge.name, edge.last_seq)

        await until(told)

    assert await asked() == ["edge-1"]
    await newest(second_edge, 10)
    assert await asked() == ["edge-2"]
    # the machine is moved, and moved back: the first edge's journal is the older one and yet tells the newest
    await newest(scripted_edge, 20)
    assert await asked() == ["edge-1"]
    await newest(second_edge, 30)
    await api.stop()
    await api.start()
    await api.until_connected()
    assert await asked() == ["edge-2"]
