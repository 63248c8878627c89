"""The dashboard's types are those of the OpenAPI document as it is now."""

import shutil

import pytest

from api import dashboard_types
from edge.contracts.assessment import Reason
from edge.contracts.performance import Operation


@pytest.mark.skipif(
    shutil.which("node") is None or not dashboard_types.GENERATOR.exists(),
    reason="openapi-typescript is not installed; `make dashboard` brings it",
)
def test_the_dashboards_types_are_those_of_the_api() -> None:
    made = dashboard_types.typescript()
    assert dashboard_types.TYPES.read_text("utf-8") == made, "`python -m api.dashboard_types` writes them anew"


def test_what_only_explains_is_left_out_and_names_stay() -> None:
    schemas = dashboard_types.document()["components"]["schemas"]
    assert {"Assessment", "Alarm", "Case"} <= set(schemas)
    assert not any("description" in schema or "example" in schema for schema in schemas.values())


def test_keys_of_an_enumeration_are_known_by_name() -> None:
    schemas = dashboard_types.document()["components"]["schemas"]
    for name in ("Performance", "PerformanceTotalAnswer"):
        told = schemas[name]["properties"]
        assert list(told["operation_s"]["properties"]) == list(Operation)
        assert list(told["withheld_s"]["properties"]) == list(Reason)
        assert "required" not in told["operation_s"]
