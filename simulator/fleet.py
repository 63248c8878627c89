"""All machines of one class, with their faults and their sensors, stepped together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts.truth import TrueFault, Truth
from simulator.faults import FaultLevels
from simulator.machines.catalogue import MACHINES
from simulator.randomness import Draws, Floats, seed_of
from simulator.sensors import SensorArray
from simulator.weather import Weather


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One machine over one stretch of time: `shift` numbers the stretch, which begins at `start_s` [s]."""

    asset: str
    shift: int = 0
    start_s: float = 0.0


class Fleet:
    """The machines of class `machine_class`, one for each lane; lane and `seed` determine everything about it.

    time_s: (n,) machine time [s]; codes: the newest codes (n,) of each text signal
    """

    def __init__(self, machine_class: str, lanes: Sequence[Lane], seed: int) -> None:
        shifts, start_s = [lane.shift for lane in lanes], [lane.start_s for lane in lanes]

        def draws(part: int) -> Draws:
            # one stream of randomness per part, so that a further sensor does not change the physics
            return Draws([seed_of(seed, lane.asset, part) for lane in lanes], shifts, start_s)

        self.lanes = tuple(lanes)
        self.machine = MACHINES[machine_class](draws(0))
        self.sensors = SensorArray(self.machine.sensors, draws(1))
        self.faults = FaultLevels(self.machine.faults, len(lanes))
        self.weather = Weather(len(lanes))
        self.time_s: Floats = np.array([lane.start_s for lane in lanes], np.float64)
        self.codes: dict[str, Floats] = {}

    @property
    def n(self) -> int:
        return len(self.lanes)

    def step(self, dt_s: float) -> Floats:
        """The readings `dt_s` later, (n_sensors, n), in the order of the machine's sensors; NaN is no sample."""
        self.time_s += dt_s
        self.machine.warmer = self.weather.at(self.time_s)
        truth = self.machine.step(dt_s, self.faults.at(self.time_s))
        self.codes = {name: truth[name] for name in self.machine.texts}
        return self.sensors.measure(np.array([truth[name] for name in self.sensors.names]), dt_s)

    def bad(self, machine: int) -> NDArray[np.bool_]:
        """Which of the newest readings of one machine came with a bad status, (n_sensors,)."""
        return self.sensors.bad[:, machine]

    def repair(self, machine: int) -> None:
        """End all faults of one machine, put in new parts and new sensors."""
        self.faults.repair(machine)
        self.sensors.replace(machine)
        which = np.zeros(self.n, np.bool_)
        which[machine] = True
        self.machine.renew(which)

    def severity(self) -> Floats:
        """How far the worst fault of each machine has come, (n,), 0..1."""
        levels = self.faults.at(self.time_s)
        return np.max(list(levels.values()), axis=0) if levels else np.zeros(self.n)

    def truth(self, machine: int, time: int) -> Truth:
        """What is true of one machine now; `time` [ns UTC] is what its rows call now."""
        levels = {fault: float(level[machine]) for fault, level in self.faults.at(self.time_s).items()}
        faults = tuple(TrueFault(name=fault, severity=round(levels[fault], 6)) for fault in self.faults.active(machine))
        remaining_s = float(self.faults.remaining_s(self.time_s)[machine])
        return Truth(
            asset=self.lanes[machine].asset,
            time=time,
            health=round(1.0 - max(levels.values(), default=0.0), 6),
            faults=faults,
            rul_h=round(remaining_s / 3600.0, 6) if np.isfinite(remaining_s) else None,
        )
