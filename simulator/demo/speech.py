"""How the demo speaks to whoever started it."""

from edge.contracts.errors import KullagerError


class DemoFailed(KullagerError):
    """The demo cannot start or go on; the message is the one sentence that says why."""


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # the demo's own voice, on the terminal it was started from
