"""Machines of one kind, stepped side by side: one of many costs little more than one, and lives as it would alone."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from simulator.randomness import Floats


class Machine(Protocol):
    def step(self, dt_s: float, level: Mapping[str, Floats]) -> Mapping[str, Floats]: ...


def lives(machine: Machine, levels: Sequence[Mapping[str, float]], steps: int, dt_s: float) -> list[dict[str, Floats]]:
    """By machine all values (steps,), each with its own severities by fault."""
    level = {name: np.array([each[name] for each in levels]) for name in levels[0]}
    rows = [{name: np.array(value) for name, value in machine.step(dt_s, level).items()} for _ in range(steps)]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return [{name: value[:, number] for name, value in values.items()} for number in range(len(levels))]
