"""Wrong tokens, counted per address, so that nobody tries them all. Logic alone: time is handed in [s of a steady clock]."""

import math
from ipaddress import IPv6Address, ip_address
from typing import Final

AT_ONCE: Final = 20
ONE_MORE_EVERY_S: Final = 3.0
MOST_ADDRESSES: Final = 10_000


class Guesses:
    """An address may be wrong `at_once` times, and once more every `one_more_every_s` seconds.

    >>> guesses = Guesses(at_once=2, one_more_every_s=10.0)
    >>> for now in (0.0, 1.0):
    ...     guesses.note("192.0.2.1", now)
    >>> guesses.wait_s("192.0.2.1", 2.0), guesses.wait_s("192.0.2.2", 2.0), guesses.wait_s("192.0.2.1", 10.0)
    (8, 0, 0)
    """

    def __init__(self, *, at_once: int = AT_ONCE, one_more_every_s: float = ONE_MORE_EVERY_S) -> None:
        self._at_once, self._one_more_every_s = at_once, one_more_every_s
        # when the address would have no guess on its account any more; the one that guessed last is the last
        self._forgotten: dict[str, float] = {}

    def note(self, address: str, now: float) -> None:
        """A wrong guess."""
        known = network(address)
        forgotten = max(now, self._forgotten.pop(known, now)) + self._one_more_every_s
        self._forgotten[known] = forgotten
        while len(self._forgotten) > MOST_ADDRESSES:
            del self._forgotten[next(iter(self._forgotten))]

    def wait_s(self, address: str, now: float) -> int:
        """How long the address has to wait [s] before a token of it is looked at; 0 for not at all."""
        full = (self._at_once - 1) * self._one_more_every_s
        return max(0, math.ceil(self._forgotten.get(network(address), now) - now - full))


def network(address: str) -> str:
    """The address; of IPv6 its /64, which one machine has for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(parsed) >> 64 << 64)) if isinstance(parsed, IPv6Address) else address
