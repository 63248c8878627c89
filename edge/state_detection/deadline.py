"""A run of a model that takes too long is ended: a graph can hold a loop that never ends, and would stop the whole edge.

One thread watches all runs of a process; onnxruntime looks at `RunOptions.terminate` between two operators.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import onnxruntime as ort

NEVER: Final = float("inf")


class _Watch(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="model deadlines", daemon=True)
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, Any]] = {}

    def run(self) -> None:
        with self._changed:
            while True:
                next_due = min((due for due, _ in self._due.values()), default=NEVER)
                self._changed.wait(None if next_due == NEVER else max(next_due - time.monotonic(), 0.0))
                for due, options in self._due.values():
                    if due <= time.monotonic():
                        options.terminate = True
                self._due = {key: (due, options) for key, (due, options) in self._due.items() if not options.terminate}

    def add(self, due: float, options: Any) -> None:
        with self._changed:
            # the thread need not wake for one that is due later than another
            wakes = due < min((other for other, _ in self._due.values()), default=NEVER)
            self._due[id(options)] = due, options
            if wakes:
                self._changed.notify()

    def remove(self, options: Any) -> None:
        with self._changed:
            self._due.pop(id(options), None)


_lock = threading.Lock()
_watch: _Watch | None = None


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Any]:
    """Options for one run of a session, which ends it with an error after so many seconds."""
    global _watch
    with _lock:
        if _watch is None:
            _watch = _Watch()
            _watch.start()
    options = ort.RunOptions()
    _watch.add(time.monotonic() + seconds, options)
    try:
        yield options
    finally:
        _watch.remove(options)
