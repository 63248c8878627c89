"""Diagnosis on the hydraulic rig: the state of four components, each from one cycle of 60 s."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.metrics import f1_score

from edge.contracts.errors import RecordingError
from models.diagnosis import FaultClassifier, calibration_error, signs
from models.features import FeatureGraph, Windows

COMPONENTS: Final = ("cooler", "valve", "pump leakage", "accumulator")
BLOCK: Final = 20


def hydraulic(path: Path, step: Callable[[str], None]) -> str:
    """The table of figures. Raises `RecordingError` where the file is not there."""
    try:
        with np.load(path / "hydraulic_1hz.npz" if path.is_dir() else path) as archive:
            profile = archive["profile"]
            cycles = np.stack([archive[name] for name in archive.files if name != "profile"], axis=2).astype(np.float32)
    except OSError:
        raise RecordingError(f"{path}: has no hydraulic_1hz.npz") from None
    n_cycles, n_samples, n_signals = cycles.shape
    windows = Windows(values=cycles.reshape(-1, n_signals), last=(np.arange(n_cycles) + 1) * n_samples - 1, n_samples=n_samples)
    features = FeatureGraph.learn(windows, ())
    seen = signs(features, windows, profile=True)
    # contiguous runs of one condition, cut into blocks: neighbours in time never stand on both sides of a split
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(profile, axis=0) != 0).any(axis=1)]))
    run = np.searchsorted(begins, np.arange(n_cycles), "right") - 1
    within = (np.arange(n_cycles) - begins[run]) // BLOCK
    block = np.unique(np.column_stack([run, within]), axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    lines = [
        f"Hydraulic rig, {n_cycles} cycles in {block.max() + 1} blocks, 5 folds by block, no block torn apart",
        f"{'':<16}{'classes':>8}{'macro F1':>10}{'floor':>8}{'calibration error':>19}",
    ]
    for number, name in enumerate(COMPONENTS):
        step(name)
        state = profile[:, number].astype(np.int64)
        classes = np.unique(state)
        model = FaultClassifier()
        held_out = model.held_out(seen, state, block)
        probability = model.fit(seen, state, block).calibrate(held_out, state).sharpened(held_out)
        told = classes[probability.argmax(axis=1)]
        floor = f1_score(state, np.full(n_cycles, np.bincount(state).argmax()), average="macro", zero_division=0)
        figures = f1_score(state, told, average="macro"), floor, calibration_error(probability, state, classes)
        lines.append(f"{name:<16}{len(classes):>8}{figures[0]:>10.3f}{figures[1]:>8.3f}{figures[2]:>19.3f}")
    lines.append("floor: always the most frequent state")
    return "\n".join(lines)
