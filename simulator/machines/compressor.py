"""Oil-injected screw compressors with load/unload control, each feeding a compressed-air network from its receiver.

drives:  what the network's users draw [m3/min], held for minutes within a mode, with big users that come and go
states:  network pressure, loaded or not, sump pressure, oil temperature, filter, the weather in the compressor room
outputs: pressure, air flow and volume, electrical power, energy, current, load share, temperatures, filter, vibration
faults:  network-leak, valve-leak, clogged-filter, cooler-fouling, bearing-wear; severity 0..1 each

Volumes of air are free air delivery: at ambient pressure (ISO 1217). The network is integrated in steps of at most a
second, the motor and the compression are steady states, heat and sump pressure are first order and stepped exactly.

References: ISO 1217:2009 annex C (free air delivery, specific power); Bloch, A Practical Guide to Compressor Technology,
2nd ed. 2006, ch. 3; US DOE, Improving Compressed Air System Performance, 3rd ed. 2016 (leaks, unloaded power, blow-down);
ISO 6358-1 (choked flow); VDI 3836 (vibration of screw compressors). The motor's stand in `motor.py`. What the faults do
at their worst is an assumption where no source is named.
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
from simulator.degradation import archard, fouling, paris, self_accelerating
from simulator.faults import Fault
from simulator.machines.jobs import IDLE, OFF, RUNNING, STATES
from simulator.machines.motor import Motor, motor_point
from simulator.randomness import Draws, Floats, Wander, approach
from simulator.schedule import OperatingSchedule
from simulator.sensors import SensorCharacter
from simulator.waveforms import Damage, Excitation, Rotor

ATMOSPHERE: Final = 1.013  # [bar]
ISENTROPIC_AIR: Final = 1.4  # ratio of the specific heats
LONGEST_STEP_S: Final = 1.0  # of the network: a load cycle lasts about a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressorParameters:
    """A 37 kW compressor of 6 m3/min at 7.5 bar, as CAGI data sheets of this class show it (6.3-7 kW/(m3/min))."""

    # 2 poles, 400 V, IE3: 93.7 % (IEC 60034-30-1)
    motor: Motor = field(
        default_factory=lambda: Motor(
            rated_kw=37.0, rated_speed=2960.0, synchronous_speed=3000.0, stator_ohm=0.075, magnetising_a=24.0, core_w=1000.0
        )
    )
    capacity: float = 6.0  # [m3/min] at 7 bar and a clean filter
    capacity_drop: float = 0.006  # [1/bar] slip through the rotors' gaps
    load_at: float = 6.9  # [bar]
    unload_at: float = 7.6  # [bar]
    volume: float = 3.0  # [m3] of receiver and network
    inner_loss: float = 0.35  # [bar] over separator, minimum-pressure valve and aftercooler
    isentropic_efficiency: float = 0.80
    idle_share: float = 0.18  # of the full shaft power, with an empty sump (DOE: 15-35 % unloaded)
    sump_share: float = 0.32  # more with a full one
    sump_idle: float = 2.5  # [bar] that blow-down leaves, for the oil to circulate
    sump_fill_s: float = 3.0
    sump_vent_s: float = 20.0
    stop_after_s: float = 150.0  # without load the motor stops
    standing_leak: float = 0.4  # [m3/min] at 7 bar: 7 % of the capacity, a good network (DOE: below 10 %)
    burst: float = 0.8  # [m3/min] of a big user
    burst_on_s: float = 15.0
    burst_off_s: float = 60.0
    oil_w_per_k: float = 1300.0  # 45 l/min of oil through the rotors
    oil_j_per_k: float = 140e3  # 40 l of oil, 150 kg of iron
    cooler_w_per_k: float = 900.0
    thermostat_c: tuple[float, float] = (50.0, 60.0)  # begins to open, is open
    fan_kw: tuple[float, float] = (0.3, 1.1)  # lowest, highest speed
    control_kw: float = 0.12
    filter_mbar: float = 14.0  # at full flow, clean
    filter_left: float = 56.0  # [mbar] more when it is due
    ambient_c: float = 22.0
    unbalance: float = 1.1  # [mm/s]
    gear: float = 1.2  # [mm/s] loaded
    pulsation: float = 1.7  # [mm/s] loaded: the lobes push the air out one by one
    background: float = 0.4  # [mm/s]
    bearing_loss: float = 0.03  # of the shaft power, more with a failed bearing
    lobes: int = 5
    teeth: int = 39
    # 6309, as on the demo's nameplate
    bearing: Bearing = field(default_factory=lambda: Bearing(balls=8, ball_mm=15.9, pitch_mm=72.5))


NETWORK_LEAK: Final = Fault(
    id="network-leak",
    name=BilingualText(sv="Läcka i tryckluftsnätet", en="Leak in the network"),
    description=BilingualText(
        sv="Luft pyser ut i nätet: kompressorn går oftare på full last och drar mer el, utan att någon får mer luft.",
        en="Air escapes from the network: the compressor loads more often and uses more power, and nobody gets more air.",
    ),
    mechanism="1.1 leakage",
    life_h=2_000.0,
    law=self_accelerating,
)
VALVE_LEAK: Final = Fault(
    id="valve-leak",
    name=BilingualText(sv="Otät ventil", en="Leaking valve"),
    description=BilingualText(
        sv="Inloppsventil och backventil tätar inte: den avlastade kompressorn drar ström ändå och trycket faller fortare.",
        en="Intake and check valve do not close: even unloaded it draws power, and the pressure falls faster.",
    ),
    mechanism="2.4 wear",
    life_h=6_000.0,
    law=archard,
)
CLOGGED_FILTER: Final = Fault(
    id="clogged-filter",
    name=BilingualText(sv="Igensatt luftfilter", en="Clogged air filter"),
    description=BilingualText(
        sv="Insugsfiltret är fullt av damm: tryckfallet över det växer och varje kubikmeter luft kostar mer.",
        en="The intake filter is full of dust: its pressure drop grows, and each cubic metre of air costs more.",
    ),
    mechanism="5.1 blockage/plugged",
    life_h=3_000.0,
    law=archard,
)
COOLER_FOULING: Final = Fault(
    id="cooler-fouling",
    name=BilingualText(sv="Igensatt oljekylare", en="Fouled oil cooler"),
    description=BilingualText(
        sv="Kylaren släpper inte ifrån sig värmen: oljan och den komprimerade luften blir för varma.",
        en="The cooler does not give off its heat: oil and compressed air get too hot.",
    ),
    mechanism="5.1 blockage/plugged",
    life_h=4_000.0,
    law=fouling,
)
BEARING_WEAR: Final = Fault(
    id="bearing-wear",
    name=BilingualText(sv="Lagerskada", en="Bearing wear"),
    description=BilingualText(
        sv="Ett av rotorlagren spricker upp: kompressorn skakar mer och mer och drar lite mer ström.",
        en="A rotor bearing is breaking up: the compressor shakes more and more, and draws a little more power.",
    ),
    mechanism="2.6 fatigue",
    life_h=20_000.0,
    law=paris,
)
FAULTS: Final = (NETWORK_LEAK, VALVE_LEAK, CLOGGED_FILTER, COOLER_FOULING, BEARING_WEAR)
# what the users draw in each mode: (lowest, highest) [m3/min] at 7 bar
MODES: Final = {
    "shift": ((2.0, 4.4),),
    "weekend": ((0.5, 1.4),),
    "test-bench": ((3.6, 5.0),),
}
MODE_WEIGHTS: Final = (0.72, 0.18, 0.1)
SENSORS: Final[dict[str, SensorCharacter]] = {
    "pressure": SensorCharacter(low=0.0, high=16.0, resolution=0.005, white=0.006, slow=0.004, bias=0.02, lag_s=0.5),
    "flow": SensorCharacter(low=0.0, high=800.0, resolution=0.1, white=1.0, relative=0.01, slow=0.8, bias=1.5, lag_s=2.0),
    "power": SensorCharacter(low=0.0, high=80.0, resolution=0.01, white=0.05, slow=0.03, bias=0.1, lag_s=1.0),
    "power_factor": SensorCharacter(low=0.0, high=1.0, resolution=0.001, white=0.003, bias=0.004, lag_s=1.0),
    "current": SensorCharacter(low=0.0, high=150.0, resolution=0.1, white=0.15, slow=0.05, bias=0.3, lag_s=1.0),
    "discharge_temperature": SensorCharacter(
        low=-50.0, high=200.0, resolution=0.1, white=0.05, slow=0.1, slow_s=120.0, bias=0.4, lag_s=12.0
    ),
    "ambient_temperature": SensorCharacter(
        low=-50.0, high=100.0, resolution=0.1, white=0.03, slow=0.05, slow_s=120.0, bias=0.3, lag_s=30.0
    ),
    "filter_pressure_drop": SensorCharacter(low=0.0, high=200.0, resolution=0.1, white=0.3, slow=0.2, bias=0.5, lag_s=1.0),
    "vibration": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.03, relative=0.03, slow=0.03, lag_s=1.0),
    "load": SensorCharacter(low=0.0, high=100.0, resolution=0.1),
    "energy": SensorCharacter(low=0.0, high=1e9, resolution=0.001),
    "air": SensorCharacter(low=0.0, high=1e10, resolution=0.01),
}


def isentropic_power(flow: Floats, suction: Floats, discharge: Floats) -> Floats:
    """Power [W] that compresses `flow` [m3/min at suction] from `suction` to `discharge` [bar absolute] without losses.

    P = κ/(κ-1)·p₁·V̇·((p₂/p₁)^((κ-1)/κ) - 1), an ideal gas (Bloch, ch. 3)
    """
    exponent = (ISENTROPIC_AIR - 1.0) / ISENTROPIC_AIR
    return np.asarray(suction * 1e5 * flow / 60.0 / exponent * ((discharge / suction) ** exponent - 1.0))


def choked_flow(conductance: Floats | float, pressure: Floats) -> Floats:
    """Free air [m3/min] through a hole in the network: in proportion to the absolute pressure (ISO 6358, choked flow).

    conductance: the flow at 7 bar [m3/min]; pressure: gauge [bar]
    """
    return np.asarray(conductance * (pressure + ATMOSPHERE) / (7.0 + ATMOSPHERE))


def filter_drop(full: Floats, flow_share: Floats) -> Floats:
    """Pressure drop [mbar] of a filter that has `full` at full flow: Δp ~ Q², turbulent."""
    return full * flow_share**2


def thermostat(p: CompressorParameters, oil_c: Floats) -> Floats:
    """Share of the oil that goes through the cooler, 0.05..1: linear between opening and open."""
    begins, opened = p.thermostat_c
    return np.clip((oil_c - begins) / (opened - begins), 0.05, 1.0)


class Compressor:
    """Compressors with their networks, stepped through machine time. The same draws give the same lives.

    Attributes after a step, (n,): `supplied`, `lost` [m3] of air that came in and went back in this step,
    `shaft_w`, `heat_w` [W] into the oil, `cooled_w` [W] out of it.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors: Mapping[str, SensorCharacter] = SENSORS
    counters: tuple[str, ...] = ("energy", "air")
    texts: Mapping[str, tuple[str, ...]] = {"recipe": tuple(MODES), "state": STATES}  # never written

    def __init__(self, draws: Draws, parameters: CompressorParameters | None = None) -> None:
        p = self.parameters = parameters or CompressorParameters()
        n = draws.n
        self._noise, self._chance = draws.normals(5), draws.uniforms(1)
        # what users draw, mains voltage, the room [K], the vibration of a worn bearing, the efficiency of the compression
        starts = draws.starts(6)
        self._use = Wander(0.06, 9.0, starts[0])
        self._mains = Wander(0.006, 200.0, starts[1])
        self._room = Wander(2.5, 14_400.0, starts[2])
        self._rattle = Wander(0.08, 6.0, starts[3])
        self._burst_size = Wander(0.25, 40.0, starts[4])
        self.schedule = OperatingSchedule(tuple(MODES.values()), MODE_WEIGHTS, draws)
        self._capacity = p.capacity * draws.spread(0.015)
        self._efficiency = p.isentropic_efficiency * draws.spread(0.01)
        self._cooler = p.cooler_w_per_k * draws.spread(0.05)
        self._filter = p.filter_mbar * draws.spread(0.1)
        self._unbalance = p.unbalance * draws.spread(0.15)
        self.warmer: Floats = np.zeros(draws.n)
        self._energy_kwh = 8e4 * draws.spread(0.4)
        self._air_m3 = 7e5 * draws.spread(0.4)
        phase = np.clip(0.5 + 0.2 * starts[5], 0.02, 0.98)  # where in its load cycle each one starts
        self._pressure = p.load_at + phase * (p.unload_at - p.load_at)
        self._loaded = starts[5] > 0.0
        self._bursting = np.zeros(n, np.bool_)
        self._idle_s = np.zeros(n)
        self._sump = np.where(self._loaded, self._pressure + p.inner_loss, p.sump_idle)
        self._load_share: Floats | None = None
        self._oil_c = np.full(n, 56.0)
        self._sources: dict[str, Floats] = {}
        self.supplied = self.lost = np.zeros(n)
        self.shaft_w = self.heat_w = self.cooled_w = np.zeros(n)

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal, `dt_s` after the last step; `level` gives the severity (0..1) of each fault."""
        p = self.parameters
        (demand,) = self.schedule.step(dt_s)
        xi, chance = self._noise.next(), self._chance.next()[0]
        ambient = p.ambient_c + self._room.step(dt_s, xi[2]) + self.warmer
        users = demand * (1.0 + self._use.step(dt_s, xi[0])) + self._bursts(dt_s, chance, xi[4])
        voltage = 1.0 + self._mains.step(dt_s, xi[1])
        rattle = self._rattle.step(dt_s, xi[3])

        full_drop = self._filter + p.filter_left * level["clogged-filter"]
        suction = ATMOSPHERE - full_drop / 1e3
        # the rotors displace the same volume whatever the pressure at the intake: a clogged filter costs air
        capacity = self._capacity * suction / ATMOSPHERE
        holes = p.standing_leak + 1.8 * level["network-leak"]
        share, flow = self._network(
            dt_s, users, holes, capacity * (1.0 - 0.12 * level["valve-leak"]), 0.5 * level["valve-leak"]
        )

        self._idle_s = np.where(share > 0.0, 0.0, self._idle_s + dt_s)
        turning = self._idle_s < p.stop_after_s
        discharge = self._pressure + ATMOSPHERE + p.inner_loss
        compression_w = isentropic_power(self._capacity, suction, discharge) / self._efficiency
        self.shaft_w = turning * (self._shaft(dt_s, share, compression_w, level) + self._bearing_w(compression_w, level))
        rated = p.motor.rated_speed * (math.pi / 30.0)
        motor = motor_point(
            p.motor, np.where(turning, p.motor.synchronous_speed, 0.0), np.asarray(self.shaft_w / rated), voltage
        )
        discharge_c, fan_kw = self._heat(dt_s, ambient, share * turning, level["cooler-fouling"])
        power = np.where(turning, motor.power / 1e3 + fan_kw, 0.0) + p.control_kw
        current = np.where(turning, motor.current, 0.0)
        self._energy_kwh = self._energy_kwh + power * dt_s / 3600.0
        self._air_m3 = self._air_m3 + flow * dt_s / 60.0
        # the share of the last minutes, as load-hour meters give it
        before = share if self._load_share is None else self._load_share
        self._load_share = approach(before, share, dt_s / 300.0)
        return {
            "pressure": self._pressure,
            "flow": flow * 60.0,
            "power": power,
            "power_factor": np.where(turning, motor.power_factor, 0.6),
            "current": current,
            "discharge_temperature": discharge_c,
            "ambient_temperature": ambient,
            "filter_pressure_drop": filter_drop(full_drop, share * turning),
            "vibration": self._vibration(motor.speed, turning, share, level, rattle),
            "load": 100.0 * self._load_share,
            "energy": self._energy_kwh,
            "air": self._air_m3,
            "recipe": self.schedule.mode.astype(np.float64),
            "state": np.where(self._loaded, float(RUNNING), np.where(turning, float(IDLE), float(OFF))),
        }

    def renew(self, which: NDArray[np.bool_]) -> None:
        """A clean cooler has its oil cold again before anybody looks."""
        self._oil_c = np.where(which, np.minimum(self._oil_c, self.parameters.thermostat_c[1]), self._oil_c)

    def start_job(self, machine: int, recipe: int) -> None:
        """The next demand, drawn in the mode of this number, comes at once."""
        self.schedule.ask(machine, recipe)

    def rotor(self, machine: int) -> Rotor:
        p = self.parameters
        return Rotor(bearing=p.bearing, rated_speed=p.motor.rated_speed, vanes=p.lobes, teeth=p.teeth)

    def excitation(self, machine: int) -> Excitation:
        """What shakes one compressor, as it runs since its last step."""
        sources = {name: float(values[machine]) for name, values in self._sources.items()}
        wear, bearing = sources.pop("wear"), abs(sources.pop("bearing"))
        damage = {BearingPart.OUTER: Damage(severity=wear, velocity=bearing)} if wear > 0.0 else {}
        return Excitation(background=self.parameters.background, damage=damage, **sources)

    def _bursts(self, dt_s: float, chance: Floats, xi: Floats) -> Floats:
        """Free air [m3/min] of a big user, who is on for some seconds now and then."""
        p = self.parameters
        stays = -np.expm1(-dt_s / np.where(self._bursting, p.burst_on_s, p.burst_off_s))
        self._bursting = self._bursting ^ (chance < stays)
        return self._bursting * p.burst * (1.0 + self._burst_size.step(dt_s, xi))

    def _network(self, dt_s: float, users: Floats, holes: Floats, capacity: Floats, back: Floats) -> tuple[Floats, Floats]:
        """V·dp/dt = p₀·(V̇_in - V̇_out), and the two-point control; the loaded share of the step, and the mean flow [m3/min].

        The flow meter stands behind the receiver: it sees users and leaks, but not what goes `back` through the compressor.
        """
        p = self.parameters
        steps = max(1, math.ceil(dt_s / LONGEST_STEP_S))
        h = dt_s / steps
        loaded_steps = np.zeros(len(users))
        drawn = np.zeros(len(users))
        supplied, lost = np.zeros(len(users)), np.zeros(len(users))
        for _ in range(steps):
            out = choked_flow(users + holes, self._pressure)
            supply = self._loaded * capacity * (1.0 - p.capacity_drop * (self._pressure - 7.0))
            returned = choked_flow(back, self._pressure) * ~self._loaded
            self._pressure = self._pressure + ATMOSPHERE / p.volume * (supply - out - returned) * h / 60.0
            loaded_steps += self._loaded
            drawn += out
            supplied += supply * h / 60.0
            lost += returned * h / 60.0
            self._loaded = (self._loaded & (self._pressure < p.unload_at)) | (self._pressure <= p.load_at)
        self.supplied, self.lost = supplied, lost
        return loaded_steps / steps, drawn / steps

    def _shaft(self, dt_s: float, share: Floats, compression_w: Floats, level: Mapping[str, Floats]) -> Floats:
        """Shaft power [W]: loaded the compression, unloaded against the sump, which is vented within a minute.

        A valve that leaks lets the unloaded machine draw and compress air: the sump stays under pressure.
        """
        p = self.parameters
        full = self._pressure + p.inner_loss
        idle = p.sump_idle + 0.9 * level["valve-leak"] * (full - p.sump_idle)
        time_s = np.where(share > 0.0, p.sump_fill_s, p.sump_vent_s)
        self._sump = approach(self._sump, np.where(share > 0.0, full, idle), dt_s / time_s)
        unloaded = p.idle_share + p.sump_share * self._sump / full
        return np.asarray(compression_w * (share + (1.0 - share) * unloaded))

    def _bearing_w(self, compression_w: Floats, level: Mapping[str, Floats]) -> Floats:
        return np.asarray(self.parameters.bearing_loss * level["bearing-wear"] * compression_w)

    def _heat(self, dt_s: float, ambient: Floats, share: Floats, fouled: Floats) -> tuple[Floats, Floats]:
        """C·dT/dt = P_shaft - φ·UA·(T - T_ambient): nearly all shaft power ends in the oil (DOE: 94 %, here all).

        Returns the discharge temperature: that of the oil, and what the power of the moment adds to it on its way
        through the rotors; and the power of the fan, which runs faster the hotter the oil is [kW].
        """
        p = self.parameters
        conductance = self._cooler * (1.0 - 0.42 * fouled) * thermostat(p, self._oil_c)
        self.heat_w = self.shaft_w
        steady = ambient + self.heat_w / conductance
        before = self._oil_c
        self._oil_c = approach(before, steady, dt_s * conductance / p.oil_j_per_k)
        self.cooled_w = self.heat_w - p.oil_j_per_k * (self._oil_c - before) / dt_s
        slow, fast = p.fan_kw
        fan_kw = slow + (fast - slow) * np.clip((self._oil_c - 50.0) / 25.0, 0.0, 1.0)
        return self._oil_c + self.heat_w / p.oil_w_per_k, fan_kw

    def _vibration(
        self, speed: Floats, turning: NDArray[np.bool_], share: Floats, level: Mapping[str, Floats], rattle: Floats
    ) -> Floats:
        """Velocity rms [mm/s]: independent sources add as squares; the load presses on gears and rotors.

        Some 2.5 mm/s loaded is good for a screw compressor, 11 mm/s is not to be run (VDI 3836).
        """
        p = self.parameters
        load = 0.45 + 0.55 * share
        wear = level["bearing-wear"]
        self._sources = {
            "speed": speed,
            "unbalance": self._unbalance * turning,
            "gear_mesh": p.gear * load * turning,
            "hydraulic": p.pulsation * load * turning * (1.0 + 0.5 * level["valve-leak"] * (1.0 - share)),
            "bearing": 14.0 * wear * turning * (1.0 + rattle) * (0.8 + 0.2 * share),
            "wear": wear * turning,
        }
        names = ("unbalance", "gear_mesh", "hydraulic", "bearing")
        return np.sqrt(sum((self._sources[name] ** 2 for name in names), np.full(len(speed), p.background**2)))
