"""What a simulator knows of its machines and the edge must not: `simulator/truth/<asset>`, for judging what the edge said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFault:
    """A fault and how far it has come (0..1)."""

    name: str
    severity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One asset at one instant. `health` is 1 less the worst severity; `rul_h` [h] is None while nothing leads to failure."""

    asset: str
    time: int
    health: float
    faults: tuple[TrueFault, ...] = ()
    rul_h: float | None = None
