"""How an asset is: what the submodels that change are built from."""

from dataclasses import dataclass

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The newest assessment, None before the first one, and the newest open alarms."""

    assessment: Assessment | None = None
    alarms: tuple[Alarm, ...] = ()
