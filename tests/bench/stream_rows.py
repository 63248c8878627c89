"""What the api's stream costs with 500 readers, and how long its answers about a long history take."""

import json
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from api.database import open_engine
from api.store import Store
from edge.formats.json_message import Identity, encode, format_time
from tests.bench.processes import ROOT, BenchError, Running, broker, free_port, python, wait_for_port
from tests.bench.stream_clients import example
from tests.bench.table import Row

PLANT: Final = ROOT / "tests/cases/pump/plant.toml"
N_CLIENTS: Final = 500
N_EVENTS: Final = 300
RATE_HZ: Final = 10.0
# a month, one every four seconds
N_HISTORY: Final = 648_000
EVERY_NS: Final = 4_000_000_000
START: Final = 1_795_428_000_000_000_000
DAY_NS: Final = 86_400_000_000_000


def api(folder: Path, port: int, broker_url: str) -> Running:
    """A real api on a core of its own."""
    environment = {
        "KULLAGER_HOME": str(folder),
        "KULLAGER_SOURCE_BROKER_URL": broker_url,
        "KULLAGER_API_STREAMS": "0",
        "KULLAGER_API_READS": "0",
        "KULLAGER_API_KEEP_DAYS": "0",
    }
    return python("api", "run", "--plant", PLANT, "--port", port, cpu=1, environment=environment)


def rows() -> Iterator[Row]:
    yield from _stream_rows()
    yield from _history_rows()


def _stream_rows() -> Iterator[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        url, port = broker(stack, folder), free_port()
        process = stack.enter_context(api(folder, port, url))
        wait_for_port(port)
        arguments = (port, url, PLANT, N_CLIENTS, N_EVENTS, RATE_HZ)
        clients = stack.enter_context(python("tests.bench.stream_clients", *arguments, cpu=0))
        if clients.line() != "ready":
            raise BenchError("the readers are not connected")
        idle = process.cpu_s()
        clients.go()
        found = json.loads(clients.line())
        used, memory = process.cpu_s() - idle, process.memory_mb()
    expected = N_CLIENTS * N_EVENTS
    if found["came"] != expected or found["wrong"]:
        raise BenchError(f"{found['came']:,} of {expected:,} events came, {found['wrong']} of them not in order")
    what = f"{N_CLIENTS} readers of the stream, {RATE_HZ:g} events/s, nothing lost"
    yield Row(
        what=f"{what}: from publishing to the reader, 99 of 100 within",
        unit="s",
        ours=found["p99_s"],
        at_most=1.0,
        note=f"half of them within {found['p50_s']:.3f} s, all within {found['max_s']:.3f} s; {memory:.0f} MB",
    )
    yield Row(
        what=f"{what}: CPU per event and reader",
        unit="µs",
        ours=1e6 * used / expected,
        floor="20, uvicorn with ready bytes",
        at_most=60.0,
        note="storing and encoding the event included",
    )


def _history_rows() -> Iterator[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        fill(folder / "api" / "api.sqlite")
        port = free_port()
        begun = time.monotonic()
        stack.enter_context(api(folder, port, "mqtt://127.0.0.1:9"))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60.0))
        wait_for_port(port)
        client.get("/status")
        first = time.monotonic() - begun
        yield Row(
            what=f"the first answer of an api whose {N_HISTORY:,} assessments have no summaries yet",
            unit="s",
            ours=first,
            at_most=15.0,
            note="starting the process included",
        )
        yield from _answers(client, "while they are being made", days=(1,))
        while client.get("/status").json()["database"]["summarised"] < 1.0:
            time.sleep(0.5)
        yield Row(what="until all of them are there, beside the answers", unit="s", ours=time.monotonic() - begun)
        yield from _answers(client, "with summaries", days=(1, 7, 30))


def _answers(client: httpx.Client, when: str, days: tuple[int, ...]) -> Iterator[Row]:
    last = START + (N_HISTORY - 1) * EVERY_NS
    for span in days:
        took = []
        for turn in range(5):
            to = last - turn * EVERY_NS
            asked = {"from": format_time(to - span * DAY_NS + EVERY_NS), "to": format_time(to), "points": "1000"}
            begun = time.monotonic()
            answer = client.get("/assets/pump-101/assessments", params=asked)
            took.append(time.monotonic() - begun)
            if answer.status_code != 200 or not answer.json()["items"]:
                raise BenchError(f"the history of {span} days: {answer.status_code}: {answer.text[:200]}")
        yield Row(what=f"a history of {span} days as 1,000 points, {when}", unit="s", ours=statistics.median(took), at_most=1.0)


def fill(file: Path) -> None:
    """A database as an older version would have left it: results, and nothing that summarises them."""
    file.parent.mkdir(parents=True)
    Store(open_engine(f"sqlite:///{file}")).close()
    body = encode(example(1), Identity(edge="edge-1", journal="j", seq=1))
    values = (
        (seq, 1, seq, "assessment", "pump-101", None, START + (seq - 1) * EVERY_NS, "normal", seq % 89 / 50, body)
        for seq in range(1, N_HISTORY + 1)
    )
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("drop table summaries")
        connection.execute("insert into journals values (1, 'edge-1', 'j', ?, ?)", (N_HISTORY, N_HISTORY))
        connection.executemany("insert into results values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.commit()
