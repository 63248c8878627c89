"""Windows to try a model with: the healthy ones that came with it, and what broken sensors make of them."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge.state_detection.onnx_model import Arrays

HUGE: Final = 1e30
GAPS: Final = 0.1


class TrialWindows:
    """Inputs of a model by name, made from its golden ones; the same each time it is made."""

    def __init__(self, golden: Arrays) -> None:
        self._random = default_rng(0)
        window = golden["window"]
        there = np.isfinite(window)
        usual = np.where(there, window, 0).sum(axis=(0, 1), dtype=np.float64) / np.maximum(there.sum(axis=(0, 1)), 1)
        self._whole = golden | {"window": np.where(there, window, usual.astype(np.float32))}

    def healthy(self, n: int) -> Arrays:
        """Golden windows in turn, with the mean of its signal for what is missing."""
        turns = np.arange(n) % len(self._whole["window"])
        return {name: np.ascontiguousarray(values[turns], np.float32) for name, values in self._whole.items()}

    def noisy(self, n: int) -> Arrays:
        """Healthy windows with noise of half their spread; a signal that does not vary is given a tenth of its size for one."""
        inputs = self.healthy(n)
        for name, values in inputs.items():
            if name != "context":
                axes = (0, 1) if name == "window" else None
                spread = values.std(axis=axes, dtype=np.float64)
                spread = np.where(spread > 0, spread, 0.1 * np.abs(values).mean(axis=axes, dtype=np.float64))
                inputs[name] = (values + spread * self._random.uniform(-0.5, 0.5, values.shape)).astype(np.float32)
        return inputs

    def constant(self, n: int) -> Arrays:
        """Sensors that are stuck: every instant as the newest one."""
        inputs = self.healthy(n)
        for name, values in inputs.items():
            if name != "context":
                values[:] = values[:, -1:]
        return inputs

    def with_gaps(self, n: int) -> Arrays:
        """In each window something is missing, but never of the newest instant: without that nothing is scored."""
        inputs = self.noisy(n)
        window = inputs["window"]
        gaps = self._random.random(window.shape) < GAPS
        gaps[:, 0, 0] = True
        gaps[:, -1] = False
        window[gaps] = np.nan
        return inputs

    def filled(self, n: int, value: float) -> Arrays:
        """One value everywhere, but for the context."""
        return {name: values if name == "context" else np.full_like(values, value) for name, values in self.healthy(n).items()}

    def strange(self, n: int) -> Iterator[tuple[str, Arrays]]:
        """What a model may say nothing to, but must not fail over; each with its name."""
        for what, value in (
            ("windows of 0", 0.0),
            ("windows of missing values", np.nan),
            ("huge values", HUGE),
            ("huge values below 0", -HUGE),
        ):
            yield what, self.filled(n, value)
        wild = self.healthy(n)
        spread: NDArray[np.float64] = self._random.normal(0.0, 1e3, wild["window"].shape)
        wild["window"] = (wild["window"] * spread + spread).astype(np.float32)
        yield "random values", wild
        if "context" in wild:
            yield "an unknown context", self.healthy(n) | {"context": np.full_like(wild["context"], -1.0)}
