"""Recorded machines: the same file for the same seed, read back the same, with labels."""

from pathlib import Path

import numpy as np
import pytest

from edge.contracts.plant_file import load_plant
from edge.formats.recording import read_csv, write_csv
from simulator.generate import RecordedFault, generate
from simulator.site import CommandRefused

PLANT = load_plant(Path(__file__).parent.parent.parent / "edge/plants/demo.toml")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_csv(tmp_path / name, generate(PLANT, "pump-101", hours=0.05, seed=seed))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_recorded_fault_is_labelled_and_read_back_the_same(tmp_path: Path) -> None:
    fault = RecordedFault(fault="bearing-wear", at_s=120.0, over_s=60.0)
    made = generate(PLANT, "pump-101", hours=0.1, seed=1, fault=fault)
    write_csv(tmp_path / "recording.csv", made)
    read = read_csv(tmp_path / "recording.csv", PLANT, "pump-101", others=["anomaly"])
    assert list(read.values) == list(PLANT.assets["pump-101"].signals)
    assert (read.time == made.time).all()
    assert all((read.values[name] == made.values[name]).all() for name in made.values)
    assert np.flatnonzero(read.others["anomaly"])[0] == 120
    assert read.values["vibration"][200:].mean() > 7.1 > read.values["vibration"][:120].max()


def test_without_a_fault_there_is_no_label() -> None:
    assert generate(PLANT, "pump-101", hours=0.01, seed=1).others == {}


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(CommandRefused, match="has no fault 'rust'; possible: bearing-wear, cavitation"):
        generate(PLANT, "pump-101", hours=0.01, seed=1, fault=RecordedFault(fault="rust", at_s=0.0))
