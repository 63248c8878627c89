"""paho's client on the event loop: one connection, until it is lost.

paho's own thread costs a change of threads for each message and for each acknowledgement, while both threads want the
interpreter. Here the event loop waits for the socket and calls paho when it can be read or written (`loop_read`, `loop_write`),
and each second for what hangs on time (`loop_misc`).

How many messages may be unacknowledged is kept here as well, as paho looks through all of them with each acknowledgement, and
does not know the Receive Maximum of a broker (MQTT 5, 3.2.2.3.3). What is more waits in its order.

paho takes each packet from the socket in three or four calls of the kernel, of a byte or two, and hands over each with one of
its own: `LinkClient` reads ahead, and lets messages leave together. What is handed over waits for no one: it is written as soon
as it is a good piece, while the next messages are still made, and the rest by `flush`.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

MAX_IN_FLIGHT: Final = 1000
# packets read before others get their turn
READ_AT_ONCE: Final = 200
TENDED_S: Final = 1.0
GOODBYE_S: Final = 1.0
SUCCESS: Final = MQTTErrorCode.MQTT_ERR_SUCCESS

READ_AHEAD: Final = 65_536
# so much leaves together
WRITTEN_AT_ONCE: Final = 32_768
# what comes one by one is read together: waking for each message costs more than the message
GATHERED_S: Final = 0.005
# MQTT 5, 3.4.2.1
NO_MATCHING_SUBSCRIBERS: Final = 0x10
# what follows the number in an acknowledgement; nothing is success, as in MQTT 3
_WORDS: Final = {
    b"": ReasonCode(PacketTypes.PUBACK),
    bytes([NO_MATCHING_SUBSCRIBERS]): ReasonCode(PacketTypes.PUBACK, identifier=NO_MATCHING_SUBSCRIBERS),
}
_NO_PROPERTIES: Final = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]


class ReadAhead:
    """A socket that does not wait, and that asks the kernel for more than it is asked for."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self._held, self._at = b"", 0

    def recv(self, size: int) -> bytes:
        if self._at == len(self._held):
            self._held, self._at = self.link.recv(READ_AHEAD), 0
        taken = self._held[self._at : self._at + size]
        self._at += len(taken)
        return taken

    @property
    def holds_some(self) -> bool:
        """Whether there is something that the kernel does not tell of."""
        return self._at < len(self._held) or (isinstance(self.link, ssl.SSLSocket) and self.link.pending() > 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)


class LinkClient(paho.Client):
    """paho's client for a `MqttLink`. Should paho once work otherwise inside, it is slower, and nothing else."""

    def _create_socket(self) -> Any:
        return ReadAhead(super()._create_socket())

    def _packet_queue(self, command: int, packet: Any, mid: int, qos: int, info: Any = None) -> MQTTErrorCode:
        """A message at QoS 1, of which paho wants to know nothing when it has left, joins the one that waits before it."""
        last: Any = self._out_packet[-1] if self._out_packet else None
        if (
            last is not None
            and (command, qos) == (last["command"], last["qos"]) == (paho.PUBLISH, 1)
            and not last["pos"]
            and last["to_process"] < WRITTEN_AT_ONCE
        ):
            last["packet"] += packet
            last["to_process"] += len(packet)
            return SUCCESS
        return super()._packet_queue(command, packet, mid, qos, info)

    def _handle_pubackcomp(self, cmd: Any) -> MQTTErrorCode:
        """Most acknowledgements are a number and little more (MQTT 5, 3.4.2): paho takes longest for what is not in them."""
        packet = bytes(self._in_packet["packet"])
        mid, words = int.from_bytes(packet[:2]), _WORDS.get(packet[2:])
        if cmd == "PUBACK" and len(packet) >= 2 and words is not None and mid in self._out_messages:
            return self._do_on_publish(mid, words, _NO_PROPERTIES)
        return super()._handle_pubackcomp(cmd)


class MqttLink:
    """To be used from the event loop alone.

    lost:         the reason, once the connection has ended; "" where paho knows none
    on_published: is given the number that `publish` gave, and the broker's word
    """

    def __init__(
        self,
        client: paho.Client,
        on_message: Callable[[paho.MQTTMessage], None],
        on_published: Callable[[int, ReasonCode], None],
    ) -> None:
        self._client, self._on_message, self._on_published = client, on_message, on_published
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._answered: asyncio.Future[ReasonCode | None] = self._loop.create_future()
        self._room = MAX_IN_FLIGHT
        self._handed_over = self._read = self._unwritten = 0
        # paho's number of a message → ours
        self._in_flight: dict[int, int] = {}
        self._waiting: deque[tuple[int, str, bytes, bool, int]] = deque()

    async def connect(self, host: str, port: int, keepalive_s: int, within_s: float, **session: Any) -> ReasonCode | None:
        """What the broker answers, None where it closes instead. Raises OSError where it is not reached, TimeoutError."""
        client = self._client
        # paho waits for the network here; it is told whom to call afterwards, as they belong to the event loop
        await asyncio.to_thread(client.connect, host, port, keepalive_s, **session)
        link: Any = client.socket()
        if link is None:
            return None
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_message, client.on_publish = self._came, self._acknowledged
        client.on_socket_register_write, client.on_socket_unregister_write = self._write_wanted, self._all_written
        client.on_socket_close = self._closing
        self._loop.add_reader(link.fileno(), self._readable, link)
        if client.want_write():
            client.loop_write()
        async with asyncio.timeout(within_s):
            return await self._answered

    async def tend(self) -> str:
        """Keep it alive until it is lost; the reason."""
        while not self.lost.done():
            await asyncio.wait({self.lost}, timeout=TENDED_S)
            # what has come while the event loop was busy counts as a sign of life
            self._read_all()
            self._client.loop_misc()
        return self.lost.result()

    def subscribe(self, topics: Sequence[tuple[str, Any]]) -> None:
        self._client.subscribe(list(topics))

    def unsubscribe(self, topic: str) -> None:
        self._client.unsubscribe(topic)

    def publish(self, topic: str, payload: bytes, retain: bool, qos: int) -> int | None:
        """A number by which `on_published` tells of it; None where the connection has ended."""
        if self.lost.done():
            return None
        number = self._handed_over + 1
        if self._waiting or len(self._in_flight) >= self._room:
            self._waiting.append((number, topic, payload, retain, qos))
        elif not self._send(number, topic, payload, retain, qos):
            return None
        self._handed_over = number
        return number

    def flush(self) -> None:
        """Write now what the network takes; what it does not take goes when it does."""
        self._unwritten = 0
        if self._client.want_write():
            self._client.loop_write()

    @property
    def unacknowledged(self) -> int:
        return len(self._in_flight) + len(self._waiting)

    def cut(self) -> None:
        """Break it without a word, as a network does."""
        link: Any = self._client.socket()
        if link is not None:
            with contextlib.suppress(OSError):  # broken already
                link.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Say goodbye, after all that has been sent; who does not take that for a second is left without."""
        try:
            self._client.disconnect()
            self._client.loop_write()
            if self._client.socket() is not None:
                await asyncio.wait({self.lost}, timeout=GOODBYE_S)
        finally:
            self.cut()
            # finds the end, and lets go of the socket
            self._client.loop_read()

    def _send(self, number: int, topic: str, payload: bytes, retain: bool, qos: int) -> bool:
        sent = self._client.publish(topic, payload, qos=qos, retain=retain)
        if sent.rc != SUCCESS:
            return False
        self._in_flight[sent.mid] = number
        self._unwritten += len(payload)
        if self._unwritten >= WRITTEN_AT_ONCE:
            self.flush()
        return True

    def _readable(self, link: Any) -> None:
        self._loop.remove_reader(link.fileno())
        self._loop.call_later(GATHERED_S, self._read_and_wait, link)

    def _read_and_wait(self, link: Any) -> None:
        self._read_all()
        # it may have been closed meanwhile
        if self._client.socket() is not None:
            self._loop.add_reader(link.fileno(), self._readable, link)

    def _read_all(self) -> None:
        begun = self._read
        while self._read - begun < READ_AT_ONCE:
            before = self._read
            self._client.loop_read()
            if self._read == before and not self._holds_some():
                break
        else:
            self._loop.call_soon(self._read_all)
        self._send_waiting()

    def _writable(self) -> None:
        self._client.loop_write()
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and len(self._in_flight) < self._room and self._send(*self._waiting[0]):
            self._waiting.popleft()

    def _holds_some(self) -> bool:
        link = self._client.socket()
        return isinstance(link, ReadAhead) and link.holds_some

    # -- paho's words

    def _write_wanted(self, _client: paho.Client, _userdata: Any, link: Any) -> None:
        self._loop.add_writer(link.fileno(), self._writable)

    def _all_written(self, _client: paho.Client, _userdata: Any, link: Any) -> None:
        self._loop.remove_writer(link.fileno())

    def _closing(self, _client: paho.Client, _userdata: Any, link: Any) -> None:
        self._loop.remove_reader(link.fileno())

    def _connected(self, _client: paho.Client, _userdata: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
        self._room = min(MAX_IN_FLIGHT, getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT))
        _settle(self._answered, code)

    def _disconnected(self, _client: paho.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        _settle(self._answered, None)
        # paho's word for a connection that just ended
        _settle(self.lost, "" if code.getName() == "Unspecified error" else str(code))

    def _came(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._read += 1
        self._on_message(message)

    def _acknowledged(self, _client: paho.Client, _userdata: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._read += 1
        number = self._in_flight.pop(mid, None)
        if number is not None:
            self._on_published(number, code)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)
