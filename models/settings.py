"""What a model is trained with."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.contracts.errors import KullagerError


class UnfitSettings(KullagerError):
    """Training was asked for in a way that cannot work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a model is trained with.

    n_samples:    length of the trailing window [grid instants]
    quantile:     of the held-out statistics at which the limits lie
    persistence:  consecutive scores ≥ 1 before the asset counts as anomalous
    min_coverage: share of values that a window needs
    """

    n_samples: int = 30
    quantile: float = 0.99
    variance: float = 0.85
    persistence: int = 5
    min_coverage: float = 0.5
    version: str = "1"
    without: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, good, right in (
            ("window", self.n_samples >= 2, "2 or more instants"),
            ("quantile", 0.5 <= self.quantile < 1, "0.5 or more and below 1"),
            ("variance", 0 < self.variance < 1, "between 0 and 1"),
            ("persistence", self.persistence >= 1, "1 or more instants"),
        ):
            if not good:
                raise UnfitSettings(f"--{name} should be {right}")
