"""The robot against its textbook."""

import math
from itertools import pairwise

import numpy as np
import pytest

from simulator.machines.jobs import CHANGEOVER, IDLE, RUNNING
from simulator.machines.robot import (
    FAULTS,
    GRAVITY,
    POINTS,
    PRODUCTS,
    SENSORS,
    Product,
    Robot,
    RobotParameters,
    arm_torques,
    joint_friction,
    minimum_jerk,
    taught_path,
    waiting_time,
)
from simulator.randomness import Draws, Floats
from tests.simulator.lives import lives

P = RobotParameters()
HEALTHY = {fault.id: 0.0 for fault in FAULTS}


def step(robot: Robot, level: dict[str, float], dt_s: float = 1.0) -> dict[str, float]:
    values = robot.step(dt_s, {name: np.array([severity]) for name, severity in level.items()})
    return {name: float(value[0]) for name, value in values.items()}


def run(*levels: dict[str, float], steps: int = 1200, dt_s: float = 1.0) -> list[dict[str, np.ndarray]]:
    return lives(Robot(Draws([(7,)] * len(levels))), levels, steps, dt_s)


@pytest.fixture(scope="module")
def an_hour() -> dict[str, np.ndarray]:
    """Of a healthy robot."""
    return run(HEALTHY, steps=3600)[0]


def torques_of(product: Product, payload_kg: float) -> tuple[Floats, Floats, Floats, Floats]:
    angles, holds = taught_path(product)
    step_s = product.cycle_s / POINTS
    rate = (np.roll(angles, -1, axis=1) - np.roll(angles, 1, axis=1)) / (2.0 * step_s)
    return angles, holds, rate, arm_torques(P, angles, step_s, payload_kg)


def test_a_move_starts_and_ends_at_rest_with_its_fastest_in_the_middle() -> None:
    share = np.linspace(0.0, 1.0, 1001)
    way = minimum_jerk(share)
    speed = np.gradient(way, share)
    assert (way[0], way[-1], way[500]) == (0.0, 1.0, 0.5)
    assert speed[[0, -1]] == pytest.approx(0.0, abs=1e-4)
    assert speed.max() == pytest.approx(1.875, abs=1e-3), "Flash and Hogan 1985: 15/8 of the mean speed"


def test_a_resting_arm_holds_its_weight() -> None:
    # stretched out level: the moments of the masses about the shoulder and the elbow
    angles = np.zeros((6, 8))
    torque = arm_torques(P, angles, 0.1, 20.0)[:, 3]
    tip = P.gripper_kg + 20.0
    elbow = GRAVITY * (P.forearm_kg * P.forearm_centre + tip * P.forearm)
    beyond = GRAVITY * (P.upper_arm_kg * P.upper_arm_centre + (P.forearm_kg + tip) * P.upper_arm)
    wrist = GRAVITY * (P.gripper_kg * P.gripper_centre + 20.0 * P.load_centre)
    assert torque == pytest.approx([0.0, beyond + elbow, elbow, 0.0, wrist, 0.0])
    upright = np.zeros((6, 8))
    upright[1] = upright[4] = math.pi / 2.0
    assert arm_torques(P, upright, 0.1, 20.0)[:, 3] == pytest.approx(np.zeros(6), abs=1e-9)


def test_a_turning_arm_needs_its_moment_of_inertia() -> None:
    # the base swings slightly, the arm held up: a pure moment of inertia about the vertical
    time = np.arange(2000) / 2000.0
    angles = np.zeros((6, 2000))
    angles[0] = 0.1 * np.sin(2.0 * math.pi * time)
    angles[1] = math.pi / 2.0
    torque = arm_torques(P, angles, 1.0 / 2000.0, 0.0)
    acceleration = -0.1 * (2.0 * math.pi) ** 2 * np.sin(2.0 * math.pi * time)
    assert torque[0] == pytest.approx(P.base_inertia * acceleration, abs=0.01)


@pytest.mark.parametrize("name", list(PRODUCTS))
def test_over_a_cycle_the_arm_gives_back_what_it_takes(name: str) -> None:
    product = PRODUCTS[name]
    _, _, rate, torque = torques_of(product, 5.0)
    work = (torque * rate).mean(axis=1) * product.cycle_s
    moved = np.abs(torque * rate).mean() * product.cycle_s
    assert work.sum() == pytest.approx(0.0, abs=0.01 * moved)


@pytest.mark.parametrize("name", list(PRODUCTS))
def test_carrying_a_part_costs_its_potential_energy(name: str) -> None:
    product = PRODUCTS[name]
    angles, holds, rate, bare = torques_of(product, 0.0)
    loaded = torques_of(product, 1.0)[3]
    work = ((loaded - bare) * rate * holds)[:4].sum() * product.cycle_s / POINTS
    height = P.upper_arm * np.sin(angles[1]) + P.forearm * np.sin(angles[1] + angles[2])
    carried = np.flatnonzero(holds)
    risen = height[carried[-1]] - height[carried[0]]
    assert work == pytest.approx(GRAVITY * risen, abs=0.05)


def test_friction_falls_as_the_grease_gets_warm() -> None:
    def at(celsius: float, rate: float = 0.5) -> float:
        return float(joint_friction(np.array(60.0), np.array(100.0), P.grease_k, np.array(rate), np.array(celsius)))

    assert at(40.0) == pytest.approx(60.0 + 50.0)
    assert at(40.0, -0.5) == pytest.approx(-110.0)
    assert (at(80.0) - 60.0) / (at(33.0) - 60.0) == pytest.approx(0.35, abs=0.02), "Bittencourt: about a third of it is left"
    assert at(40.0, 0.0) == 0.0


def test_parts_come_at_the_pace_of_the_cycle(an_hour: dict[str, np.ndarray]) -> None:
    at = an_hour
    working = at["state"] != CHANGEOVER
    made = at["parts"][-1] - at["parts"][0]
    assert made == pytest.approx(working.sum() / at["cycle_time"][working].mean(), rel=0.1)
    assert {RUNNING, IDLE, CHANGEOVER} == set(at["state"].astype(int))
    assert at["cycle_time"].min() > min(product.cycle_s for product in PRODUCTS.values())


def test_parts_are_late_now_and_then() -> None:
    waits = waiting_time(np.linspace(0.0, 1.0, 1000, endpoint=False))
    assert (waits > 4.0).mean() == pytest.approx(0.06, abs=0.002)
    assert waits.max() < 36.0
    assert waits.min() >= 0.3


def test_healthy_values_are_those_of_a_real_robot(an_hour: dict[str, np.ndarray]) -> None:
    at = an_hour
    assert 0.4 < at["power"].mean() < 1.5
    assert 40.0 < at["temperature_2"].mean() < 65.0
    assert at["position_error"].mean() < 0.3
    assert at["torque_2"].mean() > at["torque_3"].mean() > at["torque_5"].mean()


def test_the_mains_give_what_becomes_motion_heat_and_loss() -> None:
    robot = Robot(Draws([(7,)]))
    first = step(robot, HEALTHY)
    parts = 0.0
    for _ in range(1800):
        values = step(robot, HEALTHY)
        parts += robot.moved_w[0] + robot.braked_w[0] + robot.friction_w.sum() + robot.copper_w.sum()
        assert robot.braked_w[0] >= 0.0
        assert values["power"] >= P.control_kw
    drawn = (values["energy"] - first["energy"]) * 3.6e6
    assert drawn == pytest.approx(1800.0 * P.control_kw * 1e3 + parts / P.drive_efficiency, rel=1e-6)


def test_backlash_misses_its_place_and_knocks() -> None:
    healthy, worn = run(HEALTHY, HEALTHY | {"gearbox-backlash": 1.0})
    assert worn["position_error"].mean() > 1.0, "beyond the alarm limit"
    assert worn["torque_3"].mean() > 1.03 * healthy["torque_3"].mean()
    assert worn["torque_2"].mean() == pytest.approx(healthy["torque_2"].mean(), rel=1e-9)


def test_a_dragging_brake_heats_its_joint_and_no_other() -> None:
    healthy, dragging = run(HEALTHY, HEALTHY | {"brake-drag": 1.0}, steps=3600)
    assert dragging["temperature_2"][-1] > healthy["temperature_2"][-1] + 15.0
    assert dragging["torque_2"].mean() > 1.3 * healthy["torque_2"].mean()
    assert dragging["power"].mean() > 1.15 * healthy["power"].mean()
    for name in ("torque_3", "torque_1", "temperature_5", "temperature_3"):
        assert dragging[name].mean() == pytest.approx(healthy[name].mean(), rel=1e-9), name


def test_a_collision_is_a_blow_in_every_cycle() -> None:
    healthy, hitting = run(HEALTHY, HEALTHY | {"collision": 1.0})
    assert hitting["torque_1"].max() > 1.7 * healthy["torque_1"].max()
    assert hitting["cycle_time"].mean() > 1.05 * healthy["cycle_time"].mean()
    assert hitting["position_error"].mean() > healthy["position_error"].mean() + 0.5


def test_a_part_that_is_too_heavy_is_felt_while_it_is_carried() -> None:
    healthy, heavy = run(HEALTHY, HEALTHY | {"wrong-payload": 1.0})
    for name in ("torque_2", "torque_3", "torque_5"):
        assert heavy[name].mean() > 1.03 * healthy[name].mean(), name
    assert heavy["torque_6"].mean() == pytest.approx(healthy["torque_6"].mean(), rel=0.05)
    waiting = (healthy["state"] == IDLE) & (np.roll(healthy["state"], 1) == IDLE)
    assert heavy["torque_2"][waiting] == pytest.approx(healthy["torque_2"][waiting], rel=1e-6)


SIGNATURE = {
    "gearbox-backlash": "position_error",
    "brake-drag": "torque_2",
    "collision": "position_error",
    "wrong-payload": "torque_3",
}


@pytest.mark.parametrize("fault", list(SIGNATURE))
def test_a_small_fault_hardly_shows_and_a_great_one_shows_more(fault: str) -> None:
    name = SIGNATURE[fault]
    healthy, small, middle, great = (
        at[name].mean() for at in run(*(HEALTHY | {fault: severity} for severity in (0.0, 0.1, 0.5, 1.0)), steps=400)
    )
    assert healthy < small < middle < great
    assert small - healthy < 0.25 * (great - healthy)


def test_a_product_that_is_asked_for_comes_after_the_part_in_work() -> None:
    robot = Robot(Draws([(7,)]))
    robot.start_job(0, list(PRODUCTS).index("rotor"))
    rows = [step(robot, HEALTHY) for _ in range(300)]
    assert rows[-1]["recipe"] == list(PRODUCTS).index("rotor")
    assert CHANGEOVER in {row["state"] for row in rows}


def test_a_repair_takes_the_heat_with_it() -> None:
    robot = Robot(Draws([(7,)]))
    for _ in range(3000):
        hot = step(robot, HEALTHY | {"brake-drag": 1.0})
    robot.renew(np.array([True]))
    assert step(robot, HEALTHY)["temperature_2"] < hot["temperature_2"] - 10.0


def test_a_life_does_not_depend_on_who_stands_beside() -> None:
    alone, beside = Robot(Draws([(8,)])), Robot(Draws([(7,), (8,)]))
    for _ in range(300):
        one = alone.step(1.0, {name: np.zeros(1) for name in HEALTHY})
        two = beside.step(1.0, {name: np.array([1.0, 0.0]) for name in HEALTHY})
        assert {name: value[0] for name, value in one.items()} == pytest.approx(
            {name: value[1] for name, value in two.items()}, rel=1e-12
        )


def test_heat_and_parts_hardly_depend_on_the_step(an_hour: dict[str, np.ndarray]) -> None:
    fine, (coarse,) = an_hour, run(HEALTHY, steps=120, dt_s=30.0)
    assert coarse["temperature_2"][-1] == pytest.approx(fine["temperature_2"][-1], abs=2.0)
    made = [at["parts"][-1] - at["parts"][0] for at in (fine, coarse)]
    assert made[1] == pytest.approx(made[0], rel=0.2)


@pytest.mark.parametrize("dt_s", [0.1, 30.0])
def test_nothing_explodes(dt_s: float) -> None:
    robot = Robot(Draws([(7,)]))
    rows = [step(robot, dict.fromkeys(HEALTHY, 1.0), dt_s) for _ in range(400)]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert all(later[name] >= row[name] for row, later in pairwise(rows) for name in ("energy", "parts"))
    assert set(rows[0]) == {*SENSORS, "recipe", "state"}
