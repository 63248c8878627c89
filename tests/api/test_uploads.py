"""A model file on its way through the api to the edge that fetches it."""

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest

from api import uploads
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import ScriptedEdge

CONTENT = b"a model" * 1000
HEADERS = {"Content-Type": "application/octet-stream", "X-Model-Signature": "c2lnbmVk\n".strip()}


async def send(api: RunningApi, content: bytes = CONTENT, **headers: str) -> httpx.Response:
    path = "/api/v1/models/pump/upload"
    return await api.client.post(path, content=content, headers={**api.engineer, **HEADERS, **headers})


async def test_the_edge_is_told_where_to_fetch_it(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish_status()
    await api.until_edges("edge-1")
    answer = await send(api)
    assert answer.status_code == 202, answer.text
    (verb, command) = scripted_edge.model_commands.pop()
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (verb, command.name, command.by, command.sha256) == ("model", "pump", "engineer", digest)
    assert (answer.json()["sha256"], command.signature) == (digest, "c2lnbmVk")
    assert command.url.startswith(api.url)
    assert (await api.client.get(command.url)).content == CONTENT
    # it is away after a restart, and nobody guesses its name
    assert (await api.client.get(command.url[:-1])).status_code == 404
    await api.stop()
    await api.start()
    assert (await api.client.get(command.url)).status_code == 404
    assert list((api.home / "api/uploads").iterdir()) == []


async def test_what_cannot_be_taken_is_said_and_leaves_nothing(
    api: RunningApi, scripted_edge: ScriptedEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_edge.publish_status()
    await api.until_edges("edge-1")
    operator = await send(api, **api.operator)
    assert (operator.status_code, operator.json()["role"]) == (403, "engineer")
    assert (await send(api, **{"Content-Type": "application/json"})).status_code == 415
    assert (await send(api, b"")).status_code == 422
    unsigned = await api.client.post(
        "/api/v1/models/pump/upload", content=CONTENT, headers={**api.engineer, "Content-Type": "application/octet-stream"}
    )
    assert (unsigned.status_code, "x-model-signature" in unsigned.json()["detail"]) == (422, True)
    scripted_edge.answer = lambda _verb: "no asset has the model 'pump'"
    assert (await send(api)).status_code == 409
    monkeypatch.setattr(uploads, "LARGEST", 100)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10

    # without a length said beforehand, too
    for content in (CONTENT, parts()):
        assert (await send(api, content)).status_code == 413  # type: ignore[arg-type]
    assert list((api.home / "api/uploads").iterdir()) == []


async def test_no_more_are_kept_than_may_be_and_not_for_long(
    api: RunningApi, scripted_edge: ScriptedEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_edge.publish_status()
    await api.until_edges("edge-1")
    monkeypatch.setattr(uploads, "MOST", 2)
    assert [(await send(api)).status_code for _ in range(3)] == [202, 202, 503]
    monkeypatch.setattr(uploads, "KEPT_S", -1.0)
    monkeypatch.setattr(uploads, "MOST", 3)
    assert (await send(api)).status_code == 202
    url = scripted_edge.model_commands[-1][1].url
    assert (await api.client.get(url)).status_code == 404
    assert len(list((api.home / "api/uploads").iterdir())) == 2
