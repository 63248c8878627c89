"""Commands to the edge and the simulator, and their replies. Commands are idempotent."""

from dataclasses import dataclass, field
from enum import StrEnum

from edge.contracts.alarm import BilingualText


class AlarmVerb(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    COMMENT = "comment"
    OUT_OF_SERVICE = "out-of-service"
    RETURN_TO_SERVICE = "return-to-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCommand:
    """What an operator does to one alarm; the verb stands in the topic. Times are ns since 1970 UTC.

    asset, rule: instead of `alarm_id`, which alarms of a machine go out of service or come back: one, or all without `rule`
    """

    command_id: str
    by: str
    time: int
    alarm_id: str = ""
    comment: str | None = None
    asset: str | None = None
    rule: str | None = None
    shelved_until: int | None = None


class ModelVerb(StrEnum):
    """`model` brings one into shadow; `promote` puts that in service; `rollback` the one before; `dismiss` ends the shadow."""

    MODEL = "model"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    DISMISS = "dismiss"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCommand:
    """What an operator does with the models of one name; the verb stands in the topic.

    url:       where `model` fetches the file: http, https, or file below the edge's `KULLAGER_HOME/edge/incoming`
    sha256:    of the file, in hexadecimal; where given, `promote` means only this shadow, `rollback` only this one in service
    signature: Ed25519 over the file's bytes, in base64
    """

    command_id: str
    by: str
    time: int
    name: str
    url: str = ""
    sha256: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCommand:
    """Ask an edge for the evidence file of an alarm; it comes in parts on `edges/<edge>/evidence/<client>/<command_id>/<n>`."""

    command_id: str
    alarm_id: str
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceAnswer:
    """The parts that an evidence file has been sent in, its size and its sha256 in hexadecimal."""

    command_id: str
    parts: int
    n_bytes: int
    sha256: str


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
