"""How far the plant's time has come, by what the sources have brought.

The stream's time is that of the source that is furthest behind: so samples of one source wait for those of another.
A source that is silent holds it back for its patience, a real time; from then on its time moves with the wall clock.
Pure logic: real time is handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.contracts.plant import Clock

NS: Final = 1_000_000_000
# a source with a clock of its own may run faster than time: a short stall there hides many samples, so it gets longer
PATIENCE_S: Final[Mapping[Clock, float]] = {"wall": 1.0, "source": 5.0}
# a trusted clock that stays this far behind what it said before, for this long [real time], has been set back
SET_BACK_NS: Final = 60 * NS
SET_BACK_AFTER_S: Final = 5.0


@dataclass(slots=True)
class _SourceTime:
    newest: int
    heard_s: float
    behind_since_s: float | None = None


class StreamClock:
    """The watermark over all sources; times of samples in ns UTC, real time in s of any steady clock."""

    def __init__(self, clocks: Mapping[str, Clock]) -> None:
        """`clocks`: the sources that are to bring samples, and the kinds of their clocks."""
        self._patience_s = {source: PATIENCE_S[clock] for source, clock in clocks.items()}
        self._first_heard_s: float | None = None
        self._reached: int | None = None
        self._sources: dict[str, _SourceTime] = {}

    def resume(self, reached: int) -> None:
        """The stream had come so far [ns UTC] before a restart."""
        self._reached = reached

    def heard(self, source: str, newest: int, now_s: float) -> bool:
        """A source brought samples up to `newest`. True when its clock has been set back: the stream begins anew."""
        if self._first_heard_s is None:
            self._first_heard_s = now_s
        known = self._sources.get(source)
        if known is None:
            self._sources[source] = _SourceTime(newest, now_s)
            # after a restart nothing contradicts the first sample: a recording is replayed anew
            reached, self._reached = self._reached, None
            return reached is not None and newest < reached - SET_BACK_NS
        known.heard_s = now_s
        if newest >= known.newest - SET_BACK_NS:
            known.newest = max(known.newest, newest)
            known.behind_since_s = None
            return False
        if known.behind_since_s is None:
            known.behind_since_s = now_s
        if now_s - known.behind_since_s < SET_BACK_AFTER_S:
            return False
        self._sources, self._first_heard_s = {source: _SourceTime(newest, now_s)}, now_s
        return True

    def time(self, now_s: float) -> int | None:
        """The stream's time [ns UTC]; None before the first samples of all sources, while there is patience."""
        if self._first_heard_s is None:
            return None
        waited_s = now_s - self._first_heard_s
        if any(waited_s < self._patience_s[name] for name in self._patience_s.keys() - self._sources.keys()):
            return None
        return min(
            known.newest + round(max(0.0, now_s - known.heard_s - self._patience_s[name]) * NS)
            for name, known in self._sources.items()
        )
