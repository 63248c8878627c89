"""One connection to an MQTT broker, for every process: version 5 with fall-back to 3.1.1, and the only owner of reconnection.

    async with MqttConnection(url="mqtt://127.0.0.1:1883", client_id="edge-1", subscriptions=["plant/#"]) as connection:
        async for event in connection:
            match event:
                case Message(topic=topic, payload=payload): ...
                case Connected(): ...          # subscribed; also after each reconnection
                case Lost(reason=reason): ...  # said once per outage and reason
                case Published(mid=mid): ...   # the broker has acknowledged what `publish` returned

The iterator ends only when the context is left. Events go through one queue, with one wake-up however many wait. QoS is 1
where nobody asks for 0.
"""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.back_off import back_off
from edge.mqtt_link import NO_MATCHING_SUBSCRIBERS, LinkClient, MqttLink

logger = logging.getLogger(__name__)

KEEPALIVE_S: Final = 15
CONNECT_TIMEOUT_S: Final = 5.0
FIRST_WAIT_S: Final = 0.5
# a connection that was lost sooner was brief: the wait after each in a row is longer, and after so many the reason asks why
BRIEF_S: Final = 10.0
MANY_BRIEF: Final = 3
VERSION_NAMES: Final = {MQTTProtocolVersion.MQTTv5: "5", MQTTProtocolVersion.MQTTv311: "3.1.1"}


@dataclass(frozen=True, slots=True)
class Message:
    """`received`: when it came [ns UTC], which is before it is taken."""

    topic: str
    payload: bytes
    retained: bool
    received: int


@dataclass(frozen=True, slots=True)
class Connected:
    version: str


@dataclass(frozen=True, slots=True)
class Lost:
    """`refused` tells whether the broker itself said no (credentials, authorisation) or was not reached."""

    reason: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Published:
    """The broker has it; `subscribed` is false where it says that nobody wants it (MQTT 5 alone can tell)."""

    mid: int
    subscribed: bool = True


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says, retained, when this client is gone without a word."""

    topic: str
    payload: bytes


Event = Message | Connected | Lost | Published


class _NoAnswerError(Exception):
    """The connection was opened and closed again before the broker said yes."""

    def __init__(self, reason: str, refused: bool, wrong_version: bool) -> None:
        super().__init__(reason)
        self.refused, self.wrong_version = refused, wrong_version


class MqttConnection:
    """See the module. `queue_size` bounds the messages that wait; beyond it the oldest is dropped and counted in `dropped`.

    will:        what the broker says when this client is gone; a function makes one for each connection
    session_s:   how long the broker keeps subscriptions and QoS 1 messages while this client is away; 0: not at all
    certificate: PEM file with the certificate and key by which this client shows who it is, over TLS
    max_packet:  larger ones [bytes] a broker of version 5 keeps to itself; 0: none is too large
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        subscriptions: Sequence[str] = (),
        user: str = "",
        password: str | None = None,
        will: Will | Callable[[], Will] | None = None,
        queue_size: int = 100_000,
        session_s: int = 0,
        certificate: Path | None = None,
        max_packet: int = 0,
    ) -> None:
        self.url, self.client_id, self.subscriptions = url, client_id, tuple(subscriptions)
        self.dropped = 0
        self._user, self._password, self._will = user, password, will
        self._session_s, self._certificate, self._max_packet = session_s, certificate, max_packet
        self._queue: deque[Event] = deque()
        self._queue_size = queue_size
        self._ready = asyncio.Event()
        self._link: MqttLink | None = None
        self._version = MQTTProtocolVersion.MQTTv5
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_connected(), name=f"mqtt {self.client_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None  # noqa: S101  # entered
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for events in self.gathered(0.0):
            for event in events:
                yield event

    async def gathered(self, wait_s: float) -> AsyncIterator[Iterator[Event]]:
        """All events that are there, each time; what comes within `wait_s` of the first comes with it."""
        while True:
            await self._ready.wait()
            if wait_s:
                await asyncio.sleep(wait_s)
            self._ready.clear()
            yield self.left()

    def left(self) -> Iterator[Event]:
        """What has come and nobody has taken."""
        while self._queue:
            yield self._queue.popleft()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> int | None:
        """Hand a message over, without waiting. Its `mid` comes back in `Published`; None when not connected.

        At QoS 0, which only Sparkplug asks for, `Published` says that it has left, not that the broker has it.
        """
        return None if self._link is None else self._link.publish(topic, payload, retain, qos)

    def flush(self) -> None:
        """What has been handed over leaves now, and not only when others have had their turn."""
        if self._link is not None:
            self._link.flush()

    @property
    def unacknowledged(self) -> int:
        """How many messages have been handed over on this connection and not come to the broker."""
        return self._link.unacknowledged if self._link is not None else 0

    def unsubscribe(self, topic: str) -> None:
        """End a subscription that an earlier session has left."""
        if self._link is not None:
            self._link.unsubscribe(topic)

    def cut(self) -> None:
        """Break the connection without a word, as a network does. It is made anew."""
        if self._link is not None:
            self._link.cut()

    # -- the one owner of reconnection

    async def _keep_connected(self) -> None:
        waits, brief = back_off(FIRST_WAIT_S), 0
        last_reason: str | None = None
        while True:
            try:
                link = await self._connect()
                begun, self._link = time.monotonic(), link
                self._put(Connected(VERSION_NAMES[self._version]))
                try:
                    why = await link.tend()
                finally:
                    self._link = None
                    await link.close()
                brief = brief + 1 if time.monotonic() - begun < BRIEF_S else 0
                # two clients of one name would throw each other off without end
                waits = back_off(FIRST_WAIT_S * 2 ** min(brief, 6))
                last_reason = self._say(f"the connection to {self.url} was lost{self._cause(why, brief)}", None, False)
            except _NoAnswerError as answer:
                if answer.wrong_version and self._version is MQTTProtocolVersion.MQTTv5:
                    logger.info("%s does not speak MQTT 5 (%s): falling back to 3.1.1", self.url, answer)
                    self._version = MQTTProtocolVersion.MQTTv311
                    continue
                self._version = MQTTProtocolVersion.MQTTv5
                last_reason = self._say(str(answer), last_reason, answer.refused)
            except (OSError, ssl.SSLError) as error:
                last_reason = self._say(f"{self.url} is not reached: {error.strerror or error}", last_reason, False)
            await asyncio.sleep(next(waits))

    def _cause(self, why: str, brief: int) -> str:
        said = why and f": {why}"
        if brief < MANY_BRIEF:
            return said
        # mosquitto 2.0 ends the connection of the older one without a word
        return f"{said}, {brief} times soon after it was made; has another client the client id '{self.client_id}', too?"

    def _say(self, reason: str, before: str | None, refused: bool) -> str:
        if reason != before:
            self._put(Lost(reason, refused))
        return reason

    async def _connect(self) -> MqttLink:
        """Connect and subscribe."""
        link = MqttLink(self._new_client(), self._came, self._published)
        parts = urlsplit(self.url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        try:
            code = await link.connect(parts.hostname or "", port, KEEPALIVE_S, CONNECT_TIMEOUT_S, **self._session())
            if code is None or code.is_failure:
                raise self._refusal(code)
            if self.subscriptions:
                options: Any = SubscribeOptions(qos=1) if self._version is MQTTProtocolVersion.MQTTv5 else 1
                link.subscribe([(topic, options) for topic in self.subscriptions])
        except TimeoutError:
            await link.close()
            raise _NoAnswerError(f"{self.url} took the connection but did not answer", False, wrong_version=True) from None
        except BaseException:
            await link.close()
            raise
        return link

    def _new_client(self) -> paho.Client:
        client = LinkClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            protocol=self._version,
            reconnect_on_failure=False,
            # version 5 says so when it connects
            clean_session=not self._session_s if self._version is MQTTProtocolVersion.MQTTv311 else None,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        # the link keeps them few
        client.max_inflight_messages_set(0)
        if self._user:
            client.username_pw_set(self._user, self._password)
        if self._will is not None:
            will = self._will() if callable(self._will) else self._will
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        if self.url.startswith("mqtts://"):
            try:
                client.tls_set(certfile=str(self._certificate) if self._certificate else None)
            except OSError as error:
                raise OSError(None, f"the certificate in {self._certificate} cannot be used: {error}") from None
        return client

    def _session(self) -> dict[str, Any]:
        if self._version is not MQTTProtocolVersion.MQTTv5:
            return {}
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if self._max_packet:
            properties.MaximumPacketSize = self._max_packet
        if self._session_s:
            properties.SessionExpiryInterval = self._session_s
        return {"clean_start": not self._session_s, "properties": properties}

    def _refusal(self, code: ReasonCode | None) -> _NoAnswerError:
        if code is None:
            return _NoAnswerError(f"{self.url} closed the connection without an answer", False, wrong_version=True)
        version = code.getName() == "Unsupported protocol version"
        who = f"user '{self._user}'" if self._user else "a client without a user name"
        return _NoAnswerError(f"{self.url} refuses {who}: {code}", not version, wrong_version=version)

    # -- what comes

    def _came(self, message: paho.MQTTMessage) -> None:
        self._put(Message(message.topic, bytes(message.payload), message.retain, time.time_ns()))
        if len(self._queue) > self._queue_size:
            self._queue.popleft()
            self.dropped += 1

    def _published(self, number: int, code: ReasonCode) -> None:
        self._put(Published(number, subscribed=code.value != NO_MATCHING_SUBSCRIBERS))

    def _put(self, event: Event) -> None:
        self._queue.append(event)
        self._ready.set()
