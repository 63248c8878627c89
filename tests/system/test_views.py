"""What the address of a view says stays true: on a reload, on a telephone by its code, and until a visitor has left."""

import base64
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.conftest import ENGINEER_TOKEN, PUMP, ROOT, TOKEN, Site, wait_for

JSQR = ROOT / "api" / "dashboard" / "node_modules" / "jsqr" / "dist" / "jsQR.js"
WITHIN_MS = 180_000
HOSTNAME = "stand.example"
DECODE = """async picture => {
  const image = new Image();
  image.src = picture;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const {data, width, height} = canvas.getImageData(0, 0, image.width, image.height);
  return jsQR(data, width, height)?.data ?? null;
}"""
# is it pressed, and what language is the page in, before anything more is painted
TOUCHED = """async button => {
  button.click();
  for (let k = 0; k < 9; k++) await null;
  return [button.getAttribute("aria-pressed"), document.documentElement.lang];
}"""
# the address, and what then is pressed or chosen there
VIEWS = [
    ("#/?machine=pump-101", "[data-testid=tile-pump-101][aria-current=true]"),
    ("#/assets/pump-101?range=30m", "[data-testid=range-30m][aria-current=true]"),
    ("#/operations?show=closed", "[data-testid=show-closed][aria-pressed=true]"),
    ("#/operations/history/pump-101?range=8h&compare=before", "[data-testid=preset-8h][aria-pressed=true]"),
]


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Browser]:
    """A browser of another machine, to which this one has a name."""
    executable = shutil.which("chromium")
    if executable is None or not JSQR.exists():
        pytest.skip("chromium or jsqr is not installed; `make test` brings both")
    stranger = browser.browser_type.launch(
        executable_path=executable,
        args=["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {HOSTNAME} 127.0.0.1"],
    )
    yield stranger
    stranger.close()


def test_a_view_comes_back_as_it_was_on_a_reload(running: Site, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB", color_scheme="light", reduced_motion="reduce")
    page.goto(f"{running.url}/#token={TOKEN}")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=WITHIN_MS)
    for view, chosen in VIEWS:
        address = f"{running.url}/?lang=sv&theme=dark&kiosk{view}"
        page.goto(address)
        for _ in range(2):
            expect(page.locator(chosen)).to_be_visible(timeout=WITHIN_MS)
            assert page.url == address
            _shows(page, language="sv", theme="dark")
            page.reload()
    # what is chosen on the page goes into its address
    page.goto(f"{running.url}/#/assets/{PUMP}?range=5m")
    # the touch is answered first, and the page written anew after that
    assert page.get_by_test_id("language-sv").evaluate(TOUCHED, timeout=WITHIN_MS) == ["true", "en"]
    expect(page.locator("html")).to_have_attribute("lang", "sv")
    page.get_by_test_id("theme").click()
    page.get_by_test_id("range-6h").click()
    theme = page.locator("html").get_attribute("data-theme") or ""
    page.reload()
    expect(page.get_by_test_id("range-6h")).to_have_attribute("aria-current", "true", timeout=WITHIN_MS)
    _shows(page, language="sv", theme=theme)
    page.close()


def test_a_token_in_the_address_signs_in_and_is_nowhere_afterwards(running: Site, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB", reduced_motion="reduce")
    page.goto(f"{running.url}/#/plant")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=WITHIN_MS)
    # in one go: the event of a changed hash comes only after the last of them
    page.evaluate(
        "hashes => hashes.forEach(hash => location.hash = hash)", [f"token={TOKEN}", f"token={ENGINEER_TOKEN}", "/models"]
    )
    expect(page.get_by_test_id("signed-in")).to_have_attribute("data-role", "engineer", timeout=WITHIN_MS)
    assert page.url == f"{running.url}/#/models"
    history = page.evaluate("navigation.entries().map(({url}) => url)")
    assert not any("token" in address for address in history), history
    page.close()


def test_after_a_rest_the_visitors_page_is_at_its_start_and_the_pump_is_repaired(running: Site, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB", reduced_motion="reduce")
    page.goto(f"{running.url}/?rest=30#/?machine={PUMP}")
    page.get_by_test_id("speed-30").check(force=True, timeout=WITHIN_MS)
    page.get_by_test_id("inject-bearing-wear").click()
    wait_for("the fault has begun", lambda: running.episode().get("began"), 300.0)
    # nobody touches the page from here on
    wait_for("it is repaired", lambda: running.episode().get("repaired"), 300.0)
    page.wait_for_url(re.compile(r"/\?rest=30#/$"), timeout=WITHIN_MS)
    page.close()


def test_the_code_for_telephones_is_the_address_by_which_others_reach_the_page(running: Site, stranger: Browser) -> None:
    page = stranger.new_page(reduced_motion="reduce")
    page.goto(f"{running.url}/?lang=en")
    phone = page.get_by_test_id("phone")
    expect(phone).to_contain_text("from this computer only", timeout=WITHIN_MS)
    expect(phone.locator("svg")).to_have_count(0)

    address = f"http://{HOSTNAME}:{running.port}/"
    page.goto(f"{address}?lang=en")
    expect(phone.locator("svg")).to_be_visible(timeout=WITHIN_MS)
    picture = base64.b64encode(phone.locator("svg").screenshot()).decode()
    page.goto("about:blank")
    page.evaluate(JSQR.read_text("utf-8"))
    assert page.evaluate(DECODE, f"data:image/png;base64,{picture}") == address
    page.goto(address)
    expect(page.get_by_test_id(f"tile-{PUMP}")).to_be_visible(timeout=WITHIN_MS)
    page.close()


def _shows(page: Page, *, language: str, theme: str) -> None:
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
