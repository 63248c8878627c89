"""Every change is entered, with what became of it; what is read or asked by nobody is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from api import audit_log
from api.database import open_engine
from api.roles import VISITOR, Identity, Role
from api.store import Store
from tests.api.running_api import TOKEN, RunningApi
from tests.api.scripted_edge import ScriptedEdge, alarm
from tests.conftest import PLAIN_HTTP


async def entries(api: RunningApi, **parameters: str | int) -> list[dict[str, Any]]:
    answer = await api.client.get("/api/v1/audit", params=parameters, headers=api.operator)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]  # type: ignore[no-any-return]


async def test_changes_are_entered_with_who_what_and_what_became_of_it(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(1)
    assert (await api.post("/alarms/alarm-1/acknowledge", {"comment": "seen"})).status_code == 200
    scripted_edge.answer = lambda _verb: "no"
    assert (await api.post("/alarms/alarm-1/shelve", {"duration_s": 60})).status_code == 409
    fault = {"asset": "pump-101", "fault": "bearing-wear"}
    assert (await api.client.post("/api/v1/simulator/faults", json=fault)).status_code == 503
    assert (await api.client.post("/api/v1/tokens", json={"name": "anna", "role": "operator"}, headers=api.admin)).is_success

    found = await entries(api)
    told = [[e[key] for key in ("by", "role", "action", "subject", "outcome", "status", "problem")] for e in found]
    told[1][-1] = told[1][-1].partition(";")[0]
    assert told == [
        ["admin", "admin", "tokens.make-token", "anna", "done", 201, None],
        ["visitor", "visitor", "simulator.inject-fault", "pump-101", "failed", 503, "no simulator has told its machines yet"],
        ["operator", "operator", "alarms.shelve", "alarm-1", "refused", 409, "no"],
        ["operator", "operator", "alarms.acknowledge", "alarm-1", "done", 200, None],
    ]
    assert [entry["details"] for entry in found] == [
        {"name": "anna", "role": "operator"},
        fault,
        {"duration_s": 60},
        {"comment": "seen"},
    ]
    assert [entry["id"] for entry in found] == [4, 3, 2, 1]
    assert [entry["action"] for entry in await entries(api, by="admin")] == ["tokens.make-token"]
    assert [entry["id"] for entry in await entries(api, subject="alarm-1")] == [2, 1]


async def test_what_is_too_low_or_wrong_is_entered_and_nobody_is_not(api: RunningApi) -> None:
    await api.client.post("/api/v1/alarms/alarm-1/acknowledge", json={})
    await api.client.post("/api/v1/session", json={"token": "wrong"})
    await api.client.get("/api/v1/assets", headers=api.operator)
    await api.client.post("/api/v1/nothing", json={}, headers=api.operator)
    assert await entries(api) == []
    assert (await api.client.get("/api/v1/audit")).status_code == 401
    await api.client.post("/api/v1/models/pump/rollback", json={}, headers=api.operator)
    await api.post("/alarms/alarm-1/acknowledge", {"komment": "x"})
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=PLAIN_HTTP) as browser:
        await browser.post("/api/v1/session", json={"token": TOKEN})
        await browser.delete("/api/v1/session")
    found = await entries(api)
    assert [(e["action"], e["status"]) for e in found] == [
        ("session.sign-out", 204),
        ("session.sign-in", 200),
        ("alarms.acknowledge", 422),
        ("models.roll-back", 403),
    ]
    assert TOKEN not in str(found)


async def test_pages_hang_together(api: RunningApi) -> None:
    for _ in range(5):
        await api.post("/assets/pump-9/out-of-service", {})
    address, seen = f"{api.url}/api/v1/audit?limit=2&subject=pump-9", []
    while address:
        answer = (await api.client.get(address, headers=api.operator)).json()
        seen += [entry["id"] for entry in answer["items"]]
        address = urljoin(address, answer["next"]) if answer["next"] else ""
    assert seen == [5, 4, 3, 2, 1]
    for wrong in ("cursor=x", "limit=0", "limit=1001", f"cursor={'9' * 30}"):
        answer = await api.client.get(f"/api/v1/audit?{wrong}", headers=api.operator)
        assert (answer.status_code, wrong.partition("=")[0] in answer.json()["detail"]) == (422, True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(open_engine(f"sqlite:///{tmp_path / 'api.sqlite'}"))
    yield store
    store.close()


def test_the_oldest_make_room_and_visitors_push_nobody_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("MOST_ENTRIES", 3), ("MOST_OF_VISITORS", 2), ("TIDY_EVERY", 1)):
        monkeypatch.setattr(audit_log, name, most)
    log = audit_log.AuditLog(store)
    anna = Identity(name="anna", role=Role.OPERATOR)
    for identity in [anna] * 5 + [VISITOR] * 9:
        log.enter(identity, action="x", subject=None, details={}, status=200, problem=None)
    kept = log.entries(before=None, by=None, subject=None, at_most=100)
    assert [(entry.by, entry.audit_id) for entry in kept] == [
        *[("visitor", number) for number in (14, 13)],
        *[("anna", number) for number in (5, 4, 3)],
    ]
