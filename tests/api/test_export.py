"""CSV and Parquet by a link, as pandas and DuckDB load it, or by the Accept header."""

import asyncio
import io
import threading
from pathlib import Path

import pandas as pd
import pytest

from api import export
from models.labels import Condition, read_labels
from tests.api.running_api import RunningApi
from tests.api.scripted_edge import SECOND, START, ScriptedEdge, alarm, assessment

HISTORY = "/api/v1/assets/pump-101/assessments"


@pytest.fixture
async def told(api: RunningApi, scripted_edge: ScriptedEdge) -> RunningApi:
    """Twenty seconds, of which the tenth has no score, and an alarm."""
    for second in range(20):
        scripted_edge.publish(assessment("pump-101", second, score=None if second == 9 else second / 10))
    scripted_edge.publish(alarm("pump-101", "alarm-1", 0))
    scripted_edge.publish_status()
    await api.until_contiguous(21)
    return api


async def test_pandas_loads_a_link(told: RunningApi) -> None:
    link = f"{told.url}{HISTORY}?format=parquet"
    frame = await asyncio.to_thread(pd.read_parquet, link)
    assert frame["time"].tolist() == [pd.Timestamp(START + second * SECOND, unit="ns", tz="UTC") for second in range(20)]
    assert frame["score"].round(3).tolist()[:9] == [second / 10 for second in range(9)]
    assert frame["score"].isna().tolist() == [second == 9 for second in range(20)]
    assert frame["seq"].tolist() == list(range(1, 21))
    measured = (await told.get("/assets/pump-101/assessments"))["items"][0]["measured"]
    assert measured
    assert {name: frame[f"measured_{name}"][0] for name in measured} == measured
    csv = await asyncio.to_thread(pd.read_csv, f"{told.url}{HISTORY}?format=csv", parse_dates=["time"])
    assert csv["time"].tolist() == frame["time"].tolist()
    assert list(csv) == list(frame)
    alarms = await asyncio.to_thread(pd.read_parquet, f"{told.url}/api/v1/alarms?format=parquet")
    assert (alarms["alarm_id"].tolist(), alarms["signals"].tolist()) == (["alarm-1"], ["vibration"])


async def test_duckdb_loads_what_the_link_gives(told: RunningApi, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    link = f"{HISTORY}?format=parquet"
    # it asks for the head first: where that says no length, it takes the whole file
    head = await told.client.head(link)
    assert (head.status_code, head.headers["content-type"]) == (200, "application/vnd.apache.parquet")
    assert "content-length" not in head.headers
    # its part for HTTP is loaded from elsewhere at the first use, which a test does not do
    file = tmp_path / "history.parquet"
    file.write_bytes((await told.client.get(link)).content)
    assert duckdb.read_parquet(str(file)).aggregate("count(*), count(score), max(score)").fetchall() == [(20, 19, 1.9)]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("application/vnd.apache.parquet, */*;q=0.1", "application/vnd.apache.parquet"),
        ("application/json", "application/json"),
        ("text/html", "application/json"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_accept_header_chooses(shared_api: RunningApi, accept: str, media_type: str) -> None:
    for path in (HISTORY, "/api/v1/alarms", "/api/v1/labels"):
        answer = await shared_api.client.get(path, headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == media_type
        # without anything in it, it is a table all the same
        if media_type == "text/csv":
            assert len(answer.text.splitlines()) == 1
        elif "parquet" in media_type:
            assert pd.read_parquet(io.BytesIO(answer.content)).empty


async def test_labels_go_straight_into_training(api: RunningApi, tmp_path: Path) -> None:
    body = {"asset": "pump-101", "from": "2026-11-23T10:00:00Z", "to": "2026-11-23T11:00:00Z", "comment": 'a, "b"\nc'}
    for label, fault in (("fault", "bearing-wear"), ("fault", None), ("failed", None)):
        answer = await api.client.post("/api/v1/labels", json={**body, "label": label, "fault": fault}, headers=api.engineer)
        assert answer.status_code == 201
    file = tmp_path / "labels.csv"
    file.write_bytes((await api.client.get("/api/v1/labels?format=csv")).content)
    periods = read_labels(file, "pump-101").periods
    assert [(period.condition, period.mode) for period in periods] == [
        (Condition.FAULT, "bearing-wear"),
        (Condition.FAULT, "unknown"),
        (Condition.FAILED, ""),
    ]
    assert periods[0].comment == body["comment"]


async def test_no_more_files_at_a_time_than_may_be(told: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_running", threading.BoundedSemaphore(1))
    export._running.acquire()
    refused = await told.client.get(f"{HISTORY}?format=csv")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert (await told.client.get(HISTORY)).status_code == 200
    export._running.release()
    for _ in range(3):
        assert (await told.client.get(f"{HISTORY}?format=csv")).status_code == 200, "each gives its place back"
    assert (await told.client.get(f"{HISTORY}?format=xml")).status_code == 422
