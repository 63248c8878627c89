"""What became of a model in service, step by step, and who wanted it."""

from dataclasses import dataclass
from enum import StrEnum


class ModelStep(StrEnum):
    """Refused: it did not pass its trial. Withdrawn: it failed in service, and the last good one goes on."""

    REFUSED = "refused"
    SHADOW = "shadow"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAudit:
    """One step in the life of a model. `time` is ns since 1970 UTC.

    name:   as the plant file names the model; version, sha256: of the file that the step is about, where they are known
    by:     who asked for it; the edge itself for a withdrawal
    key:    the name of the key whose signature the file bears
    reason: why it was refused or withdrawn, in a sentence
    """

    edge: str
    time: int
    step: ModelStep
    name: str
    version: str | None = None
    sha256: str | None = None
    by: str
    key: str | None = None
    reason: str | None = None
