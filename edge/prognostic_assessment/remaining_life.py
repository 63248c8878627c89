"""Remaining useful life as the contract has it."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import RemainingLife


def remaining_life(quantiles: NDArray[np.float32]) -> RemainingLife | None:
    """(3,) p10, p50, p90 [h] as a contract; None where they are no rising numbers ≥ 0: never guessed."""
    if not np.isfinite(quantiles).all() or quantiles[0] < 0 or (np.diff(quantiles) < 0).any():
        return None
    p10, p50, p90 = quantiles
    return RemainingLife(p10=p10, p50=p50, p90=p90)
