"""Electric hardening furnaces: a chamber of three zones that takes a cold charge, heats it, holds it, and gives it out hot.

drives:  batches of recipes (a temperature program), a charge of another weight each time, a door that opens in between
states:  per zone the chamber (elements and hot face), the charge and the insulation; the casing; three PI controllers
outputs: set point, temperatures and powers of the zones, total power and energy, casing temperature, door, batches
faults:  heater-loss (zone 3), insulation-ageing, thermocouple-drift (zone 2), door-seal-leak (zone 1); severity 0..1 each

A linear network of heat capacities and conductances; radiation is linearised at the temperatures of the last step. It is
solved by the implicit Euler method: stable for any step, and no joule is lost between the capacities.

References: Trinks et al., Industrial Furnaces, 6th ed. 2004, ch. 2 and 4 (heat transfer, losses); Incropera, Fundamentals
of Heat and Mass Transfer, 7th ed. 2011, 1.2 (radiation); Åström and Hägglund, Advanced PID Control, 2006, 3.5 (windup);
DIN 17052-1 (uniformity in heat-treatment furnaces). What the faults do at their worst is an assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import BilingualText
from simulator.degradation import archard, fouling, self_accelerating
from simulator.faults import Fault
from simulator.machines.jobs import CHANGEOVER, RUNNING, STATES, JobRule, Jobs
from simulator.randomness import Draws, Floats, Wander
from simulator.sensors import SensorCharacter

STEFAN_BOLTZMANN: Final = 5.670374e-8  # [W/(m2·K4)]
KELVIN: Final = 273.15
ZONES: Final = 3
# the network's nodes: chamber, charge and insulation of each zone, and the casing
CHAMBER, CHARGE, INSULATION, CASING = slice(0, 3), slice(3, 6), slice(6, 9), 9
NODES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FurnaceParameters:
    """A chamber furnace of 54 kW for 950 °C and charges of up to 450 kg. Heat capacities and conductances are per zone."""

    zone_kw: float = 18.0
    fans_kw: float = 1.1
    control_kw: float = 0.15
    chamber_j_per_k: float = 40e3
    insulation_j_per_k: float = 60e3
    casing_j_per_k: float = 150e3  # of all
    steel_j_per_kg_k: float = 650.0  # mean of 20 to 900 °C
    grate_kg: float = 45.0
    neighbour_w_per_k: float = 12.0
    charge_area: float = 0.6  # [m2] that sees the elements
    emissivity: float = 0.7
    convection_w_per_k: float = 10.0
    hot_layer_w_per_k: float = 4.4
    cold_layer_w_per_k: float = 6.4
    casing_w_per_k: float = 170.0  # of all: 14 m2 at 12 W/(m2·K)
    door_area: float = 0.5  # [m2]
    door_view: float = 0.35
    door_convection_w_per_k: float = 6.0
    door_share: tuple[float, float, float] = (0.7, 0.25, 0.05)
    seal_w_per_k: float = 9.0  # lost at a seal that is gone
    ambient_c: float = 24.0
    gain_kw_per_k: float = 0.5
    reset_s: float = 900.0
    ramp_k_per_s: float = 0.15  # 9 K/min
    behind_k: tuple[float, float] = (20.0, 60.0)  # so far behind, the program begins to wait, and waits most
    drift_k: float = 45.0  # of a thermocouple at the end of its life


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """soak_c: the temperature to hold [°C], for soak_s [s]; charge_kg: (lightest, heaviest)."""

    soak_c: float
    soak_s: float
    charge_kg: tuple[float, float]


PROGRAMS: Final = {
    "anneal-720": Program(soak_c=720.0, soak_s=4500.0, charge_kg=(200.0, 420.0)),
    "harden-850": Program(soak_c=850.0, soak_s=2700.0, charge_kg=(180.0, 380.0)),
    "normalise-900": Program(soak_c=900.0, soak_s=2400.0, charge_kg=(180.0, 350.0)),
    "carburise-930": Program(soak_c=930.0, soak_s=7200.0, charge_kg=(150.0, 300.0)),
}
JOBS: Final = JobRule(
    quantity=(1, 3),
    changeover_s=(300.0, 1200.0),
    weights=(0.25, 0.45, 0.3, 0.2),
    since_s=(0.0, 0.0, 0.0, 60.0 * 3600.0),
)
LOAD_S: Final = (90.0, 150.0)
UNLOAD_S: Final = (60.0, 100.0)
STANDBY_K: Final = 60.0  # below the last program, while nothing is in
# the phases of a batch
LOADING, HEATING, SOAKING, UNLOADING, STANDBY = range(5)

HEATER_LOSS: Final = Fault(
    id="heater-loss",
    name=BilingualText(sv="Värmeelement ur funktion", en="Heater element loss"),
    description=BilingualText(
        sv="Elementen i zon 3 går av ett efter ett: zonen orkar inte med, och blir kallare än de andra.",
        en="The elements of zone 3 fail one by one: the zone cannot keep up, and gets colder than the others.",
    ),
    mechanism="4.2 open circuit",
    life_h=8_000.0,
    law=self_accelerating,
)
INSULATION_AGEING: Final = Fault(
    id="insulation-ageing",
    name=BilingualText(sv="Åldrad isolering", en="Insulation ageing"),
    description=BilingualText(
        sv="Isoleringen krymper och spricker: ugnen drar mer el för att hålla värmen, och manteln blir het.",
        en="The insulation shrinks and cracks: the furnace uses more power to hold its heat, and the casing gets hot.",
    ),
    mechanism="2.7 overheating",
    life_h=20_000.0,
    law=archard,
)
THERMOCOUPLE_DRIFT: Final = Fault(
    id="thermocouple-drift",
    name=BilingualText(sv="Termoelement som driver", en="Thermocouple drift"),
    description=BilingualText(
        sv="Termoelementet i zon 2 visar för lite: visaren står rätt, men zonen är för het och drar för mycket el.",
        en="The thermocouple of zone 2 reads low: the display looks right, but the zone is too hot and uses too much power.",
    ),
    mechanism="3.4 out of adjustment",
    life_h=4_000.0,
    law=fouling,
)
DOOR_SEAL_LEAK: Final = Fault(
    id="door-seal-leak",
    name=BilingualText(sv="Otät lucka", en="Door seal leak"),
    description=BilingualText(
        sv="Luckans tätning är sönder: värmen läcker ut vid zon 1, som får arbeta mer än de andra.",
        en="The door's seal is broken: heat leaks out at zone 1, which has to work harder than the others.",
    ),
    mechanism="1.1 leakage",
    life_h=3_000.0,
    law=archard,
)
FAULTS: Final = (HEATER_LOSS, INSULATION_AGEING, THERMOCOUPLE_DRIFT, DOOR_SEAL_LEAK)


def _thermocouple() -> SensorCharacter:
    return SensorCharacter(low=0.0, high=1300.0, resolution=0.1, white=0.25, slow=0.2, slow_s=90.0, bias=0.8, lag_s=20.0)


def _zone_power() -> SensorCharacter:
    return SensorCharacter(low=0.0, high=30.0, resolution=0.01, white=0.03, relative=0.004, slow=0.01, bias=0.02)


SENSORS: Final[dict[str, SensorCharacter]] = {
    "setpoint": SensorCharacter(low=0.0, high=1300.0, resolution=0.1),
    "temperature_1": _thermocouple(),
    "temperature_2": _thermocouple(),
    "temperature_3": _thermocouple(),
    "power_1": _zone_power(),
    "power_2": _zone_power(),
    "power_3": _zone_power(),
    "power": SensorCharacter(low=0.0, high=100.0, resolution=0.01, white=0.05, relative=0.002, slow=0.02, bias=0.05),
    "power_factor": SensorCharacter(low=0.0, high=1.0, resolution=0.001, white=0.003, bias=0.004),
    "casing_temperature": SensorCharacter(
        low=-20.0, high=250.0, resolution=0.1, white=0.05, slow=0.1, slow_s=180.0, bias=0.4, lag_s=60.0
    ),
    "door": SensorCharacter(low=0.0, high=1.0, resolution=0.01),
    "energy": SensorCharacter(low=0.0, high=1e9, resolution=0.001),
    "batches": SensorCharacter(low=0.0, high=1e9, resolution=1.0),
}


def radiation_conductance(area: float, emissivity: float, hot_c: Floats, cold_c: Floats) -> Floats:
    """What radiation between two temperatures [°C] amounts to as a conductance [W/K]: ε·σ·A·(T₁² + T₂²)·(T₁ + T₂)."""
    hot, cold = hot_c + KELVIN, cold_c + KELVIN
    return np.asarray(emissivity * STEFAN_BOLTZMANN * area * (hot**2 + cold**2) * (hot + cold))


def implicit_step(
    capacities: Floats,
    links: Mapping[tuple[int, int], Floats | float],
    outwards: Floats,
    heat_w: Floats,
    before: Floats,
    dt_s: float,
) -> Floats:
    """Temperatures (n, nodes) `dt_s` later, above that of the surroundings, as `before`.

    capacities, outwards, heat_w: (n, nodes): C [J/K], conductance to the surroundings [W/K], heat put in [W]
    links: conductance [W/K] between two nodes. (C/Δt + G)·T = C/Δt·T₀ + P, which is exact in energy.
    """
    n, nodes = before.shape
    matrix = np.zeros((n, nodes, nodes))
    diagonal = np.arange(nodes)
    matrix[:, diagonal, diagonal] = capacities / dt_s + outwards
    for (one, other), conductance in links.items():
        matrix[:, one, one] += conductance
        matrix[:, other, other] += conductance
        matrix[:, one, other] -= conductance
        matrix[:, other, one] -= conductance
    return np.asarray(np.linalg.solve(matrix, (capacities / dt_s * before + heat_w)[..., None])[..., 0])


class Furnace:
    """Furnaces, stepped through machine time. The same draws give the same lives.

    Attributes after a step, (n,): `heat_w` put in, `lost_w` to the surroundings [W], `taken_j` with charges that went out
    in this step, less what came in [J]; `stored_j` is what the furnace and its charge hold above the surroundings.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors: Mapping[str, SensorCharacter] = SENSORS
    counters: tuple[str, ...] = ("energy", "batches")
    texts: Mapping[str, tuple[str, ...]] = {"recipe": tuple(PROGRAMS), "state": STATES}  # never written

    def __init__(self, draws: Draws, parameters: FurnaceParameters | None = None) -> None:
        p = self.parameters = parameters or FurnaceParameters()
        n = draws.n
        self._soak_c = np.array([program.soak_c for program in PROGRAMS.values()])
        self._noise = draws.normals(3)
        starts = draws.starts(5)
        self._mains = Wander(0.006, 200.0, starts[0])
        self._hall = Wander(1.5, 14_400.0, starts[1])
        self._draught = Wander(0.08, 300.0, starts[2])
        self.jobs = Jobs(JOBS, draws)
        self._generators = draws.generators()
        self._hot_layer = p.hot_layer_w_per_k * draws.spread(0.06)
        self._cold_layer = p.cold_layer_w_per_k * draws.spread(0.06)
        self._zone_kw = p.zone_kw * np.array([draws.spread(0.02) for _ in range(ZONES)]).T  # (n, 3)
        self.warmer: Floats = np.zeros(draws.n)
        self._energy_kwh = 9e4 * draws.spread(0.4)
        self._batches = np.floor(3e3 * draws.spread(0.4))
        # all begin somewhere in the soak of a batch, with everything in balance
        programs = [list(PROGRAMS.values())[recipe] for recipe in self.jobs.recipe]
        self._phase = np.full(n, SOAKING)
        through = np.abs(np.modf(starts[3])[0])
        self._left_s = np.array([program.soak_s for program in programs]) * (1.0 - through)
        low, high = np.array([program.charge_kg for program in programs]).T
        self._charge_kg = low + (high - low) * np.abs(np.modf(starts[4])[0])
        self._setpoint = self._soak_c[self.jobs.recipe]
        self._ambient = np.full(n, p.ambient_c)
        series = self._hot_layer * self._cold_layer / (self._hot_layer + self._cold_layer)
        casing = ZONES * series / (p.casing_w_per_k + ZONES * series)  # share of the temperature difference
        above = self._setpoint - self._ambient
        self._above = np.empty((n, NODES))  # [K] above the surroundings
        self._above[:, CHAMBER] = above[:, None]
        self._above[:, CHARGE] = above[:, None] - 40.0 * (1.0 - through)[:, None]
        inside = 1.0 - (1.0 - casing) * self._cold_layer / (self._hot_layer + self._cold_layer)
        self._above[:, INSULATION] = (above * inside)[:, None]
        self._above[:, CASING] = above * casing
        self._integral = np.tile((above * (1.0 - casing) * series / 1e3)[:, None], ZONES)  # [kW]
        self.heat_w = self.lost_w = self.taken_j = np.zeros(n)

    @property
    def stored_j(self) -> Floats:
        return np.asarray((self._capacities() * self._above).sum(axis=1))

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal, `dt_s` after the last step; `level` gives the severity (0..1) of each fault."""
        p = self.parameters
        xi = self._noise.next()
        voltage = 1.0 + self._mains.step(dt_s, xi[0])
        surroundings = p.ambient_c + self._hall.step(dt_s, xi[1]) + self.warmer
        draught = 1.0 + self._draught.step(dt_s, xi[2])
        # temperatures are kept above the surroundings, which are no node: when they move, all moves with them
        self._above -= (surroundings - self._ambient)[:, None]
        self.taken_j = (self._capacities().sum(axis=1)) * (surroundings - self._ambient)
        self._ambient = surroundings
        shown = self._shown(level)
        recipe, door = self._program(dt_s, shown)
        power = self._control(dt_s, shown, door, voltage, level)
        self._heat(dt_s, power, door, draught, level)
        total = power.sum(axis=1) + p.fans_kw + p.control_kw
        self._energy_kwh = self._energy_kwh + total * dt_s / 3600.0
        shown = self._shown(level)
        return {
            "setpoint": self._setpoint,
            **{f"temperature_{zone + 1}": shown[:, zone] for zone in range(ZONES)},
            **{f"power_{zone + 1}": power[:, zone] for zone in range(ZONES)},
            "power": total,
            "power_factor": total / np.hypot(total, 0.8 + 0.1 * total),
            "casing_temperature": self._ambient + self._above[:, CASING],
            "door": door,
            "energy": self._energy_kwh,
            "batches": self._batches,
            "recipe": recipe.astype(np.float64),
            "state": np.where(self._phase == STANDBY, float(CHANGEOVER), float(RUNNING)),
        }

    def renew(self, which: NDArray[np.bool_]) -> None:
        """Nothing beside the level: what is hot stays hot."""

    def start_job(self, machine: int, recipe: int) -> None:
        """The program of this number is the next one, after the charge that is in."""
        self.jobs.ask(machine, recipe)

    def _capacities(self) -> Floats:
        p = self.parameters
        capacities = np.empty((len(self._charge_kg), NODES))
        capacities[:, CHAMBER] = p.chamber_j_per_k
        capacities[:, CHARGE] = ((self._charge_kg + p.grate_kg) * p.steel_j_per_kg_k / ZONES)[:, None]
        capacities[:, INSULATION] = p.insulation_j_per_k
        capacities[:, CASING] = p.casing_j_per_k
        return capacities

    def _shown(self, level: Mapping[str, Floats]) -> Floats:
        """What the thermocouples say of the zones (n, 3) [°C]: the controllers know no better."""
        shown = self._ambient[:, None] + self._above[:, CHAMBER]
        shown[:, 1] -= self.parameters.drift_k * level["thermocouple-drift"]
        return shown

    def _program(self, dt_s: float, shown: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Go on in the batch, and move the set point; recipe and door (n,)."""
        p = self.parameters
        recipe = self.jobs.recipe.copy()
        target = self._soak_c[recipe]
        timed = self._phase != HEATING
        self._left_s = np.where(timed, self._left_s - dt_s, self._left_s)
        # the program waits for a chamber that stays behind, but not for ever: a lost element must not stop it
        begins, most = p.behind_k
        behind = np.clip((self._setpoint - shown.min(axis=1) - begins) / (most - begins), 0.0, 0.85)
        nearer = np.clip(target - self._setpoint, -1e9, p.ramp_k_per_s * dt_s * (1.0 - behind))
        self._setpoint = np.where(self._phase == HEATING, self._setpoint + nearer, self._setpoint)

        door = np.where((self._phase == LOADING) | (self._phase == UNLOADING), 1.0, 0.0)
        over = timed & (self._left_s <= 0.0)
        hot = (self._phase == HEATING) & (self._setpoint >= target)
        done = over & (self._phase == UNLOADING)
        for machine in np.flatnonzero(hot):
            self._phase[machine] = SOAKING
            self._left_s[machine] = list(PROGRAMS.values())[recipe[machine]].soak_s
        for machine in np.flatnonzero(over & (self._phase == SOAKING)):
            self._enter(int(machine), UNLOADING, UNLOAD_S)
        for machine in np.flatnonzero(over & (self._phase == LOADING)):
            self._phase[machine] = HEATING
            self._setpoint[machine] = min(float(shown[machine].mean()), float(target[machine]))
        self._batches = self._batches + done
        begins_job = self.jobs.step(dt_s, done)
        for machine in np.flatnonzero(done):
            self._exchange(int(machine), 0.0)
            self._phase[machine], self._left_s[machine] = STANDBY, np.inf
            self._setpoint[machine] = target[machine] - STANDBY_K
        for machine in np.flatnonzero(begins_job | (done & (self.jobs.state == RUNNING))):
            low, high = list(PROGRAMS.values())[self.jobs.recipe[machine]].charge_kg
            self._exchange(int(machine), float(self._generators[machine].uniform(low, high)))
            self._enter(int(machine), LOADING, LOAD_S)
        return recipe, door

    def _enter(self, machine: int, phase: int, lasts_s: tuple[float, float]) -> None:
        self._phase[machine] = phase
        self._left_s[machine] = self._generators[machine].uniform(*lasts_s)

    def _exchange(self, machine: int, charge_kg: float) -> None:
        """Take the charge out, and put `charge_kg` as warm as the surroundings onto the grate."""
        p = self.parameters
        grate, hot = p.grate_kg, self._above[machine, CHARGE]
        out = self._charge_kg[machine] * p.steel_j_per_kg_k / ZONES * hot.sum()
        self.taken_j[machine] += out
        self._above[machine, CHARGE] = hot * grate / (grate + charge_kg)
        self._charge_kg[machine] = charge_kg

    def _control(self, dt_s: float, shown: Floats, door: Floats, voltage: Floats, level: Mapping[str, Floats]) -> Floats:
        """Powers of the zones (n, 3) [kW]: PI, whose integral waits while the power is at its limit. P ~ U² of the mains.

        While the door is open the elements are off: nobody shall touch them.
        """
        p = self.parameters
        most = self._zone_kw * (voltage**2)[:, None]
        most[:, 2] *= 1.0 - 0.95 * level["heater-loss"]
        error = self._setpoint[:, None] - shown
        wanted = p.gain_kw_per_k * error + self._integral
        power = np.clip(wanted, 0.0, most)
        free = ((wanted == power) | ((wanted > most) & (error < 0.0)) | ((wanted < 0.0) & (error > 0.0))) & (door == 0.0)[
            :, None
        ]
        self._integral = np.clip(self._integral + free * p.gain_kw_per_k / p.reset_s * error * dt_s, 0.0, self._zone_kw)
        return np.asarray(np.where(door[:, None] > 0.0, 0.0, power))

    def _heat(self, dt_s: float, power: Floats, door: Floats, draught: Floats, level: Mapping[str, Floats]) -> None:
        p = self.parameters
        celsius = self._ambient[:, None] + self._above
        to_charge = p.convection_w_per_k + radiation_conductance(
            p.charge_area, p.emissivity, celsius[:, CHAMBER], celsius[:, CHARGE]
        )
        aged = 1.0 + 0.9 * level["insulation-ageing"]
        links: dict[tuple[int, int], Floats | float] = {(0, 1): p.neighbour_w_per_k, (1, 2): p.neighbour_w_per_k}
        for zone in range(ZONES):
            links[zone, 3 + zone] = to_charge[:, zone]
            links[zone, 6 + zone] = self._hot_layer * aged
            links[6 + zone, CASING] = self._cold_layer * aged
        through = radiation_conductance(p.door_area, p.door_view, celsius[:, CHAMBER], self._ambient[:, None])
        outwards = np.zeros_like(self._above)
        outwards[:, CHAMBER] = door[:, None] * np.array(p.door_share) * (through + p.door_convection_w_per_k)
        outwards[:, 0] += p.seal_w_per_k * level["door-seal-leak"]
        outwards[:, CASING] = p.casing_w_per_k * draught
        heat_w = np.zeros_like(self._above)
        heat_w[:, CHAMBER] = 1e3 * power
        self._above = implicit_step(self._capacities(), links, outwards, heat_w, self._above, dt_s)
        self.heat_w = heat_w.sum(axis=1)
        self.lost_w = (outwards * self._above).sum(axis=1)
