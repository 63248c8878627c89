"""Randomness for many machines at once, each with a stream of its own: its life does not depend on who lives beside it."""

import math
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# steps drawn ahead: calling a generator costs as much as a hundred numbers. The numbers do not depend on it.
AHEAD: Final = 64
# how far an individual may be from its kind, in standard deviations
FURTHEST: Final = 2.5


class Stream:
    """Numbers step by step, (k, n) each: `k` for each of `n` machines. Get one from `Draws`."""

    def __init__(self, generators: Sequence[np.random.Generator], k: int, *, normal: bool) -> None:
        self._generators, self._normal = generators, normal
        self._block = np.empty((AHEAD, k, len(generators)))
        self._position = AHEAD

    def next(self) -> Floats:
        """The numbers of the next step, (k, n)."""
        if self._position == AHEAD:
            shape = self._block.shape[:2]
            for machine, generator in enumerate(self._generators):
                self._block[:, :, machine] = generator.standard_normal(shape) if self._normal else generator.random(shape)
            self._position = 0
        self._position += 1
        return np.array(self._block[self._position - 1])


class Draws:
    """The randomness of one part (physics, sensors, …) of n machines; `seeds` has one tuple for each machine.

    What is asked for in the same order is the same for the same seed, whatever machines stand beside. `shifts` numbers
    the stretches of time when one machine's are simulated side by side: traits are the machine's, the rest the shift's;
    `start_s` says at which machine time each begins [s].

    >>> one, two = Draws([(1, 7)]), Draws([(1, 3), (1, 7)])
    >>> bool(one.normals(2).next()[0, 0] == two.normals(2).next()[0, 1])
    True
    """

    def __init__(
        self,
        seeds: Sequence[tuple[int, ...]],
        shifts: Sequence[int] | None = None,
        start_s: Sequence[float] | None = None,
    ) -> None:
        self._seeds = tuple(seeds)
        self.start_s: Floats = np.array(start_s if start_s is not None else [0.0] * len(self._seeds), np.float64)
        self._shifts = tuple(shifts) if shifts is not None else (0,) * len(self._seeds)
        self._given = 0

    @property
    def n(self) -> int:
        """How many machines there are."""
        return len(self._seeds)

    def normals(self, k: int) -> Stream:
        """A stream of standard normal numbers, (k, n) a step."""
        return Stream(self._generators(), k, normal=True)

    def uniforms(self, k: int) -> Stream:
        """A stream of numbers evenly spread over [0, 1), (k, n) a step."""
        return Stream(self._generators(), k, normal=False)

    def starts(self, k: int) -> Floats:
        """Standard normal numbers for states at the start, (k, n)."""
        return np.array([generator.standard_normal(k) for generator in self._generators()]).T

    def traits(self, k: int) -> Floats:
        """Standard normal numbers for what a machine is all its life, (k, n)."""
        self._given += 1
        return np.array([np.random.default_rng([*seed, self._given]).standard_normal(k) for seed in self._seeds]).T

    def spread(self, sd: float) -> Floats:
        """How individuals differ: 1 ± `sd`, (n,), cut off at 2.5 standard deviations, and never below a tenth."""
        return np.asarray(np.maximum(1.0 + sd * np.clip(self.traits(1)[0], -FURTHEST, FURTHEST), 0.1))

    def generators(self) -> list[np.random.Generator]:
        """One generator for each machine, for what happens too seldom to be drawn for all at once."""
        return self._generators()

    def _generators(self) -> list[np.random.Generator]:
        self._given += 1
        return [
            np.random.default_rng([*seed, self._given, shift]) for seed, shift in zip(self._seeds, self._shifts, strict=True)
        ]


def seed_of(seed: int, asset: str, *more: int) -> tuple[int, ...]:
    """The seed of one asset, from the seed of all."""
    return (seed, zlib.crc32(asset.encode()), *more)


class Wander:
    """Ornstein–Uhlenbeck noise: standard deviation `sd`, time constant `tau_s`; exact for any step.

    x(t+dt) = x(t)·e^(-dt/τ) + σ·√(1 - e^(-2dt/τ))·ξ  (Gillespie, Physical Review E 54, 1996)

    `start` is standard normal, (n,); so is `value`, in the unit of `sd`.
    """

    def __init__(self, sd: float, tau_s: float, start: Floats) -> None:
        self.sd, self.tau_s = sd, tau_s
        self.value = sd * start

    def step(self, dt_s: float, xi: Floats) -> Floats:
        """The next values (n,) after `dt_s`; `xi` (n,) is standard normal."""
        kept = math.exp(-dt_s / self.tau_s)
        self.value = self.value * kept + self.sd * math.sqrt(1.0 - kept * kept) * xi
        return self.value


def approach(value: Floats, steady: Floats, share: float | Floats) -> Floats:
    """A first-order state `share` = dt/τ later: x + (x∞ - x)·(1 - e^(-dt/τ)), exact while x∞ is constant over the step."""
    return np.asarray(value + (steady - value) * -np.expm1(-np.asarray(share)))
