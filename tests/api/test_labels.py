"""Labels and verdicts: who may give which, and what is kept."""

from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.api.running_api import RunningApi
from tests.api.scripted_edge import ScriptedEdge, alarm

LABEL = {"asset": "pump-101", "from": "2026-11-23T10:00:00Z", "to": "2026-11-23T11:00:00Z", "label": "fault"}


async def add(api: RunningApi, headers: dict[str, str], **fields: Any) -> httpx.Response:
    return await api.client.post("/api/v1/labels", json=fields, headers=headers)


async def listed(api: RunningApi, **parameters: Any) -> list[dict[str, Any]]:
    return (await api.get("/labels", **parameters))["items"]  # type: ignore[no-any-return]


async def test_an_engineer_labels_time_and_takes_it_back(api: RunningApi) -> None:
    answer = await add(api, api.engineer, **LABEL, fault="bearing-wear", comment="seen")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.items() >= {**LABEL, "fault": "bearing-wear", "comment": "seen", "by": "engineer", "verdict": None}.items()
    later = {**LABEL, "from": "2026-11-23T12:00:00Z", "to": None, "label": "healthy"}
    assert (await add(api, api.engineer, **later)).status_code == 201
    assert [label["label"] for label in await listed(api)] == ["fault", "healthy"]
    for parameters, found in (
        ({"from": "2026-11-23T10:30:00Z", "to": "2026-11-23T10:40:00Z"}, ["fault"]),
        ({"from": "2026-11-23T11:30:00Z", "to": "2026-11-23T11:40:00Z"}, []),
        ({"from": "2027-01-01T00:00:00Z"}, ["healthy"]),
        ({"asset": "pump-9"}, []),
    ):
        assert [label["label"] for label in await listed(api, **parameters)] == found
    path = f"/api/v1/labels/{made['id']}"
    assert (await api.client.delete(path, headers=api.operator)).status_code == 403
    assert (await api.client.delete(path, headers=api.engineer)).status_code == 204
    assert (await api.client.delete(path, headers=api.engineer)).status_code == 404
    assert [label["label"] for label in await listed(api)] == ["healthy"]


async def test_an_operator_says_whether_an_alarm_was_right(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(1)
    too_much = await add(api, api.operator, **LABEL)
    assert (too_much.status_code, too_much.json()["role"]) == (403, "engineer")
    assert (await add(api, {}, alarm_id="alarm-1", verdict="right")).status_code == 401
    first = await add(api, api.operator, alarm_id="alarm-1", verdict="right", fault="bearing-wear")
    assert first.status_code == 201, first.text
    told = first.json()
    assert (told["asset"], told["label"], told["verdict"], told["by"]) == ("pump-101", "fault", "right", "operator")
    told_alarm = (await api.get("/alarms/alarm-1"))["alarm"]
    assert (told["from"], told["to"]) == (told_alarm["raised"], told_alarm["changed"])
    # a new verdict takes its place
    whole = {**LABEL, "label": "healthy", "alarm_id": "alarm-1", "verdict": "false"}
    assert (await add(api, api.operator, **whole)).status_code == 201
    assert [(label["verdict"], label["label"], label["from"]) for label in await listed(api, alarm_id="alarm-1")] == [
        ("false", "healthy", LABEL["from"])
    ]


@pytest.mark.parametrize(
    ("fields", "status", "names"),
    [
        ({}, 422, "asset and from"),
        ({**LABEL, "label": "broken"}, 422, "healthy"),
        ({**LABEL, "label": None}, 422, "label"),
        ({**LABEL, "to": "2026-11-23T09:00:00Z"}, 422, "body.to"),
        ({**LABEL, "from": "noon"}, 422, "noon"),
        ({**LABEL, "verdict": "right"}, 422, "alarm_id"),
        ({**LABEL, "colour": "red"}, 422, "colour"),
        ({**LABEL, "asset": "pump-9"}, 404, "pump-101"),
        ({"alarm_id": "none", "verdict": "right"}, 404, "none"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_label_is_explained(shared_api: RunningApi, fields: dict[str, Any], status: int, names: str) -> None:
    answer = await add(shared_api, shared_api.engineer, **fields)
    assert (answer.status_code, names in answer.json()["detail"]) == (status, True), answer.text


async def test_pages_of_labels_hang_together(api: RunningApi) -> None:
    for number in range(5):
        start = f"2026-11-23T10:00:0{number // 2}Z"
        assert (await add(api, api.engineer, asset="pump-101", label="healthy", **{"from": start})).status_code == 201
    address, seen = f"{api.url}/api/v1/labels?limit=2", []
    while address:
        answer = (await api.client.get(address)).json()
        seen += [label["id"] for label in answer["items"]]
        address = urljoin(address, answer["next"]) if answer["next"] else ""
    assert seen == [1, 2, 3, 4, 5]
    for wrong in ("x", "1", "1.x", f"1.{'9' * 40}"):
        assert (await api.client.get("/api/v1/labels", params={"cursor": wrong})).status_code == 422
