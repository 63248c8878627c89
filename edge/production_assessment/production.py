"""What each machine of a group does with its time, what it takes and what it makes: one `Performance` each minute."""

from collections.abc import Iterable, Mapping, Sequence
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
_OPERATIONS: Final = tuple(Operation)
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
        self._assets, self._period_s = assets, period_s
        self._runs_by = [setting.running is not None for setting in settings]
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
        self._all = np.arange(n)
        # of the machines in their order (n_machines,): row, columns of energy and product (n_machines, 2), of recipe and state
        machines = self._machines.values()
        self._rows = np.array([machine.row for machine in machines], np.int64)
        self._counters = _Cells(self._rows, _columns(machines, "energy", "product"), len(names))
        self._texts = _Cells(self._rows, _columns(machines, "recipe", "state"), len(names))
        # of a flow what one second of it makes, NaN where whole pieces are counted
        self._counts_pieces = np.array([not machine.is_flow for machine in machines], np.bool_)
        self._flow = np.array([1.0 / FLOW_S[machine.flow_time] if machine.is_flow else np.nan for machine in machines])
        self._operation_s = np.zeros((n, len(Operation)))
        self._withheld_s = np.zeros((n, len(Reason)))
        # energy and product of the minute, NaN until something counts them
        self._counted = np.full((n, 2), np.nan)
        self._before = np.full((n, 2), np.nan)
        self._before_time = np.zeros(n, np.int64)
        # the end of the minute that is counted [ns UTC], 0: none; and what was heard last in it
        self._minute = np.zeros(n, np.int64)
        self._last_operation = np.full(n, _OPERATIONS.index(Operation.UNKNOWN))
        self._last_recipe: list[str | None] = [None] * n
        # what the machines said last in texts, and what that means
        self._said: tuple[bytes, bytes] | None = None
        self._meant = self._last_operation, self._last_recipe

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
        operation, recipes = self._operations(value, running)
        minute = -(-time // PERIOD_NS) * PERIOD_NS
        # what was begun before a silence, or where instants do not fall on whole minutes
        told = self._tell(np.flatnonzero((self._minute != 0) & (self._minute != minute)))
        if not np.count_nonzero(silent):
            rows = self._all
            self._minute[:] = minute
            self._last_operation, self._last_recipe = operation, recipes
        else:
            rows = np.flatnonzero(~silent)
            self._minute[rows] = minute
            self._last_operation = np.where(silent, self._last_operation, operation)
            self._last_recipe = [last if s else new for last, new, s in zip(self._last_recipe, recipes, silent, strict=True)]
        self._operation_s[rows, operation[rows]] += self._period_s
        withheld = rows[reason[rows] >= 0]
        if len(withheld):
            self._withheld_s[withheld, reason[withheld]] += self._period_s
        if len(self._rows):
            self._count(time, value, recipes, anomalous)
        return told + (self._tell(np.flatnonzero(self._minute == minute)) if time == minute else [])

    def _tell(self, rows: NDArray[np.int64]) -> list[Performance]:
        """Of these assets the minutes that are over."""
        if not len(rows):
            return []
        told = [self._performance(int(self._minute[row]), row) for row in rows.tolist()]
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

    def _operations(self, value: NDArray[np.float64], running: NDArray[np.bool_]) -> tuple[NDArray[np.int64], list[str | None]]:
        """Of all assets what they do, as indices of `_OPERATIONS`, and their recipes; anew only when they say something new."""
        said = self._texts.of(value).tobytes(), running.tobytes()
        if said == self._said:
            return self._meant
        operations: list[Operation] = []
        recipes: list[str | None] = []
        for row, runs_by in enumerate(self._runs_by):
            machine = self._machines.get(row)
            state = machine.text("state", value) if machine else None
            if machine is not None and state is not None:
                operations.append(_named(state, machine.production))
            elif runs_by:
                operations.append(Operation.RUNNING if running[row] else Operation.OFF)
            else:
                operations.append(Operation.UNKNOWN)
            recipes.append(machine.text("recipe", value) if machine else None)
        self._said = said
        self._meant = np.array([_OPERATIONS.index(operation) for operation in operations], np.int64), recipes
        return self._meant

    def _count(
        self, time: int, value: NDArray[np.float64], recipes: Sequence[str | None], anomalous: NDArray[np.bool_]
    ) -> None:
        """What the machines took and made since the instant before."""
        rows = self._rows
        now = self._counters.of(value)
        passed_s = (time - self._before_time[rows]) / 1e9
        steps = now - self._before[rows]
        steps[:, 1] = np.where(self._counts_pieces, steps[:, 1], now[:, 1] * passed_s * self._flow)
        steps[(passed_s <= 0) | (passed_s > LONGEST_STEP_S)] = np.nan
        known = steps >= 0
        steps[~known] = np.nan
        self._before[rows], self._before_time[rows] = now, time
        counted = self._counted[rows]
        self._counted[rows] = np.where(known, np.where(np.isnan(counted), 0.0, counted) + steps, counted)
        for machine, (energy, amount) in zip(self._machines.values(), steps.tolist(), strict=True):
            lot = machine.lots.step(time, recipes[machine.row], energy, amount, healthy=not anomalous[machine.row])
            if lot is not None:
                product = machine.production.product or ""
                unit, recipe = machine.unit("energy"), recipes[machine.row]
                machine.newest = specific_energy(lot, recipe, unit, product, self._product_unit(machine))

    def _product_unit(self, machine: _Machine) -> str:
        unit = machine.unit("product")
        return unit.removesuffix(machine.flow_time) if machine.is_flow else unit

    def _performance(self, time: int, row: int) -> Performance:
        seconds = dict(zip(_OPERATIONS, self._operation_s[row].tolist(), strict=True))
        known_s = sum(seconds.values()) - seconds[Operation.UNKNOWN]
        told = Performance(
            asset=self._assets[row],
            time=time,
            period_s=PERIOD_S,
            operation=_OPERATIONS[self._last_operation[row]],
            recipe=self._last_recipe[row],
            operation_s={operation: s for operation, s in seconds.items() if s},
            withheld_s={reason: s for reason, s in zip(Reason, self._withheld_s[row].tolist(), strict=True) if s},
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
        self._before[:], self._before_time[:], self._said = state["before"], state["before_time"], None
        for row, machine in self._machines.items():
            if text := str(state["lots"][row]):
                machine.lots = EnergyLots.of_text(text, stepwise=not machine.is_flow)


def _columns(machines: Iterable[_Machine], *roles: str) -> NDArray[np.int64]:
    """(n_machines, n_roles) the columns of these roles, -1 where a machine has none."""
    found = [[machine.columns.get(role, -1) for role in roles] for machine in machines]
    return np.array(found, np.int64).reshape(-1, len(roles))


class _Cells:
    """Some cells of values (n_assets, n_signals): of each of these rows those in these columns, (n_rows, k), -1 for none."""

    def __init__(self, rows: NDArray[np.int64], columns: NDArray[np.int64], n_signals: int) -> None:
        self._places, self._none = rows[:, None] * n_signals + np.maximum(columns, 0), columns < 0
        self._has_none = bool(self._none.any())

    def of(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Their values, NaN where the column is -1."""
        found: NDArray[np.float64] = value.take(self._places)
        if self._has_none:
            found[self._none] = np.nan
        return found


def _named(said: str, production: Production) -> Operation:
    for operation, names in production.states.items():
        if said in names:
            return Operation(operation)
    return USUAL_NAMES.get(said.lower(), Operation.UNKNOWN)
