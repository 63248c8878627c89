"""Real clients that watch the simulator."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from asyncua import Client, Node, ua

from edge.mqtt_connection import Connected, Message, MqttConnection

LIMIT_S = 60.0
# the simulator keeps its certificates there; removed when the tests end
_HOME = tempfile.TemporaryDirectory(prefix="kullager-test-")
ENVIRON = {"KULLAGER_HOME": _HOME.name}


@contextlib.asynccontextmanager
async def in_background(work: Any) -> AsyncIterator[asyncio.Task[None]]:
    """`work` as a task that is cancelled at the end; what it raised before is raised here."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, a generous time."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not (result := condition()):  # noqa: ASYNC110  # conditions of many kinds
                await asyncio.sleep(0.02)
            return result
    except TimeoutError:
        raise AssertionError(f"in vain waited for {what}") from None


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client of a server that may only be starting."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            client = Client(url, timeout=30)
            try:
                await client.connect()
                break
            except OSError:
                await asyncio.sleep(0.1)
    try:
        yield client
    finally:
        await client.disconnect()


class OpcuaWatcher:
    """Subscribes to status, value and timestamp, with a queue; keeps every data value by node identifier."""

    def __init__(self) -> None:
        self.seen: dict[str, list[ua.DataValue]] = {}

    def datachange_notification(self, node: Node, _value: Any, data: Any) -> None:
        self.seen.setdefault(str(node.nodeid.Identifier), []).append(data.monitored_item.Value)

    async def subscribe(self, client: Client, nodes: Sequence[Node], *, queue: int, publishing_ms: float = 100.0) -> Any:
        subscription = await client.create_subscription(publishing_ms, self)
        trigger = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        requests = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(NodeId=node.nodeid, AttributeId=ua.AttributeIds.Value),
                MonitoringMode=ua.MonitoringMode.Reporting,
                RequestedParameters=ua.MonitoringParameters(
                    ClientHandle=handle, SamplingInterval=0.0, Filter=trigger, QueueSize=queue, DiscardOldest=True
                ),
            )
            for handle, node in enumerate(nodes, start=1)
        ]
        await subscription.create_monitored_items(requests)
        return subscription


class MqttWatcher:
    """Keeps every message, in order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def on(self, topic: str) -> list[Message]:
        return [message for message in self.messages if message.topic == topic]


@contextlib.asynccontextmanager
async def watching(url: str, *topics: str) -> AsyncIterator[tuple[MqttConnection, MqttWatcher]]:
    """A connection that is subscribed to `topics`, and what it hears."""
    watcher, ready = MqttWatcher(), asyncio.Event()

    async def listen(connection: MqttConnection) -> None:
        async for event in connection:
            if isinstance(event, Message):
                watcher.messages.append(event)
            elif isinstance(event, Connected):
                ready.set()

    connection = MqttConnection(url=url, client_id="watcher", subscriptions=topics)
    async with connection, in_background(listen(connection)):
        async with asyncio.timeout(LIMIT_S):
            await ready.wait()
        yield connection, watcher
