"""The words that submodels are written with: elements of the AAS metamodel, each with its meaning."""

from collections.abc import Sequence
from typing import Final

from aas_core3 import types as aas

from edge.contracts.alarm import BilingualText
from edge.formats.json_message import format_time

# the longest that the metamodel lets a name and a text be
LONGEST_NAME: Final = 128
LONGEST_TEXT: Final = 1023


def meaning(identifier: str) -> aas.Reference:
    """A semantic id: a concept that is defined elsewhere."""
    return aas.Reference(aas.ReferenceTypes.EXTERNAL_REFERENCE, [aas.Key(aas.KeyTypes.GLOBAL_REFERENCE, identifier)])


def reference(kind: aas.KeyTypes, identifier: str) -> aas.Reference:
    """To something that this or another server has."""
    return aas.Reference(aas.ReferenceTypes.MODEL_REFERENCE, [aas.Key(kind, identifier)])


def names(text: BilingualText) -> list[aas.LangStringNameType]:
    return [
        aas.LangStringNameType("sv", text.sv[:LONGEST_NAME]),
        aas.LangStringNameType("en", text.en[:LONGEST_NAME]),
    ]


def texts(text: BilingualText) -> list[aas.LangStringTextType]:
    return [
        aas.LangStringTextType("sv", text.sv[:LONGEST_TEXT]),
        aas.LangStringTextType("en", text.en[:LONGEST_TEXT]),
    ]


def text_property(id_short: str, value: str | None, semantic_id: str, *also: str) -> aas.Property:
    return _property(aas.DataTypeDefXSD.STRING, id_short, value, semantic_id, *also)


def uri_property(id_short: str, value: str, semantic_id: str, *also: str) -> aas.Property:
    return _property(aas.DataTypeDefXSD.ANY_URI, id_short, value, semantic_id, *also)


def number_property(id_short: str, value: float | None, semantic_id: str) -> aas.Property:
    """A property without a value says that the value is not known; it never stands for 0."""
    return _property(aas.DataTypeDefXSD.DOUBLE, id_short, _number(value), semantic_id)


def whole_property(id_short: str, value: int, semantic_id: str) -> aas.Property:
    return _property(aas.DataTypeDefXSD.LONG, id_short, str(value), semantic_id)


def truth_property(id_short: str, value: bool, semantic_id: str) -> aas.Property:
    return _property(aas.DataTypeDefXSD.BOOLEAN, id_short, "true" if value else "false", semantic_id)


def time_property(id_short: str, time: int | None, semantic_id: str) -> aas.Property:
    """`time` in ns since 1970 UTC."""
    value = format_time(time) if time is not None else None
    return _property(aas.DataTypeDefXSD.DATE_TIME, id_short, value, semantic_id)


def number_range(id_short: str, lowest: float | None, highest: float | None, semantic_id: str) -> aas.Range:
    return aas.Range(
        aas.DataTypeDefXSD.DOUBLE,
        id_short=id_short,
        semantic_id=meaning(semantic_id),
        min=_number(lowest),
        max=_number(highest),
    )


def bilingual_property(id_short: str, value: BilingualText | None, semantic_id: str, *also: str) -> aas.MultiLanguageProperty:
    return aas.MultiLanguageProperty(
        id_short=id_short,
        semantic_id=meaning(semantic_id),
        supplemental_semantic_ids=_meanings(also),
        value=texts(value) if value is not None else None,
    )


def collection(
    id_short: str | None, elements: Sequence[aas.SubmodelElement], semantic_id: str, *also: str
) -> aas.SubmodelElementCollection:
    return aas.SubmodelElementCollection(
        id_short=id_short,
        semantic_id=meaning(semantic_id),
        supplemental_semantic_ids=_meanings(also),
        # an empty list would break the metamodel: what there is none of is left out
        value=list(elements) or None,
    )


def collection_list(
    id_short: str, collections: Sequence[aas.SubmodelElementCollection], semantic_id: str, each: str
) -> aas.SubmodelElementList:
    """A list of collections that all mean `each`."""
    return aas.SubmodelElementList(
        aas.AASSubmodelElements.SUBMODEL_ELEMENT_COLLECTION,
        id_short=id_short,
        semantic_id=meaning(semantic_id),
        semantic_id_list_element=meaning(each),
        value=list(collections) or None,
    )


def _property(kind: aas.DataTypeDefXSD, id_short: str, value: str | None, semantic_id: str, *also: str) -> aas.Property:
    return aas.Property(
        kind,
        id_short=id_short,
        semantic_id=meaning(semantic_id),
        supplemental_semantic_ids=_meanings(also),
        value=value,
    )


def _meanings(identifiers: Sequence[str]) -> list[aas.Reference] | None:
    return [meaning(identifier) for identifier in identifiers] or None


def _number(value: float | None) -> str | None:
    return repr(float(value)) if value is not None else None
