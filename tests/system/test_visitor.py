"""The visitor's page in a real browser: break the pump, see who notices first, read why, and be shown around."""

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.formats.json_message import parse_time
from tests.system.conftest import PUMP, ROOT, Site, wait_for

AXE = ROOT / "api" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# for a busy machine; nothing is said of how long it takes
WITHIN_MS = 180_000
# what moves on the page: the properties of everything that is animated
MOVED = """() => document.getAnimations().flatMap(each => each.effect.getKeyframes()).flatMap(Object.keys)
  .filter(name => !["offset", "computedOffset", "easing", "composite"].includes(name))"""


def break_the_pump(page: Page, site: Site) -> None:
    before = site.episode().get("began")
    tile = page.get_by_test_id(f"tile-{PUMP}")
    expect(tile).to_have_attribute("data-state", "normal", timeout=WITHIN_MS)
    page.get_by_test_id("inject-bearing-wear").click()
    expect(tile).to_have_attribute("data-state", "anomalous", timeout=WITHIN_MS)
    wait_for("the fault is told", lambda: site.episode().get("began") not in (None, before))


@pytest.mark.skipif(not AXE.exists(), reason=f"{AXE} is not there; `npm ci` in api/dashboard brings it")
def test_axe_finds_nothing_in_either_language_in_light_and_in_dark(running: Site, browser: Browser) -> None:
    axe = AXE.read_text("utf-8")

    def check(page: Page, what: str) -> None:
        page.evaluate(axe)
        found = page.evaluate("tags => axe.run(document, {runOnly: tags})", WCAG)
        told = [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]]
        assert told == [], f"{what}: {told}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{what}: wider than the screen"

    broken = False
    for language, theme, size in (("en", "light", (1920, 1080)), ("sv", "dark", (390, 844))):
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
        page.goto(f"{running.url}/?lang={language}&theme={theme}")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        page.get_by_test_id("assumptions").click(timeout=WITHIN_MS)
        if not broken:
            check(page, f"{language}, {theme}, nothing broken")
            break_the_pump(page, running)
            broken = True
        expect(page.get_by_test_id("sentence")).to_be_visible(timeout=WITHIN_MS)
        check(page, f"{language}, {theme}, broken")
        page.close()


def test_a_visitor_breaks_the_pump_and_reads_why(running: Site, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB", viewport={"width": 1920, "height": 1080})
    strangers: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(running.url) else strangers.append(request.url))
    page.goto(f"{running.url}/?lang=en")
    expect(page.get_by_test_id("state-of-all")).to_contain_text("run as expected", timeout=WITHIN_MS)
    break_the_pump(page, running)

    # who noticed first, from what was really said
    expect(page.get_by_test_id("race-fail")).to_have_attribute("data-ms", "120000", timeout=WITHIN_MS)
    noticed = page.get_by_test_id("race-eye")
    expect(noticed).not_to_have_attribute("data-ms", "", timeout=WITHIN_MS)
    wait_for("the fault is complete", lambda: running.episode().get("severity") == 1.0)
    episode = running.episode()
    address = f"/assets/{PUMP}/assessments?from={episode['began']}&points=10000"
    said = [(parse_time(item["time"]), item) for item in running.get(address)["items"]]
    first = min(time for time, item in said if item["state"] == "anomalous")
    shown_ms = float(noticed.get_attribute("data-ms") or "nan")
    assert shown_ms == pytest.approx((first - parse_time(episode["began"])) / 1e6, abs=1.0)
    crossed = [time for time, item in said if item["measured"]["vibration"] >= 7.1]
    limit = page.get_by_test_id("race-limit")
    expect(limit).not_to_have_attribute("data-ms", "", timeout=WITHIN_MS)
    limit_ms = float(limit.get_attribute("data-ms") or "nan")
    assert limit_ms == pytest.approx((min(crossed) - parse_time(episode["began"])) / 1e6, abs=1.0)
    expect(page.get_by_test_id("race-headline")).to_contain_text("ahead" if shown_ms != limit_ms else "together")

    # why
    expect(page.get_by_test_id("sentence")).to_contain_text("vibration has grown", timeout=WITHIN_MS)
    # what else moved would be laid out and painted in every frame
    moved = set(page.evaluate(MOVED))
    assert "transform" in moved
    assert moved <= {"transform", "opacity"}
    expect(page.get_by_test_id("because").locator("li").first).to_have_attribute("data-testid", "share-vibration")
    assert "Vibration" in page.get_by_test_id(f"tile-{PUMP}").inner_text()

    # what it costs follows the assumptions
    before = page.get_by_test_id("cost-fail").inner_text()
    page.get_by_test_id("assumptions").click()
    page.get_by_test_id("assumed-failed_h").fill("1000")
    expect(page.get_by_test_id("cost-fail")).to_contain_text("1,000 h")
    assert page.get_by_test_id("cost-fail").inner_text() != before

    page.get_by_test_id("repair").click()
    wait_for("it is repaired", lambda: running.episode()["repaired"])
    expect(page.get_by_test_id(f"tile-{PUMP}")).to_have_attribute("data-state", "normal", timeout=WITHIN_MS)
    expect(page.get_by_test_id("repair")).to_be_disabled(timeout=WITHIN_MS)
    assert strangers == []
    page.close()


def test_the_tour_begins_by_a_button_and_ends_with_everything_repaired(running: Site, browser: Browser) -> None:
    def touring() -> bool:
        items = running.get("/simulator/scenarios")["items"]
        return any(item["active"] for item in items if item["scenario"] == "visitor")

    before = running.episode().get("began")
    page = browser.new_page(viewport={"width": 1920, "height": 1080}, reduced_motion="reduce")
    page.goto(f"{running.url}/?lang=en")
    page.get_by_test_id("tour-start").click(timeout=WITHIN_MS)
    wait_for("the story is played", touring)
    expect(page.get_by_test_id("tour")).to_contain_text("Bearing wear", timeout=WITHIN_MS)
    page.get_by_test_id("tour-end").click()
    wait_for("the story has ended", lambda: not touring())
    wait_for("it is repaired", lambda: running.episode().get("began") != before and running.episode()["repaired"])
    expect(page.get_by_test_id("tour-start")).to_be_visible(timeout=WITHIN_MS)
    page.close()
