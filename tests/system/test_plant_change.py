"""The plant file is changed while the edge runs: what the change leaves as it is notices nothing."""

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.system.conftest import ROOT, Site, wait_for

PUMP, SECOND = "pump-101", "pump-102"
CASE = ROOT / "tests/cases/pump/plant.toml"


class Results:
    """What the edge publishes."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._messages: list[tuple[str, dict[str, Any]]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("kullager/#", qos=1)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.payload:
            with self._lock:
                self._messages.append((message.topic, json.loads(message.payload)))

    def of(self, ending: str) -> list[dict[str, Any]]:
        with self._lock:
            return [body for topic, body in self._messages if topic.endswith(ending)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def results(pump_site: Site) -> Iterator[Results]:
    made = Results(pump_site.mosquitto.port)
    yield made
    made.close()


def test_a_second_machine_is_added_and_the_first_notices_nothing(pump_site: Site, results: Results, tmp_path: Path) -> None:
    one = CASE.read_text()
    head, machine = one.split("[assets.pump-101]")
    # first in the file: every number of the other machine's signals is another one now
    both = head + "[assets.pump-102]" + machine.replace(PUMP, SECOND) + "\n[assets.pump-101]" + machine
    whole, mine = tmp_path / "whole.toml", tmp_path / "mine.toml"
    whole.write_text(both)
    mine.write_text(one)
    pump_site.plant = whole
    pump_site.start("simulator", "run", "--speed", "5")
    pump_site.plant = mine
    edge = pump_site.start("edge", "run")
    assessments = f"/{PUMP}/assessment"
    wait_for("the pump is scored", lambda: any(each["score"] is not None for each in results.of(assessments)))
    before = results.of(assessments)[-1]["time"]

    mine.write_text(both)
    wait_for("the second machine", lambda: results.of(f"/{SECOND}/assessment"))
    wait_for("more of the first", lambda: len(_since(results, before)) > 15)
    assert not results.of(f"/{SECOND}/assessment")[0]["score"], "its window fills first"

    # a mistake changes nothing but what is said
    mine.write_text(both.replace("[assets.pump-102]", "[assets.Pump_102]"))
    words = "the changed plant file is not in use:"
    status, text = wait_for("the mistake is told", lambda: words in (found := pump_site.ask_edge("/readyz"))[1] and found)
    assert status == 503
    assert "assets.Pump_102" in text
    wait_for("the retained status", lambda: "Pump_102" in str(results.of("/status")[-1].get("plant_problem")))

    # and back: the second is gone, and it is not missed
    mine.write_text(one)
    wait_for("the edge is ready", lambda: pump_site.ask_edge("/readyz")[0] == 200)
    wait_for("the second is gone", lambda: SECOND not in pump_site.ask_edge("/metrics")[1])
    n_second = len(results.of(f"/{SECOND}/assessment"))
    last = results.of(assessments)[-1]["time"]
    wait_for("more of the first", lambda: len(_since(results, last)) > 10)
    assert len(results.of(f"/{SECOND}/assessment")) == n_second

    found = _since(results, before)
    seconds = [int(each["time"][17:19]) for each in found]
    assert {(later - earlier) % 60 for earlier, later in itertools.pairwise(seconds)} == {1}, "each instant once"
    assert {each["reason"] for each in found} == {None}, "and scored, on all its signals"
    assert not any(value is None for each in found for value in each["measured"].values())
    assert not [status for status in results.of("/status")[1:] if not status["online"]], "it was never offline"
    assert "\nkullager_unaccounted_samples 0.0\n" in pump_site.ask_edge("/metrics")[1]
    assert edge.stop() == 0


def _since(results: Results, time: str) -> list[dict[str, Any]]:
    return [each for each in results.of(f"/{PUMP}/assessment") if each["time"] > time]
