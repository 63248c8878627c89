"""The JSON Schema of plant files, for editors: draft 4, which is what TOML editors check against, and of one piece, offline.

    #:schema ./plant.schema.json          as the first line of a plant file

It is made from the contracts, with what `edge/plants/README.md` says of each key.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from edge.contracts.plant import Plant

NAME: Final = "plant.schema.json"
README: Final = Path(__file__).parent / "plants/README.md"
# a heading of the README, and the definitions of the schema that its table explains
_SECTIONS: Final = {
    "[site]": ("Site",),
    "[edge]": ("EdgeSettings",),
    "[sources.<name>]": ("OpcuaSource", "MqttSource", "SparkplugSource"),
    "[assets.<id>]": ("Asset",),
    "[assets.<id>.signals]": ("Signal",),
    "[assets.<id>.waveforms]": ("Waveform",),
}
_ROW: Final = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|(.*?)\| (.*) \|$")


def plant_schema() -> dict[str, Any]:
    """The schema as a document."""
    made = TypeAdapter(Plant).json_schema()
    definitions = made.pop("$defs")
    for heading, rows in _explained(README.read_text(encoding="utf-8")).items():
        for definition in _SECTIONS.get(heading, ()):
            for key, words in rows.items():
                if (found := definitions[definition]["properties"].get(key)) is not None:
                    found["description"] = words
    document: dict[str, Any] = _as_draft_4(made)
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        **document,
        "title": "kullager plant file",
        "definitions": {name: _as_draft_4(each) for name, each in definitions.items()},
    }


def schema_text() -> str:
    """The schema as it stands in a file."""
    return json.dumps(plant_schema(), ensure_ascii=False, indent=1) + "\n"


def _explained(text: str) -> dict[str, dict[str, str]]:
    """By heading and key what the README says."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ").strip("`")
        elif (row := _ROW.match(line)) is not None:
            for key in re.findall(r"[a-z_]+", row[1]):
                found.setdefault(heading, {})[key] = row[3].replace("`", "")
    return found


def _as_draft_4(node: Any) -> Any:
    """The same in the words of draft 4; what it cannot say is left out: the loader says it."""
    if isinstance(node, list):
        return [_as_draft_4(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        match key:
            case "$ref":
                found[key] = value.replace("#/$defs/", "#/definitions/")
            case "const":
                found["enum"] = [value]
            case "exclusiveMinimum":
                found["minimum"], found["exclusiveMinimum"] = value, True
            case "exclusiveMaximum":
                found["maximum"], found["exclusiveMaximum"] = value, True
            case "propertyNames" | "discriminator" | "title":
                pass
            case "anyOf" if (kept := [each for each in value if each != {"type": "null"}]) != value:
                # TOML has no null: a key is there or not
                found.update(_as_draft_4(kept[0]) if len(kept) == 1 else {"anyOf": _as_draft_4(kept)})
            case "default" if value is None or isinstance(value, dict):
                pass
            case "patternProperties":
                found[key] = _as_draft_4(value)
                found["additionalProperties"] = False
            case _:
                found[key] = _as_draft_4(value)
    # beside a reference draft 4 reads nothing
    if "$ref" in found and len(found) > 1:
        reference = found.pop("$ref")
        found["allOf"] = [{"$ref": reference}]
    return found
