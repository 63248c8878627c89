"""What labels add to a model: which fault it is, and how long the machine will last. Each is a further output of the graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from edge.contracts.errors import RecordingError
from models.dataset import HealthyData
from models.detectors.base import Detector, Fragment, Matrix, Samples
from models.diagnosis import FaultClassifier, calibration_error, sign_text, signs
from models.features import KINDS, FeatureGraph, Windows
from models.labels import Condition, Labels
from models.remaining_life import TREND, LifeRegressor, trend_constants, trends
from models.spectra import PARTS

HEALTHY: Final = "healthy"
# healthy time is cut into so many blocks, which are held out as a whole
HEALTHY_BLOCKS: Final = 10
# neighbours are nearly copies: more windows cost time and teach nothing
MOST_WINDOWS: Final = 20_000
# without --horizon, of the median life: what is farther off shows in no signal
HORIZON_OF_LIFE: Final = 0.6
NS_PER_H: Final = 3.6e12
# [standard deviations of healthy blocks]
STANDS_OUT: Final = 5.0

# after `z`: of each bearing part, and before them of none
SIGNATURE: Final = """
    line_z = Gather<axis = 1>(z, line_columns)
    line_logit = Sub(line_z, line_limit)
    line_first = Slice(line_logit, from_0, from_1, axis_1)
    no_fault_logit = Mul(line_first, zero)
    all_logits = Concat<axis = 1>(no_fault_logit, line_logit)
    all_probability = Softmax<axis = 1>(all_logits)
    fault_probability = Slice(all_probability, from_1, to_end, axis_1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """One more output. `nodes` follow those of the features, of which `kinds` are needed.

    windows: what it was learnt from; expected: (n_windows, width) what scikit-learn gives for them, and `size` the unit in
    which the exported graph may differ from it
    codes: (n_windows, n_contexts) of the windows, where the output depends on the operating mode
    lives: (n, 4) of held-out lives [h]: what was left, and p10, p50, p90; None for other outputs
    """

    output: str
    width: int
    kinds: tuple[str, ...]
    nodes: str
    fragment: Fragment
    windows: Windows
    expected: Matrix
    size: float
    faults: tuple[str, ...] = ()
    figures: dict[str, Any]
    codes: NDArray[np.int64] | None = None
    lives: Matrix | None = None


def diagnosis(
    windows: Windows,
    time: NDArray[np.int64],
    features: FeatureGraph,
    labels: Labels,
    period_ns: int,
    step: Callable[[str], None],
) -> Addition:
    """`fault_probability` from labelled faults. Raises `RecordingError` where they are too few to judge what is learnt.

    windows: all that the edge would score, and time: (n_windows,) at which they end [ns UTC]
    """
    first = time - (windows.n_samples - 1) * period_ns
    number = labels.period_of(Condition.FAULT, first, time)
    faulty, healthy = np.flatnonzero(number >= 0), np.flatnonzero(labels.healthy(first, time))
    modes = np.array([period.mode for period in labels.of(Condition.FAULT)], dtype=object)
    if empty := set(labels.modes) - set(modes[number[faulty]]):
        raise RecordingError(
            f"{labels.path}: no window of {windows.n_samples} instants lies within a fault '{min(empty)}' of the recording"
        )
    # healthy time counts as blocks of its own, so that no neighbours stand on both sides of a split
    blocks = np.arange(len(healthy)) * HEALTHY_BLOCKS // max(len(healthy), 1)
    index = np.concatenate([healthy, faulty])
    group = np.concatenate([blocks, HEALTHY_BLOCKS + number[faulty]])
    mode = np.concatenate([np.full(len(healthy), HEALTHY, dtype=object), modes[number[faulty]]]).astype(str)
    keep = _thinned(mode, windows.n_samples)
    index, group, mode = index[keep], group[keep], mode[keep]
    order = np.argsort(index, kind="stable")
    index, group, mode = index[order], group[order], mode[order]
    learnt = windows.only(index)
    step(f"diagnosis of {', '.join(labels.modes)}")
    seen = signs(features, learnt)
    model = FaultClassifier()
    try:
        held_out = model.held_out(seen, mode, group)
    except ValueError as error:
        raise RecordingError(f"{labels.path}: {error}") from None
    probability = model.fit(seen, mode, group).calibrate(held_out, mode).sharpened(held_out)
    told = model.classes_[probability.argmax(axis=1)]
    scores = f1_score(mode, told, labels=list(labels.modes), average=None, zero_division=0)
    columns = [list(model.classes_).index(fault) for fault in labels.modes]
    return Addition(
        output="fault_probability",
        width=len(labels.modes),
        kinds=tuple(KINDS),
        nodes=sign_text(features, profile=False),
        fragment=model.fragment(labels.modes),
        windows=learnt,
        expected=model.predict_proba(seen)[:, columns],
        size=1.0,
        faults=labels.modes,
        figures={
            "diagnosis_f1": {fault: round(float(score), 3) for fault, score in zip(labels.modes, scores, strict=True)},
            "diagnosis_occurrences": {fault: int((modes == fault).sum()) for fault in labels.modes},
            "diagnosis_calibration_error": round(calibration_error(probability, mode, model.classes_), 3),
        },
    )


def remaining_life(
    windows: Windows,
    time: NDArray[np.int64],
    features: FeatureGraph,
    labels: Labels,
    period_ns: int,
    horizon_h: float | None,
    step: Callable[[str], None],
) -> Addition:
    """`rul_h` from lives that ended in a labelled failure. Raises `RecordingError` where they are too few."""
    failures = np.array([period.first for period in labels.of(Condition.FAILED)], np.int64)
    life = np.searchsorted(failures, time, "left")
    # a window that begins in the life before would teach how that one ended
    begun = np.searchsorted(failures, time - (windows.n_samples - 1) * period_ns, "left")
    ended = np.flatnonzero((life < len(failures)) & (begun == life))
    # nor does a machine that did not fail end with the failure of another
    ended = ended[labels.machine_at(time[ended]) == labels.machine_at(failures[life[ended]])]
    n_lives = len(np.unique(life[ended]))
    if n_lives < 2:
        raise RecordingError(
            f"{labels.path}: {n_lives} of the labelled failures ends a life that was recorded; two or more are needed"
        )
    ended = ended[:: max(1, len(ended) // MOST_WINDOWS)]
    life = life[ended]
    left_h = (failures[life] - time[ended]) / NS_PER_H
    horizon = horizon_h or HORIZON_OF_LIFE * float(np.median([left_h[life == each].max() for each in np.unique(life)]))
    learnt = windows.only(ended)
    step(f"remaining life from {n_lives} lives, up to {horizon:.3g} h")
    seen = trends(features, learnt)
    model = LifeRegressor(horizon=horizon)
    predicted = model.held_out(seen, left_h, life)
    coverage = model.coverage(predicted, left_h, life)
    model.fit(seen, left_h).calibrate(predicted, left_h)
    around = model.interval(predicted)
    error = predicted - np.minimum(left_h, horizon)
    floor = np.minimum(left_h, horizon) - np.minimum(left_h, horizon).mean()
    return Addition(
        output="rul_h",
        width=3,
        kinds=("mean",),
        nodes=TREND,
        fragment=_with(model.fragment(), trend_constants(windows.n_samples)),
        windows=learnt,
        expected=model.quantiles(seen),
        size=horizon,
        figures={
            "rul_lives": n_lives,
            "rul_horizon_h": float(f"{horizon:.4g}"),
            "rul_rmse_h": float(f"{np.sqrt(np.mean(error**2)):.4g}"),
            "rul_rmse_floor_h": float(f"{np.sqrt(np.mean(floor**2)):.4g}"),
            "rul_coverage": round(coverage, 3),
        },
        lives=np.column_stack([left_h, around])[np.argsort(life, kind="stable")],
    )


def signature(detector: Detector, features: FeatureGraph, data: HealthyData, computed: Samples) -> Addition | None:
    """`fault_probability` of bearing parts, where nobody has labelled any, by how far their lines stand out of healthy ones.

    A fault is as likely as none where a line stands out as far as it ever did while healthy, `STANDS_OUT` at least; each
    standard deviation more multiplies the odds by e. None where no fast signal of a known bearing is there.
    """
    columns, first = [], len(features.kinds) * features.n_signals
    for spectrum in features.spectra:
        columns += [first + spectrum.names.index(part) for part in spectrum.parts]
        first += len(spectrum.names)
    # of several accelerometers the first one tells
    columns = columns[: len(PARTS)]
    if not columns:
        return None
    z = ((computed - detector.mean_[data.mode]) / detector.scale_[data.mode])[:, columns]
    limit = np.maximum(z.max(axis=0), STANDS_OUT)
    odds = np.exp(z - limit)
    return Addition(
        output="fault_probability",
        width=len(PARTS),
        kinds=(),
        nodes="",
        fragment=Fragment(SIGNATURE, {"line_columns": np.array(columns, np.int64), "line_limit": limit[None]}),
        windows=data.windows,
        expected=odds / (1.0 + odds.sum(axis=1, keepdims=True)),
        codes=data.codes,
        size=1.0,
        faults=PARTS,
        figures={"signature_of": "bearing lines of the envelope, not of labelled faults"},
    )


def _with(fragment: Fragment, constants: dict[str, Any]) -> Fragment:
    return Fragment(fragment.text, fragment.constants | constants, fragment.attributes)


def _thinned(mode: NDArray[np.str_], n_samples: int) -> NDArray[np.int64]:
    """Windows of each class that are kept: a few of each that overlap, and no more than one class's share of the most."""
    classes = np.unique(mode)
    kept = []
    for each in classes:
        own = np.flatnonzero(mode == each)
        stride = max(1, min(n_samples // 4, len(own) // 100), len(own) * len(classes) // MOST_WINDOWS)
        kept.append(own[::stride])
    return np.concatenate(kept)
