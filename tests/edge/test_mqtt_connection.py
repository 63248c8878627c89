"""How many messages are on their way at once: as many as the broker says that it can bear."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.mqtt_connection import Connected, Message, MqttConnection, Published
from edge.mqtt_link import MAX_IN_FLIGHT
from tests.conftest import Mosquitto, running_mosquitto

LIMIT_S = 60.0
PUBLISH, PUBACK = 3, 4


class Relay:
    """Between a client and its broker: counts what is not acknowledged; no acknowledgement passes before that is `bear`."""

    def __init__(self, port: int, bear: int) -> None:
        self._port, self._bear = port, bear
        self.unacknowledged = self.most = 0
        self._full = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer), return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(1)
                length, shift, digits = 0, 0, b""
                while not digits or digits[-1] & 0x80:
                    digits += await reader.readexactly(1)
                    length += (digits[-1] & 0x7F) << shift
                    shift += 7
                body = await reader.readexactly(length)
                kind = head[0] >> 4
                if kind == PUBACK:
                    await self._full.wait()
                self.unacknowledged += {PUBLISH: 1, PUBACK: -1}.get(kind, 0)
                self.most = max(self.most, self.unacknowledged)
                if self.unacknowledged >= self._bear:
                    self._full.set()
                writer.write(head + digits + body)
        finally:
            writer.close()


@pytest.mark.parametrize(
    ("settings", "most"), [("", 20), ("max_inflight_messages 3\n", 3), ("max_inflight_messages 0\n", MAX_IN_FLIGHT)]
)
async def test_no_more_are_on_their_way_than_the_broker_can_bear(
    tmp_path: Path, free_port: Callable[[], int], settings: str, most: int
) -> None:
    with running_mosquitto(free_port(), tmp_path, f"allow_anonymous true\n{settings}") as broker:
        found, relay = await publish_many(broker, most, 2 * MAX_IN_FLIGHT)
    assert found == list(range(1, 2 * MAX_IN_FLIGHT + 1))
    assert relay.most == most


async def publish_many(broker: Mosquitto, bear: int, count: int) -> tuple[list[int], Relay]:
    """The numbers of what was acknowledged, in their order."""
    relay, found = Relay(broker.port, bear), []
    async with (
        asyncio.timeout(LIMIT_S),
        relay.listening() as port,
        MqttConnection(url=f"mqtt://127.0.0.1:{port}", client_id="edge-1") as connection,
    ):
        async for event in connection:
            match event:
                case Connected():
                    for _ in range(count):
                        assert connection.publish("press", b"1") is not None
                    assert connection.unacknowledged == count
                case Published(mid=mid):
                    found.append(mid)
                    if len(found) == count:
                        break
        assert connection.unacknowledged == 0
    return found, relay


async def test_what_leaves_together_comes_whole_and_in_order_after_the_network_took_none_of_it(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    bodies = [f"{number} {'x' * (number % 97) ** 2}".encode() for number in range(3 * MAX_IN_FLIGHT)]
    with running_mosquitto(free_port(), tmp_path, "allow_anonymous true\nmax_inflight_messages 0\n") as broker:
        relay = Relay(broker.port, 1)
        url = f"mqtt://127.0.0.1:{broker.port}"
        async with (
            asyncio.timeout(LIMIT_S),
            relay.listening() as port,
            MqttConnection(url=url, client_id="api", subscriptions=["press"]) as reader,
            MqttConnection(url=f"mqtt://127.0.0.1:{port}", client_id="edge-1") as connection,
        ):
            for each in (reader, connection):
                async for event in each:
                    if isinstance(event, Connected):
                        break
            # the relay has no turn before all of it is handed over
            for body in bodies:
                assert connection.publish("press", body) is not None
            connection.flush()
            found = [event.payload async for event in messages(reader, len(bodies))]
            said = [event async for event in published(connection, len(bodies))]
    assert found == bodies
    assert [event.mid for event in said] == list(range(1, len(bodies) + 1))
    assert all(event.subscribed for event in said)


async def test_a_broker_says_where_nobody_wants_a_message(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with running_mosquitto(free_port(), tmp_path, "allow_anonymous true\n") as broker:
        async with (
            asyncio.timeout(LIMIT_S),
            MqttConnection(url=f"mqtt://127.0.0.1:{broker.port}", client_id="edge-1") as connection,
        ):
            async for event in connection:
                if isinstance(event, Connected):
                    connection.publish("press", b"1")
                elif isinstance(event, Published):
                    break
    assert event == Published(1, subscribed=False)


async def messages(connection: MqttConnection, count: int) -> AsyncIterator[Message]:
    async for event in connection:
        if isinstance(event, Message):
            yield event
            if not (count := count - 1):
                return


async def published(connection: MqttConnection, count: int) -> AsyncIterator[Published]:
    async for event in connection:
        if isinstance(event, Published):
            yield event
            if not (count := count - 1):
                return
