"""What each machine of a group does with its time, what it takes and what it makes: one `Performance` each minute."""

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
# a counter's step over a longer silence belongs to no lot [s]
LONGEST_STEP_S: Final = 120.0
S_PER_H: Final = 3600.0
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


class ProductionTrend:
    """The machines of one group. Instants come by `advance`; a `Performance` of each is given at whole minutes."""

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
        self._counted = np.zeros((n, 2))
        self._before = np.full((n, 2), np.nan)
        self._before_time = np.zeros(n, np.int64)
        self._spoken = np.zeros(n, np.int64)
        self._heard = np.zeros(n, np.bool_)

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
        rows = np.flatnonzero(~silent)
        self._heard[rows] = True
        self._operation_s[rows, [tuple(Operation).index(operations[row]) for row in rows]] += self._period_s
        withheld = rows[reason[rows] >= 0]
        self._withheld_s[withheld, reason[withheld]] += self._period_s
        for row, machine in self._machines.items():
            self._count(time, machine, value, recipes[row], healthy=not anomalous[row])
        block = time // round(PERIOD_S * 1e9)
        due = np.flatnonzero((self._spoken != block) & self._heard)
        told = [self._performance(time, int(row), operations[row], recipes[row]) for row in due if self._spoken[row] != 0]
        self._spoken[due] = block
        for array in (self._operation_s, self._withheld_s, self._counted):
            array[due] = 0.0
        self._heard[due] = False
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
        self._before[:] = np.nan
        self._spoken[:] = 0
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
        if "energy" not in machine.columns or "product" not in machine.columns:
            return
        now = value[row, [machine.columns["energy"], machine.columns["product"]]]
        passed_s = (time - int(self._before_time[row])) / 1e9
        steps: list[float | None] = [None, None]
        if 0 < passed_s <= LONGEST_STEP_S and np.isfinite(now).all() and np.isfinite(self._before[row]).all():
            steps = (now - self._before[row]).tolist()
            if machine.is_flow:
                # a flow by the hour
                steps[1] = float(now[1]) * passed_s / S_PER_H
        self._before[row], self._before_time[row] = now, time
        energy, amount = steps
        if energy is not None and amount is not None and energy >= 0 and amount >= 0:
            self._counted[row] += (energy, amount)
        if (lot := machine.lots.step(time, recipe, energy, amount, healthy=healthy)) is not None:
            product = machine.production.product or ""
            machine.newest = specific_energy(lot, recipe, machine.unit("energy"), product, self._product_unit(machine))

    def _product_unit(self, machine: _Machine) -> str:
        unit = machine.unit("product")
        return unit.removesuffix("/h") if machine.is_flow else unit

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
        if machine is None or "energy" not in machine.columns or "product" not in machine.columns:
            return told
        return replace(
            told,
            energy=float(self._counted[row, 0]),
            energy_unit=machine.unit("energy"),
            amount=float(self._counted[row, 1]),
            product_unit=self._product_unit(machine),
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
