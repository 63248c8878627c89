"""The machines over MQTT: signals as JSON, the catalogue of faults, and the commands that inject and repair."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from itertools import cycle
from typing import Final, Self

from edge.contracts.command import Catalogue, Reply
from edge.contracts.plant import MqttSource, Plant
from edge.contracts.plant_file import source_password
from edge.contracts.sample_batch import WaveformBlock
from edge.formats.json_message import encode
from edge.formats.signal_json import SignalMessages, waveform_message
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection, Published, Will
from simulator.chaos import ChaosKind, Disturbance, Disturbances
from simulator.commands import Commands
from simulator.site import Row, Site

logger = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 0.2
TRUTH_EVERY_NS: Final = 10_000_000_000
POLL_S: Final = 0.05
# what a broken device sends: nothing, no text, no JSON, the wrong types, no numbers, too much
GARBAGE: Final = (
    b"",
    b"\xff\xfe\x00\x80\xc3\x28",
    b"{not json",
    b"[1, 2, 3]",
    b'{"time": "yesterday", "vibration": "high", "bearing_temperature": null}',
    b'{"time": "2026-01-01T00:00:00Z", "vibration": NaN, "bearing_temperature": 1e999}',
    b'{"vibration": {"value": 1.0}, "time": 12}',
    b'{"x": "' + b"x" * 300_000 + b'"}',
)


class MqttPublisher:
    """The messages of one MQTT source of the plant file.

    The broker that takes the edge's results also carries catalogue and commands. `publish` is for live machines: what
    happens while the broker is away is gone, as with a real sensor. `deliver` is for replays: it waits for the broker.
    """

    def __init__(
        self,
        plant: Plant,
        source_name: str,
        site: Site,
        environ: Mapping[str, str],
        disturbances: Disturbances | None = None,
    ) -> None:
        source = plant.sources[source_name]
        if not isinstance(source, MqttSource):
            raise TypeError(f"'{source_name}' is no MQTT source")
        self.source = source_name
        self._site, self._topics = site, plant.topics
        self._messages = {asset: SignalMessages(plant, asset, source_name) for asset in site.assets}
        self._commands = Commands(site, plant.topics) if plant.results_source[0] == source_name else None
        self._disturbances = disturbances or Disturbances(plant)
        # what chaos holds back: for a burst, and with the time of the clock when it may go, and how many have been late [s]
        self._burst: list[tuple[str, bytes]] = []
        self._held: list[tuple[float, str, bytes]] = []
        self._late = 0
        self._garbage = cycle(GARBAGE)
        self._shown = -1
        # for each asset when its truth was told last, and what was active then
        self._told: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._connected = False
        self._missed = 0
        # what waits for the broker's word, by message id, and what is to be sent again after an outage
        self._in_flight: dict[int, tuple[str, bytes]] = {}
        self._unsent: deque[tuple[str, bytes]] = deque()
        self._ignored: list[tuple[str, bytes]] = []
        # replies on their way to the broker by message id, and those to be sent again after an outage: whoever asks for
        # a cut connection waits for the answer all the same
        self._replies: dict[int, Reply] = {}
        self._owed: list[Reply] = []
        self._progress = asyncio.Event()
        self._connection = MqttConnection(
            url=source.url,
            client_id=f"kullager-simulator-{secrets.token_hex(4)}",
            subscriptions=self._commands.subscriptions if self._commands else (),
            user=source.user,
            password=source_password(source_name, environ),
            # without its simulator a catalogue would offer faults that nobody injects
            will=Will(plant.topics.simulator_catalogue, _nothing()) if self._commands else None,
        )

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._commands is not None:
            self._connection.publish(self._topics.simulator_catalogue, _nothing(), retain=True)
        await self._connection.__aexit__(*details)

    async def follow(self) -> None:
        """Take what the broker says, for ever: run this in a task beside the rows."""
        async for event in self._connection:
            match event:
                case Connected(version=version):
                    self._connected = True
                    logger.info("%s: connected, MQTT %s", self._connection.url, version)
                    if self._missed:
                        logger.warning("%d messages were not published while the broker was away", self._missed)
                        self._missed = 0
                    self._publish_catalogue()
                    owed, self._owed = self._owed, []
                    for reply in owed:
                        self._reply(reply)
                case Lost(reason=reason):
                    self._connected = False
                    self._unsent.extendleft(reversed(self._in_flight.values()))
                    self._in_flight.clear()
                    self._owed.extend(self._replies.values())
                    self._replies.clear()
                    logger.warning("%s", reason)
                case Published(mid=mid, subscribed=subscribed):
                    self._replies.pop(mid, None)
                    sent = self._in_flight.pop(mid, None)
                    if sent is not None and not subscribed:
                        self._ignored.append(sent)
                case Message(topic=topic, payload=payload, retained=retained):
                    self._command(topic, payload, retained)
            self._progress.set()

    def publish(self, row: Row) -> None:
        """Hand a row's messages over, without waiting; they are lost while the broker is away."""
        jump = self._active(ChaosKind.CLOCK_JUMP)
        shown = row if jump is None else replace(row, time=row.time + round(jump.amount * 1e9))
        for topic, payload in self._encode(shown):
            self._send(topic, payload)
        self._tell_truth(row)

    @property
    def unacknowledged(self) -> int:
        return self._connection.unacknowledged

    def publish_waveform(self, topic: str, block: WaveformBlock) -> None:
        """Hand a block of a fast signal over, without waiting."""
        self._send(topic, waveform_message(block))

    async def disturb(self) -> None:
        """Do to this publisher what is wrong with its source, for ever: run this in a task beside the rows."""
        dropped: Disturbance | None = None
        while True:
            drop = self._active(ChaosKind.DROPPED_CONNECTION)
            if drop is not None and drop is not dropped:
                self._connection.cut()
            dropped = drop
            now = time.monotonic()
            if not self._active(ChaosKind.BURST):
                burst, self._burst = self._burst, []
                due = sorted((entry for entry in self._held if entry[0] <= now), key=lambda entry: entry[0])
                self._held = [entry for entry in self._held if entry[0] > now]
                for topic, payload in burst + [(topic, payload) for _, topic, payload in due]:
                    self._publish(topic, payload)
            await asyncio.sleep(POLL_S)

    def _send(self, topic: str, payload: bytes) -> None:
        """Publish what a sensor says, or what chaos makes of it."""
        if self._active(ChaosKind.HALF_OPEN):
            return
        if self._active(ChaosKind.GARBAGE):
            self._publish(topic, next(self._garbage))
        late = self._active(ChaosKind.LATE)
        for _ in range(2 if self._active(ChaosKind.DUPLICATES) else 1):
            if late is not None:
                self._late += 1
                # evenly spread, and the same each time: multiples of the golden ratio
                wait_s = abs(late.amount) * (self._late * 0.6180339887 % 1.0)
                self._held.append((time.monotonic() + wait_s, topic, payload))
            elif self._active(ChaosKind.BURST) or self._burst:
                # also when the burst is over and what it has held back has still to go: it goes first
                self._burst.append((topic, payload))
            else:
                self._publish(topic, payload)

    def _publish(self, topic: str, payload: bytes) -> None:
        if self._connection.publish(topic, payload) is None:
            self._missed += 1

    def _active(self, kind: ChaosKind) -> Disturbance | None:
        return self._disturbances.active(self.source, kind)

    def _tell_truth(self, row: Row) -> None:
        if self._commands is None or (truth := self._site.truth(row.asset, row.time)) is None:
            return
        told, active = self._told.get(row.asset, (0, ()))
        now_active = tuple(fault.name for fault in truth.faults)
        if row.time - told >= TRUTH_EVERY_NS or now_active != active:
            self._told[row.asset] = row.time, now_active
            self._connection.publish(self._topics.simulator_truth(row.asset), encode(truth))

    async def deliver(self, row: Row, *, until_subscribed: bool = False) -> None:
        """Publish a row and wait until the broker has it, through outages too.

        With `until_subscribed` a message that nobody wanted is sent again until somebody does. Only MQTT 5 can tell;
        over MQTT 3.1.1 every message counts as wanted.
        """
        await self._deliver(self._encode(row), until_subscribed)

    async def deliver_waveform(self, topic: str, block: WaveformBlock, *, until_subscribed: bool = False) -> None:
        """Publish a block of a fast signal as `deliver` does a row."""
        await self._deliver([(topic, waveform_message(block))], until_subscribed)

    async def _deliver(self, messages: list[tuple[str, bytes]], until_subscribed: bool) -> None:
        self._unsent.extend(messages)
        while self._unsent or self._in_flight:
            self._progress.clear()
            while self._connected and self._unsent:
                topic, payload = self._unsent[0]
                mid = self._connection.publish(topic, payload)
                if mid is None:
                    break
                self._in_flight[mid] = self._unsent.popleft()
            await self._progress.wait()
            if self._ignored and until_subscribed:
                await asyncio.sleep(ASK_AGAIN_S)
                self._unsent.extend(self._ignored)
            self._ignored.clear()

    def _encode(self, row: Row) -> list[tuple[str, bytes]]:
        messages = self._messages[row.asset].write(row.time, lambda signal: row.values.get(signal, float("nan")))
        if self._commands is not None and self._connected and self._shown != self._site.changes:
            self._publish_catalogue()
        return list(messages.items())

    def _publish_catalogue(self) -> None:
        if self._commands is None:
            return
        changes, payload = self._site.changes, encode(self._site.catalogue(time.time_ns()))
        if self._connection.publish(self._topics.simulator_catalogue, payload, retain=True) is not None:
            self._shown = changes

    def _command(self, topic: str, payload: bytes, retained: bool) -> None:
        if self._commands is None:
            return
        if retained:
            logger.warning("%s: a retained command is ignored; it would come again with every connection", topic)
            return
        reply = self._commands.answer(topic, payload)
        if reply is not None:
            if self._shown != self._site.changes:
                self._publish_catalogue()
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        mid = self._connection.publish(self._topics.simulator_reply(reply.command_id), encode(reply))
        if mid is None:
            self._owed.append(reply)
        else:
            self._replies[mid] = reply


def _nothing() -> bytes:
    return encode(Catalogue(time=time.time_ns()))
