"""One table of units for both sides."""

from pathlib import Path

import pytest

from edge.contracts.plant_file import load_plant
from edge.formats.units import UNITS, ucum_of

ROOT = Path(__file__).parent.parent.parent


def test_unit_ids_are_those_of_the_opc_foundation() -> None:
    # from UNECE_to_OPCUA.csv, which OPC UA part 8 refers to
    known = {"Cel": 4408652, "mm": 5066068, "A": 4279632, "bar": 4342098, "kW": 4937556, "/min": 5394509}
    assert {unit: UNITS[unit].unit_id for unit in known} == known


def test_every_unit_is_found_back_by_its_id() -> None:
    assert all(ucum_of(unit.unit_id) == ucum for ucum, unit in UNITS.items())


@pytest.mark.parametrize("file", ["edge/plants/demo.toml", "tests/cases/skab/plant.toml"])
def test_the_table_knows_the_units_of_the_plants(file: str) -> None:
    assert {row.signal.unit for row in load_plant(ROOT / file).signal_table} <= set(UNITS)
