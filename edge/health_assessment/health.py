"""Health from evidence over time.

The evidence is the score, 1.0 being the alarm limit. It is smoothed with the time constant tau,

    s ← s + (1 - exp(-period / tau)) · (min(score, cap) - s)        [-]

so that one bad instant is no bad health, and mapped to

    health = 1 / (1 + (s / 2)²)                                     [0..1], 0.8 at the alarm limit

Zones follow the sense of ISO 20816-1: A below two thirds of the limit, B up to the limit, C up to twice the limit,
D above. While scores are withheld health stays as it was.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import Zone

TAU_S: Final = 60.0
SCORE_CAP: Final = 10.0
# the smallest health of zones A, B and C: the smoothed score at 2/3, 1 and 2 times the limit
_ZONES: Final = tuple(Zone)
ZONE_LIMITS: Final = tuple(1 / (1 + (score / 2) ** 2) for score in (2 / 3, 1.0, 2.0))


class HealthTrend:
    """The smoothed score of each asset of a group; NaN until its first score."""

    def __init__(self, n_assets: int, period_s: float) -> None:
        self._weight = -math.expm1(-period_s / TAU_S)
        self._evidence = np.full(n_assets, np.nan)

    def update(self, score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the scores (n_assets,) of one instant, NaN where withheld; give health (n_assets,), NaN where unknown."""
        capped = np.minimum(score.astype(np.float64), SCORE_CAP)
        before = self._evidence
        after = np.where(np.isnan(before), capped, before + self._weight * (capped - before))
        np.copyto(self._evidence, after, where=np.isfinite(score))
        health: NDArray[np.float32] = (1 / (1 + (self._evidence / 2) ** 2)).astype(np.float32)
        return health

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"evidence": self._evidence}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._evidence[:] = state["evidence"]


def zones(health: NDArray[np.float32]) -> list[Zone | None]:
    """The zones of healths (n_assets,) 0..1; None where unknown.

    >>> [str(zone) for zone in zones(np.array([0.95, 0.85, 0.6, 0.1, np.nan], np.float32))]
    ['A', 'B', 'C', 'D', 'None']
    """
    best, good, poor = ZONE_LIMITS
    return [_ZONES[(h < best) + (h < good) + (h < poor)] if math.isfinite(h) else None for h in health.tolist()]
