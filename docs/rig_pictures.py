"""The pictures of the report that sets simulated machines beside real rigs."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from docs import rigs
from docs.analysis import envelope_spectrum
from docs.pictures import BLUE, ORANGE, write
from simulator.bearings import fault_frequencies

STRETCH_S = 600


def draw_all(courses: Mapping[str, tuple[list[rigs.Course], list[rigs.Course]]]) -> Iterator[Path]:
    """Draw every picture of the report; gives the files as they are written."""
    yield write(_bearings(), "pictures/rig-bearings.png")
    yield write(_lives(), "pictures/rig-life.png")
    for title, (real, made) in courses.items():
        yield write(_courses(real, made), f"pictures/{rigs.picture_of(title)}")


def _bearings() -> Figure:
    figure, axes = plt.subplots(4, 2, figsize=(9.6, 8.0), sharex="col")
    shaft = rigs.CWRU_SPEED / 60.0
    at = fault_frequencies(rigs.CWRU_BEARING, shaft)
    for row, (real, made) in enumerate(zip(rigs.cwru(), rigs.simulated(), strict=True)):
        spectrum, envelope = axes[row]
        for number, (each, colour) in enumerate(((real, BLUE), (made, ORANGE))):
            hz, density = rigs.psd(each)
            spectrum.semilogy(hz[1:] / 1e3, density[1:], color=colour, linewidth=0.8)
            hz, amplitude = envelope_spectrum(each.points, each.rate_hz)
            shown = (hz > 5.0) & (hz < 2.3 * at.bpfi)
            envelope.plot(hz[shown], amplitude[shown] / amplitude[shown].max() - 1.1 * number, color=colour, linewidth=0.8)
        for name, line in (("BPFO", at.bpfo), ("BPFI", at.bpfi), ("2 BSF", 2.0 * at.bsf)):
            envelope.axvline(line, color="#8a9aa5", linewidth=0.8, linestyle=":", zorder=0)
            if row == 0:
                envelope.text(line, 1.08, name, ha="left" if name == "BPFI" else "center", va="bottom", fontsize=7)
        spectrum.set_title(real.name, loc="left", fontsize=8, pad=2)
        spectrum.set_ylabel("(m/s²)²/Hz")
        spectrum.set_xlim(0.0, 12.8)
        envelope.set_yticks([])
    axes[3, 0].set_xlabel("frequency [kHz]")
    axes[3, 1].set_xlabel("frequency of the envelope [Hz]; each to its own height")
    _head(figure, "6205 bearings at 1797 /min", "CWRU rig")
    return figure


def _lives() -> Figure:
    figure, (loud, peaked) = plt.subplots(2, 1, figsize=(9.6, 4.6), sharex=True)
    for (name, (rms, kurtosis)), (colour, style) in zip(
        rigs.lives().items(), ((BLUE, "-"), (BLUE, "--"), (ORANGE, "-")), strict=True
    ):
        share = np.linspace(0.0, 100.0, len(rms))
        loud.semilogy(share, rms / np.median(rms[: len(rms) // 10]), color=colour, linestyle=style, linewidth=0.9, label=name)
        peaked.plot(share, kurtosis, color=colour, linestyle=style, linewidth=0.9)
    loud.set_ylabel("rms, of the first tenth")
    loud.legend(frameon=False, fontsize=8)
    peaked.set_ylabel("kurtosis")
    peaked.set_ylim(0.0, 40.0)
    peaked.set_xlabel("share of the recorded life [%]; of the simulated bearing: from the first trace to failure")
    _head(figure, "Bearings from their first hour to their last", "PRONOSTIA rig")
    return figure


def _courses(real: list[rigs.Course], made: list[rigs.Course]) -> Figure:
    figure, axes = plt.subplots(len(real), 4, figsize=(9.6, 1.35 * len(real) + 0.8), width_ratios=[3, 3, 2, 2])
    for row, courses in enumerate(zip(real, made, strict=True)):
        for column, (course, colour) in enumerate(zip(courses, (BLUE, ORANGE), strict=True)):
            axis = axes[row, column]
            axis.plot(course.values[:STRETCH_S], color=colour, linewidth=0.6)
            axis.set_title(f"{course.name} [{course.unit}]", loc="left", fontsize=8, pad=2)
            axes[row, 2].plot(rigs.correlogram(course), color=colour, linewidth=0.9)
            step = np.diff(course.values)
            edges = np.linspace(-4.0, 4.0, 41)
            axes[row, 3].hist(step / (np.std(step) + 1e-12), edges, density=True, histtype="step", color=colour)
        axes[row, 2].set_ylim(-0.5, 1.05)
        axes[row, 3].set_yscale("log")
        axes[row, 3].set_yticks([])
        axes[row, 3].minorticks_off()
    for axis, label in zip(axes[-1], ("time [s]", "time [s]", "lag [s]", "increment / its deviation"), strict=True):
        axis.set_xlabel(label, fontsize=8)
    axes[0, 2].set_title("autocorrelation", loc="left", fontsize=8, pad=2)
    axes[0, 3].set_title("increments", loc="left", fontsize=8, pad=2)
    _head(figure, "Ten minutes of signals, their autocorrelation and their increments", "real rig")
    return figure


def _head(figure: Figure, title: str, real: str) -> None:
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.99, "simulated", color=ORANGE, ha="right", va="top", fontsize=8)
    figure.text(0.91, 0.99, real, color=BLUE, ha="right", va="top", fontsize=8)
