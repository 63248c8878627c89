"""The digital twin: held against the standard by two programs that others wrote, and against the templates it follows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aas_core3.jsonization import to_jsonable
from aas_core3.verification import verify
from aas_test_engines.api import execute_tests
from aas_test_engines.config import CheckApiConfig
from aas_test_engines.file import check_json_data
from aas_test_engines.http import HttpClient
from aas_test_engines.result import AasTestResult, Level

from api.answers import ALARM, ASSESSMENT
from api.routes.twin import PROFILES
from api.twin import views
from api.twin.condition import Condition
from api.twin.environment import Twin
from api.twin.example import LIFE, example_twin
from api.twin.identifiers import to_base64url
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment, FaultMode, RemainingLife
from edge.contracts.plant_file import load_plant
from edge.formats.json_message import decode_fields
from edge.formats.units import UNITS
from tests.api.running_api import ROOT, RunningApi
from tests.api.scripted_edge import ScriptedEdge, alarm, assessment
from tests.conftest import Mosquitto

SITE = "automation-region:testbed-vasteras:hall-1"
SHELL = f"urn:kullager:aas:{SITE}:pump-101"
MAINTENANCE = f"urn:kullager:submodel:{SITE}:pump-101:predictive-maintenance"
# The validator warns where it has nothing to ask for: elements of kinds that a nameplate has not, and the second page of
# GetAllSubmodelElements-Reference, whose cursor its own test never fetches (1.0.3).
NOTHING_TO_ASK = ("No such element present", "No submodel element of type 'File'", "Cannot check pagination")
# tests that change nothing share one api, and so one event loop
UNCHANGED = pytest.mark.asyncio(loop_scope="module")
PLANTS = sorted((ROOT / "edge/plants").glob("*.toml"))

NOTHING = Condition()
WITHHELD = Condition(assessment=assessment("pump-101", 0, None))
EVERYTHING = Condition(
    assessment=decode_fields(Assessment, ASSESSMENT | LIFE, "a test"), alarms=(decode_fields(Alarm, ALARM, "a test"),) * 2
)


def twin_of(plant: Path, condition: Condition) -> Twin:
    return Twin(load_plant(plant), lambda _: condition, lambda asset: f"http://localhost/api/v1/assets/{asset}/assessments")


def complaints(result: AasTestResult) -> list[str]:
    """What the validator finds, warnings too."""
    below = [text for each in result.sub_results for text in complaints(each)]
    return below or ([result.message] if result.level is not Level.INFO else [])


# -- the model


CONDITIONS = {"before the first assessment": NOTHING, "withheld": WITHHELD, "in trouble": EVERYTHING}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("plant", PLANTS, ids=lambda path: path.stem)
def test_the_environment_is_valid(plant: Path, condition: Condition) -> None:
    twin = twin_of(plant, condition)
    environment = twin.environment(twin.shell_ids, twin.submodel_ids(), with_concepts=True)
    assert [f"{error.path}: {error.cause}" for error in verify(environment)] == []
    assert complaints(check_json_data(to_jsonable(environment))) == []


def test_the_validator_would_notice() -> None:
    twin = example_twin()
    broken: Any = to_jsonable(twin.environment(twin.shell_ids, twin.submodel_ids(), with_concepts=True))
    broken["submodels"][0]["submodelElements"][0]["idShort"] = "not allowed"
    assert complaints(check_json_data(broken))


def test_everything_has_an_identifier_of_its_own() -> None:
    twin = twin_of(ROOT / "edge/plants/demo.toml", NOTHING)
    environment = twin.environment(twin.shell_ids, twin.submodel_ids(), with_concepts=True)
    everything = [
        *(environment.asset_administration_shells or ()),
        *(environment.submodels or ()),
        *(environment.concept_descriptions or ()),
    ]
    assert len({each.id for each in everything}) == len(everything)
    meanings = {concept.id for concept in twin.concepts()}
    used = {
        element.semantic_id.keys[0].value
        for submodel in environment.submodels or ()
        for element in submodel.descend()
        if isinstance(element, views.aas.SubmodelElement) and element.semantic_id is not None
    }
    assert {name for name in used if name.startswith("urn:kullager:")} <= meanings


# what the published templates have as cardinality One: path, kind, and the last part of the semantic id
MANDATORY = {
    "Nameplate": [
        ("URIOfTheProduct", "Property", "0112/2///61987#ABN590#002"),
        ("ManufacturerName", "MultiLanguageProperty", "0112/2///61987#ABA565#009"),
        ("ManufacturerProductDesignation", "MultiLanguageProperty", "0112/2///61987#ABA567#009"),
        ("AddressInformation", "SubmodelElementCollection", "ContactInformations/AddressInformation"),
        ("OrderCodeOfManufacturer", "Property", "0112/2///61987#ABA950#008"),
    ],
    "TimeSeries": [
        ("Metadata", "SubmodelElementCollection", "TimeSeries/Metadata/1/1"),
        ("Metadata.Name", "MultiLanguageProperty", "TimeSeries/Metadata/Name/1/1"),
        ("Metadata.Record", "SubmodelElementCollection", "TimeSeries/Record/1/1"),
        ("Metadata.Record.Time", "Property", "TimeSeries/UtcTime/1/1"),
        ("Segments", "SubmodelElementCollection", "TimeSeries/Segments/1/1"),
        ("Segments.LinkedSegment", "SubmodelElementCollection", "TimeSeries/Segments/LinkedSegment/1/1"),
        ("Segments.LinkedSegment.Endpoint", "Property", "TimeSeries/Endpoint/1/1"),
        ("Segments.LinkedSegment.Query", "Property", "TimeSeries/Query/1/1"),
    ],
    "PredictiveMaintenance": [
        (path, kind, f"PredictiveMaintenance/{path.rpartition('.')[2]}/1/0")
        for path, kind in [
            ("RemainingUsefulLifePrediction", "SubmodelElementCollection"),
            ("RemainingUsefulLifePrediction.RemainingUsefulLifetime", "Entity"),
            ("RemainingUsefulLifePrediction.RemainingUsefulLifetime.IndicationType", "Property"),
            ("RemainingUsefulLifePrediction.RemainingUsefulLifetime.DurationValue", "Property"),
            ("RemainingUsefulLifePrediction.RemainingUsefulLifetime.EngineeringUnit", "Property"),
            ("RemainingUsefulLifePrediction.RemainingUsefulLifetime.StartValue", "Property"),
            ("RemainingUsefulLifePrediction.ConfidenceInterval", "Range"),
            ("RemainingUsefulLifePrediction.ListRULBoundaryConditions", "SubmodelElementList"),
            ("RemainingUsefulLifePrediction.PredictionModelInformation", "SubmodelElementCollection"),
            ("RemainingUsefulLifePrediction.PredictionModelInformation.ModelType", "Property"),
        ]
    ],
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("id_short", MANDATORY)
def test_submodels_have_what_their_templates_ask_for(id_short: str, condition: Condition) -> None:
    twin = twin_of(ROOT / "edge/plants/demo.toml", condition)
    submodel = twin.submodel(twin.submodel_ids(id_short)[0])
    for path, kind, meaning in MANDATORY[id_short]:
        element = views.find(submodel, path)[-1]
        assert type(element).__name__ == kind, path
        assert element.semantic_id is not None
        assert element.semantic_id.keys[0].value.endswith(meaning), path


def test_a_prognosis_is_told_as_the_template_tells_it() -> None:
    twin = example_twin()
    submodel = twin.submodel(twin.submodel_ids("PredictiveMaintenance")[0])
    told = views.value(submodel)
    prediction = told["RemainingUsefulLifePrediction"]
    assert prediction["RemainingUsefulLifetime"]["statements"]["DurationValue"] == 52.0
    assert prediction["RemainingUsefulLifetime"]["statements"]["StartDateTime"] == "2026-11-23T10:00:05Z"
    assert prediction["RemainingUsfulLifeDateTime"] == "2026-11-25T14:00:05Z"
    assert prediction["ConfidenceInterval"] == {"min": 31.0, "max": 88.0}
    assert prediction["PredictionModelInformation"]["ModelVersion"] == "3"
    assert told["Condition"]["Fault"] == {"FaultMode": "bearing-outer-race", "Probability": 0.8}


def test_signals_are_described_with_their_units() -> None:
    plant = load_plant(ROOT / "edge/plants/demo.toml")
    described = {concept.id: to_jsonable(concept) for concept in twin_of(ROOT / "edge/plants/demo.toml", NOTHING).concepts()}
    for row in plant.signal_table:
        concept: Any = described[f"urn:kullager:signal:{SITE}:{row.asset}:{row.name}"]
        content = concept["embeddedDataSpecifications"][0]["dataSpecificationContent"]
        label = row.signal.display_name(row.name)
        assert {name["language"]: name["text"] for name in content["preferredName"]} == {"sv": label.sv, "en": label.en}
        if row.is_text:
            assert (content["dataType"], "unit" in content) == ("STRING", False)
        else:
            assert content["unit"] == UNITS[row.signal.unit].display
            assert content["unitId"]["keys"][0]["value"].endswith(f"#{UNITS[row.signal.unit].code}")


@pytest.mark.parametrize("path", ["", "OpenAlarms.0", "Condition[0]", "OpenAlarms[9]", "Condition..Score", "[0]", "Condition."])
def test_a_path_that_leads_nowhere(path: str) -> None:
    twin = example_twin()
    submodel = twin.submodel(twin.submodel_ids("PredictiveMaintenance")[0])
    with pytest.raises((LookupError, ValueError)):
        views.find(submodel, path)[-1]


def test_the_views_of_an_element() -> None:
    twin = example_twin()
    submodel = twin.submodel(twin.submodel_ids("PredictiveMaintenance")[0])
    path = "OpenAlarms[0].AlarmState"
    trail = views.find(submodel, path)
    assert views.named_value(trail[-1]) == {"AlarmState": "active-unacknowledged"}
    assert views.value(trail[0])[0]["Priority"] == "high"
    assert "value" not in views.metadata(trail[-1])
    assert [(key["type"], key["value"]) for key in views.reference_to(submodel, trail, path)["keys"]] == [
        ("Submodel", submodel.id),
        ("SubmodelElementList", "OpenAlarms"),
        ("SubmodelElementCollection", "0"),
        ("Property", "AlarmState"),
    ]
    assert path in list(views.paths(views.children(submodel)))
    for found in views.paths(views.children(submodel)):
        views.find(submodel, found)

    core = views.whole(submodel, views.Level.CORE)
    assert [child["idShort"] for child in core["submodelElements"]] == [
        "RemainingUsefulLifePrediction",
        "Condition",
        "OpenAlarms",
    ]
    assert not any("value" in child for child in core["submodelElements"])
    condition = views.find(submodel, "Condition")[-1]
    assert views.value(condition, views.Level.CORE)["Score"] == 1.42
    assert "Fault" not in views.value(condition, views.Level.CORE)
    assert "Condition.Fault.Probability" not in list(views.paths_from(condition, "Condition", views.Level.CORE))


# -- the api


async def fetch(api: RunningApi, path: str, **parameters: Any) -> httpx.Response:
    return await api.client.get(f"/api/v1/aas{path}", params=parameters)


@pytest_asyncio.fixture
async def hall(mosquitto: Mosquitto, free_port: Callable[[], int], tmp_path: Path) -> AsyncIterator[RunningApi]:
    """The api with all the machines of the demo, one of which is in trouble."""
    plant = ROOT / "edge/plants/demo.toml"
    running = RunningApi(plant, free_port(), tmp_path / "home", KULLAGER_SOURCE_BROKER_URL=mosquitto.url)
    await running.start()
    async with ScriptedEdge(mosquitto.url, load_plant(plant).topics) as edge:
        edge.publish(assessment("pump-101", 0, 1.4))
        edge.publish(alarm("pump-101", "alarm-1", 1))
        edge.publish_status()
        await running.until_contiguous(2)
        yield running
    await running.close()


@pytest.mark.parametrize("profile", PROFILES, ids=["shells", "submodels"])
async def test_the_standard_s_own_validator_finds_nothing_in_a_running_server(hall: RunningApi, profile: str) -> None:
    client = HttpClient(host=f"{hall.url}/api/v1/aas")
    result, counts = await asyncio.to_thread(execute_tests, client, CheckApiConfig(suite=profile))
    assert [text for text in complaints(result) if not text.startswith(NOTHING_TO_ASK)] == []
    assert counts.invalid_accepted == counts.valid_rejected == 0
    assert counts.valid_accepted > 50


async def test_the_twin_follows_what_the_edge_tells(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    maintenance = f"/submodels/{to_base64url(MAINTENANCE)}"
    assert (await fetch(api, f"{maintenance}/submodel-elements/Condition/$value")).json() == {"Condition": {}}
    worn = assessment("pump-101", 0, 1.4)
    told = {name: getattr(worn, name) for name in worn.__dataclass_fields__}
    told |= {"rul_h": RemainingLife(p10=1.0, p50=2.0, p90=3.0), "fault": FaultMode(name="imbalance", probability=0.5)}
    scripted_edge.publish(Assessment(**told))
    scripted_edge.publish(alarm("pump-101", "alarm-1", 1))
    scripted_edge.publish_status()
    await api.until_contiguous(2)

    async def value(submodel: str, path: str) -> Any:
        identifier = to_base64url(f"urn:kullager:submodel:{SITE}:pump-101:{submodel}")
        answer = await fetch(api, f"/submodels/{identifier}/submodel-elements/{path}/$value")
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await value("predictive-maintenance", "Condition.Score") == {"Score": 1.4}
    assert await value("predictive-maintenance", "OpenAlarms[0].Text") == {"Text": [{"sv": "Avvikande"}, {"en": "Unusual"}]}
    life = "RemainingUsefulLifePrediction.RemainingUsefulLifetime.DurationValue"
    assert await value("predictive-maintenance", life) == {"DurationValue": 2.0}
    assert await value("time-series", "Segments.InternalSegment.Records.Record.vibration") == {"vibration": 3.9}

    endpoint = (await value("time-series", "Segments.LinkedSegment.Endpoint"))["Endpoint"]
    query = (await value("time-series", "Segments.LinkedSegment.Query"))["Query"]
    history = (await api.client.get(f"{endpoint}?{query}")).json()["items"]
    assert [item["score"] for item in history] == [1.4]


@UNCHANGED
async def test_a_download_holds_all_that_was_asked_for(shared_api: RunningApi) -> None:
    everything = (await fetch(shared_api, "/serialization")).json()
    assert len(everything["assetAdministrationShells"]) == 1
    assert len(everything["submodels"]) == 3
    assert everything["conceptDescriptions"]
    assert complaints(check_json_data(everything)) == []
    one = (
        await fetch(shared_api, "/serialization", submodelIds=to_base64url(MAINTENANCE), includeConceptDescriptions=False)
    ).json()
    assert list(one) == ["submodels"]
    shell = (await fetch(shared_api, "/serialization", aasIds=to_base64url(SHELL))).json()
    assert len(shell["submodels"]) == 3


@UNCHANGED
async def test_pages_join_without_a_gap(shared_api: RunningApi) -> None:
    whole = (await fetch(shared_api, "/concept-descriptions", limit=1000)).json()
    assert whole["paging_metadata"] == {}
    joined: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await fetch(shared_api, "/concept-descriptions", limit=7, **cursor)).json()
        joined += page["result"]
        assert len(page["result"]) <= 7
        cursor = page["paging_metadata"]
        if not cursor:
            break
    assert joined == whole["result"]


@UNCHANGED
async def test_lists_can_be_narrowed(shared_api: RunningApi) -> None:
    def asset(name: str, value: str) -> str:
        return to_base64url(json.dumps({"name": name, "value": value}))

    for parameters, count in [
        ({"assetIds": asset("globalAssetId", f"urn:kullager:asset:{SITE}:pump-101")}, 1),
        ({"assetIds": asset("assetId", "pump-101")}, 1),
        ({"assetIds": asset("assetId", "pump-102")}, 0),
        ({"idShort": "pump_101"}, 1),
    ]:
        assert len((await fetch(shared_api, "/shells", **parameters)).json()["result"]) == count
    meaning = {
        "type": "ExternalReference",
        "keys": [{"type": "GlobalReference", "value": "https://admin-shell.io/idta/TimeSeries/1/1"}],
    }
    found = (await fetch(shared_api, "/submodels", semanticId=to_base64url(json.dumps(meaning)))).json()["result"]
    assert [submodel["idShort"] for submodel in found] == ["TimeSeries"]


@UNCHANGED
@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/shells/pump-101", 400, "base64url"),
        (f"/shells/{to_base64url('urn:kullager:aas:none')}", 404, "urn:kullager:aas:none"),
        ("/shells?limit=0", 400, "query.limit"),
        ("/shells?cursor=x", 400, "paging_metadata.cursor"),
        ("/shells?assetIds=x", 400, "query.assetIds"),
        ("/submodels?semanticId=e30", 400, "query.semanticId"),
        (f"/submodels/{to_base64url('urn:none')}", 404, "urn:none"),
        (f"/submodels/{to_base64url(MAINTENANCE)}?level=half", 400, "query.level"),
        (f"/submodels/{to_base64url(MAINTENANCE)}/submodel-elements/Condition.Skore", 404, "Condition.Skore"),
        (f"/submodels/{to_base64url(MAINTENANCE)}/submodel-elements/Condition..", 400, "idShortPath"),
        (f"/submodels/{to_base64url(MAINTENANCE)}/submodel-elements/OpenAlarms[0", 400, "idShortPath"),
        (f"/shells/{to_base64url(SHELL)}/submodels/{to_base64url('urn:none')}", 404, "urn:none"),
        (f"/shells/{to_base64url('urn:none')}/submodels/{to_base64url(MAINTENANCE)}", 404, "urn:none"),
        (f"/concept-descriptions/{to_base64url('urn:none')}", 404, "urn:none"),
        (f"/serialization?aasIds={to_base64url('urn:none')}", 404, "urn:none"),
    ],
)
async def test_errors_are_the_specification_s_result(shared_api: RunningApi, path: str, status: int, says: str) -> None:
    answer = await shared_api.client.get(f"/api/v1/aas{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    (message,) = answer.json()["messages"]
    assert (message["code"], message["messageType"]) == (str(status), "Error")
    assert says in message["text"]
