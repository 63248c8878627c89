"""What blocks of vibration tell: amplitudes, the lines of bearings, what is usual of a machine, and ISO 20816 zones."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.contracts.assessment import Zone
from edge.contracts.plant import Bearing
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import WaveformBlock
from edge.data_manipulation.waveform_hold import WaveformHold
from edge.data_manipulation.window import Window
from edge.group_diagnosis import MOST_BINS, describe_block
from edge.groups import Group, groups_of
from edge.health_assessment.spectrum import bearing_rates, envelope_spectrum, hiss, line, lines_of, prominence, spectrum
from edge.health_assessment.vibration import LEAST_BLOCKS, VibrationTrend, VibrationZones
from edge.knowledge import SPECTRAL
from simulator.bearings import BearingPart
from simulator.waveforms import Damage, Excitation, Rotor, at_rest, vibrate

RATE_HZ, N = 25600.0, 4096
T = np.arange(N) / RATE_HZ
DEMO = load_plant(Path(__file__).parents[2] / "edge/plants/demo.toml")
WITH_WAVEFORMS = [asset for asset, settings in DEMO.assets.items() if settings.waveforms]
# SKF 6205-2RS JEM, the drive end bearing of the Case Western Reserve University test rig
CWRU = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
PART = {BearingPart.OUTER: "BPFO", BearingPart.INNER: "BPFI", BearingPart.BALL: "BSF", BearingPart.CAGE: "FTF"}
Points = NDArray[np.float32]


def group_of(asset: str) -> Group:
    (group,) = groups_of(DEMO, only=[asset])
    return group


def bearing_of(asset: str) -> Bearing:
    nameplate = DEMO.assets[asset].nameplate
    assert nameplate is not None
    assert nameplate.bearing is not None
    return nameplate.bearing


def shaft_hz_of(asset: str) -> float:
    nameplate = DEMO.assets[asset].nameplate
    assert nameplate is not None
    assert nameplate.rated_speed is not None
    return nameplate.rated_speed / 60.0


def vibration(asset: str, n_blocks: int, seed: int = 3, **about: object) -> list[Points]:
    """Blocks of the simulator's, of a machine with this asset's nameplate."""
    shaft_hz = shaft_hz_of(asset)
    rotor = Rotor(bearing=bearing_of(asset), rated_speed=60.0 * shaft_hz)
    now = Excitation(**({"speed": 60.0 * shaft_hz, "unbalance": 1.0} | about))  # type: ignore[arg-type]
    state, blocks = at_rest(seed), []
    for _ in range(n_blocks):
        block, state = vibrate(rotor, now, state)
        blocks.append(block)
    return blocks


def strikes(hz: float, ringing_hz: float, seed: int = 1, strength: float = 10.0) -> Points:
    """Impacts at a rate, with slip, that ring at some kHz; in noise of spread 1."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal(N)
    moment = 0.0
    while (moment := moment + (1.0 + 0.01 * rng.standard_normal()) / hz) < T[-1]:
        since = T - moment
        points += np.where(
            since >= 0, strength * np.exp(-800.0 * np.maximum(since, 0)) * np.sin(2 * np.pi * ringing_hz * since), 0.0
        )
    return points.astype(np.float32)


@pytest.mark.parametrize(("hz", "amplitude"), [(50.0, 1.0), (1000.0, 0.2), (6250.0, 7.0), (12_000.0, 3.0)])
def test_a_sine_has_its_amplitude_at_its_place(hz: float, amplitude: float) -> None:
    found = spectrum((amplitude * np.sin(2 * np.pi * hz * T) + 9.81)[None].astype(np.float32), RATE_HZ)
    assert found.amplitude.shape == (1, N // 2 + 1)
    assert found.step_hz == 6.25
    assert found.amplitude[0, round(hz / 6.25)] == pytest.approx(amplitude, rel=0.01)
    assert found.amplitude[0, 0] < 0.01 * amplitude, "what stands still is no vibration"


def test_between_two_bins_a_sine_loses_little() -> None:
    found = spectrum(np.sin(2 * np.pi * 1003.125 * T)[None].astype(np.float32), RATE_HZ)
    place, amplitude = line(found, 0, 1003.125)
    # a Hann window's scalloping is 1.4 dB
    assert abs(place - 1003.125) <= 3.2
    assert amplitude > 0.84


def test_rates_of_a_bearing_are_those_of_its_data_sheet() -> None:
    """Case Western Reserve University, drive end: 3.5848, 5.4152, 4.7135 (of both races, 2·BSF), 0.39828 per turn."""
    rates = bearing_rates(CWRU)
    assert rates["BPFO"] == pytest.approx(3.5848, rel=1e-3)
    assert rates["BPFI"] == pytest.approx(5.4152, rel=1e-3)
    assert 2 * rates["BSF"] == pytest.approx(4.7135, rel=1e-3)
    assert rates["FTF"] == pytest.approx(0.39828, rel=1e-3)


def test_rates_with_a_contact_angle() -> None:
    # IMS, Rexnord ZA-2115 at 2000 /min: BPFO 236.4 Hz, BPFI 296.9 Hz (Qiu et al., 2006)
    rates = bearing_rates(Bearing(balls=16, ball_mm=8.4, pitch_mm=71.5, contact_deg=15.17))
    assert rates["BPFO"] * 2000 / 60 == pytest.approx(236.4, rel=2e-3)
    assert rates["BPFI"] * 2000 / 60 == pytest.approx(296.9, rel=2e-3)
    assert rates["BPFO"] + rates["BPFI"] == pytest.approx(16.0)


def test_lines_worth_marking() -> None:
    assert set(lines_of(25.0, CWRU)) == {"1x", "2x", "BPFO", "BPFI", "BSF", "FTF"}
    assert lines_of(25.0, None) == {"1x": 25.0, "2x": 50.0}
    for nothing in (0.0, -1.0, math.nan):
        assert lines_of(nothing, CWRU) == {}


@pytest.mark.parametrize("hz", [0.0, -5.0, 12_800.0, 1e6])
def test_a_line_beyond_the_spectrum_is_none(hz: float) -> None:
    found = spectrum(np.ones((1, N), np.float32), RATE_HZ)
    assert all(math.isnan(each) for each in line(found, 0, hz))
    assert prominence(found, 0, hz) == 0.0


@pytest.mark.parametrize("ringing_hz", [3400.0, 6000.0, 9000.0])
@pytest.mark.parametrize("hz", [86.9, 131.3, 190.0])
def test_strikes_stand_in_the_spectrum_of_the_envelope_alone(hz: float, ringing_hz: float) -> None:
    points = strikes(hz, ringing_hz)[None]
    envelope = envelope_spectrum(points, RATE_HZ)
    place, _ = line(envelope, 0, hz)
    assert place == pytest.approx(hz, abs=6.25)
    assert prominence(envelope, 0, hz) > 1.0
    assert prominence(envelope, 0, hz) > prominence(spectrum(points, RATE_HZ), 0, hz) + 0.4
    healthy = np.random.default_rng(2).standard_normal((20, N)).astype(np.float32)
    noise = envelope_spectrum(healthy, RATE_HZ)
    assert np.mean([prominence(noise, block, hz) for block in range(20)]) < 0.75


def test_the_hiss_is_what_lies_high() -> None:
    low, high = (spectrum(np.sin(2 * np.pi * hz * T)[None].astype(np.float32), RATE_HZ) for hz in (1000.0, 9000.0))
    assert float(hiss(high)[0]) > 20 * float(hiss(low)[0])


@pytest.mark.parametrize("asset", WITH_WAVEFORMS)
@pytest.mark.parametrize("part", [BearingPart.OUTER, BearingPart.INNER])
def test_the_simulators_bearings_show_their_line(asset: str, part: BearingPart) -> None:
    rate = bearing_rates(bearing_of(asset))[PART[part]] * shaft_hz_of(asset)
    worn = vibration(asset, 12, damage={part: Damage(severity=0.4, velocity=4.0)})
    healthy = vibration(asset, 12)

    def rises(blocks: list[Points]) -> float:
        return float(np.mean([prominence(envelope_spectrum(each[None], RATE_HZ), 0, rate) for each in blocks]))

    assert rises(worn) > rises(healthy) + 0.5


class Machine:
    """A demo asset's vibration under `VibrationTrend`, and how it deviates."""

    def __init__(self, asset: str) -> None:
        self.asset, settings = asset, DEMO.assets[asset]
        self.trend = VibrationTrend([settings], 10.0)

    def hear(self, blocks: list[Points], *, healthy: bool = True, shaft_hz: float | None = None) -> dict[str, float]:
        for points in blocks:
            self.trend.take(0, points, RATE_HZ, shaft_hz_of(self.asset) if shaft_hz is None else shaft_hz, healthy=healthy)
            newest = self.trend.advance()[0]
        return dict(zip(SPECTRAL, newest.tolist(), strict=True))


FAULTS = {
    "bearing": {"damage": {BearingPart.OUTER: Damage(severity=0.5, velocity=5.0)}},
    "1x": {"unbalance": 6.0},
    "2x": {"misalignment": 1.0},
    "hiss": {"cavitation": 3.0},
}


@pytest.mark.parametrize("asset", WITH_WAVEFORMS)
@pytest.mark.parametrize("feature", FAULTS)
def test_each_fault_raises_its_feature(asset: str, feature: str) -> None:
    machine = Machine(asset)
    usual = machine.hear(vibration(asset, 40))
    assert max(map(abs, usual.values())) < 1.0
    ill = machine.hear(vibration(asset, 30, seed=4, **FAULTS[feature]), healthy=False)
    assert ill[feature] > 1.0
    if feature in ("1x", "2x"):
        assert max(ill, key=lambda name: ill[name]) == feature


def test_what_is_anomalous_does_not_become_usual() -> None:
    machine = Machine("pump-101")
    machine.hear(vibration("pump-101", 40))
    learned = {name: array.copy() for name, array in machine.trend.state().items() if name in ("usual", "square", "counts")}
    ill = machine.hear(vibration("pump-101", 60, seed=4, unbalance=6.0), healthy=False)
    assert all(np.array_equal(array, machine.trend.state()[name]) for name, array in learned.items())
    assert ill["1x"] > 2.0
    from_the_start = Machine("pump-101")
    told = from_the_start.hear(vibration("pump-101", 60, unbalance=6.0), healthy=False)
    assert set(told.values()) == {0.0}, "a machine that was ill from the start has nothing usual yet"


def test_a_machine_that_has_always_shaken_is_not_ill() -> None:
    machine = Machine("pump-101")
    assert machine.hear(vibration("pump-101", 60, unbalance=8.0))["1x"] < 1.0


def test_nothing_is_told_before_enough_blocks_were_heard() -> None:
    machine = Machine("pump-101")
    machine.hear(vibration("pump-101", LEAST_BLOCKS - 1))
    assert set(machine.hear(vibration("pump-101", 1, seed=9, unbalance=50.0)).values()) == {0.0}


def test_a_feature_that_was_unknown_at_first_is_learned_for_itself() -> None:
    """The speed is not known for an hour: then lines are as usual as if it had been."""
    machine = Machine("pump-101")
    machine.hear(vibration("pump-101", 50), shaft_hz=math.nan)
    told = machine.hear(vibration("pump-101", 50, seed=5))
    assert max(map(abs, told.values())) < 1.0
    ill = machine.hear(vibration("pump-101", 30, seed=4, unbalance=6.0), healthy=False)
    assert ill["1x"] > 1.0


def test_a_block_of_no_numbers_says_and_teaches_nothing() -> None:
    machine = Machine("pump-101")
    machine.hear(vibration("pump-101", 20))
    before = {name: array.copy() for name, array in machine.trend.state().items()}
    machine.hear([np.full(N, np.nan, np.float32)])
    after = machine.trend.state()
    assert np.array_equal(after["usual"], before["usual"])
    assert np.array_equal(after["newest"], np.zeros((1, 4)))


def test_a_machine_that_stands_forgets_its_newest_block_and_a_restart_nothing() -> None:
    machine = Machine("pump-101")
    machine.hear(vibration("pump-101", 30))
    machine.hear(vibration("pump-101", 10, seed=4, unbalance=6.0), healthy=False)
    again = Machine("pump-101")
    again.trend.restore({name: array.copy() for name, array in machine.trend.state().items()})
    assert np.array_equal(again.trend.advance(), machine.trend.advance())
    machine.trend.forget(np.array([True]))
    for _ in range(60):
        told = machine.trend.advance()
    assert np.abs(told).max() < 0.01


def zones(period_s: float = 60.0) -> tuple[VibrationZones, Group]:
    group = group_of("pump-101")
    return VibrationZones(group.settings, group.names, period_s), group


def instant(group: Group, vibration: float) -> NDArray[np.float64]:
    value = np.zeros(group.shape)
    value[0, group.column("vibration")] = vibration
    return value


ON, OFF = np.array([True]), np.array([False])


@pytest.mark.parametrize(
    ("velocity", "zone"), [(0.5, Zone.A), (2.3, Zone.A), (2.4, Zone.B), (4.6, Zone.C), (7.1, Zone.C), (7.2, Zone.D)]
)
def test_zones_are_those_of_the_plant_file(velocity: float, zone: Zone) -> None:
    found, group = zones()
    assert found.update(instant(group, velocity), ON) == [zone]


def test_a_zone_is_one_of_steady_operation() -> None:
    found, group = zones(period_s=1.0)
    for _ in range(300):
        found.update(instant(group, 1.0), ON)
    assert found.update(instant(group, 50.0), ON) == [Zone.A], "one shock is no zone"
    for _ in range(300):
        told = found.update(instant(group, 5.0), ON)
    assert told == [Zone.C]


def test_there_is_no_zone_while_it_stands_or_nothing_is_measured() -> None:
    found, group = zones()
    assert found.update(instant(group, math.nan), ON) == [None]
    assert found.update(instant(group, 5.0), ON) == [Zone.C]
    assert found.update(instant(group, 0.0), OFF) == [None]
    assert found.update(instant(group, math.nan), ON) == [None]
    assert found.update(instant(group, 5.0), ON) == [Zone.C], "the standstill was not counted"
    again, _ = zones()
    again.restore(found.state())
    assert again.update(instant(group, 5.0), ON) == [Zone.C]


def test_an_asset_without_boundaries_has_no_zone() -> None:
    group = group_of("furnace-501")
    found = VibrationZones(group.settings, group.names, 5.0)
    assert found.update(np.ones(group.shape), ON) == [None]


def hold_of(asset: str) -> tuple[WaveformHold, SampleAccount, int]:
    entry = next(entry for entry in DEMO.waveform_table if entry.asset == asset)
    account = SampleAccount(DEMO)
    hold = WaveformHold({entry.index: 0}, N, np.array([10.0]), np.array([RATE_HZ]), account)
    return hold, account, entry.index


def test_a_block_counts_from_its_last_point_and_once() -> None:
    hold, account, index = hold_of("pump-101")
    at, length = 1_700_000_000_000_000_000, round(N / RATE_HZ * 1e9)
    first = WaveformBlock(signal=index, time=at, rate_hz=RATE_HZ, points=np.ones(N, np.float32))
    later = WaveformBlock(signal=index, time=at + 10 * 10**9, rate_hz=RATE_HZ, points=np.full(N, 2, np.float32))
    for block in (first, later, first):
        hold.feed(block)
    assert hold.advance(at + length - 1) == []
    assert hold.waiting[index] == 3
    assert hold.advance(at + length) == [0]
    assert (hold.time(0), hold.is_there(0), bool(hold.missing[0])) == (at, True, False)
    assert account.settled[Fate.DUPLICATE, index] == 1
    hold.feed(WaveformBlock(signal=index, time=at + 5 * 10**9, rate_hz=RATE_HZ, points=np.full(N, 1.5, np.float32)))
    assert hold.advance(at + 20 * 10**9) == [0], "two blocks are one piece of news: the newest"
    assert hold.points[0, 0] == 2.0
    assert not hold.stale(at + 40 * 10**9)[0]
    assert hold.stale(at + 60 * 10**9)[0]
    hold.feed(WaveformBlock(signal=index, time=at, rate_hz=RATE_HZ, points=np.ones(7, np.float32)))
    assert account.settled[Fate.REFUSED, index] == 1


def test_a_block_described_has_its_lines() -> None:
    asset = "pump-101"
    hold, _, index = hold_of(asset)
    shaft_hz, at = shaft_hz_of(asset), 1_700_000_000_000_000_000
    (points,) = vibration(asset, 1, damage={BearingPart.OUTER: Damage(severity=0.5, velocity=5.0)})
    hold.feed(WaveformBlock(signal=index, time=at, rate_hz=RATE_HZ, points=points))
    hold.advance(at + 10**9)
    told = describe_block(group_of(asset), 0, "acceleration", hold, shaft_hz)
    assert (told.asset, told.signal, told.time, told.unit, told.shaft_hz) == (asset, "acceleration", at, "m/s2", shaft_hz)
    assert len(told.amplitude) <= MOST_BINS
    assert len(told.amplitude) * told.step_hz == pytest.approx(RATE_HZ / 2, rel=0.01)
    assert max(told.amplitude) == pytest.approx(float(spectrum(points[None], RATE_HZ).amplitude.max()), rel=1e-3)
    by_name = {each.name: each for each in told.lines}
    assert set(by_name) == {"1x", "2x", "BPFO", "BPFI", "BSF", "FTF"}
    assert {name for name, each in by_name.items() if each.envelope} == {"BPFO", "BPFI", "BSF", "FTF"}
    assert by_name["1x"].hz == shaft_hz
    standing = describe_block(group_of(asset), 0, "acceleration", hold, math.nan)
    assert (standing.shaft_hz, standing.lines) == (None, ())


def test_a_window_of_another_length_keeps_the_newest() -> None:
    window = Window(2, 3, 1)
    for number in range(5):
        window.append(np.array([[float(number)], [10.0 + number]]))
    assert window.view[:, :, 0].tolist() == [[2.0, 3.0, 4.0], [12.0, 13.0, 14.0]]
    shorter, longer = window.resized(2), window.resized(5)
    assert shorter.view[0, :, 0].tolist() == [3.0, 4.0]
    assert longer.view[0, 2:, 0].tolist() == [2.0, 3.0, 4.0]
    assert np.isnan(longer.view[0, :2]).all()
    assert longer.filled.tolist() == [3, 3]
    longer.append(np.array([[5.0], [15.0]]))
    assert longer.view[0, 1:, 0].tolist() == [2.0, 3.0, 4.0, 5.0]
    assert window.newest(1)[:, 0, 0].tolist() == [4.0, 14.0]
    window.restart(np.array([True, False]))
    assert np.isnan(window.view[0]).all()
    assert window.filled.tolist() == [0, 5]
