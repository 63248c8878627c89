"""The accelerometers of rotating machines: a block of their vibration, as often as the plant file says."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant, Waveform
from edge.contracts.sample_batch import WaveformBlock
from edge.formats.waveform_recording import WaveformRecording
from simulator.fleet import Fleet
from simulator.machines.machine import RotatingMachine
from simulator.randomness import seed_of
from simulator.simulated_site import SimulatedSite
from simulator.waveforms import RATE_HZ, VibrationState, after_gap, at_rest, vibrate


@dataclass(slots=True)
class _Sensor:
    index: int
    waveform: Waveform
    state: VibrationState
    last: int | None = None


class Accelerometers:
    """All accelerometers of a plant. They take nothing from the machines' own randomness, so no other signal changes."""

    def __init__(self, plant: Plant, site: SimulatedSite, seed: int) -> None:
        self._site = site
        self._sensors: dict[str, list[_Sensor]] = {}
        index = 0
        for asset, settings in plant.assets.items():
            for number, (name, waveform) in enumerate(settings.waveforms.items()):
                if asset in site.assets:
                    _check(f"assets.{asset}.waveforms.{name}", waveform, *site.place(asset)[:1])
                    state = at_rest(*seed_of(seed, asset, 2, number))
                    self._sensors.setdefault(asset, []).append(_Sensor(index, waveform, state))
                index += 1

    def blocks(self, asset: str, time: int) -> Iterator[tuple[Waveform, WaveformBlock]]:
        """What is due of one asset at `time` [ns UTC], the first points of which were taken then."""
        for sensor in self._sensors.get(asset, ()):
            every = round(sensor.waveform.every_s * 1e9)
            if sensor.last is not None and time - sensor.last < every:
                continue
            points = _listen(sensor, *self._site.place(asset), time)
            yield sensor.waveform, WaveformBlock(signal=sensor.index, time=time, rate_hz=RATE_HZ, points=points)


def _check(where: str, waveform: Waveform, fleet: object) -> None:
    machine = getattr(fleet, "machine", None)
    if not (hasattr(machine, "rotor") and hasattr(machine, "excitation")):
        raise KullagerError(f"{where}: this machine does not turn, so nothing can be heard of it")
    if waveform.rate_hz != RATE_HZ:
        raise KullagerError(f"{where}.rate_hz: should be {RATE_HZ:g}: the simulator knows no other")
    if waveform.unit != "m/s2":
        raise KullagerError(f"{where}.unit: should be 'm/s2', not '{waveform.unit}'")
    if waveform.points / RATE_HZ > waveform.every_s:
        raise KullagerError(f"{where}.every_s: a block of {waveform.points} points takes {waveform.points / RATE_HZ:.3g} s")


class VibrationRecorder:
    """The blocks of a recording's fast signals, taken while it is generated, at the intervals of the plant file or `every_s`.

    Hand it to `generate`; afterwards `recordings` are there. since: from when on [ns UTC] they are taken
    """

    def __init__(self, plant: Plant, seed: int, every_s: float | None = None, since: int = 0) -> None:
        self._plant, self._seed, self._every_s, self._since = plant, seed, every_s, since
        self._sensors: dict[tuple[str, str, int], _Sensor] = {}
        self._blocks: dict[tuple[str, str], list[tuple[int, NDArray[np.float32]]]] = {}

    def step(self, fleet: Fleet, start: int, row: int, shift_rows: int, period_s: float) -> None:
        """All lanes of a fleet have come to `row` of their shifts; the recording begins at `start` [ns UTC]."""
        for lane_number, lane in enumerate(fleet.lanes):
            time = start + round((lane.shift * shift_rows + row) * period_s * 1e9)
            for number, (name, waveform) in enumerate(self._plant.assets[lane.asset].waveforms.items()):
                every = round((self._every_s or waveform.every_s) * 1e9)
                if time % every or time < self._since:
                    continue
                key = lane.asset, name, lane.shift
                if key not in self._sensors:
                    _check(f"assets.{lane.asset}.waveforms.{name}", waveform, fleet)
                    state = at_rest(*seed_of(self._seed, lane.asset, 2, number, lane.shift))
                    self._sensors[key] = _Sensor(0, waveform, state)
                points = _listen(self._sensors[key], fleet, lane_number, time)
                self._blocks.setdefault((lane.asset, name), []).append((time, points))

    @property
    def recordings(self) -> list[WaveformRecording]:
        """One for each fast signal that was heard."""
        made = []
        for (asset, name), blocks in self._blocks.items():
            blocks.sort(key=lambda block: block[0])
            made.append(
                WaveformRecording(
                    asset=asset,
                    waveform=name,
                    time=np.array([time for time, _ in blocks], np.int64),
                    points=np.stack([points for _, points in blocks]),
                    rate_hz=RATE_HZ,
                    unit=self._plant.assets[asset].waveforms[name].unit,
                )
            )
        return made


def _listen(sensor: _Sensor, fleet: Fleet, machine: int, time: int) -> NDArray[np.float32]:
    """The block that begins at `time` [ns UTC]; goes on from the sensor's last one."""
    rotating: RotatingMachine = fleet.machine  # type: ignore[assignment]  # _check has seen to it
    rotor, now = rotating.rotor(machine), rotating.excitation(machine)
    if sensor.last is not None:
        gap_s = (time - sensor.last) / 1e9 - sensor.waveform.points / RATE_HZ
        sensor.state = after_gap(sensor.state, rotor, gap_s, now.speed)
    points, sensor.state = vibrate(rotor, now, sensor.state, sensor.waveform.points)
    sensor.last = time
    return points
