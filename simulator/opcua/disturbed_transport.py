"""A connection of the server that can fall silent or become slow while its socket stays open."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

POLL_S: Final = 0.05


class DisturbedTransport:
    """Stands between asyncua's message processor and the socket, and writes what it is given: later, or not yet.

    silent:  whether nothing may go out or come in now; what was to go out waits, in order
    delay_s: by how much everything that goes out is late [s]
    """

    def __init__(self, transport: asyncio.Transport, silent: Callable[[], bool], delay_s: Callable[[], float]) -> None:
        self._transport, self._silent, self._delay_s = transport, silent, delay_s
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._reading = True

    def write(self, data: bytes) -> None:
        delay_s = self._delay_s()
        if not self._waiting and delay_s == 0.0 and not self._silent():
            self._transport.write(data)
            return
        if not self._waiting:
            self._loop.call_later(min(delay_s or POLL_S, POLL_S), self._send)
        self._waiting.append((self._loop.time() + delay_s, bytes(data)))

    def listen(self) -> None:
        """Read from the socket or not, as it should be now: what the client sends waits in the kernel."""
        reads = not self._silent()
        if reads != self._reading and not self._transport.is_closing():
            self._reading = reads
            (self._transport.resume_reading if reads else self._transport.pause_reading)()

    def _send(self) -> None:
        if self._transport.is_closing():
            self._waiting.clear()
            return
        while self._waiting and not self._silent() and self._waiting[0][0] <= self._loop.time():
            self._transport.write(self._waiting.popleft()[1])
        if self._waiting:
            self._loop.call_later(POLL_S, self._send)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connections(list[Any]):
    """The connections of a server, of which each new one is told: asyncua keeps them in a list and tells nobody."""

    def __init__(self, made: Callable[[Any], None]) -> None:
        super().__init__()
        self._made = made

    def append(self, connection: Any) -> None:
        super().append(connection)
        self._made(connection)
