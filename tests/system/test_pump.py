"""The simulated pump: a fault is noticed, explained, alarmed, acknowledged, repaired; and garbage harms nobody."""

from collections.abc import Iterator

import paho.mqtt.client as mqtt
import paho.mqtt.publish as publish
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, expect

from edge.contracts.plant_file import load_plant
from tests.api.described_messages import Described
from tests.conftest import Mosquitto
from tests.system.conftest import PUMP, Site, wait_for


@pytest.fixture(scope="module")
def heard(broker: Mosquitto) -> Iterator[list[tuple[str, bytes]]]:
    """Every message of kullager's own on the broker, by topic, as it comes."""
    messages: list[tuple[str, bytes]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("kullager/v1/#", qos=1)
    client.on_message = lambda _client, _data, message: messages.append((message.topic, message.payload))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield messages
    client.disconnect()
    client.loop_stop()


# the first one of its file: a case stays open for a while when its fault has been repaired
@pytest.mark.usefixtures("heard")
def test_the_page_says_what_is_wrong_and_what_to_do(running: Site, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB", reduced_motion="reduce")
    page.goto(f"{running.url}/#/assets/{PUMP}")
    expect(page.get_by_test_id(f"asset-page-{PUMP}")).to_have_attribute("data-state", "normal", timeout=30_000)
    expect(page.get_by_test_id("case")).to_have_count(0)

    running.post("/simulator/faults", {"asset": PUMP, "fault": "cavitation", "severity": 1.0, "over_s": 5}, token=None)
    case = page.get_by_test_id("case")
    expect(case).to_be_visible(timeout=60_000)
    wait_for("the advice", lambda: [each for each in running.get("/cases")["items"] if each["advice"]])
    expect(case).to_contain_text(running.get("/cases")["items"][0]["advice"]["action"]["en"], timeout=10_000)
    page.goto(f"{running.url}/#/plant")
    expect(page.get_by_test_id(f"asset-card-{PUMP}").get_by_test_id("case-line")).to_be_visible()
    page.close()


def test_a_fault_from_its_beginning_to_its_repair(heard: list[tuple[str, bytes]], running: Site) -> None:
    assert running.latest(PUMP)["state"] == "normal"
    running.post("/simulator/faults", {"asset": PUMP, "fault": "bearing-wear", "severity": 1.0, "over_s": 60}, token=None)

    anomalous = wait_for("the wear is noticed", lambda: running.latest(PUMP)["state"] == "anomalous" and running.latest(PUMP))
    shares = anomalous["contribution"]
    assert max(shares, key=shares.get) == "vibration"
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)
    assert anomalous["measured"]["vibration"] > anomalous["expected"]["vibration"]

    raised = wait_for("the alarm", lambda: running.alarms("anomaly", "open"))[0]
    assert (raised["state"], raised["priority"]) == ("active-unacknowledged", "high")
    assert raised["evidence"]["signals"][0] == "vibration"
    assert "vibration" in raised["text"]["sv"]
    address = f"/alarms/{raised['alarm_id']}"

    assert running.post(f"{address}/acknowledge", {"comment": "lagret byts"})["state"] == "active-acknowledged"
    until = {"duration_s": 3600, "comment": "reservdel beställd"}
    assert running.post(f"{address}/shelve", until)["state"] == "shelved"
    assert running.post(f"{address}/unshelve", {})["state"] == "active-unacknowledged"
    running.post(f"/simulator/faults/{PUMP}", {}, method="DELETE", token=None)
    wait_for("it has returned", lambda: running.get(address)["alarm"]["state"] == "returned-unacknowledged")
    assert running.post(f"{address}/acknowledge", {})["state"] == "normal"
    assert not [alarm for alarm in running.alarms("anomaly", "open") if alarm["alarm_id"] == raised["alarm_id"]]
    wait_for("the pump is healthy again", lambda: running.latest(PUMP)["state"] == "normal")

    states = [change["state"] for change in running.get(address)["history"]]
    assert states == [
        "active-unacknowledged",
        "active-acknowledged",
        "shelved",
        "active-unacknowledged",
        "returned-unacknowledged",
        "normal",
    ]
    described = Described(load_plant(running.plant, running.environment).topics)
    assert [fault for topic, payload in heard for fault in described.faults(topic, payload)] == []
    always = {"assessment", "alarm", "case", "performance", "status", "catalogue", "truth", "edge-reply", "simulator-reply"}
    commands = {"alarm-acknowledge", "alarm-shelve", "alarm-unshelve", "simulator-inject", "simulator-repair"}
    assert described.heard.keys() >= always | commands


def test_garbage_from_the_plant_is_counted_shown_and_harms_nothing(running: Site) -> None:
    topic = "plant/hall-1/pump-101"
    time = running.latest(PUMP)["time"]
    garbage = [
        b"not json at all",
        b"\x00\xff" * 100,
        b'{"vibration": NaN}',
        b'{"vibration": "high", "time": "%s"}' % time.encode(),
        b'{"vibration": 1e999, "time": "%s"}' % time.encode(),
        b'{"vibration": 1.0, "time": "2000-01-01T00:00:00Z"}',
        b'{"vibration": 1.0, "time": "2100-01-01T00:00:00Z"}',
        b'{"vibration": 1.0, "time": true}',
        b"[" * 5000,
    ]
    publish.multiple([(topic, payload, 1, False) for payload in garbage * 2], "127.0.0.1", running.mosquitto.port)
    publish.single(
        "kullager/v1/automation-region/testbed-vasteras/hall-1/edges/edge-1/command/acknowledge",
        b"{",
        1,
        hostname="127.0.0.1",
        port=running.mosquitto.port,
    )
    status = wait_for(
        "the garbage is counted",
        lambda: running.edge_status()["sources"]["broker"]["rejected"].get("time-in-future") and running.edge_status(),
    )
    rejected = status["sources"]["broker"]["rejected"]
    assert rejected["not-json"] >= 8
    assert rejected["wrong-type"] == 2
    assert rejected["bad-time"] == 2
    assert rejected["time-in-future"] == 2
    assert status["refused"]["late"] >= 2
    now = running.latest(PUMP)["time"]
    wait_for("scores go on", lambda: running.latest(PUMP)["time"] > now and running.latest(PUMP)["score"] is not None)
