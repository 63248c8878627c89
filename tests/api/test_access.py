"""Roles, tokens and sessions, as a program and a browser meet them."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import sessions
from tests.api.running_api import ROOT, TOKEN, RunningApi
from tests.conftest import PLAIN_HTTP

OUT_OF_SERVICE = "/api/v1/assets/pump-9/out-of-service"


async def sign_in(api: RunningApi, client: httpx.AsyncClient, token: str) -> dict[str, Any]:
    answer = await client.post(f"{api.url}/api/v1/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/alarms/none/acknowledge", "operator"),
        ("POST", "/assets/pump-101/out-of-service", "operator"),
        ("POST", "/models/pump/rollback", "engineer"),
        ("DELETE", "/models/pump/shadow", "engineer"),
        ("GET", "/tokens", "admin"),
        ("POST", "/tokens", "admin"),
        ("DELETE", "/tokens/none", "admin"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_each_role_may_what_the_ones_before_it_may(shared_api: RunningApi, method: str, path: str, needed: str) -> None:
    roles = ["operator", "engineer", "admin"]
    credentials = dict(zip(roles, (shared_api.operator, shared_api.engineer, shared_api.admin), strict=True))
    nobody = await shared_api.client.request(method, f"/api/v1{path}", json={})
    assert (nobody.status_code, nobody.json()["type"], nobody.json()["role"]) == (401, "/problems/sign-in", needed)
    assert needed in nobody.json()["detail"]
    for role in roles:
        answer = await shared_api.client.request(method, f"/api/v1{path}", json={}, headers=credentials[role])
        if roles.index(role) < roles.index(needed):
            assert (answer.status_code, answer.json()["role"]) == (403, needed)
            assert answer.json()["type"] == "/problems/role-too-low"
            assert f"the role {role}" in answer.json()["detail"]
            assert answer.headers["content-type"] == "application/problem+json"
        else:
            assert answer.status_code not in {401, 403}


async def test_a_browser_signs_in_changes_and_signs_out(api: RunningApi) -> None:
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=PLAIN_HTTP) as browser:
        nobody = await browser.get("/api/v1/session")
        assert nobody.json() == {"name": None, "role": "visitor", "csrf": None}
        answer = await browser.post("/api/v1/session", json={"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("kullager_session=")
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert "Secure" not in cookie
        assert TOKEN not in cookie
        csrf = answer.json().pop("csrf")
        assert answer.json() == {"name": "operator", "role": "operator", "csrf": csrf}
        assert (await browser.get("/api/v1/session")).json() == answer.json()

        # the cookie alone, as another site might make a browser send it, changes nothing
        for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": csrf[:-1]}):
            forged = await browser.post(OUT_OF_SERVICE, json={}, headers=headers)
            assert forged.status_code == 403
            assert "X-CSRF-Token" in forged.json()["detail"]
        assert (await browser.post(OUT_OF_SERVICE, json={}, headers={"X-CSRF-Token": csrf})).status_code == 404
        too_low = await browser.post("/api/v1/models/pump/rollback", json={}, headers={"X-CSRF-Token": csrf})
        assert (too_low.status_code, too_low.json()["role"]) == (403, "engineer")

        await api.stop()
        await api.start()
        assert (await browser.get("/api/v1/session")).json()["csrf"] == csrf, "a restart signs nobody out"
        kept = browser.cookies["kullager_session"]
        assert (await browser.delete("/api/v1/session")).status_code == 204
        assert "kullager_session" not in browser.cookies
        browser.cookies.set("kullager_session", kept)
        assert (await browser.get("/api/v1/session")).json()["role"] == "visitor", "the old cookie is worth nothing"
        ended = await browser.post(OUT_OF_SERVICE, json={}, headers={"X-CSRF-Token": csrf})
        assert (ended.status_code, "ended" in ended.json()["detail"]) == (401, True)
    with closing(sqlite3.connect(api.home / "api/api.sqlite")) as database:
        assert kept not in "".join(str(row) for row in database.execute("select * from sessions"))


async def test_over_https_the_cookie_stays_there(api: RunningApi) -> None:
    forwarded = {"X-Forwarded-Proto": "https"}
    answer = await api.client.post("/api/v1/session", json={"token": TOKEN}, headers=forwarded)
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_session_ends_unused_and_with_its_token(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await api.client.post("/api/v1/tokens", json={"name": "anna", "role": "engineer"}, headers=api.admin)).json()
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=PLAIN_HTTP) as browser:
        assert (await sign_in(api, browser, made["token"]))["name"] == "anna"
        monkeypatch.setattr(sessions, "UNUSED_NS", 0)
        assert (await browser.get("/api/v1/session")).json()["role"] == "visitor"
        monkeypatch.undo()
        await sign_in(api, browser, made["token"])
        assert (await browser.get("/api/v1/session")).json()["role"] == "engineer"
        assert (await api.client.delete(f"/api/v1/tokens/{made['id']}", headers=api.admin)).status_code == 204
        assert (await browser.get("/api/v1/session")).json()["role"] == "visitor"


async def test_sessions_are_no_more_than_are_kept(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    browsers = [httpx.AsyncClient(base_url=api.url, trust_env=False, verify=PLAIN_HTTP) for _ in range(3)]
    for browser in browsers:
        await sign_in(api, browser, TOKEN)
    roles = [(await browser.get("/api/v1/session")).json()["role"] for browser in browsers]
    assert roles == ["visitor", "operator", "operator"]
    for browser in browsers:
        await browser.aclose()


async def test_an_admin_makes_and_revokes_tokens(api: RunningApi) -> None:
    async def tokens() -> dict[str, dict[str, Any]]:
        answer = await api.client.get("/api/v1/tokens", headers=api.admin)
        return {token["name"]: token for token in answer.json()["items"]}

    async def make(name: str, role: str) -> httpx.Response:
        return await api.client.post("/api/v1/tokens", json={"name": name, "role": role}, headers=api.admin)

    assert {(t["name"], t["role"], t["kind"]) for t in (await tokens()).values()} == {
        ("operator", "operator", "environment"),
        ("engineer", "engineer", "environment"),
        ("admin", "admin", "environment"),
    }
    answer = await make("Åsa skift 2", "operator")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["made_by"], made["used"]) == ("Åsa skift 2", "admin", None)
    mine = {"Authorization": f"Bearer {made['token']}"}
    assert (await api.client.post(OUT_OF_SERVICE, json={}, headers=mine)).status_code == 404
    told = (await tokens())["Åsa skift 2"]
    assert told["used"] is not None
    assert "token" not in told
    assert made["token"] not in (await api.client.get("/api/v1/tokens", headers=api.admin)).text
    for file in (api.home / "api").iterdir():
        assert made["token"].encode() not in file.read_bytes(), "only its digest is kept"

    twice = await make("Åsa skift 2", "admin")
    assert (twice.status_code, "Åsa skift 2" in twice.json()["detail"]) == (409, True)
    for name, role in (("", "operator"), ("x" * 65, "operator"), ("a\nb", "operator"), ("b", "visitor"), ("b", "king")):
        assert (await make(name, role)).status_code == 422
    assert (await api.client.delete(f"/api/v1/tokens/{made['id']}", headers=api.admin)).status_code == 204
    assert (await api.client.post(OUT_OF_SERVICE, json={}, headers=mine)).status_code == 401
    given = await api.client.delete("/api/v1/tokens/environment-operator", headers=api.admin)
    assert (given.status_code, "environment" in given.json()["detail"]) == (409, True)
    assert (await api.client.delete(f"/api/v1/tokens/{made['id']}", headers=api.admin)).status_code == 404


async def test_the_first_token_can_be_revoked_once_there_is_another(
    demo_plant: Path, free_port: Callable[[], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = RunningApi(demo_plant, free_port(), tmp_path / "home")
    for role in ("OPERATOR", "ENGINEER", "ADMIN"):
        del api.environment[f"KULLAGER_{role}_TOKEN"]
    await api.start()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "operator's token" in line]
    first = {"Authorization": f"Bearer {line.rpartition(' ')[2]}"}
    alone = await api.client.delete("/api/v1/tokens/first-start", headers=first)
    assert (alone.status_code, "last token of an admin" in alone.json()["detail"]) == (409, True)
    made = (await api.client.post("/api/v1/tokens", json={"name": "anna", "role": "admin"}, headers=first)).json()
    anna = {"Authorization": f"Bearer {made['token']}"}
    assert (await api.client.delete("/api/v1/tokens/first-start", headers=anna)).status_code == 204
    for _ in range(2):
        assert (await api.client.get("/api/v1/tokens", headers=first)).status_code == 401
        items = (await api.client.get("/api/v1/tokens", headers=anna)).json()["items"]
        assert [token["name"] for token in items] == ["anna"]
        # and a restart does not bring it back
        await api.stop()
        await api.start()
    assert "operator's token" not in capsys.readouterr().err
    await api.close()


async def test_who_guesses_has_to_wait(api: RunningApi) -> None:
    answers = [await api.client.post("/api/v1/session", json={"token": f"wrong-{number}"}, headers={}) for number in range(25)]
    codes = [answer.status_code for answer in answers]
    assert codes[:20] == [401] * 20
    assert codes[-1] == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await api.client.post(OUT_OF_SERVICE, json={}, headers=api.operator)).status_code == 429
    # who only reads is not asked
    assert (await api.client.get("/api/v1/assets", headers=api.operator)).status_code == 200


async def api_command(home: Path, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "api", *arguments),
        cwd=ROOT,
        env={"KULLAGER_HOME": str(home), "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_off_loopback_somebody_has_to_have_a_token(
    demo_plant: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    code, _, err = await api_command(home, "run", "--plant", str(demo_plant), "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    (line,) = err.splitlines()
    assert "KULLAGER_ADMIN_TOKEN" in line
    assert "python -m api token" in line

    code, out, err = await api_command(home, "token", "admin", "--role", "admin", "--if-none")
    assert (code, err) == (0, "")
    token = out.strip().rpartition(" ")[2]
    assert await api_command(home, "token", "admin", "--role", "admin", "--if-none") == (0, "", "")
    code, _, err = await api_command(home, "token", "admin")
    assert (code, "'admin' already" in err) == (2, True)

    # with a token it listens to others
    api = RunningApi(demo_plant, free_port(), home)
    for role in ("OPERATOR", "ENGINEER", "ADMIN"):
        del api.environment[f"KULLAGER_{role}_TOKEN"]
    api.host = "0.0.0.0"
    await api.start()
    answer = await api.client.get("/api/v1/tokens", headers={"Authorization": f"Bearer {token}"})
    assert [each["name"] for each in answer.json()["items"]] == ["admin"]
    await api.close()
