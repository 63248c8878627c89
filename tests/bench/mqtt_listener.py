"""Takes what a broker sends and looks at none of it before the end: so a burst is timed, and not who reads it.

MQTT 3.1.1 by hand, two packets to send and one to read: a client that makes an object of each message takes longer for a
thousand of them than the edge does.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Self

# bits of the first byte of a packet (3.1.1, 2.2)
_CONNECT, _SUBSCRIBE, _PUBLISH, _RETAINED, _QOS = 0x10, 0x82, 0x30, 0x01, 0x06


class Listener:
    """Subscribed to one filter at QoS 0 as long as the `with` block."""

    def __init__(self, url: str, wanted: str) -> None:
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10.0)
        self._socket.sendall(_packet(_CONNECT, _text("MQTT") + bytes([4, 2, 0, 0]) + _text("")))
        self._socket.sendall(_packet(_SUBSCRIBE, struct.pack(">H", 1) + _text(wanted) + b"\x00"))
        self._socket.settimeout(None)
        self._came: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while content := self._socket.recv(1 << 20):
            self._came.append((time.time(), content))

    def messages(self) -> Iterator[tuple[float, bytes]]:
        """When each message was there whole [s since 1970], and what it says; those that were kept from before are left out."""
        waiting = b""
        for moment, content in self._came:
            waiting += content
            at = 0
            while (found := _header(waiting, at)) is not None and found[1] <= len(waiting):
                begin, end = found
                if waiting[at] & 0xF0 == _PUBLISH and not waiting[at] & (_RETAINED | _QOS):
                    (length,) = struct.unpack_from(">H", waiting, begin)
                    yield moment, waiting[begin + 2 + length : end]
                at = end
            waiting = waiting[at:]


def _text(content: str) -> bytes:
    return struct.pack(">H", len(content.encode())) + content.encode()


def _packet(kind: int, body: bytes) -> bytes:
    # what is sent here is shorter than 128 bytes
    return bytes([kind, len(body)]) + body


def _header(content: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet that begins at `at` begins and ends; None where not even that has come."""
    length = 0
    for place in range(1, 5):
        if at + place >= len(content):
            return None
        length |= (content[at + place] & 0x7F) << 7 * (place - 1)
        if not content[at + place] & 0x80:
            return at + place + 1, at + place + 1 + length
    return None
