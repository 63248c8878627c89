"""Concept descriptions after IEC 61360: what each signal is, and what kullager's own words mean.

Concepts of IDTA, IEC CDD and ECLASS are described by those who publish them, and are not repeated here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aas_core3 import types as aas

from api.twin.elements import meaning, names
from api.twin.identifiers import concept_id, id_short, signal_concept_id
from edge.contracts.alarm import BilingualText
from edge.contracts.plant import Plant
from edge.formats.units import UNITS

IEC_61360: Final = "https://admin-shell.io/DataSpecificationTemplates/DataSpecificationIec61360/3"
# UN/CEFACT's own addresses for the codes of UNECE Recommendation 20
REC_20: Final = "https://vocabulary.uncefact.org/UnitMeasureCode#"
LONGEST_NAME: Final = 255
LONGEST_DEFINITION: Final = 1023

_NUMBER: Final = aas.DataTypeIEC61360.REAL_MEASURE
_COUNT: Final = aas.DataTypeIEC61360.INTEGER_COUNT
_TEXT: Final = aas.DataTypeIEC61360.STRING
_TEXTS: Final = aas.DataTypeIEC61360.STRING_TRANSLATABLE
_TIME: Final = aas.DataTypeIEC61360.TIMESTAMP


@dataclass(frozen=True, slots=True)
class Concept:
    """`kind` is None for what has parts and no value itself; `unit` is a UCUM code."""

    name: BilingualText
    definition: BilingualText
    kind: aas.DataTypeIEC61360 | None = None
    unit: str | None = None


def _own(
    sv: str, en: str, means_sv: str, means_en: str, kind: aas.DataTypeIEC61360 | None = None, unit: str | None = None
) -> Concept:
    return Concept(BilingualText(sv=sv, en=en), BilingualText(sv=means_sv, en=means_en), kind, unit)


OWN: Final[dict[str, Concept]] = {
    "RatedPower": _own("märkeffekt", "rated power", "Effekten på märkskylten", "The power on the rating plate", _NUMBER, "kW"),
    "RatedSpeed": _own(
        "märkvarvtal", "rated speed", "Varvtalet på märkskylten", "The speed on the rating plate", _NUMBER, "/min"
    ),
    "BearingBalls": _own("kulor", "balls", "Antal kulor i lagret", "Number of balls in the bearing", _COUNT),
    "BearingBallDiameter": _own("kuldiameter", "ball diameter", "En kulas diameter", "Diameter of a ball", _NUMBER, "mm"),
    "BearingPitchDiameter": _own(
        "delningsdiameter", "pitch diameter", "Diameter genom kulornas centrum", "Diameter through the balls' centres",
        _NUMBER, "mm",
    ),
    "BearingContactAngle": _own(
        "kontaktvinkel", "contact angle", "Vinkel mellan last och radialplan", "Angle between load and radial plane",
        _NUMBER, "deg",
    ),
    "Condition": _own("tillstånd", "condition", "Den senaste bedömningen", "The newest assessment"),
    "Time": _own("tidpunkt", "time", "När bedömningen gäller", "When the assessment holds", _TIME),
    "State": _own("läge", "state", "normal, anomalous eller withheld", "normal, anomalous or withheld", _TEXT),
    "Reason": _own("skäl", "reason", "Varför ingen bedömning gjordes", "Why a score was withheld", _TEXT),
    "Score": _own(
        "avvikelse", "score", "Avvikelse från normalt beteende, ≥ 0; 1 är larmgränsen",
        "Deviation from normal behaviour, ≥ 0; 1 is the alarm limit", _NUMBER, "1",
    ),
    "Health": _own("hälsa", "health", "0 (slut) till 1 (som ny)", "0 (at its end) to 1 (as new)", _NUMBER, "1"),
    "Zone": _own(
        "zon", "zone", "Bedömningszon A–D i ISO 20816-1:s mening", "Evaluation zone A–D in the sense of ISO 20816-1", _TEXT
    ),
    "Fault": _own("fel", "fault", "Det troligaste felet", "The most likely fault"),
    "FaultMode": _own("felsätt", "fault mode", "Felets namn i modellen", "The fault's name in the model", _TEXT),
    "Probability": _own("sannolikhet", "probability", "Felets sannolikhet, 0–1", "The fault's probability, 0–1", _NUMBER, "1"),
    "RemainingLife": _own(
        "återstående livslängd", "remaining useful life", "Kvantiler av timmarna till haveri",
        "Quantiles of the hours until failure",
    ),
    "P10": _own("p10", "p10", "En av tio håller kortare tid", "One of ten lasts shorter", _NUMBER, "h"),
    "P50": _own("p50", "p50", "Varannan håller kortare tid", "One of two lasts shorter", _NUMBER, "h"),
    "P90": _own("p90", "p90", "Nio av tio håller kortare tid", "Nine of ten last shorter", _NUMBER, "h"),
    "ModelName": _own("modell", "model", "Namnet på modellen som bedömer", "The name of the model that assesses", _TEXT),
    "ModelVersion": _own("modellversion", "model version", "Modellens version", "The model's version", _TEXT),
    "OpenAlarms": _own("öppna larm", "open alarms", "De senaste öppna larmen", "The newest open alarms"),
    "Alarm": _own("larm", "alarm", "Ett larm enligt ISA-18.2", "An alarm after ISA-18.2"),
    "AlarmId": _own("larmnummer", "alarm id", "Larmets beteckning", "The alarm's identifier", _TEXT),
    "Rule": _own("regel", "rule", "Regeln som larmade", "The rule that raised it", _TEXT),
    "Priority": _own("prioritet", "priority", "low, medium, high eller critical", "low, medium, high or critical", _TEXT),
    "AlarmState": _own("larmläge", "alarm state", "Läge enligt ISA-18.2", "State after ISA-18.2", _TEXT),
    "Raised": _own("larmade", "raised", "När larmet kom", "When it was raised", _TIME),
    "Changed": _own("ändrad", "changed", "När larmet senast ändrades", "When it last changed", _TIME),
    "Text": _own("larmtext", "alarm text", "Vad larmet säger", "What the alarm says", _TEXTS),
}  # fmt: skip


def concepts(plant: Plant) -> Iterator[aas.ConceptDescription]:
    """Those of the signals in the order of the plant file, then kullager's own."""
    for asset_id, asset in plant.assets.items():
        for name, signal in asset.signals.items():
            label, at = signal.display_name(name), asset.display_name(asset_id)
            definition = BilingualText(sv=f"{label.sv}, {at.sv}", en=f"{label.en}, {at.en}")
            kind, unit = (_TEXT, None) if name in asset.context else (_NUMBER, signal.unit)
            concept = Concept(label, definition, kind, unit)
            yield _describe(signal_concept_id(plant.site, asset_id, name), id_short(name), concept)
    for name, concept in OWN.items():
        yield _describe(concept_id(name), name, concept)


def _describe(identifier: str, short: str, concept: Concept) -> aas.ConceptDescription:
    unit = UNITS.get(concept.unit) if concept.unit else None
    content = aas.DataSpecificationIEC61360(
        preferred_name=[
            aas.LangStringPreferredNameTypeIEC61360("sv", concept.name.sv[:LONGEST_NAME]),
            aas.LangStringPreferredNameTypeIEC61360("en", concept.name.en[:LONGEST_NAME]),
        ],
        # as people write it; a unit that the table does not know stands as the plant file has it
        unit=unit.display if unit else concept.unit or None,
        unit_id=meaning(f"{REC_20}{unit.code}") if unit else None,
        # a measure without a unit is none (AASc-3a-009)
        data_type=aas.DataTypeIEC61360.REAL_COUNT if concept.kind is _NUMBER and not concept.unit else concept.kind,
        definition=[
            aas.LangStringDefinitionTypeIEC61360("sv", concept.definition.sv[:LONGEST_DEFINITION]),
            aas.LangStringDefinitionTypeIEC61360("en", concept.definition.en[:LONGEST_DEFINITION]),
        ],
    )
    return aas.ConceptDescription(
        id=identifier,
        id_short=short,
        display_name=names(concept.name),
        embedded_data_specifications=[aas.EmbeddedDataSpecification(meaning(IEC_61360), content)],
    )
