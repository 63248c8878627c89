"""Time series, after IDTA 02008-1-1 (Time Series Data, 1.1).

The record names a property for each signal that assessments carry in `measured`. The history is a LinkedSegment, at the
address of the asset's assessments; the newest values are an InternalSegment of one record.
"""

from typing import Final

from aas_core3 import types as aas

from api.twin.condition import Condition
from api.twin.elements import (
    bilingual_property,
    collection,
    names,
    number_property,
    reference,
    text_property,
    time_property,
    whole_property,
)
from api.twin.identifiers import signal_concept_id, submodel_id
from edge.contracts.alarm import BilingualText
from edge.contracts.plant import Asset, Site
from edge.formats.json_message import format_time

NAME: Final = "time-series"
ID_SHORT: Final = "TimeSeries"
IDTA: Final = "https://admin-shell.io/idta/TimeSeries"
SEMANTIC_ID: Final = f"{IDTA}/1/1"
# what the address of the history is asked with; `from` and `to` may be added to it
QUERY: Final = "points=1000"
MEASURED: Final = BilingualText(sv="Mätvärden", en="Measured values")
HISTORY: Final = BilingualText(sv="Historik", en="History")
HISTORY_EXPLAINED: Final = BilingualText(
    sv="Maskinens bedömningar i tidsordning, med mätvärdena i fältet measured; from och to avgränsar.",
    en="The asset's assessments in the order of their time, the values in the field measured; from and to limit them.",
)
NEWEST: Final = BilingualText(sv="Senaste värden", en="Newest values")


def build_time_series(site: Site, asset_id: str, asset: Asset, condition: Condition, history: str) -> aas.Submodel:
    """`history` is the address of the asset's assessments."""
    segments: list[aas.SubmodelElement] = [_linked_segment(history)]
    if condition.assessment is not None:
        time, measured = condition.assessment.time, condition.assessment.measured
        segments.append(_newest_segment(_record(site, asset_id, asset, time, measured), time))
    metadata = [
        bilingual_property("Name", MEASURED, f"{IDTA}/Metadata/Name/1/1"),
        bilingual_property("Description", asset.display_name(asset_id), f"{IDTA}/Metadata/Description/1/1"),
        _record(site, asset_id, asset, None, {}),
    ]
    return aas.Submodel(
        id=submodel_id(site, asset_id, NAME),
        id_short=ID_SHORT,
        kind=aas.ModellingKind.INSTANCE,
        administration=aas.AdministrativeInformation(version="1", revision="1"),
        semantic_id=reference(aas.KeyTypes.SUBMODEL, SEMANTIC_ID),
        submodel_elements=[
            collection("Metadata", metadata, f"{IDTA}/Metadata/1/1"),
            collection("Segments", segments, f"{IDTA}/Segments/1/1"),
        ],
    )


def _record(
    site: Site, asset_id: str, asset: Asset, time: int | None, measured: dict[str, float | None]
) -> aas.SubmodelElementCollection:
    """The time and one property for each signal; without values it is the metadata's."""
    elements = [time_property("Time", time, f"{IDTA}/UtcTime/1/1")]
    for name, signal in asset.signals.items():
        # texts (recipe, state) are no part of `measured`
        if name not in asset.context:
            element = number_property(name, measured.get(name), signal_concept_id(site, asset_id, name))
            element.display_name = names(signal.display_name(name))
            elements.append(element)
    return collection("Record", elements, f"{IDTA}/Record/1/1")


def _linked_segment(history: str) -> aas.SubmodelElementCollection:
    elements = [
        bilingual_property("Name", HISTORY, f"{IDTA}/Segment/Name/1/1"),
        bilingual_property("Description", HISTORY_EXPLAINED, f"{IDTA}/Segment/Description/1/1"),
        text_property("State", "in progress", f"{IDTA}/Segment/State/1/1"),
        text_property("Endpoint", history, f"{IDTA}/Endpoint/1/1"),
        text_property("Query", QUERY, f"{IDTA}/Query/1/1"),
    ]
    return collection("LinkedSegment", elements, f"{IDTA}/Segments/LinkedSegment/1/1")


def _newest_segment(record: aas.SubmodelElementCollection, time: int) -> aas.SubmodelElementCollection:
    written = format_time(time)
    elements = [
        bilingual_property("Name", NEWEST, f"{IDTA}/Segment/Name/1/1"),
        whole_property("RecordCount", 1, f"{IDTA}/Segment/RecordCount/1/1"),
        text_property("StartTime", written, f"{IDTA}/Segment/StartTime/1/1"),
        text_property("EndTime", written, f"{IDTA}/Segment/EndTime/1/1"),
        text_property("State", "in progress", f"{IDTA}/Segment/State/1/1"),
        text_property("LastUpdate", written, f"{IDTA}/Segment/LastUpdate/1/1"),
        collection("Records", [record], f"{IDTA}/Records/1/1"),
    ]
    return collection("InternalSegment", elements, f"{IDTA}/Segments/InternalSegment/1/1")
