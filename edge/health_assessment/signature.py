"""Which fault it is, where the model does not say: how like the deviation is to what each fault is known to do.

    d = smoothed (measured - expected) / tolerance, by signal and spectral feature          [-]
    x = sign(d) · ln(1 + |d|)          so that what deviates most does not drown what tells faults apart
    likeness of a fault with signature w = w·x / (|w| |x|)                                  -1..1
    probability = exp(K likeness) / (exp(K FLOOR) + Σ over the faults of exp(K likeness))

FLOOR stands for "none of these". Expected values and tolerances are the model's own: without them a signal says nothing. What
a fault does to the signals shows in the model's deviations as its response R has it (`edge.state_detection.response`), or,
where a fault is none of what the model has learnt to weigh, as it is: of w and R·w the liker one counts.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.knowledge import SPECTRAL, Fault

Floats = NDArray[np.float64]

SHARPNESS: Final = 6.0
FLOOR: Final = 0.45
MOST: Final = 5.0
TAU_S: Final = 30.0


class SignatureDiagnosis:
    """Faults of one group by likeness. `faults` are those of its machines' class, `names` the group's signals."""

    def __init__(self, faults: Mapping[str, Fault], names: Sequence[str], n_assets: int, period_s: float) -> None:
        features = [*names, *SPECTRAL]
        rows = [
            (fault, [signature.get(name, 0.0) for name in features])
            for fault, known in faults.items()
            for signature in known.signatures
        ]
        # only what has a signature of signals that are there
        rows = [(fault, weights) for fault, weights in rows if any(weights)]
        self.faults = tuple(dict.fromkeys(fault for fault, _ in rows))
        self._signatures = np.array([weights for _, weights in rows]).reshape(len(rows), len(features))
        # the first signature of each fault: they stand fault by fault
        self._first_of = np.array([[fault for fault, _ in rows].index(fault) for fault in self.faults], np.int64)
        self._weight = -math.expm1(-period_s / max(TAU_S, 5 * period_s))
        self._deviation = np.zeros((n_assets, len(names)))
        self.shown_by(None)

    def shown_by(self, response: Floats | None) -> None:
        """A model shows from now on what the signals do: `response` (n_signals, n_signals), None where nobody knows how."""
        signatures, n_signals = self._signatures, self._deviation.shape[1]
        ways = [signatures]
        if response is not None:
            ways.append(np.hstack([signatures[:, :n_signals] @ response.T, signatures[:, n_signals:]]))
        self._first = self._first_of * len(ways)
        rows = np.stack(ways, axis=1).reshape(-1, signatures.shape[1])
        size = np.linalg.norm(rows, axis=1, keepdims=True)
        self._unit = rows / np.where(size > 0, size, 1.0)

    def update(self, deviation: Floats, spectral: Floats) -> Floats:
        """(n_assets, n_faults) probabilities.

        deviation: (n_assets, n_signals) in tolerances, NaN where unknown; spectral: (n_assets, 4) as `VibrationTrend` has it
        """
        step = np.minimum(np.maximum(deviation, -MOST), MOST) - self._deviation
        step[np.isnan(step)] = 0.0
        self._deviation += self._weight * step
        if not self.faults:
            return np.zeros((len(deviation), 0))
        deviations = np.concatenate([self._deviation, spectral], axis=1)
        seen = np.sign(deviations) * np.log1p(np.abs(deviations))
        size = np.sqrt((seen * seen).sum(axis=1, keepdims=True))
        size[size == 0.0] = 1.0
        likeness = (seen / size) @ self._unit.T
        best = np.empty((len(self.faults), len(seen)))
        np.maximum.reduceat(likeness.T, self._first, axis=0, out=best)
        best = np.maximum(best, -1.0).T
        shares = np.exp(SHARPNESS * best)
        return np.asarray(shares / (shares.sum(axis=1, keepdims=True) + math.exp(SHARPNESS * FLOOR)))

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"deviation": self._deviation}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._deviation[:] = state["deviation"]
