"""The pictures of the simulated machines: a stretch of healthy life of each, and each of its faults growing."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from docs.analysis import envelope_spectrum
from docs.machines import DEMO, ROOT, law_name, picture
from edge.contracts.plant import Asset
from edge.contracts.plant_file import load_plant
from simulator.bearings import fault_frequencies
from simulator.faults import Fault
from simulator.fleet import Fleet, Lane
from simulator.machines.catalogue import MACHINES
from simulator.machines.machine import RotatingMachine
from simulator.randomness import Floats, seed_of
from simulator.waveforms import RATE_HZ, at_rest, vibrate

SEED: Final = 3
BLUE, ORANGE, GREY, INK = "#2a6f97", "#d1495b", "#c8d5dd", "#1b2a33"
SYMBOLS: Final = {"Cel": "°C", "kW.h": "kWh", "N.m": "N·m", "m3/h": "m³/h", "m3": "m³", "um": "µm"}  # as people write units
BINS: Final = 160
SHOWN: Final = 4
COLOURS: Final = 64  # of a picture's palette: line drawings need no more, and a repository no larger files
# how long a healthy stretch is shown, and how long a fault grows in its picture [s]
HEALTHY_S: Final[Mapping[str, float]] = {"robot": 600.0, "furnace": 24 * 3600.0}
GROWS_S: Final[Mapping[str, float]] = {"furnace": 24 * 3600.0}
USUALLY_S: Final = 3600.0
BLOCKS: Final = 24
mpl.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#8a9aa5",
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": "#5a6a75",
        "ytick.color": "#5a6a75",
        "figure.dpi": 110,
        "figure.constrained_layout.use": True,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A stretch of one machine's life: time (n,) [s], values (n,) by signal, codes of the texts, severity (n,)."""

    time_s: Floats
    values: Mapping[str, Floats]
    codes: Mapping[str, Floats]
    severity: Floats


def _alone(kind: str) -> Fleet:
    """A machine by itself, the same each time."""
    return Fleet(kind, [Lane(asset=f"{kind}-1")], SEED)


def live(kind: str, period_s: float, length_s: float, fault: str = "", at_s: float = 0.0, over_s: float = 0.0) -> Run:
    """Let one machine run; `fault` begins at `at_s` and is complete `over_s` later."""
    fleet = _alone(kind)
    n = round(length_s / period_s)
    values, severity = np.empty((n, len(fleet.sensors.names))), np.zeros(n)
    codes = {name: np.empty(n) for name in fleet.machine.texts}
    if fault:
        fleet.faults.inject(0, fault, severity=1.0, over_s=over_s, at_s=at_s)
    for row in range(n):
        values[row] = fleet.step(period_s)[:, 0]
        severity[row] = fleet.severity()[0]
        for name, column in codes.items():
            column[row] = fleet.codes[name][0]
    columns = {name: values[:, index] for index, name in enumerate(fleet.sensors.names)}
    return Run(time_s=np.arange(n, dtype=np.float64) * period_s, values=columns, codes=codes, severity=severity)


def draw_all(only: str = "") -> Iterator[Path]:
    """Draw every picture whose name begins with `only`; gives the files as they are written."""
    plant = load_plant(DEMO)
    for kind in MACHINES:
        asset = next(asset for asset in plant.assets.values() if asset.asset_class == kind)
        if picture(kind).startswith(f"pictures/{only}"):
            yield write(draw_healthy(kind, asset), picture(kind))
        for fault in _alone(kind).machine.faults:
            if picture(kind, fault.id).startswith(f"pictures/{only}"):
                yield write(draw_fault(kind, asset, fault), picture(kind, fault.id))


def write(figure: Figure, name: str) -> Path:
    """Write a figure below `docs`, with few colours and without a date: the same each time."""
    path = ROOT / "docs" / name
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def draw_healthy(kind: str, asset: Asset) -> Figure:
    """All numeric signals over a stretch of healthy life, with states and recipes above."""
    run = live(kind, asset.period_s, HEALTHY_S.get(kind, USUALLY_S))
    names = list(run.values)
    rows = math.ceil(len(names) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(9.6, 1.15 * rows + 0.8), sharex=True)
    time, unit = _axis(run.time_s)
    fleet = _alone(kind)
    for axis, name in zip(axes.T.flat, [*names, None][: 2 * rows], strict=False):
        if name is None:
            axis.set_visible(False)
            continue
        axis.plot(time, run.values[name], color=BLUE, linewidth=0.7)
        axis.margins(x=0.0)
        axis.set_title(_label(asset, name), loc="left", fontsize=8, pad=2)
        _mark_changes(axis, time, run.codes["recipe"])
    for axis in axes[-1]:
        axis.set_xlabel(f"time [{unit}]")
        axis.xaxis.set_tick_params(labelbottom=True)
    recipes = [fleet.machine.texts["recipe"][int(code)] for code in dict.fromkeys(run.codes["recipe"])]
    figure.suptitle(
        f"A healthy {kind}; lines where the recipe changes: {' → '.join(recipes[:6])}", fontsize=10, x=0.01, ha="left"
    )
    return figure


def draw_fault(kind: str, asset: Asset, fault: Fault) -> Figure:
    """The signals that change most as the fault grows, beside the same machine without it."""
    grows_s = GROWS_S.get(kind, USUALLY_S)
    begins_s, length_s = 0.35 * grows_s, 1.75 * grows_s
    with_it = live(kind, asset.period_s, length_s, fault.id, begins_s, grows_s)
    without = live(kind, asset.period_s, length_s)
    counters = _alone(kind).machine.counters
    names = _most_changed(with_it, without, [name for name in with_it.values if name not in counters], begins_s)
    spectra = _spectra(kind, fault)
    figure = plt.figure(figsize=(9.6, 5.6))
    grid = figure.add_gridspec(SHOWN + 1, 2 if spectra else 1, width_ratios=[3, 2] if spectra else [1])
    time, unit = _axis(with_it.time_s)
    first: Axes | None = None
    for row, name in enumerate(names):
        axis = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or axis
        for run, colour in ((without, BLUE), (with_it, ORANGE)):
            _band(axis, time, run.values[name], colour)
        axis.set_title(_label(asset, name), loc="left", fontsize=8, pad=2)
        axis.margins(x=0.0)
        axis.tick_params(labelbottom=False)
    axis = figure.add_subplot(grid[SHOWN, 0], sharex=first)
    axis.fill_between(time, with_it.severity, color=ORANGE, alpha=0.35, linewidth=0)
    axis.plot(time, with_it.severity, color=ORANGE)
    axis.set_ylim(0.0, 1.05)
    axis.set_title(f"severity, after the law '{law_name(fault.law)}'", loc="left", fontsize=8, pad=2)
    axis.set_xlabel(f"time [{unit}]")
    if spectra:
        _draw_spectra(figure.add_subplot(grid[:, 1]), spectra)
    figure.suptitle(f"{kind}: {fault.name.en} / {fault.name.sv}", fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.985, "with the fault", color=ORANGE, ha="right", va="top", fontsize=8)
    figure.text(0.88, 0.985, "without", color=BLUE, ha="right", va="top", fontsize=8)
    return figure


def _most_changed(with_it: Run, without: Run, names: Sequence[str], begins_s: float) -> list[str]:
    """The signals whose course differs most once the fault is there, against their own wandering without it."""

    def change(name: str) -> float:
        late = with_it.time_s > begins_s
        faulty, usual = with_it.values[name], without.values[name]
        apart = np.nanmean(np.abs(np.sort(faulty[late]) - np.sort(usual[late])))
        return float(apart / (np.nanstd(usual) + 1e-3 * np.nanmax(np.abs(usual)) + 1e-9))

    return sorted(sorted(names, key=change, reverse=True)[:SHOWN], key=list(with_it.values).index)


def _spectra(kind: str, fault: Fault) -> Any:
    """Envelope spectra of a rotating machine at severities 0, 0.3 and 1 where the fault is one of its bearing."""
    fleet = _alone(kind)
    if not hasattr(fleet.machine, "excitation"):
        return None
    machine = cast(RotatingMachine, fleet.machine)
    found = []
    for severity in (0.0, 0.3, 1.0):
        fleet = _alone(kind)
        machine = cast(RotatingMachine, fleet.machine)
        if severity:
            fleet.faults.inject(0, fault.id, severity=severity, over_s=0.0, at_s=0.0)
        state, shaft_hz = at_rest(*seed_of(SEED, kind)), 0.0
        blocks: list[NDArray[np.float32]] = []
        while len(blocks) < BLOCKS:
            fleet.step(1.0)
            now = machine.excitation(0)
            if now.speed <= 0.0 or (blocks and abs(now.speed / 60.0 - shaft_hz) > 0.005 * shaft_hz):
                continue
            shaft_hz = shaft_hz or now.speed / 60.0
            block, state = vibrate(machine.rotor(0), now, state)
            blocks.append(block)
        if severity == 1.0 and not now.damage:
            return None
        hz, amplitude = envelope_spectrum(np.concatenate(blocks), RATE_HZ)
        found.append((severity, shaft_hz, hz, amplitude))
    return found, machine.rotor(0).bearing


def _draw_spectra(axis: Axes, spectra: Any) -> None:
    found, bearing = spectra
    for number, (severity, shaft_hz, hz, amplitude) in enumerate(found):
        at = fault_frequencies(bearing, shaft_hz)
        shown = (hz > 0.2 * shaft_hz) & (hz < 2.6 * at.bpfi)
        level = amplitude[shown] / amplitude[shown].max()
        axis.plot(hz[shown] / shaft_hz, level - 1.15 * number, color=BLUE if severity == 0.0 else ORANGE, linewidth=0.8)
        axis.text(
            0.99,
            0.98 - 1.15 * number,
            f"severity {severity:g}",
            transform=axis.get_yaxis_transform(),
            ha="right",
            va="top",
            fontsize=8,
        )
    orders = fault_frequencies(bearing, 1.0)
    for name, order in (("BPFO", orders.bpfo), ("BPFI", orders.bpfi)):
        axis.axvline(order, color="#8a9aa5", linewidth=0.8, linestyle=":")
        axis.text(order, 1.08, name, ha="center", va="bottom", fontsize=7)
    axis.set_yticks([])
    axis.set_ylim(-2.4, 1.2)
    axis.set_xlabel("multiples of the shaft's speed")
    axis.set_title("spectrum of the envelope, each to its own height", loc="left", fontsize=8, pad=10)


def _band(axis: Axes, time: Floats, values: Floats, colour: str) -> None:
    """A line through the medians of stretches, in the band that holds nine tenths of them."""
    edges = np.linspace(0, len(values), BINS + 1).astype(int)
    low, middle, high = np.array([np.nanpercentile(values[a:b], (5, 50, 95)) for a, b in pairwise(edges)]).T
    centre = 0.5 * (time[edges[:-1]] + time[edges[1:] - 1])
    axis.fill_between(centre, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.plot(centre, middle, color=colour, linewidth=0.9)


def _mark_changes(axis: Axes, time: Floats, codes: Floats) -> None:
    for row in np.flatnonzero(np.diff(codes)) + 1:
        axis.axvline(time[row], color=GREY, linewidth=0.8, zorder=0)


def _axis(time_s: Floats) -> tuple[NDArray[np.float64], str]:
    return (time_s / 3600.0, "h") if time_s[-1] > 3 * 3600.0 else (time_s / 60.0, "min")


def _label(asset: Asset, name: str) -> str:
    signal = asset.signals.get(name)
    return f"{signal.display_name(name).en} [{SYMBOLS.get(signal.unit, signal.unit)}]" if signal else name
