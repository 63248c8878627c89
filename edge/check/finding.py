"""One line of the report of `python -m edge check`."""

from dataclasses import dataclass
from typing import Final

# a certificate that ends within this is told as a fault
ENDS_SOON_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Finding:
    good: bool
    text: str
