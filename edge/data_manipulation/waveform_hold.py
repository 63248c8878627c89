"""The newest block of each fast signal, as one array for all assets of a group."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import WaveformBlock
from edge.data_manipulation.grid import NEVER

# a block is used for so many of its intervals; then the signal is stale
INTERVALS: Final = 3


class WaveformHold:
    """Blocks of one fast signal. A block counts from the instant at which its last point was taken.

    rows: index of the waveform in the plant → row of the asset; every_s, rate_hz: (n_assets,) between two blocks, of points;
    account: of all blocks
    """

    def __init__(
        self,
        rows: dict[int, int],
        n_points: int,
        every_s: NDArray[np.float64],
        rates_hz: NDArray[np.float64],
        account: SampleAccount,
    ) -> None:
        self._rows, self._account, self._rates_hz = rows, account, rates_hz
        self._oldest_ns = (INTERVALS * every_s * 1e9).astype(np.int64)
        self._points = np.zeros((len(every_s), n_points), np.float32)
        self._taken = np.full(len(every_s), NEVER, np.int64)
        self._waiting: list[tuple[int, WaveformBlock]] = []

    def feed(self, block: WaveformBlock) -> None:
        """Take a block; those of other fast signals are passed over."""
        if block.signal not in self._rows:
            return
        if len(block.points) != self._points.shape[1]:
            self._settle(Fate.REFUSED, block)
        else:
            self._waiting.append((block.time + round(len(block.points) / block.rate_hz * 1e9), block))

    def advance(self, time: int) -> list[int]:
        """Take in what was complete at this instant [ns UTC]; the assets that got a block. What comes late counts later."""
        if not self._waiting:
            return []
        later, came = [], []
        for taken, block in self._waiting:
            row = self._rows[block.signal]
            if taken > time:
                later.append((taken, block))
            elif taken > self._taken[row]:
                self._points[row], self._taken[row] = block.points, taken
                came.append(row)
                self._settle(Fate.USED, block)
            else:
                self._settle(Fate.DUPLICATE if taken == self._taken[row] else Fate.LATE, block)
        self._waiting = later
        return list(dict.fromkeys(came))

    def rate_hz(self, row: int) -> float:
        return float(self._rates_hz[row])

    def time(self, row: int) -> int:
        """When the first point of the newest block was taken [ns UTC]."""
        return int(self._taken[row]) - round(self._points.shape[1] / self.rate_hz(row) * 1e9)

    def is_there(self, row: int) -> bool:
        return bool(self._taken[row] > NEVER)

    def _settle(self, fate: Fate, block: WaveformBlock) -> None:
        self._account.settle(fate, np.array([block.signal], np.int32))

    @property
    def waiting(self) -> NDArray[np.int64]:
        """(n_waveforms of the plant,) blocks whose instant has not come yet."""
        signals = [block.signal for _, block in self._waiting]
        return np.bincount(np.array(signals, np.int64), minlength=len(self._account.received))

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
        for _, block in self._waiting:
            self._settle(Fate.LOST, block)
        self._waiting.clear()
        self._taken[:] = NEVER
