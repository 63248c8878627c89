"""Signals that their source sends only when they change: while the source vouches for them, the last value stays.

What vouches is the protocol: an OPC UA subscription that is alive reports every change (part 4, 5.13.1), and a Sparkplug edge
node whose death has not come does, too. Such a value is said again now and then, so that it does not count as stale. A change
that comes with a time before that of the last repetition counts from there on: of one signal what came last is what is so.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import SignalEntry
from edge.contracts.sample_batch import SampleBatch

NEVER: Final = np.iinfo(np.int64).min // 2
# a value is said again when so much of its `stale_s` has passed
SHARE: Final = 1 / 3
# how far behind the evidence a repetition stays: what has changed just now may still be on its way
MARGIN_NS: Final = 1_000_000_000


class OnChange:
    """Of one source; `rows` are its signals that are sent on change only. Times are ns UTC."""

    def __init__(self, rows: Sequence[SignalEntry]) -> None:
        size = max((row.index for row in rows), default=-1) + 1
        self._held = np.zeros(size, np.bool_)
        self._every: NDArray[np.int64] = np.zeros(size, np.int64)
        for row in rows:
            self._held[row.index] = True
            self._every[row.index] = round(SHARE * row.signal.stale_s * 1e9)
        self._value = np.full(size, np.nan)
        self._quality = np.zeros(size, np.uint8)
        # the time of the newest sample, and that of the newest repetition
        self._time = np.full(size, NEVER, np.int64)
        self._said = np.full(size, NEVER, np.int64)

    def __bool__(self) -> bool:
        return bool(self._held.any())

    def saw(self, batch: SampleBatch) -> SampleBatch | None:
        """Remember what came; gives what must be said besides, where a change came with a time before a repetition."""
        mine = batch.signal < len(self._held)
        mine[mine] = self._held[batch.signal[mine]]
        if not mine.any():
            return None
        signal = batch.signal[mine].astype(np.int64)
        # of several samples of one signal numpy keeps the last, which came last
        self._value[signal], self._quality[signal] = batch.value[mine], batch.quality[mine]
        self._time[signal] = batch.time[mine]
        overtaken = np.unique(signal[self._time[signal] <= self._said[signal]])
        if not len(overtaken):
            return None
        return self._say(overtaken, self._said[overtaken] + 1)

    def repeat(self, vouched: int, among: Collection[int] | None = None) -> SampleBatch:
        """What is to be said again: the source says that until `vouched` nothing else has changed. `among`: of these alone."""
        now = vouched - MARGIN_NS
        newest = np.maximum(self._time, self._said)
        due = np.flatnonzero(self._held & (newest > NEVER) & (now - newest >= self._every))
        if among is not None:
            due = np.array([index for index in due.tolist() if index in among], np.int64)
        return self._say(due, np.full(len(due), now, np.int64))

    def forget(self) -> None:
        """The source is gone, and vouches for nothing that came before."""
        self._time[:] = NEVER
        self._said[:] = NEVER

    def _say(self, signal: NDArray[np.int64], time: NDArray[np.int64]) -> SampleBatch:
        self._said[signal] = time
        return SampleBatch.of(signal.astype(np.int32), time, self._value[signal], self._quality[signal])
