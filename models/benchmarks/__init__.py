"""Published protocols on recorded data, so that a change of a model shows as figures."""

from collections.abc import Callable
from pathlib import Path

from models.benchmarks.cmapss import cmapss
from models.benchmarks.cwru import cwru
from models.benchmarks.hydraulic import hydraulic
from models.benchmarks.pronostia import pronostia

# by name, what prints the table of a folder with the published files, telling what it does
PROTOCOLS: dict[str, Callable[[Path, Callable[[str], None]], str]] = {
    "cmapss": cmapss,
    "cwru": cwru,
    "hydraulic": hydraulic,
    "pronostia": pronostia,
}
