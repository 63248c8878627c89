"""Waveforms under an analysis that knows nothing of how they are made: SciPy's spectra, envelopes and moments."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, stats

from edge.contracts.plant import Bearing
from edge.contracts.plant_file import load_plant
from simulator.accelerometers import Accelerometers
from simulator.bearings import BearingPart, FaultFrequencies, fault_frequencies
from simulator.machines.pump import Pump
from simulator.randomness import Draws
from simulator.simulated_site import SimulatedSite
from simulator.waveforms import (
    BLOCK_POINTS,
    RATE_HZ,
    Damage,
    Excitation,
    Rotor,
    after_gap,
    at_rest,
    vibrate,
)

DEMO = Path(__file__).parents[2] / "edge/plants/demo.toml"
DATA = Path(__file__).parents[3] / "shared/data"
CWRU, PRONOSTIA = DATA / "cwru", DATA / "pronostia"
BEARING = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
ROTOR = Rotor(bearing=BEARING, rated_speed=1455.0)
WORN = 14.0  # mm/s of a bearing that is worn out
Points = NDArray[np.float64]


def excitation(speed: float = 1455.0, part: BearingPart | None = None, severity: float = 0.0, **more: float) -> Excitation:
    damage = {} if part is None else {part: Damage(severity=severity, velocity=WORN * severity)}
    sources = {"unbalance": 1.2, "hydraulic": 0.8} | more
    return Excitation(speed=speed, damage=damage, **sources)


def record(now: Excitation, blocks: int = 30, seed: int = 5, rotor: Rotor = ROTOR) -> Points:
    state, points = at_rest(seed), []
    for _ in range(blocks):
        block, state = vibrate(rotor, now, state)
        points.append(block)
    return np.concatenate(points).astype(np.float64)


def velocity_rms(acceleration: Points) -> float:
    """Velocity rms [mm/s], 10–1000 Hz: the spectrum divided by (2πf)²."""
    hz, density = signal.welch(acceleration, RATE_HZ, nperseg=4 * BLOCK_POINTS)
    band = (hz >= 10.0) & (hz <= 1000.0)
    return 1e3 * math.sqrt(np.sum(density[band] / (2.0 * np.pi * hz[band]) ** 2) * hz[1])


def velocity_line(acceleration: Points, at: float) -> float:
    """Velocity rms [mm/s] of the line at `at` [Hz], over ±3 Hz."""
    hz, density = signal.welch(acceleration, RATE_HZ, "hann", nperseg=8 * BLOCK_POINTS)
    near = np.abs(hz - at) < 3.0
    return 1e3 * math.sqrt(np.sum(density[near] / (2.0 * np.pi * hz[near]) ** 2) * hz[1])


def peak_near(acceleration: Points, at: float) -> float:
    hz, density = signal.welch(acceleration, RATE_HZ, "hann", nperseg=8 * BLOCK_POINTS)
    near = np.abs(hz - at) < 5.0
    return float(hz[near][np.argmax(density[near])])


def envelope(acceleration: Points, rate: float, band: tuple[float, float]) -> tuple[Points, Points]:
    """Frequencies [Hz] and amplitudes of the squared envelope's spectrum, after a band-pass round the resonance."""
    passed = signal.sosfiltfilt(signal.butter(4, band, "bandpass", fs=rate, output="sos"), acceleration)
    squared = np.abs(signal.hilbert(passed)) ** 2
    squared = (squared - squared.mean()) * signal.windows.hann(len(squared))
    return np.fft.rfftfreq(len(squared), 1.0 / rate), np.abs(np.fft.rfft(squared))


def standing_out(hz: Points, amplitude: Points, at: float) -> float:
    """How far the line at `at` [Hz], within 2 %, stands above the median of its surroundings, as a ratio."""
    near = np.abs(hz - at) <= max(0.02 * at, 0.6)
    around = (np.abs(hz - at) <= max(0.35 * at, 8.0)) & ~near & (hz > 2.0)
    return float(amplitude[near].max() / np.median(amplitude[around]))


def lines_of(acceleration: Points, rate: float, speed: float, band: tuple[float, float]) -> dict[BearingPart, float]:
    """By part, the geometric mean of how far its first two envelope lines stand out."""
    hz, amplitude = envelope(acceleration, rate, band)
    at = fault_frequencies(BEARING, speed / 60.0)
    lines = {BearingPart.OUTER: at.bpfo, BearingPart.INNER: at.bpfi, BearingPart.BALL: 2.0 * at.bsf}
    return {
        part: math.sqrt(standing_out(hz, amplitude, line) * standing_out(hz, amplitude, 2.0 * line))
        for part, line in lines.items()
    }


ROUND_RESONANCE = (2200.0, 4800.0)


@pytest.mark.parametrize("speed", [900.0, 1455.0])
def test_spectrum_shows_shaft_and_vane_pass_where_and_as_high_as_they_are(speed: float) -> None:
    points = record(excitation(speed, unbalance=1.5, misalignment=2.0, hydraulic=1.0))
    shaft = speed / 60.0
    for order in (1, 2, 6):
        assert peak_near(points, order * shaft) == pytest.approx(order * shaft, abs=RATE_HZ / (8 * BLOCK_POINTS))
    once, twice = math.hypot(1.5 * 0.97, 2.0 * 0.35), math.hypot(2.0 * 0.90, 1.5 * 0.20)
    assert velocity_line(points, shaft) == pytest.approx(once, rel=0.06)
    assert velocity_line(points, 2.0 * shaft) == pytest.approx(twice, rel=0.06)
    assert velocity_line(points, 6.0 * shaft) == pytest.approx(0.9, rel=0.1)
    assert velocity_line(points, 4.5 * shaft) < 0.2


def test_gear_mesh_has_sidebands_at_shaft_speed() -> None:
    rotor = Rotor(bearing=BEARING, rated_speed=1455.0, teeth=23)
    points, shaft = record(excitation(gear_mesh=1.0), rotor=rotor), 1455.0 / 60.0
    mesh = velocity_line(points, 23 * shaft)
    for side in (22, 24):
        assert velocity_line(points, side * shaft) / mesh == pytest.approx(0.25, rel=0.15)
    assert velocity_line(points, 22.5 * shaft) < 0.1 * mesh


@pytest.mark.parametrize("part", [BearingPart.OUTER, BearingPart.INNER, BearingPart.BALL])
@pytest.mark.parametrize("speed", [950.0, 1455.0])
def test_envelope_finds_the_damaged_part_and_no_other(part: BearingPart, speed: float) -> None:
    lines = lines_of(record(excitation(speed, part, 0.15), blocks=60), RATE_HZ, speed, ROUND_RESONANCE)
    assert lines[part] > 8.0
    assert max(lines, key=lines.__getitem__) is part


@pytest.mark.parametrize("seed", range(4))
def test_envelope_of_a_healthy_bearing_has_no_line_of_any_part(seed: int) -> None:
    points = record(excitation(), blocks=60, seed=seed)
    assert max(lines_of(points, RATE_HZ, 1455.0, ROUND_RESONANCE).values()) < 5.0
    hz, amplitude = envelope(points, RATE_HZ, ROUND_RESONANCE)
    assert standing_out(hz, amplitude, fault_frequencies(BEARING, 1455.0 / 60.0).ftf) < 5.0


def sidebands(at: FaultFrequencies) -> dict[BearingPart, tuple[float, float]]:
    return {BearingPart.INNER: (at.bpfi, 1455.0 / 60.0), BearingPart.BALL: (2.0 * at.bsf, at.ftf)}


@pytest.mark.parametrize("part", [BearingPart.INNER, BearingPart.BALL])
def test_turning_through_the_load_zone_gives_sidebands(part: BearingPart) -> None:
    line, apart = sidebands(fault_frequencies(BEARING, 1455.0 / 60.0))[part]
    hz, amplitude = envelope(record(excitation(part=part, severity=0.3), blocks=60), RATE_HZ, ROUND_RESONANCE)

    def height(at: float) -> float:
        return float(amplitude[np.abs(hz - at) < 1.0].max())

    between = np.median(amplitude[np.abs(hz - (line + 0.5 * apart)) < 0.2 * apart])
    assert height(line - apart) > 3.0 * between
    assert height(line + apart) > 3.0 * between
    assert height(apart) > 3.0 * between, "the modulation itself"


def test_a_broken_cage_strikes_once_in_its_turn() -> None:
    at = fault_frequencies(BEARING, 1455.0 / 60.0)
    hz, amplitude = envelope(record(excitation(part=BearingPart.CAGE, severity=0.3), blocks=120), RATE_HZ, ROUND_RESONANCE)
    for harmonic in (1, 2, 3):
        near = np.abs(hz - harmonic * at.ftf) < 0.4 * at.ftf
        assert hz[near][np.argmax(amplitude[near])] == pytest.approx(harmonic * at.ftf, rel=0.03)


@pytest.mark.parametrize("part", BearingPart)
def test_kurtosis_and_crest_grow_while_velocity_hardly_does(part: BearingPart) -> None:
    healthy, early, later = (record(excitation(part=part, severity=s), blocks=60) for s in (0.0, 0.04, 0.1))
    kurtosis = [stats.kurtosis(each, fisher=False) for each in (healthy, early, later)]
    crest = [np.abs(each).max() / each.std() for each in (healthy, early, later)]
    assert 2.5 < kurtosis[0] < 3.3
    assert kurtosis[0] + 0.4 < kurtosis[1] < kurtosis[2]
    assert crest[0] < crest[1]
    assert velocity_rms(early) < 1.2 * velocity_rms(healthy)


def test_cavitation_is_broad_band_noise_above_one_kilohertz() -> None:
    healthy, starved = record(excitation()), record(excitation(cavitation=2.5))
    hz, quiet = signal.welch(healthy, RATE_HZ, nperseg=1024)
    _, loud = signal.welch(starved, RATE_HZ, nperseg=1024)
    band = (hz > 1500.0) & (hz < 8000.0)
    assert (loud[band] > 20.0 * quiet[band]).all()
    assert loud[band].sum() > 0.7 * loud.sum()
    assert stats.gmean(loud[band]) > 0.7 * loud[band].mean(), "flat: no line in it"
    assert stats.kurtosis(starved, fisher=False) == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize(
    "now",
    [
        excitation(),
        excitation(misalignment=3.0),
        excitation(cavitation=3.0),
        excitation(900.0, unbalance=0.8),
        *(excitation(part=part, severity=0.4) for part in BearingPart),
        excitation(part=BearingPart.OUTER, severity=1.0),
    ],
)
def test_integrated_acceleration_has_the_stated_velocity(now: Excitation) -> None:
    """Ten seconds agree within 8 %: noise below 30 Hz weighs most in velocity, and 10 s hold few of its periods."""
    assert velocity_rms(record(now, blocks=63)) == pytest.approx(now.velocity, rel=0.08)


@pytest.mark.parametrize("fault", ["", "bearing-wear", "cavitation", "imbalance", "misalignment"])
def test_the_pumps_waveform_agrees_with_its_vibration(fault: str) -> None:
    """Over 10 s within 8 %, as above; the pump is held in the state of its last step."""
    pump, state, points = Pump(Draws([(7,)])), at_rest(7, 3), []
    level = {each.id: np.array([0.4 if each.id == fault else 0.0]) for each in Pump.faults}
    for _ in range(60):
        truth = pump.step(1.0, level)
    rotor, now = pump.rotor(0), pump.excitation(0)
    for _ in range(63):
        block, state = vibrate(rotor, now, state)
        points.append(block)
    acceleration = np.concatenate(points).astype(np.float64)
    assert velocity_rms(acceleration) == pytest.approx(truth["vibration"][0], rel=0.08)
    assert peak_near(acceleration, now.speed / 60.0) == pytest.approx(now.speed / 60.0, abs=0.8)


def test_an_accelerometer_gives_blocks_when_due_and_changes_no_other_signal() -> None:
    plant = load_plant(DEMO)
    silent, heard = (SimulatedSite(plant, 7) for _ in range(2))
    accelerometers = Accelerometers(plant, heard, 7)
    expected, rows = silent.rows(0), heard.rows(0)
    blocks = []
    for _ in range(60):
        row = next(rows)
        assert row == next(expected)
        blocks += [block for _, block in accelerometers.blocks(row.asset, row.time) if row.asset == "pump-101"]
    times = sorted({block.time for block in blocks})
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {10_000_000_000}
    assert all(block.points.dtype == np.float32 and block.points.shape == (4096,) for block in blocks)
    assert len({block.points.tobytes() for block in blocks}) == len(blocks)


SPEEDS = st.floats(300.0, 3000.0)
PARTS = st.sampled_from(list(BearingPart))


@settings(max_examples=15, deadline=None)
@given(PARTS, SPEEDS, st.floats(0.0, 0.9), st.floats(0.02, 0.1), st.integers(0, 1000))
def test_a_worse_fault_shakes_more(part: BearingPart, speed: float, severity: float, more: float, seed: int) -> None:
    mild, worse = (record(excitation(speed, part, s), 8, seed).std() for s in (severity, severity + more))
    assert worse > mild


@settings(max_examples=10, deadline=None)
@given(st.floats(400.0, 3000.0), st.integers(0, 1000))
def test_frequencies_scale_with_speed(speed: float, seed: int) -> None:
    points = record(excitation(speed, hydraulic=3.0, background=0.05), 16, seed)
    assert peak_near(points, 6.0 * speed / 60.0) == pytest.approx(6.0 * speed / 60.0, abs=0.8)


@settings(max_examples=10, deadline=None)
@given(PARTS, st.integers(0, 1000))
def test_the_same_seed_gives_the_same_points_and_another_seed_others(part: BearingPart, seed: int) -> None:
    now = excitation(part=part, severity=0.2)
    assert np.array_equal(record(now, 3, seed), record(now, 3, seed))
    assert not np.allclose(record(now, 3, seed), record(now, 3, seed + 1))


@settings(max_examples=15, deadline=None)
@given(SPEEDS, SPEEDS, st.integers(0, 1000))
def test_blocks_join_without_a_jump(before: float, now: float, seed: int) -> None:
    """Without noise the curve is smooth: its second differences at a joint are such as those beside it.

    Of random examples one in two hundred has a hit of the bearing on the very joint, which is no smooth place.
    """
    rotor = Rotor(bearing=BEARING, rated_speed=1455.0, resonance_hz=800.0)
    state, blocks = at_rest(seed), []
    for speed in (before, now, before):
        quiet = excitation(speed, BearingPart.CAGE, 0.3, hydraulic=0.0, background=0.0)
        block, state = vibrate(rotor, quiet, state, 512)
        blocks.append(block.astype(np.float64))
    steps = np.abs(np.diff(np.concatenate(blocks), 2))
    for joint in (512, 1024):
        beside = np.concatenate((steps[joint - 42 : joint - 2], steps[joint : joint + 40]))
        assert steps[joint - 2 : joint].max() <= 2.0 * beside.max() + 1e-4


@pytest.mark.parametrize(
    "now",
    [
        excitation(unbalance=0.0, hydraulic=0.0),
        excitation(unbalance=0.0, hydraulic=0.0, cavitation=2.0, background=0.0),
        excitation(part=BearingPart.OUTER, severity=1.0, unbalance=0.0, hydraulic=0.0, background=0.0),
    ],
)
def test_noise_and_ringing_go_on_over_joints(now: Excitation) -> None:
    """Steps from point to point are as large over 1,500 joints as anywhere else, within 12 %."""
    state, blocks = at_rest(2), []
    for _ in range(1501):
        block, state = vibrate(ROTOR, now, state, 128)
        blocks.append(block.astype(np.float64))
    steps = np.diff(np.concatenate(blocks))
    assert np.sqrt(np.mean(steps[127::128] ** 2)) == pytest.approx(steps.std(), rel=0.12)


def test_a_gap_turns_the_shaft_and_silences_what_rang() -> None:
    now = excitation(part=BearingPart.OUTER, severity=0.5)
    _, state = vibrate(ROTOR, now, at_rest(1))
    later = after_gap(state, ROTOR, 10.0, now.speed)
    assert later.angle - state.angle == pytest.approx(242.5)
    assert not later.tail.any()
    points, _ = vibrate(ROTOR, now, later)
    assert np.isfinite(points).all()


def test_a_shaft_at_rest_only_hears_the_background() -> None:
    still = record(Excitation(speed=0.0, unbalance=1.0, hydraulic=0.0))
    assert velocity_rms(still) == pytest.approx(0.3, rel=0.08)


@pytest.mark.parametrize(("speed", "severity"), [(math.nan, 0.1), (-1.0, 0.1), (1455.0, 1.2), (1455.0, -0.1)])
def test_what_cannot_be_is_refused(speed: float, severity: float) -> None:
    with pytest.raises(ValueError, match="should"):
        excitation(speed, BearingPart.OUTER, severity)


def real(name: str) -> Points:
    with np.load(CWRU / f"1797_{name}.npz") as recording:
        return np.asarray(recording["DE"][:, 0], np.float64)


@pytest.mark.skipif(not CWRU.exists(), reason="the recorded bearing rig is not beside the project (../shared/data/cwru)")
@pytest.mark.parametrize(
    ("name", "rate", "part"),
    [("Normal", 48000.0, None), ("OR@6_7_DE12", 12000.0, BearingPart.OUTER), ("IR_7_DE12", 12000.0, BearingPart.INNER)],
)
def test_simulated_and_real_envelopes_show_the_same_lines(name: str, rate: float, part: BearingPart | None) -> None:
    """On the rig's own bearing and speed."""
    band = (2200.0, 4200.0)
    of_real = lines_of(real(name), rate, 1797.0, band)
    simulated = record(excitation(1797.0, part, 0.3 if part is not None else 0.0), blocks=63)
    of_simulated = lines_of(simulated, RATE_HZ, 1797.0, band)
    for lines in (of_real, of_simulated):
        if part is None:
            assert max(lines.values()) < 8.0
        else:
            assert max(lines, key=lines.__getitem__) is part
            assert lines[part] > 20.0


def snapshot_lines(snapshots: Points, bearing: Bearing, shaft_hz: float) -> dict[BearingPart, float]:
    """As `lines_of`, of spectra averaged over short snapshots, (n, points): 10 Hz of resolution, so BPFI hides 2·BSF."""
    sos = signal.butter(4, (1000.0, 4000.0), "bandpass", fs=RATE_HZ, output="sos")
    squared = np.abs(signal.hilbert(signal.sosfiltfilt(sos, snapshots, axis=1), axis=1)) ** 2
    squared = (squared / squared.mean(axis=1, keepdims=True) - 1.0) * signal.windows.hann(snapshots.shape[1])
    hz = np.fft.rfftfreq(round(RATE_HZ), 1.0 / RATE_HZ)
    amplitude = np.sqrt(np.mean(np.abs(np.fft.rfft(squared, round(RATE_HZ), axis=1)) ** 2, axis=0))
    at = fault_frequencies(bearing, shaft_hz)

    def height(line: float) -> float:
        near = amplitude[np.abs(hz - line) <= 0.02 * line + 3.0].max()
        return float(near / np.median(amplitude[(np.abs(hz - line) > 0.1 * line) & (np.abs(hz - line) < 0.3 * line)]))

    return {BearingPart.OUTER: height(at.bpfo), BearingPart.INNER: height(at.bpfi)}


@pytest.mark.skipif(
    not PRONOSTIA.exists(), reason="the run-to-failure rig is not beside the project (../shared/data/pronostia)"
)
def test_a_bearing_run_to_failure_begins_and_ends_as_a_simulated_one() -> None:
    """Bearing 1_2 at 1800 /min: 13 balls of 3.5 mm on 25.6 mm (Nectoux et al. 2012); its end shows the inner race."""
    bearing = Bearing(balls=13, ball_mm=3.5, pitch_mm=25.6)
    with np.load(PRONOSTIA / "raw_Bearing1_2.npz") as recording:
        g = recording["acc"][:, :, 0] * float(recording["scale"])
    rotor = Rotor(bearing=bearing, rated_speed=1800.0)
    end = excitation(1800.0, BearingPart.INNER, 0.1)
    simulated = [record(each, 40, rotor=rotor).reshape(-1, 2560) for each in (excitation(1800.0), end)]
    for early, late in ((9.81 * g[20:80], 9.81 * g[-60:-5]), simulated):
        assert max(snapshot_lines(early, bearing, 30.0).values()) < 1.5
        lines = snapshot_lines(late, bearing, 30.0)
        assert lines[BearingPart.INNER] > 1.6
        # 10 Hz of resolution do not part BPFO from the sideband BPFI - 2×, which is there in the simulated bearing alone
        assert lines[BearingPart.INNER] > 1.15 * lines[BearingPart.OUTER]
        assert late.std() > 2.0 * early.std()
        kurtosis = [np.median(stats.kurtosis(each, axis=1, fisher=False)) for each in (early, late)]
        assert kurtosis[0] < 3.5 < 4.5 < kurtosis[1]
