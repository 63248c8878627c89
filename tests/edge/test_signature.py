"""Which fault it is by its signature, and whose word goes first."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.assessment import Diagnosis
from edge.contracts.model_spec import ModelSignal, ModelSpec, SignalReference
from edge.contracts.plant_file import load_plant
from edge.data_manipulation.grid import GridRow
from edge.group_diagnosis import Diagnoses, GroupDiagnosis
from edge.groups import Group, groups_of
from edge.health_assessment.signature import SignatureDiagnosis
from edge.health_assessment.vibration import LEAST_BLOCKS
from edge.knowledge import SPECTRAL, ClassKnowledge, Failure, load_knowledge
from edge.state_detection.detector import REASONS, SCORED, Detection

DEMO = load_plant(Path(__file__).parents[2] / "edge/plants/demo.toml")
KNOWN = load_knowledge(asset.asset_class for asset in DEMO.assets.values())
GROUPS = {group.settings[0].asset_class: group for group in groups_of(DEMO)}
SIGNATURES = [
    (name, fault, number)
    for name, known in KNOWN.items()
    for fault, about in known.faults.items()
    for number in range(len(about.signatures))
]


def settled(signature: SignatureDiagnosis, deviation: np.ndarray, spectral: np.ndarray) -> np.ndarray:
    for _ in range(300):
        shares = signature.update(deviation, spectral)
    return shares


def seen(group: Group, pattern: dict[str, float], size: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    deviation, spectral = np.zeros((1, len(group.names))), np.zeros((1, len(SPECTRAL)))
    for name, weight in pattern.items():
        if name in SPECTRAL:
            spectral[0, SPECTRAL.index(name)] = size * weight
        else:
            deviation[0, group.column(name)] = size * weight
    return deviation, spectral


def diagnoses(signature: SignatureDiagnosis, shares: np.ndarray) -> Diagnoses:
    return Diagnoses(
        health=np.ones(1, np.float32),
        zones=[None],
        lives=[None],
        faults=signature.faults,
        probability=shares,
        by=Diagnosis.SIGNATURE,
    )


@pytest.mark.parametrize(("name", "fault", "number"), SIGNATURES)
def test_each_faults_own_pattern_is_named_first(name: str, fault: str, number: int) -> None:
    group = GROUPS[name]
    signature = SignatureDiagnosis(KNOWN[name].faults, group.names, 1, 1.0)
    pattern = KNOWN[name].faults[fault].signatures[number]
    shares = settled(signature, *seen(group, pattern))
    assert shares.shape == (1, len(KNOWN[name].faults))
    assert 0 < shares.sum() < 1
    named = diagnoses(signature, shares).fault(0)
    assert named is not None
    assert (named.name, named.by) == (fault, Diagnosis.SIGNATURE)
    # a little noise in every signal, and half the size, change nothing
    rng = np.random.default_rng(number)
    noise, spectral = seen(group, pattern, size=1.5)
    noise += 0.1 * rng.standard_normal(noise.shape)
    noisy = diagnoses(signature, settled(SignatureDiagnosis(KNOWN[name].faults, group.names, 1, 1.0), noise, spectral)).fault(0)
    assert noisy is not None
    assert noisy.name == fault


@pytest.mark.parametrize("name", GROUPS)
def test_no_deviation_names_nothing(name: str) -> None:
    group = GROUPS[name]
    signature = SignatureDiagnosis(KNOWN[name].faults, group.names, 1, 1.0)
    assert diagnoses(signature, settled(signature, *seen(group, {}))).fault(0) is None
    missing = np.full((1, len(group.names)), np.nan)
    assert diagnoses(signature, settled(signature, missing, np.zeros((1, 4)))).fault(0) is None


def test_the_opposite_of_a_fault_is_none() -> None:
    group = GROUPS["pump"]
    signature = SignatureDiagnosis(KNOWN["pump"].faults, group.names, 1, 1.0)
    (dry,) = KNOWN["pump"].faults["dry-run"].signatures
    assert diagnoses(signature, settled(signature, *seen(group, dry, size=-3.0))).fault(0) is None


def test_a_class_without_signatures_names_nothing() -> None:
    signature = SignatureDiagnosis(ClassKnowledge().faults, ("force",), 2, 1.0)
    shares = signature.update(np.ones((2, 1)), np.zeros((2, 4)))
    assert (signature.faults, shares.shape) == ((), (2, 0))
    other = {"leak": dataclasses.replace(KNOWN["pump"].faults["dry-run"], signatures=({"level": -1.0},))}
    assert SignatureDiagnosis(other, ("force",), 1, 1.0).faults == (), "of signals that are not there nothing is known"


def test_what_a_signal_did_stays_while_it_is_unknown_and_over_a_restart() -> None:
    group = GROUPS["pump"]
    signature = SignatureDiagnosis(KNOWN["pump"].faults, group.names, 1, 1.0)
    deviation, spectral = seen(group, KNOWN["pump"].faults["blocked-valve"].signatures[0])
    before = settled(signature, deviation, spectral)
    again = SignatureDiagnosis(KNOWN["pump"].faults, group.names, 1, 1.0)
    again.restore({name: array.copy() for name, array in signature.state().items()})
    missing = np.full_like(deviation, np.nan)
    assert np.array_equal(again.update(missing, spectral), signature.update(missing, spectral))
    assert signature.update(missing, spectral) == pytest.approx(before)


def detection(group: Group, score: float, **outputs: np.ndarray) -> Detection:
    return Detection(
        score=np.array([score], np.float32),
        momentary=np.array([score], np.float32),
        reason=np.array([SCORED if np.isfinite(score) else REASONS.index(REASONS[0])], np.int8),
        anomalous=np.array([score >= 1.0]),
        coverage=np.ones(1, np.float32),
        outputs=outputs,
    )


def spec(faults: tuple[str, ...] = ()) -> ModelSpec:
    names = ("flow", "pressure", "power", "current")
    return ModelSpec(
        name="pump",
        version="1",
        asset_class="pump",
        period_s=1.0,
        n_samples=1,
        signals=tuple(ModelSignal(name=name, unit="1") for name in names),
        faults=faults,
        reference={name: SignalReference(tolerance=2.0) for name in names},
    )


def row(group: Group, time: int, **values: float) -> GridRow:
    value = np.zeros(group.shape)
    for name, number in values.items():
        value[0, group.column(name)] = number
    no = np.zeros(group.shape, np.bool_)
    return GridRow(time=time, value=value, bad=no, stale=no, silent=np.zeros(1, np.bool_), skipped=0)


RUNS = np.array([True])
# measured below what was expected in tolerances of 2: as of a valve that does not let through
VALVE = {"flow": -6.0, "pressure": 5.0, "power": -2.0, "current": -2.0}


def test_signatures_rest_on_what_the_model_expects() -> None:
    group = GROUPS["pump"]
    blocks = GroupDiagnosis(group, KNOWN["pump"])
    expected = np.zeros((1, 4), np.float32)
    for second in range(120):
        found = blocks.update(row(group, second * 10**9, **VALVE), RUNS, detection(group, 2.0, expected=expected), spec())
    fault = found.fault(0)
    assert fault is not None
    assert (fault.name, fault.by) == ("blocked-valve", Diagnosis.SIGNATURE)
    without = GroupDiagnosis(group, KNOWN["pump"])
    for second in range(120):
        found = without.update(row(group, second * 10**9, **VALVE), RUNS, detection(group, 2.0), spec())
    assert found.fault(0) is None, "nothing was expected, so nothing deviates"


def test_a_machine_that_is_heard_is_named_no_fault_before_its_sound_is_known() -> None:
    """Else a bearing that is worn from the start is called an imbalance: what tells them apart is not known yet."""
    group = GROUPS["pump"]
    blocks = GroupDiagnosis(group, KNOWN["pump"])
    expected, silence = np.zeros((1, 4), np.float32), np.random.default_rng(1).normal(size=4096).astype(np.float32)
    named = []
    for heard in range(LEAST_BLOCKS + 1):
        # heard while healthy, and seen as it would be with the fault
        blocks.vibration.take(0, silence, 25_600.0, 24.0, healthy=True)
        for second in range(20):
            time = (20 * heard + second) * 10**9
            found = blocks.update(row(group, time, **VALVE), RUNS, detection(group, 2.0, expected=expected), spec())
        named.append(found.fault(0) is not None)
    assert named == [False] * (LEAST_BLOCKS - 1) + [True] * 2


def test_the_models_word_goes_before_that_of_signatures() -> None:
    group = GROUPS["pump"]
    blocks = GroupDiagnosis(group, KNOWN["pump"])
    expected = np.zeros((1, 4), np.float32)
    for second in range(120):
        outputs = {"expected": expected, "fault_probability": np.array([[0.1, 0.8]], np.float32)}
        found = blocks.update(
            row(group, second * 10**9, **VALVE), RUNS, detection(group, 2.0, **outputs), spec(("dry-run", "imbalance"))
        )
    fault = found.fault(0)
    assert fault is not None
    assert (fault.name, fault.by, fault.probability) == ("imbalance", Diagnosis.MODEL, pytest.approx(0.8))
    assert found.by_fault(0) == {"dry-run": pytest.approx(0.1), "imbalance": pytest.approx(0.8)}
    outputs = {"fault_probability": np.array([[0.2, 0.3]], np.float32)}
    found = blocks.update(row(group, 10**12), RUNS, detection(group, 2.0, **outputs), spec(("dry-run", "imbalance")))
    assert found.fault(0) is None, "what is left to 1 is that of no fault"


# what deviated while a simulated machine was above its limit, where that is not what the fault itself does
@pytest.mark.parametrize(
    ("name", "fault", "pattern"),
    [
        ("compressor", "valve-leak", {"pressure": -0.5, "flow": -0.33, "discharge_temperature": -0.2}),
        ("furnace", "insulation-ageing", {"casing_temperature": 0.85, "power_factor": 0.49, "setpoint": 0.1}),
        ("robot", "collision", {"position_error": 0.93, "cycle_time": 0.12}),
        ("robot", "gearbox-backlash", {"position_error": 0.89, "temperature_3": 0.2, "temperature_5": -0.2}),
    ],
)
def test_what_simulated_machines_show_is_named(name: str, fault: str, pattern: dict[str, float]) -> None:
    group = GROUPS[name]
    signature = SignatureDiagnosis(KNOWN[name].faults, group.names, 1, 1.0)
    found = diagnoses(signature, settled(signature, *seen(group, pattern))).fault(0)
    assert found is not None
    assert found.name == fault


def test_the_remaining_life_ends_where_machines_of_the_class_fail() -> None:
    """A class that nobody knows of is guessed to fail at 12 times its limit."""
    group = GROUPS["pump"]

    def life(failure: Failure | None) -> float:
        blocks = GroupDiagnosis(group, ClassKnowledge(failure=failure))
        for second in range(900):
            score = float(np.exp(second / 700))
            found = blocks.update(row(group, second * 10**9), RUNS, detection(group, score), spec())
        assert found.lives[0] is not None
        return found.lives[0].p50

    guessed = life(None)
    assert life(Failure(score=12.0, spread=0.75)) == guessed
    assert life(Failure(score=4.5, spread=0.3)) < guessed / 2.0
    assert life(Failure(score=40.0, spread=0.3)) > 1.3 * guessed
