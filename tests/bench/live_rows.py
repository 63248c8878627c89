"""A whole edge at 1 Hz for each signal: its share of a core, its latency, its memory; and how soon it is there."""

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edge.formats.json_message import parse_time
from tests.bench.mqtt_listener import Listener
from tests.bench.opcua_rows import check_source, served
from tests.bench.plants import N_SIGNALS, model_file, opcua_plant
from tests.bench.processes import BenchError, Edge, broker, ended, free_port
from tests.bench.table import Row

SIZES: Final = (10, 100, 1000)
MEASURED_S: Final = 15.0
LATENESS_S: Final = 0.5


def live(n_assets: int, *, measured_s: float = MEASURED_S) -> dict[str, float]:
    """CPU share of a core, memory [MB], and how late assessments come to a subscriber [ms]."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        url, source = stack.enter_context(served(n_assets * N_SIGNALS, 1.0, "double"))
        metrics, address = f"127.0.0.1:{free_port()}", broker(stack, folder)
        plant = opcua_plant(folder / "plant.toml", n_assets, url, address, metrics)
        home = folder / "home"
        (home / "models").mkdir(parents=True)
        shutil.copy(model_file(), home / "models" / "press.onnx")
        edge = stack.enter_context(Edge(plant, home, metrics))
        edge.wait_for("samples", lambda: edge.samples, 1.0)
        edge.wait_for_scores(n_assets)
        values = edge.samples
        with Listener(address, "kullager/+/+/+/+/assets/+/assessment") as listener:
            begun, cpu_s = time.monotonic(), edge.cpu_s()
            time.sleep(measured_s)
            # asking the edge for its figures is not what it is there for
            share = (edge.cpu_s() - cpu_s) / (time.monotonic() - begun)
        values = edge.samples - values
        memory_mb = edge.memory_mb()
        edge.end()
        told = ended(source)
    check_source(told, f"with {n_assets:,} assets")
    late = _late(listener, told["taken"])
    if abs(values - measured_s * n_assets * N_SIGNALS) > 2 * n_assets * N_SIGNALS:
        raise BenchError(f"{values:,.0f} values came, and {measured_s * n_assets * N_SIGNALS:,.0f} were sent")
    if abs(len(late) - measured_s * n_assets) > 2 * n_assets:
        raise BenchError(f"{len(late):,} assessments came, and {measured_s * n_assets:,.0f} were due")
    return {
        "share": share,
        "memory_mb": memory_mb,
        "p50_ms": 1000 * float(np.percentile(late, 50)),
        "p99_ms": 1000 * float(np.percentile(late, 99)),
    }


def _late(listener: Listener, taken: list[tuple[int, float]]) -> NDArray[np.float64]:
    """Of each assessment that came [s]: from when the source began to write what closed its instant until it was there.

    taken: of each notification the time of its newest values [us UTC], and when it was begun [s since 1970]
    """
    newest, begun = np.array([time for time, _ in taken]), np.array([moment for _, moment in taken])
    came = [(moment, parse_time(orjson.loads(body)["time"])) for moment, body in listener.messages()]
    moments, instants = np.array([moment for moment, _ in came]), np.array([time for _, time in came], np.int64)
    closing = np.searchsorted(newest, instants // 1000 + round(LATENESS_S * 1e6), "right")
    return np.asarray(moments - begun[closing])


def rows() -> Iterator[Row]:
    found = {size: live(size) for size in SIZES}
    most = found[SIZES[-1]]
    size = f"{SIZES[-1]:,} assets × {N_SIGNALS} signals at 1 Hz, live"
    yield Row(what=size, unit="% of a core", ours=100 * most["share"], at_most=15.0)
    yield Row(
        what=f"{size}: from the notification that closes an instant to the assessment at a subscriber, 99 of 100 within",
        unit="ms",
        ours=most["p99_ms"],
        floor="1,000 acknowledgements at QoS 1 with bare paho 70–97",
        at_most=50.0,
        note=f"half of them within {most['p50_ms']:.0f} ms; the source's writing and the broker are in it",
    )
    yield Row(what=f"{size}: memory", unit="MB", ours=most["memory_mb"], at_most=300.0)
    for small, large in pairwise(SIZES):
        yield Row(
            what=f"CPU of an asset and second, {large:,} assets",
            unit="µs",
            ours=1e6 * found[large]["share"] / large,
            peer=f"with {small}",
            peer_value=1e6 * found[small]["share"] / small,
            ratio_at_most=1.0,
        )


def start_rows() -> Iterator[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        metrics, memory = f"127.0.0.1:{free_port()}", []
        plant = opcua_plant(folder / "plant.toml", 1, f"opc.tcp://127.0.0.1:{free_port()}/", broker(stack, folder), metrics)
        for turn in range(3):
            with Edge(plant, folder / f"home-{turn}", metrics) as edge:
                edge.wait_for("metrics", lambda: float(bool(edge.metrics())), 1.0)
                time.sleep(3)
                memory.append(edge.memory_mb())
                edge.end()
    yield Row(what="memory of an idle edge, one asset", unit="MB", ours=statistics.median(memory), at_most=120.0)
