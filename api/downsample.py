"""Thin a history so that a plot of it looks the same: peaks and gaps survive. Logic alone."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tsdownsample import MinMaxLTTBDownsampler

# rows that are looked at together: bounds the memory of a long history
TOGETHER: Final = 200_000
_DOWNSAMPLER: Final[Any] = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]

Indices = npt.NDArray[np.int64]


def thin(scores: npt.NDArray[np.float64], points: int) -> Indices:
    """Which rows to keep, ascending: at most `points` of them (10 or more).

    `scores` (n,) is in order of time, NaN where the score was withheld. The first and last row, the smallest and the
    largest score, and the ends of the longest withheld stretches are always kept; what is left of `points` goes to the
    scored rows by MinMaxLTTB (Van Der Donckt et al. 2023, arXiv:2305.00332).

    >>> thin(np.array([0.1, 0.2, np.nan, np.nan, 0.3]), 10)
    array([0, 1, 2, 3, 4])
    """
    n = len(scores)
    if n <= points:
        return np.arange(n)
    withheld = np.isnan(scores)
    scored = np.flatnonzero(~withheld)
    kept = [np.array([0, n - 1])]
    if len(scored):
        kept.append(scored[[np.argmin(scores[scored]), np.argmax(scores[scored])]])
    kept.append(_ends_of_longest(withheld, at_most=(points - 4) // 4))
    fixed = np.unique(np.concatenate(kept))
    room = points - len(fixed)
    if room >= len(scored):
        return np.union1d(fixed, scored)
    if room < 3:
        return fixed
    picked: Indices = _DOWNSAMPLER.downsample(np.ascontiguousarray(scores[scored]), n_out=room)
    return np.union1d(fixed, scored[picked.astype(np.int64)])


def thin_rows(parts: Iterable[Sequence[Any]], points: int) -> list[int]:
    """The event ids to keep of (event_id, time, score) rows that come in parts, in order of time."""
    ids, scores = np.empty(0, np.int64), np.empty(0)
    for part in parts:
        ids = np.concatenate([ids, np.array([row[0] for row in part], np.int64)])
        scores = np.concatenate([scores, np.array([np.nan if row[2] is None else row[2] for row in part], np.float64)])
        if len(ids) > TOGETHER:
            kept = thin(scores, max(4 * points, TOGETHER // 4))
            ids, scores = ids[kept], scores[kept]
    return [int(event_id) for event_id in ids[thin(scores, points)]]


def _ends_of_longest(flags: npt.NDArray[np.bool_], at_most: int) -> Indices:
    """First and last index of the longest runs of True, no more than `at_most` runs."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    longest = np.argsort(first - last, kind="stable")[:at_most]
    return np.concatenate([first[longest], last[longest]])
