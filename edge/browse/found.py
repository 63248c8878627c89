"""What was found in a server or on a broker, and what it may mean; each guess says from what it was made."""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    NUMBER = "number"
    TEXT = "text"
    BLOCK = "block"


@dataclass(slots=True, kw_only=True)
class FoundSignal:
    """One variable of a server, or one field of a topic.

    path:   the names that lead to it below its machine
    where:  keys of the plant file that address it: `node`, or `topic`, `field` and `time_field`
    unit:   UCUM, None where it is not known; said_unit: as the server writes it
    low, high: of the range that the server states; least, most, count: of the numbers that came while it was listened to
    points: of a block; counts_up: its values only grew
    """

    path: tuple[str, ...]
    where: dict[str, str]
    kind: Kind = Kind.NUMBER
    unit: str | None = None
    said_unit: str = ""
    description: str = ""
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None
    count: int = 0
    points: int = 0
    counts_up: bool = True

    def saw(self, value: float) -> None:
        """A number that came."""
        if self.most is not None and value < self.most:
            self.counts_up = False
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)


@dataclass(slots=True, kw_only=True)
class FoundAsset:
    """What looks like a machine; `how` says by what it was told."""

    path: tuple[str, ...]
    how: str
    signals: list[FoundSignal] = field(default_factory=list)
    plate: dict[str, str] = field(default_factory=dict)


# the role that a unit stands for
_BY_UNIT: Final = {
    "Cel": "temperature", "K": "temperature", "[degF]": "temperature", "/min": "speed", "rad/s": "speed",
    "mm/s": "vibration", "m/s2": "vibration", "[g]": "vibration", "m3/h": "flow", "m3/s": "flow", "l/min": "flow",
    "kg/s": "flow", "kg/h": "flow", "bar": "pressure", "mbar": "pressure", "Pa": "pressure", "kPa": "pressure",
    "MPa": "pressure", "[psi]": "pressure", "A": "current", "mA": "current", "V": "voltage", "mV": "voltage",
    "kV": "voltage", "W": "power", "kW": "power", "kW.h": "energy", "J": "energy", "N.m": "torque", "N": "force",
    "kN": "force", "mm": "position", "um": "position", "m": "position", "m/s": "speed", "m/min": "speed",
}  # fmt: skip
# parts of names in English, Swedish and German, and the unit that such a signal mostly has
_BY_NAME: Final = (
    ("temperature", ("temp", "thermo"), "Cel"),
    ("vibration", ("vibra", "accel", "rms"), "mm/s"),
    ("energy", ("energ",), "kW.h"),
    ("power", ("power", "effekt", "leistung"), "kW"),
    ("current", ("current", "strom", "ampere"), "A"),
    ("voltage", ("volt", "spanning", "spannung"), "V"),
    ("pressure", ("press", "tryck", "druck"), "bar"),
    ("flow", ("flow", "flode", "durchfluss"), "m3/h"),
    ("torque", ("torque", "moment"), "N.m"),
    ("speed", ("speed", "rpm", "varvtal", "drehzahl"), "/min"),
    ("level", ("level", "niva", "fullstand"), "%"),
    ("recipe", ("recipe", "recept", "product", "produkt", "program"), "1"),
    ("state", ("state", "status", "mode", "lage", "tillstand", "zustand"), "1"),
)


@dataclass(frozen=True, slots=True)
class Role:
    """What a signal may be, from what that was guessed, and the unit that it then mostly has."""

    name: str
    reason: str
    unit: str | None = None


def role_of(signal: FoundSignal) -> Role | None:
    """A proposal; None where neither unit nor name say anything.

    >>> role_of(FoundSignal(path=("Motor", "Lagertemperatur"), where={}))
    Role(name='temperature', reason='its name', unit='Cel')
    """
    words = plain(signal.path[-1])
    if "factor" in words or "faktor" in words:
        return None
    by_name = next(((name, unit) for name, parts, unit in _BY_NAME if any(part in words for part in parts)), None)
    by_unit = _BY_UNIT.get(signal.unit or "")
    if by_unit is not None:
        return Role(by_unit, "its unit and name" if by_name and by_name[0] == by_unit else "its unit", signal.unit)
    return Role(by_name[0], "its name", by_name[1]) if by_name else None


def plain(text: str) -> str:
    """Lower case, without accents: ö becomes o."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


def identifier(parts: tuple[str, ...], joint: str) -> str:
    """Letters, digits and a joint between words, beginning with a letter.

    >>> identifier(("Pump 101",), "-"), identifier(("Motor", "BearingTemp"), "_"), identifier(("4711",), "_")
    ('pump-101', 'motor_bearing_temp', 'x_4711')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", " ".join(parts))
    words = re.sub(r"[^a-z0-9]+", joint, plain(spaced)).strip(joint) or "x"
    return words if words[0].isalpha() else f"x{joint}{words}"
