"""A small deviation that lasts: the exponentially weighted mean of the score, held against its own limit.

The limit of a single score lies above all that healthy windows gave, in the worst of their moments. What moves a machine less
than that, but for hours, lifts the mean of its score far above every mean that it had while healthy:

    m ← m + (s - m) / n        of the scores s below 1, over n instants: one slow mean, and a quick one
    sustained score = the smaller one of m / limit of the two

The quick one ends it soon after a repair. Scores of 1 or more speak for themselves, and would keep the mean up for hours
after what they told is over. A sustained score of 1 or more takes the place of a smaller one.

Source: S. W. Roberts: Control chart tests based on geometric moving averages. Technometrics 1(3), 1959.
"""

import numpy as np
from numpy.typing import NDArray

from edge.contracts.model_spec import SustainedLimit


class SustainedScore:
    """The two means of each asset of a group."""

    def __init__(self, n_assets: int, limit: SustainedLimit) -> None:
        self._limit = np.array([limit.limit, limit.quick_limit])
        self._weight = 1.0 / np.array([limit.instants, limit.quick_instants])
        self._mean = np.zeros((n_assets, 2))

    def update(self, score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n_assets,) of one instant, raised to the sustained ones where these are 1 or more; NaN stays NaN."""
        small = (score < 1.0)[:, None]
        self._mean += np.where(small, self._weight * (score[:, None] - self._mean), 0.0)
        sustained = (self._mean / self._limit).min(axis=1).astype(np.float32)
        return np.where(sustained >= 1.0, np.maximum(score, sustained), score)

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"sustained": self._mean}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._mean[:] = state["sustained"]
