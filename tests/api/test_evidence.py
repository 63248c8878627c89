"""Evidence files: in parts over the broker, in whatever order they come."""

import asyncio
import gc
import hashlib

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import commands, transfers
from api.transfers import END, TransferFailed, Transfers
from edge.contracts.command import EvidenceCommand
from edge.evidence import PART_BYTES, parts_of
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import Parts, ScriptedEdge, alarm, answer_for

CONTENT = b"".join(number.to_bytes(4, "big") for number in range(PART_BYTES))


@pytest.fixture
async def known_alarm(api: RunningApi, scripted_edge: ScriptedEdge) -> str:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    await api.until_contiguous(1)
    return "/api/v1/alarms/alarm-1/evidence"


async def fetch(api: RunningApi, path: str) -> tuple[int, str]:
    await api.until_connected()
    answer = await api.client.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


async def test_a_file_comes_in_parts_in_another_order_and_twice(
    api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str
) -> None:
    parts, _ = parts_of(CONTENT)
    assert len(parts) == 4
    asked: list[EvidenceCommand] = []

    def in_order(command: EvidenceCommand) -> Parts:
        asked.append(command)
        return [*enumerate(parts), (END, answer_for(command.command_id, CONTENT, 4))]

    def mixed(command: EvidenceCommand) -> Parts:
        end = END, answer_for(command.command_id, CONTENT, 4)
        return [(2, parts[2]), end, (0, parts[0]), (2, parts[2]), end, (3, parts[3]), (1, parts[1]), (0, parts[0])]

    for way in (in_order, mixed):
        scripted_edge.evidence = way
        answer = await api.client.get(known_alarm)
        assert answer.status_code == 200
        assert answer.content == CONTENT
        assert answer.headers["content-type"] == "application/zip"
        assert 'filename="evidence-alarm-1.zip"' in answer.headers["content-disposition"]
    assert asked[0].alarm_id == "alarm-1"


async def test_two_at_once_do_not_mix(api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str) -> None:
    scripted_edge.publish(alarm("pump-101", "alarm-2", 1))
    await api.until_contiguous(2)

    def own(command: EvidenceCommand) -> Parts:
        content = command.alarm_id.encode()
        return [(0, content[:3]), (1, content[3:]), (END, answer_for(command.command_id, content, 2))]

    scripted_edge.evidence = own
    paths = (f"/api/v1/alarms/alarm-{number}/evidence" for number in (1, 2))
    answers: list[httpx.Response] = await asyncio.gather(*(api.client.get(path) for path in paths))
    assert [answer.content for answer in answers] == [b"alarm-1", b"alarm-2"]


async def test_a_file_that_is_not_what_it_should_be_is_refused(
    api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what is asserted does not depend on how busy this machine is; an answer that is lost still fails
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 60.0)

    def changed(command: EvidenceCommand) -> Parts:
        return [(0, b"other"), (END, answer_for(command.command_id, b"right", 1))]

    scripted_edge.evidence = changed
    status, detail = await fetch(api, known_alarm)
    assert (status, "sha256" in detail, "edge-1" in detail) == (502, True, True)

    scripted_edge.evidence = lambda _command: [("one", b"x")]
    assert await fetch(api, known_alarm) == (
        502,
        "edge 'edge-1' sent the file wrongly: 'one' should be the number of a part, or 'end'",
    )

    scripted_edge.evidence = lambda _command: [(0, b"x"), (END, b'{"parts":1}')]
    status, detail = await fetch(api, known_alarm)
    assert (status, "command_id" in detail) == (502, True)


async def test_a_file_that_never_ends_is_given_up(
    api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TRANSFER_WITHIN_S", 0.2)

    def without_its_last(command: EvidenceCommand) -> Parts:
        return [(0, b"one"), (END, answer_for(command.command_id, b"onetwo", 2))]

    for way in (without_its_last, lambda _command: [(0, b"one"), (1, b"two")], lambda _command: []):
        scripted_edge.evidence = way
        assert await fetch(api, known_alarm) == (504, "edge 'edge-1' did not send the file within 0.2 s")


async def test_where_there_is_none_the_edge_says_why(api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str) -> None:
    said = "the evidence of alarm alarm-1 is complete 60 s after it began"
    scripted_edge.evidence = lambda _command: said
    assert await fetch(api, known_alarm) == (404, said)
    status, detail = await fetch(api, "/api/v1/alarms/alarm-9/evidence")
    assert (status, "alarm-9" in detail) == (404, True)


async def test_what_nobody_asked_for_is_passed_over(api: RunningApi, scripted_edge: ScriptedEdge, known_alarm: str) -> None:
    asked: list[EvidenceCommand] = []

    def refused(command: EvidenceCommand) -> str:
        asked.append(command)
        return "none is kept"

    scripted_edge.evidence = refused
    await fetch(api, known_alarm)
    for part, payload in ((0, b"x"), (END, b"nonsense"), ("zero", b"x")):
        scripted_edge.send(scripted_edge.topics.edge_evidence("edge-1", asked[0].client, "nobody", part), payload, retain=False)
    scripted_edge.publish(alarm("pump-101", "alarm-2", 1))
    status = await api.until_contiguous(2)
    assert status["ingest"]["rejected"] == {}


@given(content=st.binary(max_size=60), size=st.integers(1, 20), data=st.data())
def test_any_order_and_repetition_gives_the_file(content: bytes, size: int, data: st.DataObject) -> None:
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    end = answer_for("c", content, len(parts))
    everything = [*((str(number), part) for number, part in enumerate(parts)), (END, end)]
    again = data.draw(st.lists(st.sampled_from(everything), max_size=10))
    order = data.draw(st.permutations([*everything, *again]))

    async def gather() -> bytes:
        gathered = Transfers()
        with gathered.expected("c") as whole:
            for part, payload in order:
                gathered.take("c", part, payload)
                gathered.take("d", part, payload)
            return whole.result()

    assert asyncio.run(gather()) == content


@given(content=st.binary(min_size=1, max_size=40), bit=st.integers(0, 7), at=st.integers(0, 39))
def test_a_flipped_bit_is_found(content: bytes, bit: int, at: int) -> None:
    changed = bytearray(content)
    changed[at % len(content)] ^= 1 << bit

    async def gather() -> BaseException | None:
        gathered = Transfers()
        with gathered.expected("c") as whole:
            gathered.take("c", END, answer_for("c", content, 1))
            gathered.take("c", "0", bytes(changed))
            return whole.exception()

    assert "sha256" in str(asyncio.run(gather()))


async def test_a_failure_that_nobody_waits_for_is_not_left_over() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context["message"]))
    gathered = Transfers()
    with gathered.expected("c"):
        gathered.take("c", "zero", b"")
    gc.collect()
    assert said == []


async def test_more_than_can_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "MOST_BYTES", 10)
    gathered = Transfers()
    with gathered.expected("c") as whole:
        gathered.take("c", "0", bytes(6))
        gathered.take("c", "0", bytes(6))
        assert not whole.done()
        gathered.take("c", "1", bytes(5))
        with pytest.raises(TransferFailed, match="more than 10 bytes"):
            await whole


def test_parts_of_a_file_are_those_that_a_broker_takes() -> None:
    parts, sha256 = parts_of(CONTENT)
    assert b"".join(parts) == CONTENT
    assert {len(part) for part in parts} == {PART_BYTES}
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert orjson.loads(answer_for("c", CONTENT, len(parts)))["sha256"] == sha256
