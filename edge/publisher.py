"""Results from the journal to the broker, in order, and commands from the broker to the edge.

The journal is the queue: what the broker has not acknowledged is published again after a reconnection, from the first
number that is missing. Readers know a result by its identity, so nothing counts twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import orjson

from edge.contracts.command import EvidenceAnswer, Reply, ResendCommand
from edge.contracts.errors import MessageError
from edge.contracts.plant import Plant
from edge.contracts.spectrum import WaveformSpectrum
from edge.contracts.status import EdgeStatus
from edge.formats.json_message import SCHEMA, decode, encode
from edge.journal import Entry, Journal
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection, Published, Will

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 1000
# a client that missed more asks again for the rest
MAX_RESENT: Final = 1000


class Publisher:
    """`run` keeps the connection; `publish_new` sends what the journal has got since.

    on_command: carries out a verb, given the message and its topic; the answer, or None. Raises `MessageError`.
    """

    def __init__(
        self,
        plant: Plant,
        journal: Journal,
        password: str | None,
        certificate: Path | None,
        on_command: Callable[[str, bytes, str], Reply | None],
        offline: EdgeStatus,
    ) -> None:
        _, broker = plant.results_source
        self._edge, self._topics, self._journal = plant.edge.id, plant.topics, journal
        self._on_command = on_command
        self._connection = MqttConnection(
            url=broker.url,
            client_id=f"{plant.edge.id}-results",
            subscriptions=[self._topics.edge_command(self._edge, "+")],
            user=broker.user,
            password=password,
            certificate=certificate,
            will=Will(self._topics.edge_status(self._edge), encode(offline)),
        )
        self._next = journal.published() + 1
        self._in_flight: dict[int, int] = {}
        # what was appended last: what of it had to wait is not read from disk again
        self._newest: Sequence[Entry] = ()
        # what a broker that has forgotten everything should keep: topic → newest message
        self._retained: dict[str, bytes] = {}
        self._progress = asyncio.Event()
        self.connected = False
        self.problem: str | None = "not yet connected"

    @property
    def published(self) -> int:
        """The number up to which the broker has acknowledged everything."""
        return min(self._in_flight.values(), default=self._next) - 1

    @property
    def unpublished(self) -> int:
        """How many results the broker has not acknowledged."""
        return self._journal.last_seq - self.published

    async def drained(self) -> None:
        """Wait until the broker has acknowledged all that the journal has, or is away."""
        while self.connected and (self._in_flight or self._next <= self._journal.last_seq):
            self._progress.clear()
            await self._progress.wait()

    async def run(self) -> None:
        async with self._connection as connection:
            async for event in connection:
                self._progress.set()
                match event:
                    case Published(mid=mid):
                        self._in_flight.pop(mid, None)
                        if len(self._in_flight) < MAX_IN_FLIGHT // 2:
                            self.publish_new()
                    case Message():
                        self._command(event)
                    case Connected(version=version):
                        self.connected, self.problem = True, None
                        logger.info("results go to %s by MQTT %s", connection.url, version)
                        self._begin_again()
                    case Lost(reason=reason):
                        self.connected, self.problem = False, reason
                        logger.warning("results stay in the journal: %s", reason)

    def publish_new(self, entries: Sequence[Entry] = ()) -> None:
        """Publish what is new. `entries` are what was just appended: they are not read from disk again."""
        self._newest = entries = entries or self._newest
        self._publish(entries)
        self._connection.flush()

    def _publish(self, entries: Sequence[Entry]) -> None:
        while self.connected and len(self._in_flight) < MAX_IN_FLIGHT and self._next <= self._journal.last_seq:
            if not (entries and entries[0].seq <= self._next <= entries[-1].seq):
                room = MAX_IN_FLIGHT - len(self._in_flight)
                entries = self._journal.read(self._next, self._journal.last_seq, room)
            if not entries:
                # trimmed before it could be published: readers learn it from the status
                self._next = max(self._next, self._journal.trimmed_before)
                return
            first = max(0, self._next - entries[0].seq)
            for entry in entries[first : first + MAX_IN_FLIGHT - len(self._in_flight)]:
                if not self._send(entry):
                    return

    def publish_status(self, status: EdgeStatus) -> None:
        self._keep(self._topics.edge_status(self._edge), encode(status))

    def publish_spectrum(self, found: WaveformSpectrum) -> None:
        """The newest of a fast signal; what was before it is not kept."""
        self._keep(self._topics.spectrum(found.asset, found.signal), encode(found))

    def publish_evidence(self, command: str, client: str, parts: Sequence[bytes], answer: EvidenceAnswer) -> None:
        """A file in parts, and then what it should be."""
        for number, part in enumerate(parts):
            self._connection.publish(self._topics.edge_evidence(self._edge, client, command, number), part)
        self._connection.publish(self._topics.edge_evidence(self._edge, client, command, "end"), encode(answer))

    def journal_replaced(self) -> None:
        """The journal is another one now, and begins at 1."""
        self._next = 1
        self._newest = ()
        self._in_flight.clear()

    def _send(self, entry: Entry) -> bool:
        if not entry.topic:
            # damaged: who misses it is told so when asking for it
            self._next = entry.seq + 1
            return True
        mid = self._connection.publish(entry.topic, entry.payload, retain=True)
        if mid is None:
            return False
        self._in_flight[mid] = entry.seq
        self._next = entry.seq + 1
        if entry.clears:
            self._connection.publish(entry.topic, b"", retain=True)
            self._retained.pop(entry.topic, None)
        else:
            self._retained[entry.topic] = entry.payload
        return True

    def _keep(self, topic: str, payload: bytes) -> None:
        self._retained[topic] = payload
        self._connection.publish(topic, payload, retain=True)

    def _begin_again(self) -> None:
        self._next = self.published + 1
        self._in_flight.clear()
        for topic, payload in self._retained.items():
            self._connection.publish(topic, payload, retain=True)
        self.publish_new()

    def _command(self, message: Message) -> None:
        *_, verb = message.topic.split("/")
        try:
            if verb == "resend":
                self._resend(decode(ResendCommand, message.payload, message.topic))
            elif (reply := self._on_command(verb, message.payload, message.topic)) is not None:
                self._connection.publish(self._topics.edge_reply(self._edge, reply.command_id), encode(reply))
        except MessageError as error:
            logger.warning("a command was refused: %s", error)

    def _resend(self, command: ResendCommand) -> None:
        """Send again what a client misses; what is gone is said, so that it can be named as lost."""
        topic = self._topics.edge_resend(self._edge, command.client)
        # another journal was wiped: nothing of it is left
        trimmed = self._journal.trimmed_before if command.journal == self._journal.id else command.last + 1
        if command.first < trimmed:
            gone = {
                "schema": SCHEMA,
                "command_id": command.command_id,
                "journal": command.journal,
                "trimmed_before": min(trimmed, command.last + 1),
            }
            self._connection.publish(topic, orjson.dumps(gone))
        if command.journal == self._journal.id:
            for entry in self._journal.read(command.first, command.last, MAX_RESENT):
                self._connection.publish(topic, entry.payload)
