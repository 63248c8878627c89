"""Two bearings of PRONOSTIA that were run to failure: how long before the end an alarm came, beside the plant's own rule.

Each is judged by what it did itself when it was new: the first 100 snapshots after 10 of run-in are the baseline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.plant import AlarmSettings
from edge.pipeline import GUESSED_FAILURE_SCORE, GUESSED_SPREAD, DegradationTrend
from models.features import FeatureGraph, Windows
from models.settings import Settings
from models.spectra import SpectrumGraph
from models.training import calibrated

PERIOD_S: Final = 10.0
RUN_IN: Final = 10
BASELINE: Final = 100
# of the 2560 points of a snapshot, what a power of two takes
N_POINTS: Final = 2048
PERSISTENCE: Final = 5
RMS_RATIO: Final = 1.5
# baselines of 100 snapshots are too short for more
SEEN: Final = ("level", "octave")


AT_ONCE: Final = AlarmSettings(on_delay_s=0.0, off_delay_s=0.0)


@dataclass(frozen=True, slots=True)
class _Asset:
    period_s: float = PERIOD_S
    alarm: AlarmSettings = AT_ONCE


def pronostia(folder: Path, step: Callable[[str], None]) -> str:
    """The table of figures. Raises `RecordingError` where there are no recordings."""
    paths = sorted(folder.glob("raw_Bearing*.npz"))
    if not paths:
        raise RecordingError(f"{folder}: has no raw_Bearing*.npz")
    lines = [
        f"PRONOSTIA, {len(paths)} bearings run to failure, baseline of {BASELINE} snapshots, {PERSISTENCE} in a row alarm",
        f"{'':<14}{'life min':>9}{'RMS rule: lead min':>20}{'kullager: lead min':>20}{'in the first quarter':>22}",
    ]
    inside, told, life = 0, 0, 0
    for path in paths:
        step(path.stem)
        with np.load(path) as archive:
            points = archive["acc"].astype(np.float32) * archive["scale"]
        n = len(points)
        score = _scores(points)
        root = np.sqrt((points.astype(np.float64) ** 2).mean(axis=1))
        rms = (root / root[RUN_IN : RUN_IN + BASELINE].mean(axis=0)).max(axis=1)
        leads = [_lead(values >= limit) for values, limit in ((rms, RMS_RATIO), (score, 1.0))]
        early = [lead is not None and n - lead < n / 4 for lead in leads]
        minutes = [f"{lead * PERIOD_S / 60:.1f}" if lead is not None else "none" for lead in leads]
        quarter = f"{'RMS ' if early[0] else ''}{'kullager' if early[1] else ''}" or "no alarm"
        lines.append(
            f"{path.stem.removeprefix('raw_'):<14}{n * PERIOD_S / 60:>9.0f}{minutes[0]:>20}{minutes[1]:>20}{quarter:>22}"
        )
        counts = _intervals(score)
        inside, told, life = inside + counts[0], told + counts[1], life + counts[2]
    by_trend = "remaining life by the trend of the score, as the edge tells it: "
    if told:
        by_trend += f"told in {told / life:.0%} of the time before; the 80 % interval held {inside / told:.0%} of it"
    else:
        by_trend += "no trend was sure enough to tell one"
    return "\n".join([*lines, by_trend])


def _scores(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n_snapshots,) by the default family, of the levels and octaves of both accelerometers (n_snapshots, n_points, 2)."""
    n = len(points)
    index = np.arange(n)
    graphs = [
        SpectrumGraph(
            name=name, unit="[g]", rate_hz=25_600.0, n_points=N_POINTS, speed_column=None, usual_speed=None, bearing=None
        )
        for name in ("horizontal", "vertical")
    ]
    waveforms = {graph.name: (points[:, :N_POINTS, axis], index) for axis, graph in enumerate(graphs)}
    windows = Windows(values=np.zeros((n, 1), np.float32), last=index, n_samples=1, waveforms=waveforms)
    seen = [1 + number for number, name in enumerate(graphs[0].names * 2) if name.startswith(SEEN)]
    features = FeatureGraph.learn(windows, (), graphs).compute(windows)[:, seen]
    new = slice(RUN_IN, RUN_IN + BASELINE)
    settings = Settings(n_samples=2, persistence=PERSISTENCE, false_alarms=0.0)
    time = (index * PERIOD_S * 1e9).astype(np.int64)
    detector, _ = calibrated(features[new], time[new], np.zeros(BASELINE, np.int64), _Asset(), settings)
    return detector.scores(features)


def _lead(above: NDArray[np.bool_]) -> int | None:
    """Snapshots from the first alarm after the baseline to the end; None without one."""
    streak = 0
    for number in range(RUN_IN + BASELINE, len(above)):
        streak = streak + 1 if above[number] else 0
        if streak == PERSISTENCE:
            return len(above) - 1 - number
    return None


def _intervals(score: NDArray[np.float64]) -> tuple[int, int, int]:
    """Snapshots in which the interval held what was left until the rig was stopped, in which it was told, and all of them."""
    failed = len(score)
    trend, inside, told = DegradationTrend(1, GUESSED_FAILURE_SCORE, GUESSED_SPREAD), 0, 0
    for number in range(RUN_IN + BASELINE, failed):
        now = round(number * PERIOD_S * 1e9)
        ((low, middle, high),) = trend.update(now, score[number : number + 1].astype(np.float32))
        if np.isfinite(middle):
            told += 1
            inside += low <= (failed - number) * PERIOD_S / 3600 <= high
    return inside, told, failed - RUN_IN - BASELINE
