"""The machines as Sparkplug B devices: one edge node, births with units and ranges, values by alias, rebirth on demand.

    spBv1.0/<enterprise>:<site>:<area>/DDATA/simulator/pump-101

This is a second way in which the same machines show themselves: every signal of an asset is a metric of its device, whatever
source the plant file names for it. Faults are injected over OPC UA and `MqttPublisher`.
"""

import logging
import math
import secrets
import time
from asyncio import Event as Flag
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from edge.contracts.errors import MessageError
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import source_password
from edge.edge_node_connection import EdgeNodeConnection
from edge.formats.sparkplug import Message as SparkplugMessage
from edge.formats.sparkplug import Session, State
from edge.formats.sparkplug_payload import HIGH, LOW, QUALITY, UNIT, DataType, Metric, Property, QualityCode, quality
from edge.mqtt_connection import Connected, Lost, Message, Published
from simulator.site import Row, Site

logger = logging.getLogger(__name__)

NODE: Final = "simulator"


@dataclass(frozen=True, slots=True)
class Device:
    """How an asset shows itself: the device's name, and by signal the metric's."""

    name: str
    metrics: Mapping[str, str]


def edge_nodes(plant: Plant, source: str, site: Site) -> dict[tuple[str, str], dict[str, Device]]:
    """By group and name the edge nodes that a Sparkplug source of the plant file names, each with its devices by asset."""
    nodes: dict[tuple[str, str], dict[str, Device]] = {}
    for row in plant.signals_of(source):
        group, node, *device = (row.signal.device or "").split("/")
        if row.asset not in site.assets:
            continue
        if not device:
            logger.warning("%s.%s: metrics of an edge node itself are not simulated", row.asset, row.name)
            continue
        devices = nodes.setdefault((group, node), {})
        shown = devices.setdefault(row.asset, Device(device[0], {}))
        devices[row.asset] = Device(shown.name, {**shown.metrics, row.name: row.signal.metric or row.name})
    return nodes


class SparkplugPublisher:
    """One edge node on the broker of one source, with assets of the site as its devices.

    By default it is the node `simulator` with all assets, under their own names; `devices` tells otherwise. A sample that is
    bad is null with the quality Bad; a signal that has not been heard of yet is null with the quality Stale. The quality is
    told when it is not good, and when it has become so. Only births and deaths tell what happened while the broker was away.
    """

    def __init__(
        self,
        plant: Plant,
        source_name: str,
        site: Site,
        environ: Mapping[str, str],
        group: str | None = None,
        node: str = NODE,
        devices: Mapping[str, Device] | None = None,
    ) -> None:
        source = plant.sources[source_name]
        if isinstance(source, OpcuaSource):
            raise TypeError(f"'{source_name}' is no broker")
        everything = {asset: Device(asset, {name: name for name in plant.assets[asset].signals}) for asset in site.assets}
        self._devices = everything if devices is None else devices
        self.source = source_name
        self._plant, self._site = plant, site
        path = plant.site
        self._session = Session(group or f"{path.enterprise}:{path.site}:{path.area}", node)
        self._datatypes = {
            (row.asset, row.name): DataType.STRING if row.is_text else DataType.DOUBLE for row in plant.signal_table
        }
        # by asset and signal what was last heard, and the assets whose birth no longer tells what they have
        self._last: dict[str, dict[str, Metric]] = {asset: {} for asset in self._devices}
        self._outdated: set[str] = set()
        self._missed = 0
        self._in_flight: set[int] = set()
        self._losses = 0
        self._progress = Flag()
        self._connection = EdgeNodeConnection(
            url=source.url,
            client_id=f"kullager-sparkplug-{secrets.token_hex(4)}",
            subscriptions=(self._session.command_topic,),
            user=source.user,
            password=source_password(source_name, environ),
            next_will=lambda: self._session.connect(time.time_ns()).encode(),
        )

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._session.state is State.BORN:
            now = time.time_ns()
            for device in self._session.devices:
                self._send(self._session.device_death(device, now))
                if self._session.state is not State.BORN:
                    break
            self._send(self._session.death(now), qos=1)
        await self._connection.__aexit__(*details)

    async def follow(self) -> None:
        """Take what the broker says, for ever: run this in a task beside the rows."""
        async for event in self._connection:
            match event:
                case Connected(version=version):
                    logger.info("%s: connected for Sparkplug, MQTT %s", self._connection.url, version)
                    if self._missed:
                        logger.warning("%d Sparkplug messages were not published while the broker was away", self._missed)
                        self._missed = 0
                    self._give_birth()
                case Lost(reason=reason):
                    self._losses += 1
                    self._in_flight.clear()
                    logger.warning("%s", reason)
                case Published(mid=mid):
                    self._in_flight.discard(mid)
                case Message(topic=topic, payload=payload, retained=retained):
                    self._command(topic, payload, retained)
            self._progress.set()

    def publish(self, row: Row) -> None:
        """Hand a row's values over, without waiting; while the broker is away only the next births will tell them."""
        metrics = self._note(row)
        if metrics and self._send_data(row.asset, metrics) is None:
            self._missed += 1

    @property
    def unacknowledged(self) -> int:
        return self._connection.unacknowledged

    async def deliver(self, row: Row, *, until_subscribed: bool = False) -> None:
        """Publish a row and wait until it has left for a broker that is there, through outages too.

        Sparkplug asks for QoS 0, which has no receipt: what is on its way when a connection breaks is lost, and nobody says
        whether there is a subscriber, so `until_subscribed` changes nothing.
        """
        metrics = self._note(row)
        while metrics:
            self._progress.clear()
            losses, mid = self._losses, self._send_data(row.asset, metrics)
            if mid is not None:
                self._in_flight.add(mid)
                while mid in self._in_flight:
                    await self._progress.wait()
                    self._progress.clear()
                if losses == self._losses:
                    return
            else:
                await self._progress.wait()

    # -- what is said

    def _note(self, row: Row) -> list[Metric]:
        """The samples of a row, remembered for the next birth."""
        metrics: list[Metric] = []
        shown = self._devices.get(row.asset)
        for name, metric_name in shown.metrics.items() if shown is not None else ():
            value = row.values.get(name, math.nan)
            if isinstance(value, float) and math.isnan(value):
                continue
            metric = self._metric(row, name, metric_name, value)
            before = self._last[row.asset].get(name)
            self._last[row.asset][name] = metric
            if not metric.is_null and before is not None and not before.is_null:
                metric = Metric(name=metric_name, value=metric.value, timestamp=row.time)
            metrics.append(metric)
        return metrics

    def _metric(self, row: Row, name: str, metric_name: str, value: float | str | None) -> Metric:
        if isinstance(value, str) and self._datatypes[row.asset, name] is not DataType.STRING:
            # the plant file does not say that it is a text
            self._datatypes[row.asset, name] = DataType.STRING
            self._outdated.add(row.asset)
        if value is not None:
            value = str(value) if self._datatypes[row.asset, name] is DataType.STRING else float(value)
        properties = {QUALITY: quality(QualityCode.BAD if value is None else QualityCode.GOOD)}
        return Metric(name=metric_name, value=value, is_null=value is None, timestamp=row.time, properties=properties)

    def _give_birth(self) -> None:
        """The edge node and all its devices, with what is known of them now."""
        self._send(self._session.node_birth(time.time_ns()))
        for asset in self._devices:
            self._give_device_birth(asset)

    def _give_device_birth(self, asset: str) -> None:
        if self._session.state is State.BORN:
            now = time.time_ns()
            shown = self._devices[asset]
            metrics = [self._born_metric(asset, name, metric_name, now) for name, metric_name in shown.metrics.items()]
            self._outdated.discard(asset)
            self._send(self._session.device_birth(shown.name, now, metrics))

    def _born_metric(self, asset: str, name: str, metric_name: str, now: int) -> Metric:
        datatype = self._datatypes[asset, name]
        unheard = Metric(is_null=True, timestamp=now, properties={QUALITY: quality(QualityCode.STALE)})
        last = self._last[asset].get(name, unheard)
        properties = dict(last.properties)
        if datatype is DataType.DOUBLE:
            properties[UNIT] = Property(datatype=DataType.STRING, value=self._plant.assets[asset].signals[name].unit)
            if (span := self._site.range_of(asset, name)) is not None:
                properties[LOW] = Property(datatype=DataType.DOUBLE, value=span.low)
                properties[HIGH] = Property(datatype=DataType.DOUBLE, value=span.high)
        value = str(last.value) if datatype is DataType.STRING and last.value is not None else last.value
        return Metric(
            name=metric_name,
            datatype=datatype,
            value=value,
            is_null=last.is_null,
            timestamp=last.timestamp,
            properties=properties,
        )

    def _send_data(self, asset: str, metrics: list[Metric]) -> int | None:
        if asset in self._outdated:
            self._give_device_birth(asset)
        if self._session.state is not State.BORN:
            return None
        return self._send(self._session.data(self._devices[asset].name, time.time_ns(), metrics))

    def _send(self, message: SparkplugMessage, qos: int = 0) -> int | None:
        topic, payload = message.encode()
        mid = self._connection.publish(topic, payload, qos=qos)
        if mid is None:
            self._session.interrupted()
        return mid

    def _command(self, topic: str, payload: bytes, retained: bool) -> None:
        if retained:
            logger.warning("%s: a retained command is ignored; it would come again with every connection", topic)
            return
        try:
            wanted = self._session.wants_rebirth(topic, payload)
        except MessageError as error:
            logger.warning("a command is ignored: %s", error)
            return
        if wanted and self._session.state is State.BORN:
            logger.info("%s: a host asks for rebirth", topic)
            self._give_birth()
