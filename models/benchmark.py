"""Published protocols on recorded data, so that a change of a model shows as figures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.calibrate import calibrate
from models.dataset import read_recording
from models.detectors import PcaDetector
from models.evaluate import evaluate
from models.export import write
from models.features import Windows, trailing_means
from models.figures import Confusion, roc_auc
from models.settings import Settings
from models.training import train

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


def skab(folder: Path, plant: Plant, asset: str, step: Callable[[str], None]) -> tuple[int, Pooled, Pooled]:
    """The outlier protocol of SKAB: the first 400 rows of each file train, the rest is scored, counts are pooled.

    Returns the number of files and the figures twice: with windows over rows, as published methods are measured, and
    as deployed: trained and replayed through the edge's grid, where rows that are missing count as time.
    """
    files = sorted(path for name in FOLDERS for path in (folder / name).glob("*.csv"))
    if not files:
        raise RecordingError(f"{folder}: has no recordings; expected folders {', '.join(FOLDERS)} with .csv files")
    by_rows, deployed = Pooled(), Pooled()
    with TemporaryDirectory() as temporary:
        for path in files:
            step(f"{path.parent.name}/{path.name}")
            recording = read_recording(path, plant, asset, [LABEL])
            by_rows.add(*_by_rows(recording, plant, asset))
            deployed.add(*_deployed(recording, plant, asset, Path(temporary) / "model.onnx"))
    return len(files), by_rows, deployed


def table(n_files: int, by_rows: Pooled, deployed: Pooled) -> str:
    def line(name: str, f1: float, far: float, mar: float, auc: float | None) -> str:
        return f"{name:<32}{f1:>7.3f}{far:>8.1f}{mar:>8.1f}{'' if auc is None else format(auc, '10.3f')}"

    lines = [f"SKAB, outliers, {n_files} files", f"{'':<32}{'F1':>7}{'FAR %':>8}{'MAR %':>8}{'mean AUC':>10}"]
    for name, found in (("PCA T²+Q, windows over rows", by_rows), ("PCA T²+Q, through the edge", deployed)):
        c = found.confusion
        lines.append(line(name, c.f1, 100 * c.false_alarm_rate, 100 * c.missed_rate, found.auc))
    lines.append(line("every row anomalous (floor)", by_rows.confusion.floor_f1, 100.0, 0.0, 0.5))
    lines.append("published, over all 34 files:")
    lines += [line(name, f1, far, mar, None) for name, f1, far, mar in PUBLISHED]
    return "\n".join(lines)


def _by_rows(recording: Recording, plant: Plant, asset: str) -> tuple[Confusion, float]:
    settings, period_s = Settings(), plant.assets[asset].period_s
    values = np.column_stack(list(recording.values.values())).astype(np.float32)
    n = settings.n_samples

    def features(start: int, stop: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return trailing_means(Windows(values=values, last=np.arange(start, stop), n_samples=n))

    healthy = features(n - 1, TRAINING_ROWS)
    detector = PcaDetector(variance=settings.variance, quantile=settings.quantile)
    limits = calibrate(
        detector,
        healthy,
        recording.time[n - 1 : TRAINING_ROWS],
        n_samples=n,
        period_s=period_s,
        persistence=1,
        alarm=plant.assets[asset].alarm,
    ).limits
    detector.fit(healthy).limits_ = limits
    score = detector.scores(features(TRAINING_ROWS, len(recording)))
    label = recording.others[LABEL][TRAINING_ROWS:]
    return Confusion.of(label, score >= 1), roc_auc(label, score)


def _deployed(recording: Recording, plant: Plant, asset: str, path: Path) -> tuple[Confusion, float]:
    # without persistence, since the protocol judges single rows
    write(path, train(recording.rows(0, TRAINING_ROWS), plant, Settings(persistence=1)).content)
    found = evaluate(plant, asset, OnnxModel.load(path), recording, LABEL, skip_rows=TRAINING_ROWS)
    return found.confusion, found.auc
