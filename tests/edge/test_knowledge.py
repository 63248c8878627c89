"""What is known of faults: the shipped tables against the simulator's machines, and a site's own."""

import re
from pathlib import Path

import pytest

from edge.contracts.plant_file import load_plant
from edge.knowledge import SHIPPED, SPECTRAL, Fault, KnowledgeError, load_knowledge
from simulator.faults import Fault as SimulatedFault
from simulator.machines import compressor, furnace, pump, robot, spindle

DEMO = load_plant(Path(__file__).parents[2] / "edge/plants/demo.toml")
MACHINES = {"compressor": compressor, "furnace": furnace, "pump": pump, "robot": robot, "spindle": spindle}
KNOWN = load_knowledge(MACHINES)
SIMULATED = [(name, fault) for name, machine in MACHINES.items() for fault in machine.FAULTS]
TABLES = [(name, fault, known) for name in MACHINES for fault, known in KNOWN[name].faults.items()]
# ISO 14224:2016, as far as these tables use them: B.6 to B.15, B.2 and B.3
MODES = {
    "VIB vibration",
    "ELU external leakage, utility medium",
    "INL internal leakage",
    "PLU plugged/choked",
    "OHE overheating",
    "LOO low output",
    "STD structural deficiency",
    "AIR abnormal instrument reading",
    "PDE parameter deviation",
    "BRD breakdown",
}
MECHANISMS = {
    "1.1 leakage",
    "1.3 clearance/alignment failure",
    "1.5 looseness",
    "2.1 cavitation",
    "2.4 wear",
    "2.5 breakage",
    "2.6 fatigue",
    "2.7 overheating",
    "3.4 out of adjustment",
    "4.2 open circuit",
    "5.0 external influence",
    "5.1 blockage/plugged",
}
CAUSES = {
    "2.2 installation failure",
    "3.1 off-design service",
    "3.2 operating error",
    "3.3 maintenance error",
    "3.4 expected wear and tear",
}
OWN = """schema = 1
[faults.bearing-wear]
name = { sv = "Lagret", en = "The bearing" }
action = { sv = "Ring Anna.", en = "Call Anna." }
signatures = [{ bearing = 1.0 }]
"""


@pytest.mark.parametrize(("machine", "fault"), SIMULATED, ids=lambda each: getattr(each, "id", each))
def test_every_fault_of_the_simulator_is_known(machine: str, fault: SimulatedFault) -> None:
    known = KNOWN[machine].faults[fault.id]
    for text in (known.name.sv, known.name.en, known.action.sv, known.action.en):
        assert text.strip() == text
        assert text
    assert known.action.sv.endswith(".")
    assert known.action.en.endswith(".")
    assert known.name.sv != known.name.en
    assert known.action.sv != known.action.en
    assert known.mechanism == fault.mechanism
    assert known.signatures
    assert known.within_h is not None


@pytest.mark.parametrize("machine", MACHINES)
def test_where_each_shipped_class_fails_is_known(machine: str) -> None:
    failure = KNOWN[machine].failure
    assert failure is not None
    assert failure.spread > 0.0
    # a batch lasts for hours, all else repeats itself within a minute or two
    assert (failure.cycle_h > 0.0) == (machine == "furnace")


def test_no_fault_is_known_that_no_machine_has() -> None:
    assert {(machine, name) for machine, name, _ in TABLES} == {(machine, fault.id) for machine, fault in SIMULATED}


@pytest.mark.parametrize(("machine", "name", "known"), TABLES, ids=lambda each: each if isinstance(each, str) else "")
def test_signatures_name_what_the_demo_measures(machine: str, name: str, known: Fault) -> None:
    asset = next(asset for asset in DEMO.assets.values() if asset.asset_class == machine)
    spectral = SPECTRAL if asset.waveforms else ()
    for signature in known.signatures:
        there = {key for key, signal in asset.signals.items() if key not in asset.context and not signal.counter}
        assert set(signature) <= there | set(spectral)
        assert max(abs(weight) for weight in signature.values()) == 1.0
    everything = [frozenset(signature.items()) for fault in KNOWN[machine].faults.values() for signature in fault.signatures]
    assert len(everything) == len(set(everything)), "two faults of one signature cannot be told apart"


@pytest.mark.parametrize(
    ("machine", "name", "known"),
    TABLES,
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_codes_are_those_of_iso_14224(machine: str, name: str, known: Fault) -> None:
    assert known.mode in MODES
    assert known.cause in CAUSES
    assert known.mechanism in MECHANISMS


def test_a_file_of_ones_own_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    (tmp_path / "pump.toml").write_text(OWN, encoding="utf-8")
    found = load_knowledge(["pump", "robot", "press", "pump"], tmp_path)
    assert list(found) == ["pump", "robot", "press"]
    assert list(found["pump"].faults) == ["bearing-wear"]
    assert found["pump"].faults["bearing-wear"].action.en == "Call Anna."
    assert found["robot"] == KNOWN["robot"]
    assert not found["press"].faults
    assert found["pump"].failure is None
    assert found["press"].failure is None
    (tmp_path / "press.toml").write_text(OWN, encoding="utf-8")
    assert list(load_knowledge(["press"], tmp_path)["press"].faults) == ["bearing-wear"]
    assert load_knowledge(["pump"], tmp_path / "nowhere") == {"pump": KNOWN["pump"]}


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('sv = "Lagret", ', "", r"faults\.bearing-wear\.name\.sv: .*"),
        ('action = { sv = "Ring Anna.", en = "Call Anna." }', "", r"faults\.bearing-wear\.action: .*"),
        ("signatures", "signature", r"faults\.bearing-wear\.signature: .*"),
        ("bearing = 1.0", 'bearing = "much"', r"faults\.bearing-wear\.signatures\.0\.bearing: .*number.*"),
        ("bearing = 1.0", "bearing = nan", r"faults\.bearing-wear\.signatures\.0\.bearing: .*finite.*"),
        ("{ bearing = 1.0 }", "{}", r"faults\.bearing-wear\.signatures\.0: .*"),
        ("[faults.bearing-wear]", '[faults."Bearing Wear"]', r"faults\.Bearing Wear.*: .*"),
        ("schema = 1", "schema = 2", r"schema: .*1.*"),
        ("schema = 1", "within_h = 3\nschema = 1", r"within_h: .*"),
        ("signatures", "within_h = -1\nsignatures", r"faults\.bearing-wear\.within_h: .*0.*"),
        ("[faults.bearing-wear]", "[faults.bearing-wear", r"is not TOML: .*line 2.*"),
        ("[faults", "[failure]\nscore = 1.0\nspread = 0.5\n[faults", r"failure\.score: .*greater than 1.*"),
        ("[faults", "[failure]\nscore = inf\nspread = 0.5\n[faults", r"failure\.score: .*finite.*"),
        ("[faults", "[failure]\nscore = 9.0\nspread = -0.5\n[faults", r"failure\.spread: .*0.*"),
        ("[faults", "[failure]\nscore = 9.0\n[faults", r"failure\.spread: .*"),
        ("[faults", "[failure]\nscore = 9.0\nspread = 0.5\ncycle_s = 60\n[faults", r"failure\.cycle_s: .*"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, before: str, after: str, key: str) -> None:
    path = tmp_path / "pump.toml"
    assert before in OWN
    path.write_text(OWN.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(KnowledgeError) as error:
        load_knowledge(["pump"], tmp_path)
    assert re.fullmatch(f"{re.escape(str(path))}: {key}", str(error.value), re.DOTALL), str(error.value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "pump.toml").write_bytes('name = "på"'.encode("latin-1"))
    with pytest.raises(KnowledgeError, match=r"pump\.toml: is not TOML: "):
        load_knowledge(["pump"], tmp_path)


def test_the_example_of_the_readme_is_one(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", (SHIPPED / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "fan.toml").write_text(example[1], encoding="utf-8")
    (fault,) = load_knowledge(["fan"], tmp_path)["fan"].faults.values()
    assert (fault.mode in MODES, fault.mechanism in MECHANISMS, fault.cause in CAUSES) == (True, True, True)
