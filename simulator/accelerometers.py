"""The accelerometers of rotating machines: a block of their vibration, as often as the plant file says."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant, Waveform
from edge.contracts.sample_batch import WaveformBlock
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
            fleet, machine = self._site.place(asset)
            rotating: RotatingMachine = fleet.machine  # type: ignore[assignment]  # _check has seen to it
            rotor, now = rotating.rotor(machine), rotating.excitation(machine)
            if sensor.last is not None:
                gap_s = (time - sensor.last) / 1e9 - sensor.waveform.points / RATE_HZ
                sensor.state = after_gap(sensor.state, rotor, gap_s, now.speed)
            points, sensor.state = vibrate(rotor, now, sensor.state, sensor.waveform.points)
            sensor.last = time
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
