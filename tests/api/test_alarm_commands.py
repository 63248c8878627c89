"""What becomes of commands to alarms: asked twice, by two at once, of an edge that is away, and of one that comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api import commands
from api.store import Batch, Event, Store
from edge.advisory_generation.alarm_list import AlarmList
from edge.contracts.alarm import BilingualText, Evidence, Priority
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError
from edge.contracts.plant_file import load_plant
from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import START, ScriptedEdge
from tests.conftest import Mosquitto


class EdgeWithAlarms(ScriptedEdge):
    """The alarm list of a real edge. Commands are `held`, in the order of their arrival, until the test says so."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.alarms = AlarmList(self.name)
        self.held: list[tuple[AlarmVerb, AlarmCommand]] = []

    def raise_alarm(self) -> str:
        text = BilingualText(sv="Avvikande", en="Unusual")
        about: dict[str, Any] = {"asset": "pump-101", "rule": "anomaly", "priority": Priority.HIGH, "text": text}
        begun = self.alarms.begin(START, evidence=Evidence(), **about)
        assert begun is not None
        self.publish(begun)
        return begun.alarm_id

    def _change_alarm(self, verb: AlarmVerb, command: AlarmCommand) -> None:
        self.held.append((verb, command))

    def carry_out(self, verb: AlarmVerb) -> None:
        """The first that is held of this verb, as an edge does: what has changed, and then the reply."""
        found = next(held for held in self.held if held[0] is verb)
        self.held.remove(found)
        try:
            self.publish(*self.alarms.command(*found))
            self._reply(found[1].command_id, "")
        except KullagerError as error:
            self._reply(found[1].command_id, str(error))

    async def has_held(self, number: int) -> None:
        await until(lambda: asyncio.sleep(0, len(self.held) >= number))


@pytest_asyncio.fixture
async def edge(demo_plant: Path, mosquitto: Mosquitto) -> AsyncIterator[EdgeWithAlarms]:
    async with EdgeWithAlarms(mosquitto.url, load_plant(demo_plant).topics) as edge:
        yield edge


class Operator:
    """Somebody with a token of their own."""

    def __init__(self, api: RunningApi, path: str, token: str) -> None:
        self._api, self._path, self._headers = api, path, {"Authorization": f"Bearer {token}"}

    def ask(self, verb: AlarmVerb, **body: Any) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self._api.client.post(f"/api/v1{self._path}/{verb}", json=body, headers=self._headers))


@pytest_asyncio.fixture
async def desk(api: RunningApi, edge: EdgeWithAlarms) -> tuple[str, Operator, Operator]:
    """An open alarm's path, and two who see it."""
    path = f"/alarms/{edge.raise_alarm()}"
    edge.publish_status()
    await api.until_contiguous(1)
    await api.until_edges("edge-1")
    both = []
    for name in ("anna", "bo"):
        made = await api.client.post("/api/v1/tokens", json={"name": name, "role": "operator"}, headers=api.admin)
        both.append(Operator(api, path, made.json()["token"]))
    return path, *both


async def journal(api: RunningApi, path: str) -> list[tuple[str, str | None]]:
    return [(change["state"], change["by"]) for change in (await api.get(path))["history"]]


async def audit(api: RunningApi) -> list[tuple[str, str, str, int]]:
    """What was asked of alarms, the oldest first."""
    items = (await api.client.get("/api/v1/audit", headers=api.operator)).json()["items"]
    told = [(entry["by"], entry["action"], entry["outcome"], entry["status"]) for entry in reversed(items)]
    return [each for each in told if each[1].startswith("alarms.")]


async def test_of_two_who_ask_at_once_each_is_told_what_came_of_their_own(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, anna, bo = desk
    write = Store.write

    def slowly(store: Store, batch: Batch) -> list[Event]:
        time.sleep(0.3)
        return write(store, batch)

    # a reply is there before the change that came with it is stored
    monkeypatch.setattr(Store, "write", slowly)
    remark, seen = anna.ask(AlarmVerb.COMMENT, comment="it hums"), bo.ask(AlarmVerb.ACKNOWLEDGE)
    await edge.has_held(2)
    edge.carry_out(AlarmVerb.COMMENT)
    told = (await remark).json()
    assert (told["state"], told["by"], told["comment"]) == ("active-unacknowledged", "anna", "it hums")
    edge.carry_out(AlarmVerb.ACKNOWLEDGE)
    told = (await seen).json()
    assert (told["state"], told["by"], told["comment"]) == ("active-acknowledged", "bo", "it hums")
    assert await journal(api, path) == [
        ("active-unacknowledged", None),
        ("active-unacknowledged", "anna"),
        ("active-acknowledged", "bo"),
    ]
    assert await audit(api) == [
        ("anna", "alarms.comment", "done", 200),
        ("bo", "alarms.acknowledge", "done", 200),
    ]


async def test_what_is_asked_twice_is_done_once_and_both_are_told_so(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator]
) -> None:
    path, anna, bo = desk
    asked = [anna.ask(AlarmVerb.ACKNOWLEDGE), bo.ask(AlarmVerb.ACKNOWLEDGE)]
    await edge.has_held(2)
    first = edge.held[0][1].by
    for _ in asked:
        edge.carry_out(AlarmVerb.ACKNOWLEDGE)
    answers = [await each for each in asked]
    assert [(each.status_code, each.json()["state"], each.json()["by"]) for each in answers] == [
        (200, "active-acknowledged", first),
        (200, "active-acknowledged", first),
    ]
    again = anna.ask(AlarmVerb.ACKNOWLEDGE)
    await edge.has_held(1)
    edge.carry_out(AlarmVerb.ACKNOWLEDGE)
    assert ((await again).status_code, (await again).json()) == (200, answers[0].json())
    assert await journal(api, path) == [("active-unacknowledged", None), ("active-acknowledged", first)]
    assert sorted(await audit(api)) == [
        ("anna", "alarms.acknowledge", "done", 200),
        ("anna", "alarms.acknowledge", "done", 200),
        ("bo", "alarms.acknowledge", "done", 200),
    ]


async def test_two_that_exclude_each_other_are_carried_out_in_their_order(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator]
) -> None:
    path, anna, bo = desk
    silenced, seen = anna.ask(AlarmVerb.SHELVE, duration_s=600), bo.ask(AlarmVerb.ACKNOWLEDGE)
    await edge.has_held(2)
    edge.carry_out(AlarmVerb.SHELVE)
    edge.carry_out(AlarmVerb.ACKNOWLEDGE)
    assert ((await silenced).json()["state"], (await silenced).json()["by"]) == ("shelved", "anna")
    assert ((await seen).status_code, "cannot take 'acknowledge'" in (await seen).json()["detail"]) == (409, True)
    assert await journal(api, path) == [("active-unacknowledged", None), ("shelved", "anna")]
    assert sorted(await audit(api)) == [
        ("anna", "alarms.shelve", "done", 200),
        ("bo", "alarms.acknowledge", "refused", 409),
    ]


async def test_an_edge_that_is_away_is_told_at_once_and_carries_out_nothing_later(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator]
) -> None:
    path, anna, _bo = desk
    edge.publish_status(online=False, second=1)

    async def is_away() -> bool:
        return not (await api.status())["edges"][0]["online"]

    await until(is_away)
    refused = await anna.ask(AlarmVerb.ACKNOWLEDGE)
    assert (refused.status_code, refused.json()["detail"]) == (
        503,
        "edge 'edge-1' is not connected to the broker; nothing was sent, ask again when it is back",
    )
    machine = await api.post("/assets/pump-101/out-of-service", {})
    assert machine.status_code == 503
    edge.publish_status(second=2)

    async def is_back() -> bool:
        return not await is_away()

    await until(is_back)
    seen = anna.ask(AlarmVerb.ACKNOWLEDGE)
    await edge.has_held(1)
    assert len(edge.held) == 1
    edge.carry_out(AlarmVerb.ACKNOWLEDGE)
    assert (await seen).json()["state"] == "active-acknowledged"
    assert await journal(api, path) == [("active-unacknowledged", None), ("active-acknowledged", "anna")]
    assert await audit(api) == [
        ("anna", "alarms.acknowledge", "failed", 503),
        ("anna", "alarms.acknowledge", "done", 200),
    ]


async def test_what_was_done_and_not_answered_is_told_by_the_journal(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, anna, _bo = desk
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 0.5)
    seen = anna.ask(AlarmVerb.ACKNOWLEDGE)
    await edge.has_held(1)
    # the edge is gone between its journal and the broker
    for changed in edge.alarms.command(*edge.held.pop()):
        edge.append(changed)
    assert ((await seen).status_code, "may still take effect" in (await seen).json()["detail"]) == (504, True)
    edge.publish_status(second=1)
    await api.until_contiguous(2)
    assert await journal(api, path) == [("active-unacknowledged", None), ("active-acknowledged", "anna")]
    assert await audit(api) == [("anna", "alarms.acknowledge", "failed", 504)]


async def test_an_edge_that_has_lost_its_alarms_does_not_seem_to_acknowledge_them(
    api: RunningApi, edge: EdgeWithAlarms, desk: tuple[str, Operator, Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, anna, bo = desk
    monkeypatch.setattr(commands, "CHANGE_WITHIN_S", 0.2)
    edge.alarms = AlarmList(edge.name)
    for who, verb, body, status, said in (
        (anna, AlarmVerb.ACKNOWLEDGE, {}, 504, "lost this alarm"),
        (bo, AlarmVerb.COMMENT, {"comment": "it hums"}, 409, "no open alarm has the id"),
    ):
        asked = who.ask(verb, **body)
        await edge.has_held(1)
        edge.carry_out(verb)
        assert ((await asked).status_code, said in (await asked).json()["detail"]) == (status, True)
    edge.send(edge.topics.alarm("pump-101", path.rpartition("/")[2]), b"")

    async def is_gone() -> bool:
        return (await api.get("/alarms"))["items"] == []

    await until(is_gone)
