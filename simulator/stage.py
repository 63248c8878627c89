"""The stage: the same rows over every protocol that the plant file names."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from edge.contracts.plant import MqttSource, OpcuaSource, Plant, SparkplugSource, Waveform
from edge.contracts.sample_batch import WaveformBlock
from simulator.chaos import Disturbances
from simulator.mqtt_publisher import MqttPublisher
from simulator.opcua.server import OpcuaServer
from simulator.site import Row, Site
from simulator.sparkplug_publisher import SparkplugPublisher, edge_nodes

logger = logging.getLogger(__name__)

SUBSCRIBER_POLL_S = 0.05
BROKER_POLL_S = 0.005
MOST_WAITING = 200


@dataclass(frozen=True, slots=True)
class Stage:
    """Open servers and publishers."""

    servers: tuple[OpcuaServer, ...]
    publishers: tuple[MqttPublisher | SparkplugPublisher, ...]

    async def show(self, row: Row) -> None:
        """One row of a live machine: waits for nobody."""
        for server in self.servers:
            await server.write(row)
        for publisher in self.publishers:
            publisher.publish(row)

    async def wait_for_brokers(self) -> None:
        """Wait until no broker that is there has much left to take: what runs faster than it would only fill memory."""
        while any(publisher.unacknowledged > MOST_WAITING for publisher in self.publishers):  # noqa: ASYNC110  # paho counts
            await asyncio.sleep(BROKER_POLL_S)

    async def show_waveform(self, waveform: Waveform, block: WaveformBlock) -> None:
        """One block of a fast signal: waits for nobody."""
        for server in self._servers_of(waveform):
            await server.write_waveform(str(waveform.node), block.time, block.points)
        for publisher in self._publishers_of(waveform):
            publisher.publish_waveform(str(waveform.topic), block)

    async def deliver(self, row: Row, *, wait_for_subscriber: bool = False) -> None:
        """One row of a replay: waits until every subscriber can take it and every broker has it.

        With `wait_for_subscriber` it also waits until there is somebody who takes it.
        """
        if wait_for_subscriber:
            await self.wait_for_subscriber(row.asset)
        for server in self.servers:
            await server.wait_for_room()
            await server.write(row)
        for publisher in self.publishers:
            await publisher.deliver(row, until_subscribed=wait_for_subscriber)

    async def deliver_waveform(self, waveform: Waveform, block: WaveformBlock, *, wait_for_subscriber: bool = False) -> None:
        """One block of a replay: waits as `deliver` does."""
        for server in self._servers_of(waveform):
            await server.wait_for_room()
            await server.write_waveform(str(waveform.node), block.time, block.points)
        for publisher in self._publishers_of(waveform):
            await publisher.deliver_waveform(str(waveform.topic), block, until_subscribed=wait_for_subscriber)

    async def wait_for_subscriber(self, asset: str) -> None:
        """Wait until all OPC UA nodes of `asset` are subscribed to."""
        if all(server.subscribed(asset) for server in self.servers):
            return
        logger.info("waiting for somebody who subscribes to all nodes of %s", asset)
        while not all(server.subscribed(asset) for server in self.servers):  # noqa: ASYNC110  # asyncua tells no one
            await asyncio.sleep(SUBSCRIBER_POLL_S)

    async def wait_until_fetched(self) -> None:
        for server in self.servers:
            await server.wait_until_fetched()

    def _servers_of(self, waveform: Waveform) -> list[OpcuaServer]:
        return [server for server in self.servers if waveform.node is not None and server.source == waveform.source]

    def _publishers_of(self, waveform: Waveform) -> list[MqttPublisher]:
        return [
            publisher
            for publisher in self.publishers
            if waveform.node is None and isinstance(publisher, MqttPublisher) and publisher.source == waveform.source
        ]


@asynccontextmanager
async def open_stage(
    plant: Plant,
    site: Site,
    environ: Mapping[str, str],
    *,
    sparkplug: bool = False,
    disturbances: Disturbances | None = None,
) -> AsyncIterator[Stage]:
    """Open a server for each OPC UA source, and a publisher for each MQTT source and each Sparkplug edge node.

    With `sparkplug` the broker that takes the results gets all assets as Sparkplug B devices, too. What is in
    `disturbances` is done to servers and publishers; Sparkplug's is left alone.
    """
    async with AsyncExitStack() as stack:
        servers: list[OpcuaServer] = []
        publishers: list[MqttPublisher | SparkplugPublisher] = []
        for name, source in plant.sources.items():
            if isinstance(source, SparkplugSource):
                publishers += (
                    SparkplugPublisher(plant, name, site, environ, group, node, devices)
                    for (group, node), devices in edge_nodes(plant, name, site).items()
                )
            elif isinstance(source, MqttSource):
                publishers.append(MqttPublisher(plant, name, site, environ, disturbances))
            elif isinstance(source, OpcuaSource) and any(row.asset in site.assets for row in plant.signals_of(name)):
                servers.append(OpcuaServer(plant, name, site, environ, disturbances))
        if sparkplug:
            publishers.append(SparkplugPublisher(plant, plant.results_source[0], site, environ))
        for server in servers:
            await stack.enter_async_context(server)
        for publisher in publishers:
            await stack.enter_async_context(publisher)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        followers = [tasks.create_task(publisher.follow(), name="mqtt events") for publisher in publishers]
        if disturbances is not None:
            disturbed: list[OpcuaServer | MqttPublisher] = [*servers]
            disturbed += (publisher for publisher in publishers if isinstance(publisher, MqttPublisher))
            followers += [tasks.create_task(each.disturb(), name=f"chaos at {each.source}") for each in disturbed]
        try:
            yield Stage(tuple(servers), tuple(publishers))
        finally:
            for follower in followers:
                follower.cancel()
