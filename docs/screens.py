"""The dashboard in pictures: the demo runs, its pump is broken, and every page is taken as somebody would find it."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from docs.machines import ROOT

PUMP: Final = "pump-101"
GROWS_S: Final = 120
WITHIN_S: Final = 600.0
SETTLES_MS: Final = 3000
COLOURS: Final = 256
WALL, PHONE = (1920, 1080), (390, 844)
DARK: Final[Any] = {"language": "sv", "theme": "dark"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A page, and what must be there before it is taken."""

    path: str
    hash: str
    shows: str
    size: tuple[int, int] = WALL
    language: str = "en"
    theme: str = "light"


SHOTS: Final = (
    Shot(path="api/dashboard/overview.png", hash="#/", shows="[data-testid=race-limit]:not([data-ms=''])"),
    Shot(path="docs/pictures/dashboard-asset.png", hash=f"#/assets/{PUMP}?range=5m", shows=".uplot", **DARK),
    Shot(path="docs/pictures/dashboard-operations.png", hash="#/operations", shows="[data-testid=alarm-detail]", **DARK),
    Shot(path="docs/pictures/dashboard-models.png", hash="#/models", shows="[data-testid=model-pump]", **DARK),
    Shot(path="docs/pictures/dashboard-visitor-phone.png", hash="#/", shows="[data-testid=sentence]", size=PHONE),
    Shot(
        path="docs/pictures/dashboard-operations-phone.png", hash="#/operations", shows="[data-testid=alarm-detail]", size=PHONE
    ),
)


def take_all() -> Iterator[Path]:
    """Take every picture; gives the files as they are written. `KULLAGER_HOME` with trained models makes it shorter."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed; `make pictures` brings it where it may")
    with demo() as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        # what it said when it ran last says nothing of now
        begun = datetime.now(tz=UTC).isoformat()
        _wait(
            "the simulator says what may be broken",
            lambda: httpx.get(f"{url}/api/v1/simulator/faults", timeout=30).json()["items"],
        )
        _wait(f"{PUMP} is judged", lambda: _latest(url).get("time", "") > begun and _latest(url)["state"] == "normal")
        fault = {"asset": PUMP, "fault": "bearing-wear", "severity": 1.0, "over_s": GROWS_S}
        httpx.post(f"{url}/api/v1/simulator/faults", json=fault).raise_for_status()
        _wait(f"{PUMP} is found abnormal", lambda: _latest(url)["state"] == "anomalous")
        for shot in SHOTS:
            page = browser.new_page(viewport={"width": shot.size[0], "height": shot.size[1]})
            page.set_default_timeout(1000 * WITHIN_S)
            page.goto(f"{url}/?lang={shot.language}&theme={shot.theme}#token={token}")
            page.locator("[data-testid=connection][data-state=live]").wait_for()
            page.goto(f"{url}/?lang={shot.language}&theme={shot.theme}{shot.hash}")
            yield _take(page, shot)
            page.close()
        browser.close()


def _take(page: Page, shot: Shot) -> Path:
    page.locator(shot.shows).first.wait_for(state="attached")
    page.wait_for_timeout(SETTLES_MS)
    path = ROOT / shot.path
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """A running demo: its address, and the token of its operator."""
    with contextlib.ExitStack() as stack:
        home = os.environ.get("KULLAGER_HOME") or stack.enter_context(TemporaryDirectory(prefix="kullager-pictures-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = stack.enter_context((Path(home) / "pictures.log").open("w+"))
        process = subprocess.Popen(  # noqa: S603  # nothing of it comes from outside
            [sys.executable, "-m", "simulator.demo", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "KULLAGER_HOME": home, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{port}", _wait("the demo runs", lambda: _token(Path(log.name), process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _token(log: Path, process: subprocess.Popen[bytes]) -> str | None:
    said = log.read_text("utf-8")
    if process.poll() is not None:
        sys.exit(f"the demo has ended: {said}")
    found = re.search(r"#token=(\S+)", said)
    return found and found.group(1)


def _latest(url: str) -> dict[str, Any]:
    items = httpx.get(f"{url}/api/v1/assets", timeout=30).json()["items"]
    return next((item["latest"] or {} for item in items if item["id"] == PUMP), {})


def _wait(what: str, condition: Callable[[], T | None]) -> T:
    end = time.monotonic() + WITHIN_S
    while not (found := condition()):
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {WITHIN_S:.0f} s")
        time.sleep(0.5)
    return found
