"""What others may ask the edge over HTTP: `/metrics` for Prometheus, `/healthz` (does it turn?), `/readyz` (does it serve?).

A thread of its own answers from the last status that the service has left here, so that nobody who asks holds up the pipeline.
"""

import logging
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app

from edge.contracts.sample_account import Fate
from edge.contracts.status import EdgeStatus, SourceState

logger = logging.getLogger(__name__)

SignalNames = Sequence[tuple[str, str]]
# without a turn of the main loop for so long it hangs [s]
HANGS_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShown:
    """Of each signal (n,) what came, what became of it (n_fates, n), what waits, and the difference, all at one moment.

    out_of_order: of all signals the samples that came after newer ones
    """

    received: NDArray[np.int64]
    settled: NDArray[np.int64]
    waiting: NDArray[np.int64]
    difference: NDArray[np.int64]
    out_of_order: int = 0


class Telemetry:
    """Serve with `with Telemetry(address, names)`; `show` a status each second. `address`: host:port, or nothing is served.

    names: asset and signal of each line of an `AccountShown`. Where the address cannot be had the edge goes on without, and
    says so.
    """

    def __init__(self, address: str, names: SignalNames, now: Callable[[], float] = time.monotonic) -> None:
        self._address, self._names, self._now = address, names, now
        self._account: AccountShown | None = None
        self._status: EdgeStatus | None = None
        self._assessed: Mapping[str, Mapping[str, int]] = {}
        self._unpublished = 0
        self._shown = now()
        self._server: WSGIServer | None = None
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        registry.register(self)
        self._metrics = make_wsgi_app(registry)

    def __enter__(self) -> Self:
        if self._address:
            host, _, port = self._address.rpartition(":")
            try:
                self._server = make_server(host, int(port), self._answer, _ThreadingServer, _Quiet)
            except (OSError, OverflowError) as error:
                logger.error("metrics are not served at %s: %s", self._address, error)
            else:
                threading.Thread(target=self._server.serve_forever, name="telemetry", daemon=True).start()
                logger.info("/metrics, /healthz and /readyz are served at http://%s", self._address)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def show(
        self, status: EdgeStatus, assessed: Mapping[str, Mapping[str, int]], account: AccountShown, unpublished: int = 0
    ) -> None:
        """assessed: of each asset how many were normal, anomalous, or withheld for which reason, since the edge began.

        unpublished: results that the broker has not acknowledged
        """
        self._status, self._assessed, self._account, self._shown = status, assessed, account, self._now()
        self._unpublished = unpublished

    def collect(self) -> Iterator[Metric]:
        """All metrics of the last status; prometheus_client calls it."""
        if (status := self._status) is not None:
            yield InfoMetricFamily("kullager_edge", "This edge", {"edge": status.edge, "version": status.version})
            yield from _sources(status)
            yield from _rest(status)
            counted = CounterMetricFamily("kullager_assessments", "Assessments by state or reason", labels=["asset", "state"])
            for asset, counts in self._assessed.items():
                for state, count in counts.items():
                    counted.add_metric([asset, state], count)
            yield counted
            yield GaugeMetricFamily(
                "kullager_unpublished_results", "Results in the journal that the broker has not acknowledged", self._unpublished
            )
        if (account := self._account) is not None:
            yield from _account(self._names, account)

    def faults(self) -> list[str]:
        """What keeps the edge from serving the whole plant."""
        status = self._status
        if status is None:
            return ["it is starting"]
        faults = [
            f"source '{name}' is {source.state}: {source.problem or ''}".rstrip(": ")
            for name, source in status.sources.items()
            if source.state is not SourceState.CONNECTED
        ]
        faults += [status.plant_problem] if status.plant_problem else []
        faults += [f"model '{name}': {model.problem}" for name, model in status.models.items() if model.problem]
        if status.journal is not None and status.journal.problem:
            faults.append(status.journal.problem)
        return faults

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start)
            return answer
        if path == "/healthz":
            silent = self._now() - self._shown
            good, lines = silent < HANGS_S, [f"the main loop turned {silent:.1f} s ago"]
        elif path == "/readyz":
            faults = self.faults()
            good, lines = not faults, faults or ["all sources and models are in service"]
        else:
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"there are /metrics, /healthz and /readyz\n"]
        start("200 OK" if good else "503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
        return ["".join(f"{line}\n" for line in lines).encode()]


def _sources(status: EdgeStatus) -> Iterator[Metric]:
    connected = GaugeMetricFamily("kullager_source_connected", "Whether the source is connected", labels=["source"])
    samples = CounterMetricFamily("kullager_source_samples", "Samples that came from the source", labels=["source"])
    rejected = CounterMetricFamily(
        "kullager_source_rejected", "What came from the source and was not used", labels=["source", "reason"]
    )
    offset = GaugeMetricFamily(
        "kullager_source_clock_offset_seconds", "How far the source's clock is ahead of this one", labels=["source"]
    )
    newest = GaugeMetricFamily(
        "kullager_source_last_sample_timestamp_seconds", "Time of the newest sample of the source", labels=["source"]
    )
    silent = GaugeMetricFamily("kullager_source_silent_signals", "Signals that bring nothing now", labels=["source"])
    recovered = CounterMetricFamily(
        "kullager_source_recovered_samples", "Samples that were read back after an absence", labels=["source"]
    )
    singly = CounterMetricFamily(
        "kullager_source_values_one_by_one", "Values of types that are not read as columns, which costs more", labels=["source"]
    )
    for name, source in status.sources.items():
        silent.add_metric([name], source.silent)
        singly.add_metric([name], source.one_by_one)
        recovered.add_metric([name], source.recovered)
        connected.add_metric([name], float(source.state is SourceState.CONNECTED))
        samples.add_metric([name], source.samples)
        for reason, count in source.rejected.items():
            rejected.add_metric([name, reason], count)
        if source.clock_offset_s is not None:
            offset.add_metric([name], source.clock_offset_s)
        if source.last_sample is not None:
            newest.add_metric([name], source.last_sample / 1e9)
    yield from (connected, samples, rejected, offset, newest, silent, recovered, singly)


def _rest(status: EdgeStatus) -> Iterator[Metric]:
    refused = CounterMetricFamily(
        "kullager_refused_samples", "Samples that no instant of the grid could use", labels=["reason"]
    )
    for reason, count in status.refused.items():
        refused.add_metric([reason], count)
    models = GaugeMetricFamily("kullager_model_in_service", "Whether the model gives scores", labels=["model", "version"])
    for name, model in status.models.items():
        models.add_metric([name, model.version or ""], float(not model.problem))
    yield from (refused, models)
    if status.journal is not None:
        yield GaugeMetricFamily("kullager_journal_last_sequence", "Number of the newest result", status.journal.last_seq)
        yield GaugeMetricFamily("kullager_journal_writable", "Whether results are written", not status.journal.problem)
    if status.recording is not None:
        yield CounterMetricFamily("kullager_recorded_samples", "Samples that were recorded", status.recording.samples)
        yield CounterMetricFamily("kullager_unrecorded_samples", "Samples that could not be recorded", status.recording.lost)


def _account(names: SignalNames, account: AccountShown) -> Iterator[Metric]:
    received = CounterMetricFamily("kullager_signal_received_samples", "Samples that came", labels=["asset", "signal"])
    settled = CounterMetricFamily(
        "kullager_signal_settled_samples", "What became of the samples that came", labels=["asset", "signal", "fate"]
    )
    waiting = GaugeMetricFamily(
        "kullager_signal_waiting_samples", "Samples of instants that are not closed yet", labels=["asset", "signal"]
    )
    fates = [fate.name.lower() for fate in Fate]
    columns = account.received.tolist(), account.waiting.tolist(), account.settled.T.tolist()
    for name, n_received, n_waiting, by_fate in zip(names, *columns, strict=True):
        received.add_metric(name, n_received)
        waiting.add_metric(name, n_waiting)
        for fate, number in zip(fates, by_fate, strict=True):
            if number:
                settled.add_metric([*name, fate], number)
    yield from (received, settled, waiting)
    yield CounterMetricFamily(
        "kullager_out_of_order_samples", "Samples that came after newer ones of their signal", account.out_of_order
    )
    yield GaugeMetricFamily(
        "kullager_unaccounted_samples",
        "Samples of which nobody knows what became: received less settled less waiting",
        int(np.abs(account.difference).sum()),
    )


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    # who asks and stays silent is not waited for
    timeout = 10.0

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its base names it so
        logger.debug(format, *args)
