"""Two people's days in the real browser: an operator with one alarm, over an edge that dies; an engineer with one model."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

import onnx
import orjson
import pytest
from onnx import helper
from playwright.sync_api import Browser, Page, ViewportSize, expect

from models.signing import make_keys, sign
from tests.system.conftest import ENGINEER_TOKEN, PUMP, ROOT, TOKEN, Process, Site, wait_for
from tests.system.layout import misplaced

AXE = ROOT / "api" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
OPERATIONS = ["", "/data", "/figures", f"/history/{PUMP}", "/report"]
SIZES: dict[tuple[str, str], ViewportSize] = {
    ("sv-SE", "light"): {"width": 1920, "height": 1080},
    ("sv-SE", "dark"): {"width": 390, "height": 844},
    ("en-GB", "light"): {"width": 390, "height": 844},
    ("en-GB", "dark"): {"width": 3840, "height": 2160},
}
MODELS = ["", "/labels", "/export", "/access"]


@contextmanager
def signed_in(site: Site, browser: Browser) -> Iterator[Page]:
    """An operator's, signed in, in Swedish, and with no error in the end."""
    page = browser.new_page(locale="sv-SE", viewport={"width": 1600, "height": 1000}, reduced_motion="reduce")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site.url}/#token={TOKEN}")
    page.goto(f"{site.url}/#/operations")
    expect(page.get_by_test_id("signed-in")).to_be_visible(timeout=30_000)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def page(running: Site, browser: Browser) -> Iterator[Page]:
    with signed_in(running, browser) as page:
        yield page


def test_an_engineer_labels_and_promotes_a_model(page: Page, running: Site, tmp_path: Path) -> None:
    site = running
    page.goto(f"{site.url}/#token={ENGINEER_TOKEN}")
    page.goto(f"{site.url}/#/models/labels")
    expect(page.get_by_test_id("signed-in")).to_have_attribute("data-role", "engineer", timeout=30_000)
    page.get_by_test_id("label-from").fill("2026-01-01 06:00")
    page.get_by_test_id("label-to").fill("2026-01-01 05:00")
    page.get_by_test_id("label-go").click()
    expect(page.get_by_role("alert").filter(has_text="början före slutet")).to_be_visible()
    page.get_by_test_id("label-to").fill("2026-01-01 14:00")
    page.get_by_test_id("label-healthy").check()
    page.get_by_test_id("label-go").click()
    kept = wait_for("the label", lambda: site.get("/labels")["items"])
    assert (kept[0]["asset"], kept[0]["label"]) == (PUMP, "healthy")

    keys = site.home / "edge" / "model-keys"
    keys.mkdir(parents=True, exist_ok=True)
    make_keys(tmp_path / "team.key").rename(keys / "team.pem")
    page.goto(f"{site.url}/#/models")
    card = page.get_by_test_id("model-pump")
    expect(card).to_have_attribute("data-version", "1", timeout=30_000)

    _upload(page, *_variant(site, tmp_path, "2", spoiled=True))
    result = page.get_by_test_id("upload-result")
    expect(result).to_have_attribute("data-result", "refused", timeout=90_000)
    expect(result).to_contain_text("signatur", ignore_case=True)
    _upload(page, *_variant(site, tmp_path, "2"))
    expect(result).to_have_attribute("data-result", "shadow", timeout=90_000)
    shadow = page.get_by_test_id("shadow-pump")
    expect(shadow).to_have_attribute("data-version", "2", timeout=30_000)
    expect(shadow).not_to_have_attribute("data-scored", "0", timeout=60_000)

    page.get_by_test_id("promote").click()
    page.get_by_test_id("confirm-yes").click()
    expect(card).to_have_attribute("data-version", "2", timeout=60_000)
    expect(page.locator("[data-testid=step][data-step=promoted]")).to_have_count(1, timeout=30_000)
    page.get_by_test_id("rollback").click()
    page.get_by_test_id("confirm-yes").click()
    expect(card).to_have_attribute("data-version", "1", timeout=60_000)
    page.goto(f"{site.url}/#/models/access")
    expect(page.locator("[data-testid=audit-row][data-action='models.promote']")).to_have_count(1, timeout=30_000)


def test_the_history_of_a_machine_is_in_its_address(page: Page, running: Site) -> None:
    page.goto(f"{running.url}/#/operations/history/{PUMP}?range=8h&compare=before")
    history = page.get_by_test_id("history")
    expect(history).not_to_have_attribute("data-points", "0", timeout=30_000)
    page.get_by_test_id("preset-1h").click()
    expect(page.get_by_test_id("preset-1h")).to_have_attribute("aria-pressed", "true")
    chart = page.locator("[data-testid=history] .u-over").first
    box = chart.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=5)
    page.mouse.up()
    page.wait_for_url("**/history/*from=*to=*")
    assert "compare=before" in page.url
    expect(page.get_by_test_id("preset-1h")).to_have_attribute("aria-pressed", "false")

    page.goto(f"{running.url}/#/operations/history/{PUMP}?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")
    expect(page.get_by_test_id("history-empty")).to_be_visible(timeout=30_000)


def test_an_operator_handles_an_alarm_by_keyboard_from_its_raise_to_its_end(pump_site: Site, browser: Browser) -> None:
    edge = pump_site.start_pump()
    with signed_in(pump_site, browser) as page:
        handle_an_alarm(page, pump_site, edge)


def handle_an_alarm(page: Page, site: Site, edge: Process) -> None:
    expect(page.get_by_test_id("empty")).to_be_visible(timeout=30_000)
    site.post("/simulator/faults", {"asset": PUMP, "fault": "bearing-wear", "severity": 1.0, "over_s": 10}, token=None)
    raised = wait_for("the alarm", lambda: site.alarms("anomaly", "open"))[0]["alarm_id"]
    row = page.locator(f"[data-testid=alarm][data-alarm='{raised}']")
    expect(row).to_have_attribute("data-state", "active-unacknowledged", timeout=30_000)

    edge.kill()
    wait_for("the api says so", lambda: site.edge_status()["online"] is False)
    expect(page.get_by_test_id("next")).to_contain_text("bortkopplad", timeout=30_000)
    row.click()
    page.keyboard.press("a")
    expect(page.get_by_test_id("action-problem")).to_contain_text("edge-1 är bortkopplad, så inget skickades", timeout=30_000)
    # what is said already follows the language; what was spoken is not spoken again in the other one
    page.get_by_test_id("language-en").click()
    expect(page.get_by_test_id("action-problem")).to_contain_text("edge-1 is offline, so nothing was sent")
    expect(page.get_by_role("alert").filter(has_text="Nytt larm")).to_have_count(0)
    page.get_by_test_id("language-sv").click()
    # whoever has a button in hand has its keys
    page.evaluate("document.activeElement.blur()")
    edge.start()
    wait_for("the edge is back", lambda: site.edge_status()["online"] and site.latest(PUMP).get("score") is not None)
    expect(row).to_have_attribute("data-state", "active-unacknowledged", timeout=30_000)

    # from anywhere the arrows lead into the list; then on to this alarm
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-testid=alarm]:focus")).to_have_count(1)
    page.keyboard.press("Home")
    for _ in range(page.get_by_test_id("alarm").count()):
        if page.locator(f"[data-alarm='{raised}']:focus").count():
            break
        page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("alarm-detail")).to_have_attribute("data-alarm", raised)
    assert f"alarm={raised}" in page.url, "the view stands in the address"

    page.keyboard.press("c")
    page.keyboard.type("lagret byts i eftermiddag")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("alarm-detail")).to_contain_text("lagret byts i eftermiddag", timeout=30_000)
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("action-form")).to_have_count(0)
    page.keyboard.press("a")
    expect(row).to_have_attribute("data-state", "active-acknowledged", timeout=30_000)

    page.get_by_test_id("verdict-right").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "right", timeout=30_000)
    (label,) = site.get(f"/labels?alarm_id={raised}")["items"]
    assert (label["asset"], label["verdict"], label["label"]) == (PUMP, "right", "fault")

    site.post(f"/simulator/faults/{PUMP}", {}, method="DELETE", token=None)
    expect(page.get_by_test_id("alarm-detail")).to_have_attribute("data-state", "normal", timeout=90_000)
    page.get_by_test_id("show-closed").click()
    expect(row).to_have_attribute("data-state", "normal", timeout=30_000)
    states = [change["state"] for change in site.get(f"/alarms/{raised}")["history"]]
    assert (states[0], states[-1]) == ("active-unacknowledged", "normal")

    page.goto(f"{site.url}/#/operations/report")
    expect(page.get_by_test_id("report")).to_contain_text("Cirkulationspump", timeout=30_000)


def test_axe_finds_nothing_on_any_page_and_no_box_lies_over_another(pump_site: Site, browser: Browser) -> None:
    """In both languages, light and dark, and none is wider than a telephone or than a wall."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; `make dashboard` brings it")
    site = pump_site
    found: dict[tuple[str, ...], object] = {}
    site.start_pump()
    site.post("/simulator/faults", {"asset": PUMP, "fault": "bearing-wear", "severity": 1.0, "over_s": 5}, token=None)
    wait_for("the alarm", lambda: site.alarms("anomaly", "open"))
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for locale, scheme in product(("sv-SE", "en-GB"), schemes):
        # axe is brought from outside the page, which the page's own policy forbids
        size = SIZES[locale, scheme]
        context = browser.new_context(
            locale=locale, color_scheme=scheme, bypass_csp=True, viewport=size, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(f"{site.url}/#token={TOKEN}")
        expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=30_000)
        # once: from here on only what is behind the address's # changes
        page.evaluate(AXE.read_text())
        for path in [
            "",
            "plant",
            f"assets/{PUMP}",
            *(f"operations{rest}" for rest in OPERATIONS),
            *(f"models{rest}" for rest in MODELS),
        ]:
            page.goto(f"{site.url}/#/{path}")
            expect(page.locator("main h1")).to_be_visible(timeout=30_000)
            expect(page.locator("main .panel").nth(0)).to_be_visible(timeout=30_000)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than {size}"
            if wrong := misplaced(page):
                found[path, locale, scheme, "layout"] = wrong
            violations = page.evaluate("axe.run().then(({violations}) => violations)")
            if violations:
                found[path, locale, scheme] = [(each["id"], each["nodes"][0]["html"][:200]) for each in violations]
        page.add_style_tag(content="main .panel { width: 104%; margin-bottom: -3rem; }")
        assert misplaced(page), "boxes that lie wrong are found"
        context.close()
    assert found == {}


def _variant(site: Site, folder: Path, version: str, *, spoiled: bool = False) -> tuple[Path, Path]:
    """The pump's model under another version, and its signature; `spoiled`: the signature is of another file."""
    model = onnx.load(site.home / "models" / "pump.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    spec = orjson.loads(metadata["kullager.spec"]) | {"version": version}
    helper.set_model_props(model, metadata | {"kullager.spec": orjson.dumps(spec).decode()})
    path = folder / f"pump-{version}.onnx"
    path.write_bytes(model.SerializeToString())
    signature = sign(path, folder / "team.key")
    if spoiled:
        other = folder / "other.onnx"
        shutil.copy(site.home / "models" / "pump.onnx", other)
        signature = sign(other, folder / "team.key")
    return path, signature


def _upload(page: Page, model: Path, signature: Path) -> None:
    page.get_by_test_id("upload-file").set_input_files(model)
    page.get_by_test_id("upload-signature").set_input_files(signature)
    page.get_by_test_id("upload-go").click()
