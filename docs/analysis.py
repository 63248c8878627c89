"""What is measured of signals and vibrations in these documents: textbook figures, the same for real and simulated ones."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

Floats = NDArray[np.float64]


def envelope_spectrum(acceleration: NDArray[np.floating], rate_hz: float, low_hz: float = 1000.0) -> tuple[Floats, Floats]:
    """Frequencies [Hz] and amplitudes of the spectrum of the envelope above `low_hz` (Randall and Antoni 2011)."""
    passed = signal.sosfiltfilt(signal.butter(4, low_hz, "highpass", fs=rate_hz, output="sos"), acceleration)
    squared = np.abs(signal.hilbert(passed)) ** 2
    hz, power = signal.welch(squared - squared.mean(), rate_hz, "hann", nperseg=min(len(squared), round(1.5 * rate_hz)))
    return hz, np.sqrt(power)


def standing_out(hz: Floats, amplitude: Floats, at_hz: float) -> float:
    """How far the line within 2 % of `at_hz` stands above the median of its surroundings, as a ratio."""
    near = np.abs(hz - at_hz) <= max(0.02 * at_hz, 1.0)
    around = (np.abs(hz - at_hz) <= 0.35 * at_hz) & ~near
    return float(amplitude[near].max() / np.median(amplitude[around]))


def crest_factor(acceleration: NDArray[np.floating]) -> float:
    return float(np.max(np.abs(acceleration)) / np.sqrt(np.mean(np.square(acceleration))))


def kurtosis(values: NDArray[np.floating]) -> float:
    """Of a normal distribution 3."""
    return float(stats.kurtosis(values, fisher=False))


def noise_share(values: Floats) -> float:
    """The share of a signal's variance that is noise from sample to sample.

    Second differences take away what is smooth, and have 6 times the variance of white noise; the median keeps steps out.
    """
    second = np.diff(values, 2)
    sigma = 1.4826 * np.median(np.abs(second - np.median(second))) / np.sqrt(6.0)
    return float(min(sigma**2 / max(np.var(values), 1e-12), 1.0))


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Of the lags 0 to `lags`, by the spectrum, without wrapping round."""
    centred = values - values.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    full = np.fft.irfft(np.abs(spectrum) ** 2)[: lags + 1]
    return np.asarray(full / full[0])


def decay(values: Floats, lags: int) -> int:
    """The first lag at which the autocorrelation is below 1/e; `lags` where it stays above."""
    below = np.flatnonzero(autocorrelation(values, lags) < np.exp(-1.0))
    return int(below[0]) if len(below) else lags
