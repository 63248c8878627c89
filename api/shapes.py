"""What the answers look like, for the OpenAPI document: messages by their contracts, all else by the example of the route."""

from collections.abc import Mapping
from typing import Any, Final

from edge.contracts.alarm import Alarm, BilingualText
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.formats.json_message import KINDS
from edge.formats.message_schema import message_schema

JSON: Final = "application/json"
_REFER: Final = "#/components/schemas/{model}"
_OF_THE_JOURNAL: Final = (Assessment, Alarm, Case, Performance, ModelAudit)
_NAMES: Final = {KINDS[kind]: kind.__name__ for kind in (*_OF_THE_JOURNAL, WaveformSpectrum, EdgeStatus)}
_FOREIGN: Final = "after IDTA-01002-3-0, Part 2"
_BINARY: Final = {"type": "string", "format": "binary"}
# holds what somebody asked for, right or wrong
_AS_ASKED: Final = frozenset({"details"})
_NULL: Final = {"type": "null"}


def describe(schema: dict[str, Any]) -> None:
    """Give every JSON answer of an OpenAPI document that has an example a schema, too; in place."""
    components = schema["components"]["schemas"]
    for kind in (*_OF_THE_JOURNAL, WaveformSpectrum, EdgeStatus):
        made = message_schema(kind, identified=kind in _OF_THE_JOURNAL, refer=_REFER)
        components |= made.pop("$defs", {})
        components[kind.__name__] = made
    components.pop("Items", None)
    for path, item in schema["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if (found := _example_of(parameter, components)) is not None:
                    parameter["example"] = found
            for status, answer in operation["responses"].items():
                for media_type, content in answer.get("content", {}).items():
                    if media_type == JSON:
                        # submodels and their elements are of many forms, which their own specification has
                        foreign = "/aas/" in path and status.startswith("2")
                        content["schema"] = {"description": _FOREIGN} if foreign else shape(content["example"])
                    elif "schema" not in content:
                        content["schema"] = {"type": "string"} if media_type.startswith("text/") else _BINARY


def _example_of(parameter: dict[str, Any], components: Mapping[str, Any]) -> Any:
    """An example of a parameter, where it has none of its own: of one of its kinds, of an enumeration, or its default."""
    schema = parameter["schema"]
    if "example" in parameter or "examples" in parameter or "examples" in schema:
        return None
    kinds = [each for each in (schema, *schema.get("anyOf", ())) if each != _NULL]
    kinds += [components[each["$ref"].rpartition("/")[2]] for each in kinds if "$ref" in each]
    told = [each[key] for key in ("examples", "enum") for each in kinds if each.get(key)]
    return told[0][0] if told else schema.get("default")


def shape(example: Any, *, whole: bool = True) -> dict[str, Any]:
    """The schema of everything that looks like this.

    whole: all keys are always there; further inside keys are often names of signals and the like, and any value may be null

    >>> shape({"id": "pump-101", "speed": {"rated": 1455.0}})["required"]
    ['id', 'speed']
    >>> shape([0.8, 0.7])["items"]
    {'type': ['number', 'null']}
    """
    match example:
        case {"kind": str(kind), "schema": _} if kind in _NAMES:
            return {"$ref": _REFER.format(model=_NAMES[kind])}
        case {"sv": str(), "en": str(), **others} if not others:
            return {"$ref": _REFER.format(model=BilingualText.__name__)}
        case Mapping():
            properties = {
                key: {"type": "object"} if key in _AS_ASKED else _or_null(shape(value, whole=whole and key == "items"))
                for key, value in example.items()
            }
            required = {"required": list(example)} if whole else {}
            return {"type": "object", "properties": properties, **required}
        case list() | tuple():
            return {"type": "array", **({"items": _or_null(shape(example[0], whole=whole))} if example else {})}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case _:
            return {}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null; of a list there is always one, though it may be empty."""
    match schema.get("type"):
        case None if not schema:
            return schema
        case "array":
            return schema
        case str(name):
            return {**schema, "type": [name, "null"]}
        case _:
            return {"anyOf": [schema, _NULL]}
