"""What machines do with their time, and what a unit of their product costs in energy."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.alarm import Alarm, AlarmState, Priority
from edge.contracts.assessment import Reason
from edge.contracts.performance import Operation, Performance
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch, TextTable
from edge.groups import groups_of
from edge.pipeline import Pipeline
from edge.production_assessment.production import ProductionTrend

S = 1_000_000_000
# a whole minute
START = 28_333_333 * 60 * S
PLANT = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
clock = "source"
[assets.press-1]
class = "press"
name = {{ sv = "Pressen", en = "The press" }}
period_s = {period_s}
running = {{ signal = "speed", above = 1.0 }}
context = ["recipe", "state"]
production = {{ {production} }}
alarm = {{ on_delay_s = 0.0, off_delay_s = 0.0, priority = "high" }}
[assets.press-1.signals]
speed = {{ unit = "/min", source = "broker", topic = "p", field = "speed", stale_s = 100.0 }}
energy = {{ unit = "kW.h", source = "broker", topic = "p", field = "energy", counter = true, stale_s = 100.0 }}
parts = {{ name = {{ sv = "detaljer", en = "parts" }}, {counted} }}
flow = {{ unit = "{flow_unit}", source = "broker", topic = "p", field = "flow", stale_s = 100.0 }}
recipe = {{ unit = "1", source = "broker", topic = "p", field = "recipe", stale_s = 100.0 }}
state = {{ unit = "1", source = "broker", topic = "p", field = "state", stale_s = 100.0 }}
"""
COUNTED = 'unit = "1", source = "broker", topic = "p", field = "parts", counter = true, stale_s = 100.0'
SPEED, ENERGY, PARTS, FLOW, RECIPE, STATE = range(6)
PER_PART = 'energy = "energy", product = "parts", recipe = "recipe", state = "state"'
PER_M3 = 'energy = "energy", product = "flow"'


def plant_of(folder: Path, production: str = PER_PART, period_s: float = 1.0, flow_unit: str = "m3/h") -> Plant:
    path = folder / "plant.toml"
    path.write_text(
        PLANT.format(production=production, period_s=period_s, flow_unit=flow_unit, counted=COUNTED), encoding="utf-8"
    )
    return load_plant(path)


class Press:
    """One press under `ProductionTrend`, whose counters and texts a test turns."""

    def __init__(self, plant: Plant) -> None:
        (group,) = groups_of(plant)
        self.texts = {("press-1", name): TextTable() for name in ("recipe", "state")}
        self.period_s = group.period_ns / 1e9
        self._made = lambda: ProductionTrend(group.assets, group.settings, group.names, self.texts, self.period_s)
        self.trend = self._made()
        self.time = START
        self.value = np.array([[100.0, 5000.0, 40.0, 36.0, 0.0, 0.0]])
        self.recipe, self.state = "shaft", "running"
        self.healthy, self.reason = True, -1

    def run(self, seconds: float, kw: float = 0.0, parts_every_s: float = 0.0) -> list[Performance]:
        told = []
        for _ in range(round(seconds / self.period_s)):
            self.time += round(self.period_s * S)
            self.value[0, ENERGY] += kw * self.period_s / 3600
            if parts_every_s and (self.time - START) // S % parts_every_s == 0:
                self.value[0, PARTS] += 1
            told += self.instant()
        return told

    def instant(self, *, silent: bool = False) -> list[Performance]:
        self.value[0, RECIPE] = self.texts["press-1", "recipe"].code(self.recipe)
        self.value[0, STATE] = self.texts["press-1", "state"].code(self.state)
        return self.trend.advance(
            self.time,
            self.value.copy(),
            self.value[:, SPEED] > 1.0,
            np.array([self.reason], np.int8),
            np.array([not self.healthy]),
            np.array([silent]),
        )

    def lots(self, n: int, kw: float) -> Iterator[float | None]:
        """So many lots of 600 s, a part every 10 s; the ratio of each to what is expected."""
        if self.trend._machines[0].lots.began is None:
            self.run(20, parts_every_s=10)
        for _ in range(n):
            self.run(600, kw=kw, parts_every_s=10)
            newest = self.trend.newest(0)
            yield newest.ratio if newest else None

    def restart(self) -> None:
        state = {name: array.copy() for name, array in self.trend.state().items()}
        self.trend = self._made()
        self.trend.restore(state)


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(plant_of(tmp_path))


@pytest.fixture
def coarse(tmp_path: Path) -> Press:
    """The same with an instant every 10 s: hours pass quickly."""
    return Press(plant_of(tmp_path, period_s=10.0))


def test_each_whole_minute_is_told_with_what_was_done_in_it(press: Press) -> None:
    assert press.run(59) == []
    (first,) = press.run(1)
    assert (first.time, first.period_s, first.operation) == (START + 60 * S, 60.0, Operation.RUNNING)
    assert (first.operation_s, first.utilisation, first.recipe) == ({"running": 60.0}, 1.0, "shaft")
    press.run(15)
    press.state = "idle"
    press.run(30)
    press.state = "setup"
    (second,) = press.run(15)
    assert second.operation_s == {"running": 15.0, "idle": 30.0, "changeover": 15.0}
    assert (second.operation, second.utilisation) == (Operation.CHANGEOVER, 0.25)
    assert sum(second.operation_s.values()) == second.period_s


def test_withheld_seconds_are_counted_by_reason(press: Press) -> None:
    press.run(20)
    for reason, seconds in ((Reason.CHANGEOVER, 10), (Reason.STALE, 25)):
        press.reason = tuple(Reason).index(reason)
        press.run(seconds)
    press.reason = -1
    (told,) = press.run(5)
    assert told.withheld_s == {"changeover": 10.0, "stale": 25.0}


def test_names_that_only_the_plant_knows_and_those_that_nobody_knows(tmp_path: Path) -> None:
    press = Press(plant_of(tmp_path, PER_PART + ', states = { running = ["auto"], idle = ["running"] }'))
    for press.state, seconds in (("auto", 20), ("running", 20), ("Stopped", 10), ("hejsan", 10)):
        told = press.run(seconds)
    assert told[0].operation_s == {"running": 20.0, "idle": 20.0, "off": 10.0, "unknown": 10.0}
    assert told[0].utilisation == pytest.approx(20 / 50)


def test_without_a_state_the_running_signal_tells(tmp_path: Path) -> None:
    press = Press(plant_of(tmp_path, 'energy = "energy"'))
    press.run(45)
    press.value[0, SPEED] = 0.0
    (told,) = press.run(15)
    assert (told.operation_s, told.utilisation) == ({"running": 45.0, "off": 15.0}, 0.75)


def test_periods_that_do_not_divide_a_minute_keep_whole_minutes(tmp_path: Path) -> None:
    press = Press(plant_of(tmp_path, period_s=7.0))
    told = press.run(7 * 60)
    assert [performance.time for performance in told] == [START + k * 60 * S for k in range(1, 8)]
    assert sum(sum(performance.operation_s.values()) for performance in told) == 7 * 60


def test_what_was_begun_before_a_silence_is_told_of_its_own_minute(press: Press) -> None:
    press.run(20)
    press.time += 3600 * S
    (before,) = press.instant()
    assert (before.time, before.operation_s) == (START + 60 * S, {"running": 20.0})
    (after,) = press.run(40)
    assert (after.time, after.operation_s) == (START + 3660 * S, {"running": 41.0})


def test_energy_and_parts_of_a_minute(press: Press) -> None:
    press.run(60, kw=36.0, parts_every_s=10)
    (told,) = press.run(60, kw=36.0, parts_every_s=10)
    assert (told.energy, told.energy_unit) == (pytest.approx(0.6), "kW.h")
    assert (told.amount, told.product_unit) == (6.0, "1")


def test_what_nothing_counts_is_not_told(tmp_path: Path) -> None:
    alone = Press(plant_of(tmp_path, 'energy = "energy"'))
    (told,) = alone.run(60, kw=60.0)
    assert (told.energy, told.amount, told.product_unit, told.specific) == (pytest.approx(59 / 60), None, None, None)
    assert np.isnan(alone.trend.excessive[0])
    neither = Press(plant_of(tmp_path, 'state = "state"'))
    (told,) = neither.run(60, kw=60.0)
    assert (told.energy, told.energy_unit, told.amount) == (None, None, None)
    unread = Press(plant_of(tmp_path))
    unread.value[0, ENERGY] = np.nan
    (told,) = unread.run(60, parts_every_s=10)
    assert (told.energy, told.amount) == (None, 6.0)
    assert unread.trend.newest(0) is None


@pytest.mark.parametrize(
    ("unit", "flow", "made", "product"), [("m3/h", 36.0, 6.0, "m3"), ("l/min", 10.0, 100.0, "l"), ("m3", 36.0, 6.0, "m3")]
)
def test_energy_for_what_a_flow_has_brought(tmp_path: Path, unit: str, flow: float, made: float, product: str) -> None:
    press = Press(plant_of(tmp_path, PER_M3, flow_unit=unit))
    press.value[0, FLOW] = flow
    press.run(602, kw=9.0)
    lot = press.trend.newest(0)
    assert lot is not None
    assert (lot.energy, lot.amount) == (pytest.approx(1.5), pytest.approx(made))
    assert (lot.product_unit, lot.value, lot.product, lot.recipe) == (product, pytest.approx(1.5 / made), "flow", None)


def test_a_lot_of_parts_ends_with_a_part(press: Press) -> None:
    press.run(1195, kw=3.6, parts_every_s=70)
    lot = press.trend.newest(0)
    assert lot is not None
    # from the part at 70 s to that at 700 s, which is the first after ten minutes
    assert (lot.since, lot.amount, lot.energy) == (START + 70 * S, 9.0, pytest.approx(0.63))
    assert lot.value == pytest.approx(0.07)


def test_expected_after_five_lots_and_an_anomaly_after_two_that_cost_too_much(coarse: Press) -> None:
    assert list(coarse.lots(5, kw=36.0)) == [None] * 5
    assert list(coarse.lots(1, kw=36.0)) == [pytest.approx(1.0)]
    assert coarse.trend.excessive[0] == 0.0
    (once,) = coarse.lots(1, kw=43.2)
    assert once == pytest.approx(1.2, rel=0.01)
    assert coarse.trend.excessive[0] == 0.0
    (twice,) = coarse.lots(1, kw=43.2)
    assert twice == pytest.approx(1.2, rel=0.01), "what is too much teaches nothing"
    assert coarse.trend.excessive[0] == 1.0
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest.anomalous
    list(coarse.lots(2, kw=36.0))
    assert coarse.trend.excessive[0] == 0.0


def test_a_little_more_or_less_is_no_anomaly(coarse: Press) -> None:
    list(coarse.lots(8, kw=36.0))
    list(coarse.lots(4, kw=37.4))
    assert coarse.trend.excessive[0] == 0.0
    list(coarse.lots(3, kw=20.0))
    assert coarse.trend.excessive[0] == 0.0


def test_each_recipe_has_its_own_expectation(coarse: Press) -> None:
    list(coarse.lots(7, kw=36.0))
    coarse.recipe = "flange"
    coarse.run(10, kw=72.0, parts_every_s=10)
    assert list(coarse.lots(5, kw=72.0)) == [None] * 5
    assert np.isnan(coarse.trend.excessive[0])
    assert list(coarse.lots(1, kw=72.0)) == [pytest.approx(1.0)]
    coarse.recipe = "shaft"
    coarse.run(10, kw=72.0, parts_every_s=10)
    (ratio,) = coarse.lots(1, kw=36.0)
    assert ratio == pytest.approx(1.0)
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest.recipe == "shaft"


@pytest.mark.parametrize("what", ["reset", "gap", "missing", "recipe"])
def test_a_lot_that_is_broken_is_none(coarse: Press, what: str) -> None:
    list(coarse.lots(1, kw=36.0))
    coarse.run(300, kw=36.0, parts_every_s=10)
    before = coarse.trend.newest(0)
    assert before is not None
    match what:
        case "reset":
            coarse.value[0, [ENERGY, PARTS]] = 0.0
        case "gap":
            coarse.time += 180 * S
            coarse.value[0, ENERGY] += 1000.0
        case "missing":
            energy = coarse.value[0, ENERGY]
            coarse.value[0, ENERGY] = np.nan
            coarse.run(10)
            coarse.value[0, ENERGY] = energy + 1000.0
        case "recipe":
            coarse.recipe = "flange"
            coarse.run(10)
            coarse.recipe = "shaft"
    coarse.run(590, kw=36.0, parts_every_s=10)
    assert coarse.trend.newest(0) == before
    coarse.run(40, kw=36.0, parts_every_s=10)
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest != before
    assert newest.value == pytest.approx(0.1, rel=0.05)


def test_an_unhealthy_machine_teaches_nothing(coarse: Press) -> None:
    coarse.healthy = False
    list(coarse.lots(8, kw=72.0))
    coarse.healthy = True
    list(coarse.lots(6, kw=36.0))
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest.expected is None or newest.expected == pytest.approx(0.1, rel=0.01)
    # ill for a moment in the middle of each lot
    for _ in range(6):
        coarse.run(300, kw=70.0, parts_every_s=10)
        coarse.healthy = False
        coarse.run(10, kw=70.0)
        coarse.healthy = True
        coarse.run(290, kw=70.0, parts_every_s=10)
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest.expected == pytest.approx(0.1, rel=0.01)


def test_a_restart_goes_on_in_the_middle_of_a_lot(tmp_path: Path) -> None:
    through, restarted = Press(plant_of(tmp_path, period_s=10.0)), Press(plant_of(tmp_path, period_s=10.0))
    for press in (through, restarted):
        list(press.lots(7, kw=36.0))
        list(press.lots(1, kw=43.0))
        press.run(200, kw=43.0, parts_every_s=10)
    restarted.restart()
    for press in (through, restarted):
        press.run(600, kw=43.0, parts_every_s=10)
    assert restarted.trend.newest(0) == through.trend.newest(0)
    assert restarted.trend.excessive[0] == through.trend.excessive[0] == 1.0


def test_a_clock_set_back_breaks_the_lot_and_nothing_else(coarse: Press) -> None:
    list(coarse.lots(2, kw=36.0))
    coarse.trend.rewind()
    coarse.time -= 7200 * S
    coarse.run(10, kw=36.0)
    before = coarse.trend.newest(0)
    coarse.run(700, kw=36.0, parts_every_s=10)
    newest = coarse.trend.newest(0)
    assert newest is not None
    assert newest != before
    assert newest.value == pytest.approx(0.1)


def test_too_much_energy_raises_its_alarm_through_the_pipeline(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, period_s=10.0)
    pipeline = Pipeline(plant, {})
    recipe, state = pipeline.texts[RECIPE].code("shaft"), pipeline.texts[STATE].code("running")
    energy, parts, time = 5000.0, 40.0, START
    alarms: list[Alarm] = []
    performances: list[Performance] = []

    def run(lots: int, kw: float) -> None:
        nonlocal energy, parts, time
        for _ in range(60 * lots):
            time, energy, parts = time + 10 * S, energy + kw * 10 / 3600, parts + 1
            values = [100.0, energy, parts, 0.0, recipe, state]
            pipeline.feed(SampleBatch.of(list(range(6)), [time] * 6, values))
            results = pipeline.advance(time)
            alarms.extend(results.alarms)
            performances.extend(results.performances)

    run(8, kw=36.0)
    assert alarms == []
    assert {p.operation_s["running"] for p in performances[1:]} == {60.0}
    assert {tuple(p.withheld_s.items()) for p in performances[1:]} == {(("no-model", 60.0),)}
    run(3, kw=43.2)
    (raised,) = alarms
    assert (raised.rule, raised.priority, raised.state) == ("energy", Priority.LOW, AlarmState.ACTIVE_UNACKNOWLEDGED)
    assert raised.text.sv == "Pressen drar 20 % mer energi än vanligt (shaft): 0,12 kWh/detaljer (väntat 0,1)"
    assert raised.text.en == "The press takes 20 % more energy than usual (shaft): 0.12 kWh/parts (expected 0.1)"
    assert raised.evidence.signals == ("energy",)
    run(2, kw=36.0)
    assert [alarm.state for alarm in alarms[1:]] == [AlarmState.RETURNED_UNACKNOWLEDGED]
