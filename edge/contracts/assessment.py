"""The result for one asset at one instant."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    WITHHELD = "withheld"


class Reason(StrEnum):
    """Why a score was withheld."""

    BAD_QUALITY = "bad-quality"
    STALE = "stale"
    LOW_COVERAGE = "low-coverage"
    MACHINE_OFF = "machine-off"
    WARMING_UP = "warming-up"
    CHANGEOVER = "changeover"
    UNKNOWN_RECIPE = "unknown-recipe"
    UNKNOWN_OPERATING_POINT = "unknown-operating-point"
    NO_MODEL = "no-model"


class Zone(StrEnum):
    """Evaluation zones in the sense of ISO 20816-1: A as new, B for unrestricted, C for restricted operation, D damage."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Diagnosis(StrEnum):
    """Who says so: the model, or what the machine class's signature of the fault has in common with what is seen."""

    MODEL = "model"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMode:
    """A fault mode and its probability (0..1); of a signature it is the share of likeness, not a calibrated probability."""

    name: str
    probability: float
    by: Diagnosis = Diagnosis.MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainingLife:
    """Quantiles of the remaining useful life [h]."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One asset at one instant. `score` ≥ 0, 1.0 is the alarm limit; None when withheld, with the `reason`.

    `time` is ns since 1970 UTC. `contribution` sums to 1.
    `edge`, `journal` and `seq` are its identity, given by the journal when it is published.

    zone:           that of health, or of the measured vibration where that is worse
    vibration_zone: after ISO 20816, where a vibration velocity is measured and the plant file has its boundaries
    """

    asset: str
    time: int
    state: State
    reason: Reason | None = None
    score: float | None = None
    contribution: dict[str, float] | None = None
    measured: dict[str, float | None]
    expected: dict[str, float] | None = None
    known: float | None = None
    coverage: float
    health: float | None = None
    zone: Zone | None = None
    vibration_zone: Zone | None = None
    fault: FaultMode | None = None
    rul_h: RemainingLife | None = None
    model: ModelIdentity | None = None
