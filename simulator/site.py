"""The site as the outside sees it: rows of readings, a catalogue of faults, and commands that inject and repair."""

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.contracts.command import Catalogue, CatalogueAsset, CatalogueFault
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from simulator.faults import FaultState
from simulator.machines import MACHINES
from simulator.schedule import OperatingSchedule
from simulator.sensors import SensorSet

LONGEST_GROWTH_S = 30 * 24 * 3600.0


class CommandRefused(KullagerError):
    """A command that asks for something the simulator does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The readings of one asset at `time` [ns UTC], by signal.

    NaN is no sample; None is a bad one: the sensor says that it does not know.
    """

    asset: str
    time: int
    values: Mapping[str, float | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where the values of a signal normally lie, in its unit: EURange."""

    low: float
    high: float


class Site(Protocol):
    """What the OPC UA server and the MQTT publisher need to know of what they show."""

    @property
    def assets(self) -> tuple[str, ...]: ...
    def range_of(self, asset: str, signal: str) -> Range | None: ...
    def catalogue(self, time: int) -> Catalogue: ...

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        """Let a fault grow; raises `CommandRefused`."""
        ...

    def repair(self, asset: str) -> None:
        """End all faults of an asset; raises `CommandRefused`."""
        ...


class SimulatedAsset:
    """One machine with its schedule, its faults and its sensors. `seed` and `asset` determine everything."""

    def __init__(self, asset: str, machine: str, seed: int) -> None:
        # one stream of randomness per part, so that a further sensor does not change the physics
        streams = [np.random.default_rng([seed, zlib.crc32(asset.encode()), part]) for part in range(3)]
        self.asset = asset
        self.machine = MACHINES[machine](streams[0])
        self.schedule = OperatingSchedule(self.machine.operating, streams[1])
        self.sensors = SensorSet(self.machine.sensors, streams[2])
        self.faults = FaultState(self.machine.faults)
        self.time_s = 0.0

    def step(self, dt_s: float) -> dict[str, float]:
        """Readings by signal, `dt_s` later."""
        self.time_s += dt_s
        level = {fault.id: self.faults.level(fault.id, self.time_s) for fault in self.faults.possible}
        truth = self.machine.step(dt_s, self.schedule.at(self.time_s), level)
        return self.sensors.measure(truth, dt_s)


class SimulatedSite:
    """All assets of a plant file that there is a machine for. Each makes a row on every whole multiple of its period."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self._plant = plant
        self._machines = {
            asset_id: SimulatedAsset(asset_id, asset.asset_class, seed)
            for asset_id, asset in plant.assets.items()
            if asset.asset_class in MACHINES
        }
        if not self._machines:
            classes = ", ".join(sorted({asset.asset_class for asset in plant.assets.values()}))
            raise KullagerError(
                f"no asset can be simulated: classes are {classes}; there are machines for {', '.join(MACHINES)}"
            )
        for asset_id, machine in self._machines.items():
            if unknown := sorted(set(plant.assets[asset_id].signals) - set(machine.machine.sensors)):
                known = ", ".join(machine.machine.sensors)
                raise KullagerError(f"assets.{asset_id}.signals: the machine has no {', '.join(unknown)}; it has {known}")
        self._period_ns = {asset: round(plant.assets[asset].period_s * 1e9) for asset in self._machines}

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self._machines)

    @property
    def missing(self) -> tuple[str, ...]:
        """The assets of the plant file that there is no machine for."""
        return tuple(asset for asset in self._plant.assets if asset not in self._machines)

    def machine(self, asset: str) -> SimulatedAsset:
        """The machine of `asset`; raises `CommandRefused` where there is none."""
        if asset not in self._machines:
            raise CommandRefused(f"there is no machine '{asset}'; possible: {', '.join(self._machines)}")
        return self._machines[asset]

    def rows(self, start: int) -> Iterator[Row]:
        """Endless rows of all assets in order of time, the first at or after `start` [ns UTC]."""
        following = {asset: -(-start // period) * period for asset, period in self._period_ns.items()}
        while True:
            asset = min(following, key=following.__getitem__)
            time, period = following[asset], self._period_ns[asset]
            yield Row(asset=asset, time=time, values=self._machines[asset].step(period / 1e9))
            following[asset] = time + period

    def range_of(self, asset: str, signal: str) -> Range | None:
        character = self._machines[asset].machine.sensors[signal]
        return Range(low=character.low, high=character.high)

    def catalogue(self, time: int) -> Catalogue:
        assets = []
        for asset, machine in self._machines.items():
            faults = tuple(
                CatalogueFault(fault=fault.id, name=fault.name, active=fault.id in machine.faults.active)
                for fault in machine.faults.possible
            )
            assets.append(CatalogueAsset(asset=asset, name=self._plant.assets[asset].display_name(asset), faults=faults))
        return Catalogue(time=time, assets=tuple(assets))

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        machine = self.machine(asset)
        possible = [each.id for each in machine.faults.possible]
        if fault not in possible:
            raise CommandRefused(f"'{asset}' has no fault '{fault}'; possible: {', '.join(possible)}")
        if not (math.isfinite(severity) and 0.0 <= severity <= 1.0):
            raise CommandRefused(f"severity {severity!r} should lie between 0 and 1")
        if not (math.isfinite(over_s) and 0.0 <= over_s <= LONGEST_GROWTH_S):
            raise CommandRefused(f"over_s {over_s!r} should lie between 0 and {LONGEST_GROWTH_S:.0f} s")
        machine.faults.inject(fault, severity=severity, over_s=over_s, at_s=machine.time_s)

    def repair(self, asset: str) -> None:
        machine = self.machine(asset)
        machine.faults.repair()
        machine.machine.renew()
