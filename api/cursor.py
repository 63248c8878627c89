"""What has arrived of one journal: the number up to which everything is there, and what lies beyond it. Logic alone.

A journal numbers its entries 1, 2, 3, … Messages arrive in any order, twice or not at all; the edge can announce how
far its journal reaches, and from where on it still holds entries. A cursor keeps all of that as ranges, so that a
journal which claims a million missing entries costs no more than one that misses two.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final, Self

LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class JournalCursor:
    """Everything up to `contiguous` is there or is a known loss.

    >>> cursor = JournalCursor()
    >>> [cursor.receive(seq) for seq in (1, 2, 5, 5)]
    [True, True, True, False]
    >>> cursor.contiguous, cursor.missing(1000)
    (2, Span(first=3, last=4))
    >>> cursor.trim(4), cursor.missing(1000)
    ([Span(first=3, last=3)], Span(first=4, last=4))
    """

    __slots__ = ("_firsts", "_lasts", "announced", "contiguous")

    def __init__(self, contiguous: int = 0, announced: int = 0) -> None:
        self.contiguous = contiguous
        # the highest number the edge has spoken of, by a message or in its status
        self.announced = max(announced, contiguous)
        # disjoint ranges beyond `contiguous`, ascending, never touching it or each other
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def copy(self) -> Self:
        other = type(self)(self.contiguous, self.announced)
        other._firsts, other._lasts = self._firsts.copy(), self._lasts.copy()
        return other

    def __contains__(self, seq: int) -> bool:
        if seq <= self.contiguous:
            return True
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq <= self._lasts[at]

    def receive(self, seq: int) -> bool:
        """Note that entry `seq` is there; false when it already was."""
        if seq in self:
            return False
        self._fill(Span(seq, seq))
        return True

    def announce(self, last: int) -> None:
        """The edge says that its journal reaches to `last`."""
        self.announced = max(self.announced, last)

    def trim(self, before: int) -> list[Span]:
        """The edge holds nothing before this number any more: what is missing there is lost, and is returned."""
        return self.lose(Span(self.contiguous + 1, before - 1))

    def lose(self, span: Span) -> list[Span]:
        """Do not wait for what is missing within `span`; returns what that was."""
        lost, at = [], max(span.first, self.contiguous + 1)
        for first, last in [*zip(self._firsts, self._lasts, strict=True), (span.last + 1, span.last + 1)]:
            if at > span.last:
                break
            if first > at:
                lost.append(Span(at, min(first - 1, span.last)))
            at = max(at, last + 1)
        for gone in lost:
            self._fill(gone)
        return lost

    def missing(self, at_most: int = LARGEST) -> Span | None:
        """The first numbers that are not there, no more than `at_most`; None when everything announced is there."""
        first = self.contiguous + 1
        last = self._firsts[0] - 1 if self._firsts else self.announced
        return Span(first, min(last, first + at_most - 1)) if last >= first else None

    @property
    def missing_count(self) -> int:
        beyond = sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))
        return self.announced - self.contiguous - beyond

    def _fill(self, span: Span) -> None:
        """Enter a range of which nothing is there yet, joined with the ranges that it touches."""
        first, last = span.first, span.last
        self.announced = max(self.announced, last)
        low, high = bisect_left(self._lasts, first - 1), bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high], self._lasts[low:high] = [first], [last]
        if self._firsts[0] == self.contiguous + 1:
            self.contiguous = self._lasts[0]
            del self._firsts[0], self._lasts[0]
