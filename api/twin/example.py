"""A small twin for the documentation: the pump of the other routes' examples, in trouble."""

from typing import Final

from api.answers import ALARM, ASSESSMENT
from api.twin.condition import Condition
from api.twin.environment import Twin
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.plant import Asset, EdgeSettings, MqttSource, Nameplate, Plant, Running, Signal, Site
from edge.formats.json_message import decode_fields

LIFE: Final = {"fault": {"name": "bearing-outer-race", "probability": 0.8}, "rul_h": {"p10": 31.0, "p50": 52.0, "p90": 88.0}}


def example_twin() -> Twin:
    pump = Asset(
        asset_class="pump",
        name={"sv": "Cirkulationspump 101", "en": "Circulation pump 101"},
        running=Running(signal="speed", above=100.0),
        nameplate=Nameplate(manufacturer="Kullager Testbed", model="CP 60-28", serial="101", rated_kw=7.5),
        signals={
            "speed": Signal(name={"sv": "varvtal", "en": "speed"}, unit="/min", source="broker"),
            "vibration": Signal(unit="mm/s", source="broker"),
        },
    )
    plant = Plant(
        schema=1,
        site=Site(enterprise="automation-region", site="testbed-vasteras", area="hall-1"),
        edge=EdgeSettings(id="edge-1"),
        sources={"broker": MqttSource(kind="mqtt", url="mqtt://127.0.0.1:1883")},
        assets={"pump-101": pump},
    )
    condition = Condition(
        assessment=decode_fields(Assessment, ASSESSMENT | LIFE, "the example"),
        alarms=(decode_fields(Alarm, ALARM, "the example"),),
    )
    return Twin(plant, lambda _: condition, lambda asset: f"http://localhost:8000/api/v1/assets/{asset}/assessments")
