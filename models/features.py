"""What is computed from a window before the estimator: once in numpy for training, once in the graph for service.

Both stand side by side here, and export proves on every training window that they agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WINDOWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Trailing windows over grid values, as views: nothing is copied but the few that are worked on.

    values:    (n_instants, n_signals) float32 in plant units, NaN where missing
    last:      (n_windows,) int64, the row of `values` at which each window ends
    n_samples: rows in a window
    """

    values: NDArray[np.float32]
    last: NDArray[np.int64]
    n_samples: int

    def __len__(self) -> int:
        return len(self.last)

    def take(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Some windows, copied out as a model takes them: (n_taken, n_samples, n_signals)."""
        views = np.moveaxis(sliding_window_view(self.values, self.n_samples, axis=0), -1, 1)
        return np.ascontiguousarray(views[self.last[index] - (self.n_samples - 1)])

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """All windows in order, some thousand at a time."""
        for start in range(0, len(self), WINDOWS_AT_ONCE):
            yield self.take(slice(start, start + WINDOWS_AT_ONCE))

    @property
    def newest(self) -> NDArray[np.float32]:
        """The newest values of each window (n_windows, n_signals)."""
        return self.values[self.last]


def trailing_means(windows: Windows) -> NDArray[np.float64]:
    """The mean of each signal over each window (n_windows, n_signals), missing values left out; NaN where all are missing.

    >>> values = np.array([[1.0], [np.nan], [3.0], [8.0]], np.float32)
    >>> trailing_means(Windows(values=values, last=np.array([1, 2, 3]), n_samples=2)).ravel().tolist()
    [1.0, 3.0, 5.5]
    """
    means = np.empty((len(windows), windows.values.shape[1]))
    done = 0
    for block in windows.blocks():
        there = ~np.isnan(block)
        count = there.sum(axis=1)
        total = np.where(there, block, 0.0).sum(axis=1, dtype=np.float64)
        means[done : done + len(block)] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        done += len(block)
    return means


# `window` → `deviation` (n_assets, n_signals): the trailing mean less the `centre` of training, 0 where all is missing.
# The centre is taken off first: float32 has seven digits, and a mean of large values would spend them on the offset.
TRAILING_MEAN_GRAPH: Final = """
    missing = IsNaN(window)
    centred = Sub(window, centre)
    filled = Where(missing, zero, centred)
    there = Not(missing)
    there_number = Cast<to = 1>(there)
    total = ReduceSum<keepdims = 0>(filled, axis_1)
    found = ReduceSum<keepdims = 0>(there_number, axis_1)
    count = Max(found, one)
    deviation = Div(total, count)
"""
