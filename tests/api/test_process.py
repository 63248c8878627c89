"""The process: its start, its end, its secrets, and the dashboard's files."""

import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from api.__main__ import main
from api.app import create_app
from tests.api.running_api import ROOT, TOKEN, ApiProcess


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_although_a_stream_is_open(api_process: ApiProcess, number: signal.Signals) -> None:
    async with api_process.stream() as events:
        code = await api_process.end(number)
        assert code == 0
        assert await anext(events, None) is None
    assert "Traceback" not in api_process.log.read_text()
    assert "Cancel" not in api_process.log.read_text()


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "environment", "names"),
    [
        (["--port", "{taken_port}"], {}, "{taken_port}"),
        (["--port", "70000"], {}, "70000"),
        (["--host", "192.0.2.1"], {}, "192.0.2.1"),
        (["--plant", "none.toml"], {}, "none.toml"),
        ([], {"KULLAGER_DATABASE_URL": "nonsense"}, "KULLAGER_DATABASE_URL"),
        ([], {"KULLAGER_DATABASE_URL": "sqlite:////proc/none/api.sqlite"}, "/proc/none"),
        ([], {"KULLAGER_OPERATOR_TOKEN": "short"}, "KULLAGER_OPERATOR_TOKEN"),
        ([], {"KULLAGER_OPERATOR_TOKEN_FILE": "/none"}, "KULLAGER_OPERATOR_TOKEN_FILE"),
        ([], {"KULLAGER_ADMIN_TOKEN": "short"}, "KULLAGER_ADMIN_TOKEN"),
    ],
)
def test_what_an_operator_did_wrong_is_one_sentence(
    arguments: list[str],
    environment: dict[str, str],
    names: str,
    taken_port: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [argument.format(taken_port=taken_port) for argument in arguments]
    monkeypatch.setattr(
        sys, "argv", ["api", "run", "--plant", str(ROOT / "tests/cases/pump/plant.toml"), "--port", "0", *given]
    )
    for name, value in {"KULLAGER_HOME": str(tmp_path), "KULLAGER_OPERATOR_TOKEN": TOKEN, **environment}.items():
        monkeypatch.setenv(name, value)
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert names.format(taken_port=taken_port) in line


async def test_a_token_is_made_once_and_only_its_digest_is_kept(
    demo_plant: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    api = ApiProcess(demo_plant, free_port(), home)
    for role in ("OPERATOR", "ENGINEER", "ADMIN"):
        del api.environment[f"KULLAGER_{role}_TOKEN"]
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
