"""The spectra of a block of a fast signal, with the lines that would tell of a fault."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumLine:
    """A line of the machine: where it is [Hz], its amplitude, and whether in the spectrum or in that of the envelope."""

    name: str
    hz: float
    amplitude: float
    envelope: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformSpectrum:
    """One-sided amplitude spectra of one block, of the signal and of its envelope, in the signal's unit.

    time:      when the block's first point was taken [ns since 1970 UTC]; bin k of a spectrum lies at k · step_hz
    amplitude: up to half the sampling rate, the largest of neighbouring bins where it was thinned; envelope: its lower part
    """

    asset: str
    signal: str
    time: int
    unit: str
    shaft_hz: float | None
    step_hz: float
    amplitude: tuple[float, ...]
    envelope_step_hz: float
    envelope: tuple[float, ...]
    lines: tuple[SpectrumLine, ...] = field(default_factory=tuple)
