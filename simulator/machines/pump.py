"""A circulation pump with its induction motor, on a frequency converter, in a closed loop with a control valve.

inputs:  synchronous speed that the converter sets [/min], valve opening (0..1)
states:  bearing temperature, fluid temperature, and slow disturbances of the loop, the mains and the surroundings
outputs: speed, flow, discharge pressure, current, electrical power, vibration velocity rms, the two temperatures
faults:  bearing-wear, cavitation; severity 0..1 each

All but heat settles within a fraction of a second and is solved as a steady state; heat is first order, stepped exactly.

References: Gülich, Centrifugal Pumps, 4th ed. 2020 (curves 4.4, similarity 3.3, cavitation 6.2);
Fitzgerald, Electric Machinery, 7th ed. 2014, ch. 6 (induction motor); SKF, Rolling bearings 17000 EN, 2018 (friction);
ISO 20816-1 and ISO 10816-7 (vibration of pumps).
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.contracts.plant import Bearing
from edge.contracts.sample_batch import WaveformBlock
from simulator.bearings import BearingPart
from simulator.faults import BEARING_WEAR, CAVITATION, Fault
from simulator.schedule import OperatingRange
from simulator.sensors import SensorCharacter, Wander
from simulator.waveforms import RATE_HZ, Damage, Excitation, Rotor, VibrationState, vibrate

GRAVITY: Final = 9.81  # [m/s2]
ATMOSPHERE: Final = 1.013  # [bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpParameters:
    """A 7.5 kW, 4-pole, 400 V, 50 Hz motor (IE3 catalogue data) and a pump of 60 m3/h at 28 m beside it.

    Curves hold at `rated_speed`; m3/h and m as data sheets write them.
    """

    rated_speed: float = 1455.0  # [/min]
    synchronous_speed: float = 1500.0  # [/min] at 50 Hz
    rated_kw: float = 7.5
    voltage: float = 400.0  # [V] between lines at 50 Hz
    stator_ohm: float = 0.55  # [Ω] per phase
    magnetising_a: float = 9.0  # [A]
    core_w: float = 200.0  # [W] at 50 Hz
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
    # 6205, as on the demo's nameplate
    bearing: Bearing = field(default_factory=lambda: Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04))


OPERATING: Final = OperatingRange(ranges=((900.0, 1480.0), (0.55, 1.0)))
FAULTS: Final = (BEARING_WEAR, CAVITATION)
SENSORS: Final[dict[str, SensorCharacter]] = {
    "speed": SensorCharacter(low=0.0, high=3000.0, resolution=0.1, white=0.4, slow=0.2, bias=0.5),
    "flow": SensorCharacter(low=0.0, high=120.0, resolution=0.01, white=0.12, slow=0.08, slow_s=30.0, bias=0.2, lag_s=1.5),
    "pressure": SensorCharacter(low=-1.0, high=10.0, resolution=0.001, white=0.006, slow=0.003, bias=0.01, lag_s=0.2),
    "current": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.03, slow=0.01, bias=0.05),
    "power": SensorCharacter(low=0.0, high=15.0, resolution=0.001, white=0.012, slow=0.005, bias=0.02),
    "vibration": SensorCharacter(low=0.0, high=50.0, resolution=0.01, white=0.02, relative=0.03, slow=0.02, lag_s=1.0),
    "bearing_temperature": SensorCharacter(
        low=-50.0, high=200.0, resolution=0.1, white=0.03, slow=0.05, slow_s=120.0, bias=0.3, lag_s=20.0
    ),
    "fluid_temperature": SensorCharacter(
        low=-50.0, high=200.0, resolution=0.1, white=0.03, slow=0.03, slow_s=120.0, bias=0.3, lag_s=8.0
    ),
}


def pump_head(p: PumpParameters, flow: float, speed: float) -> float:
    """Head [m] at `flow` [m3/h] and `speed` [/min]: H = H₀·r² - a·Q², r = n/n_rated (Gülich 3.3: Q ~ n, H ~ n²)."""
    return p.shutoff_head * (speed / p.rated_speed) ** 2 - p.head_drop * flow**2


def system_loss(p: PumpParameters, valve: float) -> float:
    """Loss coefficient of the closed loop [m/(m3/h)2]: H = k·Q², no static head.

    The valve is linear, Kv = Kvs·x, and loses Δp = (Q/Kv)² [bar] (IEC 60534-2-1); 1 bar is 10.2 m of water.
    """
    return p.pipe_loss + 10.2 / (p.valve_kvs * valve) ** 2


def operating_flow(p: PumpParameters, speed: float, loss: float, head_kept: float = 1.0) -> float:
    """Flow [m3/h] where the pump curve, times `head_kept`, meets the loop: Q = r·√(c·H₀ / (k + c·a))."""
    return speed / p.rated_speed * math.sqrt(head_kept * p.shutoff_head / (loss + head_kept * p.head_drop))


def efficiency(p: PumpParameters, flow: float, speed: float) -> float:
    """Hydraulic efficiency: a parabola through zero and the best point, η = η*·φ·(2 - φ), φ = Q/(r·Q*) (Gülich 3.9)."""
    phi = flow / (speed / p.rated_speed * p.best_flow)
    return max(p.best_efficiency * phi * (2.0 - phi), 0.05)


def hydraulic_power(flow: float, head: float, density: float) -> float:
    """P = ρ·g·Q·H [W]."""
    return density * GRAVITY * flow / 3600.0 * head


def density(celsius: float) -> float:
    """Density of water [kg/m3], 0–100 °C, within 0.1 % (fit to IAPWS-IF97)."""
    return 1001.3 - 0.155 * celsius - 0.002658 * celsius**2


def vapour_pressure(celsius: float) -> float:
    """Vapour pressure of water [bar], Antoine equation for 1–100 °C (NIST Webbook, Stull 1947 in mmHg)."""
    return float(10.0 ** (8.07131 - 1730.63 / (233.426 + celsius)) / 750.062)


def npsh_required(p: PumpParameters, flow: float, speed: float) -> float:
    """NPSH3 [m]: the suction head at which 3 % of the head is lost; ~ n² at similar points (Gülich 6.2.4)."""
    r = speed / p.rated_speed
    return r**2 * (p.npsh_shutoff + (p.npsh_best - p.npsh_shutoff) * (flow / (r * p.best_flow)) ** 2)


def head_lost(npsh_ratio: float) -> float:
    """Share of the head lost to vapour at NPSHa/NPSH3: 3 % at 1 by definition, steep below, at most a third."""
    return min(0.03 * math.exp((1.0 - npsh_ratio) / 0.35), 0.33)


def cavitation_noise(npsh_ratio: float) -> float:
    """Intensity (0..1) of the noise of collapsing bubbles: it begins far above the head drop (Gülich 6.5: 2–4 × NPSH3)."""
    return float(1.0 / (1.0 + (npsh_ratio / 1.1) ** 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorPoint:
    """One steady state of the motor: shaft speed [/min] and torque [N·m], line current [A], electrical power [W]."""

    speed: float
    torque: float
    current: float
    power: float


def motor_point(p: PumpParameters, synchronous: float, torque: float, voltage_share: float = 1.0) -> MotorPoint:
    """The motor at constant flux (U ~ f) and small slip.

    slip:    Δn = Δn_rated·T/T_rated, the straight part of the torque curve
    power:   P = T·ω_sync + 3·R·I² + P_core·(f/50)^1.5: shaft, rotor (T·ω_slip) and stator losses
    current: I = √(I_active² + I_magnetising²), I_active = P/(√3·U)
    """
    share = synchronous / p.synchronous_speed
    rated_torque = p.rated_kw * 1e3 / (p.rated_speed * math.pi / 30.0)
    slip = (p.synchronous_speed - p.rated_speed) * torque / rated_torque / voltage_share**2
    line_voltage = p.voltage * share * voltage_share
    magnetising = p.magnetising_a * voltage_share
    air_gap = torque * synchronous * math.pi / 30.0
    active = air_gap / (math.sqrt(3.0) * line_voltage)
    power = air_gap
    for _ in range(2):  # copper losses need the current, and the current the power; contracts by 0.1 each time
        copper = 3.0 * p.stator_ohm * (active**2 + magnetising**2)
        power = air_gap + copper + p.core_w * share**1.5
        active = power / (math.sqrt(3.0) * line_voltage)
    return MotorPoint(speed=synchronous - slip, torque=torque, current=math.hypot(active, magnetising), power=power)


class Pump:
    """The pump of one asset, stepped through machine time. The same `rng` gives the same life.

    Attributes after a step, beside the returned outputs: `shaft_w`, `hydraulic_w` [W], `npsh_ratio`, and `excitation`,
    what the vibration consists of.
    """

    faults: tuple[Fault, ...] = FAULTS
    sensors = SENSORS
    operating = OPERATING

    def __init__(self, rng: np.random.Generator, parameters: PumpParameters | None = None) -> None:
        self.parameters = parameters or PumpParameters()
        self._rng = rng
        starts = rng.standard_normal(5).tolist()
        # loop resistance, mains voltage, ambient [K], the vibration of a worn bearing, the pulsing of cavitation
        self._loop = Wander(0.01, 12.0, starts[0])
        self._mains = Wander(0.006, 200.0, starts[1])
        self._ambient = Wander(1.0, 7200.0, starts[2])
        self._rattle = Wander(0.08, 6.0, starts[3])
        self._pulsing = Wander(1.0, 2.5, starts[4])
        self._speed = self.parameters.rated_speed
        self._bearing_c: float | None = None
        self._fluid_c = self.parameters.ambient_c + 25.0
        self.shaft_w = self.hydraulic_w = 0.0
        self.npsh_ratio = math.inf
        p = self.parameters
        self.rotor = Rotor(bearing=p.bearing, rated_speed=p.rated_speed, vanes=p.vanes)
        self.excitation = Excitation(speed=0.0, background=p.background)

    def step(self, dt_s: float, setpoints: tuple[float, ...], level: dict[str, float]) -> dict[str, float]:
        """True values by signal, `dt_s` after the last step.

        `setpoints` are (synchronous speed [/min], valve opening); `level` gives the severity (0..1) of each fault.
        """
        p, (synchronous, valve) = self.parameters, setpoints
        wear, starved = level[BEARING_WEAR.id], level[CAVITATION.id]
        xi = self._rng.standard_normal(6).tolist()
        loss = system_loss(p, valve) * (1.0 + self._loop.step(dt_s, xi[0])) + p.suction_loss
        voltage = 1.0 + self._mains.step(dt_s, xi[1])
        ambient = p.ambient_c + self._ambient.step(dt_s, xi[2])
        rattle, pulsing = self._rattle.step(dt_s, xi[3]), self._pulsing.step(dt_s, xi[4])
        rho = density(self._fluid_c)
        # a loop that has lost its pressure: the worst case lies just above the vapour pressure at every speed
        loop_pressure = p.loop_pressure - 1.33 * starved
        friction = p.bearing_torque * (1.0 + 3.5 * wear)

        speed = self._speed
        flow = operating_flow(p, speed, loss)
        for _ in range(3):  # slip is a few per cent, so this contracts by some 0.06 each time
            lost = self._head_lost(flow, speed, loop_pressure, rho, pulsing)
            flow = operating_flow(p, speed, loss, 1.0 - lost)
            head = pump_head(p, flow, speed) * (1.0 - lost)
            self.hydraulic_w = hydraulic_power(flow, head, rho)
            self.shaft_w = self.hydraulic_w / (efficiency(p, flow, speed) * (1.0 - 0.4 * lost))
            torque = self.shaft_w / (speed * math.pi / 30.0) + friction
            motor = motor_point(p, synchronous, torque, voltage)
            speed = motor.speed
        self._speed = speed

        friction_w = friction * speed * math.pi / 30.0
        return {
            "speed": speed,
            "flow": flow,
            "pressure": loop_pressure + rho * GRAVITY * (head - p.suction_loss * flow**2) / 1e5,
            "current": motor.current,
            "power": motor.power / 1e3,
            "vibration": self._vibration(speed, flow, wear, rattle, abs(xi[5])),
            "bearing_temperature": self._heat_bearing(dt_s, friction_w, ambient),
            "fluid_temperature": self._heat_fluid(dt_s, ambient),
        }

    def waveform(self, state: VibrationState, *, signal: int, time: int) -> tuple[WaveformBlock, VibrationState]:
        """The next block of acceleration [m/s2] on the bearing housing, as the pump runs since its last step.

        `signal` is its index in the signal table, `time` that of its first point [ns UTC]; begin with `waveforms.at_rest`,
        and hand in the state that comes out. Its randomness is the state's, so it changes no other signal. Where time
        has passed since the last block, `waveforms.after_gap` comes between.
        """
        points, state = vibrate(self.rotor, self.excitation, state)
        return WaveformBlock(signal=signal, time=time, rate_hz=RATE_HZ, points=points), state

    def renew(self) -> None:
        """What a repair changes beside the faults: the new bearing has none of the worn one's heat."""
        self._bearing_c = None

    def _head_lost(self, flow: float, speed: float, loop_pressure: float, rho: float, pulsing: float) -> float:
        """The share of the head that is lost to cavitation. The cavity sheds in pulses, and the loss swings with it."""
        absolute = (ATMOSPHERE + loop_pressure - vapour_pressure(self._fluid_c)) * 1e5
        available = max(absolute / (rho * GRAVITY) - self.parameters.suction_loss * flow**2, 0.2)
        self.npsh_ratio = available / npsh_required(self.parameters, flow, speed)
        return min(head_lost(self.npsh_ratio) * max(1.0 + 0.25 * pulsing, 0.0), 0.45)

    def _vibration(self, speed: float, flow: float, wear: float, rattle: float, burst: float) -> float:
        """Velocity rms [mm/s]: independent sources add as squares.

        unbalance v = e·ω on a soft support; hydraulic forces ~ n², more off the best flow (ISO 10816-7, annex);
        a worn bearing ~ n·wear; cavitation as bursts. Fully worn it is 14 mm/s at rated speed: zone D.
        """
        p = self.parameters
        r = speed / p.rated_speed
        off_best = flow / (r * p.best_flow) - 1.0
        unbalance = p.unbalance * r
        hydraulic = p.hydraulic * r**2 * (1.0 + 4.0 * off_best**2)
        bearing = 14.0 * wear * r * (1.0 + rattle)
        bubbles = cavitation_noise(self.npsh_ratio) * r * (2.2 + 1.6 * burst)
        spall = Damage(severity=wear, velocity=abs(bearing))
        self.excitation = Excitation(
            speed=speed,
            unbalance=unbalance,
            hydraulic=hydraulic,
            cavitation=bubbles,
            background=p.background,
            damage={BearingPart.OUTER: spall},
        )
        return math.sqrt(unbalance**2 + hydraulic**2 + bearing**2 + bubbles**2 + p.background**2)

    def _heat_bearing(self, dt_s: float, friction_w: float, ambient: float) -> float:
        """C·dT/dt = P_friction - (T - T_ambient)/R, exact for constant power over the step."""
        p = self.parameters
        steady = ambient + p.bearing_k_per_w * friction_w
        if self._bearing_c is None:  # a machine that has run for hours already
            self._bearing_c = steady
        self._bearing_c += (steady - self._bearing_c) * -math.expm1(-dt_s / (p.bearing_k_per_w * p.bearing_j_per_k))
        return self._bearing_c

    def _heat_fluid(self, dt_s: float, ambient: float) -> float:
        """C·dT/dt = P_process + P_shaft - G·(T - T_ambient): all shaft power ends as heat in the loop."""
        p = self.parameters
        steady = ambient + (p.process_w + self.shaft_w) / p.loop_w_per_k
        self._fluid_c += (steady - self._fluid_c) * -math.expm1(-dt_s * p.loop_w_per_k / p.loop_j_per_k)
        return self._fluid_c
