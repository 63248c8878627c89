"""A new model comes to an edge that runs, scores in shadow, is promoted and put back: no instant is missed."""

import functools
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import orjson
import pytest
from onnx import helper, numpy_helper

from models.signing import make_keys, sign
from tests.system.conftest import ENGINEER_TOKEN, Site, wait_for

PUMP = "pump-101"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder of model files, and its address on a real HTTP server."""
    folder = tmp_path / "shop"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


@pytest.fixture
def offer(pump_site: Site, shop: tuple[Path, str]) -> Callable[..., dict[str, str]]:
    """A function that signs a variant of the pump's model, and gives what the api is told of it."""
    folder, address = shop
    keys = pump_site.home / "edge" / "model-keys"
    keys.mkdir(parents=True)
    private = folder.parent / "pilot-team.key"
    make_keys(private).rename(keys / "pilot-team.pem")

    def make(version: str, edit: Callable[[onnx.ModelProto], object] = lambda _: None) -> dict[str, str]:
        model = onnx.load(pump_site.home / "models" / "pump.onnx")
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        spec = orjson.loads(metadata["kullager.spec"]) | {"version": version}
        helper.set_model_props(model, metadata | {"kullager.spec": orjson.dumps(spec).decode()})
        edit(model)
        path = folder / f"pump-{version}.onnx"
        path.write_bytes(model.SerializeToString())
        signature = sign(path, private).read_text().strip()
        return {
            "url": f"{address}/{path.name}",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "signature": signature,
        }

    return make


def test_a_model_is_changed_while_the_pump_runs(pump_site: Site, offer: Callable[..., dict[str, str]]) -> None:
    site = pump_site
    new, hostile = offer("2"), offer("3", _never_ends)
    site.start_api()
    edge = site.start("edge", "run")
    wait_for("the edge is there", lambda: _model(site).get("version") == "1")

    # what is signed and hostile is refused with words, though no sample has come yet
    site.post("/models/pump/shadow", hostile, token=ENGINEER_TOKEN)
    (refused,) = wait_for("the refusal", lambda: _steps(site))
    assert (refused["step"], refused["sha256"], refused["key"]) == ("refused", hostile["sha256"], "pilot-team")
    assert (
        refused["reason"] == f"{hostile['url']}: has a Loop that may never end: the graph should say how often it runs at most"
    )
    assert _model(site)["shadow"] is None

    site.start("simulator", "run", "--speed", "10")
    wait_for("the pump is scored", lambda: site.latest(PUMP).get("score") is not None)
    begun = site.latest(PUMP)["time"]

    site.post("/models/pump/shadow", new, token=ENGINEER_TOKEN)
    (step,) = wait_for("the shadow", lambda: _steps(site)[1:])
    assert (step["step"], step["version"], step["sha256"]) == ("shadow", "2", new["sha256"])
    assert (step["key"], step["by"]) == ("pilot-team", "engineer")
    wait_for("both to have scored", lambda: ((_model(site).get("shadow") or {}).get("scored") or 0) > 0)
    shadow = _model(site)["shadow"]
    assert shadow["agreed"] == shadow["scored"], "it is the same model with another version"
    assert abs(shadow["difference"]) < 1e-6
    assert _version(site) == "1"

    site.post("/models/pump/promote", {"sha256": new["sha256"]}, token=ENGINEER_TOKEN)
    wait_for("the new model", lambda: _version(site) == "2")
    site.post("/models/pump/promote", {"sha256": new["sha256"]}, token=ENGINEER_TOKEN)
    wait_for("the status", lambda: _model(site)["version"] == "2")
    promoted = site.latest(PUMP)["time"]
    wait_for("some of the new one's", lambda: site.latest(PUMP)["time"] > promoted and len(_items(site, promoted)) > 5)

    site.post("/models/pump/rollback", {}, token=ENGINEER_TOKEN)
    wait_for("the old model", lambda: _version(site) == "1")
    back = site.latest(PUMP)["time"]
    wait_for("some of the old one's", lambda: len(_items(site, back)) > 5)
    engineer = {"Authorization": f"Bearer {ENGINEER_TOKEN}"}
    answer = httpx.post(f"{site.url}/api/v1/models/pump/rollback", json={}, headers=engineer, timeout=10)
    assert answer.status_code == 409
    assert "there is no model before the one in service for 'pump'" in answer.text

    found = _items(site, begun)
    times = [datetime.fromisoformat(item["time"]).timestamp() for item in found]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {1.0}, "each instant once"
    assert {item["reason"] for item in found} == {None}, "and scored, without a window begun anew"
    versions = [version for version, _ in itertools.groupby(item["model"]["version"] for item in found)]
    assert versions == ["1", "2", "1"], "from one instant to the next"
    assert [(step["step"], step["version"]) for step in _steps(site)] == [
        ("refused", None),
        ("shadow", "2"),
        ("promoted", "2"),
        ("rolled-back", "1"),
    ]
    assert edge.stop() == 0


def test_a_model_is_sent_through_the_api(pump_site: Site, offer: Callable[..., dict[str, str]], shop: tuple[Path, str]) -> None:
    site, (folder, _) = pump_site, shop
    new = offer("2")
    site.start_api()
    edge = site.start("edge", "run")
    wait_for("the edge is there", lambda: _model(site).get("version") == "1")
    answer = httpx.post(
        f"{site.url}/api/v1/models/pump/upload",
        content=(folder / "pump-2.onnx").read_bytes(),
        headers={
            "Authorization": f"Bearer {ENGINEER_TOKEN}",
            "Content-Type": "application/octet-stream",
            "X-Model-Signature": new["signature"],
        },
        timeout=30,
    )
    assert (answer.status_code, answer.json()["sha256"]) == (202, new["sha256"]), answer.text
    (step,) = wait_for("the shadow", lambda: _steps(site))
    assert (step["step"], step["sha256"], step["key"]) == ("shadow", new["sha256"], "pilot-team"), step
    assert edge.stop() == 0


def _never_ends(model: onnx.ModelProto) -> None:
    """Adds a Loop that never says that it is done."""
    body = onnx.parser.parse_graph(
        "turn (int64 number, bool going) => (bool goes_on) { goes_on = Identity(going) }",
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.node.append(helper.make_node("Loop", ["", "always"], [], body=body))


def _steps(site: Site) -> list[dict[str, Any]]:
    return (site.get("/models/audit") or {"items": []})["items"]


def _model(site: Site) -> dict[str, Any]:
    items = (site.get("/models") or {"items": []})["items"]
    return next((item for item in items if item["name"] == "pump"), {})


def _version(site: Site) -> str | None:
    return (site.latest(PUMP).get("model") or {}).get("version")


def _items(site: Site, since: str) -> list[dict[str, Any]]:
    path = f"/assets/{PUMP}/assessments?from={since}&to=2100-01-01T00:00:00Z&points=10000"
    return (site.get(path) or {"items": []})["items"]
