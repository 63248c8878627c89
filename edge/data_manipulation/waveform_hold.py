"""The newest block of each fast signal that a model takes, as one array for all assets of a group."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.sample_batch import WaveformBlock
from edge.data_manipulation.grid import NEVER

# a block is used for so many of its intervals; then the signal is stale
INTERVALS: Final = 3


class WaveformHold:
    """Blocks of one fast signal. A block counts from the instant at which its last point was taken.

    rows: index of the waveform in the plant → row of the asset; every_s: (n_assets,) between two blocks
    """

    def __init__(self, rows: dict[int, int], n_points: int, every_s: NDArray[np.float64]) -> None:
        self._rows = rows
        self._oldest_ns = (INTERVALS * every_s * 1e9).astype(np.int64)
        self._points = np.zeros((len(every_s), n_points), np.float32)
        self._taken = np.full(len(every_s), NEVER, np.int64)
        self._waiting: list[tuple[int, int, NDArray[np.float32]]] = []

    def feed(self, block: WaveformBlock) -> None:
        row = self._rows.get(block.signal)
        if row is not None and len(block.points) == self._points.shape[1]:
            self._waiting.append((block.time + round(len(block.points) / block.rate_hz * 1e9), row, block.points))

    def advance(self, time: int) -> None:
        """Take in what was complete at this instant [ns UTC]; what comes late counts from the next one on."""
        if not self._waiting:
            return
        later = []
        for waiting in self._waiting:
            taken, row, points = waiting
            if taken > time:
                later.append(waiting)
            elif taken >= self._taken[row]:
                self._points[row], self._taken[row] = points, taken
        self._waiting = later

    @property
    def points(self) -> NDArray[np.float32]:
        """(n_assets, n_points); zeros where there never was a block."""
        return self._points

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(n_assets,) which assets have not sent a block yet."""
        return np.asarray(self._taken == NEVER)

    def stale(self, time: int) -> NDArray[np.bool_]:
        """(n_assets,) whose newest block is too old at this instant [ns UTC]."""
        return (self._taken > NEVER) & (self._taken < time - self._oldest_ns)

    def rewind(self) -> None:
        self._waiting.clear()
        self._taken[:] = NEVER
