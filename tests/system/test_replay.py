"""The recorded pump rig, streamed over OPC UA and MQTT, scored live, and met on the page."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from sklearn.metrics import roc_auc_score

from edge.contracts.plant_file import load_plant
from edge.formats.json_message import parse_time
from edge.formats.recording import Recording, read_csv
from edge.pipeline import Pipeline, load_models
from tests.system.conftest import ROOT, TOKEN, Site, wait_for

PLANT = ROOT / "tests" / "cases" / "skab" / "plant.toml"
FILE = ROOT.parent / "shared" / "data" / "skab" / "valve1" / "1.csv"
TRAINED_ROWS = 400
# recorded seconds per second of the test: "×20 or faster"
SPEED = 40


def offline_scores(recording: Recording, models: Path) -> dict[int, float | None]:
    """Time → score of the same file by the same pipeline, without any process or protocol."""
    plant = load_plant(PLANT)
    in_service, problems = load_models(plant, models)
    assert not problems
    pipeline = Pipeline(plant, in_service)
    assessments = []
    for batch in recording.batches(plant):
        pipeline.feed(batch)
        assessments += pipeline.advance(int(batch.time.max())).assessments
    assessments += pipeline.finish().assessments
    return {a.time: None if a.score is None else float(a.score) for a in assessments}


@pytest.mark.skipif(
    not FILE.exists(), reason=f"{FILE} is not there: the recorded pump rig stands beside the project, not in it"
)
def test_a_recording_becomes_scores_and_an_alarm_that_is_acknowledged_on_the_page(
    make_site: Callable[[Path], Site], browser: Browser
) -> None:
    recording = read_csv(FILE, load_plant(PLANT), "rig", others=["anomaly"])
    site = make_site(PLANT)
    site.run("models", "train", str(FILE), "--asset", "rig", "--rows", f"0:{TRAINED_ROWS}")
    site.start_api()
    edge = site.start("edge", "run")
    site.start("simulator", "replay", str(FILE), "--speed", str(SPEED), "--wait-for-subscriber")

    last = int(recording.time[-1])
    wait_for("the last row is assessed", lambda: site.latest("rig") and parse_time(site.latest("rig")["time"]) >= last, 240)

    # every row has come once: five signals by OPC UA, three by MQTT
    status = wait_for("a status after the last row", lambda: _newest_sample(site) >= last and site.edge_status())
    assert {name: source["samples"] for name, source in status["sources"].items()} == {
        "plc": 5 * len(recording),
        "broker": 3 * len(recording),
    }
    assert all(source["rejected"] == {} for source in status["sources"].values())
    assert status["refused"] == {}

    # what the api has is what the offline pipeline gives, bit for bit
    first = site.get("/assets/rig/assessments?from=2020-03-09T00:00:00Z&to=2020-03-10T00:00:00Z&points=10000")["items"]
    live = {parse_time(item["time"]): item["score"] for item in first if parse_time(item["time"]) <= last}
    offline = offline_scores(recording, site.home / "models")
    assert live.keys() == offline.keys()
    assert [np.float32(live[time]) for time in live if live[time] is not None] == [
        np.float32(score) for score in offline.values() if score is not None
    ]
    assert [time for time in live if live[time] is None] == [time for time in offline if offline[time] is None]

    # and it finds what the rig's owners have labelled
    tested = [k for k in range(TRAINED_ROWS, len(recording)) if live.get(int(recording.time[k])) is not None]
    assert len(tested) > 0.9 * (len(recording) - TRAINED_ROWS)
    scores = [live[int(recording.time[k])] for k in tested]
    assert roc_auc_score(recording.others["anomaly"][tested], scores) >= 0.85

    labelled = recording.time[recording.others["anomaly"] > 0]
    raised = [alarm for alarm in site.alarms("anomaly") if parse_time(alarm["raised"]) >= labelled[0] - 10**9]
    assert raised, "the labelled anomaly has raised no alarm"
    alarm = min(raised, key=lambda alarm: alarm["raised"])
    assert parse_time(alarm["raised"]) <= labelled[-1]

    # an operator opens the page, sees it and acknowledges; the edge confirms
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{site.url}/#token={TOKEN}")
    row = page.locator(f'[data-testid="alarm-row"][data-alarm="{alarm["alarm_id"]}"]').first
    expect(row).to_be_visible(timeout=30_000)
    expect(row.get_by_test_id("alarm-state")).to_have_attribute("data-state", re.compile("unacknowledged"))
    row.get_by_test_id("acknowledge").click()
    wait_for(
        "the edge has acknowledged",
        lambda: any(
            a["alarm_id"] == alarm["alarm_id"] and a["state"] in ("active-acknowledged", "normal")
            for a in site.alarms("anomaly")
        ),
    )
    expect(page.locator(f'[data-alarm="{alarm["alarm_id"]}"] [data-testid="acknowledge"]')).to_have_count(0, timeout=30_000)
    page.close()
    assert edge.stop() == 0


def _newest_sample(site: Site) -> int:
    sources = site.edge_status().get("sources", {}).values()
    times = [source["last_sample"] for source in sources]
    return min((parse_time(time) for time in times), default=0) if all(times) else 0
