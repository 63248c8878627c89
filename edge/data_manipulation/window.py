"""The newest grid values of a group as one contiguous view per instant."""

from typing import Self

import numpy as np
from numpy.typing import NDArray


class Window:
    """A ring that is written twice, so that every window is one view without a copy.

    (n_assets, n_samples, n_signals) float32, oldest first, NaN where missing. `filled` (n_assets,) counts the
    instants since an asset's window was last begun anew: below n_samples it is warming up.
    """

    def __init__(self, n_assets: int, n_samples: int, n_signals: int) -> None:
        self.n_samples = n_samples
        self.filled = np.zeros(n_assets, np.int64)
        self._ring = np.full((n_assets, 2 * n_samples, n_signals), np.nan, np.float32)
        self._position = n_samples - 1

    def resized(self, n_samples: int) -> Self:
        """A window of another length with what this one holds of it."""
        n_assets, _, n_signals = self._ring.shape
        other = type(self)(n_assets, n_samples, n_signals)
        kept = min(n_samples, self.n_samples)
        window = other.view.copy()
        window[:, n_samples - kept :] = self.view[:, self.n_samples - kept :]
        other.restore({"window": window, "filled": np.minimum(self.filled, self.n_samples)})
        return other

    def append(self, value: NDArray[np.float64]) -> None:
        """Add one instant's values (n_assets, n_signals)."""
        self._position = (self._position + 1) % self.n_samples
        self._ring[:, self._position] = value
        self._ring[:, self._position + self.n_samples] = value
        self.filled += 1

    def restart(self, assets: NDArray[np.bool_]) -> None:
        """Begin the windows of these assets anew, with nothing in them."""
        if np.count_nonzero(assets):
            self._ring[assets] = np.nan
            self.filled[assets] = 0

    @property
    def view(self) -> NDArray[np.float32]:
        """(n_assets, n_samples, n_signals), the newest instant last; valid until the next `append`."""
        return self._ring[:, self._position + 1 : self._position + 1 + self.n_samples]

    def newest(self, n_samples: int) -> NDArray[np.float32]:
        """The newest `n_samples` of the view, a view as well."""
        return self.view[:, self.n_samples - n_samples :]

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"window": self.view.copy(), "filled": self.filled}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._ring[:, : self.n_samples] = state["window"]
        self._ring[:, self.n_samples :] = state["window"]
        self._position = self.n_samples - 1
        self.filled[:] = state["filled"]
