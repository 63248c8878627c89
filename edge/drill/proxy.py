"""A cable that can be made to fail: a TCP proxy on loopback in front of a server or a broker.

Packets cannot be lost on loopback; what TCP makes of a loss can: the data behind it wait for a retransmission. So `LOSSY` holds
a piece back for a retransmission timeout with the probability of a loss, twice as long when it is lost again.
"""

import asyncio
import contextlib
import random
from enum import Enum
from types import TracebackType
from typing import Final, Self

RETRANSMISSION_S: Final = 0.2
LOSS: Final = 0.05
PIECE: Final = 1448
DRIP_S: Final = 0.02
DRIP_BYTES: Final = 16


class Cable(Enum):
    """What the cable does with what goes through it."""

    SOUND = "sound"
    REFUSED = "no connection is taken"
    HALF_OPEN = "connections stand, and nothing comes any more"
    CUT_SHORT = "each answer is cut off in its middle, and the connection with it"
    DRIPPING = "sixteen bytes every 20 ms"
    LOSSY = "5 % packet loss"


class Proxy:
    """`port` is where the edge connects; `target` is where the real one listens. Use as an asynchronous context."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.state = Cable.SOUND
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(1)  # noqa: S311  # loses packets, guards nothing

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def become(self, state: Cable) -> None:
        """From now on the cable does this; what is connected stays, where it can."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Break all connections without a word."""
        for writer in self._open:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.state is Cable.REFUSED:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        pair = writer, far_writer
        for source, target, answers in ((reader, far_writer, False), (far_reader, writer, True)):
            task = asyncio.create_task(self._carry(source, target, pair, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        answers: bool,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(PIECE if self.state is Cable.LOSSY else 1 << 16):
                while self.state is Cable.HALF_OPEN:
                    await self._changed.wait()
                match self.state:
                    case Cable.CUT_SHORT if answers and len(data) > 1:
                        target.write(data[: len(data) // 2])
                        await target.drain()
                        break
                    case Cable.DRIPPING if answers:
                        for start in range(0, len(data), DRIP_BYTES):
                            target.write(data[start : start + DRIP_BYTES])
                            await asyncio.sleep(DRIP_S if self.state is Cable.DRIPPING else 0)
                    case Cable.LOSSY:
                        wait = RETRANSMISSION_S
                        while self._random.random() < LOSS:
                            await asyncio.sleep(wait)
                            wait *= 2
                        target.write(data)
                    case _:
                        target.write(data)
                await target.drain()
        for writer in pair:
            writer.transport.abort()
            self._open.discard(writer)
