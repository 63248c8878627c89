"""When to ask an edge for what is missing of its journal. Logic alone: the clock is handed in."""

from typing import Final

from api.cursor import JournalCursor, Span

CHUNK: Final = 1000
# a gap at the end mostly closes by itself: the entries are on their way
GRACE_S: Final = 1.0
ANSWER_WITHIN_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0


class ResendRequest:
    """The conversation about one journal, with at most one request out.

    A request ends when the numbers asked for are there. While they come it waits on; when none has come for
    `ANSWER_WITHIN_S`, or the edge says no, it is asked again after a pause that doubles up to `LONGEST_PAUSE_S`.
    """

    __slots__ = ("_contiguous", "_not_before", "_pause_s", "_since", "command_id", "span")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: nothing is missing any more, or the other side has come back and long pauses make no sense."""
        self.span: Span | None = None
        self.command_id = ""
        self._contiguous = -1
        self._since = self._not_before = 0.0
        self._pause_s = GRACE_S

    def due(self, cursor: JournalCursor, now: float) -> Span | None:
        """What to ask for at this instant (`now` in seconds of any steady clock); None when there is nothing to ask."""
        gap = cursor.missing(CHUNK)
        if gap is None:
            self.reset()
            return None
        if cursor.contiguous != self._contiguous:
            self._contiguous, self._since, self._pause_s = cursor.contiguous, now, GRACE_S
            if self.span is None:
                self._not_before = now + GRACE_S
            elif cursor.contiguous >= self.span.last:
                self.span, self._not_before = None, now
        if self.span is not None:
            if now - self._since < ANSWER_WITHIN_S:
                return None
            self.refused(now)
        return gap if now >= self._not_before else None

    def sent(self, span: Span, command_id: str, now: float) -> None:
        self.span, self.command_id, self._since = span, command_id, now

    def refused(self, now: float) -> None:
        """The edge said no, or nothing in time."""
        self.span = None
        self._not_before = now + self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
