"""The blocks of ISO 13374 in order, for one group of assets: every array has one row for each asset."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.advisory_generation.alarm_list import AlarmList
from edge.advisory_generation.conditions import Change, Conditions
from edge.advisory_generation.rules import ANOMALY, RuleTable, rule_table
from edge.advisory_generation.wording import anomaly_text, guilty_signals, limit_text
from edge.contracts.alarm import Alarm, Evidence
from edge.contracts.assessment import Assessment, FaultMode, ModelIdentity, RemainingLife, State
from edge.contracts.plant import Plant
from edge.contracts.sample_account import SampleAccount
from edge.data_manipulation.grid import NEVER, Grid, GridRow
from edge.data_manipulation.waveform_hold import WaveformHold
from edge.data_manipulation.window import Window
from edge.groups import Group
from edge.health_assessment.health import HealthTrend, zone
from edge.pipeline_state import LAYOUT, Arrays, Layout, fingerprint
from edge.prognostic_assessment.degradation import DegradationTrend
from edge.prognostic_assessment.remaining_life import remaining_lives
from edge.state_detection.detector import REASONS, SCORED, Detection, Detector, Observation, undetected
from edge.state_detection.onnx_model import OnnxModel

# without a model, the length of the window: so long may an asset be silent before nothing more is said of it
UNSCORED_SAMPLES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one `advance` gave, in the order it came about."""

    assessments: list[Assessment] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)


class GroupPipeline:
    """The blocks of one group. `account`: what becomes of the samples."""

    def __init__(
        self,
        plant: Plant,
        group: Group,
        model: OnnxModel | None,
        alarms: AlarmList,
        account: SampleAccount,
        unscored_samples: int = UNSCORED_SAMPLES,
    ) -> None:
        self.group = group
        n_assets, n_signals = group.shape
        n_samples = model.spec.n_samples if model else unscored_samples
        self.grid = Grid(group, account, silence_ns=n_samples * group.period_ns)
        self.window = Window(n_assets, n_samples, n_signals)
        self.detector = Detector(model, group.names, n_assets) if model else None
        self.waveforms = _waveforms(plant, group, model, account)
        spec = model.spec if model else None
        self._sources = [*(each.name for each in spec.signals), *(each.name for each in spec.waveforms)] if spec else []
        self.health = HealthTrend(n_assets, group.period_ns / 1e9)
        self.degradation = DegradationTrend(n_assets)
        self.rules: RuleTable = rule_table(group)
        self.conditions = Conditions(self.rules)
        self.alarms = alarms
        self.reached = self._silent_until = NEVER
        self._running_signal, self._running_above = _running(group)
        self._limit_columns = [group.column(rule.signal) for rule in self.rules.rules if rule.signal is not None]

    def advance(self, to: int, results: Results) -> None:
        for row in self.grid.advance(to):
            self._assess(row, results)

    def go_on_after(self, reached: int) -> None:
        """Say nothing again of the instants up to `reached`: they were assessed before the restart."""
        self.reached = self._silent_until = reached

    def _assess(self, row: GridRow, results: Results) -> None:
        running = self.running(row.value)
        # what the window held before a silence or a standstill says nothing of what comes after it
        self.window.restart(row.silent | np.full(len(running), row.skipped > 0))
        self.window.append(row.value)
        self.window.restart(~running)
        if row.time <= self._silent_until:
            return
        self.reached = row.time
        for hold in self.waveforms.values():
            hold.advance(row.time)
        if self.detector is None:
            detection = undetected(len(running))
        else:
            detection = self.detector.detect(
                Observation(
                    window=self.window.view,
                    value=row.value,
                    bad=row.bad,
                    stale=row.stale,
                    running=running,
                    filled=self.window.filled,
                    waveforms={name: hold.points for name, hold in self.waveforms.items()},
                    no_waveform=_any(hold.missing for hold in self.waveforms.values()),
                    old_waveform=_any(hold.stale(row.time) for hold in self.waveforms.values()),
                )
            )
        health = self.health.update(detection.score)
        # a model that knows the machine's life knows more than the trend of its score
        by_trend = self.degradation.update(row.time, detection.score).astype(np.float32)
        lives = remaining_lives(detection.outputs.get("rul_h", by_trend))
        spoken = np.flatnonzero(~row.silent)
        assessments = {int(asset): self._assessment(row, detection, health, lives[asset], int(asset)) for asset in spoken}
        results.assessments.extend(assessments.values())
        level = np.column_stack([detection.score.astype(np.float64), row.value[:, self._limit_columns]])
        for change in self.conditions.update(row.time, level, detection.anomalous):
            if (alarm := self._alarm(row.time, change, assessments.get(change.asset), level)) is not None:
                results.alarms.append(alarm)

    def running(self, value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n_assets,) whether each asset runs; where that cannot be told it is taken to run, and its signal is stale."""
        watched = self._running_signal >= 0
        level = value[np.arange(len(value)), np.maximum(self._running_signal, 0)]
        return ~watched | np.isnan(level) | (level > self._running_above)

    def _assessment(
        self, row: GridRow, detection: Detection, health: NDArray[np.float32], life: RemainingLife | None, asset: int
    ) -> Assessment:
        names, present = self.group.names, self.group.is_number[asset]
        value = row.value[asset].astype(np.float32)
        measured = {
            name: (number if np.isfinite(number) else None)
            for name, number, there in zip(names, value, present, strict=True)
            if there
        }
        scored = detection.reason[asset] == SCORED
        known_health = bool(np.isfinite(health[asset]))
        outputs = detection.outputs if scored else {}
        model = self.detector.model.spec if self.detector else None
        state = State.ANOMALOUS if detection.anomalous[asset] else State.NORMAL
        return Assessment(
            asset=self.group.assets[asset],
            time=row.time,
            state=state if scored else State.WITHHELD,
            reason=None if scored else REASONS[detection.reason[asset]],
            score=detection.score[asset] if scored else None,
            contribution=self._by_signal(outputs.get("contribution"), asset),
            measured=measured,
            expected=self._by_signal(outputs.get("expected"), asset),
            known=outputs["known"][asset] if "known" in outputs else None,
            coverage=detection.coverage[asset],
            health=health[asset] if known_health else None,
            zone=zone(float(health[asset])) if known_health else None,
            fault=self._fault(outputs.get("fault_probability"), asset),
            rul_h=life if scored else None,
            model=ModelIdentity(name=model.name, version=model.version) if model else None,
        )

    def _by_signal(self, values: NDArray[np.float32] | None, asset: int) -> dict[str, float] | None:
        if values is None:
            return None
        # contributions may go on with the waveforms
        return dict(zip(self._sources, values[asset], strict=False))

    def _fault(self, probability: NDArray[np.float32] | None, asset: int) -> FaultMode | None:
        if probability is None or self.detector is None:
            return None
        likeliest = int(np.argmax(probability[asset]))
        # what the probabilities leave to 1 is that of no fault
        if probability[asset, likeliest] <= 1.0 - probability[asset].sum():
            return None
        return FaultMode(name=self.detector.model.spec.faults[likeliest], probability=probability[asset, likeliest])

    def _alarm(self, time: int, change: Change, assessment: Assessment | None, level: NDArray[np.float64]) -> Alarm | None:
        asset_id, settings = self.group.assets[change.asset], self.group.settings[change.asset]
        rule = self.rules.rules[change.rule]
        if not change.begun:
            return self.alarms.end(time, asset=asset_id, rule=rule.name)
        measured = assessment.measured if assessment else {}
        if rule.name == ANOMALY:
            signals = guilty_signals(assessment.contribution if assessment else None)
            text = anomaly_text(asset_id, settings, signals, measured, assessment.expected if assessment else None)
            evidence = Evidence(score=assessment.score if assessment else None, signals=signals)
        else:
            limit = float(self.rules.limit[change.asset, change.rule])
            text = limit_text(asset_id, settings, rule, float(level[change.asset, change.rule]), limit)
            evidence = Evidence(signals=(rule.signal,) if rule.signal else ())
        priority = rule.priority or settings.alarm.priority
        return self.alarms.begin(time, asset=asset_id, rule=rule.name, priority=priority, text=text, evidence=evidence)

    def can_alarm(self, asset: str, rule: str) -> bool:
        column = next((number for number, each in enumerate(self.rules.rules) if each.name == rule), None)
        if asset not in self.group.assets or column is None:
            return False
        return not np.isnan(self.rules.limit[self.group.assets.index(asset), column])

    def rewind(self) -> None:
        self.reached = self._silent_until = NEVER
        self.grid.rewind()
        self.degradation.rewind()
        for hold in self.waveforms.values():
            hold.rewind()
        self.window.restart(np.ones(len(self.group.assets), np.bool_))

    def _stateful(self) -> dict[str, "Grid | Window | Detector | HealthTrend | DegradationTrend | Conditions"]:
        blocks: dict[str, Grid | Window | Detector | HealthTrend | DegradationTrend | Conditions] = {
            "grid": self.grid,
            "window": self.window,
            "health": self.health,
            "degradation": self.degradation,
            "conditions": self.conditions,
        }
        return blocks | ({"detector": self.detector} if self.detector else {})

    def state(self) -> Arrays:
        blocks = self._stateful().items()
        arrays = {f"{name}/{key}": array for name, block in blocks for key, array in block.state().items()}
        return {LAYOUT: self.layout.as_array(), **arrays}

    @property
    def layout(self) -> Layout:
        """What the rows and columns of the state stand for."""
        spec = self.detector.model.spec if self.detector else None
        return Layout(
            assets=self.group.assets,
            settings=tuple(map(fingerprint, self.group.settings)),
            signals=self.group.names,
            numbers=tuple(map(tuple, self.group.signal.tolist())),
            rules=tuple(rule.name for rule in self.rules.rules),
            model=f"{spec.name} {spec.version} {spec.n_samples}" if spec else "",
        )

    def restore(self, state: Arrays) -> None:
        for name, block in self._stateful().items():
            block.restore({key.removeprefix(f"{name}/"): a for key, a in state.items() if key.startswith(f"{name}/")})


def _waveforms(plant: Plant, group: Group, model: OnnxModel | None, account: SampleAccount) -> dict[str, WaveformHold]:
    """By name, what the model takes of fast signals."""
    holds = {}
    for wave in model.spec.waveforms if model else ():
        rows = {
            entry.index: group.assets.index(entry.asset)
            for entry in plant.waveform_table
            if entry.name == wave.name and entry.asset in group.assets
        }
        every_s = np.array([asset.waveforms[wave.name].every_s for asset in group.settings])
        holds[wave.name] = WaveformHold(rows, wave.n_points, every_s, account)
    return holds


def _any(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_] | None:
    """Where one of the masks is set; None where there are none."""
    found: NDArray[np.bool_] | None = None
    for mask in masks:
        found = mask if found is None else found | mask
    return found


def _running(group: Group) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each asset the column of the signal that tells whether it runs, -1 where none does, and its threshold."""
    settings = [asset.running for asset in group.settings]
    signal = np.array([group.column(running.signal) if running else -1 for running in settings], np.int64)
    above = np.array([running.above if running else np.nan for running in settings], np.float64)
    return signal, above
