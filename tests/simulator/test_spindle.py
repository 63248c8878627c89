"""The milling spindle against its textbook."""

import math
from itertools import pairwise

import numpy as np
import pytest

from simulator.machines.jobs import CHANGEOVER, IDLE, RUNNING
from simulator.machines.spindle import (
    ALUMINIUM,
    FAULTS,
    RECIPES,
    SENSORS,
    STEEL,
    Recipe,
    Spindle,
    SpindleParameters,
    cutting_power,
    mean_chip,
    specific_force,
    stable_depth,
    teeth_in_cut,
    tool_life,
)
from simulator.randomness import Draws
from tests.simulator.lives import lives

P = SpindleParameters()
HEALTHY = {fault.id: 0.0 for fault in FAULTS}
# Sandvik's worked example of face milling: 1500 N/mm2 at 1 mm, 125 mm cutter
FACE = Recipe(material=STEEL, tool_mm=100, teeth=6, speed=700, tooth_feed_mm=0.2, depth_mm=4, width_mm=100, passes=1, cut_s=60)


def step(spindle: Spindle, level: dict[str, float], dt_s: float = 1.0) -> dict[str, float]:
    values = spindle.step(dt_s, {name: np.array([severity]) for name, severity in level.items()})
    return {name: float(value[0]) for name, value in values.items()}


def run(*levels: dict[str, float], steps: int = 1800, dt_s: float = 1.0) -> list[dict[str, np.ndarray]]:
    return lives(Spindle(Draws([(7,)] * len(levels))), levels, steps, dt_s)


@pytest.fixture(scope="module")
def two_hours() -> dict[str, np.ndarray]:
    """Of a healthy spindle."""
    return run(HEALTHY, steps=7200)[0]


def test_kienzle() -> None:
    assert specific_force(STEEL, 1.0) == 1700.0
    assert specific_force(STEEL, 0.1) / specific_force(STEEL, 1.0) == pytest.approx(10.0**0.25)
    assert mean_chip(FACE) == pytest.approx(0.2), "full width: the chip is as thick as the feed"
    # 4 mm · 100 mm · 840 mm/min · 2542 N/mm2 / 60e6
    assert cutting_power(FACE) == pytest.approx(14.2, abs=0.1)


def test_taylor() -> None:
    assert tool_life(STEEL, STEEL.taylor_c) == pytest.approx(1.0), "C is the speed of one minute's life"
    assert tool_life(STEEL, 200.0) == pytest.approx(16.0)
    assert tool_life(STEEL, 100.0) / tool_life(STEEL, 200.0) == pytest.approx(2.0 ** (1.0 / STEEL.taylor_n))
    assert tool_life(ALUMINIUM, 200.0) > 10.0 * tool_life(STEEL, 200.0)


def test_stability() -> None:
    recipe = RECIPES["flange-120"]
    stiff = SpindleParameters(holder_stiffness=2.0 * P.holder_stiffness)
    assert stable_depth(stiff, recipe) == pytest.approx(2.0 * stable_depth(P, recipe))
    assert teeth_in_cut(FACE) == pytest.approx(3.0), "half of the teeth of a slot"
    for name, each in RECIPES.items():
        assert 0.2 < each.depth_mm / stable_depth(P, each) < 0.8, f"{name} does not chatter, and would with a loose holder"


def test_every_recipe_is_within_the_spindles_power_and_speed() -> None:
    for recipe in RECIPES.values():
        assert 0.2 < cutting_power(recipe) < 15.0
        assert 2000 <= recipe.speed <= 9000
        assert 10.0 < tool_life(recipe.material, recipe.cutting_speed) < 120.0


def test_jobs_parts_and_passes(two_hours: dict[str, np.ndarray]) -> None:
    at = two_hours
    states = at["state"].astype(int)
    assert set(states) == {IDLE, CHANGEOVER, RUNNING}
    changeovers = np.flatnonzero(np.diff((states == CHANGEOVER).astype(int)) == 1)
    assert 10 < len(changeovers) < 40, "every few minutes"
    assert at["parts"][-1] - at["parts"][0] > 50
    assert len(set(at["recipe"])) == 3, "two recipes come later"
    assert at["speed"][states == CHANGEOVER].max() == 0.0
    assert at["torque"][states == IDLE].max() < 0.5


def test_new_recipes_come_with_time() -> None:
    late = Spindle(Draws([(7,)], start_s=[100.0 * 3600.0]))
    recipes = {step(late, HEALTHY, dt_s=5.0)["recipe"] for _ in range(6000)}
    assert recipes == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_healthy_values_are_those_of_a_real_spindle(two_hours: dict[str, np.ndarray]) -> None:
    at = two_hours
    assert 4.0 < at["power"].max() < 15.0
    assert at["vibration"].max() < 4.5
    assert at["bearing_temperature"].min() > 25.0
    assert at["bearing_temperature"].max() < 60.0
    assert 23.0 < at["coolant_temperature"].min() < at["coolant_temperature"].max() < 25.5
    turning = at["speed"] > 1000.0
    assert (at["power"][turning] > at["torque"][turning] * at["speed"][turning] * math.pi / 30e3).all()


def test_a_tool_wears_and_is_replaced_and_a_worn_one_cuts_harder() -> None:
    spindle = Spindle(Draws([(7,)]))
    worn: dict[bool, list[float]] = {False: [], True: []}
    wear = []
    for _ in range(7200):
        values = step(spindle, HEALTHY)
        wear.append(spindle.wear[0])
        if values["recipe"] == 0.0 and spindle.cut_share[0] == 1.0:
            worn[bool(spindle.wear[0] > 0.5)].append(values["torque"])
    assert 1.0 <= max(wear) < 1.2
    assert min(wear) < 0.02
    assert np.mean(worn[True]) > 1.08 * np.mean(worn[False])


def test_bearing_damage_shakes_where_it_turns_and_heats() -> None:
    healthy, worn = run(HEALTHY, HEALTHY | {"spindle-bearing": 1.0}, steps=3600)
    turning = healthy["speed"] > 1000.0
    assert worn["vibration"][turning].mean() > 7.1
    still = healthy["speed"] == 0.0
    assert worn["vibration"][still] == pytest.approx(healthy["vibration"][still])
    assert worn["bearing_temperature"].mean() > healthy["bearing_temperature"].mean() + 8.0
    assert worn["thermal_growth"].mean() > healthy["thermal_growth"].mean() + 20.0


def test_a_broken_tool_hardly_cuts() -> None:
    healthy, broken = run(HEALTHY, HEALTHY | {"tool-breakage": 1.0})
    assert broken["torque"].mean() < 0.35 * healthy["torque"].mean()
    assert broken["power"].mean() < 0.6 * healthy["power"].mean()
    assert broken["vibration"].max() > healthy["vibration"].max() + 2.0
    assert broken["speed"].mean() == pytest.approx(healthy["speed"].mean(), rel=0.01)


def test_without_coolant_it_gets_hot_and_long_and_wears_its_tools() -> None:
    healthy, dry = run(HEALTHY, HEALTHY | {"coolant-loss": 1.0}, steps=3600)
    assert dry["coolant_flow"].mean() < 2.0
    assert dry["bearing_temperature"][-1] > healthy["bearing_temperature"][-1] + 15.0
    assert dry["thermal_growth"][-1] > healthy["thermal_growth"][-1] + 30.0
    spindles = [Spindle(Draws([(7,)])) for _ in range(2)]
    worn = []
    for spindle, level in zip(spindles, (0.0, 1.0), strict=True):
        before = spindle.wear[0]
        for _ in range(40):
            step(spindle, HEALTHY | {"coolant-loss": level})
        worn.append(spindle.wear[0] - before)
    assert worn[1] == pytest.approx(3.0 * worn[0])


def test_chatter_is_only_in_the_cut() -> None:
    spindle, calm = Spindle(Draws([(7,)])), Spindle(Draws([(7,)]))
    cutting, air = [], []
    for _ in range(1800):
        loose, firm = step(spindle, HEALTHY | {"chatter": 1.0}), step(calm, HEALTHY)
        assert loose["torque"] == firm["torque"]
        if spindle.cut_share[0] == 1.0:
            cutting.append(loose["vibration"] - firm["vibration"])
        elif spindle.cut_share[0] == 0.0:
            air.append(loose["vibration"] - firm["vibration"])
    assert np.mean(cutting) > 6.0
    assert np.abs(air).max() == 0.0


SIGNATURE = {
    "spindle-bearing": ("vibration", 1.0),
    "tool-breakage": ("torque", -1.0),
    "coolant-loss": ("coolant_flow", -1.0),
    "chatter": ("vibration", 1.0),
}


@pytest.mark.parametrize("fault", list(SIGNATURE))
def test_a_small_fault_hardly_shows_and_a_great_one_shows_more(fault: str) -> None:
    name, sign = SIGNATURE[fault]
    healthy, small, middle, great = (
        sign * at[name].mean() for at in run(*(HEALTHY | {fault: severity} for severity in (0.0, 0.1, 0.5, 1.0)), steps=400)
    )
    assert healthy < small < middle < great
    assert small - healthy < 0.25 * (great - healthy)


def test_energy_is_power_over_time() -> None:
    (at,) = run(HEALTHY)
    assert at["energy"][-1] - at["energy"][0] == pytest.approx(at["power"][1:].sum() / 3600.0, rel=1e-6)


def test_the_vibration_signal_is_that_of_the_waveform() -> None:
    spindle = Spindle(Draws([(7,), (8,)]))
    for fault in FAULTS * 20:
        values = spindle.step(3.0, {name: np.array([0.0, 0.6 if name == fault.id else 0.0]) for name in HEALTHY})
        assert spindle.excitation(1).velocity == pytest.approx(values["vibration"][1])
        assert spindle.rotor(1).vanes in (3, 4, 5)


def test_a_recipe_that_is_asked_for_comes_after_the_part_in_work() -> None:
    spindle = Spindle(Draws([(7,)]))
    spindle.start_job(0, list(RECIPES).index("bracket-ti"))
    rows = [step(spindle, HEALTHY) for _ in range(400)]
    assert rows[-1]["recipe"] == list(RECIPES).index("bracket-ti")


def test_a_life_does_not_depend_on_who_stands_beside() -> None:
    alone, beside = Spindle(Draws([(8,)])), Spindle(Draws([(7,), (8,)]))
    for _ in range(600):
        one = alone.step(1.0, {name: np.zeros(1) for name in HEALTHY})
        two = beside.step(1.0, {name: np.array([1.0, 0.0]) for name in HEALTHY})
        assert {name: value[0] for name, value in one.items()} == {name: value[1] for name, value in two.items()}


def test_heat_and_parts_hardly_depend_on_the_step() -> None:
    (fine,), (coarse,) = run(HEALTHY, steps=3600), run(HEALTHY, steps=360, dt_s=10.0)
    assert coarse["parts"][-1] - coarse["parts"][0] == pytest.approx(fine["parts"][-1] - fine["parts"][0], abs=2)
    assert coarse["bearing_temperature"].mean() == pytest.approx(fine["bearing_temperature"].mean(), abs=0.7)
    used = [at["energy"][-1] - at["energy"][0] for at in (fine, coarse)]
    assert used[1] == pytest.approx(used[0], rel=0.05)


@pytest.mark.parametrize("dt_s", [0.1, 30.0])
def test_nothing_explodes(dt_s: float) -> None:
    spindle = Spindle(Draws([(7,)]))
    rows = [step(spindle, dict.fromkeys(HEALTHY, 1.0), dt_s) for _ in range(600)]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert all(later[name] >= row[name] for row, later in pairwise(rows) for name in ("energy", "parts"))
    assert set(rows[0]) == {*SENSORS, "recipe", "state"}
