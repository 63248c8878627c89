"""Which assets are worked on together: everything that one model scores at one period is one group, one batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Asset, Plant

NS: Final = 1_000_000_000
RESAMPLING: Final = ("last", "mean", "min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Assets of one model (or class, where none is named), period and lateness.

    names:    the signals of all its assets, in the order of the plant file: the columns of every array below
    signal:   (n_assets, n_signals) int32, index in the plant's signal table, -1 where an asset has no such signal
    stale_ns: (n_assets, n_signals) int64
    resample: (n_assets, n_signals) uint8, index in `RESAMPLING`
    is_number: (n_assets, n_signals) bool, whether an asset has the signal, and it is no text
    """

    assets: tuple[str, ...]
    settings: tuple[Asset, ...]
    names: tuple[str, ...]
    period_ns: int
    lateness_ns: int
    signal: NDArray[np.int32]
    stale_ns: NDArray[np.int64]
    resample: NDArray[np.uint8]
    is_number: NDArray[np.bool_]

    @property
    def model(self) -> str | None:
        return self.settings[0].model

    @property
    def shape(self) -> tuple[int, int]:
        return self.signal.shape[0], self.signal.shape[1]

    def column(self, name: str) -> int:
        return self.names.index(name)


def groups_of(plant: Plant, only: Sequence[str] | None = None) -> tuple[Group, ...]:
    """The groups of a plant, or of some of its assets."""
    members: dict[tuple[str, str, int, int], list[str]] = {}
    for asset_id, asset in plant.assets.items():
        if only is None or asset_id in only:
            kind = ("model", asset.model) if asset.model else ("class", asset.asset_class)
            key = (*kind, round(asset.period_s * NS), round(asset.lateness_s * NS))
            members.setdefault(key, []).append(asset_id)
    return tuple(_group(plant, assets, key[2], key[3]) for key, assets in members.items())


def _group(plant: Plant, assets: list[str], period_ns: int, lateness_ns: int) -> Group:
    settings = tuple(plant.assets[asset] for asset in assets)
    names = tuple(dict.fromkeys(name for asset in settings for name in asset.signals))
    shape = len(assets), len(names)
    signal = np.full(shape, -1, np.int32)
    stale_ns = np.zeros(shape, np.int64)
    resample = np.zeros(shape, np.uint8)
    is_number = np.zeros(shape, np.bool_)
    for row, (asset_id, asset) in enumerate(zip(assets, settings, strict=True)):
        for column, name in enumerate(names):
            if (found := asset.signals.get(name)) is not None:
                signal[row, column] = plant.signal_index[asset_id, name]
                stale_ns[row, column] = round(found.stale_s * NS)
                resample[row, column] = RESAMPLING.index(found.resample)
                is_number[row, column] = name not in asset.context
    return Group(
        assets=tuple(assets),
        settings=settings,
        names=names,
        period_ns=period_ns,
        lateness_ns=lateness_ns,
        signal=signal,
        stale_ns=stale_ns,
        resample=resample,
        is_number=is_number,
    )
