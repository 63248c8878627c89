"""What is known of the faults of each class of machines: how they show, what they are called, what to do.

One TOML file a class, explained in README.md beside this. A site's own in `KULLAGER_HOME/edge/knowledge/<class>.toml` replaces
the one that is shipped.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edge.contracts.alarm import BilingualText
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Finite, Identifier, NotNegative

SHIPPED: Final = Path(__file__).parent
# what a waveform tells, beside the signals that a signature may name
SPECTRAL: Final = ("bearing", "1x", "2x", "hiss")
_STRICT = ConfigDict(extra="forbid")
Signature = Annotated[dict[str, Finite], Field(min_length=1)]


class KnowledgeError(KullagerError):
    """A file of faults cannot be used; the text names the file and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault mode.

    mode, mechanism, cause: after ISO 14224:2016, tables B.6 to B.15, B.2 and B.3
    signatures: ways in which it shows, each by signal or `SPECTRAL` feature: 1 raised, -1 lowered, fractions weaker
    within_h:   how soon to act where no remaining life is known [h]
    """

    __pydantic_config__ = _STRICT
    name: BilingualText
    action: BilingualText
    mode: str | None = None
    mechanism: str | None = None
    cause: str | None = None
    signatures: tuple[Signature, ...] = ()
    within_h: NotNegative | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the score does where machines of a class fail, 1 being its limit.

    score:   at failure, the middle of the class's faults; spread: of its natural logarithm among them
    cycle_h: how long it takes until the work begins anew, where that changes the score [h]
    """

    __pydantic_config__ = _STRICT
    score: Annotated[float, Field(gt=1, allow_inf_nan=False)]
    spread: NotNegative
    cycle_h: NotNegative = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassKnowledge:
    """The faults of one class of machines, by their names. `failure`: None where nobody knows when they fail."""

    __pydantic_config__ = _STRICT
    schema: Literal[1] = 1
    failure: Failure | None = None
    faults: dict[Identifier, Fault] = field(default_factory=dict)


_ADAPTER: Final = TypeAdapter(ClassKnowledge)


def load_knowledge(classes: Iterable[str], own: Path | None = None) -> dict[str, ClassKnowledge]:
    """By class what is known; nothing for a class that nobody has written of. Raises `KnowledgeError`.

    >>> sorted(load_knowledge(["pump"])["pump"].faults)[:2]
    ['bearing-wear', 'blocked-valve']
    """
    found = {}
    for name in dict.fromkeys(classes):
        places = [folder / f"{name}.toml" for folder in (own, SHIPPED) if folder is not None]
        path = next((place for place in places if place.is_file()), None)
        found[name] = _read(path) if path is not None else ClassKnowledge()
    return found


def _read(path: Path) -> ClassKnowledge:
    try:
        return _ADAPTER.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise KnowledgeError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(f"{path}: is not TOML: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise KnowledgeError("\n".join(lines)) from None
