"""The AsyncAPI document is a valid one, has every topic, verb and message, and says of them what is so."""

import builtins
import inspect
import json
import types
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from api.arrivals import UnreadableResult, read_arrival
from api.cursor import LARGEST
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case
from edge.contracts.command import AlarmVerb, ModelVerb
from edge.contracts.errors import MessageError
from edge.contracts.performance import Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.contracts.topics import Topics
from edge.contracts.truth import Truth
from edge.formats.json_message import TIME_FIELDS, Identity, encode
from simulator.commands import VERBS
from tests.api.described_messages import Described
from tests.api.running_api import RunningApi
from tests.conftest import COUNTERPARTS

TOPICS = Topics("kullager/v1/enterprise/site/area")
DESCRIBED = Described(TOPICS)
OFFICIAL = COUNTERPARTS / "node_modules/@asyncapi/specs/schemas/3.0.0.json"
MESSAGES = DESCRIBED.document["components"]["messages"]
RESULTS = {"assessment": Assessment, "alarm": Alarm, "case": Case, "performance": Performance, "audit": ModelAudit}
OTHERS = {"spectrum": WaveformSpectrum, "status": EdgeStatus, "truth": Truth}


def test_it_is_valid_after_the_official_schema() -> None:
    if not OFFICIAL.exists():
        pytest.skip("@asyncapi/specs is not installed; `requirements/setup.sh counterparts` brings it")
    validator = Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(DESCRIBED.document)] == []
    broken = {**DESCRIBED.document, "operations": {"send-alarm": {"action": "publish"}}}
    assert list(validator.iter_errors(broken)), "it admits anything"


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for each in node for found in references(each)]
        if not isinstance(node, dict):
            return []
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for each in node.values() for found in references(each)]

    found = references(DESCRIBED.document)
    assert len(found) > 100
    for reference in found:
        at: Any = DESCRIBED.document
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]


def test_every_topic_and_every_verb_has_a_channel() -> None:
    methods = [getattr(TOPICS, name) for name in vars(Topics) if not name.startswith("_") and name not in {"base", "parts"}]
    for method in methods:
        if isinstance(method, str):
            assert DESCRIBED.channel(method), method
        elif "verb" not in (parameters := inspect.signature(method).parameters):
            topic = method(*("x" for _ in parameters))
            assert DESCRIBED.channel(topic), topic
    of_edge = {TOPICS.edge_command("e", verb) for verb in (*AlarmVerb, *ModelVerb, "evidence", "resend")}
    of_simulator = {TOPICS.simulator_command(verb) for verb in VERBS}
    channels = {DESCRIBED.channel(topic) for topic in of_edge | of_simulator}
    assert None not in channels
    received = [each for each in DESCRIBED.document["operations"].values() if each["action"] == "receive"]
    assert {f"#/channels/{name}" for name in channels} == {each["channel"]["$ref"] for each in received}
    assert all("reply" in each for each in received)


@pytest.mark.parametrize("name", [name for name in MESSAGES if "examples" in MESSAGES[name]])
def test_an_example_is_as_its_schema_says(name: str) -> None:
    (example,) = MESSAGES[name]["examples"]
    assert [error.message for error in DESCRIBED.validator(MESSAGES[name]["payload"]).iter_errors(example["payload"])] == []


def test_every_message_but_the_parts_of_a_file_has_an_example() -> None:
    assert {name for name, message in MESSAGES.items() if "examples" not in message} == {"evidence-part"}


@pytest.mark.parametrize("name", [*RESULTS, *OTHERS])
def test_the_api_reads_the_examples(name: str) -> None:
    payload = MESSAGES[name]["examples"][0]["payload"]
    address = DESCRIBED.document["channels"][name]["address"]
    for key in ("asset", "signal", "edge", "alarm_id", "case_id"):
        address = address.replace(f"{{{key}}}", str(payload.get(key)))
    assert not isinstance(read_arrival(TOPICS, address, orjson.dumps(payload)), UnreadableResult)


def written(hint: Any, name: str = "") -> st.SearchStrategy[Any]:
    """Anything of this type that the code could write."""
    if isinstance(hint, type) and is_dataclass(hint):
        return st.builds(hint, **{field: written(each, field) for field, each in get_type_hints(hint).items()})
    arguments = get_args(hint)
    match get_origin(hint):
        case types.UnionType:
            return st.one_of(*(written(each, name) for each in arguments))
        case builtins.dict:
            return st.dictionaries(written(arguments[0]), written(arguments[1]), max_size=2)
        case builtins.tuple:
            return st.lists(written(arguments[0]), max_size=2).map(tuple)
    if hint is str:
        return st.text(max_size=5)
    if hint is int:
        return st.integers(-LARGEST, LARGEST) if name in TIME_FIELDS else st.integers(0, 2**53)
    return st.floats(allow_nan=False, allow_infinity=False) if hint is float else st.from_type(hint)


@pytest.mark.parametrize("kind", [*RESULTS.values(), *OTHERS.values()])
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_written_is_as_its_schema_says(kind: type, data: st.DataObject) -> None:
    message = data.draw(written(kind))
    name = next(name for name, each in (RESULTS | OTHERS).items() if each is kind)
    identity = Identity(edge="edge-1", journal="0198f0c2", seq=1) if name in RESULTS else None
    body = orjson.loads(encode(message, identity))
    faults = [error.message for error in DESCRIBED.validator(MESSAGES[name]["payload"]).iter_errors(body)]
    assert faults == []


@pytest.mark.parametrize("name", [*RESULTS, *OTHERS])
def test_a_message_that_lacks_what_it_must_have_is_not_admitted(name: str) -> None:
    payload = MESSAGES[name]["examples"][0]["payload"]
    schema = MESSAGES[name]["payload"]
    for key in DESCRIBED.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["required"]:
        less = {each: value for each, value in payload.items() if each != key}
        assert list(DESCRIBED.validator(schema).iter_errors(less)), key
        if key != "edge" or name in RESULTS:
            topic = DESCRIBED.document["channels"][name]["address"]
            try:
                arrival = read_arrival(TOPICS, topic, orjson.dumps(less))
            except MessageError:
                continue
            assert isinstance(arrival, UnreadableResult), key


def test_nothing_in_it_speaks_of_times_as_the_program_has_them() -> None:
    said = json.dumps(DESCRIBED.document)
    assert "since 1970" not in said
    assert "None" not in said


@pytest.mark.asyncio(loop_scope="module")
async def test_the_api_serves_it_with_the_broker_of_its_plant(shared_api: RunningApi) -> None:
    served = await shared_api.get("/asyncapi.json")
    assert served["servers"]["results"]["host"] == "127.0.0.1:9"
    assert served["channels"]["status"]["address"].endswith("/edges/{edge}/status")
    assert served["components"] == DESCRIBED.document["components"]
