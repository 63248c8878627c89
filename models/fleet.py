"""Several machines of one kind as one recording, so that one model is learnt for all of them.

Their time is put end to end, with a gap in which nothing reaches from one into the next: no window, no value that is held, no
life. What is held out as a block of time, an occurrence of a fault or a life is then of one machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording
from models.labels import Condition, Labels, Period
from models.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Machines put end to end: `assets` in this order. `first` and `last` [ns UTC] are the true ends of what was recorded."""

    recording: Recording
    labels: Labels | None
    assets: tuple[str, ...]
    first: int
    last: int


def joined(recordings: Sequence[Recording], labels: Sequence[Labels] | None, plant: Plant, settings: Settings) -> Fleet:
    """All recordings as one of the first machine, and their labels, one for each recording.

    The first keeps its times, those of the others are moved behind it. Raises `RecordingError` where machines are not of one
    kind or have other signals.
    """
    first = recordings[0]
    true_first, true_last = (
        int(end) for end in (min(each.time[0] for each in recordings), max(each.time[-1] for each in recordings))
    )
    if len(recordings) == 1:
        said = labels[0] if labels else None
        return Fleet(recording=first, labels=said, assets=(first.asset,), first=true_first, last=true_last)
    asset = plant.assets[first.asset]
    for other in recordings[1:]:
        _check_alike(first, other, plant, settings.without)
    period_ns = round(asset.period_s * 1e9)
    held_s = max(signal.stale_s for signal in asset.signals.values()) + asset.lateness_s
    gap = (settings.n_samples + 2) * period_ns + -(-round(held_s * 1e9) // period_ns) * period_ns
    texts = {name: TextTable(table.texts) for name, table in first.texts.items()}
    parts: list[Recording] = []
    periods: list[Period] = []
    begins, free = [], 0
    of_each: Sequence[Labels | None] = labels or [None] * len(recordings)
    for recording, said in zip(recordings, of_each, strict=True):
        part = recording.coded(texts)
        # whole periods, so that instants stay instants
        move = -(-(free - int(part.time[0])) // period_ns) * period_ns if parts else 0
        parts.append(replace(part, time=part.time + move))
        begins.append(int(parts[-1].time[0]))
        free = int(parts[-1].time[-1]) + gap
        if said is not None:
            said.check(recording.path, int(recording.time[0]), int(recording.time[-1]))
            moved = [_moved(period, recording, move) for period in said.periods]
            periods += moved
            free = max([free, *(period.first + gap for period in moved)])
    names = [name for name in first.values if all(name in part.values for part in parts)]
    together = Recording(
        path=first.path,
        asset=first.asset,
        time=np.concatenate([part.time for part in parts]),
        values={name: np.concatenate([part.values[name] for part in parts]) for name in names},
        texts=texts,
        bad={
            name: np.concatenate([part.bad.get(name, np.zeros(len(part), np.bool_)) for part in parts])
            for name in {name for part in parts for name in part.bad}
        },
    )
    together_said = Labels(path=labels[0].path, periods=tuple(periods), begins=tuple(begins)) if labels else None
    assets = tuple(recording.asset for recording in recordings)
    return Fleet(recording=together, labels=together_said, assets=assets, first=true_first, last=true_last)


def _check_alike(first: Recording, other: Recording, plant: Plant, without: Sequence[str]) -> None:
    one, another = plant.assets[first.asset], plant.assets[other.asset]
    if (one.asset_class, one.period_s) != (another.asset_class, another.period_s):
        raise RecordingError(
            f"'{first.asset}' is of class '{one.asset_class}' every {one.period_s:g} s, '{other.asset}' of class "
            f"'{another.asset_class}' every {another.period_s:g} s: machines of one model should be alike"
        )
    for name in sorted({*first.values, *other.values} - {*without}):
        if name not in first.values or name not in other.values:
            owner, lacks = (first, other) if name in first.values else (other, first)
            raise RecordingError(
                f"{owner.path}: '{owner.asset}' has '{name}', and '{lacks.asset}' has not: leave it out with --without {name}"
            )
        if one.signals[name].unit != another.signals[name].unit:
            raise RecordingError(
                f"'{name}' is in {one.signals[name].unit} for '{first.asset}' and in {another.signals[name].unit} for "
                f"'{other.asset}'; the plant file should say one unit"
            )


def _moved(period: Period, recording: Recording, move: int) -> Period:
    """A period begins and ends with its machine's recording, or it would reach into another's; a failure may come later."""
    if period.condition is Condition.FAILED:
        return replace(period, first=period.first + move, last=period.first + move)
    first, last = int(recording.time[0]), int(recording.time[-1])
    return replace(period, first=max(period.first, first) + move, last=min(period.last, last) + move)
