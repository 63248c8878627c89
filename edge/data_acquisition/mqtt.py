"""Samples from the topics of an MQTT broker."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.contracts.errors import MessageError
from edge.contracts.plant import MqttSource, Plant, WaveformEntry
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.formats.signal_json import MAX_PAYLOAD_BYTES, SignalTopics
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection

logger = logging.getLogger(__name__)

Sink = Callable[[str, SampleBatch | WaveformBlock], Awaitable[None]]
# how long a broker keeps messages while the edge is away
SESSION_S: Final = 86_400
# of each kind of bad message the first is logged, the others are counted
_LOGGED_ONCE: Final = "source '%s': %s (further messages of this kind are counted only)"


class MqttAcquisition:
    """One broker. `run` subscribes and hands batches to `sink` for ever; the account knows how it goes."""

    def __init__(
        self,
        name: str,
        source: MqttSource,
        plant: Plant,
        texts: Mapping[int, TextTable],
        account: SourceAccount,
        sink: Sink,
        password: str | None = None,
        waveforms: Sequence[WaveformEntry] = (),
        certificate: Path | None = None,
    ) -> None:
        self._name, self._source, self._account, self._sink, self._password = name, source, account, sink, password
        self._topics = SignalTopics(plant, name, texts, waveforms)
        self._client_id = f"{plant.edge.id}-{name}"
        self._certificate = certificate
        self._logged: set[str] = set()

    async def run(self) -> None:
        connection = MqttConnection(
            url=self._source.url,
            client_id=self._client_id,
            subscriptions=self._topics.topics,
            user=self._source.user,
            password=self._password,
            session_s=SESSION_S,
            certificate=self._certificate,
            # a topic and its properties beside the payload
            max_packet=MAX_PAYLOAD_BYTES + (64 << 10),
        )
        dropped, wanted = 0, frozenset(self._topics.topics)
        async with connection:
            async for event in connection:
                match event:
                    case Message(topic=topic):
                        if topic not in wanted:
                            # a subscription of an earlier plant file
                            connection.unsubscribe(topic)
                        await self._take(event)
                    case Connected(version=version):
                        self._account.connected()
                        self._account.expect_backlog(SESSION_S)
                        logger.info("source '%s': connected to %s by MQTT %s", self._name, self._source.url, version)
                    case Lost(reason=reason, refused=refused):
                        self._account.disconnected(reason, refused=refused)
                        logger.warning("source '%s': %s; trying again", self._name, reason)
                if connection.dropped != dropped:
                    self._account.reject("queue-overflow", connection.dropped - dropped)
                    dropped = connection.dropped

    async def _take(self, message: Message) -> None:
        received = time.time_ns()
        # a retained message is what a broker kept, of any age: with a time of its own it may still be new
        try:
            reading = self._topics.read(message.topic, message.payload, received)
        except MessageError as error:
            self._account.reject(error.reason)
            if error.reason not in self._logged:
                self._logged.add(error.reason)
                logger.warning(_LOGGED_ONCE, self._name, error)
            return
        for reason, count in reading.rejected.items():
            self._account.reject(reason, count)
        for block in reading.blocks:
            if (timed := self._account.accept_block(block, received)) is not None:
                await self._sink(self._name, timed)
        await self._sink(self._name, self._account.accept(reading.batch, received))
