"""Chaos, as independent clients see it: a real OPC UA client and a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from edge.contracts.command import ChaosCommand
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.json_message import encode, parse_time
from simulator import live
from simulator.chaos import CALM, FORMS, ChaosKind, Disturbances
from simulator.mqtt_publisher import GARBAGE
from simulator.scenario import ScenarioError, load_scenario
from simulator.simulated_site import SimulatedSite
from simulator.site import CommandRefused
from tests.simulator.clients import ENVIRON, LIMIT_S, MqttWatcher, OpcuaWatcher, connected, in_background, until, watching

URI = "urn:kullager:simulator"
TOPIC = "plant/hall-1/pump-101"
CASE = Path(__file__).parents[1] / "cases/pump/plant.toml"


class Desk:
    """Somebody who asks a running simulator for chaos, over its commands."""

    def __init__(self, plant: Plant, connection: Any, heard: MqttWatcher) -> None:
        self._plant, self._connection, self._heard = plant, connection, heard
        self._asked = 0

    async def ask(self, kind: str, source: str = "", **more: Any) -> dict[str, Any]:
        self._asked += 1
        command = ChaosCommand(command_id=f"c{self._asked}", by="test", time=0, kind=kind, source=source, **more)
        self._connection.publish(self._plant.topics.simulator_command("chaos"), encode(command))
        topic = self._plant.topics.simulator_reply(command.command_id)
        (reply,) = await until(lambda: self._heard.on(topic), "the reply")
        return dict(json.loads(reply.payload))

    def active(self) -> dict[str, list[str]]:
        """Where each kind of chaos is active, as the catalogue says."""
        catalogue = json.loads(self._heard.on(self._plant.topics.simulator_catalogue)[-1].payload)
        return {entry["chaos"]: entry["active"] for entry in catalogue["chaos"] if entry["active"]}

    def bodies(self) -> list[Any]:
        return [message.payload for message in self._heard.on(TOPIC)]


@asynccontextmanager
async def running(plant: Plant) -> AsyncIterator[Desk]:
    topics = (plant.topics.simulator_reply("+"), plant.topics.simulator_catalogue, TOPIC)
    async with (
        watching(plant.sources["broker"].url, *topics) as (connection, heard),
        in_background(live.run(plant, ENVIRON, seed=1, speed=5.0)) as work,
    ):
        await until(lambda: heard.on(plant.topics.simulator_catalogue) and heard.on(TOPIC), "the simulator")
        yield Desk(plant, connection, heard)
        assert not work.done()


@asynccontextmanager
async def patient(plant: Plant) -> AsyncIterator[Client]:
    """A client that does not itself give up a server that is silent for some seconds."""
    client = Client(plant.sources["plc"].url, timeout=60, watchdog_intervall=60.0)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def node(client: Client, name: str = "speed") -> Any:
    return client.get_node(ua.NodeId(f"pump-101.{name}", await client.get_namespace_index(URI)))


async def watch(client: Client, name: str = "speed") -> tuple[OpcuaWatcher, Any]:
    watcher = OpcuaWatcher()
    return watcher, await watcher.subscribe(client, [await node(client, name)], queue=100)


def values(watcher: OpcuaWatcher, name: str = "speed") -> list[ua.DataValue]:
    return watcher.seen.get(f"pump-101.{name}", [])


async def comes_back(plant: Plant) -> None:
    """Hold that a new client can read a good value."""
    async with connected(plant.sources["plc"].url) as client:
        await good(await node(client))


async def good(variable: Any) -> None:
    """Wait until a node has a good value."""
    async with asyncio.timeout(30.0):
        while not (await variable.read_data_value(raise_on_bad_status=False)).StatusCode.is_good():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


# -- the server


async def test_a_restart_and_a_cut_end_connections_and_new_ones_work(plant: Plant) -> None:
    url = plant.sources["plc"].url
    async with running(plant) as desk:
        for kind in ("dropped-connection", "server-restart"):
            lost = asyncio.Event()

            async def tell(_reason: object, lost: asyncio.Event = lost) -> None:
                lost.set()

            client = Client(url, timeout=5)
            client.connection_lost_callback = tell
            await client.connect()
            assert (await desk.ask(kind, "plc", for_s=1.0))["ok"]
            async with asyncio.timeout(20.0):
                await lost.wait()
            if kind == "server-restart":
                with pytest.raises(OSError):  # noqa: PT011  # refused
                    await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            client.disconnect_socket()
            await comes_back(plant)
        await until(lambda: not desk.active(), "the end of all chaos")


async def test_a_half_open_connection_is_silent_and_then_goes_on(plant: Plant) -> None:
    async with running(plant) as desk, patient(plant) as client:
        watcher, _ = await watch(client)
        await until(lambda: len(values(watcher)) > 2, "values")
        variable = await node(client)
        await desk.ask("half-open", "plc", for_s=2.0)
        assert desk.active() == {"half-open": ["plc"]} or await until(lambda: desk.active(), "the catalogue")
        before = len(values(watcher))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.8):
                await variable.read_value()
        assert len(values(watcher)) - before <= 5, "what was on its way"
        assert client.uaclient.protocol is not None
        assert not client.uaclient.protocol.transport.is_closing(), "the socket stays open"
        await until(lambda: len(values(watcher)) >= before + 9, "what was held back")
        times = [value.SourceTimestamp for value in values(watcher)[1:]]
        assert len(times) == len(set(times)), "nothing comes twice"
        assert times == sorted(times)


async def test_slow_answers_come_late_and_in_order(plant: Plant) -> None:
    async with running(plant) as desk, patient(plant) as client:
        variable = await node(client)
        await desk.ask("slow-answers", "plc", for_s=2.0, amount=1.5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.8):
                await variable.read_value()
        assert await variable.read_value() is not None, "late, but it comes"
        await until(lambda: not desk.active(), "the end")
        async with asyncio.timeout(1.5):
            await variable.read_value()


async def test_a_removed_node_is_unknown_and_comes_back(plant: Plant) -> None:
    async with running(plant) as desk, patient(plant) as client:
        watcher, _ = await watch(client)
        await until(lambda: len(values(watcher)) > 1, "values")
        variable = await node(client)
        # it lasts until calm is asked for: however slow the machine, a client gets to see it
        await desk.ask("removed-node", "plc", for_s=600.0)
        await until(lambda: desk.active(), "the removal")
        async with asyncio.timeout(20.0):
            while True:
                read = await variable.read_data_value(raise_on_bad_status=False)
                if read.StatusCode.value == ua.StatusCodes.BadNodeIdUnknown:
                    break
                await asyncio.sleep(0.05)
        await until(lambda: values(watcher)[-1].StatusCode.value == ua.StatusCodes.BadNodeIdUnknown, "the last status")
        machine = client.get_node(ua.NodeId("pump-101", variable.nodeid.NamespaceIndex))
        assert variable not in await machine.get_referenced_nodes()
        assert (await desk.ask(CALM))["ok"]
        await until(lambda: not desk.active(), "the end")
        await good(variable)
        again, _ = await watch(client)
        await until(lambda: len(values(again)) > 2, "values of the node that is back")


async def test_a_changed_namespace_has_another_index(plant: Plant) -> None:
    url = plant.sources["plc"].url
    async with running(plant) as desk:
        async with connected(url) as client:
            usual = await client.get_namespace_index(URI)
        # it lasts until calm is asked for: however slow the machine, a client gets to see it
        await desk.ask("changed-namespace", "plc", for_s=600.0)
        moved = usual
        async with asyncio.timeout(LIMIT_S):
            while moved == usual:
                # the server may be restarting for it just then
                with suppress(ConnectionError):
                    async with connected(url) as client:
                        moved = await client.get_namespace_index(URI)
                        assert (await (await node(client)).read_data_value(raise_on_bad_status=False)) is not None
        assert moved == usual + 1
        assert (await desk.ask(CALM))["ok"]
        async with asyncio.timeout(LIMIT_S):
            while moved != usual:
                with suppress(ConnectionError):
                    async with connected(url) as client:
                        moved = await client.get_namespace_index(URI)
        await comes_back(plant)


async def test_bad_status_codes_and_a_jumping_clock(plant: Plant) -> None:
    async with running(plant) as desk, patient(plant) as client:
        watcher, _ = await watch(client)
        await until(lambda: len(values(watcher)) > 1, "values")
        await desk.ask("bad-status", "plc", for_s=1.5)
        await until(lambda: not desk.active() and values(watcher)[-1].StatusCode.is_good(), "the end")
        said = {value.StatusCode.name for value in values(watcher)[1:] if not value.StatusCode.is_good()}
        assert len(said) >= 3
        assert "UncertainLastUsableValue" in said
        honest = values(watcher)[-1].SourceTimestamp
        await desk.ask("clock-jump", "plc", for_s=1.0, amount=-600.0)
        await until(lambda: (values(watcher)[-1].SourceTimestamp - honest).total_seconds() < -550.0, "the jump")
        await until(lambda: (values(watcher)[-1].SourceTimestamp - honest).total_seconds() > 0.0, "the jump back")


async def test_a_burst_loses_nothing(plant: Plant) -> None:
    async with running(plant) as desk, patient(plant) as client:
        watcher, _ = await watch(client)
        await until(lambda: len(values(watcher)) > 1, "values")
        await desk.ask("burst", for_s=2.5)
        await until(lambda: desk.active().get("burst") == ["plc", "broker"], "the burst at both sources")
        before, told = len(values(watcher)), len(desk.bodies())
        await asyncio.sleep(1.0)
        assert len(values(watcher)) <= before + 2
        assert len(desk.bodies()) <= told + 2
        await until(lambda: not desk.active(), "the end")
        await until(lambda: len(values(watcher)) > before + 4 and len(desk.bodies()) > told + 4, "all that was held")
        seconds = [value.SourceTimestamp.timestamp() for value in values(watcher)[1:]]
        assert [later - sooner for sooner, later in pairwise(seconds)] == [1.0] * (len(seconds) - 1)
        times = [parse_time(json.loads(body)["time"]) for body in desk.bodies()]
        assert {later - sooner for sooner, later in pairwise(times)} == {1_000_000_000}


# -- the messages


def readable(bodies: list[bytes]) -> list[str]:
    """The times of the messages that can be read."""
    times = []
    for body in bodies:
        try:
            content = json.loads(body)
            if isinstance(content["vibration"], float) and isinstance(content["bearing_temperature"], float):
                times.append(content["time"])
        except (ValueError, KeyError, TypeError):
            continue
    return times


def seconds_without_gap(bodies: list[bytes]) -> int:
    """How many seconds, one after the other, the messages speak of; 0 where one is missing between them."""
    times = [time for time in readable(bodies) if not time.startswith("2026-01-01T00:00:00")]
    seconds = {parse_time(time) // 10**9 for time in times}
    return len(seconds) if seconds and max(seconds) - min(seconds) == len(seconds) - 1 else 0


async def test_messages_come_twice_late_and_among_garbage(plant: Plant) -> None:
    async with running(plant) as desk:

        async def calm() -> None:
            await desk.ask(CALM)
            await until(lambda: not desk.active(), "the end")

        await desk.ask("duplicates", "broker", for_s=LIMIT_S)
        await until(lambda: len(times := readable(desk.bodies())) > len(set(times)), "a message that comes twice")
        await calm()

        begin = len(desk.bodies())
        await desk.ask("late", "broker", for_s=LIMIT_S, amount=1.0)
        await until(lambda: (times := readable(desk.bodies()[begin:])) != sorted(times), "messages out of order")
        await calm()
        many = len(desk.bodies()) - begin
        await until(lambda: seconds_without_gap(desk.bodies()[begin:]) > many, "what is late, but not lost")

        begin = len(desk.bodies())
        await desk.ask("garbage", "broker", for_s=LIMIT_S)
        await until(
            lambda: len(bodies := desk.bodies()[begin:]) - len(readable(bodies)) >= len(GARBAGE), "every kind of garbage"
        )
        assert max(map(len, desk.bodies()[begin:])) > 100_000
        await until(lambda: seconds_without_gap(desk.bodies()[begin:]) > 0, "the messages between which it comes")


async def test_a_broker_connection_is_cut_silent_and_jumps(plant: Plant) -> None:
    async with running(plant) as desk:
        catalogues = len(desk._heard.on(plant.topics.simulator_catalogue))
        await desk.ask("dropped-connection", "broker")
        # the broker tells the will, and the simulator is back with its catalogue
        await until(
            lambda: any(
                not json.loads(message.payload)["assets"]
                for message in desk._heard.on(plant.topics.simulator_catalogue)[catalogues:]
            ),
            "the last will",
        )
        await until(lambda: json.loads(desk._heard.on(plant.topics.simulator_catalogue)[-1].payload)["assets"], "its return")
        await desk.ask("half-open", "broker", for_s=2.0)
        told = len(desk.bodies())
        await asyncio.sleep(1.0)
        assert len(desk.bodies()) <= told + 2
        await until(lambda: len(desk.bodies()) > told + 4, "messages again")
        await desk.ask("clock-jump", "broker", for_s=1.0, amount=3600.0)

        def newest() -> int:
            return parse_time(readable(desk.bodies())[-1])

        honest = newest()
        await until(lambda: newest() - honest > 3_500 * 10**9, "the jump")
        await until(lambda: newest() - honest < 3_000 * 10**9, "the jump back")


# -- commands and scenarios


async def test_wrong_commands_are_told_what_would_be_right(plant: Plant) -> None:
    async with running(plant) as desk:
        for wrong, said in (
            ({"kind": "fire"}, "there is no chaos 'fire'; possible: server-restart"),
            ({"kind": "late", "source": "plc"}, "'late' is a matter of MQTT, and 'plc' speaks OPC UA"),
            ({"kind": "late", "source": "plk"}, "the plant has no source 'plk'; possible: plc, broker"),
            ({"kind": "late", "for_s": -1.0}, "should lie between 0 and 3600"),
            ({"kind": "late", "amount": 1e9}, "a day at most"),
        ):
            reply = await desk.ask(**wrong)  # type: ignore[arg-type]
            assert not reply["ok"]
            assert said in reply["problem"]
        await desk.ask("burst", for_s=600.0)
        await until(lambda: desk.active(), "the burst")
        assert (await desk.ask(CALM))["ok"]
        await until(lambda: not desk.active(), "calm")


async def test_it_stops_promptly_in_the_middle_of_chaos(plant: Plant) -> None:
    async with running(plant) as desk:
        # a broker connection that is cut takes no further command for a while
        for kind in set(ChaosKind) - {ChaosKind.DROPPED_CONNECTION}:
            assert (await desk.ask(kind, for_s=600.0))["ok"]
        await desk.ask("dropped-connection", "plc", for_s=600.0)
    async with asyncio.timeout(20.0), running(plant):
        pass


def test_chaos_ends_by_itself_and_is_told(plant: Plant) -> None:
    now = [0.0]
    disturbances = Disturbances(plant, lambda: now[0])
    assert disturbances.changes == 0
    disturbances.begin("half-open", "plc", 5.0)
    disturbances.begin("clock-jump", amount=-3.0)
    assert disturbances.changes == 1
    assert disturbances.active("plc", ChaosKind.HALF_OPEN) is not None
    assert disturbances.active("broker", ChaosKind.HALF_OPEN) is None
    jump = disturbances.active("broker", ChaosKind.CLOCK_JUMP)
    assert jump is not None
    assert jump.amount == -3.0
    now[0] = 5.0
    assert disturbances.active("plc", ChaosKind.HALF_OPEN) is None
    assert disturbances.changes == 2
    assert {entry.chaos for entry in disturbances.catalogue()} == set(ChaosKind)
    assert set(FORMS) == set(ChaosKind)


def test_chaos_in_scenarios(plant: Plant, tmp_path: Path) -> None:
    shipped = load_scenario("chaos")
    assert {event.chaos.kind for event in shipped.events if event.chaos} == set(ChaosKind)
    site = SimulatedSite(load_plant(CASE), 1, "chaos")
    rows = site.rows(0)
    seen: set[str] = set()
    for _ in range(round((shipped.repeat_min or 0.0) * 60.0)):
        next(rows)
        seen |= {entry.chaos for entry in site.disturbances.catalogue() if entry.active}
    assert seen == set(ChaosKind)

    head = 'schema = 1\nname = { sv = "x", en = "x" }\ndescription = { sv = "x", en = "x" }\n'
    for event, said in (
        ('chaos = { kind = "fire" }', "events.0.chaos: there is no chaos 'fire'"),
        ('chaos = { kind = "late", source = "plc" }', "'late' is a matter of MQTT"),
        ('machine = "pump"\nchaos = { kind = "late" }', "events.0.machine: has no place beside chaos"),
        ("repair = true", "events.0.machine: is missing"),
        ('machine = "pump"', "should have one of fault, repair, recipe, sensor, warmer, chaos"),
    ):
        path = tmp_path / "scenario.toml"
        path.write_text(f"{head}[[events]]\nat_min = 1.0\n{event}\n")
        with pytest.raises(ScenarioError) as refused:
            SimulatedSite(load_plant(CASE), 1, str(path))
        assert said in str(refused.value)
    with pytest.raises(CommandRefused):
        site.disturb("fire", "", None, None)
