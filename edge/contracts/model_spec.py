"""What a model says of itself: `metadata_props["kullager.spec"]` of its ONNX file."""

from dataclasses import dataclass, field
from typing import Any, Literal

SPEC_KEY = "kullager.spec"
GOLDEN_KEY = "kullager.golden"
# the input of a fast signal is named by this and its name
WAVEFORM_PREFIX = "waveform_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSignal:
    name: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContext:
    """A text signal that conditions the model; `codes` are the texts of training, in the model's numbering."""

    name: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWaveform:
    name: str
    unit: str
    rate_hz: float
    n_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    rows: int
    # "from" on the wire, a reserved word here
    first: str
    last: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReference:
    """Healthy training values of one signal: `quantiles` (1, 25, 50, 75, 99 %) and `tolerance`, see `ModelStatus`."""

    quantiles: tuple[float, ...] = ()
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedLimit:
    """Above these limits (0..1] the exponentially weighted means of the score, over so many instants, are not of a healthy
    machine, where both are: the quicker one ends it soon after a repair."""

    limit: float
    instants: int
    quick_limit: float
    quick_instants: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The contract between a model and the edge; inputs, outputs and their shapes stand in `models/README.md`.

    persistence:           consecutive instants with a score ≥ 1 before an asset counts as anomalous
    min_coverage:          share of grid values a window needs to be scored (0..1)
    since_change:          windows hold only what came since the context last changed, the rest of them is missing
    sustained:             where small scores that last count, too
    false_alarms_per_week: alarms per machine-week on held-out healthy data
    """

    schema: Literal[1] = 1
    name: str
    version: str
    asset_class: str
    period_s: float
    n_samples: int
    signals: tuple[ModelSignal, ...]
    context: tuple[ModelContext, ...] = ()
    waveforms: tuple[ModelWaveform, ...] = ()
    faults: tuple[str, ...] = ()
    persistence: int = 1
    min_coverage: float = 0.5
    since_change: bool = False
    sustained: SustainedLimit | None = None
    false_alarms_per_week: float | None = None
    trained_on: TrainedOn | None = None
    reference: dict[str, SignalReference] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
