"""From samples at any time and in any order to values on a regular time grid.

An instant t of the grid (a whole multiple of the period) closes when the stream's time has passed t + lateness. Its
value is the last sample at or before t, or the mean, minimum or maximum of the samples since the instant before,
where the plant file says so. Until it closes samples may come in any order: they are sorted by their source time, and
of several samples of one signal at one time the best quality, then the largest value, counts. So the grid does not
depend on the order of arrival. What comes for a closed instant is late: counted, and not used.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import Quality, SampleBatch
from edge.groups import RESAMPLING, Group

NEVER = np.iinfo(np.int64).min // 2
_MEAN, _MIN, _MAX = (RESAMPLING.index(name) for name in ("mean", "min", "max"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """One closed instant of a group, arrays (n_assets, n_signals).

    value:   float64, NaN where there is none: bad, stale, or never seen
    bad:     the newest sample has bad quality
    stale:   the newest sample is older than the signal's `stale_s`, or there never was one
    silent:  (n_assets,) no signal of the asset brought anything for so long that nothing is left to assess
    skipped: instants left out before this one, because the whole group was silent
    """

    time: int
    value: NDArray[np.float64]
    bad: NDArray[np.bool_]
    stale: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    skipped: int


class Grid:
    """The grid of one group.

    account: of all signals of the plant; silence_ns: how long an asset may bring nothing before it counts as silent
    """

    def __init__(self, group: Group, account: SampleAccount, silence_ns: int) -> None:
        self.group, self._account = group, account
        self.silent_after(silence_ns)
        # position of each plant signal in the flattened (n_assets, n_signals) arrays
        self._slot = np.full(len(account.received), -1, np.int64)
        there = group.signal >= 0
        self._slot[group.signal[there]] = np.flatnonzero(there)
        size = group.signal.size
        self._value = np.full(size, np.nan)
        self._time = np.full(size, NEVER, np.int64)
        self._bad = np.zeros(size, np.bool_)
        self._stale_ns = group.stale_ns.ravel()
        self._resample = group.resample.ravel()
        self._aggregates = bool(self._resample.any())
        self._pending: list[SampleBatch] = []
        self._next: int | None = None
        self._skipped = 0

    def silent_after(self, silence_ns: int) -> None:
        """An asset that brings nothing for so long counts as silent, though never before its signals are stale."""
        self._silence_ns = max(silence_ns, int(self.group.stale_ns.max())) + self.group.period_ns

    def feed(self, batch: SampleBatch) -> None:
        """Take samples of any signals of the plant; those of other groups are passed over."""
        mine = self._slot[batch.signal] >= 0
        if self._next is not None:
            late = mine & (batch.time <= self._next - self.group.period_ns)
            if late.any():
                self._account.settle(Fate.LATE, batch.signal[late])
                mine &= ~late
        if mine.all():
            self._pending.append(batch)
        elif mine.any():
            self._pending.append(_select(batch, mine))

    def advance(self, to: int) -> Iterator[GridRow]:
        """Close every instant before `to` less the lateness, in order."""
        period, limit = self.group.period_ns, to - self.group.lateness_ns - 1
        if self._next is not None and self._next > limit:
            # what waits is not even looked at: samples come more often than instants are due
            return
        pending = self._sorted_pending()
        if self._next is None:
            if not len(pending) or pending.time[0] > limit:
                self._pending = [pending]
                return
            self._next = _ceil(int(pending.time[0]), period)
        position = 0
        try:
            while self._next <= limit:
                stop = int(np.searchsorted(pending.time, self._next, "right"))
                if stop == position and self._is_silent(self._next).all():
                    # nothing to assess until something comes: months of silence cost no more than a moment
                    comes = int(pending.time[position]) if position < len(pending) else limit + 1
                    resume = max(_ceil(comes, period), self._next + period)
                    self._skipped += (resume - self._next) // period
                    self._next = resume
                    continue
                self._take(_select(pending, slice(position, stop)))
                position = stop
                row = self._row(self._next)
                self._skipped = 0
                self._next += period
                yield row
        finally:
            if position < len(pending):
                self._pending.insert(0, _select(pending, slice(position, None)))

    @property
    def end(self) -> int:
        """The time to advance to so that every sample there is gets into an instant."""
        newest = max((int(batch.time.max()) for batch in self._pending if len(batch)), default=NEVER)
        return _ceil(newest, self.group.period_ns) + self.group.lateness_ns + 1

    @property
    def waiting(self) -> NDArray[np.int64]:
        """(n_signals of the plant,) samples of instants that are not closed yet."""
        waiting = np.zeros(len(self._slot), np.int64)
        for batch in self._pending:
            np.add.at(waiting, batch.signal, 1)
        return waiting

    def rewind(self) -> None:
        """Forget the time reached and all values: the source's clock has gone back."""
        for batch in self._pending:
            self._account.settle(Fate.LOST, batch.signal)
        self._pending.clear()
        self._next, self._skipped = None, 0
        self._value[:] = np.nan
        self._time[:] = NEVER
        self._bad[:] = False

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What a restart needs; samples of instants not yet closed are included."""
        pending = self._sorted_pending()
        self._pending = [pending] if len(pending) else []
        return {
            "next": np.array([NEVER if self._next is None else self._next, self._skipped], np.int64),
            "value": self._value,
            "time": self._time,
            "bad": self._bad,
            "pending_signal": pending.signal,
            "pending_time": pending.time,
            "pending_value": pending.value,
            "pending_quality": pending.quality,
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        reached, self._skipped = (int(number) for number in state["next"])
        self._next = None if reached == NEVER else reached
        self._value[:], self._time[:], self._bad[:] = state["value"], state["time"], state["bad"]
        columns = (state[f"pending_{name}"] for name in ("signal", "time", "value", "quality"))
        waiting = SampleBatch.of(*columns)  # type: ignore[arg-type]  # as `state` made them
        self._account.receive(waiting.signal)
        self._pending = [waiting]

    def _sorted_pending(self) -> SampleBatch:
        if not self._pending:
            return _EMPTY
        batches, self._pending = self._pending, []
        together = batches[0] if len(batches) == 1 else SampleBatch.joined(batches)
        signal, time, value, quality = together.signal, together.time, together.value, together.quality
        if _is_sorted(time, signal):
            return together
        # the last key is the first to sort by; the best of several samples at one time stands last, and wins
        order = np.lexsort((value, -quality.astype(np.int8), signal, time))
        return SampleBatch(signal=signal[order], time=time[order], value=value[order], quality=quality[order])

    def _take(self, samples: SampleBatch) -> None:
        if not len(samples):
            return
        slot, bad = self._slot[samples.signal], samples.quality == Quality.BAD
        counts = np.ones(len(slot), np.bool_)
        counts[:-1] = (slot[1:] != slot[:-1]) | (samples.time[1:] != samples.time[:-1])
        # as a rule all of them count, and none is bad
        if np.count_nonzero(counts) == len(slot) and not np.count_nonzero(bad):
            self._account.settle(Fate.USED, samples.signal)
        else:
            for fate, those in ((Fate.USED, counts & ~bad), (Fate.WITHHELD, counts & bad), (Fate.DUPLICATE, ~counts)):
                if those.any():
                    self._account.settle(fate, samples.signal[those])
        # of repeated indices numpy keeps the last
        self._value[slot], self._time[slot], self._bad[slot] = samples.value, samples.time, bad
        if self._aggregates:
            self._aggregate(slot[~bad], samples.value[~bad])

    def _aggregate(self, slot: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        for mode, reduce in ((_MIN, np.minimum), (_MAX, np.maximum), (_MEAN, np.add)):
            chosen = self._resample[slot] == mode
            if not chosen.any():
                continue
            slots, values = slot[chosen], value[chosen]
            result = np.full(self._value.size, 0.0 if mode == _MEAN else np.nan)
            result[slots] = 0.0 if mode == _MEAN else values
            reduce.at(result, slots, values)
            touched = np.unique(slots)
            if mode == _MEAN:
                result[touched] /= np.bincount(slots, minlength=result.size)[touched]
            self._value[touched] = result[touched]

    def _is_silent(self, time: int) -> NDArray[np.bool_]:
        newest: NDArray[np.int64] = self._time.reshape(self.group.shape).max(axis=1)
        return newest < time - self._silence_ns

    def _row(self, time: int) -> GridRow:
        shape = self.group.shape
        stale = (self._time < time - self._stale_ns).reshape(shape)
        bad = self._bad.reshape(shape) & ~stale
        value = self._value.reshape(shape).copy()
        value[bad | stale] = np.nan
        # whoever is silent is stale before
        silent = self._is_silent(time) if np.count_nonzero(stale) else np.zeros(shape[0], np.bool_)
        return GridRow(time=time, value=value, bad=bad, stale=stale, silent=silent, skipped=self._skipped)


_EMPTY = SampleBatch.of([], [], [])


def _select(batch: SampleBatch, rows: slice | NDArray[np.bool_]) -> SampleBatch:
    return SampleBatch(signal=batch.signal[rows], time=batch.time[rows], value=batch.value[rows], quality=batch.quality[rows])


def _is_sorted(time: NDArray[np.int64], signal: NDArray[np.int32]) -> bool:
    """Whether samples come by time and signal, each once: as from a controller that sends all its values at once."""
    later = time[1:] > time[:-1]
    return bool((later | ((time[1:] == time[:-1]) & (signal[1:] > signal[:-1]))).all())


def _ceil(time: int, period: int) -> int:
    return -(-time // period) * period
