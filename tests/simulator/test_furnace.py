"""The hardening furnace against its textbook."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.machines.furnace import (
    CHARGE,
    FAULTS,
    NODES,
    PROGRAMS,
    SENSORS,
    SOAKING,
    Furnace,
    FurnaceParameters,
    implicit_step,
    radiation_conductance,
)
from simulator.machines.jobs import CHANGEOVER, RUNNING
from simulator.randomness import Draws
from tests.simulator.lives import lives

P = FurnaceParameters()
HEALTHY = {fault.id: 0.0 for fault in FAULTS}


def step(furnace: Furnace, level: dict[str, float], dt_s: float = 5.0) -> dict[str, float]:
    values = furnace.step(dt_s, {name: np.array([severity]) for name, severity in level.items()})
    return {name: float(value[0]) for name, value in values.items()}


def run(*levels: dict[str, float], hours: float = 12.0, dt_s: float = 10.0) -> list[dict[str, np.ndarray]]:
    return lives(Furnace(Draws([(7,)] * len(levels))), levels, round(hours * 3600.0 / dt_s), dt_s)


@pytest.fixture(scope="module")
def half_a_day() -> dict[str, np.ndarray]:
    """Of a healthy furnace."""
    return run(HEALTHY)[0]


def soaking(*levels: dict[str, float], hours: float = 3.0, dt_s: float = 10.0) -> list[dict[str, float]]:
    """What furnaces come to that hold their temperature for hours: the means of the last quarter."""
    n = len(levels)
    furnace = Furnace(Draws([(7,)] * n))
    furnace._left_s[:] = np.inf
    for wander in (furnace._mains, furnace._hall, furnace._draught):
        wander.sd, wander.value = 0.0, np.zeros(n)
    found = lives(furnace, levels, round(hours * 3600.0 / dt_s), dt_s)
    assert (furnace._phase == SOAKING).all()
    return [{name: float(np.mean(value[-len(value) // 4 :])) for name, value in at.items()} for at in found]


def test_radiation_is_stefan_boltzmanns() -> None:
    # a black square metre at 1000 K among walls at 300 K gives off 56.2 kW (Incropera 1.2.3)
    conductance = radiation_conductance(1.0, 1.0, np.array(726.85), np.array(26.85))
    assert conductance * 700.0 == pytest.approx(56.24e3, rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(
    dt_s=st.floats(0.1, 1000.0),
    link=st.floats(0.0, 1e4),
    out=st.floats(0.0, 1e3),
    heat=st.floats(0.0, 1e5),
    hot=st.floats(0.0, 1200.0),
)
def test_no_joule_is_lost_between_the_capacities(dt_s: float, link: float, out: float, heat: float, hot: float) -> None:
    capacities, outwards = np.array([[1e4, 5e5]]), np.array([[0.0, out]])
    before = np.array([[hot, 20.0]])
    after = implicit_step(capacities, {(0, 1): link}, outwards, np.array([[heat, 0.0]]), before, dt_s)
    stored = (capacities * (after - before)).sum()
    scale = (capacities * np.maximum(after, before)).sum() + heat * dt_s
    assert stored == pytest.approx((heat - out * after[0, 1]) * dt_s, abs=1e-9 * scale)
    if heat == 0.0:
        assert after.max() <= max(hot, 20.0) + 1e-9, "nothing gets hotter than what was hot"


def test_two_bodies_come_together_as_they_should() -> None:
    before = np.array([[100.0, 0.0]])
    for _ in range(4000):
        before = implicit_step(np.array([[1e3, 3e3]]), {(0, 1): 10.0}, np.zeros((1, 2)), np.zeros((1, 2)), before, 1.0)
    assert before[0] == pytest.approx([25.0, 25.0], abs=0.1)


def test_the_energy_balance_of_batches_closes() -> None:
    """Healthy, and with each fault."""
    levels = [HEALTHY, *(HEALTHY | {fault.id: 1.0} for fault in FAULTS)]
    furnace = Furnace(Draws([(7,)] * len(levels)))
    level = {name: np.array([each[name] for each in levels]) for name in HEALTHY}
    furnace.step(5.0, level)
    first = {name: np.array(value) for name, value in furnace.step(5.0, level).items()}
    before = furnace.stored_j
    put_in = lost = taken = np.zeros(len(levels))
    for _ in range(4 * 720):
        last = furnace.step(5.0, level)
        put_in, lost = put_in + 5.0 * furnace.heat_w, lost + 5.0 * furnace.lost_w
        taken = taken + furnace.taken_j
    assert (last["batches"] > first["batches"]).all()
    assert (np.abs(furnace.stored_j - before - (put_in - lost - taken)) <= 0.001 * put_in).all()
    # and the meter: the elements, and what fans and control take all the time
    drawn = (last["energy"] - first["energy"]) * 3.6e6
    assert drawn == pytest.approx(put_in + 4 * 3600.0 * 1e3 * (P.fans_kw + P.control_kw), rel=1e-6)


def test_a_batch_costs_what_its_steel_takes_and_the_furnace_loses() -> None:
    (at,) = run(HEALTHY, hours=24.0, dt_s=20.0)
    batches = at["batches"][-1] - at["batches"][0]
    each = (at["energy"][-1] - at["energy"][0]) / batches
    # 300 kg of steel to 850 °C are 45 kWh; furnaces of this kind have an efficiency of 50 to 75 % (Trinks)
    assert 40.0 < each < 110.0
    assert 8 <= batches <= 24


def test_steady_losses_are_those_of_the_layers() -> None:
    furnace = Furnace(Draws([(7,)]))
    (at,) = soaking(HEALTHY, hours=8.0)
    hot, cold = furnace._hot_layer[0], furnace._cold_layer[0]
    through = 3.0 / (1.0 / hot + 1.0 / cold)  # [W/K]
    whole = 1.0 / (1.0 / through + 1.0 / P.casing_w_per_k)
    held = sum(at[f"power_{zone}"] for zone in (1, 2, 3)) * 1e3
    assert held == pytest.approx(whole * (at["setpoint"] - P.ambient_c), rel=0.04)
    assert at["casing_temperature"] - P.ambient_c == pytest.approx(held / P.casing_w_per_k, abs=4.0)


def test_healthy_values_are_those_of_a_real_furnace(half_a_day: dict[str, np.ndarray]) -> None:
    at = half_a_day
    soak = (at["setpoint"] > 700.0) & (np.abs(np.gradient(at["setpoint"])) < 1e-6) & (at["door"] == 0.0)
    zones = np.array([at[f"temperature_{zone}"] for zone in (1, 2, 3)])
    assert np.median(np.abs(zones[:, soak] - at["setpoint"][soak])) < 8.0, "DIN 17052: ±5 to ±10 K"
    assert at["power"].max() < 60.0
    assert 50.0 < at["casing_temperature"].mean() < 70.0
    assert set(at["state"].astype(int)) == {CHANGEOVER, RUNNING}


def test_an_open_door_lets_the_heat_out_and_switches_the_elements_off(half_a_day: dict[str, np.ndarray]) -> None:
    at = half_a_day
    opened = np.flatnonzero(np.diff(at["door"]) == 1.0)
    closed = np.flatnonzero(np.diff(at["door"]) == -1.0)
    closed = closed[closed > opened[0]]
    assert 60.0 / 10.0 - 1 <= np.median(closed[: len(opened)] - opened[: len(closed)]) <= 150.0 / 10.0 + 1
    falls = [at["temperature_1"][first] - at["temperature_1"][last] for first, last in zip(opened, closed, strict=False)]
    assert np.median(falls) > 30.0
    at_back = [at["temperature_3"][first] - at["temperature_3"][last] for first, last in zip(opened, closed, strict=False)]
    assert np.median(falls) > np.median(at_back), "the door is at zone 1"
    shut_off = at["door"] == 1.0
    assert at["power"][shut_off].max() == pytest.approx(P.fans_kw + P.control_kw)


def test_the_program_waits_for_a_chamber_that_stays_behind(half_a_day: dict[str, np.ndarray]) -> None:
    at = half_a_day
    heating = (np.gradient(at["setpoint"]) > 0.0) & (at["door"] == 0.0)
    assert np.gradient(at["setpoint"])[heating].max() <= 1.01 * P.ramp_k_per_s * 10.0
    behind = at["setpoint"][heating] - at["temperature_1"][heating]
    assert np.median(behind) < 75.0


def test_lost_elements_leave_their_zone_cold() -> None:
    healthy, lost = soaking(HEALTHY, HEALTHY | {"heater-loss": 1.0})
    assert lost["power_3"] < 1.0
    assert lost["temperature_3"] < healthy["temperature_3"] - 20.0
    assert lost["power_2"] > healthy["power_2"] + 0.2, "the neighbour helps"
    assert lost["temperature_1"] == pytest.approx(healthy["temperature_1"], abs=1.0)


def test_aged_insulation_costs_power_and_heats_the_casing() -> None:
    healthy, aged = soaking(HEALTHY, HEALTHY | {"insulation-ageing": 1.0})
    assert aged["power"] > 1.3 * healthy["power"]
    assert aged["casing_temperature"] > healthy["casing_temperature"] + 15.0
    assert aged["temperature_2"] == pytest.approx(healthy["temperature_2"], abs=1.0)


def test_a_drifting_thermocouple_hides_a_hot_zone() -> None:
    furnace = Furnace(Draws([(7,)]))
    furnace._left_s[:] = np.inf
    for _ in range(2000):
        at = step(furnace, HEALTHY | {"thermocouple-drift": 1.0})
    (healthy,) = soaking(HEALTHY)
    assert at["temperature_2"] == pytest.approx(at["setpoint"], abs=3.0), "the display looks right"
    truly = P.ambient_c + furnace._above[0, CHARGE]
    assert truly[1] > at["setpoint"] + 25.0
    assert at["power_2"] > healthy["power_2"] + 0.5
    assert at["power_1"] < healthy["power_1"] - 0.2


def test_a_broken_seal_is_paid_by_the_zone_behind_the_door() -> None:
    healthy, leaking = soaking(HEALTHY, HEALTHY | {"door-seal-leak": 1.0})
    assert leaking["power_1"] > healthy["power_1"] + 4.0
    assert leaking["power_3"] == pytest.approx(healthy["power_3"], abs=0.3)
    assert leaking["temperature_1"] == pytest.approx(healthy["temperature_1"], abs=2.0)


SIGNATURE = {
    "heater-loss": ("power_3", -1.0),
    "insulation-ageing": ("casing_temperature", 1.0),
    "thermocouple-drift": ("power_2", 1.0),
    "door-seal-leak": ("power_1", 1.0),
}


@pytest.mark.parametrize("fault", [name for name in SIGNATURE if name != "heater-loss"])
def test_a_small_fault_hardly_shows_and_a_great_one_shows_more(fault: str) -> None:
    name, sign = SIGNATURE[fault]
    healthy, small, middle, great = (
        sign * at[name] for at in soaking(*(HEALTHY | {fault: severity} for severity in (0.0, 0.1, 0.5, 1.0)), hours=1.5)
    )
    assert healthy < small < middle < great
    assert small - healthy < 0.25 * (great - healthy)


def test_the_more_elements_are_lost_the_longer_it_takes_to_heat_up() -> None:
    healthy, half, most = run(*(HEALTHY | {"heater-loss": severity} for severity in (0.0, 0.5, 0.9)), hours=8.0)
    peaks = [at["power_3"].max() for at in (healthy, half, most)]
    assert peaks[0] > 1.5 * peaks[1] > 3.0 * peaks[2]
    made = [at["batches"][-1] - at["batches"][0] for at in (healthy, most)]
    assert made[0] >= made[1]


def test_a_program_that_is_asked_for_comes_with_the_next_charge() -> None:
    furnace = Furnace(Draws([(7,)]))
    furnace.start_job(0, list(PROGRAMS).index("carburise-930"))
    rows = [step(furnace, HEALTHY, 10.0) for _ in range(1800)]
    assert list(PROGRAMS).index("carburise-930") in {row["recipe"] for row in rows}


def test_a_life_does_not_depend_on_who_stands_beside() -> None:
    alone, beside = Furnace(Draws([(8,)])), Furnace(Draws([(7,), (8,)]))
    for _ in range(1500):
        one = alone.step(5.0, {name: np.zeros(1) for name in HEALTHY})
        two = beside.step(5.0, {name: np.array([1.0, 0.0]) for name in HEALTHY})
        assert {name: value[0] for name, value in one.items()} == pytest.approx(
            {name: value[1] for name, value in two.items()}, rel=1e-9
        )


def test_heat_hardly_depends_on_the_step() -> None:
    fine, coarse = (soaking(HEALTHY | {"insulation-ageing": 0.7}, dt_s=dt_s)[0] for dt_s in (1.0, 30.0))
    assert coarse["casing_temperature"] == pytest.approx(fine["casing_temperature"], abs=0.7)
    assert coarse["power"] == pytest.approx(fine["power"], rel=0.02)


@pytest.mark.parametrize("dt_s", [0.1, 30.0])
def test_nothing_explodes(dt_s: float) -> None:
    furnace = Furnace(Draws([(7,)]))
    rows = [step(furnace, dict.fromkeys(HEALTHY, 1.0), dt_s) for _ in range(1000)]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert all(later[name] >= row[name] for row, later in pairwise(rows) for name in ("energy", "batches"))
    assert set(rows[0]) == {*SENSORS, "recipe", "state"}
    assert furnace._above.shape == (1, NODES)
