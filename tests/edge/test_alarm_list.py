"""Alarms through all that plant and operators do to them: ISA-18.2 with shelving, designed suppression and floods."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.advisory_generation.alarm_list import ACTIVE, ALL_RULES, AlarmList, CommandRefused
from edge.advisory_generation.case_list import CaseList
from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Evidence, Priority, Suppression
from edge.contracts.assessment import Assessment, State
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import IllegalTransition
from edge.knowledge import ClassKnowledge

S = 1_000_000_000
START = 1_700_000_000 * S
TEXT = BilingualText(sv="Pumpen avviker", en="The pump deviates")
ASSETS = tuple(f"pump-{number}" for number in range(4))
RULES = {
    "anomaly": Priority.HIGH,
    "energy": Priority.LOW,
    "limit-warning-force": Priority.MEDIUM,
    "limit-alarm-force": Priority.LOW,
}
HEARD = (*ACTIVE, AlarmState.RETURNED_UNACKNOWLEDGED)


def command(time: int, by: str = "anna", **about: Any) -> AlarmCommand:
    return AlarmCommand(command_id="c", by=by, time=time, **about)


def begin(alarms: AlarmList, time: int, asset: str = "pump-0", rule_name: str = "anomaly", **about: Any) -> Alarm | None:
    about = {"priority": Priority.MEDIUM, "text": TEXT, "evidence": Evidence()} | about
    return alarms.begin(time, asset=asset, rule=rule_name, **about)


def one(alarms: Iterable[Alarm], state: AlarmState) -> Alarm:
    (alarm,) = alarms
    assert alarm.state is state
    return alarm


class AlarmListMachine(RuleBasedStateMachine):
    """The list under plant and operators in any order, beside the plain truth of which conditions hold and what is off."""

    def __init__(self) -> None:
        super().__init__()
        self.time = START
        self.cases = CaseList("edge-1")
        self.alarms = AlarmList("edge-1")
        self.alarms.place = self.cases.place
        self.holding: set[tuple[str, str]] = set()
        self.off: set[str] = set()
        self.known: dict[tuple[str, str], Alarm] = {}
        self.ids: list[str] = ["nobody"]

    @initialize()
    def start(self) -> None:
        assert self.alarms.open == ()

    def took(self, changed: Iterable[Alarm | None], *, by_operator: bool = False) -> None:
        for alarm in changed:
            if alarm is None:
                continue
            before = self.known.pop((alarm.asset, alarm.rule), None)
            if before is not None:
                assert alarm.alarm_id == before.alarm_id, "an alarm keeps its id until it is normal"
                assert alarm.changed >= before.changed
            if alarm.state is AlarmState.NORMAL and not by_operator:
                assert before is not None
                assert before.state in (AlarmState.ACTIVE_ACKNOWLEDGED, AlarmState.SHELVED), "nobody has seen it"
            if alarm.state is not AlarmState.NORMAL:
                self.known[alarm.asset, alarm.rule] = alarm
                self.ids.append(alarm.alarm_id)
            self.cases.take(self.time, [alarm])

    @rule(asset=st.sampled_from(ASSETS), name=st.sampled_from(list(RULES)))
    def condition_changes(self, asset: str, name: str) -> None:
        if asset in self.off:
            return
        if (asset, name) in self.holding:
            self.holding.remove((asset, name))
            self.took([self.alarms.end(self.time, asset=asset, rule=name)])
            return
        self.holding.add((asset, name))
        case_id, first = self.cases.place(self.time, asset)
        begun = begin(self.alarms, self.time, asset, name, priority=RULES[name], case_id=case_id, first_out=first)
        self.took([begun])

    @rule(asset=st.sampled_from(ASSETS))
    def machine_is_switched(self, asset: str) -> None:
        if asset in self.off:
            self.off.remove(asset)
            self.took(self.alarms.unsuppress(self.time, asset, Suppression.MACHINE_OFF))
        else:
            self.off.add(asset)
            self.took(self.alarms.suppress(self.time, asset))

    @rule(seconds=st.sampled_from([1, 30, 200, 700]))
    def time_goes_by(self, seconds: int) -> None:
        self.time += seconds * S
        self.took(self.alarms.expire(self.time))
        for case in self.cases.open:
            quiet = Assessment(asset=case.asset, time=self.time, state=State.WITHHELD, measured={}, coverage=1.0)
            self.cases.follow(self.time, quiet, {}, ClassKnowledge(), lambda: TEXT)

    @rule(verb=st.sampled_from(AlarmVerb), data=st.data())
    def operator_asks(self, verb: AlarmVerb, data: st.DataObject) -> None:
        asked: dict[str, Any] = {"comment": data.draw(st.sampled_from([None, "seen"]))}
        if verb in (AlarmVerb.OUT_OF_SERVICE, AlarmVerb.RETURN_TO_SERVICE) and data.draw(st.booleans()):
            asked |= {
                "asset": data.draw(st.sampled_from([None, *ASSETS])),
                "rule": data.draw(st.sampled_from([None, None, *RULES])),
            }
        else:
            asked["alarm_id"] = data.draw(st.sampled_from([alarm.alarm_id for alarm in self.alarms.open] or self.ids))
        if verb is AlarmVerb.SHELVE:
            asked["shelved_until"] = self.time + data.draw(st.sampled_from([-1, 20, 400])) * S
        before = self.alarms.open, self.alarms.holding
        try:
            changed = self.alarms.command(verb, command(self.time, **asked))
        except (CommandRefused, IllegalTransition) as refusal:
            said = str(refusal)
        else:
            said = ""
            self.took(changed, by_operator=True)
        if said:
            assert len(said) > 20, "a refusal is a sentence"
            assert (self.alarms.open, self.alarms.holding) == before, "what is refused changes nothing"

    @rule()
    def the_edge_restarts(self) -> None:
        restarted = AlarmList("edge-1")
        restarted.restore(self.alarms.open, self.alarms.holding)
        assert (restarted.open, restarted.holding) == (self.alarms.open, self.alarms.holding)
        cases = CaseList("edge-1")
        cases.restore(self.cases.open, self.alarms.open)
        restarted.place = cases.place
        self.alarms, self.cases = restarted, cases
        for asset in ASSETS:
            changed = (
                restarted.suppress(self.time, asset)
                if asset in self.off
                else restarted.unsuppress(self.time, asset, Suppression.MACHINE_OFF)
            )
            assert changed == [], "nothing was told but what is so already"

    @invariant()
    def what_was_told_is_what_there_is(self) -> None:
        assert {key: dataclasses.replace(alarm) for key, alarm in self.known.items()} == {
            (alarm.asset, alarm.rule): self._as_told(alarm) for alarm in self.alarms.open
        }

    def _as_told(self, alarm: Alarm) -> Alarm:
        # out of service it takes in texts without a word
        told = self.known.get((alarm.asset, alarm.rule))
        if told is not None and alarm.state is told.state is AlarmState.OUT_OF_SERVICE:
            return told
        return alarm

    @invariant()
    def no_condition_is_lost(self) -> None:
        there = {(alarm.asset, alarm.rule): alarm for alarm in self.alarms.open}
        assert self.holding <= set(there)
        assert not any(alarm.state is AlarmState.NORMAL for alarm in there.values())
        for key, alarm in there.items():
            assert self.alarms.holds(*key) is (key in self.holding)
            if key in self.holding:
                assert alarm.state is not AlarmState.RETURNED_UNACKNOWLEDGED
            elif alarm.state in ACTIVE:
                pytest.fail(f"{alarm} is active without its condition")

    @invariant()
    def a_machine_that_is_off_says_nothing(self) -> None:
        assert not [alarm for alarm in self.alarms.open if alarm.asset in self.off and alarm.state in ACTIVE]
        for alarm in self.alarms.open:
            assert (alarm.suppressed_by is not None) is (alarm.state is AlarmState.SUPPRESSED)
            assert (alarm.shelved_until is not None) is (alarm.state is AlarmState.SHELVED)
            if alarm.suppressed_by is Suppression.MACHINE_OFF:
                assert alarm.asset in self.off
            if alarm.suppressed_by is Suppression.FLOOD:
                assert self.alarms.is_flood
                assert alarm.priority not in (Priority.HIGH, Priority.CRITICAL)
                assert not alarm.first_out

    @invariant()
    def what_is_active_belongs_to_the_open_case(self) -> None:
        cases = {case.asset: case for case in self.cases.open}
        for alarm in self.alarms.open:
            if alarm.state in ACTIVE:
                assert alarm.case_id == cases[alarm.asset].case_id
                assert alarm.alarm_id in cases[alarm.asset].alarms
        firsts = [alarm.case_id for alarm in self.alarms.open if alarm.first_out and alarm.state in HEARD]
        assert len(firsts) == len(set(firsts))


TestAlarmListMachine = AlarmListMachine.TestCase
TestAlarmListMachine.settings = settings(max_examples=25, stateful_step_count=30)


EVENTS = st.one_of(
    st.tuples(st.just("condition"), st.sampled_from(ASSETS[:2]), st.sampled_from(["anomaly", "energy"])),
    st.tuples(st.just("switch"), st.sampled_from(ASSETS[:2]), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from(["5", "40", "700"]), st.just("")),
    st.tuples(
        st.sampled_from([verb.value for verb in AlarmVerb]), st.sampled_from(ASSETS[:2]), st.sampled_from(["anomaly", "energy"])
    ),
)


@settings(max_examples=80)
@given(events=st.lists(EVENTS, max_size=18))
def test_a_restart_at_any_moment_changes_nothing(events: list[tuple[str, str, str]]) -> None:
    def run(*, restarts: bool) -> list[list[Alarm | None]]:
        alarms, time, holding, off, told = AlarmList("edge-1"), START, set[tuple[str, str]](), set[str](), []
        for what, asset, name in events:
            time += S
            changed: list[Alarm | None] = []
            if what == "wait":
                time += int(asset) * S
                changed = [*alarms.expire(time)]
            elif what == "switch" and asset in off:
                off.remove(asset)
                changed = [*alarms.unsuppress(time, asset, Suppression.MACHINE_OFF)]
            elif what == "switch":
                off.add(asset)
                changed = [*alarms.suppress(time, asset)]
            elif what == "condition" and asset not in off:
                if (asset, name) in holding:
                    changed = [alarms.end(time, asset=asset, rule=name)]
                else:
                    # high: no flood, which is not kept to the last
                    changed = [begin(alarms, time, asset, name, priority=Priority.HIGH)]
                holding ^= {(asset, name)}
            elif what != "condition":
                found = [alarm.alarm_id for alarm in alarms.open if (alarm.asset, alarm.rule) == (asset, name)]
                for alarm_id in found:
                    asked = command(time, alarm_id=alarm_id, comment="seen", shelved_until=time + 60 * S)
                    try:
                        changed = [*alarms.command(AlarmVerb(what), asked)]
                    except IllegalTransition:
                        changed = [None]
            told.append(changed)
            if restarts:
                again = AlarmList("edge-1")
                again.restore(alarms.open, alarms.holding)
                alarms = again
                for each in sorted(off):
                    assert alarms.suppress(time, each) == []
        return told

    assert run(restarts=True) == run(restarts=False)


def test_after_a_kill_a_condition_that_begins_or_ends_again_is_no_mistake() -> None:
    """What watches the conditions is kept less often than the alarms."""
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    assert begin(alarms, START + S) is None
    assert alarms.open == (raised,)
    ended = alarms.end(START + 2 * S, asset="pump-0", rule="anomaly")
    assert ended is not None
    assert ended.state is AlarmState.RETURNED_UNACKNOWLEDGED
    assert alarms.end(START + 3 * S, asset="pump-0", rule="anomaly") is None
    assert alarms.open == (ended,)
    assert alarms.end(START, asset="pump-7", rule="anomaly") is None


def test_what_a_standstill_suppresses_asks_for_acknowledgement_afterwards() -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    alarms.command(AlarmVerb.ACKNOWLEDGE, command(START + S, alarm_id=raised.alarm_id))
    off = one(alarms.suppress(START + 2 * S, "pump-0"), AlarmState.SUPPRESSED)
    assert off.suppressed_by is Suppression.MACHINE_OFF
    assert alarms.suppress(START + 2 * S, "pump-0") == []
    on = one(alarms.unsuppress(START + 9 * S, "pump-0", Suppression.MACHINE_OFF), AlarmState.ACTIVE_UNACKNOWLEDGED)
    assert (on.alarm_id, on.suppressed_by) == (raised.alarm_id, None)
    # its condition ends while it is off, as when the plant file is another
    alarms.suppress(START + 10 * S, "pump-0")
    assert alarms.end(START + 11 * S, asset="pump-0", rule="anomaly") is None
    one(alarms.unsuppress(START + 12 * S, "pump-0", Suppression.MACHINE_OFF), AlarmState.RETURNED_UNACKNOWLEDGED)


@pytest.mark.parametrize("ends", ["expiry", "operator"])
def test_shelving_that_ends_while_the_machine_is_off_does_not_wake_anybody(ends: str) -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    alarms.suppress(START + S, "pump-0")
    asked = command(START + 2 * S, alarm_id=raised.alarm_id, shelved_until=START + 60 * S)
    shelved = one(alarms.command(AlarmVerb.SHELVE, asked), AlarmState.SHELVED)
    assert shelved.suppressed_by is None
    if ends == "expiry":
        changed = alarms.expire(START + 61 * S)
    else:
        changed = alarms.command(AlarmVerb.UNSHELVE, command(START + 61 * S, alarm_id=raised.alarm_id))
    silent = one(changed, AlarmState.SUPPRESSED)
    assert (silent.suppressed_by, silent.shelved_until) == (Suppression.MACHINE_OFF, None)
    one(alarms.unsuppress(START + 90 * S, "pump-0", Suppression.MACHINE_OFF), AlarmState.ACTIVE_UNACKNOWLEDGED)


def test_a_whole_machine_out_of_service_follows_its_conditions_without_a_word() -> None:
    alarms = AlarmList("edge-1")
    begin(alarms, START)
    out = alarms.command(AlarmVerb.OUT_OF_SERVICE, command(START + S, asset="pump-0", comment="overhaul"))
    assert {alarm.rule: alarm.state for alarm in out} == dict.fromkeys(("anomaly", ALL_RULES), AlarmState.OUT_OF_SERVICE)
    assert {alarm.comment for alarm in out} == {"overhaul"}
    assert alarms.command(AlarmVerb.OUT_OF_SERVICE, command(START + S, asset="pump-0")) == []
    told = begin(alarms, START + 2 * S, rule_name="energy")
    assert told is not None
    assert told.state is AlarmState.OUT_OF_SERVICE
    assert alarms.end(START + 3 * S, asset="pump-0", rule="anomaly") is None
    with pytest.raises(CommandRefused, match="they come back together, without 'rule'"):
        alarms.command(AlarmVerb.RETURN_TO_SERVICE, command(START + 4 * S, asset="pump-0", rule="limit-alarm-force"))
    back = alarms.command(AlarmVerb.RETURN_TO_SERVICE, command(START + 5 * S, asset="pump-0"))
    assert [(alarm.rule, alarm.state) for alarm in back] == [
        ("anomaly", AlarmState.NORMAL),
        (ALL_RULES, AlarmState.NORMAL),
        ("energy", AlarmState.NORMAL),
        ("energy", AlarmState.ACTIVE_UNACKNOWLEDGED),
    ]
    assert one(alarms.open, AlarmState.ACTIVE_UNACKNOWLEDGED).rule == "energy"
    assert alarms.holding == (told.alarm_id,)


def test_one_rule_out_of_service_leaves_the_others() -> None:
    alarms = AlarmList("edge-1")
    out = one(
        alarms.command(AlarmVerb.OUT_OF_SERVICE, command(START, asset="pump-0", rule="energy")), AlarmState.OUT_OF_SERVICE
    )
    assert begin(alarms, START + S, rule_name="energy") is None
    assert one(alarms.open, AlarmState.OUT_OF_SERVICE).text == TEXT
    assert begin(alarms, START + S) is not None
    by_id = command(START + 2 * S, alarm_id=out.alarm_id)
    assert [a.state for a in alarms.command(AlarmVerb.RETURN_TO_SERVICE, by_id)] == [
        AlarmState.NORMAL,
        AlarmState.ACTIVE_UNACKNOWLEDGED,
    ]


def test_a_shelved_alarm_taken_out_of_service_does_not_come_back_by_itself() -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    alarms.command(AlarmVerb.SHELVE, command(START, alarm_id=raised.alarm_id, shelved_until=START + 9 * S, comment="known"))
    out = one(alarms.command(AlarmVerb.OUT_OF_SERVICE, command(START, alarm_id=raised.alarm_id)), AlarmState.OUT_OF_SERVICE)
    assert (out.shelved_until, out.comment) == (None, "known")
    assert alarms.expire(START + 100 * S) == []


def test_a_longer_shelving_keeps_what_was_said_of_it() -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None

    def shelve(until_s: int, comment: str | None) -> Alarm:
        asked = command(START, alarm_id=raised.alarm_id, shelved_until=START + until_s * S, comment=comment)
        return one(alarms.command(AlarmVerb.SHELVE, asked), AlarmState.SHELVED)

    assert shelve(10, "spare part ordered").comment == "spare part ordered"
    longer = shelve(20, None)
    assert (longer.comment, longer.shelved_until) == ("spare part ordered", START + 20 * S)
    assert shelve(30, "comes on Friday").comment == "comes on Friday"
    assert alarms.expire(START + 29 * S) == []
    one(alarms.expire(START + 30 * S), AlarmState.ACTIVE_UNACKNOWLEDGED)


@pytest.mark.parametrize(
    ("verb", "about", "answer"),
    [
        (AlarmVerb.SHELVE, {"alarm_id": "nobody", "shelved_until": START + 9 * S}, "no open alarm has the id nobody"),
        (AlarmVerb.COMMENT, {"alarm_id": "nobody", "comment": "x"}, "may have returned to normal"),
        (AlarmVerb.OUT_OF_SERVICE, {"alarm_id": "nobody"}, "name 'asset' and 'rule' instead"),
        (AlarmVerb.OUT_OF_SERVICE, {}, "needs 'alarm_id', or 'asset'"),
        (AlarmVerb.SHELVE, {}, "needs 'shelved_until', a time to come"),
        (AlarmVerb.SHELVE, {"shelved_until": START}, "needs 'shelved_until', a time to come"),
        (AlarmVerb.COMMENT, {}, "a comment needs a text"),
        (AlarmVerb.COMMENT, {"comment": ""}, "a comment needs a text"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(verb: AlarmVerb, about: dict[str, Any], answer: str) -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    if verb in (AlarmVerb.SHELVE, AlarmVerb.COMMENT):
        about = {"alarm_id": raised.alarm_id} | about
    with pytest.raises(CommandRefused, match=answer):
        alarms.command(verb, command(START + S, **about))
    assert alarms.open == (raised,)


@pytest.mark.parametrize("silence", ["shelved", "suppressed-by-design", "out-of-service"])
def test_what_is_silent_cannot_be_acknowledged(silence: str) -> None:
    alarms = AlarmList("edge-1")
    raised = begin(alarms, START)
    assert raised is not None
    quiet: dict[str, Callable[[], object]] = {
        "shelved": lambda: alarms.command(
            AlarmVerb.SHELVE, command(START, alarm_id=raised.alarm_id, shelved_until=START + 9 * S)
        ),
        "suppressed-by-design": lambda: alarms.suppress(START, "pump-0"),
        "out-of-service": lambda: alarms.command(AlarmVerb.OUT_OF_SERVICE, command(START, alarm_id=raised.alarm_id)),
    }
    quiet[silence]()
    with pytest.raises(IllegalTransition, match=f"an alarm that is {silence} cannot take 'acknowledge'; possible now: "):
        alarms.command(AlarmVerb.ACKNOWLEDGE, command(START + S, alarm_id=raised.alarm_id))


def flood(alarms: AlarmList, n: int, every_s: int = 1, start: int = START) -> list[Alarm]:
    begun = [begin(alarms, start + k * every_s * S, f"pump-{k}", case_id=f"case-{k}") for k in range(n)]
    return [alarm for alarm in begun if alarm is not None]


def test_in_a_flood_what_comes_first_and_what_is_important_stays_readable() -> None:
    alarms = AlarmList("edge-1")
    begun = flood(alarms, 12)
    assert [alarm.state for alarm in begun[:10]] == [AlarmState.ACTIVE_UNACKNOWLEDGED] * 10
    assert {alarm.suppressed_by for alarm in begun[10:]} == {Suppression.FLOOD}
    assert alarms.is_flood
    spared = [
        begin(alarms, START + 20 * S, "pump-20", first_out=True),
        begin(alarms, START + 20 * S, "pump-21", priority=Priority.HIGH),
        begin(alarms, START + 20 * S, "pump-22", priority=Priority.CRITICAL),
    ]
    assert [alarm.state for alarm in spared if alarm] == [AlarmState.ACTIVE_UNACKNOWLEDGED] * 3
    # one of the two is over when the flood is
    alarms.end(START + 30 * S, asset="pump-11", rule="anomaly")
    assert alarms.expire(START + 300 * S) == []
    after = alarms.expire(START + 700 * S)
    assert not alarms.is_flood
    assert {alarm.asset: alarm.state for alarm in after} == {
        "pump-10": AlarmState.ACTIVE_UNACKNOWLEDGED,
        "pump-11": AlarmState.RETURNED_UNACKNOWLEDGED,
    }


def test_ten_alarms_in_ten_minutes_are_no_flood_and_neither_are_many_slow_ones() -> None:
    ten, slow = AlarmList("edge-1"), AlarmList("edge-1")
    flood(ten, 10)
    assert all(alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED for alarm in flood(slow, 40, every_s=60))
    assert not ten.is_flood
    assert not slow.is_flood


def test_a_flood_lasts_until_fewer_than_five_begin_in_ten_minutes() -> None:
    alarms = AlarmList("edge-1")
    flood(alarms, 11)
    # 6 of the last ten minutes: no flood by its beginning, and not over either
    assert alarms.expire(START + 605 * S) == []
    assert alarms.is_flood
    assert [a.asset for a in alarms.expire(START + 607 * S)] == ["pump-10"]
    assert not alarms.is_flood


def test_a_flood_is_over_after_a_restart_and_after_a_clock_set_back_too() -> None:
    alarms = AlarmList("edge-1")
    flood(alarms, 12)
    restarted = AlarmList("edge-1")
    restarted.restore(alarms.open, alarms.holding)
    assert restarted.is_flood
    assert restarted.expire(START + 20 * S) == []
    assert len(restarted.expire(START + 700 * S)) == 2
    yesterday = START - 86_400 * S
    assert len(alarms.expire(yesterday)) == 2, "what lies a day ahead is none of the last ten minutes"


def test_a_machine_that_is_off_stays_silent_when_a_flood_is_over() -> None:
    alarms = AlarmList("edge-1")
    flood(alarms, 11)
    alarms.suppress(START + 20 * S, "pump-10")
    still = one([a for a in alarms.expire(START + 700 * S) if a.asset == "pump-10"], AlarmState.SUPPRESSED)
    assert still.suppressed_by is Suppression.MACHINE_OFF
    one(alarms.unsuppress(START + 800 * S, "pump-10", Suppression.MACHINE_OFF), AlarmState.ACTIVE_UNACKNOWLEDGED)
