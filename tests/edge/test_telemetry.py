"""What the edge answers over HTTP, as Prometheus and an orchestrator ask it."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.contracts.status import EdgeStatus, JournalStatus, ModelStatus, RecordingStatus, SourceState, SourceStatus
from edge.telemetry import HANGS_S, AccountShown, Telemetry

STATUS = EdgeStatus(
    edge="edge-1",
    online=True,
    time=0,
    version="0.1.0",
    sources={
        "plc": SourceStatus(
            state=SourceState.CONNECTED,
            since=0,
            clock_offset_s=-0.25,
            last_sample=1_795_514_400_500_000_000,
            samples=1234,
            rejected={"sequence-gap": 2},
        )
    },
    models={"pump": ModelStatus(version="3")},
    journal=JournalStatus(id="j", last_seq=77, trimmed_before=1),
    recording=RecordingStatus(samples=1200, lost=34),
    refused={"late": 5},
)
NAMES = [("pump-101", "flow"), ("pump-101", "pressure")]
ACCOUNT = AccountShown(
    received=np.array([10, 7]),
    settled=np.array([[7, 7], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]),
    waiting=np.array([1, 0]),
    difference=np.array([1, 0]),
    out_of_order=4,
)
COUNTS = {"pump-101": {"normal": 100, "stale": 3}}


class Clock:
    now = 100.0


@pytest.fixture
def served(free_port: Callable[[], int]) -> Iterator[tuple[Telemetry, Clock, str]]:
    clock, address = Clock(), f"127.0.0.1:{free_port()}"
    with Telemetry(address, NAMES, lambda: clock.now) as telemetry:
        yield telemetry, clock, f"http://{address}"


def test_metrics_tell_the_last_status(served: tuple[Telemetry, Clock, str]) -> None:
    telemetry, _, url = served
    assert httpx.get(f"{url}/metrics").status_code == 200
    telemetry.show(STATUS, COUNTS, ACCOUNT)
    families = list(text_string_to_metric_families(httpx.get(f"{url}/metrics").text))
    told = {(sample.name, *sorted(sample.labels.items())): sample.value for each in families for sample in each.samples}
    assert told["kullager_source_connected", ("source", "plc")] == 1
    assert told["kullager_source_samples_total", ("source", "plc")] == 1234
    assert told["kullager_source_rejected_total", ("reason", "sequence-gap"), ("source", "plc")] == 2
    assert told["kullager_source_clock_offset_seconds", ("source", "plc")] == -0.25
    assert told["kullager_source_last_sample_timestamp_seconds", ("source", "plc")] == 1_795_514_400.5
    assert told["kullager_refused_samples_total", ("reason", "late")] == 5
    assert told["kullager_assessments_total", ("asset", "pump-101"), ("state", "stale")] == 3
    assert told["kullager_journal_last_sequence",] == 77
    assert (told["kullager_recorded_samples_total",], told["kullager_unrecorded_samples_total",]) == (1200, 34)
    flow = ("asset", "pump-101"), ("signal", "flow")
    assert told["kullager_signal_received_samples_total", *flow] == 10
    assert told["kullager_signal_settled_samples_total", flow[0], ("fate", "withheld"), flow[1]] == 1
    assert told["kullager_signal_waiting_samples", *flow] == 1
    assert told["kullager_unaccounted_samples",] == 1
    assert told["kullager_out_of_order_samples_total",] == 4
    assert told["process_resident_memory_bytes",] > 1e6
    assert all(family.documentation for family in families)


def test_it_is_healthy_while_it_turns(served: tuple[Telemetry, Clock, str]) -> None:
    telemetry, clock, url = served
    telemetry.show(STATUS, COUNTS, ACCOUNT)
    assert httpx.get(f"{url}/healthz").status_code == 200
    clock.now += HANGS_S + 1
    answer = httpx.get(f"{url}/healthz")
    assert (answer.status_code, answer.text) == (503, "the main loop turned 16.0 s ago\n")


def test_it_is_ready_when_it_serves_the_whole_plant(served: tuple[Telemetry, Clock, str]) -> None:
    telemetry, _, url = served
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (503, "it is starting\n")
    telemetry.show(STATUS, COUNTS, ACCOUNT)
    assert httpx.get(f"{url}/readyz").status_code == 200
    gone = replace(STATUS.sources["plc"], state=SourceState.DISCONNECTED, problem="no answer in time")
    broken = {"pump": ModelStatus(problem="pump.onnx: there is no such model")}
    telemetry.show(replace(STATUS, sources={"plc": gone}, models=broken), COUNTS, ACCOUNT)
    answer = httpx.get(f"{url}/readyz")
    assert answer.status_code == 503
    assert answer.text.splitlines() == [
        "source 'plc' is disconnected: no answer in time",
        "model 'pump': pump.onnx: there is no such model",
    ]
    assert httpx.get(f"{url}/elsewhere").status_code == 404


def test_who_asks_and_is_silent_holds_nobody_up(served: tuple[Telemetry, Clock, str]) -> None:
    _, _, url = served
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.send(b"GET /metr")
        assert httpx.get(f"{url}/healthz", timeout=5).status_code == 200


def test_an_address_that_is_taken_is_told_and_the_edge_goes_on(
    free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), Telemetry(f"127.0.0.1:{port}", NAMES) as telemetry:
        telemetry.show(STATUS, COUNTS, ACCOUNT)
    assert f"metrics are not served at 127.0.0.1:{port}" in caplog.text
    with Telemetry("", NAMES) as telemetry:
        telemetry.show(STATUS, COUNTS, ACCOUNT)
