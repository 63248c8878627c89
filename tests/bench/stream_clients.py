"""`python -m tests.bench.stream_clients PORT BROKER PLANT CLIENTS EVENTS RATE`: many readers of the api's stream, one process.

It publishes assessments as an edge would, and measures for each reader what came, in which order, and how long after it was
published. Prints `ready` when all are connected, and at the end what was found as JSON.
"""

import asyncio
import json
import re
import sys
import time
import uuid
from pathlib import Path
from typing import Final

from edge.contracts.assessment import Assessment, State
from edge.contracts.plant_file import load_plant
from edge.formats.json_message import Identity, encode
from edge.mqtt_connection import Connected, MqttConnection

SEQ: Final = re.compile(rb'"seq":(\d+),')
LIMIT_S: Final = 120.0
REQUEST: Final = b"GET /api/v1/stream?event=assessment HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


class Reader(asyncio.Protocol):
    """One reader: as little work as can be, since all of them share a core."""

    def __init__(self, sent: list[float], lags: list[float], heard: asyncio.Event) -> None:
        self.next, self.wrong, self.head = 1, 0, b""
        self.begun = asyncio.get_running_loop().create_future()
        self._sent, self._lags, self._heard = sent, lags, heard
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.begun.done():
            self.head += data
            if b": connected" in self.head:
                self.begun.set_result(self.head.startswith(b"HTTP/1.1 200"))
        whole, cut, self._rest = (self._rest + data).rpartition(b"\n\n")
        for found in SEQ.finditer(whole if cut else b""):
            seq = int(found[1])
            self.wrong += seq != self.next
            self.next = seq + 1
            self._lags.append(now - self._sent[seq])
        if self.next == len(self._sent):
            self._heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_result(False)


async def run(port: int, broker: str, plant_file: Path, n_clients: int, n_events: int, rate_hz: float) -> None:
    topics = load_plant(plant_file, {}).topics
    sent, lags, journal = [0.0] * (n_events + 1), list[float](), str(uuid.uuid4())
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    ends: list[asyncio.Event] = []
    for _ in range(n_clients):
        ends.append(asyncio.Event())
        _, reader = await loop.create_connection(lambda: Reader(sent, lags, ends[-1]), "127.0.0.1", port)
        readers.append(reader)
    admitted = await asyncio.gather(*(reader.begun for reader in readers))
    assert all(admitted), f"{admitted.count(False)} of {n_clients} streams were refused"
    async with MqttConnection(url=broker, client_id="bench-edge") as connection:
        async for event in connection:
            if isinstance(event, Connected):
                break
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begun = loop.time()
        for seq in range(1, n_events + 1):
            await asyncio.sleep(max(0.0, begun + seq / rate_hz - loop.time()))
            payload = encode(example(seq), Identity(edge="edge-1", journal=journal, seq=seq))
            sent[seq] = time.monotonic()
            connection.publish(topics.assessment("pump-101"), payload, retain=True)
        try:
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(*(end.wait() for end in ends))
        except TimeoutError:
            pass
    ordered = sorted(lags)
    found = {
        "came": len(lags),
        "wrong": sum(reader.wrong for reader in readers),
        "p50_s": ordered[len(ordered) // 2] if ordered else None,
        "p99_s": ordered[len(ordered) * 99 // 100] if ordered else None,
        "max_s": ordered[-1] if ordered else None,
    }
    print(json.dumps(found), flush=True)


def example(seq: int) -> Assessment:
    """One of a usual size: eight signals."""
    signals = {f"signal_{number}": 0.125 * number + seq % 7 for number in range(8)}
    return Assessment(
        asset="pump-101",
        time=time.time_ns(),
        state=State.NORMAL,
        score=0.25,
        contribution=signals,
        measured=dict(signals),
        expected=signals,
        coverage=1.0,
        health=0.9,
    )


if __name__ == "__main__":
    port, broker, plant, clients, events, rate = sys.argv[1:]
    asyncio.run(run(int(port), broker, Path(plant), int(clients), int(events), float(rate)))
