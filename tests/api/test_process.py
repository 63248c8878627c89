"""The process: its start, its end, its secrets, and the dashboard's files."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from tests.api.running_api import ROOT, RunningApi


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_although_a_stream_is_open(api: RunningApi, number: signal.Signals) -> None:
    async with api.stream() as events:
        code = await api.stop(number)
        assert code == 0
        assert await anext(events, None) is None
    assert "Traceback" not in api.log.read_text()
    assert "Cancel" not in api.log.read_text()


def run(plant: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api", "run", "--plant", str(plant), *arguments]
    environ = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


async def test_what_an_operator_did_wrong_is_one_sentence(api: RunningApi, demo_plant: Path, tmp_path: Path) -> None:
    port = api.url.rpartition(":")[2]
    for result, names in (
        (run(demo_plant, "--port", port), port),
        (run(tmp_path / "none.toml"), "none.toml"),
        (run(demo_plant, "--port", "0", KULLAGER_DATABASE_URL="nonsense"), "KULLAGER_DATABASE_URL"),
        (run(demo_plant, "--port", "0", KULLAGER_OPERATOR_TOKEN="short"), "KULLAGER_OPERATOR_TOKEN"),  # noqa: S106
    ):
        assert result.returncode == 2
        assert names in result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


async def test_a_token_is_made_once_and_only_its_digest_is_kept(
    demo_plant: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    api = RunningApi(demo_plant, free_port(), home)
    del api._environment["KULLAGER_OPERATOR_TOKEN"]
    try:
        await api.start()
        await api.stop()
        await api.start()
        lines = [line for line in api.log.read_text().splitlines() if "operator's token" in line]
        assert len(lines) == 1
        token = lines[0].rpartition(" ")[2]
        kept = home / "api/operator-token.sha256"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert token not in kept.read_text()
        api.operator = {"Authorization": f"Bearer {token}"}
        # past the door, where there is no such alarm
        assert (await api.post("/alarms/none/acknowledge", {})).status_code == 404
    finally:
        await api.close()


async def test_the_dashboard_is_served_with_its_paths_and_caching(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>the dashboard")
    (tmp_path / "assets/app-1a2b.js").write_text("1")
    app = create_app(None, tmp_path)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        page = {"Accept": "text/html"}
        for path in ("/", "/assets/pump-101", "/alarms"):
            answer = await client.get(path, headers=page)
            assert "the dashboard" in answer.text
            assert answer.headers["cache-control"] == "no-cache"
        script = await client.get("/assets/app-1a2b.js")
        assert "immutable" in script.headers["cache-control"]
        assert (await client.get("/assets/app-0000.js")).status_code == 404
        unknown = await client.get("/api/v1/nothing", headers=page)
        assert unknown.headers["content-type"] == "application/problem+json"


async def test_without_a_dashboard_a_page_says_how_to_build_it(tmp_path: Path) -> None:
    app = create_app(None, tmp_path)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert "npm run build" in (await client.get("/")).text
