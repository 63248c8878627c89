"""CNC milling spindles in short series: jobs of some parts, each cut in passes, with a changeover between jobs.

drives:  jobs of recipes (material, tool, speed, feed, depth, width), parts that are loaded, cut pass by pass, and taken out
states:  the tool's wear, bearing temperature, thermal growth, coolant temperature with its chiller
outputs: speed, feed, torque, electrical power and energy, vibration, temperatures, thermal growth, coolant, parts
faults:  spindle-bearing, tool-breakage, coolant-loss, chatter; severity 0..1 each

Cutting is a mean over the step: how much of it the tool was in the material. Heat is first order, stepped exactly.

References: Kienzle and Victor 1957 with the constants of Sandvik Coromant, Metalcutting Technology, 2020 (force, power);
Taylor, On the Art of Cutting Metals, 1907 and ISO 8688-2 (tool life); Altintas, Manufacturing Automation, 2nd ed. 2012,
3.2 and 4.2 (wear and force, stability); Abele, Altintas and Brecher, Machine tool spindle units, CIRP Annals 59(2), 2010
(friction, growth). What the faults do at their worst is an assumption.
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
from simulator.degradation import archard, paris, self_accelerating, sudden
from simulator.faults import Fault
from simulator.machines.jobs import CHANGEOVER, IDLE, RUNNING, STATES, JobRule, Jobs
from simulator.randomness import Draws, Floats, Wander, approach
from simulator.sensors import SensorCharacter
from simulator.waveforms import Damage, Excitation, Rotor


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """kc11 [N/mm2] and mc of Kienzle's law; Taylor's constants for carbide: V·T^n = C, V [m/min], T [min]."""

    kc11: float
    mc: float
    taylor_c: float
    taylor_n: float


STEEL: Final = Material(kc11=1700.0, mc=0.25, taylor_c=400.0, taylor_n=0.25)  # C45
CAST_IRON: Final = Material(kc11=1000.0, mc=0.28, taylor_c=380.0, taylor_n=0.25)  # EN-GJL-250
ALUMINIUM: Final = Material(kc11=700.0, mc=0.25, taylor_c=1300.0, taylor_n=0.33)  # AlSi
STAINLESS: Final = Material(kc11=2000.0, mc=0.21, taylor_c=240.0, taylor_n=0.22)  # 1.4404
TITANIUM: Final = Material(kc11=1400.0, mc=0.23, taylor_c=120.0, taylor_n=0.22)  # Ti-6Al-4V


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One product: how it is cut. Each pass begins with a move through the air."""

    material: Material
    tool_mm: float  # diameter
    teeth: int
    speed: float  # [/min]
    tooth_feed_mm: float
    depth_mm: float  # ap
    width_mm: float  # ae
    passes: int
    cut_s: float  # in the material, of each pass
    air_s: float = 3.0
    load_s: float = 14.0  # the part is changed, the spindle stands

    @property
    def part_s(self) -> float:
        """From part to part [s]."""
        return self.passes * (self.air_s + self.cut_s) + self.load_s

    @property
    def feed_mm_min(self) -> float:
        """vf = fz·z·n"""
        return self.tooth_feed_mm * self.teeth * self.speed

    @property
    def cutting_speed(self) -> float:
        """vc = π·D·n [m/min]"""
        return math.pi * self.tool_mm * self.speed / 1000.0


RECIPES: Final = {
    "flange-120": Recipe(
        material=STEEL, tool_mm=20, teeth=4, speed=3180, tooth_feed_mm=0.1, depth_mm=3, width_mm=14, passes=4, cut_s=9
    ),
    "shaft-80": Recipe(
        material=CAST_IRON, tool_mm=25, teeth=5, speed=2550, tooth_feed_mm=0.15, depth_mm=3, width_mm=16, passes=3, cut_s=11
    ),
    "housing-al": Recipe(
        material=ALUMINIUM, tool_mm=16, teeth=3, speed=8000, tooth_feed_mm=0.12, depth_mm=8, width_mm=12, passes=6, cut_s=5
    ),
    "valve-316": Recipe(
        material=STAINLESS, tool_mm=16, teeth=4, speed=2400, tooth_feed_mm=0.08, depth_mm=2, width_mm=10, passes=4, cut_s=8
    ),
    "bracket-ti": Recipe(
        material=TITANIUM, tool_mm=10, teeth=4, speed=2000, tooth_feed_mm=0.06, depth_mm=3, width_mm=6, passes=4, cut_s=13
    ),
}
JOBS: Final = JobRule(
    quantity=(3, 8),
    changeover_s=(60.0, 180.0),
    weights=(0.35, 0.25, 0.25, 0.15, 0.1),
    since_s=(0.0, 0.0, 0.0, 24.0 * 3600.0, 72.0 * 3600.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpindleParameters:
    """A motor spindle of 15 kW for 9000/min with a jacket that the coolant flows through."""

    rated_speed: float = 8000.0  # [/min]
    drive_efficiency: float = 0.88
    base_kw: float = 0.35  # drive and control
    reactive_kvar: float = 1.6
    inertia: float = 0.02  # [kg·m2]
    friction_kw: float = 0.6  # at rated speed, ~ n^1.5: preload, grease and air
    bearing_share: float = 0.6  # of it heats the front bearing
    rapid_m_min: float = 8.0  # feed through the air
    worn_force: float = 0.35  # more force with a tool at the end of its life, 0.3 mm of flank wear
    holder_stiffness: float = 60.0  # [N/um] at the tool's tip
    damping: float = 0.05
    orientation: float = 0.3  # of the cutting force towards the mode: the mean directional factor
    jacket_k_per_w: float = 0.09  # at full flow
    jacket_dry: float = 2.4  # times more without flow
    bearing_j_per_k: float = 6000.0  # 13 kg of steel: 9 minutes
    growth_um_per_k: float = 3.0  # 250 mm of steel
    growth_s: float = 900.0
    coolant_l_min: float = 18.0
    tank_j_per_k: float = 334e3  # 80 l
    chip_share: float = 0.4  # of the cutting power ends in the coolant, the rest leaves with the chips
    chiller_w: float = 4500.0
    chiller_c: tuple[float, float] = (23.5, 25.0)  # off, on
    ambient_c: float = 22.0
    room_w_per_k: float = 25.0
    unbalance: float = 0.8  # [mm/s] at rated speed
    cutting: float = 0.35  # [mm/s] per kW of cutting
    background: float = 0.15
    # 7014, as on the demo's nameplate
    bearing: Bearing = field(default_factory=lambda: Bearing(balls=17, ball_mm=9.5, pitch_mm=67.5, contact_deg=15.0))


SPINDLE_BEARING: Final = Fault(
    id="spindle-bearing",
    name=BilingualText(sv="Spindellager slits", en="Spindle bearing"),
    description=BilingualText(
        sv="Främre spindellagret spricker upp: det skakar så fort spindeln går, blir varmt och spindeln växer.",
        en="The front bearing is breaking up: it shakes whenever the spindle turns, gets hot, and the spindle grows.",
    ),
    mechanism="2.6 fatigue",
    life_h=8_000.0,
    law=paris,
)
TOOL_BREAKAGE: Final = Fault(
    id="tool-breakage",
    name=BilingualText(sv="Verktygsbrott", en="Tool breakage"),
    description=BilingualText(
        sv="Fräsen har gått av: spindeln snurrar men skär nästan inte, och det som är kvar slår.",
        en="The cutter is broken: the spindle turns but hardly cuts, and what is left of it strikes.",
    ),
    mechanism="2.5 breakage",
    life_h=200.0,
    law=sudden,
)
COOLANT_LOSS: Final = Fault(
    id="coolant-loss",
    name=BilingualText(sv="Kylmedlet sinar", en="Coolant loss"),
    description=BilingualText(
        sv="Kylmedlet tar slut: flödet faller, spindeln blir varm och växer, och verktygen slits fort.",
        en="The coolant runs out: its flow falls, the spindle gets hot and grows, and tools wear fast.",
    ),
    mechanism="1.1 leakage",
    life_h=1_000.0,
    law=self_accelerating,
)
CHATTER: Final = Fault(
    id="chatter",
    name=BilingualText(sv="Vibrerande skär (chatter)", en="Chatter"),
    description=BilingualText(
        sv="Verktyget sitter löst: i skäret börjar det sjunga och skaka, i luften är allt lugnt.",
        en="The tool sits loose: in the cut it begins to sing and shake, in the air all is calm.",
    ),
    mechanism="1.5 looseness",
    life_h=600.0,
    law=archard,
)
FAULTS: Final = (SPINDLE_BEARING, TOOL_BREAKAGE, COOLANT_LOSS, CHATTER)
SENSORS: Final[dict[str, SensorCharacter]] = {
    "speed": SensorCharacter(low=0.0, high=12000.0, resolution=1.0, white=1.5, slow=1.0, bias=1.0),
    "feed": SensorCharacter(low=0.0, high=30.0, resolution=0.001, white=0.004, relative=0.002),
    "power": SensorCharacter(low=0.0, high=30.0, resolution=0.001, white=0.02, slow=0.01, bias=0.02),
    "power_factor": SensorCharacter(low=0.0, high=1.0, resolution=0.001, white=0.004, bias=0.005),
    "torque": SensorCharacter(low=0.0, high=120.0, resolution=0.01, white=0.06, slow=0.03, bias=0.08),
    "vibration": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.02, relative=0.04, slow=0.02, lag_s=0.5),
    "bearing_temperature": SensorCharacter(
        low=-50.0, high=150.0, resolution=0.1, white=0.03, slow=0.05, slow_s=120.0, bias=0.3, lag_s=15.0
    ),
    "thermal_growth": SensorCharacter(low=-50.0, high=500.0, resolution=0.1, white=0.15, slow=0.2, slow_s=90.0, bias=0.5),
    "coolant_flow": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.05, slow=0.04, bias=0.1, lag_s=1.0),
    "coolant_temperature": SensorCharacter(
        low=-20.0, high=100.0, resolution=0.1, white=0.03, slow=0.03, slow_s=120.0, bias=0.2, lag_s=10.0
    ),
    "energy": SensorCharacter(low=0.0, high=1e9, resolution=0.001),
    "parts": SensorCharacter(low=0.0, high=1e9, resolution=1.0),
}


def specific_force(material: Material, chip_mm: float) -> float:
    """Kienzle: kc = kc1.1·hm^-mc [N/mm2] at a mean chip thickness hm [mm]."""
    return float(material.kc11 * chip_mm**-material.mc)


def mean_chip(recipe: Recipe) -> float:
    """hm = fz·√(ae/D) [mm] of peripheral milling (Sandvik)."""
    return recipe.tooth_feed_mm * math.sqrt(recipe.width_mm / recipe.tool_mm)


def cutting_power(recipe: Recipe) -> float:
    """Pc = ap·ae·vf·kc/60e6 [kW] with a sharp tool (Sandvik)."""
    force = specific_force(recipe.material, mean_chip(recipe))
    return recipe.depth_mm * recipe.width_mm * recipe.feed_mm_min * force / 60e6


def tool_life(material: Material, cutting_speed: float) -> float:
    """Taylor: T = (C/V)^(1/n) [min] of cutting at V [m/min], until 0.3 mm of flank wear (ISO 8688)."""
    return float((material.taylor_c / cutting_speed) ** (1.0 / material.taylor_n))


def teeth_in_cut(recipe: Recipe) -> float:
    """Mean number of teeth in the material: z·φ/2π, cos φ = 1 - 2·ae/D."""
    return recipe.teeth * math.acos(1.0 - 2.0 * recipe.width_mm / recipe.tool_mm) / (2.0 * math.pi)


def stable_depth(p: SpindleParameters, recipe: Recipe) -> float:
    """Depth of cut [mm] up to which it never chatters: a = 2·k·ζ·(1 + ζ)/(μ·Kt·z*) (Altintas 4.2, Tlusty's limit)."""
    force = specific_force(recipe.material, mean_chip(recipe)) * 1e6  # [N/m2]
    stiffness = p.holder_stiffness * 1e6  # [N/m]
    return 2.0 * stiffness * p.damping * (1.0 + p.damping) / (p.orientation * force * teeth_in_cut(recipe)) * 1e3


class Spindle:
    """Spindles, stepped through machine time. The same draws give the same lives.

    Attributes after a step, (n,): `wear` of the tool in use (1: at the end of its life), `cutting_kw`, `cut_share` of the
    step. Each recipe has a tool of its own, which waits in the magazine between its jobs.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors: Mapping[str, SensorCharacter] = SENSORS
    counters: tuple[str, ...] = ("energy", "parts")
    texts: Mapping[str, tuple[str, ...]] = {"recipe": tuple(RECIPES), "state": STATES}  # never written

    def __init__(self, draws: Draws, parameters: SpindleParameters | None = None) -> None:
        p = self.parameters = parameters or SpindleParameters()
        n = draws.n
        recipes = tuple(RECIPES.values())

        def table(values: list[float]) -> Floats:
            return np.array(values, np.float64)

        self._speed = table([recipe.speed for recipe in recipes])
        self._feed = table([recipe.feed_mm_min / 1000.0 for recipe in recipes])
        self._cutting_kw = table([cutting_power(recipe) for recipe in recipes])
        self._life_s = table([60.0 * tool_life(recipe.material, recipe.cutting_speed) for recipe in recipes])
        self._depth_share = table([recipe.depth_mm / stable_depth(p, recipe) for recipe in recipes])
        self._cycle = [table([getattr(recipe, name) for recipe in recipes]) for name in ("passes", "air_s", "cut_s", "part_s")]

        self._noise = draws.normals(5)
        starts = draws.starts(6 + len(recipes))
        self._stock = Wander(0.05, 4.0, starts[0])  # what is to be cut is never even
        self._hardness = Wander(0.03, 600.0, starts[1])  # of the batch of material
        self._room = Wander(1.2, 7200.0, starts[2])
        self._rattle = Wander(0.08, 6.0, starts[3])
        self._pump = Wander(0.015, 20.0, starts[4])
        self.jobs = Jobs(JOBS, draws)
        self._friction_kw = p.friction_kw * draws.spread(0.08)
        self._unbalance = p.unbalance * draws.spread(0.15)
        self._depth_share = self._depth_share[:, None] * draws.spread(0.05)
        self.warmer: Floats = np.zeros(draws.n)
        self._energy_kwh = 3e4 * draws.spread(0.4)
        self._parts = np.floor(4e4 * draws.spread(0.4))
        self._time_s = np.abs(np.modf(starts[5])[0]) * self._cycle[3][self.jobs.recipe]
        self._tools = np.abs(np.modf(starts[6:])[0])  # (recipes, n)
        self.wear = self._tools[self.jobs.recipe, np.arange(n)]
        self._coolant_c = p.ambient_c + 2.0 + 0.3 * starts[5]
        self._chills = starts[6] > 0.0
        self._bearing_c: Floats | None = None
        self._growth_um: Floats | None = None
        self._renewed = np.zeros(n, np.bool_)
        self.cutting_kw = self.cut_share = np.zeros(n)
        self._turned = np.ones(n, np.bool_)
        self._sources: dict[str, Floats] = {}

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal, `dt_s` after the last step; `level` gives the severity (0..1) of each fault."""
        p = self.parameters
        xi = self._noise.next()
        stock = 1.0 + self._stock.step(dt_s, xi[0]) + self._hardness.step(dt_s, xi[1])
        ambient = p.ambient_c + self._room.step(dt_s, xi[2]) + self.warmer
        recipe, state, cut, turning = self._follow(dt_s, level["coolant-loss"])
        self.cut_share = cut

        speed = self._speed[recipe]
        whole = 1.0 - 0.9 * level["tool-breakage"]
        force = stock * (1.0 + p.worn_force * np.minimum(self.wear, 1.5)) * whole
        in_cut_kw = self._cutting_kw[recipe] * force
        self.cutting_kw = in_cut_kw * cut
        rated = speed / p.rated_speed
        friction_kw = self._friction_kw * rated**1.5 * turning * (1.0 + 1.6 * level["spindle-bearing"])
        # what the rotor takes up when it starts, as a mean over the step; braking burns it in a resistor
        starts = (turning > 0.0) & ~self._turned
        self._turned = turning > 0.0
        starting_kw = np.where(starts, 0.5 * p.inertia * (speed * math.pi / 30.0) ** 2 / dt_s / 1e3, 0.0)
        power = p.base_kw + (self.cutting_kw + friction_kw + starting_kw) / p.drive_efficiency
        self._energy_kwh = self._energy_kwh + power * dt_s / 3600.0
        omega = np.maximum(speed * (math.pi / 30.0), 1.0)
        vibration = self._vibration(speed, turning, in_cut_kw, level, self._rattle.step(dt_s, xi[3]), recipe)
        flow = p.coolant_l_min * (1.0 + self._pump.step(dt_s, xi[4])) * (1.0 - 0.95 * level["coolant-loss"])
        self._heat_coolant(dt_s, ambient, friction_kw, level["coolant-loss"])
        bearing_c = self._heat_bearing(dt_s, friction_kw, flow)
        return {
            "speed": speed * turning * (1.0 - 0.002 * self.cutting_kw / 5.0),
            "feed": self._feed[recipe] * cut + p.rapid_m_min * np.maximum(turning - cut, 0.0),
            "power": power,
            "power_factor": power / np.hypot(power, p.reactive_kvar * (0.3 + 0.7 * turning)),
            "torque": (self.cutting_kw + friction_kw + starting_kw) * 1e3 / omega,
            "vibration": vibration,
            "bearing_temperature": bearing_c,
            "thermal_growth": self._grow(dt_s, bearing_c),
            "coolant_flow": flow,
            "coolant_temperature": self._coolant_c,
            "energy": self._energy_kwh,
            "parts": self._parts,
            "recipe": recipe.astype(np.float64),
            "state": state.astype(np.float64),
        }

    def renew(self, which: NDArray[np.bool_]) -> None:
        """A new tool, and a new bearing without the old one's heat."""
        self._tools = np.where(which, 0.0, self._tools)
        self._renewed = self._renewed | which

    def start_job(self, machine: int, recipe: int) -> None:
        """The recipe of this number is the next one, after the part in work."""
        self.jobs.ask(machine, recipe)

    def rotor(self, machine: int) -> Rotor:
        """Chatter rings near the tool's own mode; the waveform has it at the multiple of the shaft that lies there."""
        recipe = tuple(RECIPES.values())[self.jobs.recipe[machine]]
        return Rotor(bearing=self.parameters.bearing, rated_speed=self.parameters.rated_speed, vanes=recipe.teeth, teeth=11)

    def excitation(self, machine: int) -> Excitation:
        """What shakes one spindle, as it runs since its last step."""
        sources = {name: float(values[machine]) for name, values in self._sources.items()}
        wear, bearing = sources.pop("wear"), abs(sources.pop("bearing"))
        damage = {BearingPart.INNER: Damage(severity=wear, velocity=bearing)} if wear > 0.0 else {}
        return Excitation(background=self.parameters.background, damage=damage, **sources)

    def _follow(self, dt_s: float, dry: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
        """Go on with the part; recipe and state (n,), and the shares of the step in which the tool cut and turned (n,)."""
        recipe = self.jobs.recipe.copy()
        passes, air_s, cut_s, part_s = (column[recipe] for column in self._cycle)
        works = self.jobs.state == RUNNING
        before, after = self._time_s, self._time_s + dt_s

        def cut_until(time_s: Floats) -> Floats:
            """How long a machine has cut, `time_s` after it began with the first part of this recipe."""
            parts, within = np.divmod(time_s, part_s)
            strokes, rest = np.divmod(np.minimum(within, passes * (air_s + cut_s)), air_s + cut_s)
            return np.asarray(parts * passes * cut_s + strokes * cut_s + np.clip(rest - air_s, 0.0, cut_s))

        def turned_until(time_s: Floats) -> Floats:
            parts, within = np.divmod(time_s, part_s)
            on_s = passes * (air_s + cut_s)
            return np.asarray(parts * on_s + np.minimum(within, on_s))

        cutting_s = np.where(works, cut_until(after) - cut_until(before), 0.0)
        turning = np.where(works, (turned_until(after) - turned_until(before)) / dt_s, 0.0)
        # dry, a tool lives a third as long
        in_use = recipe, np.arange(len(recipe))
        self._tools[in_use] += cutting_s / self._life_s[recipe] * (1.0 + 2.0 * dry)
        self.wear = self._tools[in_use]
        self._time_s = np.where(works, after, 0.0)
        passed_s = dt_s
        while True:
            done = (self.jobs.state == RUNNING) & (self._time_s >= part_s)
            self._parts = self._parts + done
            self._time_s = np.where(done, self._time_s - part_s, self._time_s)
            begins = self.jobs.step(passed_s, done)
            self._time_s = np.where(begins | (self.jobs.state == CHANGEOVER), 0.0, self._time_s)
            # a worn tool is replaced between parts
            self._tools[in_use] = np.where(done & (self.wear >= 1.0), 0.0, self._tools[in_use])
            if not done.any():
                break
            passed_s = 0.0
        state = np.where(works, np.where(turning > 0.0, RUNNING, IDLE), CHANGEOVER)
        return recipe, state, cutting_s / dt_s, turning

    def _heat_bearing(self, dt_s: float, friction_kw: Floats, flow: Floats) -> Floats:
        """C·dT/dt = P_friction - (T - T_coolant)/R; the less flows through the jacket, the worse it cools."""
        p = self.parameters
        resistance = p.jacket_k_per_w * (1.0 + p.jacket_dry * np.clip(1.0 - flow / p.coolant_l_min, 0.0, 1.0))
        steady = self._coolant_c + resistance * friction_kw * 1e3 * p.bearing_share
        usual = self._coolant_c + 0.6 * p.jacket_k_per_w * self._usual_w()
        before = usual if self._bearing_c is None else np.where(self._renewed, usual, self._bearing_c)
        self._bearing_c = approach(before, steady, dt_s / (resistance * p.bearing_j_per_k))
        return self._bearing_c

    def _usual_w(self) -> Floats:
        """Heat of the front bearing with this recipe while it turns [W]."""
        rated = self._speed[self.jobs.recipe] / self.parameters.rated_speed
        return np.asarray(self._friction_kw * 1e3 * self.parameters.bearing_share * rated**1.5)

    def _grow(self, dt_s: float, bearing_c: Floats) -> Floats:
        """ΔL = α·L·(T - 20 °C) behind the bearing: the shaft follows later."""
        p = self.parameters
        steady = p.growth_um_per_k * (bearing_c - 20.0)
        before = steady if self._growth_um is None else np.where(self._renewed, steady, self._growth_um)
        self._renewed = np.zeros(len(steady), np.bool_)
        self._growth_um = approach(before, steady, dt_s / p.growth_s)
        return self._growth_um

    def _heat_coolant(self, dt_s: float, ambient: Floats, friction_kw: Floats, lost: Floats) -> None:
        """C·dT/dt = P_chips + P_friction - P_chiller - G·(T - T_ambient), and the chiller's two-point control."""
        p = self.parameters
        off, on = p.chiller_c
        self._chills = (self._chills & (self._coolant_c > off)) | (self._coolant_c >= on)
        heat = 1e3 * (p.chip_share * self.cutting_kw + friction_kw) - p.chiller_w * self._chills
        tank = p.tank_j_per_k * (1.0 - 0.6 * lost)
        steady = ambient + heat / p.room_w_per_k
        after = approach(self._coolant_c, steady, dt_s * p.room_w_per_k / tank)
        # a long step must not cool far below where the chiller would have switched off
        self._coolant_c = np.where(self._chills, np.maximum(after, np.minimum(off - 0.2, self._coolant_c)), after)

    def _vibration(
        self,
        speed: Floats,
        turning: Floats,
        in_cut_kw: Floats,
        level: Mapping[str, Floats],
        rattle: Floats,
        recipe: NDArray[np.int64],
    ) -> Floats:
        """Velocity rms [mm/s]: independent sources add as squares, each as long as it is there.

        A loose holder gives way: the tooth-pass forces shake it more, and beyond the stable depth it chatters.
        """
        p = self.parameters
        on, cuts = np.sqrt(turning), np.sqrt(self.cut_share)
        r = speed / p.rated_speed
        loose = 1.0 - 0.75 * level["chatter"]
        depth = self._depth_share[recipe, np.arange(len(recipe))] / loose
        wear = level["spindle-bearing"]
        self._sources = {
            "speed": speed * (turning > 0.0),
            "unbalance": np.hypot(self._unbalance * r * on, 5.0 * level["tool-breakage"] * cuts),
            "hydraulic": p.cutting * in_cut_kw * cuts / loose,
            "gear_mesh": 10.0 * np.tanh(1.2 * np.maximum(depth - 1.0, 0.0)) * cuts * (1.0 - 0.9 * level["tool-breakage"]),
            "bearing": 15.0 * wear * np.sqrt(r) * on * (1.0 + rattle),
            "wear": wear * (turning > 0.0),
        }
        names = ("unbalance", "hydraulic", "gear_mesh", "bearing")
        return np.sqrt(sum((self._sources[name] ** 2 for name in names), np.full(len(speed), p.background**2)))
