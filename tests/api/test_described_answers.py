"""The hook that holds answers against the OpenAPI document finds what is wrong, and lets pass what is right."""

from typing import Any

import httpx
import pytest

from tests.api.described_answers import MOST_ITEMS, as_described

NOBODY = {"name": None, "role": "visitor", "csrf": None}
FAULT = {"asset": "pump-101", "fault": "wear", "name": {"sv": "Slitage", "en": "Wear"}, "description": None, "active": False}


def answer(path: str, body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, request=httpx.Request("GET", f"http://api.example/api/v1{path}"))


async def test_what_is_as_described_passes() -> None:
    await as_described(answer("/session", NOBODY))
    await as_described(answer("/simulator/faults", {"items": [FAULT], "next": None}))
    await as_described(answer("/of-no-route", {"whatever": 1}))


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/session", {**NOBODY, "role": "queen"}, "queen"),
        ("/session", {"name": None, "role": "visitor"}, "csrf"),
        ("/simulator/faults", {"items": [FAULT] * (MOST_ITEMS - 1) + [{**FAULT, "active": None}], "next": None}, "active"),
        ("/alarms/performance", {}, "periods"),
        # the address of one alarm, not of their performance
        ("/alarms/performances", {"alarm": None, "history": []}, "alarm"),
    ],
)
async def test_what_is_not_as_described_is_found(path: str, body: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await as_described(answer(path, body))


async def test_a_status_that_no_route_tells_of_is_found() -> None:
    with pytest.raises(KeyError):
        await as_described(answer("/session", NOBODY, 418))
