"""Scores of one group at one instant, or the reason why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import Reason
from edge.contracts.errors import ModelError
from edge.contracts.model_spec import WAVEFORM_PREFIX, ModelSpec
from edge.contracts.plant import Asset
from edge.contracts.sample_batch import TextTable
from edge.state_detection.onnx_model import BATCH_MULTIPLE, OnnxModel
from edge.state_detection.sustained import SustainedScore
from edge.state_detection.watch import Watch

# the number of a reason in `Detection.reason`; -1 is none
REASONS: Final = tuple(Reason)
SCORED: Final = -1
KNOWN_LIMIT: Final = 0.5
# what is larger than this, in whatever unit, was not measured: the largest float, where a controller has nothing to say
PLAUSIBLE: Final = 1e15
MOST_FLOAT: Final = float(np.finfo(np.float32).max)
# outputs that have to be numbers where there is a score, and the least that they may be
_NUMBERS: Final = {"score": 0.0, "known": -np.inf, "fault_probability": -np.inf, "contribution": -np.inf}
_NUMBER_OF: Final = {reason: np.int8(number) for number, reason in enumerate(REASONS)}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestBlocks:
    """Of one fast signal of a group: points (n_assets, n_points); where none has come yet, or not for long (n_assets,)."""

    points: Floats
    missing: NDArray[np.bool_]
    stale: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What state detection sees of a group, arrays (n_assets, n_signals) where not said otherwise.

    window:  (n_assets, n_samples or more, n_signals) float32; text signals as the numbers of their texts
    value:   the newest grid values, NaN where missing
    bad, stale: why a newest value is missing
    running: (n_assets,) bool
    filled:  (n_assets,) instants in the window since it was begun anew
    waveforms: by name the newest block of each fast signal
    """

    window: Floats
    value: NDArray[np.float64]
    bad: NDArray[np.bool_]
    stale: NDArray[np.bool_]
    running: NDArray[np.bool_]
    filled: NDArray[np.int64]
    waveforms: Mapping[str, NewestBlocks] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Detections of a group, (n_assets,) or (n_assets, n_signals of the model); rows that are withheld hold no meaning.

    score:      ≥ 0, 1.0 is the alarm limit; NaN where withheld
    momentary:  the same of this window alone, without what lasts
    reason:     index in `REASONS`, `SCORED` (-1) where there is a score
    anomalous:  the score has been ≥ 1 for the model's persistence
    outputs:    the model's other outputs, as it gave them
    """

    score: Floats
    momentary: Floats
    reason: NDArray[np.int8]
    anomalous: NDArray[np.bool_]
    coverage: Floats
    outputs: dict[str, Floats]


class Detector:
    """One model over one group. `problem` says why it gives no scores any more, None while it does.

    texts: (n_assets) of each asset the tables of its text signals by name, in whose numbers windows hold them
    watch: None in a replay; live, the model's runs are ended when they take too long
    """

    def __init__(
        self,
        model: OnnxModel,
        names: tuple[str, ...],
        texts: Sequence[Mapping[str, TextTable]],
        watch: Watch | None = None,
    ) -> None:
        self.model = model
        self.problem: str | None = None
        self.watch = watch
        n_assets = len(texts)
        spec = model.spec
        self._columns = np.array([names.index(signal.name) for signal in spec.signals], np.int64)
        self._all_columns = np.array_equal(self._columns, np.arange(len(names)))
        self._context = np.array([names.index(context.name) for context in spec.context], np.int64)
        self._codes_of = [{text: code for code, text in enumerate(context.codes)} for context in spec.context]
        self._tables = [[table[context.name] for context in spec.context] for table in texts]
        # (n_assets, n_contexts, n_texts) the model's number of each text of the tables, -1 where it was not trained on it
        self._lookup = np.full((n_assets, len(spec.context), 1), -1, np.int64)
        # (n_assets, n_contexts) how many texts of each table it has
        self._looked_up = np.zeros((n_assets, len(spec.context)), np.int64)
        # what has to be there now, for a score
        self._needed = np.concatenate([self._columns, self._context])
        self._codes_of_newest = b"", np.empty((0, 0), np.float32)
        self._streak = np.zeros(n_assets, np.int64)
        self._sustained = SustainedScore(n_assets, spec.sustained) if spec.sustained else None
        # the model's inputs, padded as it pads them itself, so that a window is copied once
        self._n_padded = n_assets + -n_assets % BATCH_MULTIPLE
        self._window = np.empty((self._n_padded, spec.n_samples, len(spec.signals)), np.float32)

    def detect(self, seen: Observation) -> Detection:
        spec, columns, needed = self.model.spec, self._columns, self._needed
        held = seen.window[:, seen.window.shape[1] - spec.n_samples :]
        n_assets = len(held)
        window = self._window[:n_assets]
        window[:] = held if self._all_columns else held[:, :, columns]
        changed = self._changed(held, seen)
        if changed is not None and changed.any() and spec.since_change:
            changed = self._forget(window, held, changed, seen)
        self._window[n_assets:] = window[-1:]
        blocks = {wave.name: seen.waveforms[wave.name] for wave in spec.waveforms}
        coverage, odd = _wholeness(window)
        reason = np.full(n_assets, SCORED, np.int8)
        # the later overrides the earlier: the most telling reason last
        for applies, why in (
            (coverage < spec.min_coverage, Reason.LOW_COVERAGE),
            (seen.filled < spec.n_samples, Reason.WARMING_UP),
            *((block.missing, Reason.WARMING_UP) for block in blocks.values()),
            (changed, Reason.CHANGEOVER),
            (_any_of(seen.bad, needed), Reason.BAD_QUALITY),
            (_any_of(seen.stale, needed), Reason.STALE),
            *((block.stale, Reason.STALE) for block in blocks.values()),
            (~seen.running, Reason.MACHINE_OFF),
        ):
            if applies is not None and np.count_nonzero(applies):
                reason[applies] = _NUMBER_OF[why]
        inputs = {"window": self._window}
        if len(self._context):
            codes = self._codes(seen)
            inputs["context"] = self._padded(codes)
            reason[(reason == SCORED) & (codes < 0).any(axis=1)] = _NUMBER_OF[Reason.UNKNOWN_RECIPE]
        inputs |= {f"{WAVEFORM_PREFIX}{name}": self._padded(block.points) for name, block in blocks.items()}
        outputs = self._run(inputs, reason, {Reason.BAD_QUALITY: odd, Reason.LOW_COVERAGE: coverage < 1.0})
        score = outputs.pop("score").copy()
        if "known" in outputs:
            unknown = (reason == SCORED) & (outputs["known"] < KNOWN_LIMIT)
            reason[unknown] = _NUMBER_OF[Reason.UNKNOWN_OPERATING_POINT]
        score[reason != SCORED] = np.nan
        momentary = score
        if self._sustained:
            score = self._sustained.update(score)
        self._streak = np.where(score >= 1.0, self._streak + 1, 0)
        return Detection(
            score=score,
            momentary=momentary,
            reason=reason,
            anomalous=self._streak >= spec.persistence,
            coverage=coverage,
            outputs=outputs,
        )

    def _changed(self, held: Floats, seen: Observation) -> NDArray[np.bool_] | None:
        """(n_assets,) whether the context has changed within the window: it holds two products, and belongs to neither."""
        if not len(self._context):
            return None
        before = held[:, :, self._context]
        differs = before != seen.value[:, None, self._context].astype(np.float32)
        # as a rule nothing differs
        return np.asarray((differs & ~np.isnan(before)).any(axis=(1, 2))) if np.count_nonzero(differs) else None

    def _forget(self, window: Floats, held: Floats, changed: NDArray[np.bool_], seen: Observation) -> NDArray[np.bool_]:
        """Takes what came before the last change out of the model's windows; (n_assets,) where too little is left of them."""
        rows = np.flatnonzero(changed)
        before = held[rows][:, :, self._context]
        differs = ((before != seen.value[rows][:, None, self._context].astype(np.float32)) & ~np.isnan(before)).any(axis=2)
        # whatever is not newer than the last instant that differs
        forgotten = np.logical_or.accumulate(differs[:, ::-1], axis=1)[:, ::-1]
        young = window[rows]
        young[forgotten] = np.nan
        window[rows] = young
        left = np.zeros_like(changed)
        left[rows] = _wholeness(young)[0] < self.model.spec.min_coverage
        return left

    def _padded(self, rows: Floats) -> Floats:
        return np.concatenate([rows, np.repeat(rows[-1:], self._n_padded - len(rows), axis=0)])

    def _codes(self, seen: Observation) -> Floats:
        """(n_assets, n_contexts) the model's own numbers of the newest texts, -1 for those that it was not trained on."""
        texts = seen.value[:, self._context]
        as_bytes = texts.tobytes()
        if as_bytes == self._codes_of_newest[0]:
            return self._codes_of_newest[1]
        newest = np.nan_to_num(texts, nan=-1.0).astype(np.int64)
        if (newest >= self._looked_up).any():
            self._learn_texts()
        found = np.take_along_axis(self._lookup, np.maximum(newest, 0)[:, :, None], axis=2)[:, :, 0]
        codes = np.where(newest >= 0, found, -1).astype(np.float32)
        # a machine makes the same for many instants, and a text keeps its number
        self._codes_of_newest = as_bytes, codes
        return codes

    def _learn_texts(self) -> None:
        self._looked_up[:] = [[len(table.texts) for table in tables] for tables in self._tables]
        longest = int(self._looked_up.max())
        self._lookup = np.full((*self._lookup.shape[:2], longest), -1, np.int64)
        for asset, tables in enumerate(self._tables):
            for context, table in enumerate(tables):
                numbers = [self._codes_of[context].get(text, -1) for text in table.texts]
                self._lookup[asset, context, : len(numbers)] = numbers

    def _run(
        self, inputs: dict[str, Floats], reason: NDArray[np.int8], excuses: Mapping[Reason, NDArray[np.bool_]]
    ) -> dict[str, Floats]:
        """Score all rows, withheld ones included: a row's place in the batch stays the same.

        excuses: (n_assets,) rows that a model need not give a score for, and the reason why it does not
        """
        if self.watch and self.watch.verdict is not None:
            # nobody waits for it any more
            return self._nothing(reason)
        begun = self.watch.clock() if self.watch else 0.0
        try:
            outputs = self.model.score(inputs, self.watch.deadline_s if self.watch else None)
            outputs = {name: values[: len(reason)] for name, values in outputs.items()}
            self._check_shapes(outputs, len(reason))
        except ModelError as error:
            self.problem = str(error)
            if self.watch:
                self.watch.failed(self.problem)
            return self._nothing(reason)
        for why, rows in excuses.items():
            if np.count_nonzero(rows):
                reason[(reason == SCORED) & rows & ~np.isfinite(outputs["score"])] = _NUMBER_OF[why]
        scored, self.problem = reason == SCORED, None
        for name, least in _NUMBERS.items():
            if name in outputs and not _are_numbers(outputs[name], least):
                good = np.isfinite(outputs[name]) & (outputs[name] >= least)
                nonsense = scored & ~good.reshape(len(reason), -1).all(axis=1)
                reason[nonsense] = _NUMBER_OF[Reason.NO_MODEL]
                if nonsense.any() and self.problem is None:
                    self.problem = f"{self.model.path}: gave a {name} that is no number ≥ 0"
        if self.watch:
            self.watch.ran(self.watch.clock() - begun, self.problem, scored=bool(scored.any()))
        return outputs

    def _nothing(self, reason: NDArray[np.int8]) -> dict[str, Floats]:
        reason[:] = _NUMBER_OF[Reason.NO_MODEL]
        return {"score": np.full(len(reason), np.nan, np.float32)}

    def _check_shapes(self, outputs: Mapping[str, Floats], n_assets: int) -> None:
        """Raise `ModelError` where outputs are not of these assets: what the file says of their shapes need not hold."""
        spec = self.model.spec
        least = {"contribution": len(spec.signals), "expected": len(spec.signals)}
        exact = {"fault_probability": len(spec.faults), "rul_h": 3}
        for name, values in outputs.items():
            width = values.shape[1] if values.ndim == 2 else 0
            if len(values) != n_assets or width < least.get(name, 0) or width != exact.get(name, width):
                raise ModelError(
                    f"{self.model.path}: gave the output '{name}' in the shape {values.shape} for {n_assets} assets"
                )

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"streak": self._streak} | (self._sustained.state() if self._sustained else {})

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._streak[:] = state["streak"]
        if self._sustained:
            self._sustained.restore(state)


def _wholeness(window: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(n_assets,) the share of numbers in each window, and whether one of them was not measured: it is not plausible."""
    rows = window.reshape(len(window), -1)
    # no square is larger than their sum, and NaN goes through it: a window that passes need not be looked at closer
    with np.errstate(over="ignore"):
        # half of it, as sums are rounded
        whole = np.vecdot(rows, rows) <= (PLAUSIBLE / 2) ** 2
    coverage, odd = np.ones(len(rows), np.float32), np.zeros(len(rows), np.bool_)
    if np.count_nonzero(whole) < len(rows):
        rest = rows[~whole]
        coverage[~whole] = np.isfinite(rest).mean(axis=1, dtype=np.float64)
        odd[~whole] = (np.abs(rest) > PLAUSIBLE).any(axis=1)
    return coverage, odd


def _any_of(those: NDArray[np.bool_], columns: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """(n_assets,) whether there is one in these columns; None where there is none at all."""
    return np.asarray(those[:, columns].any(axis=1)) if np.count_nonzero(those) else None


def _are_numbers(values: Floats, least: float) -> bool:
    """Whether all are finite, and none is less. NaN goes through both."""
    return not values.size or bool(max(least, -MOST_FLOAT) <= values.min() and values.max() <= MOST_FLOAT)


def undetected(n_assets: int) -> Detection:
    """What there is without a model."""
    score = np.full(n_assets, np.nan, np.float32)
    return Detection(
        score=score,
        momentary=score,
        reason=np.full(n_assets, REASONS.index(Reason.NO_MODEL), np.int8),
        anomalous=np.zeros(n_assets, np.bool_),
        coverage=np.zeros(n_assets, np.float32),
        outputs={},
    )


def check_fit(spec: ModelSpec, path: str, asset_id: str, asset: Asset) -> None:
    """Raise `ModelError` where a model does not fit an asset of the plant file."""
    faults = []
    if spec.asset_class != asset.asset_class:
        faults.append(f"is for class '{spec.asset_class}', not '{asset.asset_class}'")
    if spec.period_s != asset.period_s:
        faults.append(f"expects a period of {spec.period_s} s, the plant file says {asset.period_s} s")
    for signal in spec.signals:
        found = asset.signals.get(signal.name)
        if found is None:
            faults.append(f"needs the signal '{signal.name}'")
        elif found.unit != signal.unit:
            faults.append(f"expects '{signal.name}' in {signal.unit}, the plant file says {found.unit}")
    for wanted in spec.waveforms:
        there = asset.waveforms.get(wanted.name)
        if there is None:
            faults.append(f"needs the waveform '{wanted.name}'")
        elif (there.unit, there.rate_hz, there.points) != (wanted.unit, wanted.rate_hz, wanted.n_points):
            faults.append(
                f"expects '{wanted.name}' as {wanted.n_points} points in {wanted.unit} at {wanted.rate_hz:g} Hz, "
                f"the plant file says {there.points} in {there.unit} at {there.rate_hz:g} Hz"
            )
    faults += [
        f"is conditioned on '{context.name}', which should be a text signal: name it in the asset's 'context'"
        for context in spec.context
        if context.name not in asset.context
    ]
    if faults:
        raise ModelError(f"{path}: does not fit asset '{asset_id}': " + "; ".join(faults))
