"""How an edge is: its sources, models and journal. Retained; the last will says offline."""

from dataclasses import dataclass, field
from enum import StrEnum


class SourceState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source. Times are ns since 1970 UTC; `rejected` counts, by reason, what came in and was not used.

    notes: what its server does otherwise than was asked, though nothing is wrong
    recovered: samples that were read back after an absence; silent: signals that bring nothing now
    one_by_one: values of types that are not read as columns, which costs more (texts, arrays, structures)
    """

    state: SourceState
    since: int
    clock_offset_s: float | None = None
    last_sample: int | None = None
    samples: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    problem: str | None = None
    notes: tuple[str, ...] = ()
    recovered: int = 0
    silent: int = 0
    one_by_one: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowStatus:
    """A model that scores beside the one in service and has no say.

    instants: of all assets since it began, of which `scored` have a score by both; `agreed`: of these, where both or neither
    found an anomaly; anomalous, champion_anomalous: where each found one; difference: mean of shadow's score less champion's
    """

    version: str
    sha256: str
    since: int
    instants: int = 0
    scored: int = 0
    agreed: int = 0
    anomalous: int = 0
    champion_anomalous: int = 0
    difference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """A model in service, or the reason why there is none (`problem`).

    sha256: of its file; previous: how many there are to go back to

    `tolerance`: for each signal the half-width [plant unit] of the band round `expected` in which 99 % of the
    healthy training values lie.
    """

    version: str | None = None
    role: str = "champion"
    assets: tuple[str, ...] = ()
    tolerance: dict[str, float] = field(default_factory=dict)
    false_alarms_per_week: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    problem: str | None = None
    sha256: str | None = None
    previous: int = 0
    shadow: ShadowStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStatus:
    id: str
    last_seq: int
    trimmed_before: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStatus:
    """Samples written down since the edge began, those that could not be (`lost`), and why not."""

    samples: int = 0
    lost: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """A certificate that a connection rests on, the edge's own or one that it trusts; `until` is ns since 1970 UTC."""

    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStatus:
    """All that an edge tells of itself; its last will says that it is not online.

    refused:       samples that no instant could use, counted by reason (late, duplicate)
    plant_problem: the plant file has been changed, and why it is not in use as it is now
    outputs:       by name of the ways back into the plant, why they do not serve; None where they do
    certificates:  by name, as they lie in the edge's folder
    flood:         whether more alarms come than anybody can read, so that some are suppressed
    """

    edge: str
    online: bool
    time: int
    version: str
    sources: dict[str, SourceStatus] = field(default_factory=dict)
    models: dict[str, ModelStatus] = field(default_factory=dict)
    journal: JournalStatus | None = None
    recording: RecordingStatus | None = None
    refused: dict[str, int] = field(default_factory=dict)
    plant_problem: str | None = None
    outputs: dict[str, str | None] = field(default_factory=dict)
    certificates: dict[str, CertificateStatus] = field(default_factory=dict)
    flood: bool = False
