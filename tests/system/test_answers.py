"""What the dashboard makes of answers that are none: a proxy that lies stands between a real browser and a real api."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest
from paho.mqtt import publish
from playwright.sync_api import Browser, Locator, Page, expect

from edge.contracts.plant_file import load_plant
from tests.conftest import PLAIN_HTTP
from tests.system.conftest import ENGINEER_TOKEN, PUMP, PUMP_PLANT, Site, wait_for

BELOW = "/stand"
PASSED_ON = ("Accept", "Content-Type", "Cookie", "X-CSRF-Token")
FIGURES = "/api/v1/alarms/performance"
LABELS = "/api/v1/labels"
Answer = tuple[int, str, bytes, int]
SAID = "the database does not answer; try again later"
PROBLEM = f'{{"title":"Service Unavailable","status":503,"detail":"{SAID}"}}'.encode()
# an answer is said to be so long, and no more than its beginning comes for longer than the dashboard waits
FOR_EVER = 2**40
SILENCE_S = 60
NOBODY = "The server does not answer."
FAULTS: dict[str, tuple[Answer | None, str]] = {
    "an error in words": ((503, "application/problem+json", PROBLEM, len(PROBLEM)), SAID),
    "an error of a proxy": ((502, "text/html", b"<h1>Bad Gateway</h1>", 20), "HTTP 502"),
    "a page to sign in": ((200, "text/html", b"<h1>Welcome</h1>", 16), NOBODY),
    "an answer cut off": ((200, "application/json", b'{"from":"2026-', 900), NOBODY),
    "an answer that never ends": ((200, "application/json", b"{", FOR_EVER), NOBODY),
    "a connection closed": (None, NOBODY),
}


# what a problem says of itself, and the sentence about it; what has no type is told in the words that it came with
TOLD = (
    ({"type": "/problems/database"}, "Serverns databas svarar inte.", "The server's database does not answer."),
    (
        {"type": "/problems/role-too-low", "role": "engineer"},
        "Det här kräver rollen ingenjör, som du inte har.",
        "This needs the role of engineer, which you do not have.",
    ),
    (
        {"type": "/problems/edge-refused", "edge": "edge-7"},
        "edge-7 utförde det inte. Med dess egna ord: not on a Sunday",
        "edge-7 did not do it. In its own words: not on a Sunday",
    ),
    (
        {"type": "https://proxy.example/sunday"},
        "Servern säger med egna ord: not on a Sunday",
        "The server says in its own words: not on a Sunday",
    ),
)


class Liar(ThreadingHTTPServer):
    """Serves what is at `origin`, below a path; what is in `lies` is answered so, and a lie about a change tells it first."""

    daemon_threads = True

    def __init__(self, port: int, origin: str) -> None:
        super().__init__(("127.0.0.1", port), Between)
        self.url = f"http://127.0.0.1:{port}{BELOW}"
        self.origin = httpx.Client(base_url=origin, timeout=30, verify=PLAIN_HTTP)
        self.lies: dict[tuple[str, str], Answer | None] = {}
        self.over = threading.Event()


class Between(BaseHTTPRequestHandler):
    server: Liar

    def _pass(self) -> None:
        path = self.path.removeprefix(BELOW)
        if path.startswith("/api/v1/stream"):
            self._answer(503, "text/plain", b"", 0)
            return
        place = (self.command, path.partition("?")[0])
        if place in self.server.lies and self.command == "GET":
            self._lie(self.server.lies[place])
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        told = self.server.origin.request(self.command, path, content=body, headers=headers)
        if place in self.server.lies:
            self._lie(self.server.lies[place])
            return
        cookies = told.headers.get_list("set-cookie")
        self._answer(told.status_code, told.headers.get("content-type", ""), told.content, len(told.content), cookies)

    do_GET = do_POST = do_DELETE = _pass  # noqa: N815  # the names that the server looks for

    def _lie(self, lie: Answer | None) -> None:
        if lie is None:
            self.close_connection = True
        else:
            self._answer(*lie)

    def _answer(self, status: int, media_type: str, content: bytes, told: int, cookies: list[str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        if status != 204:
            self.send_header("Content-Length", str(told))
        for cookie in cookies or ():
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content)
        if told == FOR_EVER:
            self.server.over.wait(SILENCE_S)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name there
        pass


@contextmanager
def lying(port: int, origin: str) -> Iterator[Liar]:
    with Liar(port, origin) as liar:
        thread = threading.Thread(target=liar.serve_forever, name="the liar")
        thread.start()
        yield liar
        liar.over.set()
        liar.shutdown()
        thread.join()
        liar.origin.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(locale="en-GB", reduced_motion="reduce")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def liar(make_site: Callable[[Path], Site], free_port: Callable[[], int]) -> Iterator[Liar]:
    site = make_site(PUMP_PLANT)
    site.start_api()
    with lying(free_port(), site.url) as liar:
        yield liar


def trouble(page: Page) -> Locator:
    return page.get_by_role("alert").filter(has_text="The figures could not be fetched")


def test_what_is_no_answer_is_said_in_words(page: Page, liar: Liar) -> None:
    for name, (lie, said) in FAULTS.items():
        liar.lies = {("GET", FIGURES): lie}
        page.goto(f"{liar.url}/?{name.replace(' ', '-')}#/operations/figures")
        expect(trouble(page)).to_contain_text(said, timeout=60_000)
    liar.lies = {}
    page.reload()
    expect(page.get_by_test_id("figures")).to_be_visible(timeout=60_000)
    expect(trouble(page)).to_have_count(0)


def test_a_problem_is_said_in_the_language_of_the_page(page: Page, liar: Liar) -> None:
    for n, (problem, swedish, english) in enumerate(TOLD):
        body = orjson.dumps({"title": "Conflict", "status": 409, "detail": "not on a Sunday", **problem})
        liar.lies = {("GET", FIGURES): (409, "application/problem+json", body, len(body))}
        page.goto(f"{liar.url}/?lang=sv&{n}#/operations/figures")
        expect(page.get_by_role("alert").filter(has_text=f"hämtas: {swedish}")).to_be_visible(timeout=60_000)
        page.get_by_test_id("language-en").click()
        expect(trouble(page)).to_contain_text(f"fetched: {english}")
        own = ["not on a Sunday"] if "Sunday" in english else []
        assert trouble(page).locator("q[lang=en]").all_text_contents() == own, "what has a sentence of its own shows no English"


def test_a_change_that_is_answered_badly_was_made_all_the_same(page: Page, liar: Liar) -> None:
    page.goto(f"{liar.url}/#token={ENGINEER_TOKEN}")
    page.goto(f"{liar.url}/#/models/labels")
    expect(page.get_by_test_id("signed-in")).to_have_attribute("data-role", "engineer", timeout=60_000)
    liar.lies = {("POST", LABELS): (201, "application/json", b'{"id":', 400)}
    page.get_by_test_id("label-asset").select_option(PUMP)
    page.get_by_test_id("label-from").fill("2026-01-01 06:00")
    page.get_by_test_id("label-go").click()
    kept = wait_for("the label", lambda: liar.origin.get(LABELS).json()["items"])
    assert [label["asset"] for label in kept] == [PUMP]
    # whatever comes first: what is wrong would be gone with the next round
    expect(page.get_by_test_id("label").or_(page.get_by_test_id("label-problem")).first).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("label-problem")).to_have_count(0)

    liar.lies = {("POST", LABELS): None}
    page.get_by_test_id("label-go").click()
    expect(page.get_by_test_id("label-problem")).to_have_text(NOBODY, timeout=60_000)


def test_of_an_edge_that_says_no_more_than_it_must_everything_is_shown(page: Page, make_site: Callable[[Path], Site]) -> None:
    site = make_site(PUMP_PLANT)
    site.start_api()
    since = "2026-11-23T09:00:00Z"
    sources = {"plc": {"state": "disconnected", "since": since, "problem": "nobody is there"}}
    outputs = {"back": "nobody listens"}
    status = {"edge": "edge-1", "online": True, "time": since, "version": "0.0.1", "sources": sources, "outputs": outputs}
    topic = load_plant(PUMP_PLANT).topics.edge_status("edge-1")
    publish.single(topic, orjson.dumps(status), qos=1, retain=True, port=site.mosquitto.port)
    wait_for("the status", site.edge_status)
    for view, shown in (("report", "report"), ("data", "edge-edge-1")):
        page.goto(f"{site.url}/#/operations/{view}")
        expect(page.get_by_test_id(shown)).to_be_visible(timeout=60_000)
    # its own words are marked as such, for those who read them and for those who hear them
    expect(page.locator("q[lang=en]")).to_have_text(["nobody listens", "nobody is there", "nobody is there"])
    page.goto(f"{site.url}/#/operations")
    expect(page.get_by_test_id("next").locator("q[lang=en]")).to_have_text("nobody listens", timeout=60_000)
