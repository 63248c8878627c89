"""Six-axis robot cells that pick a part and place it, over and over, with a payload and a path for each product.

drives:  jobs of products, one cycle per part, waits for parts that come late
states:  where in its cycle each robot is, the temperatures of its six gears, the cell's ambient
outputs: torque of each joint, gear temperatures, position error, cycle time, electrical power and energy, parts
faults:  gearbox-backlash, brake-drag, collision, wrong-payload; severity 0..1 each

The path of a product is a table over its cycle: minimum-jerk moves between taught points. From it come the torques of the
rigid body once for all, as what the arm needs and what each kilogram in the gripper adds; friction is added as the
machine runs. A torque is what controllers report: the rms at the joint since the last value. Heat is first order, exact.

References: Siciliano et al., Robotics, 2009 (7.3.2 the two-link arm, 4.2 paths); Flash and Hogan 1985 (minimum jerk);
Bittencourt and Gunnarsson, Static friction in a robot joint, J. Dyn. Sys. Meas. Control 134, 2012 (friction and heat);
ISO 9283 (position error). Masses and lengths are those of a 20 kg robot with 1.7 m of reach, rounded from data sheets.
What the faults do at their worst is an assumption.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import BilingualText
from simulator.degradation import archard, self_accelerating, sudden
from simulator.faults import Fault
from simulator.machines.jobs import CHANGEOVER, IDLE, RUNNING, STATES, JobRule, Jobs
from simulator.randomness import Draws, Floats, Wander, approach
from simulator.sensors import SensorCharacter

GRAVITY: Final = 9.81  # [m/s2]
JOINTS: Final = 6
POINTS: Final = 600  # of the table of a cycle
# the joints that the faults sit in, counted from 0
WORN, DRAGGING, HIT = 2, 1, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotParameters:
    """An articulated robot for 20 kg at 1.7 m. Friction, heat and losses have one value per joint."""

    upper_arm: float = 0.80  # [m]
    forearm: float = 0.90  # [m] to the wrist
    upper_arm_kg: float = 45.0
    forearm_kg: float = 30.0
    upper_arm_centre: float = 0.35  # [m] from the joint
    forearm_centre: float = 0.35  # [m]
    upper_arm_inertia: float = 3.5  # [kg·m2] about its centre
    forearm_inertia: float = 2.5  # [kg·m2]
    base_inertia: float = 8.0  # [kg·m2]
    gripper_kg: float = 6.0
    gripper_centre: float = 0.12  # [m] from the wrist
    load_centre: float = 0.20  # [m] from the wrist
    wrist_inertia: tuple[float, float, float] = (0.5, 0.6, 0.15)  # [kg·m2] of joints 4, 5, 6 with the gripper
    # joint side
    coulomb: tuple[float, ...] = (80.0, 90.0, 60.0, 12.0, 12.0, 6.0)  # [N·m]
    viscous: tuple[float, ...] = (140.0, 160.0, 100.0, 14.0, 14.0, 6.0)  # [N·m/(rad/s)] at 40 °C
    grease_k: float = 45.0  # [K] that thin the grease to 1/e (Bittencourt and Gunnarsson: half from 33 to 80 °C)
    copper: tuple[float, ...] = (6e-4, 7e-4, 1.4e-3, 0.02, 0.02, 0.04)  # [W/(N·m)2] in the motors
    gear_k_per_w: tuple[float, ...] = (0.6, 0.6, 0.8, 2.4, 2.8, 3.0)
    motor_share: float = 0.4  # of the motor's heat goes into the gear it is flanged to
    gear_time_s: tuple[float, ...] = (3000.0, 3300.0, 2700.0, 1800.0, 1700.0, 1500.0)
    control_kw: float = 0.38  # cabinet, fans, brakes held open
    drive_efficiency: float = 0.88
    ambient_c: float = 23.0
    stiffness_mm: float = 0.00035  # [mm/(N·m)] of joints 2 and 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What the robot handles, and how."""

    payload_kg: float
    cycle_s: float  # of the path, without waiting
    reach: float  # how far down and out the arm bends [°]
    turn: float  # of the base from pick to place [°]
    spin: float  # of the flange [°]


PRODUCTS: Final = {
    "bracket": Product(payload_kg=3.0, cycle_s=12.0, reach=40.0, turn=110.0, spin=90.0),
    "housing": Product(payload_kg=12.0, cycle_s=18.0, reach=46.0, turn=135.0, spin=180.0),
    "gear": Product(payload_kg=7.0, cycle_s=14.0, reach=36.0, turn=80.0, spin=45.0),
    "rotor": Product(payload_kg=18.0, cycle_s=24.0, reach=42.0, turn=100.0, spin=120.0),
}
JOBS: Final = JobRule(
    quantity=(15, 40),
    changeover_s=(40.0, 120.0),
    weights=(0.4, 0.25, 0.25, 0.2),
    since_s=(0.0, 0.0, 0.0, 30.0 * 3600.0),
)
SHORT_WAIT_S: Final = (0.3, 2.0)
LATE_SHARE: Final = 0.06  # of the parts are late
LATE_S: Final = (5.0, 35.0)
WORKING_SHARE: Final = 0.8  # of the time is spent moving; waits and changeovers take the rest

GEARBOX_BACKLASH: Final = Fault(
    id="gearbox-backlash",
    name=BilingualText(sv="Glapp i växeln", en="Gearbox backlash"),
    description=BilingualText(
        sv="Växeln i axel 3 har blivit sliten: armen hamnar lite fel och rycker när den vänder.",
        en="The gear of joint 3 is worn: the arm ends up a little off, and jerks where it turns back.",
    ),
    mechanism="2.4 wear",
    life_h=15_000.0,
    law=self_accelerating,
)
BRAKE_DRAG: Final = Fault(
    id="brake-drag",
    name=BilingualText(sv="Broms som ligger an", en="Dragging brake"),
    description=BilingualText(
        sv="Bromsen i axel 2 släpper inte helt: axeln går tungt, blir varm och drar mer ström.",
        en="The brake of joint 2 does not release fully: the joint moves hard, gets warm and takes more power.",
    ),
    mechanism="1.3 clearance/alignment failure",
    life_h=3_000.0,
    law=archard,
)
COLLISION: Final = Fault(
    id="collision",
    name=BilingualText(sv="Kollision i varje cykel", en="Collision in every cycle"),
    description=BilingualText(
        sv="Något står i vägen: armen slår i det en gång per cykel, och verktyget sitter snett.",
        en="Something stands in the way: the arm hits it once in every cycle, and the tool is bent.",
    ),
    mechanism="5.0 external influence",
    life_h=1_000.0,
    law=sudden,
)
WRONG_PAYLOAD: Final = Fault(
    id="wrong-payload",
    name=BilingualText(sv="Fel detalj i gripdonet", en="Wrong payload"),
    description=BilingualText(
        sv="Detaljen är tyngre än programmet tror: lederna som lyfter får slita mer, så länge den bärs.",
        en="The part is heavier than the program believes: the joints that lift it work harder while it is carried.",
    ),
    mechanism="5.0 external influence",
    life_h=500.0,
    law=sudden,
)
FAULTS: Final = (GEARBOX_BACKLASH, BRAKE_DRAG, COLLISION, WRONG_PAYLOAD)


def _torque_sensor(high: float, white: float) -> SensorCharacter:
    return SensorCharacter(low=0.0, high=high, resolution=0.1, white=white, relative=0.01, slow=white, slow_s=30.0, bias=white)


def _temperature_sensor() -> SensorCharacter:
    return SensorCharacter(low=-20.0, high=150.0, resolution=0.1, white=0.05, slow=0.05, slow_s=120.0, bias=0.3, lag_s=30.0)


SENSORS: Final[dict[str, SensorCharacter]] = {
    "torque_1": _torque_sensor(1500.0, 2.0),
    "torque_2": _torque_sensor(2000.0, 3.0),
    "torque_3": _torque_sensor(1200.0, 2.0),
    "torque_4": _torque_sensor(200.0, 0.3),
    "torque_5": _torque_sensor(200.0, 0.3),
    "torque_6": _torque_sensor(100.0, 0.2),
    "temperature_2": _temperature_sensor(),
    "temperature_3": _temperature_sensor(),
    "temperature_5": _temperature_sensor(),
    "position_error": SensorCharacter(low=0.0, high=20.0, resolution=0.001, white=0.004, relative=0.03, slow=0.004, bias=0.005),
    "cycle_time": SensorCharacter(low=0.0, high=3600.0, resolution=0.01),
    "power": SensorCharacter(low=0.0, high=20.0, resolution=0.001, white=0.01, slow=0.005, bias=0.01),
    "power_factor": SensorCharacter(low=0.0, high=1.0, resolution=0.001, white=0.004, bias=0.005),
    "energy": SensorCharacter(low=0.0, high=1e9, resolution=0.001),
    "parts": SensorCharacter(low=0.0, high=1e9, resolution=1.0),
}


def minimum_jerk(share: Floats) -> Floats:
    """How far a move has come after `share` of its time: 10u³ - 15u⁴ + 6u⁵ (Flash and Hogan 1985)."""
    return np.asarray(share**3 * (10.0 - 15.0 * share + 6.0 * share**2))


def taught_path(product: Product) -> tuple[Floats, Floats]:
    """The angles (6, POINTS) [rad] over one cycle, and whether the gripper holds the part (POINTS,).

    1 the base, 2 the upper arm above the horizon, 3 the forearm against the upper arm, 4 and 6 the wrist's turns,
    5 the pitch of the tool against the horizon. The eight taught points are the usual pick and place.
    """
    low, half = product.reach, product.turn / 2.0
    home = (0.0, 95.0, -95.0, 0.0, -60.0, 0.0)
    above_pick = (-half, 70.0, -100.0, 10.0, -75.0, 0.0)
    pick = (-half, 92.0 - low, -96.0, 10.0, -90.0, 0.0)
    above_place = (half, 74.0, -92.0, -15.0, -70.0, product.spin)
    place = (half, 94.0 - low, -88.0, -15.0, -90.0, product.spin)
    points = np.radians([home, above_pick, pick, pick, above_pick, above_place, place, place, above_place, home])
    ends = np.array([0.0, 0.14, 0.24, 0.30, 0.40, 0.60, 0.70, 0.76, 0.85, 1.0])
    phase = np.arange(POINTS) / POINTS
    move = np.searchsorted(ends, phase, side="right") - 1
    share = (phase - ends[move]) / (ends[move + 1] - ends[move])
    angles = points[move] + (points[move + 1] - points[move]) * minimum_jerk(share)[:, None]
    holds = ((phase >= 0.27) & (phase < 0.73)).astype(np.float64)
    return np.ascontiguousarray(angles.T), holds


def arm_torques(p: RobotParameters, angles: Floats, step_s: float, payload_kg: float) -> Floats:
    """Torques (6, POINTS) [N·m] that move the rigid arm with `payload_kg` along a periodic path, without friction.

    Lagrange: τ = d/dt(∂T/∂q̇) - ∂T/∂q + ∂V/∂q. Base, upper arm and forearm are coupled, as the two-link arm in its plane
    (Siciliano 7.3.2) on a turning base; the wrist's joints each see their own inertia and the weight beside joint 5.
    """
    a2, l2, l3, a3 = p.upper_arm, p.upper_arm_centre, p.forearm_centre, p.forearm
    tip = p.gripper_kg + payload_kg
    rates = _derivative(angles, step_s)
    q2, q23 = angles[1], angles[1] + angles[2]
    w1, w2, w23 = rates[0], rates[1], rates[1] + rates[2]
    c2, s2, c23, s23 = np.cos(q2), np.sin(q2), np.cos(q23), np.sin(q23)
    # radii of the centres from the base's axis
    out2, out3, out4 = l2 * c2, a2 * c2 + l3 * c23, a2 * c2 + a3 * c23
    turning = p.base_inertia + p.upper_arm_kg * out2**2 + p.forearm_kg * out3**2 + tip * out4**2
    # T = ½·(k22·w2² + 2·k23·w2·w23·cos(q2 - q23) + k33·w23² + turning·w1²), in absolute angles of the two links
    k22 = p.upper_arm_inertia + p.upper_arm_kg * l2**2 + (p.forearm_kg + tip) * a2**2
    k33 = p.forearm_inertia + p.forearm_kg * l3**2 + tip * a3**2
    k23 = a2 * (p.forearm_kg * l3 + tip * a3)
    between = q2 - q23
    momentum2 = k22 * w2 + k23 * w23 * np.cos(between)
    momentum23 = k33 * w23 + k23 * w2 * np.cos(between)
    shear = k23 * w2 * w23 * np.sin(between)
    widening2 = -a2 * s2 * (p.forearm_kg * out3 + tip * out4) - p.upper_arm_kg * out2 * l2 * s2
    widening23 = -s23 * (p.forearm_kg * out3 * l3 + tip * out4 * a3)
    weight2 = GRAVITY * c2 * (p.upper_arm_kg * l2 + (p.forearm_kg + tip) * a2)
    weight23 = GRAVITY * c23 * (p.forearm_kg * l3 + tip * a3)
    # generalised forces of the absolute angles; the drive of joint 2 moves both, that of joint 3 the forearm alone
    force2 = _derivative(momentum2, step_s) + shear - widening2 * w1**2 + weight2
    force23 = _derivative(momentum23, step_s) - shear - widening23 * w1**2 + weight23
    i4, i5, i6 = p.wrist_inertia
    load = payload_kg * p.load_centre**2
    aside = GRAVITY * (p.gripper_kg * p.gripper_centre + payload_kg * p.load_centre)
    acceleration = _derivative(rates, step_s)
    return np.array(
        [
            _derivative(turning * w1, step_s),
            force2 + force23,
            force23,
            (i4 + 0.5 * load) * acceleration[3],
            (i5 + load) * acceleration[4] + aside * np.cos(angles[4]),
            (i6 + 0.3 * load) * acceleration[5],
        ]
    )


def _derivative(values: Floats, step_s: float) -> Floats:
    """Of what is periodic along the last axis: central differences."""
    return np.asarray((np.roll(values, -1, axis=-1) - np.roll(values, 1, axis=-1)) / (2.0 * step_s))


def joint_friction(coulomb: Floats, viscous: Floats, grease_k: float, rate: Floats, celsius: Floats) -> Floats:
    """Friction [N·m] against `rate` [rad/s]: F = F_c·tanh(q̇/ε) + F_v·e^(-(T - 40)/T_g)·q̇; warm grease is thin."""
    thin = np.exp(-(celsius - 40.0) / grease_k)
    return np.asarray(coulomb * np.tanh(rate / 0.01) + viscous * thin * rate)


@dataclass(frozen=True, slots=True)
class _Tables:
    """By product and point of the cycle: (products, POINTS, 6), and `holds` (products, POINTS)."""

    arm: Floats
    per_kg: Floats
    rate: Floats
    holds: Floats


def _tables(p: RobotParameters) -> _Tables:
    arm, per_kg, rate, holding = [], [], [], []
    for product in PRODUCTS.values():
        angles, holds = taught_path(product)
        step_s = product.cycle_s / POINTS
        bare = arm_torques(p, angles, step_s, 0.0)
        arm.append(bare.T)
        per_kg.append((arm_torques(p, angles, step_s, 1.0) - bare).T)
        rate.append(_derivative(angles, step_s).T)
        holding.append(holds)
    return _Tables(np.array(arm), np.array(per_kg), np.array(rate), np.array(holding))


class Robot:
    """Robot cells, stepped through machine time. The same draws give the same lives.

    Attributes after a step, beside the returned outputs: `friction_w`, `copper_w` (6, n), `braked_w`, `moved_w` (n,) [W]:
    where the drives' power goes, on average over the step; `moved_w` goes into the arm's motion, and comes back out of it.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors: Mapping[str, SensorCharacter] = SENSORS
    counters: tuple[str, ...] = ("energy", "parts")
    texts: Mapping[str, tuple[str, ...]] = {"recipe": tuple(PRODUCTS), "state": STATES}  # never written

    def __init__(self, draws: Draws, parameters: RobotParameters | None = None) -> None:
        p = self.parameters = parameters or RobotParameters()
        n = draws.n
        self._tables = _tables(p)
        self._payload = np.array([product.payload_kg for product in PRODUCTS.values()])
        self._cycle = np.array([product.cycle_s for product in PRODUCTS.values()])
        self._noise, self._chance = draws.normals(4), draws.uniforms(2)
        starts = draws.starts(5)
        self._ambient = Wander(1.2, 7200.0, starts[0])
        self._jerk = Wander(0.3, 3.0, starts[1])
        self._weight = Wander(0.012, 60.0, starts[2])  # of the parts, from batch to batch
        self._aim = Wander(0.15, 20.0, starts[3])
        self.jobs = Jobs(JOBS, draws)
        self._coulomb = np.array([c * draws.spread(0.08) for c in p.coulomb])  # (6, n)
        self._viscous = np.array([v * draws.spread(0.08) for v in p.viscous])
        self._stiffness = p.stiffness_mm * draws.spread(0.1)
        self.warmer: Floats = np.zeros(draws.n)
        self._energy_kwh = 6e3 * draws.spread(0.4)
        self._parts = np.floor(2e5 * draws.spread(0.4))
        self._wait_s = np.full(n, 1.0)
        self._time_s = np.abs(np.modf(starts[4])[0]) * self._cycle[self.jobs.recipe]
        self._last_cycle_s = self._cycle[self.jobs.recipe] + 1.0
        self._gear_c: Floats | None = None
        self._renewed = np.zeros(n, np.bool_)
        self.friction_w = self.copper_w = np.zeros((JOINTS, n))
        self.braked_w = self.moved_w = np.zeros(n)

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal, `dt_s` after the last step; `level` gives the severity (0..1) of each fault."""
        p = self.parameters
        xi, chance = self._noise.next(), self._chance.next()
        ambient = p.ambient_c + self._ambient.step(dt_s, xi[0]) + self.warmer
        jerk = 1.0 + self._jerk.step(dt_s, xi[1])
        # a path that is blocked is slowed down by the controller
        slower = 1.0 + 0.25 * level["collision"]
        recipe, moving, phase = self._follow(dt_s, chance, slower)

        celsius = self._warm(ambient) if self._gear_c is None else self._gear_c
        payload = self._payload[recipe] * (1.0 + self._weight.step(dt_s, xi[2])) + 7.0 * level["wrong-payload"]
        # the table at the instants of this step: (instants, n, 6), then joints first
        point = np.minimum((phase * POINTS).astype(np.int64), POINTS - 1)
        tables = self._tables
        rate = np.moveaxis(tables.rate[recipe, point], -1, 0) * (moving / slower)
        holds = tables.holds[recipe, point] * moving
        still = tables.arm[recipe, point]
        body = np.moveaxis(still + tables.per_kg[recipe, point] * (payload * holds)[..., None], -1, 0)
        coulomb = self._coulomb.copy()
        coulomb[DRAGGING] += 360.0 * level["brake-drag"]
        friction = joint_friction(coulomb[:, None], self._viscous[:, None], p.grease_k, rate, celsius[:, None])
        torque = body + friction
        # a worn gear knocks when its load turns back, mostly where it moves slowly under changing load
        knock = 60.0 * level["gearbox-backlash"] * np.abs(jerk) * moving
        hits = moving * (np.abs(phase - 0.5) < 0.035)
        blow = 420.0 * level["collision"] * hits
        rms = np.sqrt(np.mean(torque**2, axis=1))  # (6, n)
        rms[WORN] = np.sqrt(rms[WORN] ** 2 + np.mean(knock**2, axis=0))
        rms[HIT] = np.sqrt(rms[HIT] ** 2 + np.mean(blow**2, axis=0))
        rms[JOINTS - 1] = np.sqrt(rms[JOINTS - 1] ** 2 + np.mean((0.12 * blow) ** 2, axis=0))

        self._powers(torque, friction, rate, rms)
        # what a motor brakes is burnt in the drive's resistor, so only what it drives comes from the mains
        drawn_w = self.moved_w + self.braked_w + self.friction_w.sum(axis=0) + self.copper_w.sum(axis=0)
        power = p.control_kw + drawn_w / p.drive_efficiency / 1e3
        self._heat(dt_s, celsius, ambient)
        self._energy_kwh = self._energy_kwh + power * dt_s / 3600.0
        state = np.where(self.jobs.state == CHANGEOVER, CHANGEOVER, np.where(moving[-1] > 0.0, RUNNING, IDLE))
        gear_c = self._gear_c if self._gear_c is not None else celsius
        return {
            **{f"torque_{joint + 1}": rms[joint] for joint in range(JOINTS)},
            **{f"temperature_{joint}": gear_c[joint - 1] for joint in (2, 3, 5)},
            "position_error": self._position_error(dt_s, xi[3], rms, rate, jerk, level),
            "cycle_time": self._last_cycle_s,
            "power": power,
            "power_factor": 0.6 + 0.18 * power / (power + 1.0),
            "energy": self._energy_kwh,
            "parts": self._parts,
            "recipe": recipe.astype(np.float64),
            "state": state.astype(np.float64),
        }

    def renew(self, which: NDArray[np.bool_]) -> None:
        """The new brake has none of the old one's heat."""
        self._renewed = self._renewed | which

    def start_job(self, machine: int, recipe: int) -> None:
        """The product of this number is the next one, after the part in work."""
        self.jobs.ask(machine, recipe)

    def _follow(self, dt_s: float, chance: Floats, slower: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Go on in the cycle; product (n,), whether it moves and where in the cycle (instants, n) during the step."""
        recipe = self.jobs.recipe.copy()
        works = self.jobs.state == RUNNING
        path_s = self._cycle[recipe] * slower
        instants = min(max(2, math.ceil(dt_s / 0.25)), 24)
        total = path_s + self._wait_s
        at = np.mod(self._time_s + dt_s * (np.arange(instants)[:, None] + 0.5) / instants, total)
        phase = np.where(works, np.minimum(at / path_s, 0.999999), 0.0)
        moving = (works & (at < path_s)).astype(np.float64)

        self._time_s = np.where(works, self._time_s + dt_s, 0.0)
        passed_s = dt_s
        turn = 0
        while True:
            done = (self.jobs.state == RUNNING) & (self._time_s >= total)
            if done.any():
                self._parts = self._parts + done
                self._last_cycle_s = np.where(done, total, self._last_cycle_s)
                self._time_s = np.where(done, self._time_s - total, self._time_s)
                self._wait_s = np.where(done, waiting_time(chance[min(turn, 1)]), self._wait_s)
                total = path_s + self._wait_s
            begins = self.jobs.step(passed_s, done)
            self._time_s = np.where(begins | (self.jobs.state == CHANGEOVER), 0.0, self._time_s)
            if not done.any():
                return recipe, moving, phase
            passed_s, turn = 0.0, turn + 1

    def _powers(self, torque: Floats, friction: Floats, rate: Floats, rms: Floats) -> None:
        p = self.parameters
        shaft = torque * rate  # (6, instants, n)
        self.friction_w = np.mean(friction * rate, axis=1)
        self.copper_w = np.array(p.copper)[:, None] * rms**2
        self.braked_w = -np.sum(np.mean(np.minimum(shaft, 0.0), axis=1), axis=0)
        self.moved_w = np.sum(np.mean(shaft - friction * rate, axis=1), axis=0)

    def _heat(self, dt_s: float, before: Floats, ambient: Floats) -> None:
        """C·dT/dt = P_friction + a share of the motor's loss - (T - T_ambient)/R for each gear, exact over the step."""
        p = self.parameters
        steady = ambient + np.array(p.gear_k_per_w)[:, None] * (self.friction_w + p.motor_share * self.copper_w)
        self._gear_c = approach(before, steady, dt_s / np.array(p.gear_time_s)[:, None])
        if self._renewed.any():
            self._gear_c = np.where(self._renewed, self._warm(ambient), self._gear_c)
            self._renewed = np.zeros(len(ambient), np.bool_)

    def _warm(self, ambient: Floats) -> Floats:
        """Temperatures (6, n) of gears that have worked on this product for hours, without faults."""
        p, recipe = self.parameters, self.jobs.recipe
        rate = np.moveaxis(self._tables.rate[recipe], -1, 0)  # (6, n, POINTS)
        payload = self._payload[recipe, None] * self._tables.holds[recipe]
        body = np.moveaxis(self._tables.arm[recipe] + self._tables.per_kg[recipe] * payload[..., None], -1, 0)
        celsius = np.full((JOINTS, len(ambient)), 45.0)
        for _ in range(4):  # warm grease makes less heat
            friction = joint_friction(self._coulomb[..., None], self._viscous[..., None], p.grease_k, rate, celsius[..., None])
            copper = p.motor_share * np.array(p.copper)[:, None] * np.mean((body + friction) ** 2, axis=-1)
            heat = WORKING_SHARE * np.mean(friction * rate, axis=-1) + copper
            celsius = ambient + np.array(p.gear_k_per_w)[:, None] * heat
        return celsius

    def _position_error(
        self, dt_s: float, xi: Floats, rms: Floats, rate: Floats, jerk: Floats, level: Mapping[str, Floats]
    ) -> Floats:
        """Distance [mm] between where the tool should be and where it is: the gears' give, the lag of a fast move, and
        what the faults add; ISO 9283 gives such robots a repeatability of 0.05 mm."""
        fast = np.sqrt(np.mean(rate[:3] ** 2, axis=(0, 1)))
        give = self._stiffness * np.hypot(rms[1], rms[2])
        aim = np.maximum(1.0 + self._aim.step(dt_s, xi), 0.2)
        worn = 1.1 * level["gearbox-backlash"] * (0.75 + 0.25 * np.abs(jerk))
        return np.asarray(0.04 * aim + 0.05 * fast + give + worn + 0.8 * level["collision"])


def waiting_time(chance: Floats) -> Floats:
    """How long the next part is waited for [s]: it is mostly there, and sometimes late; `chance` is even over 0..1."""
    late = chance < LATE_SHARE
    short = SHORT_WAIT_S[0] + (SHORT_WAIT_S[1] - SHORT_WAIT_S[0]) * chance
    return np.where(late, LATE_S[0] + (LATE_S[1] - LATE_S[0]) * chance / LATE_SHARE, short)
