"""Circulation pumps with their induction motors, on frequency converters, in closed loops with a control valve.

drives:  synchronous speed that the converter sets [/min] and valve opening (0..1), held for minutes within a mode
states:  bearing temperature, fluid temperature, and slow disturbances of the loop, the mains and the surroundings
outputs: speed, flow, discharge pressure, current, electrical power and energy, vibration velocity rms, two temperatures
faults:  bearing-wear, cavitation, clogged-impeller, blocked-valve, imbalance, misalignment, dry-run; severity 0..1 each

All but heat settles within a fraction of a second and is solved as a steady state; heat is first order, stepped exactly.

References: Gülich, Centrifugal Pumps, 4th ed. 2020 (curves 4.4, similarity 3.3, cavitation 6.2);
SKF, Rolling bearings 17000 EN, 2018 (friction); ISO 20816-1 and ISO 10816-7 (vibration of pumps);
the motor's stand in `motor.py`. What the faults do at their worst is an assumption where no source is named.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import BilingualText
from edge.contracts.plant import Bearing
from simulator.bearings import BearingPart
from simulator.degradation import archard, fouling, paris, self_accelerating, sudden
from simulator.faults import Fault
from simulator.machines.jobs import RUNNING, STATES
from simulator.machines.motor import Motor, motor_point
from simulator.randomness import Draws, Floats, Wander, approach
from simulator.schedule import OperatingSchedule
from simulator.sensors import SensorCharacter
from simulator.waveforms import Damage, Excitation, Rotor

GRAVITY: Final = 9.81  # [m/s2]
ATMOSPHERE: Final = 1.013  # [bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpParameters:
    """A motor of 7.5 kW and a pump of 60 m3/h at 28 m beside it.

    Curves hold at the motor's rated speed; m3/h and m as data sheets write them.
    """

    motor: Motor = field(default_factory=Motor)
    shutoff_head: float = 36.0  # [m]
    head_drop: float = 0.002222  # [m/(m3/h)2]: 28 m at 60 m3/h
    best_flow: float = 60.0  # [m3/h]
    best_efficiency: float = 0.74
    pipe_loss: float = 0.0045  # [m/(m3/h)2]
    valve_kvs: float = 55.6  # [m3/h] at 1 bar
    loop_pressure: float = 0.5  # [bar] gauge, kept by the expansion vessel
    suction_loss: float = 0.0004  # [m/(m3/h)2]
    npsh_shutoff: float = 1.2  # [m] NPSH3 at zero flow
    npsh_best: float = 3.0  # [m] NPSH3 at the best flow
    bearing_torque: float = 0.2  # [N·m]
    bearing_k_per_w: float = 0.7
    bearing_j_per_k: float = 860.0  # 1.8 kg of steel: a time constant of 10 minutes
    loop_w_per_k: float = 1000.0
    loop_j_per_k: float = 2.5e6  # 600 kg of water: 42 minutes
    process_w: float = 20e3
    ambient_c: float = 22.0
    unbalance: float = 1.2  # [mm/s] at rated speed
    hydraulic: float = 0.8  # [mm/s] at rated speed and best flow
    background: float = 0.3  # [mm/s] through floor and pipes
    vanes: int = 6
    seal_k: float = 80.0  # [K] by which the seal's friction warms the bearing when nothing cools it (assumption)
    # 6205, as on the demo's nameplate
    bearing: Bearing = field(default_factory=lambda: Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04))


BEARING_WEAR: Final = Fault(
    id="bearing-wear",
    name=BilingualText(sv="Lagerskada", en="Bearing wear"),
    description=BilingualText(
        sv="Ett av lagren spricker upp: pumpen skakar mer och mer och lagret blir varmt.",
        en="A bearing is breaking up: the pump shakes more and more, and the bearing gets hot.",
    ),
    mechanism="2.6 fatigue",
    life_h=20_000.0,
    law=paris,
)
CAVITATION: Final = Fault(
    id="cavitation",
    name=BilingualText(sv="Kavitation (för lågt sugtryck)", en="Cavitation (suction pressure too low)"),
    description=BilingualText(
        sv="Trycket på sugsidan faller: vätskan kokar i pumphjulet, det rasslar och flödet sviker.",
        en="The suction side loses its pressure: the water boils in the impeller, it rattles and the flow fails.",
    ),
    mechanism="2.1 cavitation",
    life_h=2_000.0,
    law=self_accelerating,
)
CLOGGED_IMPELLER: Final = Fault(
    id="clogged-impeller",
    name=BilingualText(sv="Igensatt pumphjul", en="Clogged impeller"),
    description=BilingualText(
        sv="Skräp fastnar i pumphjulet: mindre flöde och tryck, och hjulet går i obalans.",
        en="Debris sticks in the impeller: less flow and pressure, and the impeller runs out of balance.",
    ),
    mechanism="5.1 blockage/plugged",
    life_h=1_000.0,
    law=fouling,
)
BLOCKED_VALVE: Final = Fault(
    id="blocked-valve",
    name=BilingualText(sv="Ventil som kärvar", en="Blocked valve"),
    description=BilingualText(
        sv="Ventilen i kretsen släpper inte igenom: flödet faller medan trycket stiger.",
        en="The valve in the loop does not let through: the flow falls while the pressure rises.",
    ),
    mechanism="5.1 blockage/plugged",
    life_h=3_000.0,
    law=archard,
)
IMBALANCE: Final = Fault(
    id="imbalance",
    name=BilingualText(sv="Obalans", en="Imbalance"),
    description=BilingualText(
        sv="Rotorn har blivit ojämnt tung: den skakar en gång per varv, mer ju fortare den går.",
        en="The rotor has become uneven in weight: it shakes once per turn, the more the faster it runs.",
    ),
    mechanism="2.4 wear",
    life_h=8_000.0,
    law=archard,
)
MISALIGNMENT: Final = Fault(
    id="misalignment",
    name=BilingualText(sv="Felriktad axel", en="Misalignment"),
    description=BilingualText(
        sv="Motor och pump står inte längre i linje: två skakningar per varv, och lagret värms.",
        en="Motor and pump no longer stand in line: two shakes per turn, and the bearing warms.",
    ),
    mechanism="1.3 clearance/alignment failure",
    life_h=6_000.0,
    law=archard,
)
DRY_RUN: Final = Fault(
    id="dry-run",
    name=BilingualText(sv="Torrkörning", en="Dry run"),
    description=BilingualText(
        sv="Vätskan tar slut: flöde, tryck och effekt rasar, och tätningen blir het.",
        en="The liquid runs out: flow, pressure and power collapse, and the seal gets hot.",
    ),
    mechanism="5.0 external influence",
    life_h=500.0,
    law=sudden,
)
FAULTS: Final = (BEARING_WEAR, CAVITATION, CLOGGED_IMPELLER, BLOCKED_VALVE, IMBALANCE, MISALIGNMENT, DRY_RUN)
# what an operator sets in each mode: (lowest, highest) synchronous speed [/min] and valve opening (0..1)
MODES: Final = {
    "day": ((900.0, 1480.0), (0.55, 1.0)),
    "night": ((900.0, 1100.0), (0.55, 0.8)),
    "boost": ((1350.0, 1480.0), (0.85, 1.0)),
}
MODE_WEIGHTS: Final = (0.8, 0.1, 0.1)
SENSORS: Final[dict[str, SensorCharacter]] = {
    "speed": SensorCharacter(low=0.0, high=3000.0, resolution=0.1, white=0.4, slow=0.2, bias=0.5),
    "flow": SensorCharacter(low=0.0, high=120.0, resolution=0.01, white=0.12, slow=0.08, slow_s=30.0, bias=0.2, lag_s=1.5),
    "pressure": SensorCharacter(low=-1.0, high=10.0, resolution=0.001, white=0.006, slow=0.003, bias=0.01, lag_s=0.2),
    "current": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.03, slow=0.01, bias=0.05),
    "power": SensorCharacter(low=0.0, high=15.0, resolution=0.001, white=0.012, slow=0.005, bias=0.02),
    "power_factor": SensorCharacter(low=0.0, high=1.0, resolution=0.001, white=0.002, bias=0.003),
    "energy": SensorCharacter(low=0.0, high=1e9, resolution=0.001),
    "vibration": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.02, relative=0.03, slow=0.02, lag_s=1.0),
    "bearing_temperature": SensorCharacter(
        low=-50.0, high=200.0, resolution=0.1, white=0.03, slow=0.05, slow_s=120.0, bias=0.3, lag_s=20.0
    ),
    "fluid_temperature": SensorCharacter(
        low=-50.0, high=200.0, resolution=0.1, white=0.03, slow=0.03, slow_s=120.0, bias=0.3, lag_s=8.0
    ),
}


def pump_head(p: PumpParameters, flow: Floats, speed: Floats) -> Floats:
    """Head [m] at `flow` [m3/h] and `speed` [/min]: H = H₀·r² - a·Q², r = n/n_rated (Gülich 3.3: Q ~ n, H ~ n²)."""
    return p.shutoff_head * (speed / p.motor.rated_speed) ** 2 - p.head_drop * flow**2


def system_loss(p: PumpParameters, valve: Floats) -> Floats:
    """Loss coefficient of the closed loop [m/(m3/h)2]: H = k·Q², no static head.

    The valve is linear, Kv = Kvs·x, and loses Δp = (Q/Kv)² [bar] (IEC 60534-2-1); 1 bar is 10.2 m of water.
    """
    return p.pipe_loss + 10.2 / (p.valve_kvs * valve) ** 2


def operating_flow(p: PumpParameters, speed: Floats, loss: Floats, head_kept: Floats | float = 1.0) -> Floats:
    """Flow [m3/h] where the pump curve, times `head_kept`, meets the loop: Q = r·√(c·H₀ / (k + c·a))."""
    return speed / p.motor.rated_speed * np.sqrt(head_kept * p.shutoff_head / (loss + head_kept * p.head_drop))


def efficiency(p: PumpParameters, flow: Floats, speed: Floats) -> Floats:
    """Hydraulic efficiency: a parabola through zero and the best point, η = η*·φ·(2 - φ), φ = Q/(r·Q*) (Gülich 3.9)."""
    phi = flow / (speed / p.motor.rated_speed * p.best_flow)
    return np.maximum(p.best_efficiency * phi * (2.0 - phi), 0.05)


def hydraulic_power(flow: Floats, head: Floats, density: Floats) -> Floats:
    """P = ρ·g·Q·H [W]."""
    return density * GRAVITY * flow / 3600.0 * head


def density(celsius: Floats) -> Floats:
    """Density of water [kg/m3], 0–100 °C, within 0.1 % (fit to IAPWS-IF97)."""
    return 1001.3 - 0.155 * celsius - 0.002658 * celsius**2


def vapour_pressure(celsius: Floats) -> Floats:
    """Vapour pressure of water [bar], Antoine equation for 1–100 °C (NIST Webbook, Stull 1947 in mmHg)."""
    return np.asarray(10.0 ** (8.07131 - 1730.63 / (233.426 + celsius)) / 750.062)


def npsh_required(p: PumpParameters, flow: Floats, speed: Floats) -> Floats:
    """NPSH3 [m]: the suction head at which 3 % of the head is lost; ~ n² at similar points (Gülich 6.2.4)."""
    r = speed / p.motor.rated_speed
    return r**2 * (p.npsh_shutoff + (p.npsh_best - p.npsh_shutoff) * (flow / (r * p.best_flow)) ** 2)


def head_lost(npsh_ratio: Floats) -> Floats:
    """Share of the head lost to vapour at NPSHa/NPSH3: 3 % at 1 by definition, steep below, at most a third."""
    return np.minimum(0.03 * np.exp((1.0 - npsh_ratio) / 0.35), 0.33)


def cavitation_noise(npsh_ratio: Floats) -> Floats:
    """Intensity (0..1) of the noise of collapsing bubbles: it begins far above the head drop (Gülich 6.5: 2–4 × NPSH3)."""
    return np.asarray(1.0 / (1.0 + (npsh_ratio / 1.1) ** 4))


class Pump:
    """Pumps, stepped through machine time. The same draws give the same lives.

    Attributes after a step, (n,), beside the returned outputs: `shaft_w`, `hydraulic_w` [W], `npsh_ratio`.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors: Mapping[str, SensorCharacter] = SENSORS
    counters: tuple[str, ...] = ("energy",)
    texts: Mapping[str, tuple[str, ...]] = {"recipe": tuple(MODES), "state": STATES}  # never written

    def __init__(self, draws: Draws, parameters: PumpParameters | None = None) -> None:
        p = self.parameters = parameters or PumpParameters()
        n = draws.n
        self._noise = draws.normals(6)
        # loop resistance, mains voltage, ambient [K], the vibration of a worn bearing, the pulsing of cavitation
        starts = draws.starts(5)
        self._loop = Wander(0.01, 12.0, starts[0])
        self._mains = Wander(0.006, 200.0, starts[1])
        self._ambient = Wander(1.0, 7200.0, starts[2])
        self._rattle = Wander(0.08, 6.0, starts[3])
        self._pulsing = Wander(1.0, 2.5, starts[4])
        self.schedule = OperatingSchedule(tuple(MODES.values()), MODE_WEIGHTS, draws)
        self._unbalance = p.unbalance * draws.spread(0.1)
        self.warmer: Floats = np.zeros(n)
        self._shutoff_head = p.shutoff_head * draws.spread(0.01)
        self._energy_kwh = 5e3 * draws.spread(0.4)
        self._speed = np.full(n, p.motor.rated_speed)
        self._bearing_c: Floats | None = None
        self._worn_in = np.ones(n, np.bool_)  # whose bearing is as warm as it gets: so at the start, and after a repair
        self._fluid_c = np.full(n, p.ambient_c + 25.0)
        self.shaft_w = self.hydraulic_w = np.zeros(n)
        self.npsh_ratio = np.full(n, np.inf)
        self._sources: dict[str, Floats] = {}

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal, `dt_s` after the last step; `level` gives the severity (0..1) of each fault."""
        p = self.parameters
        synchronous, valve = self.schedule.step(dt_s)
        dry = level["dry-run"]
        clogged = level["clogged-impeller"]
        xi = self._noise.next()
        loss = (
            system_loss(p, valve * (1.0 - 0.75 * level["blocked-valve"])) * (1.0 + self._loop.step(dt_s, xi[0]))
            + p.suction_loss
        )
        voltage = 1.0 + self._mains.step(dt_s, xi[1])
        ambient = p.ambient_c + self._ambient.step(dt_s, xi[2]) + self.warmer
        rattle, pulsing = self._rattle.step(dt_s, xi[3]), self._pulsing.step(dt_s, xi[4])
        rho = density(self._fluid_c)
        # a loop that has lost its pressure: the worst case lies just above the vapour pressure at every speed
        loop_pressure = p.loop_pressure - 1.33 * level["cavitation"]
        friction = p.bearing_torque * (1.0 + 3.5 * level["bearing-wear"] + 1.0 * level["misalignment"])
        # of an impeller that is half shut or full of air
        kept = (1.0 - 0.35 * clogged) * (1.0 - 0.93 * dry)

        speed = self._speed
        flow = operating_flow(p, speed, loss, kept)
        for _ in range(3):  # slip is a few per cent, so this contracts by some 0.06 each time
            lost = self._head_lost(flow, speed, loop_pressure, rho, pulsing)
            left = kept * (1.0 - lost) * self._shutoff_head / p.shutoff_head
            flow = operating_flow(p, speed, loss, left)
            head = pump_head(p, flow, speed) * left
            self.hydraulic_w = hydraulic_power(flow, head, rho) * (1.0 - 0.9 * dry)
            eta = efficiency(p, flow, speed) * (1.0 - 0.4 * lost) * (1.0 - 0.3 * clogged)
            self.shaft_w = self.hydraulic_w / eta
            torque = self.shaft_w / (speed * (math.pi / 30.0)) + friction
            motor = motor_point(p.motor, synchronous, torque, voltage)
            speed = motor.speed
        self._speed = speed
        self._energy_kwh = self._energy_kwh + motor.power * dt_s / 3.6e6

        friction_w = friction * speed * (math.pi / 30.0)
        return {
            "speed": speed,
            "flow": flow,
            "pressure": loop_pressure + rho * GRAVITY * (head - p.suction_loss * flow**2) / 1e5 * (1.0 - 0.9 * dry),
            "current": motor.current,
            "power": motor.power / 1e3,
            "power_factor": motor.power_factor,
            "energy": self._energy_kwh,
            "vibration": self._vibration(speed, flow, level, rattle, np.abs(xi[5])),
            "bearing_temperature": self._heat_bearing(dt_s, friction_w, ambient, dry),
            "fluid_temperature": self._heat_fluid(dt_s, ambient),
            "recipe": self.schedule.mode.astype(np.float64),
            "state": np.full(len(speed), float(RUNNING)),
        }

    def renew(self, which: NDArray[np.bool_]) -> None:
        """The new bearing has none of the worn one's heat."""
        self._worn_in = self._worn_in | which

    def start_job(self, machine: int, recipe: int) -> None:
        """The next operating point, drawn in the mode of this number, comes at once."""
        self.schedule.ask(machine, recipe)

    def rotor(self, machine: int) -> Rotor:
        p = self.parameters
        return Rotor(bearing=p.bearing, rated_speed=p.motor.rated_speed, vanes=p.vanes)

    def excitation(self, machine: int) -> Excitation:
        """What shakes one pump, as it runs since its last step."""
        sources = {name: float(values[machine]) for name, values in self._sources.items()}
        wear, bearing = sources.pop("wear"), abs(sources.pop("bearing"))
        damage = {BearingPart.OUTER: Damage(severity=wear, velocity=bearing)} if wear > 0.0 else {}
        return Excitation(background=self.parameters.background, damage=damage, **sources)

    def _head_lost(self, flow: Floats, speed: Floats, loop_pressure: Floats, rho: Floats, pulsing: Floats) -> Floats:
        """The share of the head that is lost to cavitation. The cavity sheds in pulses, and the loss swings with it."""
        absolute = (ATMOSPHERE + loop_pressure - vapour_pressure(self._fluid_c)) * 1e5
        available = np.maximum(absolute / (rho * GRAVITY) - self.parameters.suction_loss * flow**2, 0.2)
        self.npsh_ratio = available / npsh_required(self.parameters, flow, speed)
        return np.minimum(head_lost(self.npsh_ratio) * np.maximum(1.0 + 0.25 * pulsing, 0.0), 0.45)

    def _vibration(self, speed: Floats, flow: Floats, level: Mapping[str, Floats], rattle: Floats, burst: Floats) -> Floats:
        """Velocity rms [mm/s]: independent sources add as squares.

        unbalance v = e·ω on a soft support; hydraulic forces ~ n², more off the best flow (ISO 10816-7, annex);
        a worn bearing ~ n·wear; cavitation as bursts. Fully worn it is 14 mm/s at rated speed: zone D.
        """
        p = self.parameters
        r = speed / p.motor.rated_speed
        clogged = level["clogged-impeller"]
        off_best = flow / (r * p.best_flow) - 1.0
        wear = level["bearing-wear"]
        self._sources = {
            "speed": speed,
            "unbalance": r * np.hypot(self._unbalance, 9.0 * level["imbalance"] + 2.0 * clogged),
            "misalignment": 7.0 * level["misalignment"] * r,
            "hydraulic": p.hydraulic * r**2 * (1.0 + 4.0 * off_best**2) * (1.0 + 1.0 * clogged),
            "cavitation": cavitation_noise(self.npsh_ratio) * r * (2.2 + 1.6 * burst) * (1.0 - level["dry-run"]),
            "bearing": 14.0 * wear * r * (1.0 + rattle),
            "wear": wear,
        }
        names = ("unbalance", "misalignment", "hydraulic", "cavitation", "bearing")
        return np.sqrt(sum((self._sources[name] ** 2 for name in names), np.full(len(r), p.background**2)))

    def _heat_bearing(self, dt_s: float, friction_w: Floats, ambient: Floats, dry: Floats) -> Floats:
        """C·dT/dt = P_friction - (T - T_ambient)/R, exact for constant power over the step; a dry seal adds its own."""
        p = self.parameters
        steady = ambient + p.bearing_k_per_w * friction_w + p.seal_k * dry
        before = steady if self._bearing_c is None else np.where(self._worn_in, steady, self._bearing_c)
        self._worn_in = np.zeros(len(steady), np.bool_)
        self._bearing_c = approach(before, steady, dt_s / (p.bearing_k_per_w * p.bearing_j_per_k))
        return self._bearing_c

    def _heat_fluid(self, dt_s: float, ambient: Floats) -> Floats:
        """C·dT/dt = P_process + P_shaft - G·(T - T_ambient): all shaft power ends as heat in the loop."""
        p = self.parameters
        steady = ambient + (p.process_w + self.shaft_w) / p.loop_w_per_k
        self._fluid_c = approach(self._fluid_c, steady, dt_s * p.loop_w_per_k / p.loop_j_per_k)
        return self._fluid_c
