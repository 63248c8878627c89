"""What a subscription brings, from a real server over a line that loses, delays and refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import Node, Server, ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import BadMessageNotAvailable, BadTooManyPublishRequests

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.data_acquisition.opcua_publishing import OUTSTANDING
from tests.edge.test_opcua import Acquired, until

N = 30
Publish = Callable[[UaSession, Any], Any]


@pytest.fixture
async def speed(server: Server) -> Node:
    index = await server.register_namespace("urn:x")
    return await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 0.0)


@pytest.fixture
async def acquired(server: Server, speed: Node, tmp_path: Path, make_plant: Callable[..., Plant]) -> AsyncIterator[Acquired]:
    """Runs from when the test has bent the line."""
    make_plant()
    path = tmp_path / "plant.toml"
    path.write_text(path.read_text().replace("opc.tcp://127.0.0.1:4840", server.endpoint.geturl()))
    made = Acquired(load_plant(path), tmp_path)
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


def bend(monkeypatch: pytest.MonkeyPatch, change: Callable[[Publish], Publish]) -> None:
    """Put something between the client's publish requests and the server."""
    monkeypatch.setattr(UaSession, "publish", change(UaSession.publish))


async def count_up(speed: Node, acquired: Acquired) -> list[float]:
    """Write 1 to `N`, slowly enough for messages of their own; gives what came."""
    acquired.start()
    await until("the first value", lambda: acquired.values)
    for number in range(1, N + 1):
        await speed.write_value(float(number))
        await asyncio.sleep(0.12)
    await until("the last value", lambda: float(N) in acquired.values)
    await asyncio.sleep(0.3)
    return acquired.values


EXPECTED = [float(number) for number in range(N + 1)]


async def test_several_requests_wait_at_the_server(server: Server, speed: Node, acquired: Acquired) -> None:
    assert await count_up(speed, acquired) == EXPECTED
    (processor,) = [each.processor for each in server.bserver.clients if each.processor.session is not None]
    assert len(processor._publish_requests) == OUTSTANDING
    # and what has been taken is not kept there any longer, but for what no request has told yet
    (subscription,) = server.iserver.subscription_service.subscriptions.values()
    assert len(subscription._not_acknowledged_results) <= OUTSTANDING + 1


async def test_a_message_that_is_lost_is_got_by_asking_again(
    speed: Node, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place, so that of one signal what came last is what is so."""
    bend(monkeypatch, losing({3, 7, 8}))
    assert await count_up(speed, acquired) == EXPECTED
    assert acquired.account.status().rejected == {}


async def test_a_message_that_the_server_has_no_more_is_counted(
    speed: Node, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgotten(_session: UaSession, _subscription: int, _number: int) -> None:
        raise BadMessageNotAvailable

    monkeypatch.setattr(UaSession, "republish", forgotten)
    bend(monkeypatch, losing({5, 9}))
    values = await count_up(speed, acquired)
    assert len(values) == N + 1 - 2
    assert acquired.account.status().rejected == {"sequence-gap": 2}


async def test_messages_that_overtake_each_other_are_all_there_once(
    speed: Node, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delaying(publish: Publish) -> Publish:
        count = 0

        async def delayed(session: UaSession, taken: Any) -> Any:
            nonlocal count
            response = await publish(session, taken)
            if response.Parameters.NotificationMessage.NotificationData:
                count += 1
                if count % 5 == 0:
                    await asyncio.sleep(0.2)
            return response

        return delayed

    bend(monkeypatch, delaying)
    assert await count_up(speed, acquired) == EXPECTED
    assert acquired.account.status().rejected == {}


async def test_a_server_that_keeps_one_request_gets_one(
    speed: Node, acquired: Acquired, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    def miserly(publish: Publish) -> Publish:
        waiting = 0

        async def only_one(session: UaSession, taken: Any) -> Any:
            nonlocal waiting, refused
            if waiting:
                refused += 1
                raise BadTooManyPublishRequests
            waiting += 1
            try:
                return await publish(session, taken)
            finally:
                waiting -= 1

        return only_one

    bend(monkeypatch, miserly)
    assert await count_up(speed, acquired) == EXPECTED
    assert 0 < refused <= 2 * OUTSTANDING


def losing(numbers: set[int]) -> Callable[[Publish], Publish]:
    """A line on which these messages with data, counted from 1, do not come."""

    def change(publish: Publish) -> Publish:
        count = 0

        async def lossy(session: UaSession, taken: Any) -> Any:
            nonlocal count
            while True:
                response = await publish(session, taken)
                if not response.Parameters.NotificationMessage.NotificationData:
                    return response
                count += 1
                if count not in numbers:
                    return response
                taken = []

        return lossy

    return change
