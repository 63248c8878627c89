"""The alarm limits that a plant has today, on the same rows: what a model has to be better than.

fixed limit   the `limits.alarm` of the plant file
ISO 20816     vibration velocity [mm/s] above the boundary of zones C and D of medium-sized machines on rigid foundations
EWMA, CUSUM   control charts of each signal, from the healthy quantiles that the model file carries: EWMA with weight 0.1 and 3
              sigma, CUSUM with slack 0.5 and limit 5 sigma (D. C. Montgomery: Introduction to Statistical Quality Control)
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from edge.contracts.model_spec import ModelSpec, SignalReference
from edge.contracts.plant import Asset
from edge.formats.recording import Recording

# [mm/s] ISO 20816-3, group 2 (15 to 300 kW), rigid foundation
ZONE_D: Final = 4.5
EWMA_WEIGHT: Final = 0.1
EWMA_SIGMAS: Final = 3.0
CUSUM_SLACK: Final = 0.5
CUSUM_LIMIT: Final = 5.0
IQR_OF_SIGMA: Final = 1.349

Flags = NDArray[np.bool_]


def limits_today(recording: Recording, asset: Asset, spec: ModelSpec) -> dict[str, Flags]:
    """By name, which rows (n_rows,) each would have called anomalous; those that the plant has no signals for are left out."""
    found: dict[str, Flags] = {}
    limits = {name: signal.limits.alarm for name, signal in asset.signals.items() if signal.limits.alarm is not None}
    _join(found, "fixed limit", {name: _values(recording, name) >= limit for name, limit in limits.items()})
    velocities = [name for name, signal in asset.signals.items() if signal.unit == "mm/s" and name in recording.values]
    _join(found, "ISO 20816", {name: _values(recording, name) > ZONE_D for name in velocities})
    scaled = {
        signal.name: _scaled(_values(recording, signal.name), spec.reference[signal.name])
        for signal in spec.signals
        if signal.name in recording.values and len(spec.reference.get(signal.name, SignalReference()).quantiles) == 5
    }
    _join(found, "EWMA", {name: np.abs(_ewma(z)) > EWMA_SIGMAS for name, z in scaled.items()})
    _join(found, "CUSUM", {name: _cusum(z) for name, z in scaled.items()})
    return found


def _join(found: dict[str, Flags], name: str, flags: Mapping[str, Flags]) -> None:
    """One alarm for all signals: a row is anomalous where one of them says so."""
    if flags:
        found[name] = np.logical_or.reduce(list(flags.values()))


def _values(recording: Recording, name: str) -> NDArray[np.float64]:
    """A signal with its last value in place of missing ones."""
    values = recording.values.get(name, np.full(len(recording), np.nan))
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[last]


def _scaled(values: NDArray[np.float64], reference: SignalReference) -> NDArray[np.float64]:
    """In healthy standard deviations round the healthy median; 0 where missing."""
    _, low, median, high, _ = reference.quantiles
    sigma = (high - low) / IQR_OF_SIGMA
    return np.nan_to_num((values - median) / (sigma if sigma > 0 else 1.0))


def _ewma(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chart in its own standard deviations."""
    smooth: NDArray[np.float64] = lfilter([EWMA_WEIGHT], [1.0, EWMA_WEIGHT - 1.0], z)
    return np.asarray(smooth / np.sqrt(EWMA_WEIGHT / (2.0 - EWMA_WEIGHT)))


def _cusum(z: NDArray[np.float64]) -> Flags:
    """Upwards and downwards. A sum goes no further than twice the limit, as if somebody took it back: it would never return."""
    both = np.column_stack([z, -z]) - CUSUM_SLACK
    total, flags = np.zeros(2), np.zeros(len(z), np.bool_)
    for row, step in enumerate(both):
        total = np.minimum(np.maximum(total + step, 0.0), 2 * CUSUM_LIMIT)
        flags[row] = (total > CUSUM_LIMIT).any()
    return flags
