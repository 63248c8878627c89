"""The parts of the OpenAPI document that FastAPI cannot know: messages as they are on the wire, and examples of parameters."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.routing import APIRoute

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.formats.message_schema import message_schema

JSON: Final = "application/json"
_REFER: Final = "#/components/schemas/{model}"
_OF_THE_JOURNAL: Final = (Assessment, Alarm, Case, Performance, ModelAudit)
_FOREIGN: Final = {"description": "after IDTA-01002-3-0, Part 2"}
_BINARY: Final = {"type": "string", "format": "binary"}
_NULL: Final = {"type": "null"}


def describe(schema: dict[str, Any]) -> None:
    """Give every answer of an OpenAPI document a schema, and every parameter an example; in place."""
    components = schema["components"]["schemas"]
    for kind in (*_OF_THE_JOURNAL, WaveformSpectrum, EdgeStatus):
        # FastAPI has described the dataclass: on the wire times are text, and a message bears its identity
        made = message_schema(kind, identified=kind in _OF_THE_JOURNAL, refer=_REFER)
        components |= made.pop("$defs", {})
        components[kind.__name__] = made
    for path, item in schema["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if (found := _example_of(parameter, components)) is not None:
                    parameter["example"] = found
            for answer in operation["responses"].values():
                for media_type, content in answer.get("content", {}).items():
                    if content.get("schema"):
                        continue
                    if media_type == JSON and "/aas/" in path:
                        # submodels and their elements are of many forms, which their own specification has
                        content["schema"] = _FOREIGN
                    elif media_type != JSON:
                        content["schema"] = {"type": "string"} if media_type.startswith("text/") else _BINARY


def restore_nulls(schema: dict[str, Any], routes: Iterable[APIRoute], prefix: str) -> None:
    """Give the examples of answers their nulls back, which FastAPI leaves out wherever they stand; in place."""
    for route in routes:
        for method in (route.methods or ()) if route.include_in_schema else ():
            told = schema["paths"][f"{prefix}{route.path}"][method.lower()]["responses"]
            for status, answer in route.responses.items():
                for media_type, content in answer.get("content", {}).items():
                    if "example" in content:
                        told[str(status)]["content"][media_type]["example"] = content["example"]


def _example_of(parameter: dict[str, Any], components: Mapping[str, Any]) -> Any:
    """An example of a parameter, where it has none of its own: of one of its kinds, of an enumeration, or its default."""
    schema = parameter["schema"]
    if "example" in parameter or "examples" in parameter or "examples" in schema:
        return None
    kinds = [each for each in (schema, *schema.get("anyOf", ())) if each != _NULL]
    kinds += [components[each["$ref"].rpartition("/")[2]] for each in kinds if "$ref" in each]
    told = [each[key] for key in ("examples", "enum") for each in kinds if each.get(key)]
    return told[0][0] if told else schema.get("default")
