"""What was measured round each alarm, kept as a file: raw samples, blocks of fast signals, spectra, and the alarm itself.

`KULLAGER_HOME/edge/evidence/<alarm id>.zip`. What has come lately is held in memory, bounded in time and in size; some time
after an alarm began, its machine's part is written. A stop writes what is due at once; a kill loses what was not written yet.
"""

import contextlib
import hashlib
import io
import logging
import re
import zipfile
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.contracts.spectrum import WaveformSpectrum
from edge.formats.json_message import encode, format_time

logger = logging.getLogger(__name__)

# held in memory at most: 25 bytes a sample, 4 a point
MOST_SAMPLES: Final = 2_000_000
MOST_POINTS: Final = 16_000_000
PART_BYTES: Final = 128 * 1024
NS: Final = 1_000_000_000
# what an alarm's id may look like: it becomes the name of a file
_ALARM_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class NoEvidence(KullagerError):
    """Nothing is kept of an alarm; the text says why."""


@dataclass(slots=True)
class _Due:
    alarm: Alarm
    at: int
    spectra: list[WaveformSpectrum] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be written of one alarm: `write` blocks, and needs nothing of the pipeline any more."""

    path: Path
    alarm: Alarm
    samples: tuple[SampleBatch, ...]
    blocks: tuple[WaveformBlock, ...]
    spectra: tuple[WaveformSpectrum, ...]
    signals: Mapping[int, str]
    texts: Mapping[int, tuple[str, ...]]
    waveforms: Mapping[int, str]
    about: Mapping[str, Any]

    def write(self) -> None:
        """Raises OSError, and then leaves nothing behind."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("alarm.json", encode(self.alarm))
                file.writestr("about.json", orjson.dumps(self.about, option=orjson.OPT_INDENT_2))
                file.writestr("samples.parquet", self._samples())
                if self.blocks:
                    file.writestr("waveforms.parquet", self._waveforms())
                for found in self.spectra:
                    file.writestr(f"spectrum-{found.signal}-{found.time}.json", encode(found))
            part.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def _samples(self) -> bytes:
        """time, signal, value in plant units or text, quality: the columns that recordings have."""
        # with the first alarm, not before: half a second and thirty megabytes
        import pyarrow as pa

        mine = list(self.signals)
        rows = [(b.signal[k], b.time[k], b.value[k], b.quality[k]) for b in self.samples for k in [np.isin(b.signal, mine)]]
        signal, time, value, quality = (
            (np.concatenate(each) for each in zip(*rows, strict=True)) if rows else (np.empty(0),) * 4
        )
        order = np.argsort(time, kind="stable")
        signal, time, value, quality = signal[order], time[order], value[order], quality[order]
        texts = [
            self.texts[s][int(v)] if s in self.texts and np.isfinite(v) else None
            for s, v in zip(signal.tolist(), value.tolist(), strict=True)
        ]
        is_text = np.isin(signal, list(self.texts))
        table = pa.table(
            {
                "time": pa.array(time.astype(np.int64), pa.timestamp("ns", "UTC")),
                "signal": pa.array([self.signals[s] for s in signal.tolist()], pa.string()),
                "value": pa.array(np.where(is_text, np.nan, value), pa.float64(), from_pandas=True),
                "text": pa.array(texts, pa.string()),
                "quality": pa.array([Quality(int(q)).name.lower() for q in quality.tolist()], pa.string()),
            }
        )
        return _parquet(table)

    def _waveforms(self) -> bytes:
        """time of the first point, signal, rate_hz, points."""
        import pyarrow as pa

        table = pa.table(
            {
                "time": pa.array([block.time for block in self.blocks], pa.timestamp("ns", "UTC")),
                "signal": pa.array([self.waveforms[block.signal] for block in self.blocks], pa.string()),
                "rate_hz": pa.array([block.rate_hz for block in self.blocks], pa.float64()),
                "points": pa.array([block.points for block in self.blocks], pa.list_(pa.float32())),
            }
        )
        return _parquet(table)


class Evidence:
    """Holds what has come lately; `due` gives what is to be written, and `read` what was."""

    def __init__(self, folder: Path, plant: Plant, texts: Mapping[int, TextTable]) -> None:
        settings = plant.edge.evidence
        self._folder, self._plant, self._texts = folder, plant, texts
        self._before, self._after = round(settings.before_s * NS), round(settings.after_s * NS)
        self._max_bytes = round(settings.max_gb * 1e9)
        self._samples: deque[SampleBatch] = deque()
        self._n_samples = 0
        # by number of the signal; each has its share of what may be held
        self._blocks: dict[int, deque[WaveformBlock]] = {}
        for entry in plant.waveform_table:
            wanted = int((settings.before_s + settings.after_s) / entry.signal.every_s) + 2
            share = max(MOST_POINTS // len(plant.waveform_table) // entry.signal.points, 1)
            self._blocks[entry.index] = deque(maxlen=min(wanted, share))
        self._due: list[_Due] = []

    def take(self, brought: SampleBatch | WaveformBlock) -> None:
        """Samples or a block as they came."""
        if self._max_bytes == 0:
            return
        if isinstance(brought, WaveformBlock):
            self._blocks[brought.signal].append(brought)
            return
        self._samples.append(brought)
        self._n_samples += len(brought)
        newest = int(brought.time[-1])
        while self._samples and (
            self._n_samples > MOST_SAMPLES or int(self._samples[0].time[-1]) < newest - self._before - self._after - 5 * NS
        ):
            self._n_samples -= len(self._samples.popleft())

    def saw(self, alarms: Iterable[Alarm], spectra: Iterable[WaveformSpectrum]) -> None:
        """Alarms that have changed, and spectra of the moment: those of alarmed machines are kept with them."""
        if self._max_bytes == 0:
            return
        self._due += [
            _Due(alarm, alarm.raised + self._after)
            for alarm in alarms
            # one that a flood suppresses is heard later, when nothing is left of what was measured
            if alarm.state in (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.SUPPRESSED) and alarm.changed == alarm.raised
        ]
        for found in spectra:
            for due in self._due:
                if due.alarm.asset == found.asset:
                    due.spectra.append(found)

    def due(self, now: int | None) -> list[Draft]:
        """What is to be written at this time of the plant [ns UTC]; None: at its end, all that is left."""
        ready = [each for each in self._due if now is None or each.at <= now]
        self._due = [each for each in self._due if each not in ready]
        return [self._draft(each) for each in ready]

    def tidy(self) -> None:
        """Remove the oldest files beyond what may be kept. Blocks."""
        # a kill leaves a part
        found = [path for kind in ("*.zip", "*.part") for path in self._folder.glob(kind)]
        files = sorted(found, key=lambda path: path.stat().st_mtime)
        size = sum(path.stat().st_size for path in files)
        while files and size > self._max_bytes:
            oldest = files.pop(0)
            size -= oldest.stat().st_size
            oldest.unlink()
            logger.warning("%s: was removed, evidence may take %.3g GB", oldest, self._max_bytes / 1e9)

    def read(self, alarm_id: str) -> bytes:
        """The file of an alarm. Raises `NoEvidence`."""
        if any(each.alarm.alarm_id == alarm_id for each in self._due):
            raise NoEvidence(f"the evidence of alarm {alarm_id} is complete {self._after / NS:g} s after it began")
        try:
            if _ALARM_ID.fullmatch(alarm_id) is None:
                raise FileNotFoundError(alarm_id)
            return (self._folder / f"{alarm_id}.zip").read_bytes()
        except OSError:
            raise NoEvidence(
                f"no evidence is kept of alarm {alarm_id}: it is older than what is kept, or was not written"
            ) from None

    def _draft(self, due: _Due) -> Draft:
        alarm, plant = due.alarm, self._plant
        asset = plant.assets[alarm.asset]
        first, last = alarm.raised - self._before, alarm.raised + self._after
        rows = [row for row in plant.signal_table if row.asset == alarm.asset]
        waves = {entry.index: entry.name for entry in plant.waveform_table if entry.asset == alarm.asset}
        samples = []
        for batch in self._samples:
            inside = (batch.time >= first) & (batch.time <= last)
            samples.append(batch if inside.all() else _only(batch, inside))
        return Draft(
            path=self._folder / f"{alarm.alarm_id}.zip",
            alarm=alarm,
            samples=tuple(samples),
            blocks=tuple(block for index in waves for block in self._blocks[index] if first <= block.time <= last),
            spectra=tuple(due.spectra),
            signals={row.index: row.name for row in rows},
            texts={row.index: self._texts[row.index].texts for row in rows if row.is_text},
            waveforms=waves,
            about={
                "from": format_time(first),
                "to": format_time(last),
                "asset": alarm.asset,
                "units": {row.name: row.signal.unit for row in rows} | {n: w.unit for n, w in asset.waveforms.items()},
                "edge": plant.edge.id,
            },
        )


def parts_of(content: bytes) -> tuple[list[bytes], str]:
    """A file in parts that a broker takes, and its sha256."""
    parts = [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)]
    return parts, hashlib.sha256(content).hexdigest()


def _only(batch: SampleBatch, rows: Any) -> SampleBatch:
    return SampleBatch(signal=batch.signal[rows], time=batch.time[rows], value=batch.value[rows], quality=batch.quality[rows])


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
