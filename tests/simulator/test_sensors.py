"""Sensors, schedule, and one life for each seed."""

import numpy as np
import pytest

from simulator.fleet import Fleet, Lane
from simulator.machines.pump import MODE_WEIGHTS, MODES, SENSORS
from simulator.randomness import Draws, Floats, Wander
from simulator.schedule import RAMP_S, OperatingSchedule
from simulator.sensors import SensorArray, SensorCharacter, SensorFaultKind


def life(seed: int, *assets: str, rows: int = 400, shift: int = 0) -> Floats:
    """Readings of the last of `assets`, (rows, n_sensors)."""
    fleet = Fleet("pump", [Lane(asset=asset, shift=shift) for asset in assets or ("pump-101",)], seed)
    return np.array([fleet.step(1.0)[:, -1] for _ in range(rows)])


def sensor(kind: SensorFaultKind | None = None, amount: float = 0.0, **character: float) -> SensorArray:
    """One sensor of 0 to 100, without noise where none is asked for."""
    array = SensorArray({"x": SensorCharacter(**({"low": 0.0, "high": 100.0, "resolution": 1e-6} | character))}, Draws([(1,)]))
    if kind is not None:
        array.measure(np.array([[40.0]]), 1.0)
        array.fail(0, "x", kind, amount)
    return array


def read(array: SensorArray, truth: float, rows: int = 1, dt_s: float = 1.0) -> list[float]:
    return [float(array.measure(np.array([[truth]]), dt_s)[0, 0]) for _ in range(rows)]


def test_the_same_seed_gives_the_same_life_and_another_gives_another() -> None:
    assert (life(1) == life(1)).all()
    assert (life(1) != life(2)).any()
    assert (life(1) != life(1, "pump-102")).any()
    assert (life(1) != life(1, shift=1)).any()


def test_a_machine_lives_the_same_life_whoever_stands_beside_it() -> None:
    assert (life(1) == life(1, "pump-103", "pump-102", "pump-101")).all()


def test_a_fault_changes_nothing_before_it_begins() -> None:
    faulty = Fleet("pump", [Lane(asset="pump-101")], 1)
    rows = [faulty.step(1.0)[:, 0] for _ in range(200)]
    faulty.faults.inject(0, "bearing-wear", severity=1.0, over_s=60.0, at_s=200.0)
    rows += [faulty.step(1.0)[:, 0] for _ in range(200)]
    healthy = life(1)
    names = list(SENSORS)
    assert (np.array(rows[:200]) == healthy[:200]).all()
    assert rows[-1][names.index("vibration")] > healthy[-1][names.index("vibration")] + 5.0
    # the noise of all other sensors goes on as it would have
    assert rows[-1][names.index("fluid_temperature")] == healthy[-1][names.index("fluid_temperature")]


@pytest.mark.parametrize("signal", SENSORS)
def test_readings_are_digitised_and_within_range(signal: str) -> None:
    values = life(1, rows=100)[:, list(SENSORS).index(signal)]
    steps = values / SENSORS[signal].resolution
    assert np.abs(steps - steps.round()).max() < 1e-4
    assert len(set(values.tolist())) > 1
    assert values.min() >= SENSORS[signal].low
    assert values.max() <= SENSORS[signal].high


def test_lag_is_first_order() -> None:
    array = sensor(lag_s=10.0)
    assert read(array, 0.0) == [0.0]
    assert read(array, 50.0, rows=10)[-1] == pytest.approx(50.0 * (1.0 - np.exp(-1.0)), abs=1e-4)


def test_range_cuts_off() -> None:
    assert read(sensor(high=50.0), 70.0) == [50.0]
    assert read(sensor(), -3.0) == [0.0]


def test_faults_of_sensors() -> None:
    assert read(sensor(SensorFaultKind.STUCK), 60.0, rows=3) == [40.0] * 3
    assert read(sensor(SensorFaultKind.BIAS, 5.0), 40.0) == [45.0]
    assert read(sensor(SensorFaultKind.DRIFT, 36.0), 40.0, rows=200)[-1] == pytest.approx(42.0)
    assert np.std(read(sensor(SensorFaultKind.NOISE, 2.0), 50.0, rows=2000)) == pytest.approx(2.0, rel=0.1)
    assert np.isnan(read(sensor(SensorFaultKind.DROPOUT), 50.0)).all()
    array = sensor(SensorFaultKind.BAD)
    read(array, 50.0)
    assert array.bad.all()
    array.replace(0)
    assert read(array, 50.0) == [50.0]
    assert not array.bad.any(), "a new sensor knows again"


def test_dropout_leaves_out_its_share() -> None:
    assert np.isnan(read(sensor(dropout=0.2), 50.0, rows=5000)).mean() == pytest.approx(0.2, abs=0.02)


def test_wander_keeps_its_spread_at_every_step_size() -> None:
    rng = np.random.default_rng(2)
    for dt in (0.1, 1.0, 30.0):
        wander = Wander(2.0, 5.0, np.zeros(20))
        values = [wander.step(dt, rng.standard_normal(20)).copy() for _ in range(2000)]
        assert np.std(values) == pytest.approx(2.0, rel=0.1)


def test_schedule_holds_for_minutes_and_ramps_without_a_jump() -> None:
    schedule = OperatingSchedule(tuple(MODES.values()), MODE_WEIGHTS, Draws([(3,)]))
    speeds = np.array([schedule.step(1.0)[0, 0] for _ in range(7200)])
    assert speeds.min() >= 900.0
    assert speeds.max() <= 1480.0
    steps = np.abs(np.diff(speeds))
    assert (steps == 0.0).mean() > 0.8, "it holds for most of the time"
    changes = int(((steps[1:] > 0) & (steps[:-1] == 0)).sum())
    assert 7200 / 480 - 2 <= changes <= 7200 / 120
    assert steps.max() <= (1480.0 - 900.0) / RAMP_S[0] + 1e-9


def test_a_mode_that_is_asked_for_comes_at_once() -> None:
    schedule = OperatingSchedule(tuple(MODES.values()), MODE_WEIGHTS, Draws([(3,), (4,)]))
    schedule.step(1.0)
    schedule.ask(1, list(MODES).index("boost"))
    for _ in range(60):
        speed = schedule.step(1.0)[0]
    assert schedule.mode[1] == list(MODES).index("boost")
    assert speed[1] >= 1350.0
