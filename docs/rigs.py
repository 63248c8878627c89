"""The report that sets simulated machines beside real rigs: figures and pictures, all from one run.

The recordings of the rigs lie outside the project, in ../shared/data; what comes into the report are figures, spectra and
short stretches. Nothing of the simulator was fitted to them, and no label of an anomaly is read here.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from docs.analysis import autocorrelation, crest_factor, decay, envelope_spectrum, kurtosis, noise_share, standing_out
from docs.machines import DEMO, ROOT
from edge.contracts.plant import Bearing
from edge.contracts.plant_file import load_plant
from simulator.bearings import BearingPart, fault_frequencies
from simulator.degradation import paris
from simulator.fleet import Fleet, Lane
from simulator.randomness import Floats
from simulator.waveforms import RATE_HZ, Damage, Excitation, Rotor, at_rest, vibrate

DATA: Final = ROOT.parent / "shared/data"
PAGE: Final = ROOT / "docs/rigs.md"
G: Final = 9.80665  # [m/s2]
SEED: Final = 3
# the drive-end bearing of the CWRU rig, SKF 6205-2RS
CWRU_BEARING: Final = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
CWRU_SPEED: Final = 1797.0
# the worn-out bearing of the simulated pump [mm/s], as in `simulator.machines.pump`
WORN: Final = 14.0
# the severity that stands beside spalls of 0.18 mm: small, as they are (a choice, not a fit)
SMALL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Vibration:
    """A recording of a bearing [m/s2], real or simulated, and the frequency [Hz] at which its fault should show."""

    name: str
    rate_hz: float
    points: Floats
    line_hz: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A signal of a process, one value per `period_s` [s]."""

    name: str
    unit: str
    period_s: float
    values: Floats


# -- vibration


def cwru() -> list[Vibration]:
    """Healthy, outer race, inner race and ball of the CWRU rig at 1797 /min without load, drive end."""
    at = fault_frequencies(CWRU_BEARING, CWRU_SPEED / 60.0)
    recordings = (
        ("healthy", "1797_Normal", 48e3, None),
        ("outer race", "1797_OR@6_7_DE12", 12e3, at.bpfo),
        ("inner race", "1797_IR_7_DE12", 12e3, at.bpfi),
        ("ball", "1797_B_7_DE12", 12e3, 2.0 * at.bsf),
    )
    return [
        Vibration(name=name, rate_hz=rate, points=np.load(DATA / f"cwru/{file}.npz")["DE"][:, 0] * G, line_hz=line)
        for name, file, rate, line in recordings
    ]


def simulated(severity: float = SMALL, seconds: float = 10.0) -> list[Vibration]:
    """The same bearing at the same speed, in the simulated pump."""
    at = fault_frequencies(CWRU_BEARING, CWRU_SPEED / 60.0)
    return [
        Vibration(name=name, rate_hz=RATE_HZ, points=listen(part, severity, seconds), line_hz=line)
        for name, part, line in (
            ("healthy", None, None),
            ("outer race", BearingPart.OUTER, at.bpfo),
            ("inner race", BearingPart.INNER, at.bpfi),
            ("ball", BearingPart.BALL, 2.0 * at.bsf),
        )
    ]


def listen(part: BearingPart | None, severity: float, seconds: float) -> Floats:
    """Acceleration [m/s2] of a pump at the CWRU rig's speed with one part damaged."""
    rotor = Rotor(bearing=CWRU_BEARING, rated_speed=1455.0)
    damage = {} if part is None else {part: Damage(severity=severity, velocity=WORN * severity)}
    now = Excitation(speed=CWRU_SPEED, unbalance=1.2, hydraulic=0.8, damage=damage)
    state, blocks, n = at_rest(SEED), [], 0
    while n < seconds * RATE_HZ:
        block, state = vibrate(rotor, now, state)
        blocks.append(block)
        n += len(block)
    return np.concatenate(blocks).astype(np.float64)


def envelope_line(vibration: Vibration) -> tuple[float, float]:
    """How far the line of the fault stands out, and where the envelope's largest line within 30 % of it lies, as a ratio."""
    assert vibration.line_hz is not None  # noqa: S101  # callers ask of faults alone
    hz, amplitude = envelope_spectrum(vibration.points, vibration.rate_hz)
    near = np.abs(hz / vibration.line_hz - 1.0) < 0.3
    return standing_out(hz, amplitude, vibration.line_hz), float(hz[near][np.argmax(amplitude[near])] / vibration.line_hz)


def run_to_failure(name: str) -> tuple[Floats, Floats]:
    """rms [m/s2] and kurtosis of each snapshot of a PRONOSTIA bearing, horizontal."""
    with np.load(DATA / f"pronostia/raw_{name}.npz") as file:
        points = file["acc"][:, :, 0].astype(np.float64) * float(file["scale"]) * G
    points -= points.mean(axis=1, keepdims=True)
    rms = np.sqrt(np.mean(points**2, axis=1))
    return rms, np.mean(points**4, axis=1) / rms**4


def simulated_life(snapshots: int = 200) -> tuple[Floats, Floats]:
    """The same of a simulated outer race that spalls after Paris, over the last quarter of a life."""
    rms, peaked = [], []
    for share in np.linspace(0.0, 1.0, snapshots):
        severity = float(paris(np.array(share)))
        points = listen(BearingPart.OUTER if severity > 0.0 else None, severity, 0.15)
        rms.append(float(np.sqrt(np.mean(points**2))))
        peaked.append(kurtosis(points))
    return np.array(rms), np.array(peaked)


# -- processes


def skab() -> list[Course]:
    """The water pump rig of SKAB without anomalies, values of a second; pauses are closed up."""
    units = {"Accelerometer1RMS": "g", "Current": "A", "Pressure": "bar", "Thermocouple": "°C", "Volume Flow RateRMS": "l/min"}
    with next((DATA / "skab/anomaly-free").glob("*.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return [
        Course(name=name, unit=unit, period_s=1.0, values=np.array([float(row[name]) for row in rows]))
        for name, unit in units.items()
    ]


def hydraulic() -> list[Course]:
    """The hydraulic rig over its first two hours in which all is well: cycles of 60 s behind each other."""
    units = {"VS1": "mm/s", "EPS1": "W", "PS1": "bar", "TS1": "°C", "FS1": "l/min"}
    with np.load(DATA / "hydraulic/hydraulic_1hz.npz") as file:
        good = np.flatnonzero((file["profile"] == np.array([100, 100, 0, 130, 0])).all(axis=1))
        runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1)
        longest = max(runs, key=len)[:120]
        return [
            Course(name=name, unit=unit, period_s=1.0, values=file[name][longest].ravel().astype(np.float64))
            for name, unit in units.items()
        ]


def machine(kind: str, names: Sequence[str], *, steady: bool, seconds: int) -> list[Course]:
    """A simulated machine's sensors, a value per second; `steady` keeps the longest stretch of one operating point."""
    plant = load_plant(DEMO)
    asset = next(asset for asset in plant.assets.values() if asset.asset_class == kind)
    fleet = Fleet(kind, [Lane(asset=f"{kind}-1")], SEED)
    row_of = {name: fleet.sensors.names.index(name) for name in names}
    values = np.array([fleet.step(1.0)[:, 0][list(row_of.values())] for _ in range(seconds)])
    if steady:
        values = values[_steady(values[:, 0])]
    return [
        Course(name=name, unit=asset.signals[name].unit.replace("Cel", "°C"), period_s=1.0, values=values[:, column])
        for column, name in enumerate(names)
    ]


def _steady(speed: Floats) -> slice:
    """The longest stretch in which a speed changes no more than 3 /min from second to second."""
    turns = np.flatnonzero(np.abs(np.diff(speed)) > 3.0) + 1
    edges = np.concatenate(([0], turns, [len(speed)]))
    longest = int(np.argmax(np.diff(edges)))
    return slice(int(edges[longest]) + 30, int(edges[longest + 1]))


# -- the report

LAGS: Final = 180
PAIRS: Final[tuple[tuple[str, Callable[[], list[Course]], Callable[[], list[Course]]], ...]] = (
    (
        "Water pump: SKAB beside the simulated pump",
        skab,
        lambda: machine(
            "pump", ("speed", "vibration", "current", "pressure", "fluid_temperature", "flow"), steady=True, seconds=7200
        )[1:],
    ),
    (
        "Machines with a cycle: the hydraulic rig beside the simulated spindle",
        hydraulic,
        lambda: machine(
            "spindle", ("vibration", "power", "torque", "bearing_temperature", "coolant_flow"), steady=False, seconds=7200
        ),
    ),
)


def page() -> tuple[str, Mapping[str, tuple[list[Course], list[Course]]]]:
    """The report as Markdown, and the courses that its pictures show."""
    lines = [HEAD, *_vibration_tables(), *_life_table()]
    shown = {}
    for title, real, made in PAIRS:
        rows = real(), made()
        shown[title] = rows
        lines += [f"## {title}\n", f"![Real and simulated signals](pictures/{picture_of(title)})\n", *_course_table(*rows)]
    return "\n".join([*lines, TAIL]), shown


def picture_of(title: str) -> str:
    return "rig-" + title.split(":")[0].lower().replace(" ", "-") + ".png"


def _vibration_tables() -> Iterator[str]:
    yield "## Bearings: CWRU beside the simulated accelerometer\n"
    yield "![Spectra and envelope spectra, real and simulated](pictures/rig-bearings.png)\n"
    yield "| bearing | | rms [m/s²] | kurtosis | crest factor | its line in the envelope stands out | and lies at |"
    yield "|---|---|---|---|---|---|---|"
    for real, made in zip(cwru(), simulated(), strict=True):
        for where, each in (("CWRU", real), ("simulated", made)):
            line = "| | |"
            if each.line_hz is not None:
                out, at = envelope_line(each)
                line = f"| {out:.0f} × | {at:.3f} of its frequency |"
            rms = float(np.std(each.points))
            yield f"| {real.name} | {where} | {rms:.2f} | {kurtosis(each.points):.1f} | {crest_factor(each.points):.1f} {line}"
    yield ""


def _life_table() -> Iterator[str]:
    yield "## A bearing's life: PRONOSTIA beside the simulated spall\n"
    yield "![rms and kurtosis over life](pictures/rig-life.png)\n"
    yield "| bearing | snapshots | rms: last / first tenth | life left once it stays doubled | largest kurtosis, median of 9 |"
    yield "|---|---|---|---|---|"
    for name, (rms, peaked) in lives().items():
        ratio = rms / np.median(rms[: max(len(rms) // 10, 1)])
        calm = np.flatnonzero(_smooth(ratio) < 2.0)
        left = 1.0 - (calm[-1] + 1) / len(rms)
        yield f"| {name} | {len(rms)} | {np.median(ratio[-5:]):.1f} × | {100.0 * left:.0f} % | {_smooth(peaked).max():.0f} |"
    yield ""


def lives() -> dict[str, tuple[Floats, Floats]]:
    return {
        "PRONOSTIA Bearing1_2": run_to_failure("Bearing1_2"),
        "PRONOSTIA Bearing3_1": run_to_failure("Bearing3_1"),
        "simulated": simulated_life(),
    }


def _smooth(values: Floats) -> Floats:
    return np.asarray(signal.medfilt(values, 9))


def _course_table(real: list[Course], made: list[Course]) -> Iterator[str]:
    yield "| | signal | noise, of the variance | autocorrelation below 1/e after | kurtosis of the increments |"
    yield "|---|---|---|---|---|"
    for where, courses in (("real", real), ("simulated", made)):
        for each in courses:
            below = decay(each.values, LAGS)
            after = f"{below} s" if below < LAGS else f"over {LAGS} s"
            yield f"| {where} | {each.name} | {noise_share(each.values):.0%} | {after} | {kurtosis(np.diff(each.values)):.1f} |"
    yield ""


HEAD: Final = """# Simulated machines beside real rigs

Written by `make docs`: every figure and every picture comes from one run over the recordings in `../shared/data` and the
simulator as it is. The recordings are not part of the project. Nothing in the simulator was fitted to them, and no label of
an anomaly was read.
"""
TAIL: Final = """## What this says

Alike:

- The lines of a damaged outer or inner race lie where the geometry puts them, in both; so do their harmonics. Kurtosis and
  crest factor rise as they do on the rig, from those of noise to those of impacts.
- Currents are mostly noise from sample to sample at a steady operating point, temperatures are smooth, flows lie between.
- In a machine with a cycle, power and torque follow the cycle and forget it within seconds; increments are far from normal.

Unlike, and what to conclude from it:

- The rig's ball fault cannot be found in this recording by the plain envelope, as is known of it (Smith and Randall, MSSP
  64–65, 2015); the simulated one can. The simulated ball always meets a race with its damaged side: kinder than life.
- The rig's bearings keep quiet for nearly all of their life and fail almost without warning. The simulated one is loud long
  before its end. A lead time that was reached on the simulator is no promise for a plant.
- The simulated spall grows far louder than the test rig's bearings, which are stopped at 20 g.
- SKAB's pressure sensor is coarser than the simulated one, and its room and water warm up over hours, which shows in all
  autocorrelations but those of current and pressure. The simulated pump changes its operating point within minutes instead.
"""


def psd(vibration: Vibration) -> tuple[Floats, Floats]:
    """Frequencies [Hz] and power density [(m/s2)2/Hz]."""
    hz, density = signal.welch(vibration.points, vibration.rate_hz, "hann", nperseg=4096)
    return hz, density


def correlogram(course: Course) -> NDArray[np.float64]:
    return autocorrelation(course.values, LAGS)


def write(path: Path = PAGE) -> Mapping[str, tuple[list[Course], list[Course]]]:
    text, shown = page()
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
    return shown
