"""Features of fast signals: the graph against SciPy, and a bearing that is named by its lines through the edge's pipeline."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kurtosis
from threadpoolctl import threadpool_limits

from edge.contracts.errors import ModelError
from edge.contracts.plant import Bearing, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording
from edge.formats.waveform_recording import WaveformRecording
from edge.pipeline import OnnxModel, Pipeline
from models.evaluate import replay
from models.features import FeatureGraph, Windows
from models.settings import Settings
from models.spectra import N_OCTAVES, PARTS, SpectrumGraph, WaveformError, part_orders
from models.training import TrainedModel, train
from simulator.bearings import BearingPart
from simulator.waveforms import RATE_HZ, Damage, Excitation, Rotor, at_rest, vibrate

ROOT = Path(__file__).parents[2]
START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
BEARING = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
N_POINTS, SPEED, EVERY_S = 4096, 1450.0, 2
GRAPH = SpectrumGraph(
    name="acceleration", unit="m/s2", rate_hz=RATE_HZ, n_points=N_POINTS, speed_column=0, usual_speed=SPEED, bearing=BEARING
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1):
        yield


def blocks(n: int, seed: int, damage: dict[BearingPart, Damage] | None = None, speed: float = SPEED) -> np.ndarray:
    rotor = Rotor(bearing=BEARING, rated_speed=SPEED)
    state, found = at_rest(seed), []
    for _ in range(n):
        points, state = vibrate(rotor, Excitation(speed=speed, unbalance=0.8, damage=damage or {}), state, N_POINTS)
        found.append(points)
    return np.array(found)


def computed(points: np.ndarray, speed: float = SPEED) -> np.ndarray:
    n = len(points)
    windows = Windows(
        values=np.full((n, 1), speed, np.float32),
        last=np.arange(n),
        n_samples=1,
        waveforms={"acceleration": (points.astype(np.float32), np.arange(n))},
    )
    return FeatureGraph.learn(windows, (), [GRAPH]).compute(windows)[:, 1:]


def of(features: np.ndarray, name: str) -> np.ndarray:
    return features[:, GRAPH.names.index(name)]


def test_levels_are_what_scipy_makes_of_them() -> None:
    points = blocks(6, 1)
    found = computed(points)
    rms = points.std(axis=1)
    assert of(found, "level") == pytest.approx(np.log(rms), abs=1e-4)
    assert of(found, "kurtosis") == pytest.approx(np.log(kurtosis(points, axis=1, fisher=False)), abs=1e-3)
    around = points - points.mean(axis=1, keepdims=True)
    assert of(found, "crest") == pytest.approx(np.log(np.abs(around).max(axis=1) / rms), abs=1e-3)


def test_octaves_hold_the_power_of_their_band() -> None:
    time = np.arange(N_POINTS) / RATE_HZ
    tones = np.array([np.sin(2 * np.pi * hertz * time) for hertz in (9600.0, 4800.0, 1200.0)])
    found = computed(tones + 1e-3 * np.random.default_rng(1).standard_normal(tones.shape))
    octaves = np.column_stack([of(found, f"octave {number + 1}") for number in range(N_OCTAVES)])
    # 6400 to 12800 Hz is the first, and so on downwards
    assert octaves.argmax(axis=1).tolist() == [0, 1, 3]


@pytest.mark.parametrize("speed", [1200.0, 1450.0, 1700.0])
@pytest.mark.parametrize(("part", "name"), list(zip(BearingPart, PARTS, strict=True))[:2])
def test_the_lines_of_a_damaged_race_stand_out_at_the_measured_speed(part: BearingPart, name: str, speed: float) -> None:
    healthy = computed(blocks(20, 2, speed=speed), speed)
    broken = computed(blocks(20, 3, {part: Damage(severity=0.4, velocity=1.0)}, speed), speed)
    first = GRAPH.names.index(PARTS[0])
    z = ((broken - healthy.mean(axis=0)) / healthy.std(axis=0))[:, first:]
    assert (np.array(PARTS)[z.argmax(axis=1)] == name).mean() >= 0.95
    assert np.median(z[:, PARTS.index(name)]) > 3
    # with another speed than the measured one the lines are looked for in the wrong place
    elsewhere = computed(blocks(20, 3, {part: Damage(severity=0.4, velocity=1.0)}, speed), 0.8 * speed)
    assert np.median(of(elsewhere, name)) < np.median(of(broken, name)) - 1


def test_orders_follow_the_speed() -> None:
    time = np.arange(N_POINTS) / RATE_HZ
    shaft = np.array([np.sin(2 * np.pi * 2 * hertz * time) for hertz in (20.0, 40.0)])
    slow, fast = (computed(shaft, speed)[number] for number, speed in enumerate((1200.0, 2400.0)))
    for found in (slow, fast):
        orders = [found[GRAPH.names.index(f"order {order}")] for order in (1, 2, 3)]
        assert int(np.argmax(orders)) == 1


def test_fault_frequencies_of_a_known_bearing() -> None:
    """6205-2RS at 1797/min, as the CWRU bearing data centre gives them for its drive end."""
    hertz = [order * 1797 / 60 for order in part_orders(BEARING).values()]
    assert hertz == pytest.approx([107.36, 162.19, 70.58, 11.93], abs=0.05)


def test_blocks_that_are_no_power_of_two_are_refused(tmp_path: Path) -> None:
    plant = plant_with(tmp_path, points=2560)
    with pytest.raises(WaveformError, match="2560 points; models need a power of two, such as 2048"):
        SpectrumGraph.of("acceleration", plant.assets["pump"], ["speed"])


# ---- from recordings to assessments


def plant_with(folder: Path, points: int = N_POINTS) -> Plant:
    text = (ROOT / "tests/cases/training/plant.toml").read_text(encoding="utf-8")
    bearing = "bearing = { balls = 9, ball_mm = 7.94, pitch_mm = 39.04 }"
    text = text.replace('model = "pump"', f'model = "pump"\nnameplate = {{ rated_speed = 1450.0, {bearing} }}')
    fast = f'unit = "m/s2", source = "broker", topic = "fast/pump", points = {points}, every_s = {EVERY_S}'
    path = folder / "plant.toml"
    path.write_text(f"{text}\n[assets.pump.waveforms]\nacceleration = {{ {fast} }}\n", encoding="utf-8")
    return load_plant(path)


def recorded(n: int, seed: int, damaged_from: int | None = None) -> tuple[Recording, WaveformRecording]:
    """A pump whose signals tell nothing, and whose bearing can be heard: damaged from this second on."""
    random = np.random.default_rng(seed)
    speed = SPEED + random.normal(0, 2, n)
    values = {"speed": speed, "flow": 20 + random.normal(0, 0.1, n), "pressure": 3.2 + random.normal(0, 0.02, n)}
    rows = Recording(path="pump.csv", asset="pump", time=START + np.arange(n) * SECOND, values=values)
    n_good = (n if damaged_from is None else damaged_from) // EVERY_S
    points = [blocks(n_good, seed)]
    if damaged_from is not None:
        damage = {BearingPart.OUTER: Damage(severity=0.4, velocity=1.0)}
        points.append(blocks(n // EVERY_S - n_good, seed + 1, damage))
    waves = WaveformRecording(
        asset="pump",
        waveform="acceleration",
        time=START + np.arange(n // EVERY_S) * EVERY_S * SECOND,
        points=np.concatenate(points),
        rate_hz=RATE_HZ,
        unit="m/s2",
    )
    return rows, waves


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plant, TrainedModel, OnnxModel]:
    folder = tmp_path_factory.mktemp("listening")
    plant = plant_with(folder)
    rows, waves = recorded(400, 11)
    trained = train(rows, plant, Settings(n_samples=10, without=("recipe",)), waveforms=[waves])
    (folder / "pump.onnx").write_bytes(trained.content)
    return plant, trained, OnnxModel.load(folder / "pump.onnx")


def test_the_file_says_which_waveform_it_takes(listening: tuple[Plant, TrainedModel, OnnxModel]) -> None:
    _, trained, _ = listening
    (wave,) = trained.spec.waveforms
    assert (wave.name, wave.unit, wave.rate_hz, wave.n_points) == ("acceleration", "m/s2", RATE_HZ, N_POINTS)
    assert trained.spec.faults == PARTS
    assert trained.parity.largest <= 1e-4


def test_a_bearing_is_heard_and_named_though_no_fault_was_trained_on(
    listening: tuple[Plant, TrainedModel, OnnxModel],
) -> None:
    plant, _, model = listening
    rows, waves = recorded(200, 21, damaged_from=100)
    assessments, alarms = replay(plant, "pump", model, rows, [waves])
    before = [each for each in assessments if each.score is not None and each.time < START + 100 * SECOND]
    after = [each for each in assessments if each.time > START + 106 * SECOND]
    assert len(before) > 70
    assert np.mean([each.score >= 1 for each in before]) < 0.05
    assert not any(each.fault for each in before)
    assert all(each.score is not None and each.score > 1 for each in after)
    assert all(max(each.contribution, key=each.contribution.get) == "acceleration" for each in after)
    assert np.mean([each.fault is not None and each.fault.name == "bearing-outer-race" for each in after]) > 0.9
    alarm = next(each for each in alarms if each.rule == "anomaly")
    assert "acceleration (waveform)" in alarm.text.en
    assert "acceleration (vågform)" in alarm.text.sv


def test_without_its_waveform_nothing_is_scored(listening: tuple[Plant, TrainedModel, OnnxModel]) -> None:
    """It warms up until the first block, and is stale when blocks stay away."""
    plant, _, model = listening
    rows, waves = recorded(60, 31)
    none, _ = replay(plant, "pump", model, rows)
    assert {str(each.reason) for each in none} == {"warming-up"}
    few = WaveformRecording(
        asset="pump", waveform="acceleration", time=waves.time[:20], points=waves.points[:20], rate_hz=RATE_HZ, unit="m/s2"
    )
    some, _ = replay(plant, "pump", model, rows, [few])
    reasons = {(each.time - START) // SECOND: each.reason for each in some}
    # the last block begins at 38 s, and counts for three intervals of 2 s
    assert reasons[43] is None
    assert str(reasons[46]) == "stale"


def test_a_model_that_does_not_fit_the_plants_waveform_is_refused(
    listening: tuple[Plant, TrainedModel, OnnxModel], plant: Plant, tmp_path: Path
) -> None:
    _, _, model = listening
    with pytest.raises(ModelError, match="needs the waveform 'acceleration'"):
        Pipeline(plant, {"pump": model})
    with pytest.raises(ModelError, match=r"expects 'acceleration' as 4096 points.*the plant file says 2048"):
        Pipeline(plant_with(tmp_path, points=2048), {"pump": model})


def test_a_bearing_is_named_though_products_change(tmp_path: Path) -> None:
    """The lines are held against what is usual for the product that is made; the proof at export covers each of them."""
    plant = plant_with(tmp_path)
    rows, waves = recorded(400, 41)
    recipe = (np.arange(400) // 100 % 2).astype(float)
    flow = rows.values["flow"] + 5 * recipe
    conditioned = replace(
        rows, values=rows.values | {"flow": flow, "recipe": recipe}, texts={"recipe": TextTable(["shaft-80", "flange-120"])}
    )
    trained = train(conditioned, plant, Settings(n_samples=10), waveforms=[waves])
    assert len(trained.spec.context) == 1
    assert trained.spec.faults == PARTS
    assert trained.parity.largest <= 1e-4
