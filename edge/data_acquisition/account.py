"""What one source brought and what became of it: its state, its counts, and the judgement of its clock."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Clock
from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import SampleBatch, WaveformBlock
from edge.contracts.status import SourceState, SourceStatus
from edge.formats.json_message import format_time

logger = logging.getLogger(__name__)

NS: Final = 1_000_000_000
# a clock of kind "wall" that is further off than this is not believed
FAR_OFF_NS: Final = 60 * NS
# a trusted clock may be anywhere in the past (a replay), but no plant lives in the future
FUTURE_NS: Final = 86_400 * NS


class SourceAccount:
    """The account of one source. `now` gives ns since 1970 UTC; `account`: by signal, of the whole plant."""

    def __init__(self, name: str, clock: Clock, now: Callable[[], int], account: SampleAccount) -> None:
        self.name, self._account = name, account
        self.changed = True
        self._clock, self._now = clock, now
        self._state, self._since = SourceState.CONNECTING, now()
        self._problem: str | None = None
        self._clock_problem: str | None = None
        self._samples = 0
        self._rejected: Counter[str] = Counter()
        self._offset_s: float | None = None
        self._last_sample: int | None = None
        self._notes: list[str] = []
        self._recovered = self._objects = 0
        self._heard: int | None = None
        self._backlog_ns = 0

    def accept(self, batch: SampleBatch, received: int) -> SampleBatch:
        """Count a batch and judge its times against `received` [ns UTC]; gives the samples to use."""
        if not len(batch):
            return batch
        self._samples += len(batch)
        self._account.receive(batch.signal)
        ahead = batch.time - received
        backlog: int | NDArray[np.int64] = self._backlog_ns
        if self._backlog_ns and (current := ahead > -FAR_OFF_NS).any():
            # what was kept has come, in order: from here on it is of now
            backlog = np.where(np.arange(len(batch)) < np.argmax(current), self._backlog_ns, 0)
            self._backlog_ns = 0
        self._heard = received
        newest = int(batch.time.max())
        self._offset_s = round((newest - received) / NS, 3)
        if self._clock == "wall":
            far_off = (ahead > FAR_OFF_NS) | (ahead < -FAR_OFF_NS - backlog)
            batch = self._with_believable_times(batch, far_off, received)
        elif (future := ahead > FUTURE_NS).any():
            self._rejected["time-in-future"] += int(future.sum())
            self._account.settle(Fate.REFUSED, batch.signal[future])
            batch = SampleBatch(
                signal=batch.signal[~future],
                time=batch.time[~future],
                value=batch.value[~future],
                quality=batch.quality[~future],
            )
        if len(batch):
            self._last_sample = max(self._last_sample or 0, int(batch.time.max()))
        return batch

    def accept_block(self, block: WaveformBlock, received: int) -> WaveformBlock | None:
        """The same of one block of a fast signal; None where its time cannot be used."""
        judged = self.accept(SampleBatch.of([block.signal], [block.time], [0.0]), received)
        return replace(block, time=int(judged.time[0])) if len(judged) else None

    def expect_backlog(self, longest_s: float) -> None:
        """A connection begins on which what was kept during the absence comes first: it may be as old as that."""
        longest = round(longest_s * NS)
        self._backlog_ns = longest if self._heard is None else min(longest, self._now() - self._heard)

    def confirmed(self, batch: SampleBatch) -> SampleBatch:
        """Count values that the source says are still so."""
        self._account.receive(batch.signal)
        return batch

    def reject(self, reason: str, count: int = 1) -> None:
        self._rejected[reason] += count

    def count_objects(self, count: int) -> None:
        """So many values were of a type that is read one by one, and not as a column."""
        self._objects += count

    def recovered(self, count: int) -> None:
        """So many samples were read back."""
        self._recovered += count

    def note(self, text: str) -> bool:
        """Remember what an operator may want to know; True where it is new."""
        if text in self._notes:
            return False
        self._notes.append(text)
        self.changed = True
        return True

    def connected(self, problem: str | None = None) -> None:
        self._set(SourceState.CONNECTED, problem)

    def disconnected(self, problem: str, *, refused: bool = False) -> None:
        self._set(SourceState.REFUSED if refused else SourceState.DISCONNECTED, problem)

    @property
    def last_sample(self) -> int | None:
        """Time of the newest sample [ns UTC]."""
        return self._last_sample

    @property
    def is_connected(self) -> bool:
        return self._state is SourceState.CONNECTED

    def status(self) -> SourceStatus:
        return SourceStatus(
            state=self._state,
            since=self._since,
            clock_offset_s=self._offset_s,
            last_sample=self._last_sample,
            samples=self._samples,
            rejected=dict(sorted(self._rejected.items())),
            problem=self._problem or self._clock_problem,
            notes=tuple(self._notes),
            recovered=self._recovered,
            one_by_one=self._objects,
        )

    def _set(self, state: SourceState, problem: str | None) -> None:
        if state is not self._state:
            self._since = self._now()
        self.changed |= state is not self._state or problem != self._problem
        self._state, self._problem = state, problem

    def _with_believable_times(self, batch: SampleBatch, far_off: NDArray[np.bool_], received: int) -> SampleBatch:
        if not far_off.any():
            if self._clock_problem is not None:
                self._clock_problem, self.changed = None, True
                logger.info("source '%s': its times can be believed again", self.name)
            return batch
        self._rejected["clock-replaced"] += int(far_off.sum())
        if self._clock_problem is None:
            example = int(batch.time[far_off][0])
            self._clock_problem = (
                f"the clock of source '{self.name}' says {format_time(example)}, it is {format_time(received)}: "
                "the time of reception is used instead"
            )
            logger.warning("%s", self._clock_problem)
            self.changed = True
        time = np.where(far_off, received, batch.time)
        return SampleBatch(signal=batch.signal, time=time, value=batch.value, quality=batch.quality)
