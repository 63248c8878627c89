"""Samples from the topics of an MQTT broker."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.contracts.errors import MessageError
from edge.contracts.plant import MqttSource, Plant, WaveformEntry
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.formats.signal_json import MAX_PAYLOAD_BYTES, Gathered, SignalTopics
from edge.mqtt_connection import Connected, Event, Lost, Message, MqttConnection

logger = logging.getLogger(__name__)

Sink = Callable[[str, SampleBatch | WaveformBlock], Awaitable[None]]
# how long a broker keeps messages while the edge is away
SESSION_S: Final = 86_400
# what comes within this of the first message is one batch: with one value in each an array costs more than the message
GATHER_S: Final = 0.02
MOST_GATHERED: Final = 20_000
# a stop waits so long for what has come already
LAST_S: Final = 1.0
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
        self._wanted = frozenset(self._topics.topics)
        self._gathered = Gathered()

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
        dropped = 0
        async with connection:
            try:
                async for events in connection.gathered(GATHER_S):
                    for event in events:
                        await self._take(event, connection)
                    await self._hand_over()
                    if connection.dropped != dropped:
                        self._account.reject("queue-overflow", connection.dropped - dropped)
                        dropped = connection.dropped
            except asyncio.CancelledError:
                # a stop: the broker has been told that we have these
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_S):
                        for event in connection.left():
                            await self._take(event, connection)
                        await self._hand_over()
                raise

    async def _take(self, event: Event, connection: MqttConnection) -> None:
        match event:
            case Message(topic=topic):
                if topic not in self._wanted:
                    # a subscription of an earlier plant file
                    connection.unsubscribe(topic)
                await self._read(event, self._gathered)
                if len(self._gathered.signals) >= MOST_GATHERED:
                    await self._hand_over()
            case Connected(version=version):
                self._account.connected()
                self._account.expect_backlog(SESSION_S)
                logger.info("source '%s': connected to %s by MQTT %s", self._name, self._source.url, version)
            case Lost(reason=reason, refused=refused):
                self._account.disconnected(reason, refused=refused)
                logger.warning("source '%s': %s; trying again", self._name, reason)

    async def _read(self, message: Message, gathered: Gathered) -> None:
        # a retained message is what a broker kept, of any age: with a time of its own it may still be new
        try:
            blocks = self._topics.gather(gathered, message.topic, message.payload, message.received)
        except MessageError as error:
            self._account.reject(error.reason)
            if error.reason not in self._logged:
                self._logged.add(error.reason)
                logger.warning(_LOGGED_ONCE, self._name, error)
            return
        for block in blocks:
            if (timed := self._account.accept_block(block, message.received)) is not None:
                await self._sink(self._name, timed)

    async def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, Gathered()
        for reason, count in gathered.rejected.items():
            self._account.reject(reason, count)
        if gathered.signals:
            await self._sink(self._name, self._account.accept(gathered.batch(), time.time_ns()))
