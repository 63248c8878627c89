"""The machines that can be simulated, by the class that the plant file gives an asset."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import numpy as np

from simulator.faults import Fault
from simulator.machines.pump import Pump
from simulator.schedule import OperatingRange
from simulator.sensors import SensorCharacter


class Machine(Protocol):
    """What every machine offers: its faults, its sensors, how it is driven, and a step through machine time."""

    @property
    def faults(self) -> tuple[Fault, ...]: ...
    @property
    def sensors(self) -> Mapping[str, SensorCharacter]: ...
    @property
    def operating(self) -> OperatingRange: ...

    def step(self, dt_s: float, setpoints: tuple[float, ...], level: dict[str, float]) -> dict[str, float]:
        """True values by signal after `dt_s`; `level` gives the severity (0..1) of each fault."""
        ...

    def renew(self) -> None:
        """Put in new parts where worn ones had left a trace: what a repair does beside ending the faults."""
        ...


MACHINES: Final[Mapping[str, Callable[[np.random.Generator], Machine]]] = {"pump": Pump}
