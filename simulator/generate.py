"""Recordings of simulated machines, made as fast as the computer can.

Long recordings are made of shifts that are simulated side by side: each begins as a machine does that has warmed up, with
the machine's own parameters, and everything that is scripted (faults, repairs, jobs) is where it would be by then. So the
time of a recording is vectorised, too; what does not go on from shift to shift is what an operator resets: a tool, a job.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording
from simulator.accelerometers import VibrationRecorder
from simulator.fleet import Fleet, Lane
from simulator.randomness import Floats
from simulator.scenario import Happening, Injection, Scenario, happenings
from simulator.simulated_site import SimulatedSite, check_scenario, happen

START: Final = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z: the same seed gives the same file, bytes and all
SHIFT_H: Final = 8.0
# what is simulated side by side at a time, in numbers held: half a gigabyte
MOST_HELD: Final = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is true of each row, (n_rows,).

    fault:    the worst fault, as a number in `names`, whose first entry is the empty text of no fault
    severity: how far it has come, 0..1; health is 1 less it
    rul_h:    hours until a fault is complete, NaN while none will be
    """

    names: tuple[str, ...]
    fault: NDArray[np.int8]
    severity: Floats
    rul_h: Floats

    @property
    def anomaly(self) -> Floats:
        return (self.severity > 0.0).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens in a recording: a scenario, and single happenings beside it."""

    scenario: Scenario | None = None
    name: str = ""
    extra: tuple[Happening, ...] = field(default_factory=tuple)


def generate(
    plant: Plant,
    assets: Sequence[str],
    *,
    hours: float,
    seed: int,
    story: Story | None = None,
    listener: VibrationRecorder | None = None,
    shift_h: float = SHIFT_H,
) -> Iterator[tuple[Recording, Labels]]:
    """`hours` of readings of each asset, one row per period, with their labels. `listener` takes their vibration, too.

    shift_h: the time that it takes goes with the length of a shift, and what a machine remembers ends with it
    Raises `CommandRefused` where the plant has no such machine or the machine no such fault.
    """
    site = SimulatedSite(plant, seed)
    places = {asset: site.place(asset) for asset in assets}
    told: dict[str, list[Happening]] = defaultdict(list)
    story = story or Story()
    if story.scenario is not None:
        check_scenario(story.name, story.scenario, plant, places)
        classes = {asset: plant.assets[asset].asset_class for asset in assets}
        for happening in happenings(story.scenario, classes, seed):
            if happening.at_s > hours * 3600.0:
                break
            told[happening.asset].append(happening)
    for happening in story.extra:
        if isinstance(action := happening.action, Injection):
            # this site is not stepped: it only refuses what a live one would
            site.inject(happening.asset, action.fault, action.severity, action.over_s)
        told[happening.asset].append(happening)
    for group in _groups(plant, places, hours):
        yield from _together(plant, group, told, listener, hours=hours, seed=seed, shift_h=shift_h)


def _groups(plant: Plant, places: dict[str, tuple[Fleet, int]], hours: float) -> Iterator[list[str]]:
    """Assets of one class and period, as many as can be held at once."""
    alike: dict[tuple[str, float], list[str]] = defaultdict(list)
    for asset in places:
        alike[plant.assets[asset].asset_class, plant.assets[asset].period_s].append(asset)
    for (_, period_s), assets in alike.items():
        numbers = hours * 3600.0 / period_s * (len(places[assets[0]][0].sensors.names) + 4)
        at_once = max(int(MOST_HELD // max(numbers, 1.0)), 1)
        for first in range(0, len(assets), at_once):
            yield assets[first : first + at_once]


def _together(
    plant: Plant,
    assets: list[str],
    told: dict[str, list[Happening]],
    listener: VibrationRecorder | None,
    *,
    hours: float,
    seed: int,
    shift_h: float,
) -> Iterator[tuple[Recording, Labels]]:
    settings = plant.assets[assets[0]]
    period_s = settings.period_s
    n_rows = max(1, round(hours * 3600.0 / period_s))
    shift_rows = min(n_rows, round(shift_h * 3600.0 / period_s))
    n_shifts = -(-n_rows // shift_rows)
    # machine time is one period at the first row, as it is for a machine that runs live
    lanes = [
        Lane(asset=asset, shift=shift, start_s=shift * shift_rows * period_s) for asset in assets for shift in range(n_shifts)
    ]
    fleet = Fleet(settings.asset_class, lanes, seed)
    due: dict[int, list[tuple[int, Happening]]] = defaultdict(list)
    for number, lane in enumerate(lanes):
        for happening in told[lane.asset]:
            row = int(np.ceil((happening.at_s - lane.start_s) / period_s - 1e-9))
            if row <= 0:
                happen(fleet, number, happening, happening.at_s)
            elif row < shift_rows:
                due[row].append((number, happening))
    names = fleet.sensors.names
    values = np.empty((shift_rows, len(names), fleet.n))
    codes = {name: np.empty((shift_rows, fleet.n), np.int8) for name in fleet.machine.texts}
    severity = np.zeros((shift_rows, fleet.n))
    worst = np.zeros((shift_rows, fleet.n), np.int8)
    remaining_s = np.full((shift_rows, fleet.n), np.inf)
    troubled = any(told[asset] for asset in assets)
    for row in range(shift_rows):
        for number, happening in due.get(row, ()):
            happen(fleet, number, happening, happening.at_s)
        readings = fleet.step(period_s)
        if listener is not None:
            listener.step(fleet, START, row, shift_rows, period_s)
        values[row] = np.where(fleet.sensors.bad, np.nan, readings)
        for name, column in codes.items():
            column[row] = fleet.codes[name]
        if troubled:
            levels = np.array(list(fleet.faults.at(fleet.time_s).values()))
            worst[row] = levels.argmax(axis=0)
            severity[row] = levels.max(axis=0)
            remaining_s[row] = fleet.faults.remaining_s(fleet.time_s)
    for number, asset in enumerate(assets):
        lanes_of = slice(number * n_shifts, (number + 1) * n_shifts)

        def over_time(array: NDArray[np.generic], lanes_of: slice = lanes_of) -> NDArray[Any]:
            """The shifts of one asset behind each other: (shift_rows, n) → (n_rows,)."""
            return np.ascontiguousarray(array[:, lanes_of].T).ravel()[:n_rows]

        columns: dict[str, Floats] = {name: over_time(values[:, index]) for index, name in enumerate(names)}
        columns |= {name: _counted(columns[name], shift_rows) for name in fleet.machine.counters}
        columns |= {name: over_time(column).astype(np.float64) for name, column in codes.items()}
        signals = plant.assets[asset].signals
        hours_left = over_time(remaining_s) / 3600.0
        how_far = over_time(severity)
        yield (
            Recording(
                path="",
                asset=asset,
                time=START + np.arange(n_rows, dtype=np.int64) * round(period_s * 1e9),
                values={name: columns[name] for name in signals},
                texts={name: TextTable(texts) for name, texts in fleet.machine.texts.items() if name in signals},
            ),
            Labels(
                names=("", *(fault.id for fault in fleet.machine.faults)),
                fault=np.where(how_far > 0.0, over_time(worst) + 1, 0).astype(np.int8),
                severity=how_far,
                rul_h=np.where(np.isfinite(hours_left), hours_left, np.nan),
            ),
        )


def _counted(column: Floats, shift_rows: int) -> Floats:
    """A counter that goes on from shift to shift instead of beginning anew; decimals as its display has them."""
    jumps = column[shift_rows - 1 : -1 : shift_rows] - column[shift_rows::shift_rows]
    offset = np.repeat(np.concatenate(([0.0], np.cumsum(jumps))), shift_rows)[: len(column)]
    return np.asarray(np.round(column + offset, 6))
