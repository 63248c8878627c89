"""The site as the outside sees it: rows of readings, a catalogue of faults, and commands that inject and repair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.contracts.command import Catalogue
from edge.contracts.errors import KullagerError
from edge.contracts.truth import Truth


class CommandRefused(KullagerError):
    """A command that asks for something the simulator does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The readings of one asset at `time` [ns UTC], by signal.

    NaN is no sample; None is a bad one: the sensor says that it does not know.
    """

    asset: str
    time: int
    values: Mapping[str, float | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where the values of a signal normally lie, in its unit: EURange."""

    low: float
    high: float


class Site(Protocol):
    """What the OPC UA server and the MQTT publishers need to know of what they show."""

    @property
    def assets(self) -> tuple[str, ...]: ...
    @property
    def changes(self) -> int:
        """Grows with every change of the catalogue."""
        ...

    def range_of(self, asset: str, signal: str) -> Range | None: ...
    def catalogue(self, time: int) -> Catalogue: ...

    def recipes(self, asset: str) -> tuple[str, ...]:
        """What the asset can be asked to make; empty where it takes no jobs."""
        ...

    def truth(self, asset: str, time: int) -> Truth | None:
        """What is true of an asset; None where nobody knows, as in a replay."""
        ...

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        """Let a fault grow; raises `CommandRefused`."""
        ...

    def repair(self, asset: str) -> None:
        """End all faults of an asset; raises `CommandRefused`."""
        ...

    def start_job(self, asset: str, recipe: str) -> None:
        """Let `recipe` be the next job of an asset; raises `CommandRefused`."""
        ...

    def play(self, scenario: str) -> None:
        """Begin a scenario from its start, or with an empty name end the running one; raises `CommandRefused`."""
        ...

    def disturb(self, kind: str, source: str, for_s: float | None, amount: float | None) -> None:
        """Let something be wrong with the network; raises `CommandRefused`."""
        ...
