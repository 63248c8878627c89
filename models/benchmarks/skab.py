"""Anomaly detection on SKAB, a pump rig with faults that were made on purpose."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Asset, Plant
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.dataset import read_recording
from models.evaluate import evaluate
from models.export import write
from models.features import FeatureGraph, Windows
from models.figures import ChangePoints, Confusion, roc_auc
from models.settings import Settings
from models.training import calibrated, train

LABEL: Final = "anomaly"
CHANGE: Final = "changepoint"
# behind each change point [s]
CHANGE_WINDOW_S: Final = 60.0
# an alert ends when the score is back below this
REARMED: Final = 0.9
TRAINING_ROWS: Final = 400
FOLDERS: Final = ("valve1", "valve2", "other")
# F1, FAR %, MAR % over all 34 files, from the leaderboard in github.com/waico/SKAB
PUBLISHED: Final = (("Conv-AE", 0.784, 13.6, 28.0), ("MSET", 0.780, 39.7, 14.1), ("T²+Q", 0.758, 26.6, 24.9))
PUBLISHED_CHANGES: Final = "24 to 26"


@dataclass(slots=True, kw_only=True)
class Pooled:
    """Figures over several recordings: counts pooled, the area under the ROC curve as the mean of the files."""

    confusion: Confusion = field(default_factory=Confusion)
    aucs: list[float] = field(default_factory=list)

    def add(self, confusion: Confusion, auc: float) -> None:
        self.confusion += confusion
        self.aucs.append(auc)

    @property
    def auc(self) -> float:
        return float(np.nanmean(self.aucs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in a number of files.

    by_rows:  with windows over rows, as published methods are measured
    deployed: trained and replayed through the edge's grid, where rows that are missing count as time
    changes:  change points by the slopes of the same windows; metronome: what an alert every minute would get
    """

    n_files: int
    by_rows: Pooled
    deployed: Pooled
    changes: ChangePoints
    metronome: ChangePoints


def skab(folder: Path, plant: Plant, asset: str, settings: Settings, step: Callable[[str], None]) -> Found:
    """The protocols of SKAB: the first 400 rows of each file train, the rest is scored, counts are pooled."""
    files = sorted(path for name in FOLDERS for path in (folder / name).glob("*.csv"))
    if not files:
        raise RecordingError(f"{folder}: has no recordings; expected folders {', '.join(FOLDERS)} with .csv files")
    # the protocol judges single rows, so nothing waits for others: neither persistence nor the on-delay of alarms
    settings = replace(settings, persistence=1)
    at_once = replace(plant.assets[asset], alarm=replace(plant.assets[asset].alarm, on_delay_s=0.0))
    plant = replace(plant, assets={**plant.assets, asset: at_once})
    by_rows, deployed = Pooled(), Pooled()
    changes, metronome = ChangePoints(), ChangePoints()
    with TemporaryDirectory() as temporary:
        for path in files:
            step(f"{path.parent.name}/{path.name}")
            recording = read_recording(path, plant, asset, [LABEL, CHANGE])
            by_rows.add(*_by_rows(recording, at_once, settings))
            rest = recording.rows(TRAINING_ROWS)
            time_s, changed = rest.time / 1e9, rest.others[CHANGE] > 0
            every = np.arange(time_s[0], time_s[-1], CHANGE_WINDOW_S)
            changes += ChangePoints.of(time_s[changed], _alerts(recording, at_once, settings), CHANGE_WINDOW_S)
            metronome += ChangePoints.of(time_s[changed], every, CHANGE_WINDOW_S)
            deployed.add(*_deployed(recording, plant, asset, settings, Path(temporary) / "model.onnx"))
    return Found(n_files=len(files), by_rows=by_rows, deployed=deployed, changes=changes, metronome=metronome)


def table(settings: Settings, found: Found) -> str:
    def line(name: str, f1: float, far: float, mar: float, auc: float | None) -> str:
        return f"{name:<32}{f1:>7.3f}{far:>8.1f}{mar:>8.1f}{'' if auc is None else format(auc, '10.3f')}"

    def change(name: str, counted: ChangePoints) -> str:
        return f"{name:<32}{counted.score:>7.1f}{counted.found:>8}{counted.missed:>8}{counted.false:>8}"

    lines = [f"SKAB, outliers, {found.n_files} files", f"{'':<32}{'F1':>7}{'FAR %':>8}{'MAR %':>8}{'mean AUC':>10}"]
    for name, pooled in (("windows over rows", found.by_rows), ("through the edge", found.deployed)):
        c = pooled.confusion
        lines.append(line(f"{settings.family}, {name}", c.f1, 100 * c.false_alarm_rate, 100 * c.missed_rate, pooled.auc))
    lines.append(line("every row anomalous (floor)", found.by_rows.confusion.floor_f1, 100.0, 0.0, 0.5))
    lines.append("published, over all 34 files:")
    lines += [line(name, f1, far, mar, None) for name, f1, far, mar in PUBLISHED]
    lines += [
        "",
        f"SKAB, change points, {found.n_files} files; NAB standard profile, {CHANGE_WINDOW_S:g} s behind each",
        f"{'':<32}{'NAB':>7}{'found':>8}{'missed':>8}{'false':>8}",
        change(f"{settings.family}, slopes of windows", found.changes),
        change("an alert every minute (floor)", found.metronome),
        f"published, over all 34 files:    {PUBLISHED_CHANGES}",
        "The floor stands above all: change points lie a minute apart, and a false alert costs a ninth of a missed change.",
        "An alert every minute tells nobody anything, so this score should decide nothing.",
    ]
    return "\n".join(lines)


def _by_rows(recording: Recording, asset: Asset, settings: Settings) -> tuple[Confusion, float]:
    values = np.column_stack(list(recording.values.values())).astype(np.float32)
    n = settings.n_samples

    def windows(start: int, stop: int) -> Windows:
        return Windows(values=values, last=np.arange(start, stop), n_samples=n)

    healthy = windows(n - 1, TRAINING_ROWS)
    features = FeatureGraph.learn(healthy, settings.features)
    n_healthy = len(healthy)
    detector, _ = calibrated(
        features.compute(healthy), recording.time[n - 1 : TRAINING_ROWS], np.zeros(n_healthy, np.int64), asset, settings
    )
    score = detector.scores(features.compute(windows(TRAINING_ROWS, len(recording))))
    label = recording.others[LABEL][TRAINING_ROWS:]
    return Confusion.of(label, score >= 1), roc_auc(label, score)


def _alerts(recording: Recording, asset: Asset, settings: Settings) -> NDArray[np.float64]:
    """When [s] something changed: how the signals lean over the window, judged as the detector judges means.

    Only the first row of each excess is an alert.
    """
    values = np.column_stack(list(recording.values.values())).astype(np.float32)
    n = settings.n_samples
    every = Windows(values=values, last=np.arange(n - 1, len(recording)), n_samples=n)
    n_healthy = TRAINING_ROWS - (n - 1)
    features = FeatureGraph.learn(every.only(np.arange(n_healthy)), ["slope"])
    slopes = features.compute(every)[:, features.n_signals :]
    detector, _ = calibrated(
        slopes[:n_healthy], recording.time[n - 1 : TRAINING_ROWS], np.zeros(n_healthy, np.int64), asset, settings
    )
    alerts, armed = [], True
    for time, score in zip(recording.time[TRAINING_ROWS:], detector.scores(slopes[n_healthy:]), strict=True):
        if armed and score >= 1.0:
            alerts.append(time / 1e9)
        armed = score < (REARMED if not armed else 1.0)
    return np.array(alerts)


def _deployed(recording: Recording, plant: Plant, asset: str, settings: Settings, path: Path) -> tuple[Confusion, float]:
    write(path, train(recording.rows(0, TRAINING_ROWS), plant, settings).content)
    found = evaluate(plant, asset, OnnxModel.load(path), recording, LABEL, skip_rows=TRAINING_ROWS)
    return found.confusion, found.auc
