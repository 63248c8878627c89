"""What editors check plant files against says what the loader says."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from edge.contracts.plant_file import load_plant
from edge.plant_schema import NAME, schema_text

ROOT = Path(__file__).parents[2]
PLANTS = ROOT / "edge/plants"
FILES = sorted([*PLANTS.glob("*.toml"), *ROOT.glob("tests/cases/*/plant.toml")])


@pytest.fixture(scope="module")
def validator() -> Draft4Validator:
    schema = json.loads((PLANTS / NAME).read_text(encoding="utf-8"))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema)


def test_the_file_is_what_the_contracts_say_today() -> None:
    assert (PLANTS / NAME).read_text(encoding="utf-8") == schema_text(), f"python -m edge schema > edge/plants/{NAME}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_what_loads_is_valid(validator: Draft4Validator, path: Path) -> None:
    load_plant(path)
    assert list(validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8")))) == []


def _signal(document: dict[str, Any]) -> dict[str, Any]:
    signals: dict[str, Any] = next(iter(document["assets"].values()))["signals"]
    return next(iter(signals.values()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: _signal(document).update(colour="red"),
        lambda document: _signal(document).update(node="ns=2;s=speed"),
        lambda document: _signal(document).update(stale_s=0),
        lambda document: _signal(document).update(resample="median"),
        lambda document: document["sources"]["plc"].update(security="Basic128"),
        lambda document: document["edge"].update(recording={"keep_days": -1}),
        lambda document: document["assets"].update({"Pump 1": {}}),
        lambda document: document.pop("site"),
    ],
)
def test_what_does_not_load_is_not(validator: Draft4Validator, spoil: Callable[[dict[str, Any]], Any]) -> None:
    document = tomllib.loads((PLANTS / "demo.toml").read_text(encoding="utf-8"))
    spoil(document)
    assert list(validator.iter_errors(document))


def test_every_key_is_explained(validator: Draft4Validator) -> None:
    definitions = validator.schema["definitions"]
    for name in ("Site", "EdgeSettings", "OpcuaSource", "MqttSource", "Asset", "Signal", "Waveform"):
        for key, property_ in definitions[name]["properties"].items():
            if (name, key) not in {("Asset", "signals"), ("Asset", "waveforms")}:
                assert property_.get("description"), f"{name}.{key} is not in edge/plants/README.md"
