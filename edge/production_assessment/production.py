"""What each machine of a group does with its time, what it takes and what it makes: one `Performance` each minute."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import Reason
from edge.contracts.performance import Operation, Performance, SpecificEnergy
from edge.contracts.plant import Asset, Production
from edge.contracts.sample_batch import TextTable
from edge.production_assessment.specific_energy import EnergyLots, specific_energy

PERIOD_S: Final = 60.0
PERIOD_NS: Final = 60_000_000_000
# a counter's step over a longer silence belongs to no lot [s]
LONGEST_STEP_S: Final = 120.0
# of the units of flows the time that they are of [s]
FLOW_S: Final[Mapping[str, float]] = {"/h": 3600.0, "/min": 60.0, "/s": 1.0}
# what plants call what a machine does, where the plant file does not say
USUAL_NAMES: Final[Mapping[str, Operation]] = {
    "running": Operation.RUNNING,
    "executing": Operation.RUNNING,
    "producing": Operation.RUNNING,
    "idle": Operation.IDLE,
    "standby": Operation.IDLE,
    "ready": Operation.IDLE,
    "changeover": Operation.CHANGEOVER,
    "setup": Operation.CHANGEOVER,
    "off": Operation.OFF,
    "stopped": Operation.OFF,
    "fault": Operation.OFF,
}


@dataclass(slots=True)
class _Machine:
    """One asset with something to say of its production."""

    row: int
    asset: str
    settings: Asset
    production: Production
    columns: dict[str, int]
    texts: dict[str, TextTable]
    lots: EnergyLots
    newest: SpecificEnergy | None = None

    def text(self, role: str, value: NDArray[np.float64]) -> str | None:
        column, table = self.columns.get(role), self.texts.get(role)
        if column is None or table is None or np.isnan(value[self.row, column]):
            return None
        return table.text(int(value[self.row, column]))

    def unit(self, role: str) -> str:
        name = getattr(self.production, role)
        return self.settings.signals[name].unit

    @property
    def is_flow(self) -> bool:
        product = self.production.product
        return product is not None and not self.settings.signals[product].counter

    @property
    def flow_time(self) -> str:
        """The end of a flow's unit that tells its time, by the hour where it has none."""
        return next((end for end in FLOW_S if self.unit("product").endswith(end)), "/h")


class ProductionTrend:
    """The machines of one group. Instants come by `advance`; a `Performance` of each is given of whole minutes.

    An instant stands for the period before it. The minute in which something is heard first is told as far as it was heard.
    """

    def __init__(
        self,
        assets: Sequence[str],
        settings: Sequence[Asset],
        names: Sequence[str],
        texts: Mapping[tuple[str, str], TextTable],
        period_s: float,
    ) -> None:
        self._assets, self._settings, self._period_s = assets, settings, period_s
        self._machines: dict[int, _Machine] = {}
        for row, (asset, setting) in enumerate(zip(assets, settings, strict=True)):
            if (production := setting.production) is not None:
                roles = {role: getattr(production, role) for role in ("energy", "product", "recipe", "state")}
                self._machines[row] = _Machine(
                    row=row,
                    asset=asset,
                    settings=setting,
                    production=production,
                    columns={role: names.index(name) for role, name in roles.items() if name},
                    texts={role: texts[asset, name] for role, name in roles.items() if name and (asset, name) in texts},
                    lots=EnergyLots(stepwise=True),
                )
                self._machines[row].lots.stepwise = not self._machines[row].is_flow
        n = len(assets)
        self._operation_s = np.zeros((n, len(Operation)))
        self._withheld_s = np.zeros((n, len(Reason)))
        # energy and product of the minute, NaN until something counts them
        self._counted = np.full((n, 2), np.nan)
        self._before = np.full((n, 2), np.nan)
        self._before_time = np.zeros(n, np.int64)
        # the end of the minute that is counted [ns UTC], 0: none; and what was heard last in it
        self._minute = np.zeros(n, np.int64)
        self._last: list[tuple[Operation, str | None]] = [(Operation.UNKNOWN, None)] * n

    def advance(
        self,
        time: int,
        value: NDArray[np.float64],
        running: NDArray[np.bool_],
        reason: NDArray[np.int8],
        anomalous: NDArray[np.bool_],
        silent: NDArray[np.bool_],
    ) -> list[Performance]:
        """One instant [ns UTC] of all assets: (n_assets, n_signals) and (n_assets,); reason: -1 where there is a score."""
        operations, recipes = self._operations(value, running)
        minute = -(-time // PERIOD_NS) * PERIOD_NS
        # what was begun before a silence, or where instants do not fall on whole minutes
        told = self._tell(np.flatnonzero((self._minute != 0) & (self._minute != minute)))
        rows = np.flatnonzero(~silent)
        self._minute[rows] = minute
        self._operation_s[rows, [tuple(Operation).index(operations[row]) for row in rows]] += self._period_s
        withheld = rows[reason[rows] >= 0]
        self._withheld_s[withheld, reason[withheld]] += self._period_s
        for row in rows.tolist():
            self._last[row] = operations[row], recipes[row]
        for row, machine in self._machines.items():
            self._count(time, machine, value, recipes[row], healthy=not anomalous[row])
        return told + (self._tell(np.flatnonzero(self._minute == minute)) if time == minute else [])

    def _tell(self, rows: NDArray[np.int64]) -> list[Performance]:
        """Of these assets the minutes that are over."""
        told = [self._performance(int(self._minute[row]), row, *self._last[row]) for row in rows.tolist()]
        self._operation_s[rows], self._withheld_s[rows], self._counted[rows], self._minute[rows] = 0.0, 0.0, np.nan, 0
        return told

    @property
    def excessive(self) -> NDArray[np.float64]:
        """(n_assets,) 1 where the newest lots took too much energy, 0 where not, NaN where nobody knows."""
        found = np.full(len(self._assets), np.nan)
        for row, machine in self._machines.items():
            if machine.newest is not None and machine.newest.expected is not None:
                found[row] = float(machine.lots.is_anomalous)
        return found

    def newest(self, row: int) -> SpecificEnergy | None:
        """The newest complete lot of an asset."""
        return self._machines[row].newest if row in self._machines else None

    def rewind(self) -> None:
        self._tell(np.flatnonzero(self._minute))
        self._before[:] = np.nan
        for machine in self._machines.values():
            machine.lots.began = None

    def _operations(self, value: NDArray[np.float64], running: NDArray[np.bool_]) -> tuple[list[Operation], list[str | None]]:
        operations: list[Operation] = []
        recipes: list[str | None] = []
        for row, setting in enumerate(self._settings):
            machine = self._machines.get(row)
            said = machine.text("state", value) if machine else None
            if machine is not None and said is not None:
                operations.append(_named(said, machine.production))
            elif setting.running is not None:
                operations.append(Operation.RUNNING if running[row] else Operation.OFF)
            else:
                operations.append(Operation.UNKNOWN)
            recipes.append(machine.text("recipe", value) if machine else None)
        return operations, recipes

    def _count(self, time: int, machine: _Machine, value: NDArray[np.float64], recipe: str | None, *, healthy: bool) -> None:
        row = machine.row
        columns = [machine.columns.get(role) for role in ("energy", "product")]
        now = np.array([math.nan if column is None else value[row, column] for column in columns])
        passed_s = (time - int(self._before_time[row])) / 1e9
        steps = np.full(2, np.nan)
        if 0 < passed_s <= LONGEST_STEP_S:
            steps = now - self._before[row]
            if machine.is_flow:
                steps[1] = now[1] * passed_s / FLOW_S[machine.flow_time]
        self._before[row], self._before_time[row] = now, time
        counts = steps >= 0
        self._counted[row, counts] = np.nan_to_num(self._counted[row, counts]) + steps[counts]
        energy, amount = (float(step) if counted else None for step, counted in zip(steps, counts, strict=True))
        if None in columns:
            return
        if (lot := machine.lots.step(time, recipe, energy, amount, healthy=healthy)) is not None:
            product = machine.production.product or ""
            machine.newest = specific_energy(lot, recipe, machine.unit("energy"), product, self._product_unit(machine))

    def _product_unit(self, machine: _Machine) -> str:
        unit = machine.unit("product")
        return unit.removesuffix(machine.flow_time) if machine.is_flow else unit

    def _performance(self, time: int, row: int, operation: Operation, recipe: str | None) -> Performance:
        seconds = dict(zip(Operation, self._operation_s[row].tolist(), strict=True))
        known_s = sum(seconds.values()) - seconds[Operation.UNKNOWN]
        told = Performance(
            asset=self._assets[row],
            time=time,
            period_s=PERIOD_S,
            operation=operation,
            recipe=recipe,
            operation_s={name.value: s for name, s in seconds.items() if s},
            withheld_s={name.value: s for name, s in zip(Reason, self._withheld_s[row].tolist(), strict=True) if s},
            utilisation=seconds[Operation.RUNNING] / known_s if known_s else None,
        )
        machine = self._machines.get(row)
        if machine is None:
            return told
        energy, amount = (float(each) if each >= 0 else None for each in self._counted[row])
        return replace(
            told,
            energy=energy,
            energy_unit=machine.unit("energy") if energy is not None else None,
            amount=amount,
            product_unit=self._product_unit(machine) if amount is not None else None,
            specific=machine.newest,
        )

    def state(self) -> dict[str, NDArray[np.generic]]:
        texts = [self._machines[row].lots.as_text() if row in self._machines else "" for row in range(len(self._assets))]
        return {"before": self._before, "before_time": self._before_time, "lots": np.array(texts, np.str_)}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._before[:], self._before_time[:] = state["before"], state["before_time"]
        for row, machine in self._machines.items():
            if text := str(state["lots"][row]):
                machine.lots = EnergyLots.of_text(text, stepwise=not machine.is_flow)


def _named(said: str, production: Production) -> Operation:
    for operation, names in production.states.items():
        if said in names:
            return Operation(operation)
    return USUAL_NAMES.get(said.lower(), Operation.UNKNOWN)
