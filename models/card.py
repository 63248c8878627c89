"""The model card: what a maintenance engineer should know before trusting a model, as Markdown beside the file."""

import hashlib
import time
from pathlib import Path
from typing import Final

import numpy as np

from edge.contracts.model_spec import WAVEFORM_PREFIX, ModelSignal, ModelSpec, SignalReference
from edge.pipeline import OnnxModel
from models.calibrate import Calibration
from models.figures import plainly
from models.training import TrainedModel

# below this share of a week, the false-alarm figure is more guess than measurement
ENOUGH_H: Final = 168.0
LATENCY_ROUNDS: Final = 200


def latency_us(path: Path) -> float:
    """Median time [µs] in which this machine scores one asset with the model in `path`, as the edge runs it."""
    model = OnnxModel.load(path)
    inputs = {"window": np.zeros((1, model.spec.n_samples, len(model.spec.signals)), np.float32)}
    if model.spec.context:
        inputs["context"] = np.zeros((1, len(model.spec.context)), np.float32)
    for wave in model.spec.waveforms:
        inputs[f"{WAVEFORM_PREFIX}{wave.name}"] = np.zeros((1, wave.n_points), np.float32)
    rounds = []
    for _ in range(LATENCY_ROUNDS):
        begun = time.perf_counter_ns()
        model.score(inputs)
        rounds.append(time.perf_counter_ns() - begun)
    return float(np.median(rounds)) / 1000


def false_alarm_sentence(calibration: Calibration) -> str:
    """The false-alarm figure with what it rests on, and how far it can be trusted."""
    alarms = calibration.false_alarms
    hours = alarms.observed_s / 3600
    sentence = (
        f"{alarms.count} alarm{'' if alarms.count == 1 else 's'} in {hours:.3g} h of held-out healthy data: "
        f"{plainly(alarms.per_week)} a week, and with 95 % confidence at most {plainly(alarms.at_most)}."
    )
    if hours < ENOUGH_H:
        sentence += " That is too little data to promise anything: train on a week or more of normal operation."
    return sentence


def card(trained: TrainedModel, asset: str, latency: float) -> str:
    """The whole card. `latency` is in µs and of this machine; it stands here and not in the file."""
    spec = trained.spec
    on = spec.trained_on
    assert on is not None  # noqa: S101 - training always says
    window_s = spec.n_samples * spec.period_s
    rows = [_row(signal, spec.reference[signal.name]) for signal in spec.signals]
    return f"""# {spec.name}, version {spec.version}

A detector of unusual behaviour for machines of class `{spec.asset_class}`, trained on `{asset}`.
{_tells(trained)}

## Trained on

{on.rows} rows{_machines(trained)} from {on.first} to {on.last}, which gave {len(trained.data.windows)} windows of
{window_s:g} s.
Content (SHA-256): `{on.sha256}`

| signal | unit | normal (1 to 99 %) | band round the expected value (99 %) |
|---|---|---|---|
{chr(10).join(rows)}

<!-- drift -->

## How it decides

{_decides(trained, window_s)} The score is a distance in units of its limit: **1.0 is the alarm limit**. The machine counts as
anomalous after {spec.persistence} scores of 1 or more in a row.{_sustained(spec)}
{_modes(trained)}
<!-- scores -->

<!-- contributions -->
{_diagnosis(trained)}{_life(trained)}
## False alarms

The limit is the smallest at which healthy data that the model had not seen raise {_wanted(trained)}.
{false_alarm_sentence(trained.calibration)}
Counted with the on-delay, off-delay and hysteresis of the plant file, against limits in which the counted quarter had no say.
{trained.calibration.exceedance:.2%} of held-out instants had a score of 1 or more.

<!-- calibration -->

## Proof and speed

The file gives what scikit-learn gives on all {trained.parity.n_windows} training windows (largest relative difference
{trained.parity.largest:.1e}). One asset is scored in {latency:.0f} µs on the machine that trained it.
SHA-256 of the file: `{hashlib.sha256(trained.content).hexdigest()}`

## Limits of use

- It knows only the operating points it was trained on; a new season or speed may look like a fault.
- If a fault was already present in the training data, it is part of what the model calls normal.
- It sees the means over {window_s:g} s: shorter events are smoothed away, and a fault shows with that delay.
- Nothing is scored while the machine is off, while a newest value is missing, or when less than {spec.min_coverage:.0%} of a
  window is there.
- Retrain after a repair or a change of sensors, and whenever false alarms exceed what stands above.
"""


HOW: Final = {
    "covariance": "How far they lie from their training means is measured against how they varied together (Mahalanobis "
    "distance, Ledoit-Wolf covariance).",
    "forward": "How far they lie from their training means is measured against how they varied together and wandered from one "
    "quarter of the training time to the next (Mahalanobis distance, Ledoit-Wolf covariance).",
    "pca": "They are compared with the patterns in which they varied together in training: how far out the machine is within "
    "these patterns (T²), and how badly the signals fit them (Q).",
    "kernel": "They are compared with the most similar situations of the training data (auto-associative kernel regression).",
    "autoencoder": "They are compared with what a small neural network makes of them that has learnt to reproduce normal ones.",
    "mixture": "They are compared with the nearest of the regimes that were found in the training data (Gaussian mixture).",
    "forest": "It is counted how few random cuts set them apart from the training data (isolation forest).",
}
SEEN: Final = {
    "mean": "the mean",
    "spread": "the spread",
    "slope": "the change",
    "jitter": "the jitter from instant to instant",
}


def _decides(trained: TrainedModel, window_s: float) -> str:
    figures = trained.spec.figures
    seen = " and ".join(SEEN[kind] for kind in figures["features"])
    verb = "is" if len(figures["features"]) == 1 else "are"
    return f"Of each signal {seen} over the last {window_s:g} s {verb} looked at. {HOW[figures['family']]}"


def _tells(trained: TrainedModel) -> str:
    faults, lives = trained.spec.faults, "rul_lives" in trained.spec.figures
    if not faults and not lives:
        return (
            "It was shown normal operation only: it tells *that* and *where* a machine differs from it, not which fault it has."
        )
    known = [f"which of {len(faults)} faults it most likely is"] if faults else []
    known += ["how long the machine will last"] if lives else []
    return f"It tells *that* and *where* a machine differs from normal operation, and {' and '.join(known)}."


def _diagnosis(trained: TrainedModel) -> str:
    spec = trained.spec
    if not spec.faults:
        return ""
    if "diagnosis_f1" not in spec.figures:
        return (
            f"\n## Which fault\n\nBearing parts ({', '.join(spec.faults)}) are told by their lines in the spectrum of the "
            "envelope, at the measured speed and after the bearing's geometry. No fault was trained on, so how often it is "
            "right was not measured on this machine.\n"
        )
    f1, seen = spec.figures["diagnosis_f1"], spec.figures["diagnosis_occurrences"]
    rows = "\n".join(f"| {fault} | {seen[fault]} | {f1[fault]:.2f} |" for fault in spec.faults)
    return f"""
## Which fault

| fault | occurrences in training | F1 on those that were held out |
|---|---|---|
{rows}

Whole occurrences were held out, never single windows. Probabilities are off by
{spec.figures["diagnosis_calibration_error"]:.0%} on average. What was not labelled is taken for the most similar of these,
or for none.
"""


def _life(trained: TrainedModel) -> str:
    figures = trained.spec.figures
    if "rul_lives" not in figures:
        return ""
    return f"""
## Remaining life

Learnt from {figures["rul_lives"]} lives that ended in a labelled failure. On lives that were held out its error (RMSE) is
{figures["rul_rmse_h"]:.3g} h; always saying their mean would be off by {figures["rul_rmse_floor_h"]:.3g} h. The 80 % interval
held {figures["rul_coverage"]:.0%} of the time. What is farther off than {figures["rul_horizon_h"]:.3g} h is told as that.

<!-- life -->
"""


def _machines(trained: TrainedModel) -> str:
    machines = trained.spec.figures["machines"]
    return f" of {', '.join(machines)}" if len(machines) > 1 else ""


def _sustained(spec: ModelSpec) -> str:
    if (known := spec.sustained) is None:
        return ""
    return (
        f" So it does where the mean of small scores over {plainly(known.instants * spec.period_s / 3600)} h lies above "
        f"{known.limit:.2f}, as it never did while the machine was healthy."
    )


def _modes(trained: TrainedModel) -> str:
    spec, words = trained.spec, ""
    if spec.context:
        told_by = " and ".join(f"`{context.name}`" for context in spec.context)
        words = (
            f"\nWhat is normal depends on {told_by}. It knows: {', '.join(spec.figures['modes'])}.\n"
            "For anything else there is no score (`unknown-operating-point`), and none while it changes (`changeover`).\n"
        )
    if operating := spec.figures["operating"]:
        words += (
            f"\nWhere {' and '.join(f'`{name}`' for name in operating)} {'is' if len(operating) == 1 else 'are'} as never in "
            "training, there is no score (`unknown-operating-point`).\n"
        )
    return words


def _wanted(trained: TrainedModel) -> str:
    wanted = trained.spec.figures["false_alarms_wanted"]
    if wanted == 0:
        return "no alarm"
    return f"at most {wanted:g} alarm{'' if wanted == 1 else 's'} a week, and none where there is too little of it for one"


def _row(signal: ModelSignal, reference: SignalReference) -> str:
    lowest, *_, highest = reference.quantiles
    return f"| {signal.name} | {signal.unit} | {lowest:.4g} to {highest:.4g} | ± {reference.tolerance:.3g} |"
