"""Commands to the edge and the simulator, and their replies. Commands are idempotent."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge.contracts.alarm import BilingualText


class AlarmVerb(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCommand:
    """What an operator does to one alarm; the verb stands in the topic. Times are ns since 1970 UTC."""

    command_id: str
    by: str
    time: int
    alarm_id: str
    comment: str | None = None
    shelved_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendCommand:
    """Ask an edge for the entries `first` to `last` (on the wire `from`, `to`) of its journal."""

    command_id: str
    journal: str
    first: int
    last: int
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectCommand:
    """Let a fault grow to `severity` (0..1) within `over_s` seconds."""

    command_id: str
    by: str
    time: int
    asset: str
    fault: str
    severity: float = 1.0
    over_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCommand:
    """End all faults of an asset."""

    command_id: str
    by: str
    time: int
    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioCommand:
    """Begin a scenario of the simulator's from its start; an empty name ends the running one."""

    command_id: str
    by: str
    time: int
    scenario: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCommand:
    """Let `recipe` be the next job of an asset."""

    command_id: str
    by: str
    time: int
    asset: str
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosCommand:
    """Let something be wrong with a source of the plant file, or with all of them, for `for_s` seconds.

    `amount` [s] is how much, where a kind has more and less; what is None is as usual for the kind. `calm` ends everything.
    """

    command_id: str
    by: str
    time: int
    kind: str
    source: str = ""
    for_s: float | None = None
    amount: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a command; `problem` is a sentence when `ok` is false."""

    command_id: str
    ok: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFault:
    """A fault in plain words: its name, and what one would see."""

    fault: str
    name: BilingualText
    description: BilingualText | None = None
    active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueAsset:
    asset: str
    name: BilingualText
    faults: tuple[CatalogueFault, ...] = ()
    recipes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueScenario:
    scenario: str
    name: BilingualText
    description: BilingualText
    active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueChaos:
    """Something that can be wrong with the network: in plain words, as it is usually, and the sources where it is now."""

    chaos: str
    name: BilingualText
    description: BilingualText
    for_s: float
    amount: float | None = None
    active: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The machines of a simulator, with their faults in plain words, the scenarios that it can play, and its chaos."""

    time: int
    assets: tuple[CatalogueAsset, ...] = field(default_factory=tuple)
    scenarios: tuple[CatalogueScenario, ...] = field(default_factory=tuple)
    chaos: tuple[CatalogueChaos, ...] = field(default_factory=tuple)
