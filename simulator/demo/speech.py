"""How the demo speaks to whoever started it."""

import contextlib

from edge.contracts.errors import KullagerError


class DemoFailed(KullagerError):
    """The demo cannot start or go on; the message is the one sentence that says why."""


def tell(text: str) -> None:
    # the terminal may have been closed, which is one way to end the demo
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201  # the demo's own voice
