"""Recorded machines: the same file for the same seed, read back the same, with labels."""

import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.plant_file import load_plant
from edge.formats.recording import Recording, read_csv, write_csv
from models.dataset import read_recording
from simulator.generate import START, Labels, Story, generate
from simulator.parquet import write_parquet
from simulator.scenario import Happening, Injection, Repair, ScenarioError, load_scenario
from simulator.simulated_site import SimulatedSite
from simulator.site import Row

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "edge/plants/demo.toml"
PLANT = load_plant(ROOT / "tests/cases/pump/plant.toml")


def record(hours: float, seed: int = 1, extra: tuple[Happening, ...] = (), **settings: float) -> tuple[Recording, Labels]:
    return next(generate(PLANT, ["pump-101"], hours=hours, seed=seed, story=Story(extra=extra), **settings))


def bearing_wear(at_s: float, over_s: float) -> Happening:
    return Happening(at_s=at_s, asset="pump-101", action=Injection(fault="bearing-wear", severity=1.0, over_s=over_s))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_csv(tmp_path / name, record(0.05, seed)[0])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_another_process_makes_the_same_file_of_a_whole_plant(tmp_path: Path) -> None:
    hashes = []
    for name, seed in (("1", 4), ("2", 4)):
        path = tmp_path / f"{name}.parquet"
        arguments = ["record", "--plant", "edge/plants/demo.toml", "--hours", "0.1", "--scenario", "week", "--seed", str(seed)]
        subprocess.run(
            [sys.executable, "-m", "simulator", *arguments, "--out", str(path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": name},
            check=True,
            capture_output=True,
        )
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]


def test_a_recording_is_what_the_live_machines_would_have_shown() -> None:
    plant = load_plant(DEMO)
    story = Story(scenario=load_scenario("visitor"), name="visitor")
    recorded = {part.asset: part for part, _ in generate(plant, list(plant.assets), hours=0.1, seed=1, story=story)}
    shown: dict[str, list[Row]] = defaultdict(list)
    for row in SimulatedSite(plant, 1, "visitor").rows(START):
        if row.time >= START + 360 * 10**9:
            break
        shown[row.asset].append(row)
    assert set(shown) == set(recorded) == set(plant.assets)
    for asset, rows in shown.items():
        part = recorded[asset]
        assert [row.time for row in rows] == part.time.tolist()
        for name, column in part.values.items():
            live = [row.values[name] for row in rows]
            made = [part.texts[name].text(int(code)) for code in column] if name in part.texts else column.tolist()
            assert live == made, f"{asset}.{name}"


def test_weather_comes_to_all_machines_or_to_one(tmp_path: Path) -> None:
    plant = load_plant(DEMO)
    head = 'schema = 1\nname = { sv = "x", en = "x" }\ndescription = { sv = "x", en = "x" }\n'

    def ambient(event: str) -> Recording:
        path = tmp_path / "weather.toml"
        path.write_text(f"{head}[[events]]\n{event}\n")
        story = Story(scenario=load_scenario(str(path)), name="weather")
        return next(generate(plant, ["compressor-301"], hours=2.0, seed=1, story=story))[0]

    usual = ambient('at_min = 0\nmachine = "pump"\nwarmer = 9.0')
    for warm in (
        ambient("at_min = 30\nwarmer = 9.0\nover_min = 30"),
        ambient('at_min = 60\nmachine = "compressor"\nwarmer = 9.0'),
    ):
        more = warm.values["ambient_temperature"] - usual.values["ambient_temperature"]
        assert more[:800] == pytest.approx(np.zeros(800))
        assert np.median(more[2200:]) == pytest.approx(9.0, abs=0.2)
        assert warm.values["discharge_temperature"][2200:].mean() > usual.values["discharge_temperature"][2200:].mean() + 2.0


def test_a_recorded_fault_is_labelled_and_read_back_the_same(tmp_path: Path) -> None:
    made, labels = record(0.1, extra=(bearing_wear(120.0, 60.0),))
    assert np.flatnonzero(labels.anomaly)[0] == 120
    assert {labels.names[code] for code in labels.fault[120:]} == {"bearing-wear"}
    assert labels.rul_h[:120].tolist() == pytest.approx([np.nan] * 120, nan_ok=True)
    assert labels.rul_h[120] == pytest.approx(59.0 / 3600.0)
    assert labels.rul_h[-1] == 0.0
    write_csv(tmp_path / "recording.csv", made)
    read = read_csv(tmp_path / "recording.csv", PLANT, "pump-101")
    assert list(read.values) == list(PLANT.assets["pump-101"].signals)
    assert (read.time == made.time).all()
    assert all((read.values[name] == made.values[name]).all() for name in made.values)
    assert read.values["vibration"][200:].mean() > 7.1 > read.values["vibration"][:120].max()


def test_faults_and_repairs_are_where_they_would_be_in_every_shift() -> None:
    shift = 3600  # rows and seconds
    part = shift // 8
    # begins at the end of the first shift, is complete early in the second, and is repaired in the third
    story = (
        bearing_wear(shift - part, 2 * part),
        Happening(at_s=2.5 * shift, asset="pump-101", action=Repair()),
    )
    made, labels = record(3.0, extra=story, shift_h=1.0)
    wear = labels.severity
    assert len(wear) == 3 * shift
    assert wear[: shift - part].max() == 0.0
    assert np.abs(np.diff(wear[shift - part : 2 * shift + shift // 2 - 1])).max() < 0.01, "it goes on over the change of shift"
    assert wear[shift + part] == 1.0
    assert wear[2 * shift + shift // 2 :].max() == 0.0
    assert made.values["vibration"][2 * shift : 2 * shift + part].mean() > 7.1
    assert made.values["vibration"][-part:].mean() < 3.0


def test_a_recording_is_made_of_shifts_of_its_length() -> None:
    """What a shift begins with is drawn anew, so the first is the same and the second another one."""
    whole, halves = record(0.1), record(0.1, shift_h=0.05)
    assert whole[0].values["vibration"][:180].tolist() == halves[0].values["vibration"][:180].tolist()
    assert whole[0].values["vibration"][180:].tolist() != halves[0].values["vibration"][180:].tolist()


def test_a_parquet_file_of_a_fleet_has_labels_and_is_read_by_training(tmp_path: Path) -> None:
    plant = load_plant(DEMO)
    parts = list(generate(plant, ["pump-101"], hours=0.05, seed=1, story=Story(extra=(bearing_wear(60.0, 30.0),))))
    path = tmp_path / "plant.parquet"
    assert write_parquet(path, plant, ["pump-101"], parts) == 180
    read = read_recording(path, plant, "pump-101", others=["anomaly", "severity"])
    made, labels = parts[0]
    assert (read.time == made.time).all()
    assert all((read.values[name] == made.values[name]).all() for name in made.values if name not in made.texts)
    assert [read.texts["recipe"].text(int(code)) for code in read.values["recipe"]] == [
        made.texts["recipe"].text(int(code)) for code in made.values["recipe"]
    ]
    assert (read.others["severity"] == labels.severity).all()
    assert (np.diff(read.values["energy"]) >= 0.0).all()


def test_a_scenario_is_played_and_one_that_asks_too_much_is_refused(tmp_path: Path) -> None:
    visitor = load_scenario("visitor")
    _, labels = next(generate(PLANT, ["pump-101"], hours=0.4, seed=1, story=Story(scenario=visitor, name="visitor")))
    seen = {labels.names[code] for code in labels.fault}
    assert seen >= {"", "bearing-wear", "cavitation", "imbalance"}
    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nname = { sv = "x", en = "x" }\ndescription = { sv = "x", en = "x" }\n'
        '[[events]]\nat_min = 1.0\nmachine = "pump"\nfault = "rust"\n'
    )
    with pytest.raises(ScenarioError, match=r"events.0.fault: 'pump' has no 'rust'; possible: bearing-wear, blocked-valve"):
        next(generate(PLANT, ["pump-101"], hours=0.1, seed=1, story=Story(scenario=load_scenario(str(path)), name="mine.toml")))
