"""The documentation is complete, and the examples of the contracts are what the code reads and writes."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge.contracts import plant
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.model_spec import ModelSpec
from edge.contracts.status import EdgeStatus
from edge.formats.json_message import decode, decode_identity, encode

ROOT = Path(__file__).parents[2]
README = (ROOT / "edge" / "plants" / "README.md").read_text()
CONTRACTS = ROOT.parent / "shared" / "contracts.md"

TABLES = [
    plant.Plant,
    plant.Site,
    plant.EdgeSettings,
    plant.OpcuaSource,
    plant.MqttSource,
    plant.Limits,
    plant.Signal,
    plant.Waveform,
    plant.Running,
    plant.AlarmSettings,
    plant.Bearing,
    plant.Nameplate,
    plant.Asset,
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_of_a_plant_file_is_explained(table: Any) -> None:
    for field in dataclasses.fields(table):
        key = "class" if field.name == "asset_class" else field.name
        assert re.search(rf"(`|\[|\{{ |, |\.){key}(`|\]|\.| =|,| \}})", README), (
            f"edge/plants/README.md does not explain '{key}'"
        )


def test_defaults_are_those_of_the_documentation() -> None:
    for table in (plant.OpcuaSource, plant.Asset, plant.Signal, plant.Waveform):
        for field in dataclasses.fields(table):
            if isinstance(field.default, int | float | str) and field.default != "":
                assert re.search(rf"`{field.name}` \| `{re.escape(str(field.default))}`", README), field.name
    for field in dataclasses.fields(plant.AlarmSettings):
        assert f"{field.name} = " in README


def _examples() -> dict[str, dict[str, Any]]:
    """The messages in the contracts' text, by kind."""
    if not CONTRACTS.exists():
        pytest.skip(f"{CONTRACTS} is not there: the contracts stand beside the project, not in it")
    found = {}
    decoder = json.JSONDecoder()
    text = CONTRACTS.read_text().replace("…", "2026-11-23T10:00:00Z")
    for match in re.finditer(r'^\{"schema":1', text, re.MULTILINE):
        example, _ = decoder.raw_decode(text, match.start())
        found[example.get("kind", "spec")] = example
    return found


@pytest.mark.parametrize(
    ("kind", "contract"), [("assessment", Assessment), ("alarm", Alarm), ("status", EdgeStatus), ("spec", ModelSpec)]
)
def test_the_examples_of_the_contracts_are_read_and_written_back(kind: str, contract: Any) -> None:
    example = _examples()[kind]
    if kind == "status":
        example["sources"]["plc"]["last_sample"] = example["sources"]["plc"]["since"]
    message = decode(contract, json.dumps(example).encode(), "contracts.md")
    identity = decode_identity(example, "contracts.md") if "seq" in example else None
    _assert_holds(json.loads(encode(message, identity)), example, kind)


def _assert_holds(written: Any, example: Any, where: str) -> None:
    """Everything that the example has is written; the edge may say more."""
    if isinstance(example, dict):
        for key, value in example.items():
            assert key in written, f"{where}.{key}"
            _assert_holds(written[key], value, f"{where}.{key}")
    else:
        assert written == example, where
