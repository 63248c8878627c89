"""Jobs in short series: which recipe a machine works on, how many parts are left, and the changeovers between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.randomness import Draws, Floats

# the texts of every machine's `state` signal, by code
STATES: Final = ("off", "idle", "changeover", "running", "fault")
OFF, IDLE, CHANGEOVER, RUNNING, FAULT = range(len(STATES))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRule:
    """How jobs follow each other.

    quantity:     (fewest, most) parts of a job
    changeover_s: (shortest, longest) time between two jobs [s]
    weights:      how often each recipe is taken; 0: only when asked for
    since_s:      machine time from which on each recipe exists: new products come now and then [s]
    """

    quantity: tuple[int, int]
    changeover_s: tuple[float, float]
    weights: tuple[float, ...]
    since_s: tuple[float, ...]


class Jobs:
    """The jobs of n machines. All begin in the middle of one.

    recipe: (n,) int, its number; state: (n,) int, `RUNNING` or `CHANGEOVER`; left: (n,) int, parts left; job: (n,) int, counts
    """

    def __init__(self, rule: JobRule, draws: Draws) -> None:
        self._rule, self._generators = rule, draws.generators()
        n = draws.n
        self.recipe = np.zeros(n, np.int64)
        self.left = np.zeros(n, np.int64)
        self.job = np.ones(n, np.int64)
        self.state = np.full(n, RUNNING, np.int64)
        self._until_s = np.zeros(n)
        self._asked: list[int | None] = [None] * n
        self.time_s = draws.start_s.copy()
        for machine in range(n):
            self._take(machine)

    def ask(self, machine: int, recipe: int) -> None:
        """Let `recipe` be the next job of `machine`; the running one ends with the part in work."""
        self._asked[machine] = recipe

    def step(self, dt_s: float, done: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`dt_s` later; `done` (n,) says whose part has just been finished. Returns who begins a new job now (n,)."""
        self.time_s += dt_s
        self.left -= done
        begins = np.zeros(len(done), np.bool_)
        asked = np.array([recipe is not None for recipe in self._asked])
        ended = (self.state == RUNNING) & done & ((self.left <= 0) | asked)
        for machine in np.flatnonzero(ended):
            self.state[machine] = CHANGEOVER
            self._until_s[machine] = self.time_s[machine] + self._generators[machine].uniform(*self._rule.changeover_s)
        over = (self.state == CHANGEOVER) & (self.time_s >= self._until_s) & ~ended
        for machine in np.flatnonzero(over):
            self._take(int(machine))
            self.job[machine] += 1
            self.state[machine] = RUNNING
        begins[over] = True
        return begins

    def _take(self, machine: int) -> None:
        generator, rule = self._generators[machine], self._rule
        weights: Floats = np.where(np.array(rule.since_s) <= self.time_s[machine], rule.weights, 0.0)
        drawn = int(generator.choice(len(weights), p=weights / weights.sum()))
        asked = self._asked[machine]
        self.recipe[machine] = drawn if asked is None else asked
        self._asked[machine] = None
        self.left[machine] = int(generator.integers(rule.quantity[0], rule.quantity[1] + 1))


def number_of(recipes: Sequence[str], recipe: str) -> int | None:
    """The number of a recipe by its name; None where there is none."""
    return list(recipes).index(recipe) if recipe in recipes else None
