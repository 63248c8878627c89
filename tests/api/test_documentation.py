"""The documentation and the routes are held together."""

import re
from pathlib import Path
from typing import Any

import pytest

from api.app import create_api
from api.problems import ProblemType

README = Path(__file__).parents[2] / "api/README.md"


def operations() -> list[tuple[str, dict[str, Any]]]:
    paths = create_api().openapi()["paths"]
    return [(f"{method.upper()} {path}", operation) for path, item in paths.items() for method, operation in item.items()]


def test_the_readme_lists_every_route_and_no_other() -> None:
    documented = set(re.findall(r"^\| `((?:GET|POST|DELETE) /[^`]*)`", README.read_text(encoding="utf-8"), re.MULTILINE))
    outside = {"GET /healthz", "GET /metrics", "GET /api/v1/openapi.json", "GET /api/v1/asyncapi.json", "GET /api/v1/docs"}
    assert documented == {name for name, _ in operations()} | outside


@pytest.mark.parametrize(("name", "operation"), operations())
def test_every_route_has_an_example_and_documented_errors(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    success = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    if set(success) == {"204"}:
        assert "content" not in success["204"], name
    else:
        assert any("example" in content for answer in success.values() for content in answer["content"].values()), name
    errors = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
    for status, answer in errors.items():
        (media_type,) = answer["content"]
        body = answer["content"][media_type]["example"]
        if "/aas/" in name:
            # the digital twin answers after a specification of its own
            assert media_type == "application/json", f"{name} {status}"
            assert [message["code"] for message in body["messages"]] == [status]
        else:
            assert media_type == "application/problem+json", f"{name} {status}"
            assert body["status"] == int(status) == ProblemType(body["type"]).status, name
    if operation.get("parameters") or "requestBody" in operation:
        assert errors, name


def test_every_type_of_problem_is_described() -> None:
    schemas = create_api().openapi()["components"]["schemas"]
    assert schemas["ProblemType"]["enum"] == list(ProblemType)
    described = schemas["ProblemDetails"]["properties"]["type"]["description"]
    assert re.findall(r"^- `(.*?)` \((\d+)\): \w", described, re.MULTILINE) == [
        (each, str(each.status)) for each in ProblemType
    ]
    assert all(re.fullmatch("/problems/[a-z-]+", each) for each in ProblemType)
