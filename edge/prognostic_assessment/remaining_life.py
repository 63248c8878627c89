"""Remaining useful life as the contract has it."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import RemainingLife


def remaining_lives(quantiles: NDArray[np.float32]) -> list[RemainingLife | None]:
    """(n_assets, 3) p10, p50, p90 [h] as contracts; None where they are no rising numbers ≥ 0: never guessed.

    >>> remaining_lives(np.array([[1, 2, 3], [2, 1, 3], [np.nan, 2, 3]], np.float32))
    [RemainingLife(p10=1.0, p50=2.0, p90=3.0), None, None]
    """
    p10s, p50s, p90s = quantiles.T
    # NaN is nowhere between, and what is between numbers is one
    known = (p10s >= 0) & (p50s >= p10s) & (p90s >= p50s) & (p90s < np.inf)
    found: list[RemainingLife | None] = [None] * len(quantiles)
    for asset in np.flatnonzero(known).tolist():
        p10, p50, p90 = quantiles[asset].tolist()
        found[asset] = RemainingLife(p10=p10, p50=p50, p90=p90)
    return found
