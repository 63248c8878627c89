"""The simulated site: every asset of a plant file that there is a machine for, and the scenario that happens to them."""

import logging
import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from edge.contracts.command import Catalogue, CatalogueAsset, CatalogueFault, CatalogueScenario
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.truth import Truth
from simulator.chaos import Disturbances
from simulator.fleet import Fleet, Lane
from simulator.machines.catalogue import MACHINES
from simulator.scenario import (
    ChaosEvent,
    Happening,
    Injection,
    Job,
    Repair,
    Scenario,
    ScenarioError,
    SensorEvent,
    WeatherChange,
    faults_of,
    happenings,
    load_scenario,
    shipped,
)
from simulator.site import CommandRefused, Range, Row

logger = logging.getLogger(__name__)

LONGEST_GROWTH_S: Final = 30 * 24 * 3600.0


class SimulatedSite:
    """All machines of a plant. Each asset makes a row on every whole multiple of its period."""

    def __init__(self, plant: Plant, seed: int, scenario: str = "") -> None:
        self._plant, self._seed = plant, seed
        simulated = {
            asset_id: (round(asset.period_s * 1e9), asset.asset_class)
            for asset_id, asset in plant.assets.items()
            if asset.asset_class in MACHINES
        }
        if not simulated:
            classes = ", ".join(sorted({asset.asset_class for asset in plant.assets.values()}))
            raise KullagerError(
                f"no asset can be simulated: classes are {classes}; there are machines for {', '.join(MACHINES)}"
            )
        self._fleets: list[tuple[int, Fleet]] = []
        for (period, kind), members in groupby(sorted(simulated, key=simulated.__getitem__), simulated.__getitem__):
            self._fleets.append((period, Fleet(kind, [Lane(asset=asset) for asset in members], seed)))
        places = {lane.asset: (fleet, row) for _, fleet in self._fleets for row, lane in enumerate(fleet.lanes)}
        self._place = {asset: places[asset] for asset in simulated}
        for asset_id, (fleet, _) in self._place.items():
            check_signals(plant, asset_id, fleet)
        self.scenario = ""
        self._story: Iterator[Happening] = iter(())
        self._next: Happening | None = None
        self._began_s = self._time_s = 0.0
        self.disturbances = Disturbances(plant)
        self._changes = 0
        if scenario:
            self._begin(scenario, load_scenario(scenario))

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self._place)

    @property
    def changes(self) -> int:
        return self._changes + self.disturbances.changes

    @property
    def missing(self) -> tuple[str, ...]:
        """The assets of the plant file that there is no machine for."""
        return tuple(asset for asset in self._plant.assets if asset not in self._place)

    def place(self, asset: str) -> tuple[Fleet, int]:
        """The fleet of `asset` and its number there; raises `CommandRefused` where there is no such machine."""
        if asset not in self._place:
            raise CommandRefused(f"there is no machine '{asset}'; possible: {', '.join(self._place)}")
        return self._place[asset]

    def rows(self, start: int) -> Iterator[Row]:
        """Endless rows of all assets in order of time, the first at or after `start` [ns UTC]."""
        following = [-(-start // period) * period for period, _ in self._fleets]
        first = min(following)
        offset_s = self._time_s
        while True:
            number = min(range(len(following)), key=following.__getitem__)
            time, (period, fleet) = following[number], self._fleets[number]
            self._time_s = offset_s + (time - first) / 1e9
            self._happen()
            yield from self._rows_of(fleet, time, period)
            following[number] = time + period

    def _rows_of(self, fleet: Fleet, time: int, period: int) -> Iterator[Row]:
        readings = fleet.step(period / 1e9)
        row_of = {name: row for row, name in enumerate(fleet.sensors.names)}
        bad, columns, codes = fleet.sensors.bad.any(), readings.T.tolist(), fleet.codes
        for machine, lane in enumerate(fleet.lanes):
            values: dict[str, float | str | None] = {}
            for name in self._plant.assets[lane.asset].signals:
                row = row_of.get(name)
                if row is None:
                    values[name] = fleet.machine.texts[name][int(codes[name][machine])]
                elif bad and fleet.sensors.bad[row, machine]:
                    values[name] = None
                else:
                    values[name] = columns[machine][row]
            yield Row(asset=lane.asset, time=time, values=values)

    def range_of(self, asset: str, signal: str) -> Range | None:
        character = self._place[asset][0].machine.sensors.get(signal)
        return Range(low=character.low, high=character.high) if character else None

    def truth(self, asset: str, time: int) -> Truth | None:
        fleet, machine = self.place(asset)
        return fleet.truth(machine, time)

    def recipes(self, asset: str) -> tuple[str, ...]:
        return self.place(asset)[0].machine.texts.get("recipe", ())

    def catalogue(self, time: int) -> Catalogue:
        assets = []
        for asset, (fleet, machine) in self._place.items():
            active = fleet.faults.active(machine)
            faults = tuple(
                CatalogueFault(fault=fault.id, name=fault.name, description=fault.description, active=fault.id in active)
                for fault in fleet.machine.faults
            )
            name = self._plant.assets[asset].display_name(asset)
            assets.append(CatalogueAsset(asset=asset, name=name, faults=faults, recipes=self.recipes(asset)))
        scenarios = tuple(
            CatalogueScenario(scenario=name, name=scenario.name, description=scenario.description, active=name == self.scenario)
            for name, scenario in _SHIPPED.items()
        )
        return Catalogue(time=time, assets=tuple(assets), scenarios=scenarios, chaos=self.disturbances.catalogue())

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        fleet, machine = self.place(asset)
        possible = [each.id for each in fleet.machine.faults]
        if fault not in possible:
            raise CommandRefused(f"'{asset}' has no fault '{fault}'; possible: {', '.join(possible)}")
        if not (math.isfinite(severity) and 0.0 <= severity <= 1.0):
            raise CommandRefused(f"severity {severity!r} should lie between 0 and 1")
        if not (math.isfinite(over_s) and 0.0 <= over_s <= LONGEST_GROWTH_S):
            raise CommandRefused(f"over_s {over_s!r} should lie between 0 and {LONGEST_GROWTH_S:.0f} s")
        fleet.faults.inject(machine, fault, severity=severity, over_s=over_s, at_s=float(fleet.time_s[machine]))
        self._changes += 1

    def repair(self, asset: str) -> None:
        fleet, machine = self.place(asset)
        fleet.repair(machine)
        self._changes += 1

    def start_job(self, asset: str, recipe: str) -> None:
        fleet, machine = self.place(asset)
        recipes = self.recipes(asset)
        if recipe not in recipes:
            raise CommandRefused(f"'{asset}' has no recipe '{recipe}'; possible: {', '.join(recipes)}")
        fleet.machine.start_job(machine, recipes.index(recipe))

    def play(self, scenario: str) -> None:
        self._changes += 1
        if not scenario:
            self.scenario, self._story, self._next = "", iter(()), None
        elif scenario not in _SHIPPED:
            raise CommandRefused(f"there is no scenario '{scenario}'; possible: {', '.join(_SHIPPED)}")
        else:
            self._begin(scenario, _SHIPPED[scenario])

    def disturb(self, kind: str, source: str, for_s: float | None, amount: float | None) -> None:
        self.disturbances.begin(kind, source, for_s, amount)

    def _begin(self, name: str, scenario: Scenario) -> None:
        check_scenario(name, scenario, self._plant, self._place)
        self.scenario, self._began_s = name, self._time_s
        self._story = happenings(scenario, {asset: self._plant.assets[asset].asset_class for asset in self.assets}, self._seed)
        self._next = next(self._story, None)

    def _happen(self) -> None:
        """Do what the scenario has for the time until now."""
        while self._next is not None and self._began_s + self._next.at_s <= self._time_s:
            if isinstance(chaos := self._next.action, ChaosEvent):
                if self.disturbances.meant(chaos.kind, chaos.source):
                    self.disturb(chaos.kind, chaos.source, chaos.for_s, chaos.amount)
            else:
                fleet, machine = self._place[self._next.asset]
                happen(fleet, machine, self._next, float(fleet.time_s[machine]))
            logger.info("%s: %s (scenario %s)", self._next.asset or "network", self._next.action, self.scenario)
            self._next = next(self._story, None)
            self._changes += 1


_SHIPPED: Final[dict[str, Scenario]] = {name: load_scenario(name) for name in shipped()}


def happen(fleet: Fleet, machine: int, happening: Happening, at_s: float) -> None:
    """Let something of a scenario come to one machine, `at_s` in its own time [s]."""
    match happening.action:
        case Injection(fault=fault, severity=severity, over_s=over_s):
            fleet.faults.inject(machine, fault, severity=severity, over_s=over_s, at_s=at_s)
        case Repair():
            fleet.repair(machine)
        case Job(recipe=recipe):
            fleet.machine.start_job(machine, fleet.machine.texts["recipe"].index(recipe))
        case SensorEvent(signal=signal, kind=kind, amount=amount):
            fleet.sensors.fail(machine, signal, kind, amount)
        case WeatherChange(warmer=warmer, over_s=over_s):
            fleet.weather.change(machine, warmer, over_s=over_s, at_s=at_s)


def check_signals(plant: Plant, asset: str, fleet: Fleet) -> None:
    """Raise `KullagerError` where the plant file names signals that the machine does not have."""
    known = (*fleet.machine.sensors, *fleet.machine.texts)
    for name in plant.assets[asset].signals:
        if name not in known:
            raise KullagerError(f"assets.{asset}.signals: the machine has no {name}; it has {', '.join(known)}")
        if (name in fleet.machine.texts) != (name in plant.assets[asset].context):
            should = "should stand in" if name in fleet.machine.texts else "is a number and should not stand in"
            raise KullagerError(f"assets.{asset}.context: '{name}' {should} it: texts are {', '.join(fleet.machine.texts)}")


def check_scenario(name: str, scenario: Scenario, plant: Plant, places: Mapping[str, tuple[Fleet, int]]) -> None:
    """Raise `ScenarioError` where a scenario asks for what the machines do not have."""
    possible = {}
    for asset, (fleet, _) in places.items():
        machine = fleet.machine
        has = ({fault.id for fault in machine.faults}, set(machine.texts.get("recipe", ())), set(machine.sensors))
        possible[asset] = possible[plant.assets[asset].asset_class] = has
    disturbances = Disturbances(plant)
    wrong = faults_of(scenario, possible)
    for number, event in enumerate(scenario.events):
        if event.chaos is not None:
            try:
                if disturbances.meant(event.chaos.kind, event.chaos.source):
                    disturbances.begin(event.chaos.kind, event.chaos.source, event.chaos.for_s, event.chaos.amount)
            except CommandRefused as refusal:
                wrong.append(f"events.{number}.chaos: {refusal}")
    if wrong:
        raise ScenarioError("\n".join(f"{name}: {line}" for line in wrong))
