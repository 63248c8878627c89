"""What is said of a group of assets at one instant, as columns: an object for each of a thousand costs more than its score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import (
    Assessment,
    FaultMode,
    ModelIdentity,
    Reason,
    RemainingLife,
    State,
    Zone,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentTable(Sequence[Assessment]):
    """As a sequence: the assessments of the rows that are `told`, each made when it is asked for. Numbers are float32.

    assets:       (n_assets,) their names; told: the rows of those of which something is said
    reasons:      (n_assets,) why there is no score, None where there is one
    anomalous:    (n_assets,) the score has been ≥ 1 for the model's persistence
    score, coverage, health: (n_assets,), NaN where there is none
    signals, measured: names of the columns of (n_assets, n_signals), NaN where nothing was measured
    has:          (n_assets, n_signals) which asset has which signal; None where all have all
    sources:      names of the columns of `contribution` and `expected`, (n_assets, n_sources) or None
    known:        (n_assets,) or None
    zones, vibration_zones: (n_assets,)
    faults, lives: by row, of those where there is one
    """

    assets: tuple[str, ...]
    told: Sequence[int]
    time: int
    reasons: Sequence[Reason | None]
    anomalous: Sequence[bool]
    score: Floats
    coverage: Floats
    health: Floats
    signals: tuple[str, ...]
    measured: Floats
    has: NDArray[np.bool_] | None = None
    sources: tuple[str, ...] = ()
    contribution: Floats | None = None
    expected: Floats | None = None
    known: Floats | None = None
    zones: Sequence[Zone | None]
    vibration_zones: Sequence[Zone | None]
    faults: Mapping[int, FaultMode] = field(default_factory=dict)
    lives: Mapping[int, RemainingLife] = field(default_factory=dict)
    model: ModelIdentity | None = None

    def __len__(self) -> int:
        return len(self.told)

    @overload
    def __getitem__(self, place: int) -> Assessment: ...

    @overload
    def __getitem__(self, place: slice) -> list[Assessment]: ...

    def __getitem__(self, place: int | slice) -> Assessment | list[Assessment]:
        if isinstance(place, slice):
            return [self.of(row) for row in self.told[place]]
        return self.of(self.told[place])

    def __iter__(self) -> Iterator[Assessment]:
        return map(self.of, self.told)

    def state(self, row: int) -> State:
        if self.reasons[row] is not None:
            return State.WITHHELD
        return State.ANOMALOUS if self.anomalous[row] else State.NORMAL

    def of(self, row: int) -> Assessment:
        """The assessment of one row, whether it is told or not."""
        reason = self.reasons[row]
        scored = reason is None
        there = np.isfinite(self.measured[row]).tolist()
        has = self.has[row].tolist() if self.has is not None else there
        return Assessment(
            asset=self.assets[row],
            time=self.time,
            state=self.state(row),
            reason=reason,
            score=self.score[row] if scored else None,
            contribution=self._by_source(self.contribution, row) if scored else None,
            measured={
                name: value if is_there else None
                for name, value, is_there, it_has in zip(self.signals, self.measured[row], there, has, strict=True)
                if it_has or self.has is None
            },
            expected=self._by_source(self.expected, row) if scored else None,
            known=self.known[row] if scored and self.known is not None else None,
            coverage=self.coverage[row],
            health=self.health[row] if np.isfinite(self.health[row]) else None,
            zone=self.zones[row],
            vibration_zone=self.vibration_zones[row],
            fault=self.faults.get(row) if scored else None,
            rul_h=self.lives.get(row) if scored else None,
            model=self.model,
        )

    def _by_source(self, values: Floats | None, row: int) -> dict[str, float] | None:
        # contributions may go on with the waveforms
        return dict(zip(self.sources, values[row], strict=False)) if values is not None else None
