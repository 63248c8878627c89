"""Units: the UCUM codes of the plant file, the UNECE codes of OPC UA's EUInformation, and what one is in another.

Sources: UCUM 2.1 (ucum.org); UNECE Recommendation 20, revision 17; OPC UA part 8 (data access), 5.6.3 EUInformation.
"""

import math
from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its UNECE Recommendation 20 common code, and how people write it."""

    code: str
    display: str

    @property
    def unit_id(self) -> int:
        """The `unitId` of EUInformation (int32): the ASCII characters of the code as one big-endian number.

        >>> Unit("CEL", "°C").unit_id
        4408652
        """
        return int.from_bytes(self.code.encode("ascii"), "big")


UNITS: Final[dict[str, Unit]] = {
    "1": Unit("C62", "1"),
    "%": Unit("P1", "%"),
    "/min": Unit("RPM", "r/min"),
    "Hz": Unit("HTZ", "Hz"),
    "kHz": Unit("KHZ", "kHz"),
    "rad/s": Unit("2A", "rad/s"),
    "deg": Unit("DD", "°"),
    "s": Unit("SEC", "s"),
    "ms": Unit("C26", "ms"),
    "min": Unit("MIN", "min"),
    "h": Unit("HUR", "h"),
    "m": Unit("MTR", "m"),
    "mm": Unit("MMT", "mm"),
    "um": Unit("4H", "µm"),
    "mm/s": Unit("C16", "mm/s"),
    "m/s": Unit("MTS", "m/s"),
    "m/min": Unit("2X", "m/min"),
    "m/s2": Unit("MSK", "m/s²"),
    "[g]": Unit("K40", "g"),
    "m3/h": Unit("MQH", "m³/h"),
    "m3/s": Unit("MQS", "m³/s"),
    "l/min": Unit("L2", "l/min"),
    "l": Unit("LTR", "l"),
    "m3": Unit("MTQ", "m³"),
    "kg": Unit("KGM", "kg"),
    "kg/s": Unit("KGS", "kg/s"),
    "kg/h": Unit("E93", "kg/h"),
    "Pa": Unit("PAL", "Pa"),
    "kPa": Unit("KPA", "kPa"),
    "MPa": Unit("MPA", "MPa"),
    "bar": Unit("BAR", "bar"),
    "mbar": Unit("MBR", "mbar"),
    "[psi]": Unit("PS", "psi"),
    "N": Unit("NEW", "N"),
    "kN": Unit("B47", "kN"),
    "N.m": Unit("NU", "N·m"),
    "Cel": Unit("CEL", "°C"),
    "K": Unit("KEL", "K"),
    "[degF]": Unit("FAH", "°F"),
    "W": Unit("WTT", "W"),
    "kW": Unit("KWT", "kW"),
    "kW.h": Unit("KWH", "kWh"),
    "J": Unit("JOU", "J"),
    "A": Unit("AMP", "A"),
    "mA": Unit("4K", "mA"),
    "V": Unit("VLT", "V"),
    "mV": Unit("2Z", "mV"),
    "kV": Unit("KVT", "kV"),
    "dB": Unit("2N", "dB"),
}
# other codes that servers use for the same unit: C94 is the reciprocal minute
_SYNONYMS: Final[dict[str, str]] = {"C94": "/min"}
_BY_ID: Final[dict[int, str]] = {
    **{unit.unit_id: ucum for ucum, unit in UNITS.items()},
    **{Unit(code, "").unit_id: ucum for code, ucum in _SYNONYMS.items()},
}


# of each quantity its units in one of them: the factor, and where zero lies elsewhere what is added before
_QUANTITIES: Final[tuple[dict[str, tuple[float, float]], ...]] = (
    {"1": (1.0, 0.0), "%": (0.01, 0.0)},
    {"Hz": (1.0, 0.0), "kHz": (1e3, 0.0), "/min": (1 / 60, 0.0), "rad/s": (1 / math.tau, 0.0)},
    {"s": (1.0, 0.0), "ms": (1e-3, 0.0), "min": (60.0, 0.0), "h": (3600.0, 0.0)},
    {"m": (1.0, 0.0), "mm": (1e-3, 0.0), "um": (1e-6, 0.0)},
    {"m/s": (1.0, 0.0), "mm/s": (1e-3, 0.0), "m/min": (1 / 60, 0.0)},
    {"m/s2": (1.0, 0.0), "[g]": (9.80665, 0.0)},
    {"m3/s": (1.0, 0.0), "m3/h": (1 / 3600, 0.0), "l/min": (1e-3 / 60, 0.0)},
    {"m3": (1.0, 0.0), "l": (1e-3, 0.0)},
    {"kg/s": (1.0, 0.0), "kg/h": (1 / 3600, 0.0)},
    {
        "Pa": (1.0, 0.0),
        "kPa": (1e3, 0.0),
        "MPa": (1e6, 0.0),
        "bar": (1e5, 0.0),
        "mbar": (100.0, 0.0),
        "[psi]": (6894.757293168, 0.0),
    },
    {"N": (1.0, 0.0), "kN": (1e3, 0.0)},
    {"K": (1.0, 0.0), "Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67)},
    {"W": (1.0, 0.0), "kW": (1e3, 0.0)},
    {"J": (1.0, 0.0), "kW.h": (3.6e6, 0.0)},
    {"A": (1.0, 0.0), "mA": (1e-3, 0.0)},
    {"V": (1.0, 0.0), "mV": (1e-3, 0.0), "kV": (1e3, 0.0)},
)
# how people write a unit besides its code and its display
_WRITTEN: Final[dict[str, str]] = {
    "rpm": "/min", "1/min": "/min", "c": "Cel", "degc": "Cel", "f": "[degF]", "degf": "[degF]", "g": "[g]", "lpm": "l/min",
    "nm": "N.m", "-": "1", "": "1", "m^3/h": "m3/h", "m^3": "m3", "m^3/s": "m3/s", "m/s^2": "m/s2",
}  # fmt: skip
_BY_TEXT: Final[dict[str, str]] = {
    **{unit.display: ucum for ucum, unit in UNITS.items()},
    **{ucum: ucum for ucum in UNITS},
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A number in one unit is `factor` times it plus `offset` in another."""

    factor: float
    offset: float


def unit_of(text: str) -> str | None:
    """The UCUM code of a unit as people write it; None where it is not known.

    >>> [unit_of(text) for text in ("kPa", "°C", "r/min", "rpm", "m³/h", "furlong")]
    ['kPa', 'Cel', '/min', '/min', 'm3/h', None]
    """
    text = text.strip()
    return _BY_TEXT.get(text) or _WRITTEN.get(text.lower())


def conversion(given: str, wanted: str) -> Conversion | None:
    """From one UCUM code to another; None where they are of different quantities.

    >>> conversion("kPa", "bar"), conversion("Cel", "K"), conversion("A", "V")
    (Conversion(factor=0.01, offset=0.0), Conversion(factor=1.0, offset=273.15), None)
    """
    if given == wanted:
        return Conversion(1.0, 0.0)
    for units in _QUANTITIES:
        if given in units and wanted in units:
            (factor, before), (wanted_factor, wanted_before) = units[given], units[wanted]
            return Conversion(factor / wanted_factor, before * factor / wanted_factor - wanted_before)
    return None


def like(ucum: str) -> list[str]:
    """The units that can be converted into this one, itself first."""
    return [ucum, *(unit for units in _QUANTITIES if ucum in units for unit in units if unit != ucum)]


def ucum_of(unit_id: int) -> str | None:
    """The UCUM code for the `unitId` of a server's EUInformation; None where the table does not know it.

    >>> ucum_of(Unit("C94", "").unit_id), ucum_of(0)
    ('/min', None)
    """
    return _BY_ID.get(unit_id)
