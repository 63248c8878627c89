"""Samples from edge nodes that speak Sparkplug B: the edge is a host application on their broker."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from edge.contracts.plant import SignalEntry, SparkplugSource
from edge.contracts.sample_batch import SampleBatch, TextTable
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.on_change import OnChange
from edge.data_acquisition.sparkplug_nodes import SparkplugNodes, Taken
from edge.formats.sparkplug import is_offline, rebirth_command, state_payload, state_topic
from edge.formats.sparkplug_payload import MAX_PAYLOAD_BYTES
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection, Published, Will

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.5
REPEAT_S: Final = 1.0
# births are told as missing only after this [s]: an edge node that is asked for them takes a moment
PATIENCE_S: Final = 5.0
DEATH_S: Final = 2.0

Sink = Callable[[str, SampleBatch], Awaitable[None]]


class Past(Protocol):
    """Takes what an edge node had kept while it was away from the broker."""

    def recovered(self, batch: SampleBatch) -> None: ...


class SparkplugAcquisition:
    """One broker. `run` is there as a host, and hands batches to `sink` for ever; the account knows how it goes."""

    def __init__(
        self,
        name: str,
        source: SparkplugSource,
        edge: str,
        rows: Sequence[SignalEntry],
        texts: Mapping[int, TextTable],
        account: SourceAccount,
        sink: Sink,
        past: Past,
        password: str | None = None,
        certificate: Path | None = None,
        on_change: Sequence[SignalEntry] = (),
    ) -> None:
        self._on_change, self._repeated_s = OnChange(on_change), 0.0
        self._name, self._source, self._account, self._sink, self._past = name, source, account, sink, past
        self._nodes = SparkplugNodes(rows, texts, source.reorder_s)
        self._state_topic = state_topic(source.host or edge)
        self._since = 0
        self._connected_at = 0.0
        self._logged: set[str] = set()
        self._is_leaving = False
        self._death: int | None = None
        self._died = asyncio.Event()
        self._connection = MqttConnection(
            url=source.url,
            client_id=f"{edge}-{name}",
            # no session is kept: what a host missed it asks for again (tck-id-message-flow-phid-sparkplug-clean-session-50)
            subscriptions=(self._state_topic, *self._nodes.topics),
            user=source.user,
            password=password,
            will=self._will,
            certificate=certificate,
            max_packet=MAX_PAYLOAD_BYTES + (64 << 10),
        )

    async def run(self) -> None:
        async with self._connection:
            looking = asyncio.create_task(self._look(), name=f"births of {self._name}")
            listening = asyncio.create_task(self._listen(), name=f"messages of {self._name}")
            try:
                done, _ = await asyncio.wait((looking, listening), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                looking.cancel()
                if not listening.done():
                    await self._say_goodbye()
                listening.cancel()
                await asyncio.gather(looking, listening, return_exceptions=True)

    def _will(self) -> Will:
        self._since = time.time_ns()
        return Will(self._state_topic, state_payload(online=False, since=self._since))

    async def _listen(self) -> None:
        async for event in self._connection:
            match event:
                case Message(topic=topic) if topic == self._state_topic:
                    if is_offline(event.payload) and not self._is_leaving:
                        # the will of an earlier connection came after this one's birth, or another host has this id
                        self._say_online()
                case Message(retained=True):
                    self._account.reject("retained")
                case Message(topic=topic, payload=payload):
                    await self._take(self._nodes.take(topic, payload, time.time_ns(), time.monotonic()))
                case Connected(version=version):
                    self._say_online()
                    self._nodes.connected()
                    self._on_change.forget()
                    self._connected_at = time.monotonic()
                    self._ask()
                    self._account.connected()
                    logger.info("source '%s': connected to %s by MQTT %s", self._name, self._source.url, version)
                case Lost(reason=reason, refused=refused):
                    self._account.disconnected(reason, refused=refused)
                    logger.warning("source '%s': %s; trying again", self._name, reason)
                case Published(mid=mid) if mid == self._death:
                    self._died.set()

    async def _take(self, taken: Taken) -> None:
        for reason, count in taken.rejected.items():
            self._account.reject(reason, count)
        for reason, problem in taken.problems.items():
            if reason not in self._logged:
                self._logged.add(reason)
                logger.warning("source '%s': %s (further messages of this kind are counted only)", self._name, problem)
        self._ask()
        kept = taken.kept.batch()
        if len(kept):
            self._account.recovered(len(kept))
            self._past.recovered(kept)
        accepted = self._account.accept(taken.now.batch(), time.time_ns())
        await self._sink(self._name, accepted)
        if (more := self._on_change.saw(accepted)) is not None:
            await self._sink(self._name, self._account.confirmed(more))

    async def _repeat(self, now: float) -> None:
        """Say again what has not changed: the broker would have told that its edge node is gone."""
        if self._account.is_connected and now - self._repeated_s > REPEAT_S:
            self._repeated_s = now
            vouched = time.time_ns() if self._source.clock == "wall" else self._account.last_sample
            if vouched is not None:
                repeated = self._on_change.repeat(vouched, self._nodes.living())
                await self._sink(self._name, self._account.confirmed(repeated))

    async def _look(self) -> None:
        """Give up on what does not come, ask again, and say what is missing."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for reason, count in self._nodes.expire(now).items():
                self._account.reject(reason, count)
            self._ask()
            await self._repeat(now)
            if self._account.is_connected and now - self._connected_at > PATIENCE_S:
                problem = "; ".join(self._nodes.missing()) or None
                if problem != self._account.status().problem:
                    self._account.connected(problem)
                    if problem is not None:
                        logger.warning("source '%s': %s", self._name, problem)

    def _ask(self) -> None:
        for group, node in self._nodes.to_ask(time.monotonic()):
            topic, payload = rebirth_command(group, node, time.time_ns()).encode()
            self._connection.publish(topic, payload, qos=0)

    def _say_online(self) -> None:
        self._connection.publish(self._state_topic, state_payload(online=True, since=self._since), retain=True)

    async def _say_goodbye(self) -> None:
        """A host that goes on purpose says so first: a broker drops the will of who says farewell."""
        self._is_leaving = True
        goodbye = state_payload(online=False, since=max(time.time_ns(), self._since))
        self._death = self._connection.publish(self._state_topic, goodbye, retain=True)
        if self._death is not None:
            try:
                async with asyncio.timeout(DEATH_S):
                    await self._died.wait()
            except TimeoutError:
                logger.warning("source '%s': the broker does not take the host's farewell", self._name)
