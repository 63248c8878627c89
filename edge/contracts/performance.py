"""How a machine produced and what energy it took, in one period."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge.contracts.assessment import Reason


class Operation(StrEnum):
    """What a machine does, in the sense of its productivity. Unknown: nothing says so."""

    RUNNING = "running"
    IDLE = "idle"
    CHANGEOVER = "changeover"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificEnergy:
    """Energy for a unit of product, over the newest lot that is complete: `energy` [energy_unit] for `amount` [product_unit].

    expected:  what the same recipe usually takes [energy_unit/product_unit]; None until enough lots were seen
    ratio:     value / expected; anomalous: it lies above what lots of this recipe vary by, twice in a row
    since:     when the lot began [ns since 1970 UTC]
    """

    since: int
    recipe: str | None
    energy: float
    energy_unit: str
    amount: float
    product_unit: str
    product: str
    value: float
    expected: float | None = None
    ratio: float | None = None
    anomalous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One asset over the `period_s` seconds up to `time` [ns since 1970 UTC].

    operation:   what it does at the end of the period; recipe: what it makes
    operation_s: seconds of the period in each operation; withheld_s: seconds without a score, by reason
    utilisation: share of the period in which it was running, of the time that is known; None where nothing is
    energy:      what it took in the period [energy_unit]; amount: what it made [product_unit]; None where nothing counts it
    """

    asset: str
    time: int
    period_s: float
    operation: Operation
    recipe: str | None = None
    operation_s: dict[Operation, float] = field(default_factory=dict)
    withheld_s: dict[Reason, float] = field(default_factory=dict)
    utilisation: float | None = None
    energy: float | None = None
    energy_unit: str | None = None
    amount: float | None = None
    product_unit: str | None = None
    specific: SpecificEnergy | None = None
