"""The pump against its textbook."""

import math

import numpy as np
import pytest

from simulator.machines.motor import Motor, motor_point
from simulator.machines.pump import (
    FAULTS,
    MODES,
    Pump,
    PumpParameters,
    density,
    efficiency,
    head_lost,
    hydraulic_power,
    npsh_required,
    operating_flow,
    pump_head,
    system_loss,
    vapour_pressure,
)
from simulator.randomness import Draws, Floats
from tests.simulator.lives import lives

P = PumpParameters()
HEALTHY = {fault.id: 0.0 for fault in FAULTS}


class Held:
    """A schedule that holds one operating point."""

    def __init__(self, setpoints: tuple[float, float], n: int) -> None:
        self.mode = np.zeros(n, np.int64)
        self._setpoints = np.tile(np.array(setpoints)[:, None], n)

    def step(self, _dt_s: float) -> Floats:
        return self._setpoints


def pump_at(setpoints: tuple[float, float], seed: int = 7, n: int = 1) -> Pump:
    pump = Pump(Draws([(seed,)] * n))
    pump.schedule = Held(setpoints, n)  # type: ignore[assignment]
    return pump


def step(pump: Pump, level: dict[str, float], dt_s: float = 1.0) -> dict[str, float]:
    values = pump.step(dt_s, {name: np.array([severity]) for name, severity in level.items()})
    return {name: float(value[0]) for name, value in values.items()}


def run(setpoints: tuple[float, float], level: dict[str, float], steps: int = 600) -> tuple[Pump, dict[str, np.ndarray]]:
    pump = pump_at(setpoints)
    rows = [step(pump, level) for _ in range(steps)]
    return pump, {name: np.array([row[name] for row in rows]) for name in rows[0]}


def run_each(setpoints: tuple[float, float], levels: list[dict[str, float]], steps: int) -> list[dict[str, np.ndarray]]:
    return lives(pump_at(setpoints, n=len(levels)), levels, steps, 1.0)


def array(value: float) -> Floats:
    return np.array([value])


@pytest.mark.parametrize("share", [0.6, 0.8, 1.02])
def test_affinity_laws_hold_in_a_loop_without_static_head(share: float) -> None:
    loss, n = system_loss(P, 0.8), P.motor.rated_speed
    flow, slower = operating_flow(P, n, loss), operating_flow(P, n * share, loss)
    head, lower = pump_head(P, flow, n), pump_head(P, slower, n * share)

    def power(flow: float, head: float, speed: float) -> float:
        return hydraulic_power(flow, head, 998.0) / efficiency(P, flow, speed)

    assert slower / flow == pytest.approx(share, rel=1e-9)
    assert lower / head == pytest.approx(share**2, rel=1e-9)
    assert power(slower, lower, n * share) / power(flow, head, n) == pytest.approx(share**3, rel=1e-9)
    assert npsh_required(P, slower, n * share) / npsh_required(P, flow, n) == pytest.approx(share**2, rel=1e-9)


def test_operating_point_lies_on_both_curves() -> None:
    loss = system_loss(P, 0.7)
    flow = operating_flow(P, 1300.0, loss)
    assert pump_head(P, flow, 1300.0) == pytest.approx(loss * flow**2)


def test_data_sheet_of_the_pump() -> None:
    assert pump_head(P, 60.0, P.motor.rated_speed) == pytest.approx(28.0, abs=0.01)
    assert efficiency(P, P.best_flow, P.motor.rated_speed) == pytest.approx(P.best_efficiency)
    assert head_lost(1.0) == pytest.approx(0.03), "NPSH3 is where 3 % of the head is lost"
    assert head_lost(3.0) < 1e-3


def test_water_is_water() -> None:
    # CRC Handbook of Chemistry and Physics: 20 °C and 80 °C
    assert [density(20.0), density(80.0)] == pytest.approx([998.2, 971.8], rel=2e-3)
    assert [vapour_pressure(20.0), vapour_pressure(80.0)] == pytest.approx([0.02339, 0.4741], rel=0.01)


def test_motor_at_its_rated_point() -> None:
    rated_torque = array(Motor().rated_torque)
    point = motor_point(Motor(), array(1500.0), rated_torque)
    assert point.speed == pytest.approx(P.motor.rated_speed)
    assert 7500.0 / point.power == pytest.approx(0.904, abs=0.01), "IE3 asks for 90.4 % of a 7.5 kW 4-pole motor"
    power_factor = point.power / (math.sqrt(3.0) * P.motor.voltage * point.current)
    assert point.current == pytest.approx(15.0, abs=0.3)
    assert power_factor == pytest.approx(0.80, abs=0.02)


def test_motor_slips_with_torque_and_idles_on_its_magnetising_current() -> None:
    idle, half, full = (motor_point(Motor(), array(1500.0), array(torque)) for torque in (0.0, 25.0, 50.0))
    assert idle.speed == 1500.0
    assert (1500.0 - full.speed) == pytest.approx(2.0 * (1500.0 - half.speed))
    assert idle.current == pytest.approx(P.motor.magnetising_a, rel=0.01)


@pytest.mark.parametrize("level", [HEALTHY, *(HEALTHY | {fault.id: 1.0} for fault in FAULTS)])
def test_no_energy_from_nothing(level: dict[str, float]) -> None:
    for setpoints in ((900.0, 0.55), (1200.0, 1.0), (1480.0, 0.7)):
        pump = pump_at(setpoints, seed=3)
        for _ in range(50):
            outputs = step(pump, level)
            assert outputs["power"] * 1e3 > pump.shaft_w > pump.hydraulic_w > 0.0
            assert outputs["speed"] < setpoints[0]


def test_healthy_values_are_those_of_a_real_pump() -> None:
    _, at = run((1480.0, 1.0), HEALTHY)
    assert at["flow"].mean() == pytest.approx(58.0, abs=3.0)
    assert 0.55 * 7.5 < at["power"].mean() < 7.5
    assert 9.0 < at["current"].mean() < 15.0
    assert 1.0 < at["vibration"].mean() < 2.0
    assert 35.0 < at["bearing_temperature"].mean() < 50.0


def test_bearing_wear_shakes_and_heats_and_takes_a_little_power() -> None:
    for setpoints in ((900.0, 0.55), (1480.0, 1.0)):
        _, healthy = run(setpoints, HEALTHY)
        _, worn = run(setpoints, HEALTHY | {"bearing-wear": 1.0})
        assert worn["vibration"][-300:].mean() > 7.1, "beyond the fixed limit at every speed"
        assert worn["power"].mean() > healthy["power"].mean()
        assert worn["power"].mean() < 1.1 * healthy["power"].mean()
        assert worn["flow"].mean() == pytest.approx(healthy["flow"].mean(), rel=0.01)


def test_bearing_heats_with_its_time_constant() -> None:
    pump = pump_at((1400.0, 0.8), seed=1)
    step(pump, HEALTHY)
    worn = [step(pump, HEALTHY | {"bearing-wear": 1.0})["bearing_temperature"] for _ in range(6000)]
    rise = worn[-1] - worn[0]
    assert rise > 30.0
    tau = P.bearing_k_per_w * P.bearing_j_per_k
    assert worn[round(tau)] - worn[0] == pytest.approx(rise * (1.0 - math.exp(-1.0)), abs=0.1 * rise)


def test_cavitation_takes_flow_pressure_and_power_and_makes_them_swing() -> None:
    for setpoints in ((900.0, 0.55), (1480.0, 1.0)):
        _, healthy = run(setpoints, HEALTHY)
        pump, starved = run(setpoints, HEALTHY | {"cavitation": 1.0})
        assert pump.npsh_ratio < 1.0
        for name in ("flow", "pressure", "power"):  # the current is mostly magnetising at low load
            assert starved[name].mean() < 0.98 * healthy[name].mean(), name
        assert starved["flow"].std() > 1.5 * healthy["flow"].std()
        assert starved["vibration"].mean() > 1.5 * healthy["vibration"].mean()
        assert starved["vibration"].std() > 5.0 * healthy["vibration"].std()


def test_a_clogged_impeller_gives_less_head_and_shakes() -> None:
    _, healthy = run((1400.0, 0.8), HEALTHY)
    _, clogged = run((1400.0, 0.8), HEALTHY | {"clogged-impeller": 1.0})
    assert clogged["flow"].mean() < 0.9 * healthy["flow"].mean()
    assert clogged["pressure"].mean() < 0.9 * healthy["pressure"].mean()
    assert clogged["vibration"].mean() > 1.5 * healthy["vibration"].mean()


def test_a_blocked_valve_lets_less_through_against_more_pressure() -> None:
    _, healthy = run((1400.0, 0.8), HEALTHY)
    _, blocked = run((1400.0, 0.8), HEALTHY | {"blocked-valve": 1.0})
    assert blocked["flow"].mean() < 0.6 * healthy["flow"].mean()
    assert blocked["pressure"].mean() > 1.1 * healthy["pressure"].mean()
    assert blocked["power"].mean() < healthy["power"].mean()


def test_imbalance_shakes_and_changes_nothing_else() -> None:
    _, healthy = run((1400.0, 0.8), HEALTHY)
    _, shaking = run((1400.0, 0.8), HEALTHY | {"imbalance": 1.0})
    assert shaking["vibration"].mean() > 7.1
    for name in ("flow", "pressure", "power", "bearing_temperature"):
        assert shaking[name].mean() == pytest.approx(healthy[name].mean(), rel=1e-9), name


def test_misalignment_shakes_and_warms_the_bearing() -> None:
    _, healthy = run((1400.0, 0.8), HEALTHY, steps=1800)
    pump, askew = run((1400.0, 0.8), HEALTHY | {"misalignment": 1.0}, steps=1800)
    assert askew["vibration"].mean() > 4.5
    assert askew["bearing_temperature"][-1] > healthy["bearing_temperature"][-1] + 5.0
    assert pump.excitation(0).misalignment > pump.excitation(0).unbalance


def test_a_dry_pump_delivers_nothing_idles_and_gets_hot() -> None:
    _, healthy = run((1400.0, 0.8), HEALTHY, steps=1800)
    _, dry = run((1400.0, 0.8), HEALTHY | {"dry-run": 1.0}, steps=1800)
    assert dry["power"].mean() < 0.2 * healthy["power"].mean()
    assert dry["flow"].mean() < 0.4 * healthy["flow"].mean()
    assert dry["bearing_temperature"][-1] > healthy["bearing_temperature"][-1] + 40.0


@pytest.mark.parametrize("fault", [fault.id for fault in FAULTS])
def test_a_small_fault_hardly_shows_and_a_great_one_shows_more(fault: str) -> None:
    healthy, *faulty = run_each((1400.0, 0.8), [HEALTHY | {fault: severity} for severity in (0.0, 0.1, 0.5, 1.0)], steps=200)
    names = ("flow", "pressure", "power", "vibration")
    small, middle, great = (sum(abs(np.log(np.abs(at[name].mean() / healthy[name].mean()))) for name in names) for at in faulty)
    assert small < middle < great


def test_the_vibration_signal_is_that_of_the_waveform() -> None:
    pump = Pump(Draws([(7,), (8,)]))
    for fault in FAULTS:
        level = {name: np.array([0.0, 0.6 if name == fault.id else 0.0]) for name in HEALTHY}
        values = pump.step(1.0, level)
        assert pump.excitation(1).velocity == pytest.approx(values["vibration"][1])


def test_a_mode_that_is_asked_for_comes_at_once() -> None:
    pump = Pump(Draws([(7,)]))
    pump.start_job(0, list(MODES).index("boost"))
    values = [step(pump, HEALTHY) for _ in range(60)][-1]
    assert values["recipe"] == list(MODES).index("boost")
    assert values["speed"] > 1300.0


def test_energy_is_power_over_time() -> None:
    pump = pump_at((1400.0, 0.8))
    first = step(pump, HEALTHY)["energy"]
    rows = [step(pump, HEALTHY) for _ in range(3600)]
    assert rows[-1]["energy"] - first == pytest.approx(np.mean([row["power"] for row in rows]), rel=1e-9)


def test_heat_does_not_depend_on_the_step() -> None:
    quiet = [pump_at((1400.0, 0.8), seed=5) for _ in range(2)]
    for pump in quiet:
        for wander in (pump._ambient, pump._loop, pump._mains):
            wander.sd, wander.value = 0.0, np.zeros(1)
        step(pump, HEALTHY)
    worn = HEALTHY | {"bearing-wear": 0.5}
    for _ in range(600):
        fine = step(quiet[0], worn)
    for _ in range(60):
        coarse = step(quiet[1], worn, dt_s=10.0)
    assert fine["bearing_temperature"] == pytest.approx(coarse["bearing_temperature"], abs=0.05)


@pytest.mark.parametrize("dt_s", [0.1, 30.0])
def test_nothing_explodes(dt_s: float) -> None:
    pump = Pump(Draws([(7,)]))
    rows = [step(pump, dict.fromkeys(HEALTHY, 1.0), dt_s) for _ in range(500)]
    assert np.isfinite([list(row.values()) for row in rows]).all()
