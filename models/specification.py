"""What a model file says of itself, whoever made its graph."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.model_spec import ModelSpec, ModelWaveform, SignalReference
from edge.contracts.plant import Asset
from models.calibrate import Calibration
from models.dataset import HealthyData
from models.settings import Settings

QUANTILES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
TOLERANCE_QUANTILE: Final = 0.99


def specification(
    asset: Asset,
    settings: Settings,
    data: HealthyData,
    calibration: Calibration,
    expected: Callable[[int], NDArray[np.floating]] | None,
    figures: dict[str, Any],
    *,
    faults: tuple[str, ...] = (),
    waveforms: tuple[ModelWaveform, ...] = (),
) -> ModelSpec:
    """The spec of a model with these limits.

    expected: of a signal by its number, (n_held_out,) what the model expected of its newest values at `calibration.index`, in
    its unit; None where it expects nothing. figures: what to say besides of how it came about.
    """
    alarms = calibration.false_alarms
    return ModelSpec(
        name=asset.model or asset.asset_class,
        version=settings.version,
        asset_class=asset.asset_class,
        period_s=asset.period_s,
        n_samples=settings.n_samples,
        signals=data.signals,
        context=data.modes.contexts,
        waveforms=waveforms,
        faults=faults,
        persistence=settings.persistence,
        min_coverage=settings.min_coverage,
        since_change=settings.since_change and bool(data.modes.contexts),
        sustained=calibration.sustained,
        false_alarms_per_week=_rounded(alarms.per_week),
        trained_on=data.trained_on,
        reference={
            signal.name: _reference(data, column, calibration.index, expected) for column, signal in enumerate(data.signals)
        },
        figures={
            "windows": len(data.windows),
            "modes": data.modes.names(),
            "false_alarms_wanted": settings.false_alarms,
            "held_out_exceedance": _rounded(calibration.exceedance),
            "held_out_alarms": alarms.count,
            "held_out_h": _rounded(alarms.observed_s / 3600),
            "false_alarms_per_week_at_most": _rounded(alarms.at_most),
            **figures,
        },
    )


def _reference(
    data: HealthyData, column: int, index: NDArray[np.int64], expected: Callable[[int], NDArray[np.floating]] | None
) -> SignalReference:
    """A column at a time: months of many signals would not fit twice."""
    newest = data.windows.values[data.windows.last, column]
    tolerance = None
    if expected is not None:
        tolerance = _rounded(float(np.quantile(np.abs(newest[index] - expected(column)), TOLERANCE_QUANTILE)))
    return SignalReference(
        quantiles=tuple(_rounded(float(value)) for value in np.quantile(newest, QUANTILES)), tolerance=tolerance
    )


def _rounded(value: float) -> float:
    """Six significant digits: more would be read as more than is known."""
    return float(f"{value:.6g}")
