"""Recordings of a simulated machine, made as fast as the computer can."""

from dataclasses import dataclass

import numpy as np

from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from simulator.site import SimulatedSite

START = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z: the same seed gives the same file, bytes and all


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFault:
    """A fault to record: it begins `at_s` after the start and grows to `severity` (0..1) within `over_s`."""

    fault: str
    at_s: float
    severity: float = 1.0
    over_s: float = 3600.0


def generate(plant: Plant, asset: str, *, hours: float, seed: int, fault: RecordedFault | None = None) -> Recording:
    """`hours` of readings of `asset`, one row per period.

    With a fault there is a further column `anomaly`: 1 from the row on in which the fault begins, 0 before.
    Raises `CommandRefused` where the plant has no such machine or the machine no such fault.
    """
    site = SimulatedSite(plant, seed)
    machine = site.machine(asset)
    period_s = plant.assets[asset].period_s
    names = list(plant.assets[asset].signals)
    n_rows = max(1, round(hours * 3600.0 / period_s))
    values = np.empty((n_rows, len(names)))
    first_faulty = n_rows
    for row in range(n_rows):
        if fault is not None and first_faulty == n_rows and row * period_s >= fault.at_s:
            site.inject(asset, fault.fault, fault.severity, fault.over_s)
            first_faulty = row
        readings = machine.step(period_s)
        values[row] = [readings[name] for name in names]
    return Recording(
        path="",
        asset=asset,
        time=START + np.arange(n_rows, dtype=np.int64) * round(period_s * 1e9),
        values={name: values[:, index].copy() for index, name in enumerate(names)},
        others={"anomaly": (np.arange(n_rows) >= first_faulty).astype(np.float64)} if fault is not None else {},
    )
