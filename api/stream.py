"""The live stream: the newest events, encoded once for all clients, and a cursor per client.

A client is a number: the last event it was given. One that falls behind the events kept here is caught up from the
store; one that is too far behind for that is told to load anew (`event: resync`). So no client can make us keep
anything for it, and resuming after a reconnection is the same thing as being slow.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.store import Event, Store

HEARTBEAT_S: Final = 15.0
KEPT_BYTES: Final = 16 * 1024 * 1024
AT_ONCE: Final = 500
FURTHEST_BEHIND: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client wants: of these machines and kinds; all of them where none is named. What concerns no machine is wanted of
    every machine.

    >>> Wanted(assets=frozenset({"pump-101"})).takes("alarm", "pump-102")
    False
    """

    assets: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    @property
    def is_all(self) -> bool:
        return not self.assets and not self.kinds

    def takes(self, kind: str, asset: str) -> bool:
        return (not self.kinds or kind in self.kinds) and (not self.assets or not asset or asset in self.assets)


ALL: Final = Wanted()


class EventStream:
    """`publish` gives it events in the order of their ids, without holes; `frames` is what one client gets."""

    def __init__(
        self,
        store: Store,
        *,
        kept_bytes: int = KEPT_BYTES,
        furthest_behind: int = FURTHEST_BEHIND,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.clients = 0
        # how many of them are at each address
        self.addresses: Counter[str] = Counter()
        self.resyncs = 0
        self._store = store
        self._newest = store.newest_event_id
        self._frames: dict[int, bytes] = {}
        # of each frame that is kept its kind and machine
        self._about: dict[int, tuple[str, str]] = {}
        self._size = 0
        self._kept_bytes, self._furthest_behind, self._heartbeat_s = kept_bytes, furthest_behind, heartbeat_s
        self._news = asyncio.Event()
        # one for all clients: a timer of each would cost as much as the event that it waits for
        self._beat: asyncio.TimerHandle | None = None
        self._closed = False

    def publish(self, events: Iterable[Event]) -> None:
        before = self._newest
        for event in events:
            frame = self._frames[event.event_id] = _frame(event)
            self._about[event.event_id] = event.kind, event.asset
            self._size += len(frame)
            self._newest = event.event_id
        while self._size > self._kept_bytes:
            oldest = next(iter(self._frames))
            self._size -= len(self._frames.pop(oldest))
            del self._about[oldest]
        if self._newest != before:
            self._wake()

    def close(self) -> None:
        """Let every client's stream end, so that a stop of the server does not wait for them."""
        self._closed = True
        self._wake()

    async def frames(self, last_event_id: int | None, wanted: Wanted = ALL, address: str = "") -> AsyncIterator[bytes]:
        """What a client gets that has seen everything up to `last_event_id`, or that begins now (None).

        One that wants little is told from time to time how far it is, so that it can resume from there.
        """
        at = told = self._newest if last_event_id is None else last_event_id
        loop = asyncio.get_running_loop()
        spoken = loop.time()
        self.clients += 1
        self.addresses[address] += 1
        if self._beat is None:
            self._beat = loop.call_later(self._heartbeat_s, self._wake)
        try:
            # the headers and a first line leave at once, so that a browser knows that it is connected
            yield format_sse_event(comment="connected", retry=2000)
            while not self._closed:
                news = self._news
                if at != told and loop.time() - spoken >= self._heartbeat_s:
                    yield f"id: {at}\n\n".encode()
                    told, spoken = at, loop.time()
                if at == self._newest:
                    await news.wait()
                    if at == self._newest and not self._closed:
                        yield KEEPALIVE_COMMENT
                elif at + 1 in self._frames:
                    last = min(self._newest, at + AT_ONCE)
                    some = range(at + 1, last + 1)
                    at = last
                    found = [each for each in some if wanted.is_all or wanted.takes(*self._about[each])]
                    if found:
                        told, spoken = found[-1], loop.time()
                        yield b"".join(self._frames[each] for each in found)
                elif 0 <= self._newest - at <= self._furthest_behind:
                    newest = self._newest
                    events = await asyncio.to_thread(self._store.events_after, at, AT_ONCE)
                    # what is stored but not published yet comes by the other way
                    events = [event for event in events if event.event_id <= newest]
                    # statuses that were replaced leave holes: fewer than asked for means that there are no more
                    at = events[-1].event_id if len(events) == AT_ONCE else newest
                    events = [event for event in events if wanted.takes(event.kind, event.asset)]
                    if events:
                        told, spoken = events[-1].event_id, loop.time()
                        yield b"".join(_frame(event) for event in events)
                else:
                    at = self._newest
                    self.resyncs += 1
                    reason = b'{"reason":"too far behind to be caught up: load everything anew"}'
                    yield _frame(Event(event_id=at, kind="resync", message=reason))
                    told, spoken = at, loop.time()
        finally:
            self.clients -= 1
            self.addresses[address] -= 1
            if not self.addresses[address]:
                del self.addresses[address]
            if not self.clients and self._beat is not None:
                self._beat.cancel()
                self._beat = None

    def _wake(self) -> None:
        """Let every client look: for what is new, or after a while without anything for a sign of life."""
        self._news.set()
        self._news = asyncio.Event()
        if self._beat is not None:
            self._beat.cancel()
            self._beat = asyncio.get_running_loop().call_later(self._heartbeat_s, self._wake) if self.clients else None


def _frame(event: Event) -> bytes:
    return format_sse_event(data_str=event.message.decode(), event=event.kind, id=str(event.event_id))
