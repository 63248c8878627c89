"""What a value over OPC UA costs, from the socket to the published assessment, against a bare asyncua client."""

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from edge.formats.sample_log import read_log
from tests.bench.opcua_source import PAST_S
from tests.bench.plants import N_SIGNALS, S, model_file, opcua_plant
from tests.bench.processes import BenchError, Edge, Running, broker, ended, free_port, python
from tests.bench.table import Row

N_ASSETS: Final = 625
QUEUE: Final = 20
MEASURED_S: Final = 8.0
TURNS: Final = 2
BARE_HZ, EDGE_HZ = 2.0, 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """us: CPU of a value; memory_mb: resident; first_s: from the start until the source wrote the first notification"""

    us: float
    rate: float
    memory_mb: float
    first_s: float


@contextmanager
def served(n_nodes: int, rate_hz: float, kind: str) -> Iterator[tuple[str, Running]]:
    """A source on a port of its own, bound to the first core; its address."""
    port = free_port()
    with python("tests.bench.opcua_source", port, n_nodes, rate_hz, kind, QUEUE, cpu=0) as source:
        if source.line() != "ready":
            raise BenchError("the OPC UA source does not start")
        yield f"opc.tcp://127.0.0.1:{port}/", source


def bare(kind: str, how: str, n_nodes: int, rate_hz: float) -> float:
    """µs of CPU of a value in an asyncua client that does nothing with it."""
    with served(n_nodes, rate_hz, kind) as (url, source):
        with python("tests.bench.bare_opcua", url, n_nodes, how, MEASURED_S, cpu=1) as client:
            found = json.loads(client.line())
        if dropped := ended(source)["dropped"]:
            raise BenchError(f"the bare client lost {dropped} values at {n_nodes * rate_hz:,.0f}/s")
    return 1e6 * float(found["cpu_s"]) / float(found["values"])


def whole_edge(kind: str, n_assets: int, rate_hz: float, field: str = "", n_edges: int = 1) -> Measured:
    """Real edges: in, grid, window, score, record, publish. Raises `BenchError` where a value was lost.

    n_edges: on one core, each with `n_assets` of its own of the same source and broker; the figure is that of a value of any
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        url, source = stack.enter_context(served(n_assets * N_SIGNALS, rate_hz, kind))
        address = broker(stack, folder)
        edges = [_started(stack, folder / f"edge-{n + 1}", url, address, n_assets, n, field) for n in range(n_edges)]
        edges[0].wait_for("samples", lambda: edges[0].samples, 1.0)
        for edge in edges:
            edge.wait_for_scores(n_assets)
        cpu_s, wall = sum(edge.cpu_s() for edge in edges), time.monotonic()
        time.sleep(MEASURED_S)
        # asking the edge for its figures, which are a second old, is not what it is there for: that all came is seen below
        cpu_s, wall = sum(edge.cpu_s() for edge in edges) - cpu_s, time.monotonic() - wall
        values = n_edges * n_assets * N_SIGNALS * rate_hz * wall
        memory_mb = max(edge.memory_mb() for edge in edges)
        if rejected := sum(edge.sum_of("kullager_source_rejected_total") for edge in edges):
            raise BenchError(f"the edge refused {rejected:,.0f} of what came")
        for edge in edges:
            edge.end()
        told = ended(source)
        check_source(told, f"at {values / wall:,.0f} values/s", n_edges)
        for edge in edges:
            # the source counts in whole microseconds
            _check_sequence(edge.home, n_assets * N_SIGNALS, round(1e6 / rate_hz) * 1000)
    # its metrics tell of it up to a second later
    first_s = told["taken"][0][1] - edges[0].begun
    return Measured(1e6 * cpu_s / values, values / wall, memory_mb, first_s)


def _started(stack: ExitStack, folder: Path, url: str, address: str, n_assets: int, number: int, field: str) -> Edge:
    """An edge with the assets that follow those of the edges before it."""
    metrics, name = f"127.0.0.1:{free_port()}", f"edge-{number + 1}"
    folder.mkdir()
    path = folder / "plant.toml"
    plant = opcua_plant(path, n_assets, url, address, metrics, field=field, first=number * n_assets, edge=name)
    (folder / "models").mkdir()
    shutil.copy(model_file(), folder / "models" / "press.onnx")
    return stack.enter_context(Edge(plant, folder, metrics))


def check_source(told: dict[str, Any], when: str, n_edges: int = 1) -> None:
    """The source sends all to each subscription: another one means that a connection was lost, and what was sent meanwhile."""
    if more := told["subscriptions"] - n_edges:
        raise BenchError(f"a connection was lost {more} times {when}, as the machine was too busy to answer within 5 s")
    if told["dropped"]:
        raise BenchError(f"the edge came too late for {told['dropped']:,.0f} values {when}")


def _check_sequence(home: Path, n_signals: int, period_ns: int) -> None:
    """Of each signal each value is in the recording, after the last minute that came at once."""
    batches = [batch for path in (home / "edge" / "recordings").glob("*.klog") for batch in read_log(path).batches]
    signal, times = np.concatenate([each.signal for each in batches]), np.concatenate([each.time for each in batches])
    order = np.lexsort((times, signal))
    signal, times = signal[order], times[order]
    apart, same = np.diff(times), np.diff(signal) == 0
    missing = int((same & (apart != period_ns) & (apart != S)).sum())
    if period_ns != S:
        # so far apart are those of the last minute, and the first after it; at 2 Hz one that was lost leaves such a gap, too
        whole = np.bincount(signal[1:][same & (apart == S)], minlength=1)
        missing += int(np.maximum(whole - PAST_S, 0).sum())
    if missing or len(np.unique(signal)) != n_signals or (np.bincount(signal) <= PAST_S).any():
        raise BenchError(f"the recording has {missing:,} gaps between values that were sent one after the other")


def rows() -> Iterator[Row]:
    n_nodes = N_ASSETS * N_SIGNALS
    ours, handler, messages = [], [], []
    for _ in range(TURNS):
        handler.append(bare("double", "handler", n_nodes, BARE_HZ))
        if not messages:
            # a floor, and no peer: once is enough
            messages.append(bare("double", "messages", n_nodes, BARE_HZ))
        ours.append(whole_edge("double", N_ASSETS, EDGE_HZ))
    median = statistics.median
    yield Row(
        what=f"CPU per OPC UA value, whole edge, {n_nodes:,} doubles at {n_nodes * EDGE_HZ / 1000:.0f}k/s",
        unit="µs",
        ours=median(each.us for each in ours),
        floor=f"asyncua's decoding alone {median(messages):.3g}",
        peer="bare asyncua client with a handler",
        peer_value=median(handler),
        at_most=1.0,
        note=f"{N_ASSETS} assets scored each second, {ours[0].memory_mb:.0f} MB",
    )
    yield Row(
        what=f"start to the first notification with {n_nodes:,} values",
        unit="s",
        ours=median(each.first_s for each in ours),
        floor="creating the monitored items 0.1–0.35",
        at_most=3.0,
    )
    # once, as they are far from their peer; fewer of arrays, as those of the last minute come at once
    for kind, field, what, n_assets in (
        ("mixed", "", "floats, booleans and integers in turn", N_ASSETS),
        ("array", "0", "an element of an array", N_ASSETS // 5),
    ):
        n_nodes = n_assets * N_SIGNALS
        theirs, mine = bare(kind, "handler", n_nodes, BARE_HZ), whole_edge(kind, n_assets, BARE_HZ, field).us
        yield Row(
            what=f"the same, {what}, at {n_nodes * BARE_HZ / 1000:.0f}k/s",
            unit="µs",
            ours=mine,
            peer="bare asyncua client with a handler",
            peer_value=theirs,
            ratio_at_most=1.0,
        )


def rate_rows() -> Iterator[Row]:
    """The highest rate of those that were tried at which nothing was lost, the edge on one core."""
    best, why = 0.0, ""
    for rate_hz in (25.0, 20.0, 16.0):
        try:
            best = whole_edge("double", N_ASSETS, rate_hz).rate
            break
        except BenchError as error:
            why = str(error)
    yield Row(
        what="OPC UA values without loss, whole edge on one core",
        unit="/s",
        ours=best or None,
        floor="asyncua's client 50–60k",
        at_least=80_000.0 * 0.99,
        note="by the times in the recording" + (f"; above it {why}" if why and best else ""),
        why=why,
    )


def pair_rows() -> Iterator[Row]:
    """Two edges that share a plant by asset, at twice the load: both on one core, the source and the broker on the other."""
    alone, both = whole_edge("double", N_ASSETS, EDGE_HZ), whole_edge("double", N_ASSETS, EDGE_HZ, n_edges=2)
    yield Row(
        what=f"CPU per OPC UA value, two edges that share a plant by asset, {both.rate / 1000:.0f}k values/s in all",
        unit="µs",
        ours=both.us,
        peer="one edge with half of it",
        peer_value=alone.us,
        ratio_at_most=1.15,
        note="nothing lost in either",
    )
