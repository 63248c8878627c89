"""Vibration waveforms of rotating machines: what an accelerometer on the bearing housing measures, block by block.

Pure functions: the state goes in and comes out, and the same seed, machine and history give the same points. Blocks that
follow each other without a gap join without a jump: shaft angle, impacts, ring-down and noise go on.

How it relates to a velocity rms: every source is given as its velocity rms [mm/s], 10–1000 Hz, as ISO 20816-1 measures
it, and the acceleration is scaled so that it contains just that. Sources are independent and add as squares, so the
integrated waveform agrees with √(Σ v²), on average over seconds; one block of 0.16 s scatters round it. What lies above
1 kHz (impacts that ring the structure's resonance, cavitation) hardly shows in velocity: that is why it warns earlier.

Sources: Randall and Antoni, Rolling element bearing diagnostics – a tutorial, MSSP 25(2), 2011; ISO 20816-1.
Levels, modes and spectra that no source is named for are assumptions for a pump of some kW.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Bearing
from simulator.bearings import BearingPart, ImpactTrain, impact_order, impacts_until, mean_square_strength, skipped

RATE_HZ: Final = 25600.0
BLOCK_POINTS: Final = 4096
VELOCITY_BAND: Final = (10.0, 1000.0)  # [Hz] of ISO 20816-1
TAPS: Final = 513  # length of the noise filters: 50 Hz of resolution
RING_POINTS: Final = 1024  # 40 ms: every ring-down has fallen below 1e-4 by then

# shares of a source's velocity in multiples of its frequency; their squares add up to 1
UNBALANCE: Final = ((1, 0.97), (2, 0.20), (3, 0.1382))
MISALIGNMENT: Final = ((1, 0.35), (2, 0.90), (3, 0.26))
VANE_PASS: Final = ((1, 0.90), (2, 0.30))
TURBULENT: Final = math.sqrt(0.1)  # what of the hydraulic forces is random
NOISES: Final = ("background", "turbulent", "cavitation")
GEAR_MESH: Final = ((1, 0.93), (2, 0.3676))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotor:
    """What does not change while a machine lives: its shaft, bearing, and how its structure answers."""

    bearing: Bearing
    rated_speed: float  # [/min]
    vanes: int = 6
    teeth: int = 0  # of a gear on the shaft; 0: no gear
    resonance_hz: float = 3400.0  # the housing round the bearing
    resonance_damping: float = 0.04
    mode_hz: float = 300.0  # the whole machine on its foundation: what impacts show in velocity
    mode_damping: float = 0.15
    # [m/s2] of the resonance after an impact at severity 1 and rated speed: the 20 g at which the run-to-failure tests of
    # PRONOSTIA end (Nectoux et al., IEEE PHM 2012)
    impact: float = 200.0
    slip: float = 0.015  # standard deviation of the spacing of impacts, as a share of it

    def __post_init__(self) -> None:
        if self.resonance_hz >= RATE_HZ / 2.0:
            raise ValueError(f"resonance_hz {self.resonance_hz!r} should lie below half of the sample rate, {RATE_HZ / 2.0}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A damaged bearing part: severity (0..1), and the velocity rms [mm/s] that it makes in 10–1000 Hz."""

    severity: float
    velocity: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.severity <= 1.0:
            raise ValueError(f"severity {self.severity!r} should lie between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excitation:
    """What shakes a machine now: shaft speed [/min], and the velocity rms of each source [mm/s]."""

    speed: float
    unbalance: float = 0.0  # 1×
    misalignment: float = 0.0  # 2×
    hydraulic: float = 0.0  # vane pass, and turbulence
    gear_mesh: float = 0.0
    cavitation: float = 0.0  # collapsing bubbles: most of it above 1 kHz
    background: float = 0.3  # through floor and pipes
    damage: Mapping[BearingPart, Damage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed >= 0.0):
            raise ValueError(f"speed {self.speed!r} should be a number from 0 on")

    @property
    def velocity(self) -> float:
        """Velocity rms of all sources [mm/s]: √(Σ v²)."""
        lines = (self.unbalance, self.misalignment, self.hydraulic, self.gear_mesh, self.cavitation, self.background)
        return math.hypot(*lines, *(each.velocity for each in self.damage.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class VibrationState:
    """Where a machine's vibration has come to, between two blocks. Begin with `at_rest`.

    angle: shaft angle [rev]; white: (3, TAPS - 1) the newest noise before the filters; tail: (RING_POINTS,) [m/s2] what
    of past impacts still rings; before: the excitation that the last block ended with
    """

    seed: tuple[int, ...]
    block: int
    angle: float
    before: Excitation | None
    white: NDArray[np.float64]
    tail: NDArray[np.float64]
    trains: tuple[ImpactTrain, ...]


def at_rest(*seed: int) -> VibrationState:
    """The state before a machine's first block; `seed` determines all that is random."""
    rng = np.random.default_rng([*seed, 0])
    trains = tuple(ImpactTrain(count=0, angle=float(start)) for start in rng.uniform(0.0, 0.2, len(BearingPart)))
    white = rng.standard_normal((len(NOISES), TAPS - 1))
    return VibrationState(seed=seed, block=1, angle=0.0, before=None, white=white, tail=np.zeros(RING_POINTS), trains=trains)


def after_gap(state: VibrationState, rotor: Rotor, gap_s: float, speed: float) -> VibrationState:
    """The state after `gap_s` [s] at `speed` [/min] that nobody listened to: the shaft has turned, all ringing is over."""
    angle = state.angle + speed / 60.0 * gap_s
    rng = _stream(state, 9)
    trains = tuple(skipped(rotor.bearing, part, state.trains[part], angle, rotor.slip, rng) for part in BearingPart)
    return replace(
        state,
        block=state.block + 1,
        angle=angle,
        before=None,
        white=rng.standard_normal((len(NOISES), TAPS - 1)),
        tail=np.zeros(RING_POINTS),
        trains=trains,
    )


def vibrate(
    rotor: Rotor, now: Excitation, state: VibrationState, n_points: int = BLOCK_POINTS
) -> tuple[NDArray[np.float32], VibrationState]:
    """The next block of acceleration, (n_points,) float32 [m/s2] at `RATE_HZ`, and the state after it.

    Speed and strengths go from where the last block ended to `now` over the block, so nothing jumps.
    """
    before = state.before or now
    share = np.arange(n_points + 1) / n_points
    from_hz, to_hz = before.speed / 60.0, now.speed / 60.0
    angle = state.angle + n_points / RATE_HZ * (from_hz * share + (to_hz - from_hz) * share**2 / 2.0)

    points = _lines(rotor, before, now, state.seed, angle[:-1], share[:-1])
    noise, white = _noise(before, now, state, share[:-1])
    ringing, trains = _impacts(rotor, before, now, state, angle)
    points += noise + ringing[:n_points]
    tail = np.zeros(RING_POINTS)
    tail[: len(ringing) - n_points] = ringing[n_points:]
    following = replace(state, block=state.block + 1, angle=float(angle[-1]), before=now, white=white, tail=tail, trains=trains)
    return points.astype(np.float32), following


def _stream(state: VibrationState, part: int) -> np.random.Generator:
    # one stream per part and block, so that a fault changes nothing but itself
    return np.random.default_rng([*state.seed, state.block, part])


def _ramp(before: float, now: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    return before + (now - before) * share


def _lines(
    rotor: Rotor,
    before: Excitation,
    now: Excitation,
    seed: tuple[int, ...],
    angle: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sines at multiples k of the shaft's frequency f: a = √2·v·2π·k·f·sin(2π·k·θ + φ) [m/s2], v the line's velocity rms."""
    phases = np.random.default_rng([*seed, 0, 1]).uniform(0.0, 2.0 * np.pi, (4, 3))
    # in quadrature with the unbalance, so that lines at one frequency add as squares, whatever the seed
    phases[1] = phases[0] + np.pi / 2.0
    hz = _ramp(before.speed / 60.0, now.speed / 60.0, share)
    points = np.zeros(len(angle))
    sources = (
        (1, UNBALANCE, _ramp(before.unbalance, now.unbalance, share)),
        (1, MISALIGNMENT, _ramp(before.misalignment, now.misalignment, share)),
        (rotor.vanes, VANE_PASS, _ramp(before.hydraulic, now.hydraulic, share)),
        (rotor.teeth, GEAR_MESH, _ramp(before.gear_mesh, now.gear_mesh, share)),
    )
    for source, (per_turn, lines, velocity) in enumerate(sources):
        # an eccentric gear meshes harder once per turn: sidebands at shaft speed, a quarter of the mesh line each
        depth = 0.5 if lines is GEAR_MESH else 0.0
        modulation = (1.0 + depth * np.cos(2.0 * np.pi * angle)) / math.sqrt(1.0 + depth**2 / 2.0)
        for (multiple, part), phase in zip(lines, phases[source], strict=False):
            order = per_turn * multiple
            amplitude = math.sqrt(2.0) * velocity * 1e-3 * part * 2.0 * np.pi * order * hz
            points += amplitude * modulation * np.sin(2.0 * np.pi * order * angle + phase)
    return points


@lru_cache(maxsize=8)
def _kernel(kind: str) -> NDArray[np.float64]:
    """A noise filter, (TAPS,): white noise of variance 1 comes out as acceleration [m/s2] of 1 mm/s in 10–1000 Hz.

    background: flat, with broad humps where structures ring, falling above 9 kHz where the sensor's mounting ends
    turbulent:  one broad hump at 150 Hz
    cavitation: ~ f to 1 kHz and flat above (many short pulses, none of them alike)
    """
    hz = np.fft.rfftfreq(TAPS - 1, 1.0 / RATE_HZ)
    falling = 1.0 / (1.0 + (hz / 9000.0) ** 12)
    density = {
        "background": 1.0 + 4.0 * np.exp(-(((hz - 3400.0) / 900.0) ** 2)) + 2.0 * np.exp(-(((hz - 6500.0) / 1200.0) ** 2)),
        "turbulent": np.exp(-(((hz - 150.0) / 150.0) ** 2)),
        "cavitation": np.minimum(hz / 1000.0, 1.0),
    }[kind] * falling
    taps = np.roll(np.fft.irfft(np.sqrt(density)), TAPS // 2)
    kernel = np.concatenate((taps, [0.0])) * np.hanning(TAPS)
    # one-sided density of filtered white noise of variance 1 is 2·|H|²/rate
    hz = np.fft.rfftfreq(2**16, 1.0 / RATE_HZ)
    band = (hz >= VELOCITY_BAND[0]) & (hz <= VELOCITY_BAND[1])
    spectrum = 2.0 / RATE_HZ * np.abs(np.fft.rfft(kernel, 2**16)[band]) ** 2 / (2.0 * np.pi * hz[band]) ** 2
    return np.asarray(1e-3 * kernel / math.sqrt(float(np.sum(spectrum)) * hz[1]))


def _random_wear(excitation: Excitation) -> float:
    """Velocity rms [mm/s] of what is random in a worn bearing: damage spreads, and its impacts lose their order."""
    return math.hypot(*(each.velocity * math.sqrt(0.6 * each.severity) for each in excitation.damage.values()))


def _noise(
    before: Excitation, now: Excitation, state: VibrationState, share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All that is random and goes on for ever, and the newest white noise before the filters."""
    n = len(share)
    fresh = _stream(state, 8).standard_normal((len(NOISES), n))
    white = np.concatenate((state.white, fresh), axis=1)

    def coloured(kind: str) -> NDArray[np.float64]:
        row = NOISES.index(kind)
        length = n + 2 * TAPS - 2
        spectrum = np.fft.rfft(white[row], length) * np.fft.rfft(_kernel(kind), length)
        return np.asarray(np.fft.irfft(spectrum, length)[TAPS - 1 : TAPS - 1 + n])

    points = _ramp(before.background, now.background, share) * coloured("background")
    turbulent = [math.hypot(each.hydraulic * TURBULENT, _random_wear(each)) for each in (before, now)]
    if any(turbulent):
        points += _ramp(turbulent[0], turbulent[1], share) * coloured("turbulent")
    if before.cavitation or now.cavitation:
        points += _ramp(before.cavitation, now.cavitation, share) * coloured("cavitation")
    return points, white[:, -(TAPS - 1) :]


def _ring(hz: float, damping: float, contact_s: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ring-down [1/s] after an impact at t = 0 [s]: the acceleration of v(t) = (1 - e^(-t/c))·e^(-αt)·sin(ωt).

    ω = 2π·hz, α = damping·ω, and c is how long ball and spall are in contact. v ends where it began, so nothing drifts.
    """
    omega = 2.0 * np.pi * hz
    alpha = damping * omega
    rise, decay = -np.expm1(-t / contact_s), np.exp(-alpha * t)
    slope = np.exp(-t / contact_s) / contact_s - alpha * rise
    return np.asarray(decay * (slope * np.sin(omega * t) + rise * omega * np.cos(omega * t)))


def _resonance(rotor: Rotor, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ring-down of the resonance of the housing, about 1 in its first swing."""
    return _ring(rotor.resonance_hz, rotor.resonance_damping, 0.1e-3, t) / (2.0 * np.pi * rotor.resonance_hz)


def _mode(rotor: Rotor, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ring-down [1/s] of the machine on its foundation, for a velocity of about 1."""
    return _ring(rotor.mode_hz, rotor.mode_damping, 0.4e-3, t)


@lru_cache(maxsize=64)
def _mode_energy(rotor: Rotor) -> float:
    """∫v²dt [m2/s] in 10–1000 Hz of one `_mode`, by Parseval."""
    n = 2**15
    spectrum = np.fft.rfft(_mode(rotor, np.arange(n) / RATE_HZ)) / RATE_HZ
    hz = np.fft.rfftfreq(n, 1.0 / RATE_HZ)
    band = (hz >= VELOCITY_BAND[0]) & (hz <= VELOCITY_BAND[1])
    return float(2.0 * np.sum(np.abs(spectrum[band]) ** 2 / (2.0 * np.pi * hz[band]) ** 2) * hz[1])


def _scales(rotor: Rotor, part: BearingPart, excitation: Excitation) -> tuple[float, float]:
    """[m/s2] of the resonance and [m/s] of the mode after an impact of strength 1.

    v² = λ·E[q²]·V²·∫v²dt for impacts at the rate λ [Hz], with strength q, that do not overlap (Campbell's theorem).
    """
    damage = excitation.damage.get(part)
    rate = impact_order(rotor.bearing, part) * excitation.speed / 60.0
    if damage is None or rate == 0.0:
        return 0.0, 0.0
    ordered = damage.velocity * 1e-3 * math.sqrt(1.0 - 0.6 * damage.severity)
    energy = rate * mean_square_strength(rotor.bearing, part) * _mode_energy(rotor)
    return rotor.impact * damage.severity * excitation.speed / rotor.rated_speed, ordered / math.sqrt(energy)


def _impacts(
    rotor: Rotor, before: Excitation, now: Excitation, state: VibrationState, angle: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[ImpactTrain, ...]]:
    """Ringing [m/s2] of all impacts so far, over the block and RING_POINTS beyond it, and the trains after it."""
    n = len(angle) - 1
    ringing = np.zeros(n + RING_POINTS)
    ringing[:RING_POINTS] += state.tail
    trains = []
    for part in BearingPart:
        # trains go on in a healthy bearing, too: a growing fault finds them, and changes strength alone
        impacts, train = impacts_until(
            rotor.bearing, part, state.trains[part], float(angle[-1]), rotor.slip, _stream(state, 2 + part)
        )
        trains.append(train)
        (high_before, low_before), (high_now, low_now) = (_scales(rotor, part, each) for each in (before, now))
        if not (high_before or high_now or low_before or low_now) or not len(impacts.angle):
            continue
        point = np.interp(impacts.angle, angle, np.arange(n + 1))
        first = np.ceil(point).astype(np.int64)
        t = (first - point)[:, None] / RATE_HZ + np.arange(RING_POINTS - 1) / RATE_HZ
        high = impacts.strength * _ramp(high_before, high_now, point / n)
        low = impacts.strength * _ramp(low_before, low_now, point / n)
        rings = high[:, None] * _resonance(rotor, t) + low[:, None] * _mode(rotor, t)
        where = first[:, None] + np.arange(RING_POINTS - 1)
        ringing += np.bincount(where.ravel(), rings.ravel(), n + RING_POINTS)
    return ringing, tuple(trains)
