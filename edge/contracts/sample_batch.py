"""What one notification, message or row brought: columns, never an object per value."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Quality(IntEnum):
    """Quality of a sample after the severity bits of an OPC UA StatusCode (part 4, 7.39)."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBatch:
    """Samples as columns of one length n.

    signal:  (n,) int32, index in the plant's signal table (`Plant.signal_table`)
    time:    (n,) int64, source time in ns since 1970-01-01 UTC
    value:   (n,) float64, plant units; text signals carry the index in their `TextTable`
    quality: (n,) uint8, a `Quality`
    """

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if not len(self.signal) == len(self.time) == len(self.value) == len(self.quality):
            lengths = len(self.signal), len(self.time), len(self.value), len(self.quality)
            raise ValueError(f"columns of one batch must have one length, not {lengths}")

    def __len__(self) -> int:
        return len(self.signal)

    @classmethod
    def of(
        cls,
        signal: Sequence[int] | NDArray[np.int32],
        time: Sequence[int] | NDArray[np.int64],
        value: Sequence[float] | NDArray[np.float64],
        quality: Sequence[int] | NDArray[np.uint8] | None = None,
    ) -> "SampleBatch":
        """Columns from any sequences; without `quality` all samples are good.

        >>> batch = SampleBatch.of([0, 1], [10, 10], [1.5, 2.5])
        >>> len(batch), batch.quality.tolist()
        (2, [0, 0])
        """
        columns = np.asarray(signal, np.int32)
        return cls(
            signal=columns,
            time=np.asarray(time, np.int64),
            value=np.asarray(value, np.float64),
            quality=np.zeros(len(columns), np.uint8) if quality is None else np.asarray(quality, np.uint8),
        )

    @classmethod
    def joined(cls, batches: "Sequence[SampleBatch]") -> "SampleBatch":
        """One batch of one or more, in their order.

        >>> SampleBatch.joined([SampleBatch.of([0], [10], [1.5]), SampleBatch.of([1], [11], [2.5])]).value.tolist()
        [1.5, 2.5]
        """
        return cls(
            signal=np.concatenate([batch.signal for batch in batches]),
            time=np.concatenate([batch.time for batch in batches]),
            value=np.concatenate([batch.value for batch in batches]),
            quality=np.concatenate([batch.quality for batch in batches]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformBlock:
    """One block of a fast signal: `points` (n,) float32 in plant units, the first at `time` [ns UTC].

    `signal` is its index in the plant's `waveform_table`.
    """

    signal: int
    time: int
    rate_hz: float
    points: NDArray[np.float32]


class TextTable:
    """Numbers for the texts of text signals (recipe, state), given in order of arrival.

    >>> table = TextTable()
    >>> table.code("shaft-80"), table.code("flange-120"), table.code("shaft-80")
    (0, 1, 0)
    >>> table.text(1)
    'flange-120'
    """

    __slots__ = ("_codes", "_texts")

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts = list(texts)
        self._codes = {text: code for code, text in enumerate(self._texts)}

    def code(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self._texts)
            self._texts.append(text)
        return code

    def text(self, code: int) -> str:
        return self._texts[code]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)
