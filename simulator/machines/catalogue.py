"""The machines that can be simulated, by the class that the plant file gives an asset."""

from collections.abc import Callable, Mapping
from typing import Final

from simulator.machines.compressor import Compressor
from simulator.machines.furnace import Furnace
from simulator.machines.machine import Machine
from simulator.machines.pump import Pump
from simulator.machines.robot import Robot
from simulator.machines.spindle import Spindle
from simulator.randomness import Draws

MACHINES: Final[Mapping[str, Callable[[Draws], Machine]]] = {
    "pump": Pump,
    "spindle": Spindle,
    "compressor": Compressor,
    "robot": Robot,
    "furnace": Furnace,
}
