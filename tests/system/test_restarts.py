"""Each process is killed in turn: the others go on, nothing is lost, nothing counts twice, and the page recovers."""

import time

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.conftest import TOKEN, Process, Site, wait_for

PUMP = "pump-101"


@pytest.fixture
def running(pump_site: Site) -> tuple[Site, dict[str, Process]]:
    processes = {
        "api": pump_site.start_api(),
        "edge": pump_site.start("edge", "run"),
        "simulator": pump_site.start("simulator", "run"),
    }
    wait_for("the pump is scored", lambda: pump_site.latest(PUMP).get("score") is not None)
    return pump_site, processes


def test_each_process_may_die_and_come_back(running: tuple[Site, dict[str, Process]], browser: Browser) -> None:
    site, processes = running
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{site.url}/#token={TOKEN}")
    _page_moves(page, site)

    processes["simulator"].kill()
    wait_for("the edge says so", lambda: site.edge_status()["sources"]["plc"]["state"] == "disconnected")
    assert processes["edge"].runs
    _, text = wait_for("the edge is not ready", lambda: (found := site.ask_edge("/readyz"))[0] == 503 and found)
    assert text.startswith("source 'plc' is disconnected: ")
    assert site.ask_edge("/healthz")[0] == 200
    processes["simulator"].start()
    _scores_move(site)
    wait_for("the edge is ready", lambda: site.ask_edge("/readyz") == (200, "all sources and models are in service\n"))
    spans = [[time.time()]]
    _page_moves(page, site)

    wait_for("some seconds to be recorded", lambda: time.time() > spans[0][0] + 6.0)
    spans[0].append(time.time())
    processes["edge"].kill()
    wait_for("the api says so", lambda: site.edge_status()["online"] is False)
    processes["edge"].start()
    _scores_move(site)
    wait_for("the edge is ready", lambda: site.ask_edge("/readyz")[0] == 200)
    spans.append([time.time()])
    _page_moves(page, site)

    site.mosquitto.stop()
    wait_for("the api says so", lambda: site.get("/status")["broker"]["connected"] is False)
    site.mosquitto.start()
    _scores_move(site)
    _page_moves(page, site)

    processes["api"].kill()
    expect(page.get_by_test_id("connection")).not_to_have_attribute("data-state", "live", timeout=30_000)
    # what it said last is not how it is
    expect(page.get_by_test_id("edge-state")).to_contain_text("unknown")
    processes["api"].start()
    wait_for("the api answers", lambda: site.get("/assets"))
    _scores_move(site)
    _page_moves(page, site)
    page.close()

    # every number of the journal is there, once, through all of it
    (journal,) = wait_for("nothing is missing", lambda: _complete(site))
    assert site.get("/status")["losses"] == []
    items = site.get(f"/assets/{PUMP}/assessments?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&points=10000")["items"]
    alarms = [
        change
        for alarm in site.get("/alarms?state=all")["items"]
        for change in site.get(f"/alarms/{alarm['alarm_id']}")["history"]
    ]
    cases = [
        change for case in site.get("/cases?state=all")["items"] for change in site.get(f"/cases/{case['case_id']}")["history"]
    ]
    minutes = site.get(f"/assets/{PUMP}/performance?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")["items"]
    results = [*items, *alarms, *cases, *minutes, *site.get("/models/audit")["items"]]
    numbers = sorted(message["seq"] for message in results if message["journal"] == journal["journal"])
    assert numbers[: journal["contiguous"]] == list(range(1, journal["contiguous"] + 1))
    times = [item["time"] for item in items]
    assert len(times) == len(set(times)), "an instant was assessed twice"
    recording = site.edge_status()["recording"]
    assert (recording["lost"], recording["problem"]) == (0, None)
    wait_for("what came without the edge is read back", lambda: site.edge_status()["sources"]["plc"]["recovered"])
    spans[1].append(time.time())
    assert [process.stop() for process in processes.values()] == [0, 0, 0]
    _all_was_recorded(site, spans)


def _scores_move(site: Site) -> None:
    before = site.latest(PUMP).get("time", "")
    wait_for("scores go on", lambda: site.latest(PUMP).get("time", "") > before and site.latest(PUMP).get("score") is not None)


def _all_was_recorded(site: Site, spans: list[list[float]]) -> None:
    """What came while the edge ran can be trained on, and what came while it was dead was read back from the server."""
    site.run("edge", "recordings")
    samples = pd.read_parquet(site.home / "edge" / "recordings" / f"asset={PUMP}")
    assert set(samples["quality"]) <= {"good", "uncertain", "bad"}
    recorded = set(samples.loc[samples["signal"] == "speed", "time"].dt.floor("s"))
    assert samples["recovered"].any()
    for first, last in [(spans[0][0], spans[1][1])]:
        wanted = set(
            pd.date_range(pd.Timestamp(first + 1, unit="s", tz="UTC").ceil("s"), periods=int(last - first) - 3, freq="s")
        )
        assert wanted
        assert wanted <= recorded, sorted(wanted - recorded)


def _page_moves(page: Page, site: Site) -> None:
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=60_000)
    score = page.get_by_test_id(f"asset-card-{PUMP}").get_by_test_id("score")
    before = score.get_attribute("data-score")
    expect(score).not_to_have_attribute("data-score", before or "-", timeout=60_000)


def _complete(site: Site) -> list[dict[str, object]]:
    journals = (site.get("/status") or {"journals": []})["journals"]
    return [journal for journal in journals if journal["missing"] == 0]
