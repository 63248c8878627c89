"""Plant files: the good one is read, each bad one is refused in words that name file, key and what would be right."""

from pathlib import Path

import pytest

from edge.contracts.errors import PlantError
from edge.contracts.plant_file import load_plant, source_password

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "edge" / "plants" / "demo.toml"
BAD = sorted((ROOT / "tests" / "cases" / "bad-plants").glob("*.toml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_plant_file_is_refused_in_words(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# expected: ")
    with pytest.raises(PlantError) as refused:
        load_plant(path)
    assert f"{path}: {expected}" in str(refused.value).splitlines()


def test_the_cases_are_there() -> None:
    assert len(BAD) >= 25


def test_the_demo_plant_is_read() -> None:
    plant = load_plant(DEMO)
    assert [row.index for row in plant.signal_table] == list(range(sum(len(asset.signals) for asset in plant.assets.values())))
    assert plant.signal_table[plant.signal_index["pump-101", "vibration"]].signal.limits.alarm == 7.1
    assert plant.assets["pump-101"].display_name("pump-101").sv == "Cirkulationspump 101"
    assert plant.topics.base == "kullager/v1/automation-region/testbed-vasteras/hall-1"
    assert plant.results_source[0] == "broker"


def test_addresses_can_come_from_the_environment() -> None:
    plant = load_plant(DEMO, {"KULLAGER_SOURCE_PLC_URL": "opc.tcp://plc:4841", "KULLAGER_SOURCE_BROKER_USER": "edge"})
    assert plant.sources["plc"].url == "opc.tcp://plc:4841"
    assert plant.sources["broker"].user == "edge"


def test_passwords_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n")
    assert source_password("broker", {"KULLAGER_SOURCE_BROKER_PASSWORD": "plain"}) == "plain"
    assert source_password("broker", {"KULLAGER_SOURCE_BROKER_PASSWORD_FILE": str(secret)}) == "from-file"
    assert source_password("broker", {}) is None
    with pytest.raises(PlantError, match="cannot be read: No such file"):
        source_password("broker", {"KULLAGER_SOURCE_BROKER_PASSWORD_FILE": str(tmp_path / "none")})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlantError, match="cannot be read: No such file or directory"):
        load_plant(tmp_path / "none.toml")
