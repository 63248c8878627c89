"""The blocks of ISO 13374 in order: nothing else composes them.

Synchronous, without sockets and without a clock of its own: it is fed sample batches and `advance` events, live by
the service and in evaluation by a replay, and gives the same results for both.

    models, problems = load_models(plant, folder)
    pipeline = Pipeline(plant, models)
    pipeline.feed(batch)
    results = pipeline.advance(to)
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.advisory_generation.alarm_list import AlarmList, CommandRefused
from edge.advisory_generation.case_list import CaseList
from edge.contracts.alarm import Alarm
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.contracts.sample_account import Fate, SampleAccount
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_manipulation.grid import NEVER, GridRow
from edge.data_manipulation.waveform_hold import INTERVALS as WAVEFORM_INTERVALS
from edge.group_pipeline import GroupPipeline, Results, SiteBlocks
from edge.groups import groups_of
from edge.knowledge import ClassKnowledge, load_knowledge
from edge.pipeline_state import LAYOUT, Arrays, Layout, carried_over
from edge.prognostic_assessment.degradation import GUESSED_FAILURE_SCORE, GUESSED_SPREAD, DegradationTrend
from edge.state_detection.detector import check_fit
from edge.state_detection.onnx_model import OnnxModel
from edge.state_detection.shadow import Comparison

__all__ = [
    "GUESSED_FAILURE_SCORE",
    "GUESSED_SPREAD",
    "WAVEFORM_INTERVALS",
    "DegradationTrend",
    "GridValues",
    "OnnxModel",
    "Pipeline",
    "Results",
    "grid_values",
    "load_models",
    "regular_grid",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridValues:
    """An asset's grid: time (n,) int64 ns UTC, value (n, n_signals) float32 with NaN where missing, names of the columns.

    running: (n,) bool, whether the asset ran; `skipped` (n,) instants left out before this one in a long silence.
    """

    signals: tuple[str, ...]
    time: NDArray[np.int64]
    value: NDArray[np.float32]
    running: NDArray[np.bool_]
    skipped: NDArray[np.int64]


class Pipeline:
    """All blocks over all assets of a plant. `models` are by the name that the plant file gives them.

    knowledge: of faults, by class; None: as it is shipped. clock: processor seconds by which models are watched while they
    serve, None in a replay
    account: what became of every sample
    """

    def __init__(
        self,
        plant: Plant,
        models: Mapping[str, OnnxModel],
        knowledge: Mapping[str, ClassKnowledge] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.plant = plant
        self.alarms = AlarmList(plant.edge.id)
        self.cases = CaseList(plant.edge.id)
        self.account = SampleAccount(plant)
        self._time: int | None = None
        for asset_id, asset in plant.assets.items():
            if (model := models.get(asset.model or "")) is not None:
                check_fit(model.spec, model.path, asset_id, asset)
        # samples of text signals carry numbers of these tables; what conditions a model is numbered as the model does
        self.texts: dict[int, TextTable] = {
            row.index: TextTable(_codes(models.get(plant.assets[row.asset].model or ""), row.name))
            for row in plant.signal_table
            if row.is_text
        }
        tables = {(row.asset, row.name): self.texts[row.index] for row in plant.signal_table if row.is_text}
        site = SiteBlocks(
            alarms=self.alarms,
            cases=self.cases,
            account=self.account,
            texts=tables,
            knowledge=knowledge or load_knowledge(asset.asset_class for asset in plant.assets.values()),
            clock=clock,
        )
        self._groups = [GroupPipeline(plant, group, models.get(group.model or ""), site) for group in groups_of(plant)]

    def serve(self, name: str, model: OnnxModel | None, shadow: OnnxModel | None = None) -> None:
        """From the next instant on `model` scores for the assets whose model has this name, and `shadow` beside it.

        Windows, health and alarms go on. Raises `ModelError` where one of them does not fit an asset.
        """
        groups = [group for group in self._groups if group.group.model == name]
        for each in filter(None, (model, shadow)):
            for asset in (asset for group in groups for asset in group.group.assets):
                check_fit(each.spec, each.path, asset, self.plant.assets[asset])
        for group in groups:
            group.serve(model, shadow)

    def compared(self, name: str) -> Comparison:
        """How the shadow of this name has come out so far."""
        found = Comparison()
        for group in self._groups:
            if group.group.model == name and group.shadow is not None:
                found = found.plus(group.shadow.comparison)
        return found

    def verdicts(self) -> dict[tuple[str, bool], str]:
        """By name, and whether it is the shadow, models that are to be taken out of service, and why."""
        found = {}
        for group in self._groups:
            shadow = group.shadow.detector if group.shadow else None
            for detector, is_shadow in ((group.detector, False), (shadow, True)):
                if detector is not None and detector.watch is not None and detector.watch.verdict is not None:
                    found[group.group.model or "", is_shadow] = detector.watch.verdict
        return found

    def feed(self, batch: SampleBatch) -> None:
        """Take samples, in any order within the allowed lateness."""
        for group in self._groups:
            group.grid.feed(batch)

    def feed_waveform(self, block: WaveformBlock) -> None:
        """Take a block of a fast signal."""
        for group in self._groups:
            for hold in group.waveforms.values():
                hold.feed(block)

    def advance(self, to: int) -> Results:
        """The sources' time has reached `to` [ns UTC]: close every instant that is due, and assess it."""
        results = Results()
        self._time = to
        for group in self._groups:
            group.advance(to, results)
        expired = self.alarms.expire(to)
        self.cases.take(to, expired)
        results.alarms.extend(expired)
        return results

    def finish(self) -> Results:
        """Close what is left at the end of a recording: up to the last instant that has samples."""
        results = Results()
        for group in self._groups:
            group.advance(group.grid.end, results)
        return results

    def command(self, verb: AlarmVerb, command: AlarmCommand) -> list[Alarm]:
        """What an operator does to an alarm; nothing when it was so already. Raises `KullagerError` with the reason.

        Alarms live in the plant's time: a command happens when the stream has come, whatever the operator's clock says.
        """
        now = command.time if self._time is None else self._time
        shelved_until = None if command.shelved_until is None else now + command.shelved_until - command.time
        if command.asset is not None and command.asset not in self.plant.assets:
            raise CommandRefused(f"there is no asset '{command.asset}'; possible: {', '.join(self.plant.assets)}")
        if command.asset is not None and command.rule is not None and not self.can_alarm(command.asset, command.rule):
            raise CommandRefused(f"'{command.asset}' has no alarm rule '{command.rule}'")
        changed = self.alarms.command(verb, dataclasses.replace(command, time=now, shelved_until=shelved_until))
        self.cases.take(now, changed)
        return changed

    def can_alarm(self, asset: str, rule: str) -> bool:
        """Whether there is such an asset, and such a rule for it."""
        return any(group.alarms.can_alarm(asset, rule) for group in self._groups)

    def rewind(self) -> None:
        """The sources' clock has gone back: begin anew at the time that comes next. Alarms and health stay."""
        self._time = None
        for group in self._groups:
            group.rewind()

    @property
    def groups(self) -> Sequence[GroupPipeline]:
        """The blocks of each group of assets."""
        return self._groups

    @property
    def reached(self) -> list[int]:
        """For each group the last instant that was assessed [ns UTC]."""
        return [group.reached for group in self._groups]

    @property
    def waiting(self) -> NDArray[np.int64]:
        """Of each line of the account the samples of instants that are not closed yet."""
        waiting: NDArray[np.int64] = np.zeros(len(self.account.received), np.int64)
        for group in self._groups:
            waiting += group.grid.waiting
            for hold in group.waveforms.values():
                waiting += hold.waiting
        return waiting

    @property
    def counts(self) -> Counter[str]:
        """By reason, the samples that no instant could use."""
        totals = {fate.name.lower(): self.account.total(fate) for fate in (Fate.LATE, Fate.DUPLICATE)}
        return +Counter(totals)

    @property
    def problems(self) -> dict[str, str]:
        """By the name that the plant file gives it, why a model gives no scores at present."""
        return {
            group.group.model or "": group.detector.problem
            for group in self._groups
            if group.detector is not None and group.detector.problem is not None
        }

    def state(self) -> Arrays:
        """What a restart needs, as arrays; the alarms are in `alarms`."""
        return {f"{index}/{key}": array for index, group in enumerate(self._groups) for key, array in group.state().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]], reached: Sequence[int]) -> list[str]:
        """Go on where `state` was taken; gives the assets that begin anew, as they or their model are others now.

        What was assessed up to `reached`, by group of the pipeline that the state is of, is not said again. Raises ValueError
        or KeyError where it is no state.
        """
        carried, anew = carried_over(state, self.state(), [group.layout for group in self._groups])
        until = {
            asset: time for index, time in enumerate(reached) for asset in Layout.of_array(state[f"{index}/{LAYOUT}"]).assets
        }
        for index, group in enumerate(self._groups):
            group.restore({key.removeprefix(f"{index}/"): a for key, a in carried.items() if key.startswith(f"{index}/")})
            group.go_on_after(max((until[asset] for asset in group.group.assets if asset in until), default=NEVER))
        return anew


def _codes(model: OnnxModel | None, signal: str) -> tuple[str, ...]:
    contexts = model.spec.context if model is not None else ()
    return next((context.codes for context in contexts if context.name == signal), ())


def fits(model: OnnxModel, plant: Plant, name: str) -> None:
    """Raise `ModelError` where a model does not fit an asset whose model has this name."""
    for asset_id, asset in plant.assets.items():
        if asset.model == name:
            check_fit(model.spec, model.path, asset_id, asset)


def load_models(plant: Plant, folder: Path) -> tuple[dict[str, OnnxModel], dict[str, str]]:
    """The models that the plant file names, from `<folder>/<name>.onnx`; and for those that may not go into service, why."""
    models: dict[str, OnnxModel] = {}
    problems: dict[str, str] = {}
    for name in dict.fromkeys(asset.model for asset in plant.assets.values() if asset.model):
        try:
            model = OnnxModel.load(folder / f"{name}.onnx")
            fits(model, plant, name)
            models[name] = model
        except ModelError as error:
            problems[name] = str(error)
    return models, problems


def regular_grid(
    plant: Plant, asset: str, time: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]], n_samples: int
) -> GridValues:
    """What `grid_values` gives for good samples in order of time, in a few passes over whole columns: months take seconds.

    time: (n_rows,) [ns UTC], growing; values: of some signals (n_rows,), NaN where there is no sample. Raises ValueError for
    an asset that resamples otherwise than by the last value.
    """
    (group,) = groups_of(plant, only=[asset])
    if group.resample.any():
        raise ValueError("only the last value can be taken here")
    there = {name: ~np.isnan(values[name]) for name in group.names if name in values}
    any_there = np.logical_or.reduce(list(there.values()))
    rows = np.flatnonzero(any_there)
    if not len(rows):
        return grid_values(plant, asset, [], n_samples)
    period = group.period_ns
    instants = np.arange(-(-int(time[rows[0]]) // period), -(-int(time[rows[-1]]) // period) + 1) * period
    # the newest row with any sample at each instant, and whether it came since the instant before
    newest = rows[np.searchsorted(time[rows], instants, "right") - 1]
    came = np.diff(newest, prepend=-1) > 0
    silence_ns = max(n_samples * period, int(group.stale_ns.max())) + period
    spoken = came | (time[newest] >= instants - silence_ns)
    skipped = np.diff(np.flatnonzero(np.append(spoken, True)), prepend=-1)[:-1] - 1
    instants, newest = instants[spoken], newest[spoken]
    value = np.full((len(instants), len(group.names)), np.nan, np.float32)
    for column, name in enumerate(group.names):
        if name in there:
            last = np.maximum.accumulate(np.where(there[name], np.arange(len(time)), -1))[newest]
            fresh = (last >= 0) & (time[np.maximum(last, 0)] >= instants - group.stale_ns[0, column])
            value[fresh, column] = values[name][last[fresh]]
    settings, running = group.settings[0].running, np.ones(len(instants), np.bool_)
    if settings is not None:
        level = value[:, group.column(settings.signal)].astype(np.float64)
        running = np.isnan(level) | (level > settings.above)
    return GridValues(signals=group.names, time=instants, value=value, running=running, skipped=skipped)


def grid_values(plant: Plant, asset: str, batches: Iterable[SampleBatch], n_samples: int) -> GridValues:
    """The grid of one asset as the edge makes it for a model with windows of `n_samples`, for training."""
    (group,) = groups_of(plant, only=[asset])
    edge, texts = plant.edge.id, {(row.asset, row.name): TextTable() for row in plant.signal_table if row.is_text}
    knowledge = {group.settings[0].asset_class: ClassKnowledge()}
    site = SiteBlocks(
        alarms=AlarmList(edge), cases=CaseList(edge), account=SampleAccount(plant), texts=texts, knowledge=knowledge
    )
    blocks = GroupPipeline(plant, group, None, site, n_samples)
    rows: list[GridRow] = []
    for batch in batches:
        blocks.grid.feed(batch)
        if len(batch):
            rows += blocks.grid.advance(int(batch.time.max()))
    rows += blocks.grid.advance(blocks.grid.end)
    value = np.concatenate([row.value for row in rows]) if rows else np.empty((0, len(group.names)))
    return GridValues(
        signals=group.names,
        time=np.array([row.time for row in rows], np.int64),
        value=value.astype(np.float32),
        running=np.array([blocks.running(row.value)[0] for row in rows], np.bool_),
        skipped=np.array([row.skipped for row in rows], np.int64),
    )
