"""What a sensor makes of the truth: lag, bias, white and slow noise, quantisation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorCharacter:
    """The character of one sensor, in its signal's unit.

    low, high:    measuring range; what lies beyond is cut off
    resolution:   step of the digitised value
    white:        standard deviation of the noise from sample to sample
    slow:         standard deviation of the wandering, with the time constant `slow_s` [s]
    relative:     standard deviation of noise in proportion to the value, as averaging meters of noise have it
    bias:         standard deviation, over sensors, of the constant error each one has for life
    lag_s:        time constant of the first-order lag [s]
    """

    low: float
    high: float
    resolution: float
    white: float = 0.0
    slow: float = 0.0
    slow_s: float = 60.0
    relative: float = 0.0
    bias: float = 0.0
    lag_s: float = 0.0


class Wander:
    """Ornstein–Uhlenbeck noise: standard deviation `sd`, time constant `tau_s`; exact for any step.

    x(t+dt) = x(t)·e^(-dt/τ) + σ·√(1 - e^(-2dt/τ))·ξ  (Gillespie, Physical Review E 54, 1996)
    """

    def __init__(self, sd: float, tau_s: float, start: float) -> None:
        self.sd, self.tau_s = sd, tau_s
        self.value = sd * start

    def step(self, dt_s: float, xi: float) -> float:
        """The next value after `dt_s`; `xi` is a standard normal number."""
        kept = math.exp(-dt_s / self.tau_s)
        self.value = self.value * kept + self.sd * math.sqrt(1.0 - kept * kept) * xi
        return self.value


class Sensor:
    """One sensor of one machine; `rng` gives its bias for life."""

    def __init__(self, character: SensorCharacter, rng: np.random.Generator) -> None:
        self._character = character
        bias, start = rng.standard_normal(2).tolist()
        self._bias = character.bias * bias
        self._wander = Wander(character.slow, character.slow_s, start)
        self._lagged: float | None = None

    def measure(self, truth: float, dt_s: float, white: float, slow: float) -> float:
        """The reading, `dt_s` after the last one; `white` and `slow` are standard normal numbers."""
        c = self._character
        if self._lagged is None or c.lag_s <= 0.0:
            self._lagged = truth
        else:
            self._lagged += (truth - self._lagged) * (1.0 - math.exp(-dt_s / c.lag_s))
        noise = math.hypot(c.white, c.relative * self._lagged) * white + self._wander.step(dt_s, slow)
        reading = min(max(self._lagged + self._bias + noise, c.low), c.high)
        # decimal steps as a display shows them, without the binary tail of the multiplication
        return float(round(round(reading / c.resolution) * c.resolution, 9))


class SensorSet:
    """All sensors of one machine: truths by signal in, readings by signal out. The same seed gives the same readings."""

    def __init__(self, characters: Mapping[str, SensorCharacter], rng: np.random.Generator) -> None:
        self._rng = rng
        self._sensors = {name: Sensor(character, rng) for name, character in characters.items()}

    def measure(self, truth: Mapping[str, float], dt_s: float) -> dict[str, float]:
        noise = iter(self._rng.standard_normal(2 * len(self._sensors)).tolist())
        return {name: sensor.measure(truth[name], dt_s, next(noise), next(noise)) for name, sensor in self._sensors.items()}
