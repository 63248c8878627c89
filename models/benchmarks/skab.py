"""Anomaly detection on SKAB, a pump rig with faults that were made on purpose."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Asset, Plant
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.dataset import read_recording
from models.evaluate import evaluate
from models.export import write
from models.features import FeatureGraph, Windows
from models.figures import Confusion, roc_auc
from models.settings import Settings
from models.training import calibrated, train

LABEL: Final = "anomaly"
TRAINING_ROWS: Final = 400
FOLDERS: Final = ("valve1", "valve2", "other")
# F1, FAR %, MAR % over all 34 files, from the leaderboard in github.com/waico/SKAB
PUBLISHED: Final = (("Conv-AE", 0.784, 13.6, 28.0), ("MSET", 0.780, 39.7, 14.1), ("T²+Q", 0.758, 26.6, 24.9))


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


def skab(folder: Path, plant: Plant, asset: str, settings: Settings, step: Callable[[str], None]) -> tuple[int, Pooled, Pooled]:
    """The outlier protocol of SKAB: the first 400 rows of each file train, the rest is scored, counts are pooled.

    Returns the number of files and the figures twice: with windows over rows, as published methods are measured, and
    as deployed: trained and replayed through the edge's grid, where rows that are missing count as time.
    """
    files = sorted(path for name in FOLDERS for path in (folder / name).glob("*.csv"))
    if not files:
        raise RecordingError(f"{folder}: has no recordings; expected folders {', '.join(FOLDERS)} with .csv files")
    # the protocol judges single rows, so nothing waits for others: neither persistence nor the on-delay of alarms
    settings = replace(settings, persistence=1)
    at_once = replace(plant.assets[asset], alarm=replace(plant.assets[asset].alarm, on_delay_s=0.0))
    plant = replace(plant, assets={**plant.assets, asset: at_once})
    by_rows, deployed = Pooled(), Pooled()
    with TemporaryDirectory() as temporary:
        for path in files:
            step(f"{path.parent.name}/{path.name}")
            recording = read_recording(path, plant, asset, [LABEL])
            by_rows.add(*_by_rows(recording, at_once, settings))
            deployed.add(*_deployed(recording, plant, asset, settings, Path(temporary) / "model.onnx"))
    return len(files), by_rows, deployed


def table(settings: Settings, n_files: int, by_rows: Pooled, deployed: Pooled) -> str:
    def line(name: str, f1: float, far: float, mar: float, auc: float | None) -> str:
        return f"{name:<32}{f1:>7.3f}{far:>8.1f}{mar:>8.1f}{'' if auc is None else format(auc, '10.3f')}"

    lines = [f"SKAB, outliers, {n_files} files", f"{'':<32}{'F1':>7}{'FAR %':>8}{'MAR %':>8}{'mean AUC':>10}"]
    for name, found in (("windows over rows", by_rows), ("through the edge", deployed)):
        c = found.confusion
        lines.append(line(f"{settings.family}, {name}", c.f1, 100 * c.false_alarm_rate, 100 * c.missed_rate, found.auc))
    lines.append(line("every row anomalous (floor)", by_rows.confusion.floor_f1, 100.0, 0.0, 0.5))
    lines.append("published, over all 34 files:")
    lines += [line(name, f1, far, mar, None) for name, f1, far, mar in PUBLISHED]
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


def _deployed(recording: Recording, plant: Plant, asset: str, settings: Settings, path: Path) -> tuple[Confusion, float]:
    write(path, train(recording.rows(0, TRAINING_ROWS), plant, settings).content)
    found = evaluate(plant, asset, OnnxModel.load(path), recording, LABEL, skip_rows=TRAINING_ROWS)
    return found.confusion, found.auc
