"""Sensors, schedule, and one life for each seed."""

import numpy as np
import pytest

from simulator.machines.pump import OPERATING, SENSORS
from simulator.schedule import OperatingSchedule
from simulator.sensors import Sensor, SensorCharacter, Wander
from simulator.site import SimulatedAsset


def life(seed: int, asset: str = "pump-101", rows: int = 400) -> list[dict[str, float]]:
    machine = SimulatedAsset(asset, "pump", seed)
    return [machine.step(1.0) for _ in range(rows)]


def test_the_same_seed_gives_the_same_life_and_another_gives_another() -> None:
    assert life(1) == life(1)
    assert life(1) != life(2)
    assert life(1) != life(1, asset="pump-102")


def test_a_fault_changes_nothing_before_it_begins() -> None:
    faulty = SimulatedAsset("pump-101", "pump", 1)
    rows = [faulty.step(1.0) for _ in range(200)]
    faulty.faults.inject("bearing-wear", severity=1.0, over_s=60.0, at_s=faulty.time_s)
    rows += [faulty.step(1.0) for _ in range(200)]
    healthy = life(1)
    assert rows[:200] == healthy[:200]
    assert rows[-1]["vibration"] > healthy[-1]["vibration"] + 5.0
    # the noise of all other sensors goes on as it would have
    assert rows[-1]["fluid_temperature"] == healthy[-1]["fluid_temperature"]


@pytest.mark.parametrize("signal", SENSORS)
def test_readings_are_digitised_and_noisy_and_within_range(signal: str) -> None:
    values = np.array([row[signal] for row in life(1, rows=100)])
    steps = values / SENSORS[signal].resolution
    assert np.abs(steps - steps.round()).max() < 1e-6
    assert len(set(values.tolist())) > 1
    assert values.min() >= SENSORS[signal].low
    assert values.max() <= SENSORS[signal].high


def test_lag_is_first_order() -> None:
    sensor = Sensor(SensorCharacter(low=0.0, high=100.0, resolution=1e-6, lag_s=10.0), np.random.default_rng(1))
    assert sensor.measure(0.0, 1.0, 0.0, 0.0) == 0.0
    step = [sensor.measure(50.0, 1.0, 0.0, 0.0) for _ in range(10)]
    assert step[-1] == pytest.approx(50.0 * (1.0 - np.exp(-1.0)), abs=1e-4)


def test_range_cuts_off() -> None:
    sensor = Sensor(SensorCharacter(low=0.0, high=50.0, resolution=0.1), np.random.default_rng(1))
    assert sensor.measure(70.0, 1.0, 0.0, 0.0) == 50.0
    assert sensor.measure(-3.0, 1.0, 0.0, 0.0) == 0.0


def test_wander_keeps_its_spread_at_every_step_size() -> None:
    rng = np.random.default_rng(2)
    for dt in (0.1, 1.0, 30.0):
        wander = Wander(2.0, 5.0, 0.0)
        values = [wander.step(dt, xi) for xi in rng.standard_normal(20_000)]
        assert np.std(values) == pytest.approx(2.0, rel=0.15)


def test_schedule_holds_for_minutes_and_ramps_without_a_jump() -> None:
    schedule = OperatingSchedule(OPERATING, np.random.default_rng(3))
    speeds = np.array([schedule.at(float(t))[0] for t in range(7200)])
    assert speeds.min() >= 900.0
    assert speeds.max() <= 1480.0
    steps = np.abs(np.diff(speeds))
    assert (steps == 0.0).mean() > 0.8, "it holds for most of the time"
    changes = int(((steps[1:] > 0) & (steps[:-1] == 0)).sum())
    assert 7200 / 480 - 2 <= changes <= 7200 / 120
    assert steps.max() <= (1480.0 - 900.0) / OPERATING.ramp_s[0] + 1e-9
