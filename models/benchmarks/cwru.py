"""Bearing faults on the CWRU rig, told apart by the lines of the envelope alone: no fault is trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Bearing
from models.features import FeatureGraph, Windows
from models.spectra import PARTS, SpectrumGraph

RATE_HZ: Final = 12_000.0
N_POINTS: Final = 4096
SPEED: Final = 1797.0
BEARING: Final = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
HEALTHY: Final = "1797_Normal"
RECORDINGS: Final = {"1797_IR_7_DE12": PARTS[1], "1797_B_7_DE12": PARTS[2], "1797_OR@6_7_DE12": PARTS[0]}
# the protocol tells these three apart
JUDGED: Final = PARTS[:3]
# lines that stand out less than this [standard deviations of the healthy recording] name nothing
NAMED: Final = 5.0


def cwru(folder: Path, step: Callable[[str], None]) -> str:
    """The table of figures. Raises `RecordingError` where a file is not there."""
    # the healthy recording was taken at 48 kHz
    healthy = _lines(resample_poly(_read(folder / f"{HEALTHY}.npz"), 1, 4))
    mean, spread = healthy.mean(axis=0), healthy.std(axis=0)
    lines = [
        f"CWRU, drive end, 1797/min, windows of {N_POINTS} points at 12 kHz: the line that stands out most against healthy",
        f"{'':<20}{'windows':>8}{'right %':>9}" + "".join(f"{part.removeprefix('bearing-'):>12}" for part in JUDGED),
    ]
    named = []
    for name, fault in RECORDINGS.items():
        step(name)
        z = (_lines(_read(folder / f"{name}.npz")) - mean) / spread
        told = z.argmax(axis=1)
        right = told == JUDGED.index(fault)
        shares = "".join(f"{100 * (told == number).mean():>10.0f} %" for number in range(len(JUDGED)))
        lines.append(f"{fault.removeprefix('bearing-'):<20}{len(z):>8}{100 * right.mean():>9.1f}{shares}")
        sure = z.max(axis=1) >= NAMED
        correct = f", {100 * right[sure].mean():.0f} % of them right" if sure.any() else ""
        named.append(f"{fault.removeprefix('bearing-')} {100 * sure.mean():.0f} %{correct}")
    lines.append(f"{'chance (floor)':<20}{'':>8}{100 / len(JUDGED):>9.1f}")
    lines.append(f"named, where a line stands out by {NAMED:g} standard deviations: {'; '.join(named)}")
    return "\n".join(lines)


def _lines(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_blocks, 3): how far the lines of each part stand out, block by block."""
    n = len(signal) // N_POINTS
    blocks = signal[: n * N_POINTS].reshape(n, N_POINTS).astype(np.float32)
    graph = SpectrumGraph(
        name="acceleration",
        unit="[g]",
        rate_hz=RATE_HZ,
        n_points=N_POINTS,
        speed_column=0,
        usual_speed=SPEED,
        bearing=BEARING,
    )
    index = np.arange(n)
    windows = Windows(
        values=np.full((n, 1), SPEED, np.float32), last=index, n_samples=1, waveforms={graph.name: (blocks, index)}
    )
    features = FeatureGraph.learn(windows, (), (graph,)).compute(windows)
    first = 1 + graph.names.index(PARTS[0])
    return features[:, first : first + len(JUDGED)].astype(np.float64)


def _read(path: Path) -> NDArray[np.float64]:
    try:
        with np.load(path) as archive:
            return np.asarray(archive["DE"].ravel(), np.float64)
    except OSError:
        raise RecordingError(f"{path}: is not there") from None
