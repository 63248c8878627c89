"""What a model gives, for windows as they are and as they might be. Runs it: only where that may go wrong."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import WAVEFORM_PREFIX
from edge.model_trial.windows import HUGE, TrialWindows
from edge.state_detection.onnx_model import BATCH_MULTIPLE, Arrays, OnnxModel

MAX_SAMPLES: Final = 1 << 20
MAX_SIGNALS: Final = 4096
MAX_WAVEFORM_POINTS: Final = 1 << 22
MAX_ASSETS: Final = 4096
# numbers in one batch
MAX_BATCH: Final = 1 << 25
# of processor time: the share of a period, and never more than this, as all groups of an edge take turns
LATENCY_SHARE: Final = 0.2
MAX_LATENCY_S: Final = 1.0
# it is run for so long to time it: some kernels count processor time in hundredths of a second
TIMED_S: Final = 0.05
# how far two runs may lie apart where batches differ: sums of float32 in another order
RELATIVE, ABSOLUTE = 1e-3, 1e-5
SUM_TOLERANCE: Final = 1e-3

Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """latency_s: processor time for one batch of all assets; notes: what is no reason to refuse, but worth knowing."""

    latency_s: float
    notes: tuple[str, ...]


def try_model(model: OnnxModel, n_assets: int) -> Behaviour:
    """Raise `ModelError` with the first thing that a model in service must not do."""
    return _Trial(model, n_assets).run()


class _Trial:
    def __init__(self, model: OnnxModel, n_assets: int) -> None:
        self._model, self._path, self._spec = model, model.path, model.spec
        self._n_assets = min(max(n_assets, 1), MAX_ASSETS)
        self._check_spec()
        self._windows = TrialWindows(self._checked_golden())
        self._widths = self._wanted_widths()

    def run(self) -> Behaviour:
        windows = self._windows
        healthy = windows.healthy(BATCH_MULTIPLE)
        self._check_numbers(healthy, self._repeated("healthy windows", healthy), "a healthy window")
        latency_s = self._check_latency()
        noisy = windows.noisy(BATCH_MULTIPLE)
        alone = self._repeated("healthy windows with noise", noisy)
        self._check_numbers(noisy, alone, "a healthy window with noise")
        self._check_neighbours(noisy, alone)
        constant = windows.constant(BATCH_MULTIPLE)
        self._check_numbers(constant, self._repeated("constant windows", constant), "a window that never changes")
        for what, inputs in windows.strange(BATCH_MULTIPLE):
            self._repeated(what, inputs)
        turns = np.arange(self._n_assets) % BATCH_MULTIPLE
        together = self._repeated("a batch of all assets", {name: values[turns] for name, values in noisy.items()})
        self._compare(alone, together, turns, np.arange(self._n_assets))
        return Behaviour(latency_s=latency_s, notes=tuple(self._missing_values()))

    def _check_spec(self) -> None:
        """What the inputs are made by, before any is made."""
        spec = self._spec
        sizes = {"n_samples": (spec.n_samples, MAX_SAMPLES), "the number of signals": (len(spec.signals), MAX_SIGNALS)}
        for wave in spec.waveforms:
            sizes[f"n_points of '{wave.name}'"] = (wave.n_points, MAX_WAVEFORM_POINTS)
        sizes["persistence"] = (spec.persistence, MAX_SAMPLES)
        for what, (size, most) in sizes.items():
            if not 1 <= size <= most:
                raise ModelError(f"{self._path}: {what} in its metadata is {size}; it should be 1 to {most}")
        if not (spec.period_s > 0 and np.isfinite(spec.period_s)):
            raise ModelError(f"{self._path}: period_s in its metadata is {spec.period_s}; it should be above 0")
        if not 0 <= spec.min_coverage <= 1:
            raise ModelError(f"{self._path}: min_coverage in its metadata is {spec.min_coverage}; it should be 0 to 1")
        if spec.sustained and not (
            all(0 < limit <= 1 for limit in (spec.sustained.limit, spec.sustained.quick_limit))
            and min(spec.sustained.instants, spec.sustained.quick_instants) >= 1
        ):
            raise ModelError(
                f"{self._path}: sustained in its metadata is {spec.sustained}; its limits should be above 0 and at most 1, and "
                "its instants 1 or more"
            )
        names = [signal.name for signal in spec.signals]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ModelError(f"{self._path}: its metadata name the signal '{twice[0]}' twice")
        row = spec.n_samples * len(spec.signals) + sum(wave.n_points for wave in spec.waveforms)
        rows = max(self._n_assets, BATCH_MULTIPLE)
        if row * rows > MAX_BATCH:
            raise ModelError(
                f"{self._path}: takes {row} numbers for each of {rows} assets by its metadata, more than can be tried"
            )

    def _checked_golden(self) -> Arrays:
        """Golden inputs, of the shape that the metadata say, with scores that are some."""
        golden, spec = self._model.golden, self._spec
        shapes: dict[str, tuple[int, ...]] = {"window": (spec.n_samples, len(spec.signals))}
        if spec.context:
            shapes["context"] = (len(spec.context),)
        shapes |= {f"{WAVEFORM_PREFIX}{wave.name}": (wave.n_points,) for wave in spec.waveforms}
        n_rows = len(golden.inputs["window"])
        for name, shape in shapes.items():
            if n_rows == 0 or golden.inputs[name].shape != (n_rows, *shape):
                raise ModelError(
                    f"{self._path}: golden input '{name}' has the shape {golden.inputs[name].shape}; by its metadata "
                    f"it should be (n, {', '.join(map(str, shape))})"
                )
        score = golden.outputs["score"]
        if not (np.isfinite(score).all() and (score >= 0).all()):
            raise ModelError(f"{self._path}: golden vector 'score' holds {_worst(score)}; a score is a number ≥ 0")
        return {name: golden.inputs[name] for name in shapes}

    def _wanted_widths(self) -> dict[str, tuple[int, ...]]:
        """Of each output the widths that it may have; none for those of one dimension."""
        spec = self._spec
        n_signals = len(spec.signals)
        return {
            "score": (),
            "known": (),
            "contribution": (n_signals, n_signals + len(spec.waveforms)),
            "expected": (n_signals,),
            "fault_probability": (len(spec.faults),),
            "rul_h": (3,),
        }

    def _missing_values(self) -> Iterator[str]:
        """Whether it scores windows of which a part is missing, as its minimal coverage says that it does."""
        inputs = self._windows.with_gaps(BATCH_MULTIPLE)
        outputs = self._repeated("windows with gaps", inputs)
        scored = np.isfinite(outputs["score"])
        if (outputs["score"][scored] < 0).any():
            raise ModelError(f"{self._path}: score {_worst(outputs['score'])} for a window with gaps; it should be ≥ 0")
        self._check_others(outputs, scored, "a window with gaps")
        if not scored.all() and self._spec.min_coverage < 1:
            yield "gives no score where a value of the window is missing, though min_coverage is below 1"

    def _repeated(self, what: str, inputs: Arrays) -> Arrays:
        """Outputs of the right shapes, which are the same the second time."""
        first, second = self._score(what, inputs), self._score(what, inputs)
        for name, values in first.items():
            if values.tobytes() != second[name].tobytes():
                raise ModelError(f"{self._path}: does not repeat itself: '{name}' differs the second time for {what}")
        return first

    def _score(self, what: str, inputs: Arrays) -> Arrays:
        n_rows, outputs = len(inputs["window"]), self._model.score(inputs)
        for name, values in outputs.items():
            widths = self._widths[name]
            shapes: list[tuple[int, ...]] = [(n_rows, width) for width in widths] or [(n_rows,)]
            if values.shape not in shapes:
                raise ModelError(
                    f"{self._path}: output '{name}' has the shape {values.shape} for {what}; by its metadata it should be "
                    f"{shapes[0]}"
                )
        return outputs

    def _check_numbers(self, inputs: Arrays, outputs: Arrays, what: str) -> None:
        """A number for each output of windows that have nothing wrong with them."""
        score = outputs["score"]
        if not (np.isfinite(score).all() and (score >= 0).all()):
            raise ModelError(f"{self._path}: score {_worst(score)} for {what}; it should be a number ≥ 0")
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise ModelError(f"{self._path}: output '{name}' is {_worst(values)} for {what}; it should be a number")
        self._check_others(outputs, np.ones(len(inputs["window"]), np.bool_), what)

    def _check_others(self, outputs: Arrays, rows: Rows, what: str) -> None:
        """The ranges of what goes with a score."""
        if "contribution" in outputs:
            shares = outputs["contribution"][rows]
            sums = shares.sum(axis=1, dtype=np.float64)
            if not (np.abs(sums - 1) <= SUM_TOLERANCE).all():
                off = sums[np.argmax(np.nan_to_num(np.abs(sums - 1), nan=np.inf))]
                raise ModelError(f"{self._path}: contributions sum to {off:.4g} for {what}; they should sum to 1")
            if not (shares >= -SUM_TOLERANCE).all():
                raise ModelError(f"{self._path}: a contribution is {shares.min():.4g} for {what}; it should be 0 to 1")
        for name in ("fault_probability", "known"):
            if name in outputs:
                values = outputs[name][rows]
                if not ((values >= -SUM_TOLERANCE) & (values <= 1 + SUM_TOLERANCE)).all():
                    raise ModelError(f"{self._path}: '{name}' is {_worst(values)} for {what}; it should be 0 to 1")
        if "rul_h" in outputs:
            life = outputs["rul_h"][rows]
            if not (life >= 0).all():
                raise ModelError(f"{self._path}: 'rul_h' is {_worst(life)} for {what}; hours that remain are ≥ 0")
            if not (np.diff(life, axis=1) >= -1e-6 * life[:, 1:]).all():
                raise ModelError(f"{self._path}: 'rul_h' does not rise from p10 to p50 and p90 for {what}")

    def _check_neighbours(self, inputs: Arrays, alone: Arrays) -> None:
        """Each row's outputs stay, whatever its neighbours, its place, and the number of rows."""
        n = len(inputs["window"])
        even = np.arange(0, n, 2)
        for value in (np.nan, HUGE):
            mixed = self._windows.filled(n, value)
            for name, values in inputs.items():
                mixed[name][even] = values[even]
            self._compare(alone, self._score("windows beside broken ones", mixed), even, even)
        order = np.arange(n)[::-1].copy()
        turned = self._score("windows in another order", {name: values[order] for name, values in inputs.items()})
        self._compare(alone, turned, order, np.arange(n))
        extra = self._windows.noisy(n)
        more = {name: np.concatenate([values, extra[name]]) for name, values in inputs.items()}
        self._compare(alone, self._score("more windows", more), np.arange(n), np.arange(n))

    def _compare(self, one: Arrays, other: Arrays, at: NDArray[np.int64], at_other: NDArray[np.int64]) -> None:
        for name, values in one.items():
            if not np.allclose(values[at], other[name][at_other], rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True):
                raise ModelError(f"{self._path}: '{name}' of a window depends on its neighbours in the batch")

    def _check_latency(self) -> float:
        inputs, n_runs = self._windows.healthy(self._n_assets), 0
        # the first run of a shape makes room for it
        self._score("a batch of all assets", inputs)
        begun, cpu_begun = time.perf_counter(), time.process_time()
        while n_runs == 0 or time.perf_counter() - begun < TIMED_S:
            self._score("a batch of all assets", inputs)
            n_runs += 1
        latency_s = (time.process_time() - cpu_begun) / n_runs
        allowed_s = min(LATENCY_SHARE * self._spec.period_s, MAX_LATENCY_S)
        if latency_s > allowed_s:
            raise ModelError(
                f"{self._path}: too slow: takes {latency_s:.3g} s of processor time for {self._n_assets} assets; "
                f"{allowed_s:.3g} s are allowed at a period of {self._spec.period_s:g} s"
            )
        return latency_s


def _worst(values: NDArray[np.float32]) -> str:
    """What stands out: something that is no number, or the least, or the largest."""
    broken = values[~np.isfinite(values)]
    if broken.size:
        return str(float(broken.flat[0]))
    least, largest = float(values.min()), float(values.max())
    return f"{least if least < 0 else largest:.4g}"
