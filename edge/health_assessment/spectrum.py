"""What a block of vibration tells: its spectrum, its envelope's spectrum, and the lines of the bearing on the nameplate.

A damaged rolling bearing strikes each time a ball passes the damage. Each strike lets the machine ring at its own high
frequencies, so the strikes' rate stands in the spectrum of the envelope, not of the vibration itself. Rates follow from
geometry (Z balls of diameter d on pitch diameter D, contact angle α) and shaft frequency f:

    FTF  = f/2 · (1 - r)            the cage turns                       r = d/D · cos α
    BPFO = Z · f/2 · (1 - r)        a ball passes a point of the outer race
    BPFI = Z · f/2 · (1 + r)        … of the inner race
    BSF  = D/d · f/2 · (1 - r²)     a ball turns

Source: R. B. Randall, J. Antoni: Rolling element bearing diagnostics, a tutorial. Mechanical Systems and Signal Processing
25(2), 2011.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Bearing

Floats = NDArray[np.float64]

# the band whose envelope is taken, as shares of the Nyquist frequency: where structures ring, above what turns and meshes
ENVELOPE_BAND: Final = (0.2, 0.9)
HISS_FROM: Final = 0.5
HARMONICS: Final = 3
# half the width in which a line is looked for: balls slip by a per cent or two
SLIP: Final = 0.02
# the noise under a line is the median of so many bins on each side
FLOOR_BINS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One-sided amplitudes (n_bins,) of blocks (n_blocks, n_bins), in the waveform's unit; bin k lies at k · `step_hz`."""

    step_hz: float
    amplitude: Floats


def spectrum(points: NDArray[np.float32], rate_hz: float) -> Spectrum:
    """The amplitude spectrum of blocks (n_blocks, n_points) under a Hann window; a sine of amplitude 1 gives 1.

    >>> t = np.arange(1000) / 1000.0
    >>> found = spectrum(np.sin(2 * np.pi * 50 * t)[None].astype(np.float32), 1000.0)
    >>> round(float(found.amplitude[0, 50]), 2)
    1.0
    """
    window = _hann(points.shape[1])
    centred = points - points.mean(axis=1, keepdims=True)
    amplitude = np.abs(np.fft.rfft(centred * window, axis=1)) * (2.0 / window.sum())
    return Spectrum(step_hz=rate_hz / points.shape[1], amplitude=amplitude)


@cache
def _hann(n_points: int) -> Floats:
    return np.hanning(n_points)


def envelope_spectrum(points: NDArray[np.float32], rate_hz: float) -> Spectrum:
    """The amplitude spectrum of the envelope of blocks (n_blocks, n_points), in `ENVELOPE_BAND`."""
    n = points.shape[1]
    bins = np.fft.rfft(points, axis=1)
    low, high = (round(share * (bins.shape[1] - 1)) for share in ENVELOPE_BAND)
    analytic = np.zeros((len(points), n), np.complex128)
    # twice the positive frequencies of a band alone are the analytic signal, whose size is the envelope
    analytic[:, low:high] = 2.0 * bins[:, low:high]
    envelope = np.abs(np.fft.ifft(analytic, axis=1)).astype(np.float32)
    return spectrum(envelope, rate_hz)


def bearing_rates(bearing: Bearing) -> dict[str, float]:
    """The four rates as multiples of the shaft frequency.

    >>> rates = bearing_rates(Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04))
    >>> {name: round(rate, 3) for name, rate in rates.items()}
    {'BPFO': 3.585, 'BPFI': 5.415, 'BSF': 2.357, 'FTF': 0.398}
    """
    ratio = bearing.ball_mm / bearing.pitch_mm * math.cos(math.radians(bearing.contact_deg))
    return {
        "BPFO": bearing.balls / 2 * (1 - ratio),
        "BPFI": bearing.balls / 2 * (1 + ratio),
        "BSF": bearing.pitch_mm / bearing.ball_mm / 2 * (1 - ratio**2),
        "FTF": (1 - ratio) / 2,
    }


def line(found: Spectrum, block: int, rate_hz: float) -> tuple[float, float]:
    """A line's frequency [Hz] and amplitude: the largest within the slip of where it should be; NaN beyond the spectrum."""
    half = max(SLIP * rate_hz, found.step_hz)
    first, last = math.floor((rate_hz - half) / found.step_hz), math.ceil((rate_hz + half) / found.step_hz)
    if rate_hz <= 0 or last >= found.amplitude.shape[1]:
        return math.nan, math.nan
    place = max(first, 1) + int(np.argmax(found.amplitude[block, max(first, 1) : last + 1]))
    return place * found.step_hz, float(found.amplitude[block, place])


def prominence(found: Spectrum, block: int, rate_hz: float) -> float:
    """How far a rate and its harmonics rise above the noise round them: the mean of the ratios' logarithms; 0 is not at all."""
    heights = []
    for harmonic in range(1, HARMONICS + 1):
        frequency, amplitude = line(found, block, harmonic * rate_hz)
        if math.isnan(frequency):
            break
        place = round(frequency / found.step_hz)
        round_it = found.amplitude[block, max(place - FLOOR_BINS, 1) : place + FLOOR_BINS + 1]
        heights.append(math.log(max(amplitude, 1e-12) / max(float(np.median(round_it)), 1e-12)))
    return float(np.mean(heights)) if heights else 0.0


def hiss(found: Spectrum) -> Floats:
    """(n_blocks,) the level of the highest frequencies, rms of the bins above `HISS_FROM` of the band."""
    above = found.amplitude[:, round(HISS_FROM * (found.amplitude.shape[1] - 1)) :]
    return np.asarray(np.sqrt(np.mean(above**2, axis=1)))


def lines_of(shaft_hz: float, bearing: Bearing | None) -> Mapping[str, float]:
    """The lines worth marking [Hz]: once and twice per turn, and those of the bearing."""
    if not shaft_hz > 0:
        return {}
    rates = bearing_rates(bearing) if bearing is not None else {}
    return {"1x": shaft_hz, "2x": 2 * shaft_hz} | {name: rate * shaft_hz for name, rate in rates.items()}
