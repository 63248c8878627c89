"""Whatever is asked after the OpenAPI document, no answer is an error of ours, and each is as the document says."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import orjson
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, assume, settings
from jsonschema import Draft202012Validator
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from api.answers import ALARM, ASSESSMENT, AUDIT, CASE, PERFORMANCE, STATUS
from api.app import create_api
from api.arrivals import Result, StatusReport, read_arrival
from api.cursor import JournalCursor
from api.database import open_engine
from api.store import Batch, Store
from edge.contracts.topics import Topics
from tests.api.running_api import ADMIN_TOKEN, ROOT, ApiProcess
from tests.conftest import PLAIN_HTTP

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TOPICS = Topics("kullager/v1/x/y/z")
DOCUMENT = create_api().openapi()
# a stream never ends, and below a shell are the same submodels once more
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path_regex=r"/stream$|/shells/\{aas_identifier\}/submodels/")


def remember(database: Path) -> None:
    """What the examples of the document tell, as if an edge had told it."""
    told = {
        TOPICS.assessment("pump-101"): ASSESSMENT,
        TOPICS.alarm("pump-101", str(ALARM["alarm_id"])): ALARM,
        TOPICS.case("pump-101", str(CASE["case_id"])): CASE,
        TOPICS.performance("pump-101"): {**PERFORMANCE, "asset": "pump-101"},
        TOPICS.edge_audit("edge-1"): AUDIT,
        TOPICS.edge_status("edge-1"): STATUS,
    }
    arrivals = [read_arrival(TOPICS, topic, orjson.dumps(message)) for topic, message in told.items()]
    results = [each for each in arrivals if isinstance(each, Result)]
    statuses = {each.status.edge: each for each in arrivals if isinstance(each, StatusReport)}
    cursors = {("edge-1", results[0].identity.journal): JournalCursor(0, 124)}
    store = Store(open_engine(f"sqlite:///{database}"))
    store.write(Batch(results=results, statuses=statuses, cursors=cursors))
    store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """An api without a broker, a process of its own that remembers what the examples tell."""
    home = tmp_path_factory.mktemp("described") / "home"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (home / "api").mkdir(parents=True)
    remember(home / "api/api.sqlite")
    plant = ROOT / "tests/cases/pump/plant.toml"
    process = ApiProcess(plant, port, home, KULLAGER_SOURCE_BROKER_URL="mqtt://127.0.0.1:9", KULLAGER_API_CHANGES="0")
    await process.start()
    yield process.url
    await process.close()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30, trust_env=False, verify=PLAIN_HTTP
    ) as found:
        yield found


@schema.parametrize()
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(url: str, case: Case) -> None:
    # Starlette leads no path with a line break in it to any route, so its answer is not of one
    assume(not any("\n" in str(value) for value in case.path_parameters.values()))
    answer = case.call(base_url=url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30)
    # what cannot be done without a broker is said with these
    checks = CHECKS[1:] if answer.status_code in {502, 503, 504, 507} else CHECKS
    case.validate_response(answer, checks=checks)


@pytest.mark.parametrize("path", [path for path, item in DOCUMENT["paths"].items() if "get" in item and "{" not in path])
def test_what_is_remembered_is_told_as_the_document_says(client: httpx.Client, path: str) -> None:
    if path.endswith("/stream"):
        return
    answer = client.get(path, params={"state": "all"} if path.endswith(("/alarms", "/cases")) else {})
    assert answer.status_code == 200, answer.text
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    validator = Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())] == []


def test_every_parameter_but_those_of_pages_and_filters_of_the_twin_has_an_example() -> None:
    without = {
        parameter["name"]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", ())
        if not {"example", "examples"} & (parameter.keys() | parameter["schema"].keys())
    }
    assert without == {"cursor", "assetIds", "semanticId", "aasIds", "submodelIds"}


def test_every_answer_in_json_has_a_shape_of_its_own() -> None:
    without = [
        f"{method.upper()} {path} {status}"
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        for status, answer in operation["responses"].items()
        for media_type, content in answer.get("content", {}).items()
        # submodels and their elements are of many forms, which their own specification has
        if media_type.endswith("json") and "$ref" not in content["schema"] and not ("/aas/" in path and status == "200")
    ]
    assert without == []


def test_an_example_has_its_nulls() -> None:
    answer = DOCUMENT["paths"]["/api/v1/assets"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert "next" in answer
    assert answer["items"][0]["latest"]["reason"] is None


def test_a_default_that_is_made_for_each_message_is_told() -> None:
    properties = {name: shape.get("properties") for name, shape in DOCUMENT["components"]["schemas"].items()}
    assert properties["EdgeStatus"]["sources"]["default"] == {}
    assert properties["Alarm"]["evidence"]["default"] == {"score": None, "signals": []}


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_example_is_as_its_schema_says(path: str) -> None:
    for operation in DOCUMENT["paths"][path].values():
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                validator = Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
                assert [error.message for error in validator.iter_errors(content["example"])] == []
