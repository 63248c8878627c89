"""The state of a pipeline carried over to another one, asset by asset: what a changed plant file leaves as it is goes on.

A state is arrays by the number of the group and the name of the block. `Layout` says what the rows and columns of a group's
arrays stand for; with both layouts each kept asset's rows find their new place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Asset
from edge.contracts.sample_batch import TextTable
from edge.groups import Group

Arrays = dict[str, NDArray[np.generic]]
Tables = Mapping[tuple[str, str], TextTable]

NEVER: Final = np.iinfo(np.int64).min // 2
LAYOUT: Final = "layout"
# of each asset the texts of its text signals, in whose numbers the state holds them
TEXTS: Final = "texts"
_PENDING: Final = ("pending_signal", "pending_time", "pending_value", "pending_quality")
# what concerns a group as a whole: the newest of what several bring
_WHOLE: Final = ("grid/next", "degradation/block")
# by array or block its axes, where the first is not the assets' and the others are nobody's; "signals" is what a window holds,
# "rules" what raises alarms
_AXES: Final = {
    "grid": ("assets", "signals"),
    "signature": ("assets", "signals"),
    "window/window": ("assets", "samples", "signals"),
    "conditions": ("assets", "rules"),
    "conditions/off": ("assets",),
    "degradation": ("steps", "assets"),
    "degradation/means": ("steps", "points", "assets"),
}
# what of an asset's settings its state depends on
_OF_ASSET: Final = ("asset_class", "model", "period_s", "lateness_s", "context", "production")
_OF_SIGNAL: Final = ("unit", "source", "node", "topic", "field", "device", "metric", "resample")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Of one group: its assets and what each one's state depends on, its signals with their numbers, its rules, its model."""

    assets: tuple[str, ...]
    settings: tuple[str, ...]
    signals: tuple[str, ...]
    numbers: tuple[tuple[int, ...], ...]
    rules: tuple[str, ...]
    model: str
    n_samples: int = 0

    def as_array(self) -> NDArray[np.generic]:
        # as bytes: numpy's own texts take four for each character
        return np.frombuffer(json.dumps(asdict(self)).encode(), np.uint8)

    @classmethod
    def of_array(cls, array: NDArray[np.generic]) -> "Layout":
        raw: dict[str, Any] = json.loads(array.tobytes() if array.dtype == np.uint8 else str(array))
        numbers = tuple(tuple(row) for row in raw.pop("numbers"))
        lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
        return cls(numbers=numbers, **{**raw, **lists})


def fingerprint(asset: Asset) -> str:
    """What an asset's state depends on: with another one it begins anew."""
    signals = {name: [getattr(signal, key) for key in _OF_SIGNAL] for name, signal in asset.signals.items()}
    return json.dumps([[getattr(asset, key) for key in _OF_ASSET], signals], sort_keys=True, default=asdict)


def texts_as_array(group: Group, tables: Tables) -> NDArray[np.generic]:
    """(n_assets,) of each asset the texts of its text signals by name, as JSON."""
    texts = [
        {name: tables[asset, name].texts for name in settings.context}
        for asset, settings in zip(group.assets, group.settings, strict=True)
    ]
    return np.array([json.dumps(each) for each in texts])


def renumbered(state: Arrays, group: Group, tables: Tables) -> Arrays:
    """A group's state with its texts in the numbers of these tables, which learn what they do not know yet."""
    made = dict(state)
    window = state["window/window"].astype(np.float32)
    value = state["grid/value"].astype(np.float64).reshape(group.shape)
    pending, signals = state["grid/pending_value"].astype(np.float64), state["grid/pending_signal"]
    for row, asset in enumerate(group.assets):
        for name, texts in json.loads(str(state[TEXTS][row])).items():
            numbers = np.array([tables[asset, name].code(text) for text in texts], np.float64)
            column = group.column(name)
            # views, so that what is assigned is kept
            parts: tuple[NDArray[Any], ...] = (window[row, :, column], value[row : row + 1, column], pending)
            mine = (True, True, signals == group.signal[row, column])
            for part, those in zip(parts, mine, strict=True):
                there = np.isfinite(part) & (part < len(numbers)) & those
                part[there] = numbers[part[there].astype(np.int64)]
    return made | {"window/window": window, "grid/value": value.ravel(), "grid/pending_value": pending}


def carried_over(
    given: Mapping[str, NDArray[np.generic]], blank: Arrays, layouts: Sequence[Layout]
) -> tuple[Arrays, list[str]]:
    """The state of a new pipeline with what `given` has of its assets, and the assets that begin anew.

    blank: the state of the new pipeline, in which nothing has come yet; layouts: of its groups, one each
    Raises ValueError or KeyError where `given` is no state.
    """
    olds = [Layout.of_array(given[f"{index}/{LAYOUT}"]) for index in range(sum(key.endswith(f"/{LAYOUT}") for key in given))]
    found = {asset: (index, row) for index, old in enumerate(olds) for row, asset in enumerate(old.assets)}
    made, anew = dict(blank), []
    for index, new in enumerate(layouts):
        sources: dict[int, list[tuple[int, int]]] = {}
        for row, asset in enumerate(new.assets):
            place = found.get(asset)
            if place is None or not _is_same(olds[place[0]], place[1], new, row):
                anew.append(asset)
            else:
                sources.setdefault(place[0], []).append((place[1], row))
        for old_index, rows in sources.items():
            part = {key.partition("/")[2]: array for key, array in given.items() if key.startswith(f"{old_index}/")}
            target = {key.partition("/")[2]: key for key in blank if key.startswith(f"{index}/")}
            _carry(part, olds[old_index], made, target, new, rows)
    return made, anew


def _is_same(old: Layout, old_row: int, new: Layout, row: int) -> bool:
    # another model goes on as one does that is put in service while the edge runs; without one nothing was watched
    return bool(old.model) == bool(new.model) and old.settings[old_row] == new.settings[row]


def _carry(
    part: Arrays, old: Layout, made: Arrays, target: Mapping[str, str], new: Layout, rows: Sequence[tuple[int, int]]
) -> None:
    """Copy the rows (old, new) of one old group into one new group."""
    places: dict[str, tuple[list[int], list[int]]] = {"assets": ([row for row, _ in rows], [row for _, row in rows])}
    for axis, before, after in (("signals", old.signals, new.signals), ("rules", old.rules, new.rules)):
        common = [name for name in before if name in after]
        places[axis] = [before.index(name) for name in common], [after.index(name) for name in common]
    # the newest stand last
    n_samples = min(old.n_samples, new.n_samples)
    places["samples"] = (
        list(range(old.n_samples - n_samples, old.n_samples)),
        list(range(new.n_samples - n_samples, new.n_samples)),
    )
    for name, key in target.items():
        if name == LAYOUT or name.removeprefix("grid/") in _PENDING:
            continue
        if name in _WHOLE:
            made[key] = np.maximum(made[key], part[name])
            continue
        if name not in part:
            # of a version that did not have it
            continue
        axes = _AXES.get(name) or _AXES.get(name.partition("/")[0]) or ("assets",)
        source, result = part[name], made[key].copy()
        if source.dtype.kind == "U":
            # a text array holds no longer texts than it was made with
            result = result.astype(np.result_type(source.dtype, result.dtype))
        if axes == ("assets", "signals"):
            # flat in the grid
            source, result = source.reshape(len(old.assets), -1), result.reshape(len(new.assets), -1)
        axes += ("",) * (source.ndim - len(axes))
        everywhere = [list(range(size)) for size in source.shape]
        take = [places[axis][0] if axis in places else every for axis, every in zip(axes, everywhere, strict=True)]
        put = [places[axis][1] if axis in places else every for axis, every in zip(axes, everywhere, strict=True)]
        result[np.ix_(*put)] = source[np.ix_(*take)]
        if name == "window/filled" and new.n_samples > old.n_samples:
            result = np.minimum(result, old.n_samples)
        made[key] = result.reshape(made[key].shape)
    _carry_pending(part, old, made, target, new, rows)


def _carry_pending(
    part: Arrays, old: Layout, made: Arrays, target: Mapping[str, str], new: Layout, rows: Sequence[tuple[int, int]]
) -> None:
    numbers = {
        old.numbers[old_row][old.signals.index(name)]: new.numbers[row][new.signals.index(name)]
        for old_row, row in rows
        for name in old.signals
        if name in new.signals and old.numbers[old_row][old.signals.index(name)] >= 0
    }
    signal = part["grid/pending_signal"]
    mine = np.isin(signal, list(numbers))
    moved = np.array([numbers[int(each)] for each in signal[mine]], np.int32)
    columns = (moved, *(part[f"grid/{name}"][mine] for name in _PENDING[1:]))
    for name, column in zip(_PENDING, columns, strict=True):
        key = target[f"grid/{name}"]
        made[key] = np.concatenate([made[key], column])
