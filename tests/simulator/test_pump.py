"""The pump against its textbook."""

import math

import numpy as np
import pytest

from simulator.machines.pump import (
    Pump,
    PumpParameters,
    density,
    efficiency,
    head_lost,
    hydraulic_power,
    motor_point,
    npsh_required,
    operating_flow,
    pump_head,
    system_loss,
    vapour_pressure,
)

P = PumpParameters()
HEALTHY = {"bearing-wear": 0.0, "cavitation": 0.0}


def run(setpoints: tuple[float, float], level: dict[str, float], steps: int = 600) -> tuple[Pump, dict[str, np.ndarray]]:
    pump = Pump(np.random.default_rng(7))
    rows = [pump.step(1.0, setpoints, level) for _ in range(steps)]
    return pump, {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("share", [0.6, 0.8, 1.02])
def test_affinity_laws_hold_in_a_loop_without_static_head(share: float) -> None:
    loss, n = system_loss(P, 0.8), P.rated_speed
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
    assert pump_head(P, 60.0, P.rated_speed) == pytest.approx(28.0, abs=0.01)
    assert efficiency(P, P.best_flow, P.rated_speed) == pytest.approx(P.best_efficiency)
    assert head_lost(1.0) == pytest.approx(0.03), "NPSH3 is where 3 % of the head is lost"
    assert head_lost(3.0) < 1e-3


def test_water_is_water() -> None:
    # CRC Handbook of Chemistry and Physics: 20 °C and 80 °C
    assert [density(20.0), density(80.0)] == pytest.approx([998.2, 971.8], rel=2e-3)
    assert [vapour_pressure(20.0), vapour_pressure(80.0)] == pytest.approx([0.02339, 0.4741], rel=0.01)


def test_motor_at_its_rated_point() -> None:
    rated_torque = P.rated_kw * 1e3 / (P.rated_speed * math.pi / 30.0)
    point = motor_point(P, P.synchronous_speed, rated_torque)
    assert point.speed == pytest.approx(P.rated_speed)
    assert 7500.0 / point.power == pytest.approx(0.904, abs=0.01), "IE3 asks for 90.4 % of a 7.5 kW 4-pole motor"
    power_factor = point.power / (math.sqrt(3.0) * P.voltage * point.current)
    assert point.current == pytest.approx(15.0, abs=0.3)
    assert power_factor == pytest.approx(0.80, abs=0.02)


def test_motor_slips_with_torque_and_idles_on_its_magnetising_current() -> None:
    idle, half, full = (motor_point(P, 1500.0, torque) for torque in (0.0, 25.0, 50.0))
    assert idle.speed == 1500.0
    assert (1500.0 - full.speed) == pytest.approx(2.0 * (1500.0 - half.speed))
    assert idle.current == pytest.approx(P.magnetising_a, rel=0.01)


@pytest.mark.parametrize("level", [HEALTHY, {"bearing-wear": 1.0, "cavitation": 0.0}, {"bearing-wear": 0.0, "cavitation": 1.0}])
def test_no_energy_from_nothing(level: dict[str, float]) -> None:
    pump = Pump(np.random.default_rng(3))
    for setpoints in ((900.0, 0.55), (1200.0, 1.0), (1480.0, 0.7)):
        for _ in range(50):
            outputs = pump.step(1.0, setpoints, level)
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
    pump = Pump(np.random.default_rng(1))
    pump.step(1.0, (1400.0, 0.8), HEALTHY)
    worn = [pump.step(1.0, (1400.0, 0.8), HEALTHY | {"bearing-wear": 1.0})["bearing_temperature"] for _ in range(6000)]
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


def test_heat_does_not_depend_on_the_step() -> None:
    quiet = [Pump(np.random.default_rng(5)) for _ in range(2)]
    for pump in quiet:
        pump._ambient.sd = pump._loop.sd = pump._mains.sd = 0.0
        pump._ambient.value = pump._loop.value = pump._mains.value = 0.0
        pump.step(1.0, (1400.0, 0.8), HEALTHY)
    worn = HEALTHY | {"bearing-wear": 0.5}
    for _ in range(600):
        fine = quiet[0].step(1.0, (1400.0, 0.8), worn)
    for _ in range(60):
        coarse = quiet[1].step(10.0, (1400.0, 0.8), worn)
    assert fine["bearing_temperature"] == pytest.approx(coarse["bearing_temperature"], abs=0.05)
