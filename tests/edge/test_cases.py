"""Cases: everything that one machine's trouble brought about, and the advice, in words."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edge.advisory_generation.advice import UNKNOWN_ACTION, UNKNOWN_NAME, advise
from edge.advisory_generation.alarm_list import AlarmList
from edge.advisory_generation.case_list import (
    CLEARLY,
    CLOSES_AFTER_MOST_NS,
    CLOSES_AFTER_NS,
    LEAST_INSTANTS,
    REFRESH_NS,
    CaseList,
)
from edge.advisory_generation.rules import Rule
from edge.advisory_generation.wording import anomaly_text, energy_text, guilty_signals, limit_text
from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Evidence, Priority, Suppression
from edge.contracts.assessment import Assessment, Diagnosis, FaultMode, RemainingLife, State
from edge.contracts.case import Case, CaseState
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.performance import SpecificEnergy
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.knowledge import load_knowledge
from edge.pipeline import OnnxModel, Pipeline

S, H = 1_000_000_000, 3_600_000_000_000
START = 1_700_000_000 * S
PUMP = load_knowledge(["pump"])["pump"]
FACTS = BilingualText(sv="vibration 5,1 mm/s (väntat 2 mm/s)", en="vibration 5.1 mm/s (expected 2 mm/s)")
DEMO = load_plant(Path(__file__).parents[2] / "edge/plants/demo.toml")


class Edge:
    """An alarm list and a case list as the pipeline has them together."""

    def __init__(self) -> None:
        self.time = START
        self.alarms, self.cases = AlarmList("edge-1"), CaseList("edge-1")
        self.alarms.place = self.cases.place

    def begin(self, rule: str = "anomaly", asset: str = "pump-1", **about: Any) -> Alarm:
        case_id, first = self.cases.place(self.time, asset)
        about = {
            "priority": Priority.MEDIUM,
            "text": BilingualText(sv="Pumpen avviker", en="The pump deviates"),
            "evidence": Evidence(signals=("vibration",)),
        } | about
        alarm = self.alarms.begin(self.time, asset=asset, rule=rule, case_id=case_id, first_out=first, **about)
        assert alarm is not None
        self.cases.take(self.time, [alarm])
        return alarm

    def end(self, rule: str = "anomaly", asset: str = "pump-1") -> None:
        alarm = self.alarms.end(self.time, asset=asset, rule=rule)
        self.cases.take(self.time, [alarm] if alarm else [])

    def follow(
        self,
        fault: str | None = None,
        by_fault: dict[str, float] | None = None,
        score: float | None = 2.0,
        rul: RemainingLife | None = None,
        asset: str = "pump-1",
        by: Diagnosis = Diagnosis.MODEL,
        facts: BilingualText = FACTS,
    ) -> Case | None:
        given = by_fault if by_fault is not None else ({fault: 0.8} if fault else {})
        named = FaultMode(name=fault, probability=given[fault], by=by) if fault else None
        assessment = Assessment(
            asset=asset,
            time=self.time,
            state=State.ANOMALOUS,
            score=score,
            measured={},
            coverage=1.0,
            health=0.5,
            fault=named,
            rul_h=rul,
        )
        return self.cases.follow(self.time, assessment, given, PUMP, lambda: facts)

    def told(self, *arguments: Any, **about: Any) -> Case:
        case = self.follow(*arguments, **about)
        assert case is not None
        return case


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_one_case_for_all_that_one_machine_does(edge: Edge) -> None:
    first = edge.begin()
    edge.time += 2 * H
    second = edge.begin("limit-alarm-vibration", priority=Priority.CRITICAL, evidence=Evidence(signals=("force", "vibration")))
    other = edge.begin(asset="pump-2", priority=Priority.LOW)
    case = edge.told()
    assert (case.alarms, case.rules) == ((first.alarm_id, second.alarm_id), ("anomaly", "limit-alarm-vibration"))
    assert (case.state, case.opened, case.priority) == (CaseState.OPEN, START, Priority.CRITICAL)
    assert case.signals == ("vibration", "force")
    assert (first.first_out, second.first_out, other.first_out) == (True, False, True)
    assert {first.case_id, second.case_id} == {case.case_id}
    assert other.case_id != case.case_id
    assert (case.limit_reached, case.ahead_h) == (edge.time, 2.0)
    assert (case.worst_score, case.health) == (2.0, 0.5)


def test_a_case_that_the_limit_itself_opened_was_not_ahead(edge: Edge) -> None:
    edge.begin("limit-warning-vibration")
    assert edge.told().ahead_h is None
    edge.begin("limit-alarm-vibration", asset="pump-2")
    assert edge.told(asset="pump-2").ahead_h == 0.0


def test_it_closes_when_nothing_was_active_for_a_while(edge: Edge) -> None:
    edge.begin()
    edge.begin("energy")
    edge.told()
    edge.end()
    edge.time += 2 * CLOSES_AFTER_NS
    edge.follow()
    assert "pump-1" in edge.cases.assets, "the other alarm is active still"
    edge.end("energy")
    edge.follow(score=0.1)
    edge.time += CLOSES_AFTER_NS - S
    edge.follow(score=0.1)
    assert "pump-1" in edge.cases.assets
    edge.time += S
    closed = edge.told(score=0.1)
    assert (closed.state, closed.closed) == (CaseState.CLOSED, edge.time)
    assert edge.cases.open == ()
    again = edge.begin()
    assert again.first_out
    assert again.case_id != closed.case_id


def test_what_comes_within_the_quiet_time_joins(edge: Edge) -> None:
    first = edge.begin()
    edge.end()
    edge.follow()
    edge.time += CLOSES_AFTER_NS - S
    second = edge.begin("energy")
    edge.follow()
    edge.time += CLOSES_AFTER_NS - S
    edge.follow()
    (case,) = edge.cases.open
    assert case.alarms == (first.alarm_id, second.alarm_id)


@pytest.mark.parametrize(("lasted", "waits"), [(4 * H, H), (100 * H, CLOSES_AFTER_MOST_NS)])
def test_a_case_that_has_lasted_long_outlives_more_quiet(edge: Edge, lasted: int, waits: int) -> None:
    edge.begin()
    edge.time += lasted
    edge.end()
    edge.follow(score=0.1)
    edge.time += waits - S
    edge.follow(score=0.1)
    assert "pump-1" in edge.cases.assets
    edge.time += S
    assert edge.told(score=0.1).state is CaseState.CLOSED


@pytest.mark.parametrize("another_began", [False, True])
def test_an_alarm_that_is_heard_again_after_its_case_was_closed_has_a_case(edge: Edge, another_began: bool) -> None:
    raised = edge.begin()
    edge.told()
    asked = AlarmCommand(command_id="c", by="a", time=edge.time, alarm_id=raised.alarm_id, shelved_until=edge.time + 5 * H)
    edge.cases.take(edge.time, edge.alarms.command(AlarmVerb.SHELVE, asked))
    edge.follow()
    edge.time += CLOSES_AFTER_NS
    closed = edge.told()
    assert closed.state is CaseState.CLOSED
    edge.time += 4 * H
    other = edge.begin("energy") if another_began else None
    edge.time += 2 * H
    (back,) = edge.alarms.expire(edge.time)
    edge.cases.take(edge.time, [back])
    (case,) = edge.cases.open
    assert case.case_id != closed.case_id
    assert back.case_id == case.case_id
    assert (back.alarm_id, back.first_out) == (raised.alarm_id, not another_began)
    assert case.alarms == ((other.alarm_id,) if other else ()) + (back.alarm_id,)


def test_the_fault_is_what_most_instants_say(edge: Edge) -> None:
    edge.begin()
    assert edge.told("imbalance").fault == FaultMode(name="imbalance", probability=0.8)
    for _ in range(3):
        edge.time += S
        case = edge.follow("bearing-wear", {"bearing-wear": 0.7, "imbalance": 0.2}) or case_of(edge)
    assert case.fault is not None
    assert (case.fault.name, case.fault.probability) == ("bearing-wear", pytest.approx(2.1 / 4))
    edge.follow("dry-run", {"dry-run": 1.0}, score=0.3)
    assert case_of(edge).fault == case.fault, "an instant that is not anomalous has no vote"


def test_likeness_names_a_fault_only_after_a_while(edge: Edge) -> None:
    edge.begin()
    for _ in range(LEAST_INSTANTS - 1):
        edge.time += S
        edge.follow("imbalance", by=Diagnosis.SIGNATURE)
    assert case_of(edge).fault is None
    edge.time += S
    edge.follow("imbalance", by=Diagnosis.SIGNATURE)
    fault = case_of(edge).fault
    assert fault is not None
    assert (fault.name, fault.by) == ("imbalance", Diagnosis.SIGNATURE)


def test_of_two_alike_likeness_names_neither_until_one_stands_out(edge: Edge) -> None:
    edge.begin()
    alike = {"imbalance": 0.45, "misalignment": 0.45 / CLEARLY + 0.02}
    for _ in range(3 * LEAST_INSTANTS):
        edge.time += S
        edge.follow("imbalance", alike, by=Diagnosis.SIGNATURE)
    assert case_of(edge).fault is None
    for _ in range(LEAST_INSTANTS // 2):
        edge.time += S
        edge.follow("misalignment", {"imbalance": 0.1, "misalignment": 0.8}, by=Diagnosis.SIGNATURE)
    assert case_of(edge).fault is None, "it has caught up with the other, and no more"
    for _ in range(LEAST_INSTANTS):
        edge.time += S
        edge.follow("misalignment", {"imbalance": 0.1, "misalignment": 0.8}, by=Diagnosis.SIGNATURE)
    fault = case_of(edge).fault
    assert fault is not None
    assert fault.name == "misalignment"


def test_the_word_of_a_model_needs_no_lead(edge: Edge) -> None:
    edge.begin()
    fault = edge.told("imbalance", {"imbalance": 0.5, "misalignment": 0.45}).fault
    assert fault is not None
    assert (fault.name, fault.by) == ("imbalance", Diagnosis.MODEL)


def test_another_fault_takes_over_a_case_that_was_long_of_the_first(edge: Edge) -> None:
    edge.begin()
    for name, instants in (("imbalance", 5000), ("bearing-wear", 1000)):
        for _ in range(instants):
            edge.time += S
            edge.follow(name)
    fault = case_of(edge).fault
    assert fault is not None
    assert fault.name == "bearing-wear"


def case_of(edge: Edge) -> Case:
    (case,) = edge.cases.open
    return case


def test_where_no_fault_is_likelier_none_is_named(edge: Edge) -> None:
    edge.begin()
    edge.follow("imbalance", {"imbalance": 0.6})
    for _ in range(20):
        edge.time += S
        edge.follow(None, {"imbalance": 0.1})
    case = case_of(edge)
    assert case.fault is None
    assert case.advice is not None
    assert case.advice.name == UNKNOWN_NAME
    assert case.text == UNKNOWN_NAME


def test_the_advice_of_a_known_fault(edge: Edge) -> None:
    edge.begin()
    case = edge.told("bearing-wear", rul=RemainingLife(p10=12.5, p50=40.0, p90=90.0))
    assert case.text == BilingualText(sv="Lagerskada", en="Bearing wear")
    advice = case.advice
    assert advice is not None
    assert advice.name == case.text
    assert advice.action.sv.startswith("Byt lagret vid nästa stopp.")
    assert advice.because.sv == "vibration 5,1 mm/s (väntat 2 mm/s); modellen känner igen felet"
    assert advice.because.en == "vibration 5.1 mm/s (expected 2 mm/s); the model knows the fault"
    assert (advice.mode, advice.mechanism, advice.cause) == (
        "VIB vibration",
        "2.6 fatigue",
        "3.4 expected wear and tear",
    )
    assert advice.until == START + round(12.5 * H), "the lower end of the remaining life is the latest moment"
    assert advice.sureness == 0.8


@pytest.mark.parametrize(("fault", "name"), [(None, UNKNOWN_NAME), ("gremlins", BilingualText(sv="gremlins", en="gremlins"))])
def test_of_what_nobody_knows_the_signals_are_the_advice(fault: str | None, name: BilingualText) -> None:
    given = FaultMode(name=fault, probability=0.6, by=Diagnosis.SIGNATURE) if fault else None
    advice = advise(START, given, PUMP, None, FACTS)
    assert (advice.name, advice.action, advice.until) == (name, UNKNOWN_ACTION, None)
    assert (advice.mode, advice.mechanism, advice.cause) == (None, None, None)
    assert advice.sureness == (0.6 if fault else None)
    silent = advise(START, given, PUMP, None, BilingualText(sv="", en=""))
    assert silent.because == BilingualText(
        sv="liknar felets kännetecken" if fault else "", en="is like what the fault does" if fault else ""
    )


def test_the_latest_moment_is_not_put_off_by_what_comes_later(edge: Edge) -> None:
    edge.begin()
    until = START + 336 * H
    first = edge.told("bearing-wear")
    assert first.advice is not None
    assert first.advice.until == until
    edge.time += 100 * H
    edge.begin("energy")
    joined = edge.told("bearing-wear", {"bearing-wear": 0.9})
    assert joined.advice is not None
    assert joined.advice.until == until
    assert joined.advice.sureness == 0.85, "how sure it is moves on with the fault"
    # a remaining life says more, and stays what it was when nothing is said any more
    edge.time += REFRESH_NS
    life = edge.told("bearing-wear", rul=RemainingLife(p10=10.0, p50=20.0, p90=30.0))
    assert life.advice is not None
    assert life.advice.until == edge.time + 10 * H
    edge.time += 5 * H
    withheld = edge.told(score=None)
    assert withheld.advice is not None
    assert withheld.advice.until == life.advice.until


def test_another_fault_has_its_own_latest_moment(edge: Edge) -> None:
    edge.begin()
    edge.told("bearing-wear", {"bearing-wear": 0.6})
    edge.time += H
    other = edge.told("dry-run", {"dry-run": 0.95})
    assert other.advice is not None
    assert (other.advice.name.en, other.advice.until) == ("Dry run", edge.time)


def test_it_is_told_when_something_happens_and_else_seldom(edge: Edge) -> None:
    edge.begin()
    edge.told("bearing-wear")
    told = []
    for second in range(600):
        edge.time += S
        told += [second] if edge.follow("bearing-wear") else []
    assert told == [299, 599]
    edge.begin("energy")
    assert edge.follow("bearing-wear") is not None


def test_a_restart_goes_on_with_the_case(edge: Edge) -> None:
    raised = edge.begin()
    for _ in range(5):
        edge.follow("bearing-wear")
    again = Edge()
    again.time = edge.time + S
    again.alarms.restore(edge.alarms.open, edge.alarms.holding)
    again.cases.restore(edge.cases.open, again.alarms.open)
    assert again.follow("bearing-wear") is None, "nothing is news"
    assert case_of(again) == dataclasses.replace(case_of(edge), changed=again.time)
    again.follow(None, {"bearing-wear": 0.1})
    fault = case_of(again).fault
    assert fault is not None
    assert fault.name == "bearing-wear", "one instant does not undo what many said"
    joined = again.begin("energy")
    assert (joined.case_id, joined.first_out) == (raised.case_id, False)
    again.end()
    again.end("energy")
    again.follow(score=0.0)
    again.time += CLOSES_AFTER_NS
    assert again.told(score=0.0).state is CaseState.CLOSED


# through the pipeline

MakePlant = Any
SPEED, FORCE = 0, 1


class Running:
    """A pipeline that is fed a second at a time."""

    def __init__(self, plant: Plant, model: Path | None) -> None:
        self.pipeline = Pipeline(plant, {"press": OnnxModel.load(model)} if model else {})
        self.second = 0
        self.alarms: list[Alarm] = []
        self.cases: list[Case] = []

    def run(self, seconds: int, force: float, speed: float = 100.0) -> None:
        for _ in range(seconds):
            self.second += 1
            time = START + self.second * S
            self.pipeline.feed(SampleBatch.of([SPEED, FORCE], [time] * 2, [speed, force]))
            results = self.pipeline.advance(time)
            self.alarms += results.alarms
            self.cases += results.cases


def test_early_warning_before_the_fixed_limit(make_plant: MakePlant, model_file: Path) -> None:
    running = Running(make_plant(), model_file)
    running.run(5, 5.0)
    running.run(60, 20.0)
    running.run(10, 60.0)
    case = running.cases[-1]
    assert case.rules == ("anomaly", "limit-alarm-force")
    assert case.ahead_h == pytest.approx((case.limit_reached or 0) / H - case.opened / H, abs=1e-6)
    assert 50 < (case.ahead_h or 0) * 3600 < 70
    assert [alarm.first_out for alarm in running.alarms] == [True, False]
    assert case.advice is not None
    assert case.advice.name == UNKNOWN_NAME, "nobody has written of presses"


def test_without_a_model_the_limit_says_what_was_measured(make_plant: MakePlant) -> None:
    running = Running(make_plant(), None)
    running.run(10, 60.0)
    (case,) = running.cases
    assert case.advice is not None
    assert case.advice.because == BilingualText(sv="force 60 kN", en="force 60 kN")
    assert case.text.en == "press-1: force 60 kN has reached the alarm limit 50 kN"


def test_a_machine_that_is_off_is_not_judged_by_its_limits(make_plant: MakePlant) -> None:
    running = Running(make_plant(), None)
    running.run(10, 60.0, speed=0.0)
    assert running.alarms == []
    running.run(5, 60.0)
    (raised,) = running.alarms
    assert raised.state is AlarmState.ACTIVE_UNACKNOWLEDGED
    running.run(20, 0.0, speed=0.0)
    (off,) = running.alarms[1:]
    assert (off.state, off.suppressed_by) == (AlarmState.SUPPRESSED, Suppression.MACHINE_OFF)
    running.run(5, 60.0)
    (on,) = running.alarms[2:]
    assert (on.state, on.alarm_id) == (AlarmState.ACTIVE_UNACKNOWLEDGED, raised.alarm_id)


@pytest.mark.parametrize("now", ["on and over", "on and holding", "off"])
def test_after_a_kill_alarms_and_conditions_agree_again(make_plant: MakePlant, now: str) -> None:
    """The state was saved before the alarm began and the machine was switched; the alarms were kept with each change."""
    before = Running(make_plant(), None)
    before.run(3, 5.0)
    saved = {name: array.copy() for name, array in before.pipeline.state().items()}
    before.run(5, 60.0)
    before.run(3, 60.0, speed=0.0)
    assert [alarm.state for alarm in before.alarms] == [AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.SUPPRESSED]
    after = Running(make_plant(), None)
    # the newest second was not assessed yet, and comes again
    after.second = before.second - 1
    after.pipeline.alarms.restore(before.pipeline.alarms.open, before.pipeline.alarms.holding)
    after.pipeline.cases.restore(before.pipeline.cases.open, before.pipeline.alarms.open)
    after.pipeline.restore(saved, before.pipeline.reached)
    after.run(10, 60.0 if now == "on and holding" else 5.0, speed=0.0 if now == "off" else 100.0)
    states = [alarm.state for alarm in after.alarms]
    assert (
        states
        == {
            "on and over": [AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED],
            "on and holding": [AlarmState.ACTIVE_UNACKNOWLEDGED],
            "off": [],
        }[now]
    )


# words


def test_sentences_of_a_limit() -> None:
    pump = DEMO.assets["pump-101"]
    rule = Rule(name="limit-warning-bearing-temperature", signal="bearing_temperature", level="warning")
    text = limit_text("pump-101", pump, rule, 80.24, 80.0)
    assert text.sv == "Cirkulationspump 101: lagertemperatur 80,2 °C har nått varningsgränsen 80 °C"
    assert text.en == "Circulation pump 101: bearing temperature 80.2 °C has reached the warning limit 80 °C"


def test_sentences_of_an_anomaly() -> None:
    spindle = DEMO.assets["spindle-201"]
    measured = {"torque": 12.345, "thermal_growth": None, "speed": 7999.6}
    text = anomaly_text("spindle-201", spindle, ["torque", "thermal_growth", "speed"], measured, {"torque": 8.0})
    assert text.sv == (
        "Frässpindel 201 avviker från det normala: moment 12,3 Nm (väntat 8 Nm), termisk längdökning –, varvtal 8000 r/min"
    )
    assert text.en == (
        "Milling spindle 201 deviates from normal: torque 12.3 Nm (expected 8 Nm), thermal growth –, speed 8000 r/min"
    )
    assert anomaly_text("spindle-201", spindle, [], {}, None).sv == "Frässpindel 201 avviker från det normala"
    heard = anomaly_text("spindle-201", spindle, ["acceleration"], {}, None)
    assert heard.sv == "Frässpindel 201 avviker från det normala: acceleration (vågform)"


@pytest.mark.parametrize(
    ("product", "unit", "shown"), [("air", "m3", "0,12 kWh/m³ (väntat 0,1)"), ("flow", "m3", "0,12 kWh/m³ (väntat 0,1)")]
)
def test_sentences_of_energy(product: str, unit: str, shown: str) -> None:
    asset = DEMO.assets["compressor-301"]
    lot = SpecificEnergy(
        since=START,
        recipe=None,
        energy=1.2,
        energy_unit="kW.h",
        amount=10.0,
        product_unit=unit,
        product=product,
        value=0.12,
        expected=0.1,
        ratio=1.2,
    )
    text = energy_text("compressor-301", asset, lot)
    assert text.sv == f"Tryckluftskompressor 301 drar 20 % mer energi än vanligt: {shown}"
    assert energy_text("compressor-301", asset, None).en == "Air compressor 301 takes more energy than usual"


def test_the_guiltiest_signals_and_no_others() -> None:
    assert guilty_signals({"a": 0.5, "b": 0.3, "c": 0.1, "d": 0.2}) == ("a", "b", "d")
    assert guilty_signals({"a": 0.9, "b": 0.1}) == ("a",)
    assert guilty_signals({"a": 0.0}) == ()
    assert guilty_signals(None) == ()
