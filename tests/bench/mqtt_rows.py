"""What a message over MQTT costs until its values are columns, against bare paho, and what a value of a batch does."""

import json
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.processes import BenchError, broker, python
from tests.bench.table import Row

N_TOPICS: Final = 100
TURNS: Final = 3


def received(how: str, n_messages: int, rate_hz: float, batch: int) -> float:
    """µs of CPU of a message (`bare`) or a value (`edge`)."""
    with ExitStack() as stack:
        url = broker(stack, Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-"))))
        expected = n_messages if how == "bare" else n_messages * batch
        client = stack.enter_context(python("tests.bench.mqtt_client", url, how, N_TOPICS, expected, cpu=1))
        if client.line() != "ready":
            raise BenchError("the MQTT client does not start")
        stack.enter_context(python("tests.bench.mqtt_source", url, N_TOPICS, n_messages, rate_hz, batch, cpu=0))
        found = json.loads(client.line())
    if not found["whole"]:
        raise BenchError(f"{found['units']:,} of {expected:,} came, or not in order")
    return 1e6 * float(found["cpu_s"]) / float(found["units"])


def rows() -> Iterator[Row]:
    bare, ours = [], []
    for _ in range(TURNS):
        bare.append(received("bare", 10_000, 2000.0, 1))
        ours.append(received("edge", 10_000, 2000.0, 1))
    yield Row(
        what="CPU per MQTT message with one value, QoS 1, 2,000 messages/s",
        unit="µs",
        ours=statistics.median(ours),
        peer="bare paho",
        peer_value=statistics.median(bare),
        ratio_at_most=1.3,
        note="from the socket to batches of samples",
    )
    bare, ours = [], []
    for _ in range(TURNS):
        bare.append(received("bare", 1500, 300.0, 100) / 100)
        ours.append(received("edge", 1500, 300.0, 100))
    yield Row(
        what="CPU per value of JSON batches of 100, QoS 1, 30k values/s",
        unit="µs",
        ours=statistics.median(ours),
        peer="bare paho, which does not look inside",
        peer_value=statistics.median(bare),
        at_most=0.6,
    )
