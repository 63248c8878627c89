"""What the plant said, written down as it came: raw samples for training, kept for a while.

Samples go into a log once a second (`edge.formats.sample_log`), so that a kill costs at most the last second. A log that is
old or large enough is closed, and a process of its own makes Parquet of it (`edge.recordings`): neither its memory nor its
failures are the edge's. Where the disk is nearly full recording stops first, so that results still find room; it goes on by
itself.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from edge.contracts.plant import RecordingSettings, SignalEntry
from edge.contracts.sample_batch import SampleBatch, TextTable
from edge.contracts.status import RecordingStatus
from edge.formats import sample_log

logger = logging.getLogger(__name__)

LOG_PATTERN: Final = "*.klog"
LONGEST_S: Final = 3600.0
LARGEST: Final = 128 << 20
# what is left to results, state and the rest of the machine
RESERVE: Final = 500 << 20
GB: Final = 1_000_000_000


class Recorder:
    """`add` what came, `write` once a second, `close` at the end. Failures are told in `status`, and raise nothing.

    folder: of the recordings; texts: the tables of the text signals by their number; free: bytes that the disk has left
    """

    def __init__(
        self,
        folder: Path,
        settings: RecordingSettings,
        signals: Sequence[SignalEntry],
        texts: dict[int, TextTable],
        *,
        longest_s: float = LONGEST_S,
        largest: int = LARGEST,
        free: Callable[[], int] | None = None,
    ) -> None:
        self.folder, self._settings, self._signals, self._texts = folder, settings, signals, texts
        self._longest_s, self._largest = longest_s, largest
        self._free = free or (lambda: shutil.disk_usage(folder).free)
        self._waiting: list[SampleBatch] = []
        self._file: BinaryIO | None = None
        self._written_texts: dict[int, int] = {}
        self._size = self._recorded = self._lost = 0
        self._begun = 0.0
        self._problem: str | None = None

    @property
    def status(self) -> RecordingStatus:
        return RecordingStatus(samples=self._recorded, lost=self._lost, problem=self._problem)

    def add(self, batch: SampleBatch, *, recovered: bool = False) -> None:
        """Keep a batch for the next `write`; `recovered`: it was read back from a server's history."""
        if self._settings.max_gb > 0:
            self._waiting.append(replace(batch, quality=batch.quality | sample_log.RECOVERED) if recovered else batch)

    def write(self, now: float) -> bool:
        """Write what has come since; `now`: s since 1970. True where a log was closed that is to be made Parquet of."""
        if not self._waiting:
            return self._close_if_due(now)
        batches, self._waiting = self._waiting, []
        number = sum(map(len, batches))
        try:
            self._append(batches, now)
        except OSError as error:
            self._lost += number
            self._tell(f"{self.folder}: cannot be recorded to: {error.strerror or error}")
            return False
        self._recorded += number
        if self._problem is not None:
            logger.info("recording goes on; %d samples were not recorded", self._lost)
            self._problem = None
        return self._close_if_due(now)

    def close(self) -> None:
        """End the log, so that it can be made Parquet of."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())
            with contextlib.suppress(OSError):
                file.close()
            path = Path(file.name)
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".klog"))

    def _append(self, batches: list[SampleBatch], now: float) -> None:
        if (free := self._free_there()) < RESERVE:
            raise OSError(
                f"{free / GB:.1f} GB are free, and {RESERVE / GB:.1f} are left to results; "
                "free some, or keep less (recording.max_gb)"
            )
        if self._file is None:
            # open while it grows, under a name that nobody else takes
            path = self.folder / f"{round(now * 1000)}-{os.getpid()}.open"
            self._file = path.open("xb", buffering=0)
            self._size, self._begun, self._written_texts = 0, now, {}
        content = b"" if self._size else sample_log.begin(self._signals)
        written = dict(self._written_texts)
        content += sample_log.new_texts(self._texts, written) + sample_log.samples(batches)
        try:
            done = self._file.write(content)
            if done != len(content):
                raise OSError("the disk is full")
        except OSError:
            # half a record is nothing: the next one follows the last whole one
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
                self._file.seek(self._size)
            raise
        self._size += len(content)
        self._written_texts = written

    def _free_there(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._free()

    def _close_if_due(self, now: float) -> bool:
        if self._file is None or (now - self._begun < self._longest_s and self._size < self._largest):
            return False
        self.close()
        return True

    def _tell(self, problem: str) -> None:
        if self._problem is None:
            logger.error("%s; samples are not recorded, everything else goes on", problem)
        self._problem = problem


def left_open(folder: Path) -> int:
    """Close the logs of a recorder that is no more; call it before a new one begins. How many closed logs there are now."""
    for path in folder.glob("*.open"):
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(".klog"))
    return len(list(folder.glob(LOG_PATTERN)))
