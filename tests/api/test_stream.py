"""The live stream: live, resumable, bounded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from api.arrivals import Result
from api.cursor import JournalCursor
from api.database import open_engine
from api.store import Batch, Store
from api.stream import EventStream, Wanted
from edge.formats.json_message import Identity
from tests.api.running_api import RunningApi, take
from tests.api.scripted_edge import ScriptedEdge, alarm, assessment


async def test_it_is_live_and_resumes_where_it_was_also_over_a_restart(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    async with api.stream() as one, api.stream() as two:
        scripted_edge.publish(assessment("pump-101", 0), alarm("pump-101", "alarm-1", 0))
        scripted_edge.publish_status()
        events = await take(one, 3)
        assert await take(two, 3) == events
    assert [event.kind for event in events] == ["assessment", "alarm", "status"]
    assert events[0].data.encode() == scripted_edge.entries[1][1]
    assert [event.event_id for event in events] == sorted({event.event_id for event in events})
    scripted_edge.publish(*(assessment("pump-101", second) for second in range(1, 5)))
    await api.until_contiguous(6)
    async with api.stream(events[0].event_id) as again:
        resumed = await take(again, 6)
    assert resumed[:2] == events[1:]
    assert [orjson.loads(event.data)["seq"] for event in resumed[2:]] == [3, 4, 5, 6]
    await api.stop()
    await api.start()
    async with api.stream(resumed[1].event_id) as after_restart:
        assert await take(after_restart, 4) == resumed[2:]


async def test_an_id_that_is_not_ours_gets_a_resync(api: RunningApi) -> None:
    async with api.stream(10**9) as events:
        (event,) = await take(events, 1)
    assert (event.kind, event.event_id) == ("resync", 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(open_engine(f"sqlite:///{tmp_path / 'api.sqlite'}"))


def more(store: Store, count: int) -> Batch:
    start = store.newest_event_id + 1
    results = [
        Result(
            identity=Identity(edge="e", journal="j", seq=seq),
            kind="assessment",
            asset="a",
            time=seq,
            state="normal",
            payload=b"{%d}" % seq,
        )
        for seq in range(start, start + count)
    ]
    return Batch(results=results, cursors={("e", "j"): JournalCursor(start + count - 1)})


async def test_a_slow_client_costs_nothing_and_is_caught_up_or_told_to_load_anew(store: Store) -> None:
    stream = EventStream(store, kept_bytes=2000, furthest_behind=1000)
    slow = stream.frames(None)
    assert (await anext(slow)).startswith(b": connected")
    stream.publish(store.write(more(store, 900)))
    assert sum(len(frame) for frame in stream._frames.values()) <= 2000
    caught_up = b"".join([await anext(slow) for _ in range(2)])
    assert [int(line[4:]) for line in caught_up.splitlines() if line.startswith(b"id: ")] == list(range(1, 901))
    stream.publish(store.write(more(store, 1001)))
    assert b"event: resync" in (frame := await anext(slow))
    assert b"id: 1901\n" in frame
    assert stream.resyncs == 1
    stream.publish(store.write(more(store, 1)))
    assert b"data: {1902}" in await anext(slow)
    waiting = asyncio.ensure_future(anext(slow, None))
    await asyncio.sleep(0)
    stream.close()
    assert await waiting is None
    assert stream.clients == 0
    store.close()


async def test_silence_is_broken_by_a_comment(store: Store) -> None:
    frames = EventStream(store, heartbeat_s=0.01).frames(None)
    await anext(frames)
    assert (await anext(frames)).startswith(b":")
    await frames.aclose()  # type: ignore[attr-defined]
    store.close()


async def test_clients_share_one_encoding(store: Store) -> None:
    stream = EventStream(store)
    clients = [stream.frames(None) for _ in range(3)]
    for client in clients:
        await anext(client)
    stream.publish(store.write(more(store, 1)))
    first, *others = [await anext(client) for client in clients]
    assert first == b"event: assessment\ndata: {1}\nid: 1\n\n"
    assert all(frame == first for frame in others)
    for client in clients:
        await client.aclose()  # type: ignore[attr-defined]
    store.close()


def mixed(store: Store, count: int) -> Batch:
    """Of two machines in turn, every fifth an alarm."""
    batch = more(store, count)
    results = []
    for each in batch.results:
        alarmed = {"kind": "alarm", "subject": "x"} if each.identity.seq % 5 == 0 else {}
        results.append(replace(each, asset="ab"[each.identity.seq % 2], **alarmed))
    return replace(batch, results=results)


@pytest.mark.parametrize("kept_bytes", [1_000_000, 200])
async def test_a_client_gets_what_it_wants_and_resumes_there(store: Store, kept_bytes: int) -> None:
    stream = EventStream(store, kept_bytes=kept_bytes, heartbeat_s=0.01)
    wanted = Wanted(assets=frozenset("a"), kinds=frozenset({"alarm"}))
    frames = stream.frames(None, wanted)
    await anext(frames)
    stream.publish(store.write(mixed(store, 43)))
    told = b""
    while b"id: 43\n" not in told:
        told += await anext(frames)
    numbers = [int(line[4:]) for line in told.splitlines() if line.startswith(b"id: ")]
    # what it has not wanted it has seen, too: it goes on from there
    assert numbers == [10, 20, 30, 40, 43]
    assert told.count(b"event: alarm") == 4
    assert b"event: assessment" not in told
    await frames.aclose()  # type: ignore[attr-defined]
    store.close()


async def test_the_address_says_what_is_wanted(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    assert (await api.client.get("/api/v1/stream?asset=pump-9")).status_code == 404
    assert (await api.client.get("/api/v1/stream?event=weather")).status_code == 422
    await api.until_connected()
    async with api.client.stream("GET", "/api/v1/stream?asset=pump-101&event=alarm") as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        scripted_edge.publish(assessment("pump-101", 0))
        scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
        async with asyncio.timeout(20):
            told = [line async for line in until_id(lines)]
    assert "event: alarm" in told
    assert "event: assessment" not in told


async def until_id(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith("event: "):
            return
