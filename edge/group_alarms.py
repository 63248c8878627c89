"""From what was found of a group to alarms and cases: conditions, the alarm list, and what is said of them."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.advisory_generation.alarm_list import AlarmList
from edge.advisory_generation.case_list import CaseList
from edge.advisory_generation.conditions import Change, Conditions
from edge.advisory_generation.rules import ANOMALY, ENERGY, RuleTable, rule_table
from edge.advisory_generation.wording import anomaly_text, energy_text, guilty_signals, limit_text, measured_text
from edge.contracts.alarm import Alarm, BilingualText, Evidence, Suppression
from edge.contracts.assessment import Assessment
from edge.contracts.assessment_table import AssessmentTable
from edge.contracts.case import Case
from edge.contracts.performance import SpecificEnergy
from edge.groups import Group
from edge.knowledge import ClassKnowledge

Floats = NDArray[np.float64]


class GroupAlarms:
    """The alarm rules of one group. `alarms` and `cases` are those of the whole edge."""

    def __init__(self, group: Group, alarms: AlarmList, cases: CaseList, knowledge: ClassKnowledge) -> None:
        self.group, self._alarms, self._cases, self._knowledge = group, alarms, cases, knowledge
        self.rules: RuleTable = rule_table(group)
        self.conditions = Conditions(self.rules)
        self._limit_columns = [group.column(rule.signal) for rule in self.rules.rules if rule.signal is not None]
        self._off = np.zeros(len(group.assets), np.bool_)
        # after a start alarms and what was switched off may be of different moments: the first instant settles it
        self._is_first = True
        alarms.place = cases.place

    def update(
        self,
        time: int,
        score: NDArray[np.float32],
        confirmed: NDArray[np.bool_],
        value: Floats,
        excessive: Floats,
        running: NDArray[np.bool_],
        assessments: AssessmentTable,
        lot: Callable[[int], SpecificEnergy | None],
    ) -> list[Alarm]:
        """The alarms that one instant has changed.

        confirmed: (n_assets,) the anomaly has lasted for the model's persistence; excessive: 1 where too much energy is used
        lot: of an asset the newest one, by what there is to say of its energy
        """
        changed = self._suppressed(time, running)
        level = np.column_stack([score.astype(np.float64), excessive, value[:, self._limit_columns]])
        # a machine that stands is not judged by limits that are meant for one that runs
        level[~running] = np.nan
        for change in self.conditions.update(time, level, confirmed):
            assessment = assessments.of(change.asset) if change.asset in assessments.told else None
            newest = lot(change.asset) if assessment is not None else None
            if (alarm := self._alarm(time, change, assessment, level, newest)) is not None:
                changed.append(alarm)
                self._cases.take(time, [alarm])
        return changed

    def follow(self, time: int, assessments: AssessmentTable, by_fault: Callable[[int], dict[str, float]]) -> list[Case]:
        """The cases of the group's assets of which there is something to tell.

        by_fault: of an asset with a case the probabilities of the fault modes
        """
        told = []
        there = self._cases.assets
        for asset in assessments.told if there else ():
            if assessments.assets[asset] not in there:
                continue
            assessment = assessments.of(asset)
            facts = partial(self._facts, asset, assessment)
            case = self._cases.follow(time, assessment, by_fault(asset), self._knowledge, facts)
            if case is not None:
                told.append(case)
        return told

    def _facts(self, asset: int, assessment: Assessment) -> BilingualText:
        """What was measured, in words."""
        settings = self.group.settings[asset]
        # where no score says so, those that its alarms rest on
        known = settings.signals.keys() | settings.waveforms.keys()
        signals = guilty_signals(assessment.contribution) or tuple(
            name for name in self._cases.signals(assessment.asset) if name in known
        )
        return measured_text(settings, signals, assessment.measured, assessment.expected)

    def can_alarm(self, asset: str, rule: str) -> bool:
        column = next((number for number, each in enumerate(self.rules.rules) if each.name == rule), None)
        if asset not in self.group.assets or column is None:
            return False
        return not np.isnan(self.rules.limit[self.group.assets.index(asset), column])

    def _suppressed(self, time: int, running: NDArray[np.bool_]) -> list[Alarm]:
        """Alarms of machines that were switched off, or on again."""
        changed: list[Alarm] = []
        switched = (running == self._off) | self._is_first
        for asset in np.flatnonzero(switched & ~running).tolist():
            changed += self._alarms.suppress(time, self.group.assets[asset])
        for asset in np.flatnonzero(switched & running).tolist():
            changed += self._alarms.unsuppress(time, self.group.assets[asset], Suppression.MACHINE_OFF)
        self._off, self._is_first = ~running, False
        self._cases.take(time, changed)
        return changed

    def _alarm(
        self, time: int, change: Change, assessment: Assessment | None, level: Floats, lot: SpecificEnergy | None
    ) -> Alarm | None:
        asset_id, settings = self.group.assets[change.asset], self.group.settings[change.asset]
        rule = self.rules.rules[change.rule]
        if not change.begun:
            return self._alarms.end(time, asset=asset_id, rule=rule.name)
        measured = assessment.measured if assessment else {}
        if rule.name == ANOMALY:
            signals = guilty_signals(assessment.contribution if assessment else None)
            text = anomaly_text(asset_id, settings, signals, measured, assessment.expected if assessment else None)
            evidence = Evidence(score=assessment.score if assessment else None, signals=signals)
        elif rule.name == ENERGY:
            text = energy_text(asset_id, settings, lot)
            energy = settings.production.energy if settings.production else None
            evidence = Evidence(signals=(energy,) if energy else ())
        else:
            limit = float(self.rules.limit[change.asset, change.rule])
            text = limit_text(asset_id, settings, rule, float(level[change.asset, change.rule]), limit)
            evidence = Evidence(signals=(rule.signal,) if rule.signal else ())
        case_id, first = self._cases.place(time, asset_id)
        return self._alarms.begin(
            time,
            asset=asset_id,
            rule=rule.name,
            priority=rule.priority or settings.alarm.priority,
            text=text,
            evidence=evidence,
            case_id=case_id,
            first_out=first,
        )

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {**self.conditions.state(), "off": self._off}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on; which conditions hold the alarm list knows best, as it is kept with every change."""
        self._off, self._is_first = state["off"].astype(np.bool_), True
        rules = [rule.name for rule in self.rules.rules]
        holds = np.array([[self._alarms.holds(asset, rule) for rule in rules] for asset in self.group.assets])
        self.conditions.restore({name: array for name, array in state.items() if name != "off"} | {"holds": holds})
