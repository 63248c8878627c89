"""What a simulator says is true of its machines, as the story of each one's newest fault. For the eyes of a demo alone:
no edge reads it, and nothing here is stored."""

import dataclasses
from dataclasses import dataclass
from typing import Final

from edge.contracts.truth import TrueFault, Truth

NS_PER_H: Final = 3_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A fault from its beginning to its repair. Times are ns since 1970 UTC, in machine time.

    began:    None where the fault was there before anything was heard of the machine
    severity: how far it has come (0..1), or had when it was repaired
    fails:    when it is, or would have been, complete; None where it will not be
    """

    fault: str
    began: int | None
    severity: float
    fails: int | None
    repaired: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The newest truth of an asset, and its newest episode."""

    truth: Truth
    episode: Episode | None


class Truths:
    """The newest of each asset.

    >>> truths = Truths()
    >>> truths.take(Truth(asset="pump-101", time=0, health=1.0))
    >>> worn = TrueFault(name="bearing-wear", severity=0.2)
    >>> truths.take(Truth(asset="pump-101", time=10, health=0.8, faults=(worn,), rul_h=1.0))
    >>> truths.of["pump-101"].episode
    Episode(fault='bearing-wear', began=10, severity=0.2, fails=3600000000010, repaired=None)
    """

    def __init__(self) -> None:
        self.of: dict[str, Told] = {}

    def take(self, truth: Truth) -> None:
        before = self.of.get(truth.asset)
        self.of[truth.asset] = Told(truth=truth, episode=_episode(before, truth))


def _episode(before: Told | None, truth: Truth) -> Episode | None:
    last = before.episode if before is not None else None
    goes_on = last is not None and last.repaired is None
    if not truth.faults:
        return dataclasses.replace(last, repaired=truth.time) if last is not None and goes_on else last
    fails = None if truth.rul_h is None else truth.time + round(truth.rul_h * NS_PER_H)
    if last is not None and goes_on:
        same = next((fault for fault in truth.faults if _is_of(last, fault)), None)
        if same is not None:
            # once complete it stays so: the truth then counts from its own instant
            reached = last.severity >= 1.0
            return dataclasses.replace(last, severity=same.severity, fails=last.fails if reached else fails)
    worst = max(truth.faults, key=lambda fault: fault.severity)
    return Episode(fault=worst.name, began=truth.time if before is not None else None, severity=worst.severity, fails=fails)


def _is_of(episode: Episode, fault: TrueFault) -> bool:
    """Faults only grow: one that is smaller than it was has been repaired and has begun anew."""
    return fault.name == episode.fault and fault.severity >= episode.severity
