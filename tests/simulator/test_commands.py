"""Commands: malformed ones are answered or counted, and nothing is done twice."""

import itertools
import json
from pathlib import Path

import pytest

from edge.contracts.plant_file import load_plant
from simulator.commands import Commands
from simulator.simulated_site import SimulatedSite
from simulator.site import CommandRefused

ROOT = Path(__file__).parent.parent.parent
PLANT = load_plant(ROOT / "tests/cases/pump/plant.toml")
INJECT, REPAIR = PLANT.topics.simulator_command("inject"), PLANT.topics.simulator_command("repair")
GOOD = {
    "schema": 1,
    "command_id": "c1",
    "by": "visitor",
    "time": "2026-11-23T10:00:00Z",
    "asset": "pump-101",
    "fault": "bearing-wear",
    "severity": 1.0,
    "over_s": 30.0,
}


@pytest.fixture
def site() -> SimulatedSite:
    return SimulatedSite(PLANT, 1)


@pytest.fixture
def commands(site: SimulatedSite) -> Commands:
    return Commands(site, PLANT.topics)


def active(site: SimulatedSite) -> list[str]:
    return [fault.fault for asset in site.catalogue(0).assets for fault in asset.faults if fault.active]


def payload(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_inject_and_repair(site: SimulatedSite, commands: Commands) -> None:
    reply = commands.answer(INJECT, payload())
    assert reply is not None
    assert (reply.command_id, reply.ok, reply.problem) == ("c1", True, None)
    assert active(site) == ["bearing-wear"]
    reply = commands.answer(REPAIR, json.dumps({k: GOOD[k] for k in ("by", "time", "asset")} | {"command_id": "c2"}).encode())
    assert reply is not None
    assert reply.ok
    assert active(site) == []


def test_the_same_command_again_is_answered_and_not_done(site: SimulatedSite, commands: Commands) -> None:
    first = commands.answer(INJECT, payload())
    site.repair("pump-101")
    assert commands.answer(INJECT, payload()) == first
    assert active(site) == [], "a message that the broker delivers twice must not bring a repaired fault back"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"asset": "pump-999"}, "there is no machine 'pump-999'; possible: pump-101"),
        ({"fault": "rust"}, "has no fault 'rust'; possible: bearing-wear, cavitation"),
        ({"severity": 1.5}, "severity 1.5 should lie between 0 and 1"),
        ({"severity": -0.1}, "severity -0.1 should lie between 0 and 1"),
        ({"over_s": -1.0}, "over_s -1.0 should lie between 0"),
        ({"over_s": 1e300}, "over_s 1e+300 should lie between 0"),
        ({"severity": "much"}, "severity"),
        ({"severity": None}, "severity"),
        ({"time": "yesterday"}, "should be a time"),
        ({"schema": 2}, "schema 2 is unknown"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(
    site: SimulatedSite, commands: Commands, changes: dict[str, object], words: str
) -> None:
    reply = commands.answer(INJECT, payload(**changes))
    assert reply is not None
    assert not reply.ok
    assert words in str(reply.problem)
    assert active(site) == []


@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"{}", payload(command_id=7), payload(command_id="a/b#")]
)
def test_what_cannot_be_answered_is_counted(commands: Commands, garbage: bytes) -> None:
    assert commands.answer(INJECT, garbage) is None
    assert commands.rejected.total() == 1


@pytest.mark.parametrize(
    ("severity", "over_s"), [(float("nan"), 1.0), (float("inf"), 1.0), (0.5, float("nan")), (0.5, float("inf"))]
)
def test_numbers_that_are_none_are_refused(site: SimulatedSite, severity: float, over_s: float) -> None:
    with pytest.raises(CommandRefused):
        site.inject("pump-101", "cavitation", severity, over_s)


def test_a_second_injection_goes_on_from_where_the_fault_is(site: SimulatedSite) -> None:
    fleet, _ = site.place("pump-101")
    site.inject("pump-101", "bearing-wear", 0.5, 0.0)
    site.inject("pump-101", "bearing-wear", 1.0, 10.0)
    assert fleet.faults.at(fleet.time_s)["bearing-wear"] == [0.5]
    assert fleet.faults.at(fleet.time_s + 10.0)["bearing-wear"] == [1.0]
    site.inject("pump-101", "bearing-wear", 0.0, 0.0)
    assert active(site) == []


def test_a_repair_leaves_no_heat_of_the_worn_bearing(site: SimulatedSite) -> None:
    rows = site.rows(0)

    def temperature(after_s: int) -> float:
        return float(next(row for row in itertools.islice(rows, after_s, None)).values["bearing_temperature"] or 0.0)

    healthy = temperature(0)
    site.inject("pump-101", "bearing-wear", 1.0, 0.0)
    assert temperature(3600) > healthy + 15.0
    site.repair("pump-101")
    assert temperature(180) == pytest.approx(healthy, abs=6.0)
