"""The blocks of ISO 13374 in order, for one group of assets: every array has one row for each asset."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.advisory_generation.alarm_list import AlarmList
from edge.advisory_generation.case_list import CaseList
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment, Diagnosis, ModelIdentity
from edge.contracts.assessment_table import AssessmentTable
from edge.contracts.case import Case
from edge.contracts.performance import Performance
from edge.contracts.plant import Plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import TextTable
from edge.contracts.spectrum import WaveformSpectrum
from edge.data_manipulation.grid import NEVER, Grid, GridRow
from edge.data_manipulation.waveform_hold import WaveformHold
from edge.data_manipulation.window import Window
from edge.group_alarms import GroupAlarms
from edge.group_diagnosis import Diagnoses, GroupDiagnosis, describe_block
from edge.groups import Group
from edge.knowledge import ClassKnowledge
from edge.pipeline_state import LAYOUT, TEXTS, Arrays, Layout, fingerprint, renumbered, texts_as_array
from edge.production_assessment.production import ProductionTrend
from edge.state_detection.detector import REASONS, SCORED, Detection, Detector, NewestBlocks, Observation, undetected
from edge.state_detection.onnx_model import OnnxModel
from edge.state_detection.shadow import Shadow
from edge.state_detection.watch import Watch

# without a model, the length of the window: so long may an asset be silent before nothing more is said of it
UNSCORED_SAMPLES: Final = 10
# spectra are told so often, and with each alarm [ns]
SPECTRUM_NS: Final = 60 * 1_000_000_000


class Results:
    """What one `advance` gave, in the order it came about. Spectra are for showing, and are not kept.

    tables: the assessments of each group and instant as columns, which costs little; `assessments` makes objects of them
    """

    def __init__(
        self,
        *,
        assessments: Iterable[Assessment] = (),
        alarms: Iterable[Alarm] = (),
        cases: Iterable[Case] = (),
        performances: Iterable[Performance] = (),
    ) -> None:
        self.tables: list[AssessmentTable] = []
        self.alarms, self.cases, self.performances = list(alarms), list(cases), list(performances)
        self.spectra: list[WaveformSpectrum] = []
        self._objects, self._made = list(assessments), 0

    @property
    def assessments(self) -> list[Assessment]:
        """One by one."""
        for table in self.tables[self._made :]:
            self._objects.extend(table)
        self._made = len(self.tables)
        return self._objects

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Results) and self._all() == other._all()

    def _all(self) -> tuple[Sequence[object], ...]:
        return self.assessments, self.alarms, self.cases, self.performances, self.spectra

    __hash__ = None  # type: ignore[assignment]  # it grows


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBlocks:
    """What all groups of a pipeline share.

    texts: by asset and signal the tables in whose numbers texts come; knowledge: by class what is known of faults
    clock: processor seconds by which models are watched; None: they are not (a replay)
    """

    alarms: AlarmList
    cases: CaseList
    account: SampleAccount
    texts: Mapping[tuple[str, str], TextTable]
    knowledge: Mapping[str, ClassKnowledge]
    clock: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One instant of a group with its scores, before anything is said of it. running: (n_assets,)"""

    row: GridRow
    running: NDArray[np.bool_]
    detection: Detection
    found: Diagnoses


class GroupPipeline:
    """The blocks of one group."""

    def __init__(
        self, plant: Plant, group: Group, model: OnnxModel | None, site: SiteBlocks, unscored_samples: int = UNSCORED_SAMPLES
    ) -> None:
        self.group, self._site, self._unscored_samples = group, site, unscored_samples
        n_assets, n_signals = group.shape
        n_samples = model.spec.n_samples if model else unscored_samples
        knowledge = site.knowledge[group.settings[0].asset_class]
        self.grid = Grid(group, site.account, silence_ns=n_samples * group.period_ns)
        self.window = Window(n_assets, n_samples, n_signals)
        self.waveforms = _waveforms(plant, group, site.account)
        self.detector = self._detector(model)
        self.shadow: Shadow | None = None
        self.diagnosis = GroupDiagnosis(group, knowledge)
        self._explain()
        self.production = ProductionTrend(group.assets, group.settings, group.names, site.texts, group.period_ns / 1e9)
        self.alarms = GroupAlarms(group, site.alarms, site.cases, knowledge)
        self.reached = self._silent_until = NEVER
        self._running_signal, self._running_above = _running(group)
        self._running_cell = np.arange(n_assets) * n_signals + np.maximum(self._running_signal, 0)
        self._always_runs = self._running_signal < 0
        self._measured_columns = np.flatnonzero(group.is_number.any(axis=0))
        self._measured_names = tuple(group.names[column] for column in self._measured_columns)
        # which asset has which of them: as a rule all have all
        has = group.is_number[:, self._measured_columns]
        self._measured = None if has.all() else has
        self._spectrum_told = np.full(n_assets, NEVER, np.int64)
        self._layout_of: tuple[tuple[str, int] | None, NDArray[np.generic]] = None, np.empty(0)

    def serve(self, model: OnnxModel | None, shadow: OnnxModel | None) -> None:
        """From the next instant on `model` scores, and `shadow` beside it. What the windows hold stays."""
        # without any the window stays as it is: the next one finds it full
        n_samples = max((each.spec.n_samples for each in (model, shadow) if each is not None), default=self.window.n_samples)
        if n_samples != self.window.n_samples:
            self.window = self.window.resized(n_samples)
        if model is not (self.detector.model if self.detector else None):
            if self.shadow is not None and self.shadow.detector.model is model:
                # it goes on with what it has found so far
                self.detector = self.shadow.detector
            else:
                self.detector = self._detector(model)
            self._explain()
            # a shadow has no say in this either
            self.grid.silent_after((model.spec.n_samples if model else self._unscored_samples) * self.group.period_ns)
            if self.shadow is not None:
                self.shadow.begin_anew()
        if shadow is None:
            self.shadow = None
        elif self.shadow is None or self.shadow.detector.model is not shadow:
            detector = self._detector(shadow)
            assert detector is not None  # noqa: S101  # there is a model
            self.shadow = Shadow(detector)

    def advance(self, to: int, results: Results) -> None:
        for row in self.grid.advance(to):
            if (scored := self.score(row)) is not None:
                self.tell(scored, results)

    def go_on_after(self, reached: int) -> None:
        """Say nothing again of the instants up to `reached`: they were assessed before the restart."""
        self.reached = self._silent_until = reached

    def _detector(self, model: OnnxModel | None) -> Detector | None:
        if model is None:
            return None
        site, period_s = self._site, self.group.period_ns / 1e9
        texts = [
            {name: site.texts[asset, name] for name in settings.context}
            for asset, settings in zip(self.group.assets, self.group.settings, strict=True)
        ]
        return Detector(model, self.group.names, texts, Watch(period_s, site.clock) if site.clock else None)

    def _explain(self) -> None:
        watch = self.detector.watch if self.detector else None
        self.diagnosis.serve(self.detector.model if self.detector else None, watch.deadline_s if watch else None)

    def score(self, row: GridRow) -> Scored | None:
        """One instant: windows, the model, and what its scores mean. None where it was assessed before a restart."""
        running = self.running(row.value)
        # what the window held before a silence or a standstill says nothing of what comes after it
        self.window.restart(row.silent if not row.skipped else np.ones(len(running), np.bool_))
        self.window.append(row.value)
        self.window.restart(~running)
        if row.time <= self._silent_until:
            return None
        self.reached = row.time
        for hold in self.waveforms.values():
            self.diagnosis.listen(row, hold, hold.advance(row.time), running)
        detection = self._detect(row, running)
        spec = self.detector.model.spec if self.detector else None
        found = self.diagnosis.update(row, running, detection, spec)
        return Scored(row=row, running=running, detection=detection, found=found)

    def tell(self, scored: Scored, results: Results) -> None:
        """What there is to say of it: assessments, production, alarms, cases and spectra."""
        row, running, detection, found = scored.row, scored.running, scored.detection, scored.found
        table = self._assessments(row, detection, found)
        results.tables.append(table)
        anomalous = detection.score >= 1.0
        results.performances.extend(
            self.production.advance(row.time, row.value, running, detection.reason, anomalous, row.silent)
        )
        excessive = self.production.excessive
        alarms = self.alarms.update(
            row.time, detection.score, detection.anomalous, row.value, excessive, running, table, self.production.newest
        )
        results.alarms.extend(alarms)
        results.cases.extend(
            self.alarms.follow(row.time, table, lambda asset: found.by_fault(asset) if anomalous[asset] else {})
        )
        if self.waveforms:
            results.spectra.extend(self._spectra(row, {alarm.asset for alarm in alarms}))

    def _detect(self, row: GridRow, running: NDArray[np.bool_]) -> Detection:
        if self.detector is None and self.shadow is None:
            return undetected(len(running))
        seen = Observation(
            window=self.window.view,
            value=row.value,
            bad=row.bad,
            stale=row.stale,
            running=running,
            filled=self.window.filled,
            waveforms={
                name: NewestBlocks(points=hold.points, missing=hold.missing, stale=hold.stale(row.time))
                for (name, _), hold in self.waveforms.items()
            },
        )
        detection = self.detector.detect(seen) if self.detector else undetected(len(running))
        if self.shadow is not None:
            self.shadow.compare(seen, detection)
        return detection

    def running(self, value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n_assets,) whether each asset runs; where that cannot be told it is taken to run, and its signal is stale."""
        level = value.take(self._running_cell)
        return self._always_runs | np.isnan(level) | (level > self._running_above)

    def _assessments(self, row: GridRow, detection: Detection, found: Diagnoses) -> AssessmentTable:
        """What is said of the assets at this instant; nothing of those that have been silent for long."""
        spec = self.detector.model.spec if self.detector else None
        outputs = detection.outputs if spec else {}
        reasons = detection.reason
        scored = reasons == SCORED
        # without an anomaly there is nothing to name, whatever it is like
        nameable = scored if found.by is Diagnosis.MODEL else scored & (detection.score >= 1.0)
        faults = {asset: found.fault(asset) for asset in np.flatnonzero(nameable).tolist()} if found.faults else {}
        return AssessmentTable(
            assets=self.group.assets,
            told=np.flatnonzero(~row.silent).tolist(),
            time=row.time,
            reasons=[None if number == SCORED else REASONS[number] for number in reasons.tolist()],
            anomalous=detection.anomalous.tolist(),
            score=detection.score,
            coverage=detection.coverage,
            health=found.health,
            signals=self._measured_names,
            measured=row.value[:, self._measured_columns].astype(np.float32),
            has=self._measured,
            # contributions may go on with the waveforms
            sources=(*(signal.name for signal in spec.signals), *(wave.name for wave in spec.waveforms)) if spec else (),
            contribution=outputs.get("contribution"),
            expected=outputs.get("expected"),
            known=outputs.get("known"),
            zones=found.all_zones,
            vibration_zones=found.zones,
            faults={asset: fault for asset, fault in faults.items() if fault is not None},
            lives={asset: life for asset, life in enumerate(found.lives) if life is not None},
            model=ModelIdentity(name=spec.name, version=spec.version) if spec else None,
        )

    def _spectra(self, row: GridRow, alarmed: set[str]) -> list[WaveformSpectrum]:
        told = []
        due = row.time - self._spectrum_told >= SPECTRUM_NS
        due |= [name in alarmed for name in self.group.assets] if alarmed else False
        for asset in np.flatnonzero(due).tolist():
            for (waveform, _), hold in self.waveforms.items():
                if hold.is_there(asset) and not hold.stale(row.time)[asset]:
                    shaft_hz = self.diagnosis.shaft_hz(row, asset)
                    told.append(describe_block(self.group, asset, waveform, hold, shaft_hz))
                    self._spectrum_told[asset] = row.time
        return told

    def rewind(self) -> None:
        self.reached = self._silent_until = NEVER
        self.grid.rewind()
        self.diagnosis.rewind()
        self.production.rewind()
        self._spectrum_told[:] = NEVER
        for hold in self.waveforms.values():
            hold.rewind()
        self.window.restart(np.ones(len(self.group.assets), np.bool_))

    def state(self) -> Arrays:
        arrays = {f"{name}/{key}": array for name, block in self._stateful().items() for key, array in block.state().items()}
        kind = self._model_identity, self.window.n_samples
        if kind != self._layout_of[0]:
            # of a thousand assets it is a megabyte, and the same for as long as the model is
            self._layout_of = kind, self.layout.as_array()
        return {LAYOUT: self._layout_of[1], TEXTS: texts_as_array(self.group, self._site.texts), **arrays}

    @property
    def _model_identity(self) -> str:
        spec = self.detector.model.spec if self.detector else None
        return f"{spec.name} {spec.version}" if spec else ""

    @property
    def layout(self) -> Layout:
        """What the rows and columns of the state stand for."""
        return Layout(
            assets=self.group.assets,
            settings=tuple(map(fingerprint, self.group.settings)),
            signals=self.group.names,
            numbers=tuple(map(tuple, self.group.signal.tolist())),
            rules=tuple(rule.name for rule in self.alarms.rules.rules),
            model=self._model_identity,
            n_samples=self.window.n_samples,
        )

    def restore(self, state: Arrays) -> None:
        state = renumbered(state, self.group, self._site.texts)
        for name, block in self._stateful().items():
            block.restore({key.removeprefix(f"{name}/"): a for key, a in state.items() if key.startswith(f"{name}/")})

    def _stateful(self) -> Mapping[str, "Grid | Window | Detector | GroupAlarms | ProductionTrend"]:
        blocks = {
            "grid": self.grid,
            "window": self.window,
            "conditions": self.alarms,
            "production": self.production,
            **self.diagnosis.blocks(),
        }
        return blocks | ({"detector": self.detector} if self.detector else {})  # type: ignore[return-value]


def _waveforms(plant: Plant, group: Group, account: SampleAccount) -> dict[tuple[str, int], WaveformHold]:
    """By name and number of points, the fast signals of the group's assets."""
    kinds: dict[tuple[str, int], dict[int, int]] = {}
    for entry in plant.waveform_table:
        if entry.asset in group.assets:
            rows = kinds.setdefault((entry.name, entry.signal.points), {})
            rows[entry.index] = group.assets.index(entry.asset)
    holds = {}
    for (name, points), rows in kinds.items():
        # assets that have no such signal never get a block
        every_s, rate_hz = np.full(len(group.assets), 1.0), np.full(len(group.assets), 1.0)
        for asset in rows.values():
            every_s[asset] = group.settings[asset].waveforms[name].every_s
            rate_hz[asset] = group.settings[asset].waveforms[name].rate_hz
        holds[name, points] = WaveformHold(rows, points, every_s, rate_hz, account)
    return holds


def _running(group: Group) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each asset the column of the signal that tells whether it runs, -1 where none does, and its threshold."""
    settings = [asset.running for asset in group.settings]
    signal = np.array([group.column(running.signal) if running else -1 for running in settings], np.int64)
    above = np.array([running.above if running else np.nan for running in settings], np.float64)
    return signal, above
