"""The views of the AAS API on submodels and their elements: whole, metadata, value, reference and path.

Sources: IDTA-01002-3-0, chapters 8 (SerializationModifiers: level, content) and 11.4 (JSON serialization of the contents).
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from aas_core3 import types as aas
from aas_core3.jsonization import to_jsonable
from aas_core3.stringification import key_types_from_str

from api.twin.elements import reference

_STEP: Final = re.compile(r"(?P<name>[A-Za-z]\w*)|\[(?P<index>\d+)\]")
# what of an element is its value, and so no part of its metadata
_VALUES: Final = ("value", "valueId", "min", "max", "statements", "globalAssetId", "specificAssetIds", "submodelElements")
_NUMBERS: Final = {aas.DataTypeDefXSD.DOUBLE: float, aas.DataTypeDefXSD.LONG: int}

Json = dict[str, Any]


class Level(StrEnum):
    """`core` stops at the children of what was asked for."""

    DEEP = "deep"
    CORE = "core"


class Content(StrEnum):
    METADATA = "$metadata"
    VALUE = "$value"
    REFERENCE = "$reference"
    PATH = "$path"


def whole(that: aas.Submodel | aas.SubmodelElement, level: Level = Level.DEEP) -> Json:
    body = _json(that)
    if level is Level.CORE:
        for key in ("submodelElements", "value", "statements"):
            for child in body.get(key, ()):
                if isinstance(child, dict) and child.get("modelType") in ("SubmodelElementCollection", "SubmodelElementList"):
                    child.pop("value", None)
                elif isinstance(child, dict):
                    child.pop("statements", None)
    return body


def metadata(that: aas.Submodel | aas.SubmodelElement) -> Json:
    return {key: value for key, value in _json(that).items() if key not in _VALUES}


def value(that: aas.Submodel | aas.SubmodelElement, level: Level = Level.DEEP) -> Any:
    """The bare value; None where there is none, which the value of something larger leaves out."""
    deep = level is Level.DEEP
    match that:
        case aas.Submodel() | aas.SubmodelElementCollection():
            return {child.id_short: inner for child in children(that) if (inner := _inner_value(child, deep)) is not None}
        case aas.SubmodelElementList():
            return [_inner_value(child, deep) for child in children(that)]
        case aas.Entity():
            statements = {child.id_short: inner for child in children(that) if (inner := _inner_value(child, deep)) is not None}
            return {"entityType": that.entity_type.value, "statements": statements}
        case aas.Property(value=str(text)):
            if that.value_type is aas.DataTypeDefXSD.BOOLEAN:
                return text == "true"
            return _NUMBERS.get(that.value_type, str)(text)
        case aas.MultiLanguageProperty(value=list(said)):
            return [{each.language: each.text} for each in said]
        case aas.Range():
            limits = {"min": that.min, "max": that.max}
            return {key: float(limit) for key, limit in limits.items() if limit is not None} or None
    return None


def named_value(element: aas.SubmodelElement, level: Level = Level.DEEP) -> Any:
    """`idShort: value`, as 11.4.2 writes each element; elements of a list have no idShort, and are their value alone."""
    bare = value(element, level)
    if element.id_short is None:
        return bare
    return {element.id_short: bare} if bare is not None else {}


def reference_to(submodel: aas.Submodel, trail: Sequence[aas.SubmodelElement] = (), path: str = "") -> Json:
    """A model reference: the submodel, then each element on the way; `path` tells the positions in lists."""
    found = reference(aas.KeyTypes.SUBMODEL, submodel.id)
    for element, (name, index) in zip(trail, _steps(path), strict=True):
        kind = key_types_from_str(type(element).__name__)
        assert kind is not None  # noqa: S101  # every element's type is one of a key
        found.keys.append(aas.Key(kind, name or index))
    return _json(found)


def paths(elements: Sequence[aas.SubmodelElement], level: Level = Level.DEEP, depth: int = 0) -> Iterator[str]:
    """The idShortPaths of these and of what is in them."""
    for element in elements:
        yield from _paths(element, element.id_short or "", level, depth)


def paths_from(element: aas.SubmodelElement, path: str, level: Level = Level.DEEP) -> Iterator[str]:
    """The same for one element that stands at `path`."""
    yield from _paths(element, path, level, 0)


def children(that: aas.Submodel | aas.SubmodelElement) -> Sequence[aas.SubmodelElement]:
    match that:
        case aas.Submodel():
            return that.submodel_elements or ()
        case aas.SubmodelElementCollection() | aas.SubmodelElementList():
            return that.value or ()
        case aas.Entity():
            return that.statements or ()
    return ()


def find(submodel: aas.Submodel, path: str) -> list[aas.SubmodelElement]:
    """The elements on the way to `path`, such as `OpenAlarms[0].Text`, and last the one there.

    Raises LookupError where there is none, ValueError where that is no path.
    """
    trail: list[aas.SubmodelElement] = []
    there: aas.Submodel | aas.SubmodelElement = submodel
    for name, index in _steps(path):
        inside = children(there)
        if isinstance(there, aas.SubmodelElementList) is bool(name):
            raise LookupError(path)
        named = [element for element in inside if element.id_short == name] if name else inside[int(index) : int(index) + 1]
        if not named:
            raise LookupError(path)
        there = named[0]
        trail.append(there)
    return trail


def _steps(path: str) -> list[tuple[str, str]]:
    """(name, "") or ("", index) for each step of an idShortPath."""
    steps: list[tuple[str, str]] = []
    position = 0
    while position < len(path):
        if steps and path[position] == ".":
            position += 1
            expected = "name"
        else:
            expected = "index" if steps else "name"
        step = _STEP.match(path, position)
        if step is None or step[expected] is None:
            raise ValueError(f"'{path}' should be an idShortPath, such as 'OpenAlarms[0].Text'")
        steps.append((step["name"] or "", step["index"] or ""))
        position = step.end()
    return steps


def _paths(element: aas.SubmodelElement, path: str, level: Level, depth: int) -> Iterator[str]:
    yield path
    if level is Level.CORE and depth > 0:
        return
    in_list = isinstance(element, aas.SubmodelElementList)
    for position, child in enumerate(children(element)):
        step = f"[{position}]" if in_list else f".{child.id_short}"
        yield from _paths(child, f"{path}{step}", level, depth + 1)


def _inner_value(child: aas.SubmodelElement, deep: bool) -> Any:
    if not deep and isinstance(child, aas.SubmodelElementCollection | aas.SubmodelElementList | aas.Entity):
        return None
    return value(child)


def _json(that: aas.Class) -> Json:
    body = to_jsonable(that)
    assert isinstance(body, dict)  # noqa: S101  # so is everything of the metamodel
    return body
