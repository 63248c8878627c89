"""Nothing is lost and nothing counts twice, whoever was away."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.contracts.alarm import AlarmState
from tests.api.running_api import ApiProcess, RunningApi, until
from tests.api.scripted_edge import ScriptedEdge, alarm, assessment
from tests.conftest import Mosquitto


async def test_results_arrive_once_and_the_newest_is_the_latest(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(*(assessment("pump-101", second, second / 10) for second in range(20)))
    scripted_edge.send(*scripted_edge.entries[3])
    scripted_edge.publish_status()
    status = await api.until_contiguous(20)
    assert await api.numbers() == list(range(1, 21))
    assert status["ingest"]["stored"] == 20
    assert status["losses"] == []
    (pump,) = (await api.get("/assets"))["items"]
    assert (pump["id"], pump["class"], pump["latest"]["seq"]) == ("pump-101", "pump", 20)
    assert pump["latest"] == (await api.get("/assets/pump-101"))["latest"]
    assert {
        "name": "vibration",
        "label": {"sv": "vibration", "en": "vibration"},
        "unit": "mm/s",
        "source": "broker",
        "limits": {"warning": 4.5, "alarm": 7.1},
    } in pump["signals"]
    (model,) = (await api.get("/models"))["items"]
    assert (model["name"], model["version"], model["tolerance"]) == ("pump", "3", {"vibration": 0.4})


async def test_a_gap_is_asked_for_and_history_does_not_replace_the_latest(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    for second in range(2500):
        scripted_edge.append(assessment("pump-101", second))
    scripted_edge.publish(assessment("pump-101", 2500, 0.7))
    await api.until_contiguous(2501)
    assert await api.numbers() == list(range(1, 2502))
    assert [(command.first, command.last) for command in scripted_edge.resends] == [(1, 1000), (1001, 2000), (2001, 2500)]
    assert len({command.client for command in scripted_edge.resends}) == 1
    assert (await api.get("/assets/pump-101"))["latest"]["score"] == 0.7


async def test_the_tail_that_only_the_status_tells_of_is_asked_for(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    for second in range(5):
        scripted_edge.append(assessment("pump-101", second))
    scripted_edge.publish_status()
    await api.until_contiguous(5)
    assert await api.numbers() == [1, 2, 3, 4, 5]


async def test_what_the_edge_has_trimmed_is_a_named_loss(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    for second in range(30):
        scripted_edge.append(assessment("pump-101", second))
    scripted_edge.trim(11)
    scripted_edge.publish(assessment("pump-101", 30))
    status = await api.until_contiguous(31)
    assert await api.numbers() == list(range(11, 32))
    (loss,) = status["losses"]
    assert (loss["edge"], loss["journal"]) == ("edge-1", scripted_edge.journal)
    assert (loss["first"], loss["last"], loss["reason"]) == (1, 10, "trimmed")


async def test_a_wiped_journal_leaves_a_named_loss_and_no_endless_questions(
    api: RunningApi, scripted_edge: ScriptedEdge
) -> None:
    scripted_edge.append(assessment("pump-101", 0))
    scripted_edge.answers_resends = False
    scripted_edge.publish(assessment("pump-101", 1))
    old = scripted_edge.journal
    await until(lambda: asyncio.sleep(0, bool(scripted_edge.resends)))
    scripted_edge.journal, scripted_edge.entries = "a-new-journal", {}
    scripted_edge.publish(assessment("pump-101", 2))
    scripted_edge.publish_status(second=3)

    async def settled() -> object:
        status = await api.status()
        return status if len(status["journals"]) == 2 and not any(j["missing"] for j in status["journals"]) else None

    status = await until(settled)
    (loss,) = status["losses"]  # type: ignore[index]
    assert (loss["journal"], loss["first"], loss["last"], loss["reason"]) == (old, 1, 1, "journal-replaced")


async def test_killing_and_restarting_the_api_loses_and_doubles_nothing(
    api_process: ApiProcess, scripted_edge: ScriptedEdge
) -> None:
    scripted_edge.publish(*(assessment("pump-101", second) for second in range(10)))
    scripted_edge.append(assessment("pump-101", 10))
    scripted_edge.publish(assessment("pump-101", 11), alarm("pump-101", "alarm-1", 12))
    assert await api_process.end(signal.SIGKILL) != 0
    for second in range(13, 20):
        scripted_edge.append(assessment("pump-101", second))
    await api_process.start()
    scripted_edge.publish(assessment("pump-101", 20))
    status = await api_process.until_contiguous(21)
    assert await api_process.numbers() == [seq for seq in range(1, 22) if seq != 13]
    assert [item["seq"] for item in (await api_process.get("/alarms"))["items"]] == [13]
    assert status["losses"] == []


async def test_while_the_broker_is_away_history_is_served_and_it_is_said(
    api: RunningApi, scripted_edge: ScriptedEdge, mosquitto: Mosquitto
) -> None:
    scripted_edge.publish(assessment("pump-101", 0), assessment("pump-101", 1))
    await api.until_contiguous(2)
    scripted_edge.connected.clear()
    mosquitto.stop()

    async def is_said() -> bool:
        broker = (await api.status())["broker"]
        return not broker["connected"] and mosquitto.url in broker["problem"]

    await until(is_said)
    assert await api.numbers() == [1, 2]
    scripted_edge.append(assessment("pump-101", 2))
    mosquitto.start()
    await asyncio.wait_for(scripted_edge.connected.wait(), 60)
    scripted_edge.publish(assessment("pump-101", 3))
    await api.until_contiguous(4)
    assert await api.numbers() == [1, 2, 3, 4]
    assert (await api.status())["broker"]["connected"]


async def test_malformed_messages_are_counted_and_do_no_harm(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    await api.until_connected()
    topics = scripted_edge.topics
    good = scripted_edge.entries[scripted_edge.append(assessment("pump-101", 0))][1]
    here = topics.assessment("pump-101")
    for topic, payload in (
        (here, b"{"),
        (here, b"[1]"),
        (here, b"\xff\x00"),
        (here, b'{"schema":1}'),
        (here, good.replace(b'"seq":1', b'"seq":0')),
        (here, good.replace(b'"seq":1', b'"seq":99999999999999999999')),
        (here, b'{"a":' * 2000),
        (topics.assessment("other"), good.replace(b'"seq":1', b'"seq":3')),
        (here, good.replace(b'"seq":1', b'"seq":2').replace(b'"score":0.5', b'"score":"much"')),
        (topics.edge_status("edge-1"), b'{"schema":2,"edge":"edge-1"}'),
        (topics.edge_status("edge-1"), b"null"),
        (topics.edge_reply("edge-1", "x"), b'{"command_id":"y","ok":true}'),
        (topics.case("pump-101", "case-1"), b'{"kind":"case"}'),
        (topics.performance("pump-101"), b"[]"),
        (topics.edge_audit("edge-1"), b'{"kind":"audit","edge":"edge-1"}'),
        (topics.spectrum("pump-101", "acceleration"), b'{"kind":"spectrum"}'),
        (topics.simulator_catalogue, b'{"assets":[]}'),
    ):
        scripted_edge.send(topic, payload, retain=False)
    scripted_edge.send(here, good)

    async def stored() -> object:
        status = await api.status()
        # what was stored is counted a moment before its journal is listed
        numbers = [journal["contiguous"] for journal in status["journals"]]
        return status if status["ingest"]["stored"] == 1 and numbers == [3] else None

    status = await until(stored)
    assert sum(status["ingest"]["rejected"].values()) == 17  # type: ignore[index]
    assert status["ingest"]["rejected"]["wrong-topic"] == 3  # type: ignore[index]
    assert topics.simulator_catalogue in status["ingest"]["last_rejected"]  # type: ignore[index]
    # an entry whose identity can be read but whose content cannot is not asked for for ever
    assert [(loss["first"], loss["reason"]) for loss in status["losses"]] == [  # type: ignore[index]
        (3, "unreadable: wrong-topic"),
        (2, "unreadable: wrong-type"),
    ]


async def test_an_alarm_topic_that_was_cleared_is_no_open_alarm(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0), alarm("pump-101", "alarm-2", 1))
    scripted_edge.publish(alarm("pump-101", "alarm-2", 2, AlarmState.NORMAL))
    scripted_edge.send(scripted_edge.topics.alarm("pump-101", "alarm-1"), b"")
    await api.until_contiguous(3)

    async def none_open() -> bool:
        return (await api.get("/alarms"))["items"] == []

    await until(none_open)
    everything = (await api.get("/alarms", state="all", asset="pump-101"))["items"]
    assert [item["alarm_id"] for item in everything] == ["alarm-2", "alarm-1"]
    assert (await api.get("/alarms", state="all", asset="other"))["items"] == []
    assert [change["seq"] for change in (await api.get("/alarms/alarm-2"))["history"]] == [2, 3]


async def test_two_apis_on_one_broker_each_have_everything(
    api: RunningApi, scripted_edge: ScriptedEdge, demo_plant: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    other = RunningApi(demo_plant, free_port(), tmp_path / "other")
    await other.start()
    try:
        await asyncio.gather(api.until_connected(), other.until_connected())
        connected = [(await each.status())["broker"]["since"] for each in (api, other)]
        scripted_edge.append(assessment("pump-101", 0))
        scripted_edge.publish(*(assessment("pump-101", second) for second in range(1, 20)))
        await asyncio.gather(api.until_contiguous(20), other.until_contiguous(20))
        # each has asked for the gap itself, and neither was thrown off the broker meanwhile
        assert len({command.client for command in scripted_edge.resends}) == 2
        assert [(await each.status())["broker"]["since"] for each in (api, other)] == connected
    finally:
        await other.close()


async def test_apis_that_were_given_one_name_say_so(
    demo_plant: Path, free_port: Callable[[], int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apis = [RunningApi(demo_plant, free_port(), tmp_path / name, KULLAGER_API_ID="hall") for name in ("one", "two")]
    try:
        for each in apis:
            await each.start()
            await each.until_connected()

        async def is_said() -> bool:
            return "has another client the client id 'hall', too?" in caplog.text

        await until(is_said)
    finally:
        for each in apis:
            await each.close()
