"""The shape of answers and errors."""

import re

import pytest

from tests.api.running_api import RunningApi

# one api for all of these, and so one event loop
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "says"),
    [
        ("GET", "/api/v1/nothing", 404, "not-found", "openapi.json"),
        ("GET", "/api/nothing", 404, "not-found", "/api/nothing"),
        ("POST", "/api/v1/assets", 405, "method", "POST"),
        ("GET", "/api/v1/assets/pump-9", 404, "not-found", "pump-101"),
        ("GET", "/api/v1/assets/pump-9/assessments", 404, "not-found", "pump-101"),
        ("GET", "/api/v1/assets/pump-101/assessments?points=9", 422, "invalid-request", "query.points"),
        ("GET", "/api/v1/assets/pump-101/assessments?from=yesterday", 422, "invalid-request", "yesterday"),
        (
            "GET",
            "/api/v1/assets/pump-101/assessments?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            422,
            "invalid-request",
            "before",
        ),
        ("GET", "/api/v1/assets/pump-101/assessments?from=0001-01-01T00:00:00Z", 422, "invalid-request", "1678 to 2262"),
        ("GET", "/api/v1/assets/pump-101/assessments?to=9999-12-31T00:00:00Z", 422, "invalid-request", "1678 to 2262"),
        ("GET", "/api/v1/cases/none", 404, "not-found", "none"),
        ("GET", "/api/v1/alarms?state=some", 422, "invalid-request", "query.state"),
        ("GET", "/api/v1/alarms/none", 404, "not-found", "none"),
    ],
)
async def test_errors_are_problem_details(
    shared_api: RunningApi, method: str, path: str, status: int, kind: str, says: str
) -> None:
    answer = await shared_api.client.request(method, path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{kind}", status)
    assert says in body["detail"]
    assert body["instance"] == path.partition("?")[0]
    assert body["title"]


@pytest.mark.parametrize(
    ("verb", "body", "names"),
    [
        ("shelve", {}, "duration_s or until"),
        ("shelve", {"duration_s": 60, "until": "2026-11-23T11:00:00Z"}, "duration_s or until"),
        ("shelve", {"duration_s": -1}, "duration_s"),
        ("shelve", {"until": "tomorrow"}, "tomorrow"),
        ("shelve", {"until": "2300-01-01T00:00:00Z"}, "1678 to 2262"),
        ("comment", {}, "comment"),
        ("comment", {"comment": "x" * 1001}, "1000"),
        ("acknowledge", {"komment": "x"}, "komment"),
    ],
)
async def test_a_wrong_body_is_explained(shared_api: RunningApi, verb: str, body: dict[str, object], names: str) -> None:
    answer = await shared_api.post(f"/alarms/alarm-1/{verb}", body)
    assert answer.status_code == 422
    assert names in answer.json()["detail"]
    assert answer.json()["errors"]


async def test_answers_carry_the_headers_that_protect_a_browser(shared_api: RunningApi) -> None:
    for path in ("/", "/api/v1/assets", "/api/v1/docs", "/api/v1/nothing"):
        headers = (await shared_api.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]


async def test_an_asset_without_results_has_none(shared_api: RunningApi) -> None:
    answer = await shared_api.get("/assets")
    assert answer["next"] is None
    assert answer["items"][0]["latest"] is None
    assert (await shared_api.get("/assets/pump-101/assessments")) == {"items": [], "next": None}


async def test_the_documentation_needs_nothing_from_elsewhere(shared_api: RunningApi) -> None:
    page = (await shared_api.client.get("/api/v1/docs")).text
    schema = await shared_api.get("/openapi.json")
    assert all(path in page for path in schema["paths"])
    assert not re.search(r"(src|href)=.?(https?:)?//", page)
