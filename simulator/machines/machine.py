"""What every machine offers. One object is n machines of a class, stepped together: each quantity is an array (n,).

A machine drives itself (set points, jobs, controllers), and settles within a step what is faster than the step.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.faults import Fault
from simulator.randomness import Floats
from simulator.sensors import SensorCharacter
from simulator.waveforms import Excitation, Rotor


class Machine(Protocol):
    """n machines of one class.

    faults:   what can go wrong
    sensors:  the numeric signals, with the character of each one's sensor
    counters: those of them that only grow: energy, parts
    texts:    the text signals, with the texts that their codes index: `recipe`, `state`
    warmer:   by how much it is warmer around each than usual (n,) [K]; who steps them may set it before
    """

    @property
    def faults(self) -> tuple[Fault, ...]: ...
    @property
    def sensors(self) -> Mapping[str, SensorCharacter]: ...
    @property
    def counters(self) -> tuple[str, ...]: ...
    @property
    def texts(self) -> Mapping[str, tuple[str, ...]]: ...

    warmer: Floats

    def step(self, dt_s: float, level: Mapping[str, Floats]) -> dict[str, Floats]:
        """True values (n,) by signal after `dt_s`, text signals as codes; `level` gives the severity (0..1) of each fault."""
        ...

    def renew(self, which: NDArray[np.bool_]) -> None:
        """Put in new parts where worn ones had left a trace (n,): what a repair does beside ending the faults."""
        ...

    def start_job(self, machine: int, recipe: int) -> None:
        """Let the recipe of this number be the next one."""
        ...


class RotatingMachine(Machine, Protocol):
    """A machine that an accelerometer can listen to."""

    def rotor(self, machine: int) -> Rotor: ...

    def excitation(self, machine: int) -> Excitation:
        """What shakes it, as it runs since its last step."""
        ...
