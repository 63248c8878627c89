"""A recording, streamed as if its machine were there: every row once, in order, over all protocols side by side."""

import asyncio
import heapq
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.contracts.command import Catalogue, CatalogueAsset
from edge.contracts.plant import Plant, Waveform
from edge.contracts.sample_batch import WaveformBlock
from edge.contracts.truth import Truth
from edge.formats.recording import Recording
from edge.formats.waveform_recording import WaveformRecording
from simulator.site import CommandRefused, Range, Row
from simulator.stage import open_stage

logger = logging.getLogger(__name__)

LONGEST_RUSH_S: Final = 1.0
REFUSAL: Final = (
    "the simulator replays a recording; faults, jobs, scenarios and chaos need the machines of `python -m simulator run`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay.

    speed:   recorded time per real time; None as fast as the subscribers take it
    now:     shift the timestamps so that the first row is now; otherwise they stay the recording's own
    loop:    begin again after the last row, with timestamps that go on
    wait_for_subscriber: hold each row while an OPC UA node of the asset is not subscribed to, and its MQTT messages
             while nobody wants them, where the broker can tell (MQTT 5)
    leave:   end after the last row has been fetched, instead of keeping the server up
    """

    speed: float | None = 1.0
    now: bool = False
    loop: bool = False
    wait_for_subscriber: bool = False
    leave: bool = False


class ReplayedSite:
    """The site of a recording: one asset, whose ranges are those of its values, and that cannot fail."""

    def __init__(self, plant: Plant, recording: Recording) -> None:
        self._plant, self._recording = plant, recording

    @property
    def assets(self) -> tuple[str, ...]:
        return (self._recording.asset,)

    @property
    def changes(self) -> int:
        return 0

    def range_of(self, asset: str, signal: str) -> Range | None:
        values = self._recording.values.get(signal, np.array([]))
        values = values[~np.isnan(values)]
        if signal in self._recording.texts or not len(values):
            return None
        low, high = float(values.min()), float(values.max())
        return Range(low=low, high=high if high > low else low + 1.0)

    def catalogue(self, time: int) -> Catalogue:
        asset = self._recording.asset
        return Catalogue(time=time, assets=(CatalogueAsset(asset=asset, name=self._plant.assets[asset].display_name(asset)),))

    def recipes(self, asset: str) -> tuple[str, ...]:
        return ()

    def truth(self, asset: str, time: int) -> Truth | None:
        return None

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        raise CommandRefused(REFUSAL)

    def repair(self, asset: str) -> None:
        raise CommandRefused(REFUSAL)

    def start_job(self, asset: str, recipe: str) -> None:
        raise CommandRefused(REFUSAL)

    def play(self, scenario: str) -> None:
        raise CommandRefused(REFUSAL)

    def disturb(self, kind: str, source: str, for_s: float | None, amount: float | None) -> None:
        raise CommandRefused(REFUSAL)


def rows(recording: Recording, shift: int = 0) -> Iterator[Row]:
    """The rows of a recording in the order of the file, `shift` [ns] later than recorded; an empty cell is NaN."""
    names = list(recording.values)
    columns = [recording.values[name].tolist() for name in names]
    for time_ns, *cells in zip(recording.time.tolist(), *columns, strict=True):
        values: dict[str, float | str | None] = {}
        for name, cell in zip(names, cells, strict=True):
            table = recording.texts.get(name)
            values[name] = table.text(int(cell)) if table and cell == cell else cell
        yield Row(asset=recording.asset, time=time_ns + shift, values=values)


def blocks(recording: WaveformRecording, waveform: Waveform, shift: int = 0) -> Iterator["Entry"]:
    """The blocks of a fast signal in the order of the file, `shift` [ns] later than recorded."""
    for time_ns, points in zip(recording.time.tolist(), recording.points, strict=True):
        yield waveform, WaveformBlock(signal=0, time=time_ns + shift, rate_hz=recording.rate_hz, points=points)


# what a replay streams: a row, or a block of a fast signal
Entry = Row | tuple[Waveform, WaveformBlock]


def _time(entry: Entry) -> int:
    return entry.time if isinstance(entry, Row) else entry[1].time


async def replay(
    plant: Plant,
    environ: Mapping[str, str],
    recording: Recording,
    options: ReplayOptions,
    waveforms: Sequence[WaveformRecording] = (),
) -> None:
    """Stream `recording`, and fast signals beside it, until the end and then keep its last values up, until cancelled."""
    settings = plant.assets[recording.asset]
    period = round(settings.period_s * 1e9)
    times = [recording.time, *(each.time for each in waveforms)]
    begin = min(int(time[0]) for time in times)
    length = max(int(time[-1]) for time in times) - begin + period
    async with open_stage(plant, ReplayedSite(plant, recording), environ) as stage:
        if options.wait_for_subscriber:
            await stage.wait_for_subscriber(recording.asset)
        logger.info("replaying %d rows of %s", len(recording), recording.path)
        # at the machine's own pace a row's time is now, so the first waits for the next whole period
        shift = -(-time.time_ns() // period) * period - begin if options.now else 0
        first = begin + shift
        began = time.monotonic() + ((first - time.time_ns()) / 1e9 if options.now else 0.0)
        turn = 0
        while turn == 0 or options.loop:
            later = shift + turn * length
            streams: list[Iterator[Entry]] = [rows(recording, later)]
            streams += [blocks(each, settings.waveforms[each.waveform], later) for each in waveforms]
            for entry in heapq.merge(*streams, key=_time):
                if options.speed is not None:
                    await asyncio.sleep(began + (_time(entry) - first) / 1e9 / options.speed - time.monotonic())
                waited = time.monotonic()
                if isinstance(entry, Row):
                    await stage.deliver(entry, wait_for_subscriber=options.wait_for_subscriber)
                else:
                    await stage.deliver_waveform(*entry, wait_for_subscriber=options.wait_for_subscriber)
                # what a subscriber or a broker kept waiting is not made up for in a rush
                waited = time.monotonic() - waited
                began += waited if waited > LONGEST_RUSH_S else 0.0
            turn += 1
            logger.info("replayed %d rows of %s", len(recording), recording.path)
        if options.leave:
            await stage.wait_until_fetched()
        else:
            await asyncio.get_running_loop().create_future()
