"""What machines did with their time, and the spectra of their fast signals."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from api.arrivals import LARGEST_MESSAGE
from api.routes import performance as performance_routes
from edge.contracts.performance import Operation
from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import ScriptedEdge, assessment, performance, spectrum

WAVEFORM = """
[assets.pump-101.waveforms]
acceleration = { unit = "m/s2", source = "broker", topic = "plant/hall-1/pump-101/acceleration" }
current_wave = { unit = "A", source = "broker", topic = "plant/hall-1/pump-101/current" }
"""


@pytest_asyncio.fixture
async def fast_api(demo_plant: Path, free_port: Callable[[], int], tmp_path: Path) -> AsyncIterator[RunningApi]:
    """An api whose pump has fast signals."""
    text = demo_plant.read_text(encoding="utf-8")  # noqa: ASYNC240  # a small file
    demo_plant.write_text(text + WAVEFORM, encoding="utf-8")  # noqa: ASYNC240
    running = RunningApi(demo_plant, free_port(), tmp_path / "home")
    await running.start()
    yield running
    await running.close()


async def test_minutes_and_their_sums(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    assert await api.get("/assets/pump-101/performance") == {"items": [], "total": None, "next": None}
    metered = {"energy": 0.5, "energy_unit": "kW.h", "amount": 2.0, "product_unit": "1"}
    scripted_edge.publish(
        performance("pump-101", -120),
        performance("pump-101", -2, **metered),
        performance("pump-101", -1, operation_s={"running": 20.0, "idle": 40.0}, withheld_s={"stale": 15.0}, **metered),
        performance("pump-102", -1, operation_s={"off": 60.0}),
        performance("pump-101", 0, operation=Operation.UNKNOWN, operation_s={"unknown": 60.0}, withheld_s={"stale": 5.0}),
        assessment("pump-101", 0),
    )
    await api.until_contiguous(6)
    found = await api.get("/assets/pump-101/performance")
    assert [item["seq"] for item in found["items"]] == [2, 3, 5]
    assert found["total"] == {
        "from": "2026-11-23T09:00:00Z",
        "to": "2026-11-23T10:00:00Z",
        "operation_s": {"running": 80.0, "idle": 40.0, "unknown": 60.0},
        "withheld_s": {"stale": 20.0},
        "scored_s": 160.0,
        "utilisation": 80 / 120,
        "energy": 1.0,
        "energy_unit": "kW.h",
        "amount": 4.0,
        "product_unit": "1",
    }
    early = await api.get("/assets/pump-101/performance", **{"from": "2026-11-23T07:00:00Z", "to": "2026-11-23T08:30:00Z"})
    assert ([item["seq"] for item in early["items"]], early["total"]["energy"]) == ([1], None)
    for query in ("from=2026-11-23T10:00:00Z&to=2026-11-23T09:00:00Z", "from=0001-01-01T00:00:00Z"):
        assert (await api.client.get(f"/api/v1/assets/pump-101/performance?{query}")).status_code == 422
    assert (await api.client.get("/api/v1/assets/pump-9/performance")).status_code == 404


async def test_sums_over_more_minutes_than_are_summed_up_say_from_when(
    api: RunningApi, scripted_edge: ScriptedEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_edge.publish(*(performance("pump-101", minute) for minute in range(1, 6)))
    await api.until_contiguous(5)
    monkeypatch.setattr(performance_routes, "AT_MOST", 3)
    wide = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T11:00:00Z"}
    total = (await api.get("/assets/pump-101/performance", **wide))["total"]
    assert (total["from"], total["operation_s"]) == ("2026-11-23T10:02:00Z", {"running": 180.0})


async def test_the_newest_spectra_of_known_signals_are_given(fast_api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    assert (await fast_api.get("/assets/pump-101/spectra"))["items"] == []
    scripted_edge.publish_spectrum(spectrum("pump-101", "current_wave", 0))
    scripted_edge.publish_spectrum(spectrum("pump-101", "acceleration", 0))
    # what the plant file does not know is passed over
    scripted_edge.publish_spectrum(spectrum("pump-9", "acceleration", 0))
    scripted_edge.publish_spectrum(spectrum("pump-101", "sound", 0))
    scripted_edge.publish_spectrum(spectrum("pump-101", "acceleration", 10))

    async def told() -> bool:
        items = (await fast_api.get("/assets/pump-101/spectra"))["items"]
        return [(item["signal"], item["time"]) for item in items] == [
            ("acceleration", "2026-11-23T10:00:10Z"),
            ("current_wave", "2026-11-23T10:00:00Z"),
        ]

    await until(told)
    (first, _) = (await fast_api.get("/assets/pump-101/spectra"))["items"]
    assert (first["amplitude"], first["lines"][0]["name"]) == ([0.125, 0.125], "BPFO")
    assert (await fast_api.client.get("/api/v1/assets/pump-9/spectra")).status_code == 404
    assert (await fast_api.status())["ingest"]["rejected"] == {}
    # the broker keeps them
    await fast_api.stop()
    await fast_api.start()
    await until(told)


async def test_a_spectrum_that_is_too_large_or_wrong_is_refused(fast_api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    await fast_api.until_connected()
    topic = scripted_edge.topics.spectrum("pump-101", "acceleration")
    scripted_edge.publish_spectrum(spectrum("pump-101", "acceleration", 0))
    scripted_edge.publish_spectrum(spectrum("pump-101", "acceleration", 10, bins=LARGEST_MESSAGE // 6))
    scripted_edge.send(topic, b'{"asset":"pump-101","signal":"acceleration"}')

    async def refused() -> bool:
        return sum((await fast_api.status())["ingest"]["rejected"].values()) == 2

    await until(refused)
    ingest = (await fast_api.status())["ingest"]
    assert ingest["rejected"] == {"too-large": 1, "wrong-type": 1}
    assert topic in ingest["last_rejected"]
    (kept,) = (await fast_api.get("/assets/pump-101/spectra"))["items"]
    assert kept["time"] == "2026-11-23T10:00:00Z"
    assert orjson.dumps(kept)
