"""When the condition of an alarm rule begins and ends: on-delay, off-delay and hysteresis, for all assets at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.advisory_generation.rules import RuleTable

_NOT: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Change:
    """The condition of rule `rule` at asset `asset` (both indices) has begun, or ended."""

    asset: int
    rule: int
    begun: bool


class Conditions:
    """The conditions of one group; (n_assets, n_rules) throughout."""

    def __init__(self, table: RuleTable) -> None:
        self._table = table
        self._holds = np.zeros(table.limit.shape, np.bool_)
        self._above_since = np.full(table.limit.shape, _NOT, np.int64)
        self._below_since = np.full(table.limit.shape, _NOT, np.int64)

    def update(self, time: int, level: NDArray[np.float64], confirmed: NDArray[np.bool_]) -> list[Change]:
        """Take the levels of one instant; NaN (withheld, missing) neither begins nor ends anything.

        confirmed: (n_assets,) the anomaly has lasted for the model's persistence.
        """
        table = self._table
        above = level >= table.limit
        above[:, 0] &= confirmed
        below = level < table.returned
        self._above_since = np.where(above, np.minimum(self._above_since, time), _NOT)
        self._below_since = np.where(below, np.minimum(self._below_since, time), _NOT)
        # differences of int64 would overflow with _NOT: compare against the moment that is early enough
        begins = ~self._holds & (self._above_since <= time - table.on_delay)
        ends = self._holds & (self._below_since <= time - table.off_delay)
        self._holds ^= begins | ends
        return [
            Change(int(asset), int(rule), begun)
            for changed, begun in ((begins, True), (ends, False))
            for asset, rule in zip(*np.nonzero(changed), strict=True)
        ]

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"holds": self._holds, "above_since": self._above_since, "below_since": self._below_since}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._holds[:], self._above_since[:], self._below_since[:] = (
            state["holds"],
            state["above_since"],
            state["below_since"],
        )
