"""How long to wait before trying again, for everything that reconnects."""

import random
from collections.abc import Iterator


def back_off(first_s: float = 0.5, cap_s: float = 30.0, jitter: random.Random | None = None) -> Iterator[float]:
    """Seconds to wait before each further attempt: doubling, capped, with full jitter in the upper half."""
    jitter = jitter or random.Random()  # noqa: S311  # spreads clients, guards nothing
    ceiling = first_s
    while True:
        yield ceiling * (0.5 + 0.5 * jitter.random())
        ceiling = min(cap_s, ceiling * 2)
