"""The compressor against its textbook."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.machines.compressor import (
    ATMOSPHERE,
    FAULTS,
    MODES,
    SENSORS,
    Compressor,
    CompressorParameters,
    choked_flow,
    filter_drop,
    isentropic_power,
    thermostat,
)
from simulator.machines.jobs import OFF
from simulator.machines.motor import motor_point
from simulator.randomness import Draws, Floats
from tests.simulator.lives import lives

P = CompressorParameters()
HEALTHY = {fault.id: 0.0 for fault in FAULTS}


class Held:
    """Users who draw the same all the time."""

    def __init__(self, demand: float, n: int) -> None:
        self.mode = np.zeros(n, np.int64)
        self._demand = np.full((1, n), demand)

    def step(self, _dt_s: float) -> Floats:
        return self._demand


def compressor_at(demand: float, seed: int = 7, parameters: CompressorParameters = P, n: int = 1) -> Compressor:
    compressor = Compressor(Draws([(seed,)] * n), parameters)
    compressor.schedule = Held(demand, n)  # type: ignore[assignment]
    return compressor


def step(compressor: Compressor, level: dict[str, float], dt_s: float = 2.0) -> dict[str, float]:
    values = compressor.step(dt_s, {name: np.array([severity]) for name, severity in level.items()})
    return {name: float(value[0]) for name, value in values.items()}


def run(demand: float, *levels: dict[str, float], steps: int = 1800) -> list[dict[str, np.ndarray]]:
    found = lives(compressor_at(demand, n=len(levels)), levels, steps, 2.0)
    return [{name: value[steps // 3 :] for name, value in at.items()} for at in found]


def specific_power(at: dict[str, np.ndarray]) -> float:
    """kWh per m3 of air that the network got."""
    return float((at["energy"][-1] - at["energy"][0]) / (at["air"][-1] - at["air"][0]))


def test_isentropic_compression_of_one_kilogram() -> None:
    # Moran and Shapiro: 1 kg/s of air from 1 bar and 20 °C to 8 bar takes 239 kW; it is 0.841 m3/s
    assert isentropic_power(np.array(0.8413 * 60.0), np.array(1.0), np.array(8.0)) / 1e3 == pytest.approx(239.0, rel=0.01)


def test_a_choked_hole_and_a_turbulent_filter() -> None:
    assert choked_flow(1.0, np.array(2.0 * (7.0 + ATMOSPHERE) - ATMOSPHERE)) == pytest.approx(2.0)
    assert filter_drop(np.array(14.0), np.array(0.5)) == pytest.approx(3.5)
    assert thermostat(P, np.array([20.0, 55.0, 90.0])).tolist() == pytest.approx([0.05, 0.5, 1.0])


def test_the_motor_is_a_premium_one() -> None:
    point = motor_point(P.motor, np.array([3000.0]), np.array([P.motor.rated_torque]))
    assert 37e3 / point.power[0] == pytest.approx(0.937, abs=0.006), "IE3 asks for 93.7 % of a 37 kW 2-pole motor"
    assert point.current[0] == pytest.approx(63.0, abs=3.0)
    assert point.power_factor[0] == pytest.approx(0.91, abs=0.03)


def test_healthy_values_are_those_of_a_real_compressor() -> None:
    (at,) = run(3.2, HEALTHY)
    assert P.load_at - 0.1 < at["pressure"].min()
    assert at["pressure"].max() < P.unload_at + 0.1
    loaded = at["power"][at["filter_pressure_drop"] > 0.95 * at["filter_pressure_drop"].max()]
    assert 38.0 < loaded.mean() < 42.0
    assert loaded.mean() / P.capacity == pytest.approx(6.6, abs=0.4), "CAGI data sheets: 6.3 to 7 kW/(m3/min)"
    assert 0.25 < at["power"].min() / loaded.mean() < 0.4, "unloaded"
    assert 60.0 < at["load"].mean() < 80.0
    assert 2.0 < at["vibration"].max() < 3.0


def test_the_network_loses_and_gains_no_air() -> None:
    compressor = compressor_at(3.0)
    first = step(compressor, HEALTHY | {"valve-leak": 0.7})
    supplied = lost = 0.0
    for _ in range(1000):
        last = step(compressor, HEALTHY | {"valve-leak": 0.7})
        supplied, lost = supplied + compressor.supplied[0], lost + compressor.lost[0]
    stored = (last["pressure"] - first["pressure"]) * P.volume / ATMOSPHERE
    assert lost > 0.0
    assert supplied - lost - (last["air"] - first["air"]) == pytest.approx(stored, abs=1e-6 * supplied)


def test_no_energy_from_nothing_and_none_lost() -> None:
    compressor = compressor_at(3.0)
    step(compressor, HEALTHY)
    before = compressor._oil_c[0]
    heat = cooled = 0.0
    for _ in range(3600):
        values = step(compressor, HEALTHY)
        assert values["power"] * 1e3 > compressor.shaft_w[0] > 0.0
        heat, cooled = heat + 2.0 * compressor.heat_w[0], cooled + 2.0 * compressor.cooled_w[0]
    assert heat - cooled == pytest.approx(P.oil_j_per_k * (compressor._oil_c[0] - before), abs=1e-3 * heat)
    # the same by hand: what the cooler gives off at the mean temperature
    assert cooled / 7200.0 < P.cooler_w_per_k * 1.2 * (compressor._oil_c[0] - 15.0)


def test_energy_and_air_are_power_and_flow_over_time() -> None:
    compressor = compressor_at(3.0)
    first = step(compressor, HEALTHY)
    rows = [step(compressor, HEALTHY) for _ in range(1800)]
    assert rows[-1]["energy"] - first["energy"] == pytest.approx(np.mean([row["power"] for row in rows]), rel=1e-6)
    assert rows[-1]["air"] - first["air"] == pytest.approx(np.mean([row["flow"] for row in rows]), rel=1e-6)


def test_it_stops_when_nobody_wants_air_and_starts_again() -> None:
    (at,) = run(0.1, HEALTHY, steps=3600)
    off = at["state"] == OFF
    assert 0.1 < off.mean() < 0.95
    assert at["power"][off].max() < 0.5
    assert at["current"][off].max() == 0.0
    assert at["pressure"].min() > P.load_at - 0.1


def test_a_leak_in_the_network_is_air_that_nobody_gets() -> None:
    healthy, leaking = run(2.5, HEALTHY, HEALTHY | {"network-leak": 1.0})
    assert leaking["flow"].mean() == pytest.approx(healthy["flow"].mean() + 1.8 * 60.0, rel=0.05)
    assert leaking["load"].mean() > healthy["load"].mean() + 20.0
    assert leaking["power"].mean() > 1.15 * healthy["power"].mean()
    assert leaking["filter_pressure_drop"].max() == pytest.approx(healthy["filter_pressure_drop"].max(), rel=0.01)


def test_a_leaking_valve_idles_dear() -> None:
    healthy, leaking = run(2.5, HEALTHY, HEALTHY | {"valve-leak": 1.0})
    assert leaking["power"].min() > 1.3 * healthy["power"].min()
    assert specific_power(leaking) > 1.1 * specific_power(healthy)
    assert leaking["flow"].mean() == pytest.approx(healthy["flow"].mean(), rel=0.02)
    assert leaking["load"].mean() > healthy["load"].mean() + 5.0


def test_a_clogged_filter_shows_and_costs() -> None:
    healthy, clogged = run(4.0, HEALTHY, HEALTHY | {"clogged-filter": 1.0})
    assert clogged["filter_pressure_drop"].max() > 60.0
    assert healthy["filter_pressure_drop"].max() < 20.0
    assert specific_power(clogged) > specific_power(healthy)
    assert clogged["load"].mean() > healthy["load"].mean() + 2.0
    assert clogged["vibration"].max() == pytest.approx(healthy["vibration"].max(), rel=0.01)


def test_a_fouled_cooler_lets_the_oil_get_hot() -> None:
    healthy, fouled = run(4.2, HEALTHY, HEALTHY | {"cooler-fouling": 1.0})
    assert fouled["discharge_temperature"].mean() > healthy["discharge_temperature"].mean() + 15.0
    assert fouled["discharge_temperature"].max() > 110.0
    assert fouled["flow"].mean() == pytest.approx(healthy["flow"].mean(), rel=0.01)


def test_a_worn_bearing_shakes_and_takes_some_power() -> None:
    healthy, worn = run(3.0, HEALTHY, HEALTHY | {"bearing-wear": 1.0})
    assert worn["vibration"].min() > 7.1
    assert healthy["power"].mean() < worn["power"].mean() < 1.08 * healthy["power"].mean()
    assert worn["pressure"].mean() == pytest.approx(healthy["pressure"].mean(), rel=0.001)


SIGNATURE = {
    "network-leak": "load",
    "valve-leak": "load",
    "clogged-filter": "filter_pressure_drop",
    "cooler-fouling": "discharge_temperature",
    "bearing-wear": "vibration",
}


@pytest.mark.parametrize("fault", list(SIGNATURE))
def test_a_small_fault_hardly_shows_and_a_great_one_shows_more(fault: str) -> None:
    name = SIGNATURE[fault]
    healthy, small, middle, great = (
        at[name].mean() for at in run(3.0, *(HEALTHY | {fault: severity} for severity in (0.0, 0.1, 0.5, 1.0)), steps=900)
    )
    assert healthy < small < middle < great
    assert small - healthy < 0.25 * (great - healthy)


@settings(max_examples=25, deadline=None)
@given(demand=st.floats(0.0, 5.5), leak=st.floats(0.0, 1.0), valve=st.floats(0.0, 1.0))
def test_pressure_stays_within_its_band_while_there_is_air_enough(demand: float, leak: float, valve: float) -> None:
    compressor = compressor_at(demand)
    drawn = demand + 1.0 + P.standing_leak + 1.8 * leak
    rows = [step(compressor, HEALTHY | {"network-leak": leak, "valve-leak": valve}) for _ in range(120)]
    assert max(row["pressure"] for row in rows) < P.unload_at + 0.15
    if drawn < 0.85 * P.capacity * (1.0 - 0.12 * valve):
        assert min(row["pressure"] for row in rows) > P.load_at - 0.15


def test_a_mode_that_is_asked_for_comes_at_once() -> None:
    compressor = Compressor(Draws([(7,)]))
    compressor.start_job(0, list(MODES).index("test-bench"))
    values = [step(compressor, HEALTHY) for _ in range(40)][-1]
    assert values["recipe"] == list(MODES).index("test-bench")
    assert values["flow"] > 3.5 * 60.0


def test_the_vibration_signal_is_that_of_the_waveform() -> None:
    compressor = Compressor(Draws([(7,), (8,)]))
    for fault in FAULTS:
        values = compressor.step(2.0, {name: np.array([0.0, 0.6 if name == fault.id else 0.0]) for name in HEALTHY})
        assert compressor.excitation(1).velocity == pytest.approx(values["vibration"][1])


def test_a_life_does_not_depend_on_who_stands_beside() -> None:
    alone, beside = Compressor(Draws([(8,)])), Compressor(Draws([(7,), (8,)]))
    for _ in range(200):
        one = alone.step(2.0, {name: np.zeros(1) for name in HEALTHY})
        two = beside.step(2.0, {name: np.array([1.0, 0.0]) for name in HEALTHY})
        assert {name: value[0] for name, value in one.items()} == {name: value[1] for name, value in two.items()}


def test_heat_does_not_depend_on_the_step() -> None:
    machines = [compressor_at(5.9, 5, CompressorParameters(burst=0.0)) for _ in range(2)]  # always loaded
    for compressor in machines:
        for wander in (compressor._use, compressor._mains, compressor._room, compressor._burst_size):
            wander.sd, wander.value = 0.0, np.zeros(1)
    fouled = HEALTHY | {"cooler-fouling": 1.0}
    for _ in range(1800):
        fine = step(machines[0], fouled, dt_s=1.0)
    for _ in range(60):
        coarse = step(machines[1], fouled, dt_s=30.0)
    assert fine["discharge_temperature"] == pytest.approx(coarse["discharge_temperature"], abs=1.0)


@pytest.mark.parametrize("dt_s", [0.1, 30.0])
def test_nothing_explodes(dt_s: float) -> None:
    compressor = Compressor(Draws([(7,)]))
    rows = [step(compressor, dict.fromkeys(HEALTHY, 1.0), dt_s) for _ in range(400)]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert all(later["energy"] >= row["energy"] and later["air"] >= row["air"] for row, later in pairwise(rows))
    assert set(rows[0]) == {*SENSORS, "recipe", "state"}
