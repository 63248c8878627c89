"""The three-phase induction motor that drives a machine, as a steady state: it settles within a tenth of a second.

Reference: Fitzgerald, Electric Machinery, 7th ed. 2014, ch. 6. Catalogue data of 4-pole IE3 motors, IEC 60034-30-1.
"""

import math
from dataclasses import dataclass

import numpy as np

from simulator.randomness import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Motor:
    """Nameplate and losses of one motor; the default is 7.5 kW, 4 poles, 400 V, 50 Hz, IE3."""

    rated_kw: float = 7.5
    rated_speed: float = 1455.0  # [/min]
    synchronous_speed: float = 1500.0  # [/min] at 50 Hz
    voltage: float = 400.0  # [V] between lines at 50 Hz
    stator_ohm: float = 0.55  # [Ω] per phase
    magnetising_a: float = 9.0  # [A]
    core_w: float = 200.0  # [W] at 50 Hz

    @property
    def rated_torque(self) -> float:
        """[N·m]"""
        return self.rated_kw * 1e3 / (self.rated_speed * math.pi / 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorPoint:
    """Steady states (n,): shaft speed [/min], line current [A], electrical power [W] and power factor (0..1)."""

    speed: Floats
    current: Floats
    power: Floats
    power_factor: Floats


def motor_point(motor: Motor, synchronous: Floats, torque: Floats, voltage_share: Floats | float = 1.0) -> MotorPoint:
    """The motor at constant flux (U ~ f) and small slip; `synchronous` [/min] is what the converter sets, `torque` [N·m].

    slip:    Δn = Δn_rated·T/T_rated, the straight part of the torque curve
    power:   P = T·ω_sync + 3·R·I² + P_core·(f/50)^1.5: shaft, rotor (T·ω_slip) and stator losses
    current: I = √(I_active² + I_magnetising²), I_active = P/(√3·U)
    """
    share = np.maximum(synchronous / motor.synchronous_speed, 1e-6)
    slip = (motor.synchronous_speed - motor.rated_speed) * torque / motor.rated_torque / np.square(voltage_share)
    line_voltage = motor.voltage * share * voltage_share
    magnetising = motor.magnetising_a * voltage_share * (synchronous > 0.0)
    air_gap = torque * synchronous * (math.pi / 30.0)
    active = air_gap / (math.sqrt(3.0) * line_voltage)
    power = air_gap
    for _ in range(2):  # copper losses need the current, and the current the power; contracts by 0.1 each time
        power = air_gap + 3.0 * motor.stator_ohm * (active**2 + magnetising**2) + motor.core_w * share**1.5
        active = power / (math.sqrt(3.0) * line_voltage)
    current = np.hypot(active, magnetising)
    power_factor = np.where(current > 0.0, active / np.maximum(current, 1e-9), 1.0)
    return MotorPoint(speed=np.maximum(synchronous - slip, 0.0), current=current, power=power, power_factor=power_factor)
