"""Operating modes: what was made while a window was seen, so that another product is no fault.

A text signal conditions the model where it holds still for whole windows, has more than one value, and is not one of those
that change all the time (`RUNNING`, a recipe's step). A mode is a combination of texts that was there long enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.model_spec import ModelContext
from edge.contracts.sample_batch import TextTable

# share of the windows in which a text must hold still to condition the model
HOLDS_STILL: Final = 0.8
# windows of a mode before it counts as known, in features; a handful would teach nothing of how they vary
WINDOWS_PER_FEATURE: Final = 5

# `context` (n_assets, n_contexts) → `mode` (n_assets,), 0 where it is not known, and `mode_known`
GRAPH: Final = """
    code = Cast<to = 7>(context)
    lowest_code = ReduceMin<keepdims = 0>(code, axis_1)
    placed = Mul(code, radix)
    key_signed = ReduceSum<keepdims = 0>(placed, axis_1)
    key = Max(key_signed, zero_index)
    mode_found = Gather(mode_of_key, key)
    all_found = Min(lowest_code, mode_found)
    is_known = GreaterOrEqual(all_found, zero_index)
    mode_known = Cast<to = 1>(is_known)
    mode = Max(mode_found, zero_index)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingModes:
    """contexts: the text signals that tell modes apart; mode_of_key: for each combination of their texts its mode, or -1."""

    contexts: tuple[ModelContext, ...] = ()
    mode_of_key: NDArray[np.int64]

    @property
    def n_modes(self) -> int:
        return int(self.mode_of_key.max()) + 1

    @property
    def radix(self) -> NDArray[np.int64]:
        sizes = [len(context.codes) for context in self.contexts]
        return np.array([int(np.prod(sizes[number + 1 :])) for number in range(len(sizes))], np.int64)

    def of(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_windows,) the mode of each window's codes (n_windows, n_contexts); -1 where it was not learnt."""
        if not self.contexts:
            return np.zeros(len(codes), np.int64)
        return np.where((codes < 0).any(axis=1), -1, self.mode_of_key[np.maximum(codes @ self.radix, 0)])

    @property
    def constants(self) -> dict[str, Any]:
        return {
            "radix": self.radix[None],
            "mode_of_key": self.mode_of_key,
            "zero_index": np.array(0, np.int64),
        }

    def names(self) -> list[str]:
        """The texts of each mode, in the order of the modes."""
        found = []
        for mode in range(self.n_modes):
            key = int(np.flatnonzero(self.mode_of_key == mode)[0])
            texts = []
            for context, radix in zip(self.contexts, self.radix.tolist(), strict=True):
                texts.append(context.codes[key // radix % len(context.codes)])
            found.append(" · ".join(texts))
        return found


def learn_modes(
    names: Sequence[str], tables: dict[str, TextTable], codes: NDArray[np.int64], changed: NDArray[np.bool_], n_features: int
) -> tuple[OperatingModes, NDArray[np.int64], NDArray[np.bool_]]:
    """The modes of a recording, the columns of `names` that they are told by, and which windows belong to one.

    codes: (n_windows, n_names) at the end of each window, -1 where missing; changed: (n_windows, n_names) within it
    """
    chosen = [
        column
        for column in range(len(names))
        if len(np.unique(codes[:, column][codes[:, column] >= 0])) > 1 and (~changed[:, column]).mean() >= HOLDS_STILL
    ]
    columns = np.array(chosen, np.int64)
    contexts = tuple(ModelContext(name=names[column], codes=tables[names[column]].texts) for column in chosen)
    whole: NDArray[np.bool_] = np.asarray(~changed[:, columns].any(axis=1) & (codes[:, columns] >= 0).all(axis=1))
    sizes = [len(context.codes) for context in contexts]
    modes = OperatingModes(contexts=contexts, mode_of_key=np.zeros(int(np.prod(sizes, initial=1)), np.int64))
    if not contexts:
        return modes, columns, whole
    keys = codes[:, columns] @ modes.radix
    counts = np.bincount(keys[whole], minlength=len(modes.mode_of_key))
    learnt = counts >= WINDOWS_PER_FEATURE * n_features
    numbers = np.where(learnt, np.cumsum(learnt) - 1, -1).astype(np.int64)
    modes = OperatingModes(contexts=contexts, mode_of_key=numbers)
    belongs: NDArray[np.bool_] = np.asarray(whole & learnt[np.maximum(keys, 0)])
    return modes, columns, belongs
