"""How a model shows what one signal does: in others, too, as what it expects of them follows.

A model that expects each signal from the others takes one that is wrong for a reason to expect others: the deviation smears.
Each signal in turn is moved in windows that the model file itself brings (its golden vectors), and what becomes of all
deviations is a column of the response,

    R[i, j] = change of (measured - expected) of signal i, for one tolerance more in signal j       [tolerances]

so that the deviation that a fault will be seen by is R·w for a fault that does w to the signals.

Source: C. F. Alcala, S. J. Qin: Reconstruction-based contribution for process monitoring. Automatica 45, 2009.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import ModelError
from edge.state_detection.onnx_model import OnnxModel

# so far each signal is moved [tolerances]: what is smaller drowns in float32, what is larger is no machine any more
MOVED: Final = 2.0


def response(model: OnnxModel, deadline_s: float | None = None) -> NDArray[np.float64] | None:
    """(n_signals, n_signals) of the model's signals; None where it expects nothing, or cannot be asked.

    Where a signal has no tolerance nothing is known of it: neither what it does nor what is done to it.
    deadline_s: for each question; a model that is not done with it is not asked again
    """
    spec = model.spec
    references = [spec.reference.get(signal.name) for signal in spec.signals]
    tolerance = np.array([reference.tolerance if reference else 0.0 for reference in references], np.float64)
    known = np.flatnonzero(tolerance > 0)
    found = np.eye(len(tolerance))
    try:
        inputs = model.golden.inputs
        usual = model.score(inputs, deadline_s).get("expected")
        if usual is None:
            return None
        for signal in known.tolist():
            window = inputs["window"].copy()
            window[:, :, signal] += np.float32(MOVED * tolerance[signal])
            follows = model.score({**inputs, "window": window}, deadline_s)["expected"] - usual
            # golden windows are of many moments: what most of them do is the model's, and not the moment's
            found[known, signal] -= np.median(follows[:, known] / (MOVED * tolerance[known]), axis=0)
    except (ModelError, ValueError, IndexError):
        return None
    return found if np.isfinite(found).all() else None
