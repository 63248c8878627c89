"""Units: the UCUM codes of the plant file and the UNECE codes of OPC UA's EUInformation, by one table.

Sources: UCUM 2.1 (ucum.org); UNECE Recommendation 20, revision 17; OPC UA part 8 (data access), 5.6.3 EUInformation.
"""

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
    "N": Unit("NEW", "N"),
    "kN": Unit("B47", "kN"),
    "N.m": Unit("NU", "N·m"),
    "Cel": Unit("CEL", "°C"),
    "K": Unit("KEL", "K"),
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


def ucum_of(unit_id: int) -> str | None:
    """The UCUM code for the `unitId` of a server's EUInformation; None where the table does not know it.

    >>> ucum_of(Unit("C94", "").unit_id), ucum_of(0)
    ('/min', None)
    """
    return _BY_ID.get(unit_id)
