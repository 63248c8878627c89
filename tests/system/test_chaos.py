"""The edge comes through all that a network can do to it: it goes on by itself, its figures stay sane, nothing is lost."""

from collections.abc import Sequence

import pytest

from simulator.chaos import ChaosKind
from tests.system.conftest import Site, wait_for

PUMP = "pump-101"
# what takes an edge most to come through; the rest is for `make drills`
WORST = (ChaosKind.CLOCK_JUMP,)
# half-open must last longer than a silence that the edge would sit out, and the rest long enough to be met
FOR_S = {ChaosKind.HALF_OPEN: 9.0, ChaosKind.SERVER_RESTART: 3.0, ChaosKind.DROPPED_CONNECTION: 1.0}
USUALLY_S = 4.0
# a clock that jumps further than an edge would wait for
AMOUNTS = {ChaosKind.CLOCK_JUMP: 3600.0, ChaosKind.SLOW_ANSWERS: 2.0, ChaosKind.LATE: 3.0}


@pytest.fixture
def running(pump_site: Site) -> Site:
    pump_site.start_api()
    pump_site.start("edge", "run")
    pump_site.start("simulator", "run")
    wait_for("the pump is scored", lambda: pump_site.latest(PUMP).get("score") is not None)
    return pump_site


def test_the_edge_comes_through_the_worst_chaos(running: Site) -> None:
    _come_through(running, WORST)


@pytest.mark.drill
def test_the_edge_comes_through_every_kind_of_chaos(running: Site) -> None:
    _come_through(running, tuple(ChaosKind))


def _come_through(running: Site, kinds: Sequence[ChaosKind]) -> None:
    offered = wait_for("the catalogue", lambda: (running.get("/simulator/chaos") or {}).get("items"))
    assert {entry["chaos"] for entry in offered} == set(ChaosKind)
    for kind in kinds:
        trouble = {"chaos": kind, "for_s": FOR_S.get(kind, USUALLY_S), "amount": AMOUNTS.get(kind)}
        # where the broker itself was just cut, the command finds the simulator when it is back
        wait_for(f"{kind} begins", lambda trouble=trouble: running.post("/simulator/chaos", trouble, token=None))
        wait_for(f"{kind} is over", lambda: _calm(running))
        before = running.latest(PUMP)["seq"]
        wait_for(f"after {kind} the pump is scored on all its signals", lambda before=before: _sound(running, before))
    assert all(process.runs for process in running.processes)
    status = running.edge_status()
    assert {name: source["state"] for name, source in status["sources"].items()} == {"plc": "connected", "broker": "connected"}
    assert wait_for("the status", lambda: running.get("/status"))["losses"] == []
    metrics = running.ask_edge("/metrics")[1]
    assert "\nkullager_unaccounted_samples 0.0\n" in metrics
    assert f'kullager_signal_settled_samples_total{{asset="{PUMP}",fate="used",signal=' in metrics
    alarms = running.alarms("anomaly")
    assert alarms == [], "chaos of the network is no fault of the machine"


def _calm(site: Site) -> bool:
    items = (site.get("/simulator/chaos") or {}).get("items")
    return bool(items) and not any(entry["active"] for entry in items)


def _sound(site: Site, after: int) -> bool:
    latest = site.latest(PUMP)
    return latest["seq"] > after and latest["score"] is not None and None not in latest["measured"].values()
