"""The vibration of a group's machines against what each was like while healthy: evidence for faults, after spectra.

Four features of each block are kept as logarithms: the amplitude at once and twice per turn, how far the bearing's lines rise
in the envelope spectrum, and the level of the highest frequencies (`hiss`). While the score is below its limit they teach what
is usual; a deviation is counted in spreads of that, so that a machine that has always shaken is not taken for ill.

Zones are those of ISO 20816-1 for the vibration velocity that the plant measures: A as new, B for long operation, C for a
limited time, D does damage. Their boundaries depend on the kind of machine (parts 3, 7, 8 …) and stand in the plant file.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import Zone
from edge.contracts.plant import Asset
from edge.health_assessment.spectrum import bearing_rates, envelope_spectrum, hiss, line, prominence, spectrum
from edge.knowledge import SPECTRAL

Floats = NDArray[np.float64]

# blocks after which a share 1/e of what was usual is left; so long a fault may grow unnoticed into it
MEMORY: Final = 500.0
LEAST_BLOCKS: Final = 10
# logarithmic spread below which no feature is taken to vary
LEAST_SPREAD: Final = 0.05
MOST: Final = 5.0
# spreads that count as one, as the half-width of a signal's band does
SPREADS: Final = 2.0
TAU_S: Final = 60.0
_ZONES: Final = tuple(Zone)


class VibrationTrend:
    """Deviations of the spectral features (n_assets, 4), in `SPREADS`, smoothed; 0 where nothing is known.

    settings: of the assets; they name bearing and rated speed
    """

    def __init__(self, settings: Sequence[Asset], period_s: float) -> None:
        shape = len(settings), len(SPECTRAL)
        self._bearings = [asset.nameplate.bearing if asset.nameplate else None for asset in settings]
        self._usual, self._square, self._counts = np.zeros((3, *shape))
        self._newest = np.zeros(shape)
        self._heard = np.zeros(len(settings), np.bool_)
        self._weight = -math.expm1(-period_s / TAU_S)
        self._smooth = np.zeros(shape)

    def take(self, asset: int, points: NDArray[np.float32], rate_hz: float, shaft_hz: float, *, healthy: bool) -> None:
        """A new block (n_points,) of one asset. healthy: whether it may teach what is usual."""
        self._heard[asset] = True
        feature = self._features(asset, points[None], rate_hz, shaft_hz)
        known = np.isfinite(feature)
        usual, square, counts = self._usual[asset], self._square[asset], self._counts[asset]
        variance = np.maximum(square - usual**2, 0.0)
        deviation = (feature - usual) / np.maximum(np.sqrt(variance), LEAST_SPREAD)
        told = known & (counts >= LEAST_BLOCKS)
        self._newest[asset] = np.where(told, np.clip(deviation / SPREADS, -MOST, MOST), 0.0)
        if healthy:
            counts += known
            weight = known / np.clip(counts, 1.0, MEMORY)
            value = np.where(known, feature, usual)
            usual += weight * (value - usual)
            square += weight * (value**2 - square)

    @property
    def is_strange(self) -> NDArray[np.bool_]:
        """(n_assets,) whether it is heard, but was not while healthy for long enough to tell what is unusual."""
        return self._heard & (self._counts < LEAST_BLOCKS).all(axis=1)

    def advance(self) -> Floats:
        """One instant on; what it is now, in `SPREADS`."""
        self._smooth += self._weight * (self._newest - self._smooth)
        return self._smooth

    def forget(self, assets: NDArray[np.bool_]) -> None:
        """What these assets' newest blocks told is over: they stand still."""
        self._newest[assets] = 0.0

    def _features(self, asset: int, points: NDArray[np.float32], rate_hz: float, shaft_hz: float) -> Floats:
        found = spectrum(points, rate_hz)
        bearing, lines = self._bearings[asset], math.nan
        if bearing is not None and shaft_hz > 0:
            envelope = envelope_spectrum(points, rate_hz)
            lines = max(prominence(envelope, 0, rate * shaft_hz) for rate in bearing_rates(bearing).values())
        # what turns and is uneven shakes with the square of the speed: without that, another speed is no deviation
        turns = [line(found, 0, order * shaft_hz)[1] / shaft_hz**2 if shaft_hz > 0 else math.nan for order in (1, 2)]
        return np.array([lines, *np.log(np.maximum(turns, 1e-12)), math.log(max(float(hiss(found)[0]), 1e-9))])

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {
            "usual": self._usual,
            "square": self._square,
            "counts": self._counts,
            "newest": self._newest,
            "smooth": self._smooth,
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        for name, array in state.items():
            getattr(self, f"_{name}")[:] = array


class VibrationZones:
    """The ISO 20816 zone of each asset from its measured velocity, smoothed so that it is one of steady operation."""

    def __init__(self, settings: Sequence[Asset], names: Sequence[str], period_s: float) -> None:
        measured = [next((name for name, signal in asset.signals.items() if signal.zones), None) for asset in settings]
        self._column = np.array([names.index(name) if name else -1 for name in measured], np.int64)
        boundaries = [asset.signals[name].zones if name else None for asset, name in zip(settings, measured, strict=True)]
        self._boundaries = np.array([found or (math.nan,) * 3 for found in boundaries])
        self._measures = self._column >= 0
        self._cell = np.arange(len(settings)) * len(names) + np.maximum(self._column, 0)
        self._weight = -math.expm1(-period_s / TAU_S)
        self._velocity = np.full(len(settings), math.nan)

    def update(self, value: Floats, running: NDArray[np.bool_]) -> list[Zone | None]:
        """value: (n_assets, n_signals) of this instant; running: (n_assets,). None: not measured now, or standing."""
        if not np.count_nonzero(self._measures):
            return [None] * len(value)
        now = value.take(self._cell)
        taken = np.isfinite(now) & running & self._measures
        before = np.where(np.isnan(self._velocity), now, self._velocity)
        self._velocity = np.where(taken, before + self._weight * (now - before), self._velocity)
        number = (self._velocity[:, None] > self._boundaries).sum(axis=1)
        # whoever measures has boundaries
        told = taken & np.isfinite(self._velocity)
        return [_ZONES[n] if known else None for n, known in zip(number.tolist(), told.tolist(), strict=True)]

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"velocity": self._velocity}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        self._velocity[:] = state["velocity"]
