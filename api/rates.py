"""How much one may ask for in a minute, so that nobody's program slows everybody's page. Logic alone: time is handed in
[s of a steady clock]."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from edge.contracts.errors import KullagerError

MINUTE_S: Final = 60.0
# of these one is remembered, and the ones that asked last
MOST_KNOWN: Final = 20_000
# a hall behind one address: together they may do so many times what one may
TOGETHER: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a token, or an address without one, may do in a minute, all of it at once if need be; 0 for without a limit.

    streams: how many may be open from one address at a time
    """

    reads: int = 12_000
    changes: int = 300
    sign_ins: int = 30
    streams: int = 200

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """From `KULLAGER_API_READS` and its like; raises `KullagerError`."""
        found = {}
        for name in ("reads", "changes", "sign_ins", "streams"):
            variable = f"KULLAGER_API_{name.upper()}"
            if (text := environ.get(variable)) is not None:
                if not (text.isascii() and text.isdigit() and len(text) <= 9):
                    raise KullagerError(f"{variable}: '{text}' should be a whole number, or 0 for without a limit")
                found[name] = int(text)
        return cls(**found)


class Rate:
    """Each name may do `in_a_minute` things at once, and then one more as its minute goes by.

    >>> rate = Rate(2)
    >>> [rate.take("anna", now) for now in (0.0, 1.0, 2.0, 31.0, 32.0)]
    [0, 0, 28, 0, 28]
    >>> rate.take("bo", 2.0)
    0
    """

    def __init__(self, in_a_minute: int) -> None:
        self._in_a_minute = in_a_minute
        # when each would have nothing on its account any more; the one that asked last is the last
        self._forgotten: dict[str, float] = {}

    def take(self, name: str, now: float) -> int:
        """0, and it counts; or how long to wait [s], and it does not."""
        if not self._in_a_minute:
            return 0
        one_s = MINUTE_S / self._in_a_minute
        forgotten = max(now, self._forgotten.pop(name, now))
        wait_s = forgotten + one_s - now - MINUTE_S
        # what a sum of fractions leaves is no wait
        allowed = wait_s < one_s * 1e-6
        self._forgotten[name] = forgotten + one_s if allowed else forgotten
        while len(self._forgotten) > MOST_KNOWN:
            del self._forgotten[next(iter(self._forgotten))]
        return 0 if allowed else math.ceil(wait_s)
