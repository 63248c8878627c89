"""The JSON Schema (draft 2020-12) of messages as they are on the wire, made from the contracts that read and write them."""

import inspect
import re
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from edge.formats.json_message import KINDS, SCHEMA, TIME_FIELDS, WIRE_NAMES

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
# what a journal adds to its results
IDENTITY: Final = {
    "edge": {"type": "string", "description": "the edge that made it"},
    "journal": {"type": "string", "description": "its journal: a new one has another name, and begins at 1"},
    "seq": {"type": "integer", "minimum": 1, "description": "its number in the journal; the three are its identity"},
}
_TIME: Final = {"type": "string", "format": "date-time"}
_OF_FIELDS: Final = re.compile(r"^(`?[a-z][a-z0-9_]*`?(?:, `?[a-z][a-z0-9_]*`?)*): +(.+)$")
_PARTS: Final = re.compile(r"; (?=[a-z0-9_`, ]+: )")


def message_schema(kind: type, *, identified: bool = False, refer: str = "#/$defs/{model}") -> dict[str, Any]:
    """The schema of one kind of message; what it is made of stands in its `$defs`.

    identified: it comes from a journal, and bears its identity
    """
    made = TypeAdapter(kind).json_schema(ref_template=refer)
    definitions = made.pop("$defs", {})
    types = {each.__name__: each for each in _dataclasses(kind)}
    for name, definition in definitions.items():
        _as_on_the_wire(definition, types.get(name))
    _as_on_the_wire(made, kind)
    head: dict[str, Any] = {"schema": {"const": SCHEMA}}
    if identified:
        head |= IDENTITY
    if kind in KINDS:
        head["kind"] = {"const": KINDS[kind]}
    made["properties"] = {**head, **made["properties"]}
    # a reader takes a message without `schema` for the first one
    made["required"] = list(dict.fromkeys([*(name for name in head if name != "schema"), *made.get("required", ())]))
    return made | ({"$defs": definitions} if definitions else {})


def _as_on_the_wire(schema: dict[str, Any], kind: type | None) -> None:
    """Times as text, names as they are there, and the words of the docstring; in place."""
    if "properties" not in schema or kind is None:
        return
    summary, of_fields = _words(kind)
    # pydantic tells no default that is made for each: a reader takes what is missing for it all the same
    made = {
        each.name: to_jsonable_python(each.default_factory()) for each in fields(kind) if each.default_factory is not MISSING
    }
    schema.pop("description", None)
    if summary:
        schema["description"] = summary
    properties = {}
    for name, content in schema["properties"].items():
        content.pop("title", None)
        found = _with_times(content) if name in TIME_FIELDS else content
        if name in made:
            found = {**found, "default": made[name]}
        if name in of_fields:
            found = {**found, "description": of_fields[name]}
        properties[WIRE_NAMES.get(name, name)] = found
    schema["properties"] = properties
    if "required" in schema:
        schema["required"] = [WIRE_NAMES.get(name, name) for name in schema["required"]]


def _with_times(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "integer":
        return _TIME
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_times(each) for each in schema["anyOf"]]}
    return schema


def _words(kind: type) -> tuple[str, dict[str, str]]:
    """What a docstring says of the whole, and of single fields (`name: words`, several parted by semicolons)."""
    written = inspect.cleandoc(kind.__doc__ or "").replace("ns since 1970 UTC", "RFC 3339 in UTC").replace("None", "null")
    if written.startswith(f"{kind.__name__}("):
        # nobody wrote it: it is the dataclass's own
        return "", {}
    known = {field.name for field in fields(kind)}
    summary, of_fields = "", dict[str, str]()
    about: list[str] = []
    for line in written.splitlines():
        if not line:
            about = []
            continue
        for begin, part in enumerate(_PARTS.split(line.strip())):
            match = _OF_FIELDS.match(part)
            named = match[1].replace("`", "").split(", ") if match is not None else []
            if match is not None and known.issuperset(named):
                about, text = named, match[2]
                of_fields |= dict.fromkeys(about, text)
                continue
            joint = "; " if begin else " "
            if about:
                of_fields |= {name: f"{of_fields[name]}{joint}{part}" for name in about}
            else:
                summary = f"{summary}{joint}{part}"
    return summary.strip(), of_fields


def _dataclasses(kind: type) -> Iterable[type]:
    """It, and the dataclasses of its fields."""
    yield kind
    for hint in get_type_hints(kind).values():
        for found in _types_in(hint):
            yield from _dataclasses(found)


def _types_in(hint: Any) -> Iterable[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for argument in get_args(hint):
        yield from _types_in(argument)
