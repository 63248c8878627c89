"""What sensors make of the truth: lag, bias, noise, drift, steps, saturation, dropout, stuck values; many at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulator.randomness import Draws, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorCharacter:
    """The character of one sensor, in its signal's unit.

    low, high:    measuring range; what lies beyond is cut off: saturation
    resolution:   step of the digitised value
    white:        standard deviation of the noise from sample to sample
    slow:         standard deviation of the wandering, with the time constant `slow_s` [s]
    relative:     standard deviation of noise in proportion to the value, as averaging meters of noise have it
    bias:         standard deviation, over sensors, of the constant error each one has for life
    drift_per_h:  standard deviation, over sensors, of the error that each one gains per hour
    lag_s:        time constant of the first-order lag [s]
    dropout:      share of samples that do not come (0..1)
    """

    low: float
    high: float
    resolution: float
    white: float = 0.0
    slow: float = 0.0
    slow_s: float = 60.0
    relative: float = 0.0
    bias: float = 0.0
    drift_per_h: float = 0.0
    lag_s: float = 0.0
    dropout: float = 0.0


class SensorFaultKind(StrEnum):
    """What can be wrong with a sensor. `amount` is in the signal's unit."""

    STUCK = "stuck"  # the last value for ever
    DRIFT = "drift"  # `amount` more each hour
    BIAS = "bias"  # `amount` more
    NOISE = "noise"  # white noise of the standard deviation `amount`
    DROPOUT = "dropout"  # no samples
    BAD = "bad"  # samples whose status is bad: the sensor knows that it does not know


@dataclass(slots=True, kw_only=True)
class _SensorFault:
    kind: SensorFaultKind
    amount: float
    age_s: float = 0.0
    held: float = math.nan


class SensorArray:
    """All sensors of n machines: truths in, readings out, both (n_sensors, n). The same seed gives the same readings.

    A NaN reading is no sample; where `bad` (n_sensors, n) is set, the sample came with a bad status.
    """

    def __init__(self, characters: Mapping[str, SensorCharacter], draws: Draws) -> None:
        self.names = tuple(characters)
        each = list(characters.values())

        def column(name: str) -> Floats:
            return np.array([[getattr(character, name)] for character in each], np.float64)

        n, k = draws.n, len(each)
        bias, drift = draws.traits(2 * k).reshape(2, k, n)
        start = draws.starts(k)
        self._bias, self._drift_per_h = column("bias") * bias, column("drift_per_h") * drift
        self._low, self._high = column("low"), column("high")
        self._steps = np.where(column("resolution") < 1.0, np.rint(1.0 / column("resolution")), 1.0 / column("resolution"))
        self._white, self._relative, self._slow = column("white"), column("relative"), column("slow")
        self._slow_s, self._lag_s = column("slow_s"), column("lag_s")
        self._wander = self._slow * start
        self._noise = draws.normals(2 * k)
        self._dropout = column("dropout")
        self._luck = draws.uniforms(k) if self._dropout.any() else None
        self._lagged: Floats | None = None
        self._age_h = 0.0
        self._shares: dict[float, tuple[Floats, Floats, Floats]] = {}
        self._faults: dict[tuple[int, int], _SensorFault] = {}
        self._readings: Floats = np.full((k, n), np.nan)
        self.bad: NDArray[np.bool_] = np.zeros((k, n), np.bool_)

    def fail(self, machine: int, signal: str, kind: SensorFaultKind, amount: float) -> None:
        """Let one sensor fail."""
        row = self.names.index(signal)
        self._faults[row, machine] = _SensorFault(kind=kind, amount=amount, held=float(self._readings[row, machine]))

    def replace(self, machine: int) -> None:
        """New sensors for one machine."""
        self._faults = {place: fault for place, fault in self._faults.items() if place[1] != machine}
        self.bad[:, machine] = False

    def measure(self, truth: Floats, dt_s: float) -> Floats:
        """The readings (n_sensors, n), `dt_s` after the last ones."""
        if dt_s not in self._shares:
            kept = np.exp(-dt_s / self._slow_s)
            with np.errstate(divide="ignore"):
                lag = np.where(self._lag_s > 0.0, -np.expm1(-dt_s / self._lag_s), 1.0)
            self._shares[dt_s] = lag, kept, self._slow * np.sqrt(1.0 - kept**2)
        lag, kept, fresh = self._shares[dt_s]
        white, slow = self._noise.next().reshape(2, *truth.shape)
        self._age_h += dt_s / 3600.0
        self._lagged = truth.copy() if self._lagged is None else self._lagged + (truth - self._lagged) * lag
        self._wander = self._wander * kept + fresh * slow
        noise = np.hypot(self._white, self._relative * self._lagged) * white + self._wander
        readings = self._lagged + self._bias + self._drift_per_h * self._age_h + noise
        if self._luck is not None:
            readings = np.where(self._luck.next() < self._dropout, np.nan, readings)
        if self._faults:
            self._spoil(readings, white, dt_s)
        # decimal steps as a display shows them: dividing by 100 gives the double nearest to the decimal number
        self._readings = np.rint(np.clip(readings, self._low, self._high) * self._steps) / self._steps
        return self._readings

    def _spoil(self, readings: Floats, white: Floats, dt_s: float) -> None:
        self.bad[:] = False
        for (row, machine), fault in self._faults.items():
            fault.age_s += dt_s
            match fault.kind:
                case SensorFaultKind.STUCK:
                    readings[row, machine] = fault.held
                case SensorFaultKind.DRIFT:
                    readings[row, machine] += fault.amount * fault.age_s / 3600.0
                case SensorFaultKind.BIAS:
                    readings[row, machine] += fault.amount
                case SensorFaultKind.NOISE:
                    readings[row, machine] += fault.amount * white[row, machine]
                case SensorFaultKind.DROPOUT:
                    readings[row, machine] = np.nan
                case SensorFaultKind.BAD:
                    self.bad[row, machine] = True
