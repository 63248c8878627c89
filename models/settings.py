"""What a model is trained with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.contracts.errors import KullagerError

# the names of `models.detectors.FAMILIES` and of `models.features.KINDS` but the mean: loading those takes seconds
FAMILIES: Final = ("forward", "covariance", "pca", "kernel", "autoencoder", "mixture", "forest")
FEATURES: Final = ("spread", "slope", "jitter")


class UnfitSettings(KullagerError):
    """Training was asked for in a way that cannot work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a model is trained with.

    family:       of `models.detectors.FAMILIES`
    features:     of `models.features.KINDS`, beside the means
    n_samples:    length of the trailing window [grid instants]
    false_alarms: that held-out healthy data may raise in a machine-week
    persistence:  consecutive scores ≥ 1 before the asset counts as anomalous
    min_coverage: share of values that a window needs
    without:      signals to leave out
    since_change: windows hold only what came since the product changed: in short series a whole one would come late
    operating:    signals that say how the machine is run: where they are as never in training, nothing is judged
    horizon_h:    longest remaining life that is told [h]; None: by the lives that were recorded
    """

    family: str = "forward"
    features: Sequence[str] = ()
    n_samples: int = 30
    false_alarms: float = 1.0
    persistence: int = 5
    min_coverage: float = 0.5
    version: str = "1"
    without: Sequence[str] = ()
    since_change: bool = False
    operating: Sequence[str] = ()
    horizon_h: float | None = None

    def __post_init__(self) -> None:
        for name, good, right in (
            ("window", self.n_samples >= 2, "2 or more instants"),
            ("false-alarms", 0 <= self.false_alarms < 1000, "a number of alarms per machine-week, 0 or more"),
            ("horizon", self.horizon_h is None or self.horizon_h > 0, "a number of hours, more than 0"),
            ("persistence", self.persistence >= 1, "1 or more instants"),
        ):
            if not good:
                raise UnfitSettings(f"--{name} should be {right}")
