"""From the broker into the store and on to the stream; what is missing is asked for again."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from api.arrivals import (
    Arrival,
    CatalogueReport,
    EvidencePart,
    ReplyReport,
    SpectrumReport,
    TruthReport,
    UnreadableResult,
    read_arrival,
)
from api.reception import Reception
from api.store import Batch, Event, Store
from api.stream import EventStream
from api.transfers import Transfers
from api.truths import Truths
from edge.back_off import back_off
from edge.contracts.command import Catalogue, Reply
from edge.contracts.errors import MessageError
from edge.contracts.plant import Plant
from edge.formats.json_message import encode
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection

logger = logging.getLogger(__name__)

AT_ONCE: Final = 500
# beyond it the connection's own queue fills and drops its oldest, which the journals then give again
MOST_WAITING: Final = 20_000
ASK_EVERY_S: Final = 0.25


@dataclass(slots=True)
class Counters:
    """What happened since the start. `rejected` counts messages by the reason why they could not be used."""

    messages: int = 0
    stored: int = 0
    duplicates: int = 0
    resend_requests: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    last_rejected: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerState:
    """The connection to the broker; `since` in ns since 1970 UTC."""

    url: str
    connected: bool
    since: int
    problem: str | None = None


class Ingest:
    """`run` it in a task of its own. While the broker or the database is away it keeps trying, and says so here."""

    def __init__(
        self,
        *,
        plant: Plant,
        password: str | None,
        store: Store,
        stream: EventStream,
        client_id: str,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        _, source = plant.results_source
        topics = plant.topics
        self.topics = topics
        self.counters = Counters()
        self.broker = BrokerState(url=source.url, connected=False, since=now())
        self.store_problem: str | None = None
        self.catalogue: Catalogue | None = None
        self.reception = Reception(
            client=client_id, cursors=store.cursors(), statuses=[status for status, _ in store.statuses()]
        )
        self._store, self._stream, self._now = store, stream, now
        self._assets = plant.assets
        self._connection = MqttConnection(
            url=source.url,
            client_id=client_id,
            user=source.user,
            password=password,
            subscriptions=[
                topics.assessment("+"),
                topics.alarm("+", "+"),
                topics.case("+", "+"),
                topics.performance("+"),
                topics.spectrum("+", "+"),
                topics.edge_audit("+"),
                topics.edge_evidence("+", client_id, "+", "+"),
                topics.edge_status("+"),
                topics.edge_reply("+", "+"),
                topics.edge_resend("+", client_id),
                topics.simulator_catalogue,
                topics.simulator_truth("+"),
                topics.simulator_reply("+"),
            ],
        )
        self._waiting: list[Message] = []
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._replies: dict[str, asyncio.Future[Reply]] = {}
        self.client = client_id
        self.transfers = Transfers()
        self.truths = Truths()
        # by asset and signal the newest; the broker keeps them, too
        self.spectra: dict[tuple[str, str], bytes] = {}
        # notified after each transaction
        self.stored = asyncio.Condition()

    async def run(self) -> None:
        async with self._connection, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive(), name="ingest: receive")
            tasks.create_task(self._absorb(), name="ingest: absorb")
            tasks.create_task(self._ask(), name="ingest: ask for what is missing")

    @property
    def dropped(self) -> int:
        """Messages that arrived faster than they could be stored; the journals give them again."""
        return self._connection.dropped

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a command; false when the broker is not connected."""
        return self.broker.connected and self._connection.publish(topic, payload) is not None

    def expect_reply(self, command_id: str) -> asyncio.Future[Reply]:
        """A future for the reply to this command; cancel it when nobody waits any more."""
        future = asyncio.get_running_loop().create_future()
        self._replies[command_id] = future
        future.add_done_callback(lambda _: self._replies.pop(command_id, None))
        return future

    async def _receive(self) -> None:
        async for event in self._connection:
            match event:
                case Message():
                    self._waiting.append(event)
                    self._arrived.set()
                    if len(self._waiting) >= MOST_WAITING:
                        self._room.clear()
                        await self._room.wait()
                case Connected(version=version):
                    logger.info("connected to %s with MQTT %s", self._connection.url, version)
                    self.broker = BrokerState(url=self._connection.url, connected=True, since=self._now())
                    self.reception.hurry()
                case Lost(reason=reason):
                    logger.warning("%s", reason)
                    self.broker = BrokerState(url=self._connection.url, connected=False, since=self._now(), problem=reason)

    async def _absorb(self) -> None:
        while True:
            await self._arrived.wait()
            batch_of_messages, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            if not self._waiting:
                self._arrived.clear()
            self._room.set()
            arrivals, replies = list[Arrival](), list[Reply]()
            for message in batch_of_messages:
                match self._read(message):
                    case ReplyReport(reply=reply):
                        replies.append(reply)
                    case None:
                        pass
                    case arrival:
                        arrivals.append(arrival)
            if arrivals:
                await self._write(arrivals)
            # an edge tells what a command has changed ahead of its reply: who gets the reply finds it stored
            for reply in replies:
                self._take_reply(reply)

    def _read(self, message: Message) -> Arrival | None:
        """Check one message and act on those that are not for the store."""
        self.counters.messages += 1
        try:
            arrival = read_arrival(self.topics, message.topic, message.payload)
        except MessageError as error:
            self._reject(error)
            return None
        match arrival:
            case UnreadableResult():
                self._reject(arrival.error)
            case CatalogueReport(catalogue=catalogue):
                self.catalogue = catalogue
                return None
            case TruthReport(truth=truth):
                if truth.asset in self._assets:
                    self.truths.take(truth)
                return None
            case SpectrumReport(asset=asset, signal=signal, payload=payload):
                if asset in self._assets and signal in self._assets[asset].waveforms:
                    self.spectra[asset, signal] = payload
                return None
            case EvidencePart(command_id=command_id, part=part, payload=payload):
                self.transfers.take(command_id, part, payload)
                return None
        return arrival

    def _reject(self, error: MessageError) -> None:
        self.counters.rejected[error.reason] += 1
        if str(error) != self.counters.last_rejected:
            logger.warning("rejected: %s", error)
        self.counters.last_rejected = str(error)

    def _take_reply(self, reply: Reply) -> None:
        if (future := self._replies.get(reply.command_id)) is not None and not future.done():
            future.set_result(reply)
        elif not reply.ok:
            self.reception.refused(reply.command_id, time.monotonic())

    async def _write(self, arrivals: list[Arrival]) -> None:
        """Store them, however long the database is away: until then nothing of it counts as received."""
        waits = back_off(first_s=0.2)
        while True:
            batch = self.reception.plan(arrivals, self._now())
            try:
                events = await asyncio.to_thread(self._store.write, batch)
            except OperationalError as error:
                self._say_store_problem(f"the database takes nothing: {error.orig}")
                await asyncio.sleep(next(waits))
            except SQLAlchemyError as error:
                if len(arrivals) > 1:
                    # one of them is at fault; the others must not suffer for it
                    for arrival in arrivals:
                        await self._write([arrival])
                else:
                    self._reject(MessageError("not-stored", f"a message cannot be stored: {error}"))
                return
            else:
                await self._tell(batch, events)
                return

    async def _tell(self, batch: Batch, events: list[Event]) -> None:
        if self.store_problem is not None:
            logger.info("the database takes results again")
            self.store_problem = None
        for loss in batch.losses:
            logger.warning(
                "lost: entries %d to %d of journal %s of %s (%s)", loss.first, loss.last, loss.journal, loss.edge, loss.reason
            )
        fresh = sum(event.kind != "status" for event in events)
        self.counters.stored += fresh
        self.counters.duplicates += len(batch.results) - fresh
        self.reception.committed(batch)
        self._stream.publish(events)
        async with self.stored:
            self.stored.notify_all()

    def _say_store_problem(self, problem: str) -> None:
        if self.store_problem is None:
            logger.error("%s", problem)
        self.store_problem = problem

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            if not self.broker.connected:
                continue
            now = time.monotonic()
            for edge, command in self.reception.requests(now):
                if self.publish(self.topics.edge_command(edge, "resend"), encode(command)):
                    self.counters.resend_requests += 1
                    self.reception.sent(edge, command, now)
