"""Two visitors at once, at the stand's screen and on a telephone: they do not disturb each other more than they must."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.system.conftest import PUMP, PUMP_PLANT, Site, wait_for

OTHER = "pump-102"
# for a busy machine; nothing is said of how long it takes
WITHIN_MS = 180_000
AT_START = re.compile(r"#/$")


def two_pumps(path: Path) -> Path:
    """The pump's plant file with another pump like it."""
    text = PUMP_PLANT.read_text("utf-8")
    pump = text[text.index(f"[assets.{PUMP}]") :]
    path.write_text(text + "\n" + pump.replace(PUMP, OTHER).replace("pump 101", "pump 102"), "utf-8")
    return path


def test_neither_visitor_disturbs_the_other(
    make_site: Callable[[Path], Site], pump_model: Path, tmp_path: Path, browser: Browser
) -> None:
    site = make_site(two_pumps(tmp_path / "plant.toml"))
    (site.home / "models").mkdir()
    (site.home / "models" / "pump.onnx").write_bytes(pump_model.read_bytes())
    api = site.start_api()
    site.start("edge", "run")
    # slow enough that a race of ten minutes outlasts what is done meanwhile
    site.start("simulator", "run", "--speed", "4")
    for asset in (PUMP, OTHER):
        wait_for(f"{asset} is scored", lambda asset=asset: site.latest(asset).get("state") == "normal", 300.0)

    def episode(asset: str) -> dict[str, Any]:
        items = (site.get("/simulator/truth") or {"items": []})["items"]
        return next((item["episode"] for item in items if item["asset"] == asset), None) or {}

    def goes_on(asset: str) -> bool:
        return episode(asset).get("repaired", "") is None

    def touring() -> bool:
        return any(item["active"] for item in site.get("/simulator/scenarios")["items"])

    def open_page(address: str, width: int, height: int) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB")
        page = context.new_page()
        page.goto(f"{site.url}/{address}")
        expect(page.get_by_test_id("repair")).to_be_visible(timeout=WITHIN_MS)
        return page

    def break_it(page: Page, asset: str, over_s: int) -> None:
        page.get_by_test_id(f"tile-{asset}").click()
        page.get_by_test_id(f"speed-{over_s}").check(force=True)
        page.get_by_test_id("inject-bearing-wear").click(timeout=WITHIN_MS)
        expect(page.get_by_test_id("break-said")).to_contain_text("has begun", timeout=WITHIN_MS)
        wait_for("the fault is told", lambda: goes_on(asset))

    stand = open_page("?lang=en&rest=30&kiosk", 1920, 1080)
    phone = open_page("?lang=en&rest=20", 390, 844)
    whose, whose_phone = stand.get_by_test_id("break-how"), phone.get_by_test_id("break-how")

    # the one reads of a machine, the other breaks another one: the page of the first stays where it is
    stand.get_by_test_id("state-of-all").click()
    break_it(phone, OTHER, 600)
    began = episode(OTHER)["began"]
    for _ in range(2):
        stand.wait_for_event("response", lambda response: response.url.endswith("/simulator/truth"), timeout=WITHIN_MS)
    expect(stand.get_by_test_id("break-title")).to_contain_text("101")

    # in the midst of the other's race: whose it is and since when; a second fault would spoil it
    stand.get_by_test_id(f"tile-{OTHER}").click()
    expect(whose).to_contain_text("Somebody else broke this machine at", timeout=WITHIN_MS)
    clock = stand.get_by_test_id("race-bolt").locator("strong").inner_text()
    expect(whose).to_contain_text(clock)
    expect(stand.get_by_test_id("inject-cavitation")).to_be_disabled()

    # the rest of the one repairs what is his, and begins no tour while the other races
    break_it(stand, PUMP, 30)
    wait_for("the stand has rested", lambda: episode(PUMP)["repaired"])
    stand.wait_for_url(AT_START, timeout=WITHIN_MS)
    expect(whose).to_contain_text("Somebody else", timeout=WITHIN_MS)
    assert goes_on(OTHER)
    assert episode(OTHER)["began"] == began
    assert not touring()

    # who repairs what the other broke may break it anew: the rest of the other leaves it alone
    stand.get_by_test_id(f"tile-{OTHER}").click()
    stand.get_by_test_id("repair").click()
    expect(phone.get_by_test_id("break-said")).to_contain_text("Somebody else has repaired", timeout=WITHIN_MS)
    break_it(stand, OTHER, 600)
    phone.wait_for_url(AT_START, timeout=WITHIN_MS)
    expect(whose_phone).to_contain_text("Somebody else broke this machine at", timeout=WITHIN_MS)
    assert goes_on(OTHER)

    # a restart of the api forgets when the fault began, the pages do not
    clock = stand.get_by_test_id("race-bolt").locator("strong").inner_text()
    api.kill()
    api.start()
    wait_for("the truth is told again", lambda: goes_on(OTHER), 300.0)
    assert episode(OTHER)["began"] is None
    for page in (stand, phone):
        page.wait_for_function("() => fetch('api/v1/simulator/truth').then(answer => answer.ok)", timeout=WITHIN_MS)
        expect(page.get_by_test_id("race-bolt")).to_contain_text(clock, timeout=WITHIN_MS)
    expect(whose_phone).to_contain_text(clock)
    expect(whose).not_to_contain_text("Somebody else")

    # who breaks a machine during the tour ends it; his fault stays, also when the stand is touched after that
    stand.get_by_test_id("repair").click()
    wait_for("it is repaired", lambda: not goes_on(OTHER))
    wait_for("the stand gives its tour", touring, 300.0)
    expect(phone.get_by_test_id("tour")).to_be_visible(timeout=WITHIN_MS)
    wait_for("the tour breaks a pump", lambda: goes_on(PUMP) or goes_on(OTHER), 300.0)
    break_it(phone, OTHER, 600)
    wait_for("the tour has ended", lambda: not touring())
    expect(stand.get_by_test_id("tour")).to_be_hidden(timeout=WITHIN_MS)
    stand.get_by_test_id("state-of-all").click()
    stand.get_by_test_id(f"tile-{OTHER}").click()
    expect(whose).to_contain_text("Somebody else broke this machine at", timeout=WITHIN_MS)
    assert goes_on(OTHER)
    assert not goes_on(PUMP)
    for page in (stand, phone):
        page.context.close()
