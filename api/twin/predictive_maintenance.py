"""Predictive maintenance, after IDTA 02048-1-0 (Predictive Maintenance, 1.0).

The template knows the remaining useful life alone, with its interval, the conditions it holds for and its model. All of that
is here under its semantic ids, with the template's own spelling ("RemainingUsful…"). What else there is to say, the state, the
score, health, zone, fault and alarms, it has no element for: that stands beside it in `Condition` and `OpenAlarms`, under
kullager's own concepts.

The template's ConfidenceInterval is the one from p10 to p90, and so holds eight ends of life of ten.
"""

from typing import Final

from aas_core3 import types as aas

from api.twin.condition import Condition
from api.twin.elements import (
    bilingual_property,
    collection,
    collection_list,
    meaning,
    number_property,
    number_range,
    reference,
    text_property,
    time_property,
    truth_property,
)
from api.twin.identifiers import concept_id, submodel_id
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment, ModelIdentity
from edge.contracts.plant import Asset, Site
from edge.formats.units import UNITS

NAME: Final = "predictive-maintenance"
ID_SHORT: Final = "PredictiveMaintenance"
IDTA: Final = "https://admin-shell.io/idta/PredictiveMaintenance"
SEMANTIC_ID: Final = "https://admin-shell.io/idta/SubmodelTemplate/PredictiveMaintenance/1/0"
NS_PER_H: Final = 3_600_000_000_000
# one of the three that the template enumerates
DATA_DRIVEN: Final = "data-driven methods"
LIFE_EXPLAINED: Final = "Median of the hours until failure, counted from StartDateTime; without a value no end is in sight."


def build_predictive_maintenance(site: Site, asset_id: str, asset: Asset, condition: Condition) -> aas.Submodel:
    return aas.Submodel(
        id=submodel_id(site, asset_id, NAME),
        id_short=ID_SHORT,
        kind=aas.ModellingKind.INSTANCE,
        administration=aas.AdministrativeInformation(version="1", revision="0"),
        semantic_id=reference(aas.KeyTypes.SUBMODEL, SEMANTIC_ID),
        submodel_elements=[
            _remaining_life(asset, condition.assessment),
            _condition(condition.assessment),
            collection_list(
                "OpenAlarms", [_alarm(alarm) for alarm in condition.alarms], concept_id("OpenAlarms"), concept_id("Alarm")
            ),
        ],
    )


def _remaining_life(asset: Asset, assessment: Assessment | None) -> aas.SubmodelElementCollection:
    life = assessment.rul_h if assessment else None
    start = assessment.time if assessment and life else None
    end = start + round(life.p50 * NS_PER_H) if life and start is not None else None
    elements: list[aas.SubmodelElement] = [
        aas.Entity(
            aas.EntityType.CO_MANAGED_ENTITY,
            id_short="RemainingUsefulLifetime",
            semantic_id=meaning(f"{IDTA}/RemainingUsefulLifetime/1/0"),
            statements=[
                text_property("IndicationType", "time", f"{IDTA}/IndicationType/1/0"),
                number_property("DurationValue", life.p50 if life else None, f"{IDTA}/DurationValue/1/0"),
                text_property("EngineeringUnit", "h", f"{IDTA}/EngineeringUnit/1/0"),
                number_property("StartValue", 0.0, f"{IDTA}/StartValue/1/0"),
                *([time_property("StartDateTime", start, f"{IDTA}/StartDateTime/1/0")] if start is not None else []),
                text_property("Description", LIFE_EXPLAINED, f"{IDTA}/Description/1/0"),
            ],
        ),
        number_range(
            "ConfidenceInterval", life.p10 if life else None, life.p90 if life else None, f"{IDTA}/ConfidenceInterval/1/0"
        ),
        collection_list(
            "ListRULBoundaryConditions",
            _boundary_conditions(asset),
            f"{IDTA}/ListRULBoundaryConditions/1/0",
            f"{IDTA}/RULCondition/1/0",
        ),
        _model(assessment.model if assessment else None),
    ]
    if end is not None:
        elements.insert(1, time_property("RemainingUsfulLifeDateTime", end, f"{IDTA}/RemainingUsfulLifeDateTime/1/0"))
    return collection("RemainingUsefulLifePrediction", elements, f"{IDTA}/RemainingUsefulLifePrediction/1/0")


def _boundary_conditions(asset: Asset) -> list[aas.SubmodelElementCollection]:
    """A prognosis is made while the asset runs; where nothing tells that, it is made always and no condition is named."""
    if asset.running is None:
        return []
    unit = asset.signals[asset.running.signal].unit
    elements = [
        text_property("ConditionName", asset.running.signal, f"{IDTA}/ConditionName/1/0"),
        # it decides whether there is a prognosis, and is no input of it
        truth_property("IsBoundaryConditionUsedInModel", False, f"{IDTA}/IsBoundaryConditionUsedInModel/1/0"),
        number_property("BoundaryValueRange", asset.running.above, f"{IDTA}/BoundaryValueRange/1/0"),
        text_property("BoundaryEngineeringUnit", _shown(unit), f"{IDTA}/BoundaryEngineeringUnit/1/0"),
        text_property("BoundaryDescription", "The value is above this one.", f"{IDTA}/BoundaryDescription/1/0"),
    ]
    return [collection(None, elements, f"{IDTA}/RULCondition/1/0")]


def _model(model: ModelIdentity | None) -> aas.SubmodelElementCollection:
    elements = [
        text_property("ModelType", DATA_DRIVEN, f"{IDTA}/ModelType/1/0"),
        text_property("ModelName", model.name if model else None, concept_id("ModelName")),
        text_property("ModelVersion", model.version if model else None, concept_id("ModelVersion")),
    ]
    return collection("PredictionModelInformation", elements, f"{IDTA}/PredictionModelInformation/1/0")


def _condition(said: Assessment | None) -> aas.SubmodelElementCollection:
    """Everything an assessment says besides; what it does not say has no value, or is left out where it is a part."""
    elements: list[aas.SubmodelElement] = [
        time_property("Time", said.time if said else None, concept_id("Time")),
        text_property("State", said.state if said else None, concept_id("State")),
        text_property("Reason", said.reason if said else None, concept_id("Reason")),
        number_property("Score", said.score if said else None, concept_id("Score")),
        number_property("Health", said.health if said else None, concept_id("Health")),
        text_property("Zone", said.zone if said else None, concept_id("Zone")),
    ]
    if said is not None and (fault := said.fault) is not None:
        mode = [
            text_property("FaultMode", fault.name, concept_id("FaultMode")),
            number_property("Probability", fault.probability, concept_id("Probability")),
        ]
        elements.append(collection("Fault", mode, concept_id("Fault")))
    if said is not None and (life := said.rul_h) is not None:
        quantiles = {"P10": life.p10, "P50": life.p50, "P90": life.p90}
        hours = [number_property(name, value, concept_id(name)) for name, value in quantiles.items()]
        elements.append(collection("RemainingLife", hours, concept_id("RemainingLife")))
    return collection("Condition", elements, concept_id("Condition"))


def _alarm(alarm: Alarm) -> aas.SubmodelElementCollection:
    elements = [
        text_property("AlarmId", alarm.alarm_id, concept_id("AlarmId")),
        text_property("Rule", alarm.rule, concept_id("Rule")),
        text_property("Priority", alarm.priority, concept_id("Priority")),
        text_property("AlarmState", alarm.state, concept_id("AlarmState")),
        time_property("Raised", alarm.raised, concept_id("Raised")),
        time_property("Changed", alarm.changed, concept_id("Changed")),
        bilingual_property("Text", alarm.text, concept_id("Text")),
    ]
    return collection(None, elements, concept_id("Alarm"))


def _shown(unit: str) -> str:
    return UNITS[unit].display if unit in UNITS else unit
