"""The parts of the OpenAPI document that FastAPI cannot know: messages as they are on the wire, and examples of parameters."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal

from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from api.shapes.answer import JSON, REFER, Reference
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.formats.message_schema import message_schema

_OF_THE_JOURNAL: Final = (Assessment, Alarm, Case, Performance, ModelAudit)
_FOREIGN: Final = {"description": "after IDTA-01002-3-0, Part 2"}
_BINARY: Final = {"type": "string", "format": "binary"}
_NULL: Final = {"type": "null"}


def describe(schema: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Give every answer of an OpenAPI document a schema, and every parameter an example; in place."""
    described = schema["components"]["schemas"] | _shapes(frozenset(_models(routes)))
    components = schema["components"]["schemas"] = dict(sorted(described.items()))
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


def _models(routes: Iterable[APIRoute]) -> Iterable[type]:
    """What the answers of these routes are made of."""
    for route in routes:
        for answer in route.responses.values():
            for content in answer.get("content", {}).values():
                reference = content.get("schema", {}).get("$ref")
                if isinstance(reference, Reference):
                    yield reference.model


@cache
def _shapes(models: frozenset[type]) -> dict[str, Any]:
    """The schemas of these, and of all that they are made of."""
    adapters: list[tuple[type, Literal["serialization"], TypeAdapter[Any]]]
    adapters = [(model, "serialization", TypeAdapter(model)) for model in models]
    found: dict[str, Any] = TypeAdapter.json_schemas(adapters, ref_template=REFER)[1]["$defs"]
    for kind in (*_OF_THE_JOURNAL, WaveformSpectrum, EdgeStatus):
        # pydantic describes the dataclass: on the wire times are text, and a message bears its identity
        made = message_schema(kind, identified=kind in _OF_THE_JOURNAL, refer=REFER)
        found |= made.pop("$defs", {})
        found[kind.__name__] = made
    return found


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
