"""Conservation and monotonicity of the machines' laws, wherever in their range one looks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import degradation
from simulator.bearings import fault_frequencies
from simulator.degradation import Law
from simulator.machines.catalogue import MACHINES
from simulator.machines.motor import Motor, motor_point
from simulator.machines.pump import PumpParameters, efficiency, hydraulic_power, operating_flow, pump_head, system_loss
from simulator.machines.robot import PRODUCTS, RobotParameters, arm_torques, joint_friction, taught_path
from simulator.machines.spindle import RECIPES, SpindleParameters, cutting_power, stable_depth, tool_life
from simulator.randomness import Draws

PUMP, ROBOT, SPINDLE, MOTOR = PumpParameters(), RobotParameters(), SpindleParameters(), Motor()
LAWS: list[Law] = [
    degradation.paris,
    degradation.archard,
    degradation.fouling,
    degradation.self_accelerating,
    degradation.sudden,
]
shares, speeds = st.floats(0.0, 1.0), st.floats(600.0, 1500.0)


def one(value: float) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@given(first=shares, second=shares)
def test_damage_grows_from_nothing_to_failure_and_never_heals(law: Law, first: float, second: float) -> None:
    sooner, later = law(one(min(first, second)))[0], law(one(max(first, second)))[0]
    assert 0.0 <= sooner <= later <= 1.0
    assert law(one(1.0))[0] == pytest.approx(1.0)


@given(speed=speeds, valve=st.floats(0.2, 1.0), more=st.floats(1.01, 1.5))
def test_the_loop_takes_just_the_head_that_the_pump_gives_and_more_speed_or_valve_gives_more_flow(
    speed: float, valve: float, more: float
) -> None:
    loss = system_loss(PUMP, one(valve))
    flow = operating_flow(PUMP, one(speed), loss)
    assert pump_head(PUMP, flow, one(speed)) == pytest.approx(loss * flow**2, rel=1e-9)
    assert operating_flow(PUMP, one(speed * more), loss)[0] == pytest.approx(more * flow[0])
    assert operating_flow(PUMP, one(speed), system_loss(PUMP, one(min(valve * more, 1.2))))[0] > flow[0]


@given(speed=speeds, valve=st.floats(0.2, 1.0), voltage=st.floats(0.95, 1.05))
def test_no_stage_gives_more_power_than_it_takes(speed: float, valve: float, voltage: float) -> None:
    flow = operating_flow(PUMP, one(speed), system_loss(PUMP, one(valve)))
    water = hydraulic_power(flow, pump_head(PUMP, flow, one(speed)), one(998.0))
    shaft = water / efficiency(PUMP, flow, one(speed))
    motor = motor_point(MOTOR, one(speed * 1.02), shaft / (speed * np.pi / 30.0), one(voltage))
    assert 0.0 < water[0] < shaft[0]
    assert motor.power[0] > shaft[0] * 0.98
    assert motor.speed[0] < speed * 1.02
    assert 0.0 < motor.power_factor[0] < 1.0


@given(name=st.sampled_from(sorted(RECIPES)), more=st.floats(1.05, 2.0))
def test_cutting_faster_wears_and_takes_more(name: str, more: float) -> None:
    recipe = RECIPES[name]
    life = tool_life(recipe.material, recipe.cutting_speed)
    assert tool_life(recipe.material, recipe.cutting_speed * more) < life
    assert cutting_power(replace(recipe, depth_mm=recipe.depth_mm * more)) == pytest.approx(more * cutting_power(recipe))
    # thicker chips take less force per area: power grows by less than the feed
    assert 1.0 < cutting_power(replace(recipe, tooth_feed_mm=recipe.tooth_feed_mm * more)) / cutting_power(recipe) < more
    stiffer = replace(SPINDLE, holder_stiffness=SPINDLE.holder_stiffness * more)
    assert stable_depth(stiffer, recipe) == pytest.approx(more * stable_depth(SPINDLE, recipe))


@given(name=st.sampled_from(sorted(PRODUCTS)), one_kg=st.floats(0.0, 20.0), other_kg=st.floats(0.0, 20.0))
def test_the_arms_torques_are_linear_in_what_it_carries_and_give_back_over_a_cycle(
    name: str, one_kg: float, other_kg: float
) -> None:
    angles, _ = taught_path(PRODUCTS[name])
    step_s = 0.05
    bare, first, second, both = (arm_torques(ROBOT, angles, step_s, kg) for kg in (0.0, one_kg, other_kg, one_kg + other_kg))
    assert first + second - bare == pytest.approx(both, abs=1e-6)
    rates = (np.roll(angles, -1, axis=1) - np.roll(angles, 1, axis=1)) / (2.0 * step_s)
    work = both * rates
    assert abs(work.sum()) < 0.01 * np.abs(work).sum(), "a periodic path without friction keeps its energy"


@given(rate=st.floats(-3.0, 3.0), celsius=st.floats(10.0, 90.0), warmer=st.floats(1.0, 30.0))
def test_friction_only_takes_and_takes_less_when_the_grease_is_warm(rate: float, celsius: float, warmer: float) -> None:
    cold, warm = (joint_friction(one(10.0), one(20.0), 30.0, one(rate), one(at))[0] for at in (celsius, celsius + warmer))
    assert cold * rate >= 0.0
    assert abs(warm) <= abs(cold)


@given(hz=st.floats(1.0, 200.0))
def test_a_bearings_frequencies_belong_together(hz: float) -> None:
    at = fault_frequencies(PUMP.bearing, hz)
    # whatever the geometry: each ball passes one race or the other once per turn
    assert at.bpfo + at.bpfi == pytest.approx(PUMP.bearing.balls * hz)
    assert at.bpfo == pytest.approx(PUMP.bearing.balls * at.ftf)
    assert at.bpfi > at.bpfo > at.bsf > at.ftf


@pytest.mark.parametrize("kind", MACHINES)
def test_counters_never_fall_whatever_is_broken(kind: str) -> None:
    machine = MACHINES[kind](Draws([(3,), (4,)]))
    random = np.random.default_rng(5)
    before = {name: np.zeros(2) for name in machine.counters}
    for _ in range(200):
        level = {fault.id: random.random(2).round() for fault in machine.faults}
        values = machine.step(5.0, level)
        for name in machine.counters:
            assert (values[name] >= before[name]).all()
            before[name] = values[name]
