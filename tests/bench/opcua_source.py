"""A source that is faster than what it feeds: `python -m tests.bench.opcua_source PORT NODES RATE_HZ KIND QUEUE`.

asyncua's own server, but that every node of the namespace can be monitored, and that notifications are put together by numpy:
at each publishing interval all values that are due since the last one, `NODES` of them RATE_HZ times a second, as one table of
records. asyncua's own way of making them saturates a core at 15,000 to 22,000 values a second; this one is bound by the socket.
A server's queues are kept to, too: where the client asks for too little too late, the oldest values of an item that has more
than QUEUE are dropped, and counted.

The source time is the sequence number: the values of a node follow each other by exactly the period, so whoever keeps the times
sees each loss. First comes the last minute, one value of each second in each message, so that the windows of an edge are full,
and then what is now. Each subscription has all of it as soon as it monitors `NODES` items. KIND is that of the values: double,
with source and server time; mixed, of three kinds in turn; array, of two doubles. On SIGTERM what was sent goes to stdout as
JSON.
"""

import asyncio
import json
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from asyncua import Server, ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.ua import ua_binary

NAMESPACE: Final = "urn:kullager:bench"
PERIOD_MS: Final = 100.0
MASK: Final = 0x0D  # a value, and source and server time
US_FROM_1601: Final = 11_644_473_600_000_000
PAST_S: Final = 70
NOISE: Final = 64
DATA_CHANGE: Final = ua.FourByteNodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)


class Source:
    """What all nodes have to say to one subscription."""

    def __init__(self, n_nodes: int, rate_hz: float, kind: str, queue: int) -> None:
        self._n, self._period_us, self._kind, self._queue = n_nodes, round(1e6 / rate_hz), kind, queue
        self._noise = np.random.default_rng(1).normal(size=(NOISE, n_nodes)).round(6)
        self._begin: float | None = None
        self._begin_us = self._done = 0
        self.sent = self.dropped = 0
        # of each notification the time of its newest values [us UTC], and when it was begun [s since 1970]
        self.taken: list[tuple[int, float]] = []
        self._handles = np.zeros(0, "<u4")
        self._past = list(range(PAST_S))

    def ready(self, handles: Callable[[], list[int]], number: int) -> bool:
        """Whether there is something to say, as soon as all nodes are monitored; number: of those that are."""
        if number < self._n:
            return False
        if not len(self._handles):
            self._handles = np.array(handles(), "<u4")
            self._begin_us = int(time.time()) * 1_000_000
        return bool(self._past) or self._due() > self._done

    def _due(self) -> int:
        return 0 if self._begin is None else max(0, int((time.monotonic() - self._begin) * 1e6 / self._period_us))

    def take(self) -> bytes:
        """The body of a DataChangeNotification with all that is due."""
        begun = time.time()
        if self._past:
            times = [self._begin_us - (PAST_S - self._past.pop(0)) * 1_000_000]
            if not self._past:
                self._begin = time.monotonic()
        else:
            due = self._due()
            if due - self._done > self._queue:
                self.dropped += (due - self._queue - self._done) * self._n
                self._done = due - self._queue
            times = [self._begin_us + number * self._period_us for number in range(self._done, due)]
            self._done = due
        self.sent += len(times) * self._n
        self.taken.append((times[-1], begun))
        items = b"".join(map(self._items, times))
        return struct.pack("<i", len(times) * self._n) + items + struct.pack("<i", -1)

    def _items(self, time_us: int) -> bytes:
        ticks = (time_us + US_FROM_1601) * 10
        values = self._noise[time_us // self._period_us % NOISE]
        match self._kind:
            case "double":
                return self._records(ua.VariantType.Double, "<f8", self._handles, values, ticks)
            case "mixed":
                kinds = (ua.VariantType.Float, "<f4"), (ua.VariantType.Boolean, "u1"), (ua.VariantType.Int16, "<i2")
                parts = [
                    np.frombuffer(self._records(kind, form, self._handles, np.abs(values), ticks), np.uint8).reshape(
                        self._n, -1
                    )
                    for kind, form in kinds
                ]
                return b"".join(parts[node % 3][node].tobytes() for node in range(self._n))
            case _:
                behind = struct.pack("<qq", ticks, ticks)
                return b"".join(
                    struct.pack("<IB", handle, MASK) + self._variant(value) + behind
                    for handle, value in zip(self._handles.tolist(), values.tolist(), strict=True)
                )

    @staticmethod
    def _variant(value: float) -> bytes:
        return ua_binary.variant_to_binary(ua.Variant([value, value], ua.VariantType.Double))

    @staticmethod
    def _records(kind: Any, form: str, handles: Any, values: Any, ticks: int) -> bytes:
        layout = [("handle", "<u4"), ("mask", "u1"), ("kind", "u1"), ("value", form), ("source", "<i8"), ("server", "<i8")]
        table = np.empty(len(handles), layout)
        table["handle"], table["mask"], table["kind"], table["value"] = handles, MASK, kind.value, values
        table["source"] = table["server"] = ticks
        return table.tobytes()


async def main(port: int, n_nodes: int, rate_hz: float, kind: str, queue: int) -> None:
    sources: list[Source] = []

    class Subscription(InternalSubscription):
        """Of one client."""

        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self._source = Source(n_nodes, rate_hz, kind, queue)
            sources.append(self._source)

        def _is_ready(self) -> bool:
            items = self.monitored_item_srv._monitored_items
            return self._source.ready(lambda: [item.client_handle for item in items.values()], len(items))

        def has_published_results(self) -> bool:
            return self._is_ready() or super().has_published_results()

        def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
            if self._is_ready():
                result.NotificationMessage.NotificationData.append(ua.ExtensionObject(DATA_CHANGE, self._source.take()))

    async def monitor(service: Any, wanted: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        result, item = service._make_monitored_item_common(wanted)
        service._commit_monitored_item(result, item)
        return result

    MonitoredItemService._create_data_change_monitored_item = monitor
    sys.modules["asyncua.server.subscription_service"].InternalSubscription = Subscription  # type: ignore[attr-defined]
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace(NAMESPACE)
    async with server:
        print("ready", flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        told = {
            "sent": sum(each.sent for each in sources),
            "dropped": sum(each.dropped for each in sources),
            "cpu_s": time.process_time(),
            "subscriptions": len(sources),
            "taken": sources[-1].taken if sources else [],
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
