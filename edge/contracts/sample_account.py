"""What became of every sample, by signal: what came in is used, or there is a name for what happened to it instead.

received = used + withheld + late + duplicate + refused + recovered + lost + waiting, of each signal and at any time. What waits
is counted where it waits, not worked out from the rest: a difference is a fault of this program, and `/metrics` shows it.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Plant, SignalEntry, WaveformEntry


class Fate(IntEnum):
    """What a sample came to."""

    USED = 0
    WITHHELD = 1
    """its quality was bad: it is known that there was no value"""
    LATE = 2
    """the instants that it belongs to were assessed before it came"""
    DUPLICATE = 3
    """of several samples of one signal at one time another one counts"""
    REFUSED = 4
    """its time cannot be, or a block is not of the length that the plant file gives"""
    RECOVERED = 5
    """it was read back from a server's history after an absence: recorded, not assessed"""
    LOST = 6
    """it waited when the source's clock was set back, and everything began anew"""


class SampleAccount:
    """Counts since the edge began, of all signals and then all fast signals of a plant, whose blocks count as samples here.

    What waited in the state of the last run counts as received.
    """

    def __init__(self, plant: Plant) -> None:
        rows: tuple[SignalEntry | WaveformEntry, ...] = (*plant.signal_table, *plant.waveform_table)
        self.names = tuple((row.asset, row.name) for row in rows)
        self.received: NDArray[np.int64] = np.zeros(len(rows), np.int64)
        self.settled: NDArray[np.int64] = np.zeros((len(Fate), len(rows)), np.int64)

    def receive(self, signal: NDArray[np.int32]) -> None:
        """Samples came: the number (n,) of each one's signal."""
        np.add.at(self.received, signal, 1)

    def settle(self, fate: Fate, signal: NDArray[np.int32]) -> None:
        """So these samples ended."""
        np.add.at(self.settled[fate], signal, 1)

    def total(self, fate: Fate) -> int:
        """Of all signals."""
        return int(self.settled[fate].sum())

    def difference(self, waiting: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_signals,) samples of which nobody knows what became; `waiting` (n_signals,) are on their way."""
        difference: NDArray[np.int64] = self.received - self.settled.sum(axis=0) - waiting
        return difference
