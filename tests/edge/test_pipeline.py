"""What goes in as samples comes out as assessments and alarms."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contracts.alarm import AlarmState
from edge.contracts.assessment import Assessment, Reason, State
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import Quality, SampleBatch
from edge.pipeline import OnnxModel, Pipeline, Results, grid_values
from tests.edge.conftest import write_model

S = 1_000_000_000
START = 1_700_000_000 * S
SPEED, FORCE = 0, 1

MakePlant = Callable[..., Plant]


def rows(force: list[float], speed: float = 100.0, start: int = 0) -> list[SampleBatch]:
    """One batch a second with both signals."""
    return [SampleBatch.of([SPEED, FORCE], [START + (start + k) * S] * 2, [speed, value]) for k, value in enumerate(force)]


def replay(pipeline: Pipeline, batches: list[SampleBatch]) -> Results:
    out = Results()
    for batch in batches:
        pipeline.feed(batch)
        part = pipeline.advance(int(batch.time.max()))
        out.assessments.extend(part.assessments)
        out.alarms.extend(part.alarms)
    rest = pipeline.finish()
    return Results(assessments=[*out.assessments, *rest.assessments], alarms=[*out.alarms, *rest.alarms])


@pytest.fixture
def pipeline(make_plant: MakePlant, model_file: Path) -> Pipeline:
    return Pipeline(make_plant(), {"press": OnnxModel.load(model_file)})


def reasons(assessments: list[Assessment]) -> list[str | None]:
    return [a.reason.value if a.reason else None for a in assessments]


def test_every_second_is_assessed_once_and_scored_when_the_window_is_full(pipeline: Pipeline) -> None:
    results = replay(pipeline, rows([5.0, 6.0, 7.0, 20.0]))
    assert [(a.time - START) // S for a in results.assessments] == [0, 1, 2, 3]
    assert reasons(results.assessments) == ["warming-up", "warming-up", None, None]
    assert [a.score for a in results.assessments[2:]] == [np.float32(0.7), np.float32(2.0)]
    assert [a.state for a in results.assessments[2:]] == [State.NORMAL, State.ANOMALOUS]
    assert results.assessments[3].measured == {"speed": 100.0, "force": 20.0}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_of_arrival_within_the_lateness_changes_nothing(
    make_plant: MakePlant, model_file: Path, data: st.DataObject
) -> None:
    lateness = 2.0
    plant, model = make_plant(lateness=lateness), OnnxModel.load(model_file)
    n = data.draw(st.integers(1, 60))
    samples = [
        (
            data.draw(st.sampled_from([SPEED, FORCE])),
            START + round(data.draw(st.floats(0, 12)) * 10) * S // 10,
            data.draw(st.sampled_from([0.0, 5.0, 100.0, 20.0])),
            data.draw(st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.UNCERTAIN, Quality.BAD])),
        )
        for _ in range(n)
    ]
    in_order = sorted(samples, key=lambda sample: sample[1])
    # each sample may come up to the lateness later than its time
    delays = data.draw(st.lists(st.floats(0, lateness), min_size=n, max_size=n))
    delayed = sorted(zip(in_order, delays, strict=True), key=lambda pair: pair[0][1] + pair[1] * S)

    def run(arrivals: list[tuple[tuple[int, int, float, int], float]]) -> list[Assessment]:
        pipeline = Pipeline(plant, {"press": model})
        out: list[Assessment] = []
        for (signal, time, value, quality), delay in arrivals:
            pipeline.feed(SampleBatch.of([signal], [time], [value], [quality]))
            # the stream's time is that of the arrival: never more than the lateness ahead of a sample to come
            out += pipeline.advance(int(time + delay * S)).assessments
        assert pipeline.counts["late"] == 0
        return out + pipeline.advance(START + 20 * S).assessments

    assert run(delayed) == run([(sample, 0.0) for sample in in_order])


def test_a_late_sample_is_counted_and_not_used(pipeline: Pipeline) -> None:
    for batch in rows([5.0, 5.0, 5.0, 5.0]):
        pipeline.feed(batch)
    pipeline.advance(START + 4 * S)
    pipeline.feed(SampleBatch.of([FORCE], [START + S], [999.0]))
    later = pipeline.advance(START + 6 * S).assessments
    assert pipeline.counts == {"late": 1}
    assert all(a.measured["force"] == 5.0 for a in later)


def test_of_repeated_samples_one_counts(pipeline: Pipeline) -> None:
    batches = rows([5.0, 5.0, 5.0])
    results = replay(pipeline, [batch for batch in batches for _ in range(2)])
    assert len(results.assessments) == 3
    assert pipeline.counts["duplicate"] + pipeline.counts["late"] == 6


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (SampleBatch.of([SPEED, FORCE], [START + 3 * S] * 2, [0.5, 5.0]), Reason.MACHINE_OFF),
        (SampleBatch.of([SPEED, FORCE], [START + 3 * S] * 2, [100.0, np.nan], [0, Quality.BAD]), Reason.BAD_QUALITY),
    ],
)
def test_what_cannot_be_judged_is_withheld_with_the_reason(pipeline: Pipeline, batch: SampleBatch, reason: Reason) -> None:
    last = replay(pipeline, [*rows([5.0, 5.0, 5.0]), batch]).assessments[-1]
    assert (last.state, last.reason, last.score) == (State.WITHHELD, reason, None)


def test_a_signal_that_stops_is_stale_and_a_silent_asset_falls_silent(pipeline: Pipeline) -> None:
    results = replay(pipeline, rows([5.0] * 4))
    # speed goes on, force does not
    more = [SampleBatch.of([SPEED], [START + (4 + k) * S], [100.0]) for k in range(8)]
    alone = replay(pipeline, more).assessments
    assert reasons(alone)[:5] == [None] * 5
    assert reasons(alone)[-1] == "stale"
    # nothing at all any more: a few instants, then no more
    silent = pipeline.advance(START + 1_000_000 * S).assessments
    assert 0 < len(silent) < 12
    assert reasons(silent)[-1] == "stale"
    # and a year of silence costs nothing; what comes after it warms up anew
    again = replay(pipeline, rows([5.0] * 3, start=1_000_010)).assessments
    assert reasons(again) == ["warming-up", "warming-up", None]
    assert len(results.assessments) == 4


def test_a_standstill_is_not_mixed_into_the_window(pipeline: Pipeline) -> None:
    off = rows([5.0] * 2, speed=0.0, start=3)
    on = rows([5.0] * 3, start=5)
    results = replay(pipeline, [*rows([5.0] * 3), *off, *on]).assessments
    assert reasons(results)[3:] == ["machine-off", "machine-off", "warming-up", "warming-up", None]


@pytest.mark.parametrize(("resample", "expected"), [("mean", 4.0), ("min", 2.0), ("max", 6.0), ("last", 2.0)])
def test_resampling_over_the_period(make_plant: MakePlant, resample: str, expected: float) -> None:
    batch = SampleBatch.of([FORCE, FORCE, FORCE], [START + S // 4, START + S // 2, START + S], [4.0, 6.0, 2.0])
    values = grid_values(make_plant(resample=resample), "press-1", [batch], n_samples=3)
    assert values.time.tolist() == [START + S]
    assert values.value[0].tolist()[1] == expected


def test_the_whole_life_of_an_alarm(pipeline: Pipeline) -> None:
    results = replay(pipeline, rows([5.0] * 3 + [20.0] * 4))
    (raised,) = results.alarms
    # persistence 1, on-delay 2 s: anomalous at 3, 4 and 5
    assert ((raised.raised - START) // S, raised.state, raised.rule) == (5, AlarmState.ACTIVE_UNACKNOWLEDGED, "anomaly")
    assert raised.priority == "high"
    command = AlarmCommand(command_id="c", by="anna", time=START + 7 * S, alarm_id=raised.alarm_id, comment="seen")
    (acknowledged,) = pipeline.command(AlarmVerb.ACKNOWLEDGE, command)
    assert (acknowledged.state, acknowledged.by, acknowledged.comment) == (AlarmState.ACTIVE_ACKNOWLEDGED, "anna", "seen")
    assert acknowledged.changed >= raised.changed
    assert pipeline.command(AlarmVerb.ACKNOWLEDGE, command) == []
    # 9 is below the limit but not below limit less hysteresis: it stays
    assert not replay(pipeline, rows([9.0] * 8, start=7)).alarms
    (returned,) = replay(pipeline, rows([5.0] * 7, start=15)).alarms
    assert (returned.alarm_id, returned.state) == (raised.alarm_id, AlarmState.NORMAL)
    assert pipeline.alarms.open == ()


def test_a_small_deviation_that_lasts_raises_an_alarm_and_ends_after_the_repair(make_plant: MakePlant, tmp_path: Path) -> None:
    path = tmp_path / "press.onnx"
    write_model(path, sustained={"limit": 0.5, "instants": 100, "quick_limit": 0.4, "quick_instants": 5})
    pipeline = Pipeline(make_plant(), {"press": OnnxModel.load(path)})
    # a score of 0.3 is usual, one of 0.8 stays below the limit of 1
    found = replay(pipeline, rows([3.0] * 400 + [8.0] * 400 + [3.0] * 60))
    score = np.array([each.score or 0.0 for each in found.assessments])
    raised = np.flatnonzero(score >= 1.0)
    assert score[:400].max() == pytest.approx(0.3)
    # the mean comes from 0.3 to 0.5 of 0.8 in 100 · ln(5 / 3) instants
    assert raised[0] == pytest.approx(400 + 100 * np.log(5 / 3), abs=3)
    assert raised[-1] < 810
    assert [each.state for each in found.alarms if each.rule == "anomaly"] == [
        AlarmState.ACTIVE_UNACKNOWLEDGED,
        AlarmState.RETURNED_UNACKNOWLEDGED,
    ]
    assert found.assessments[700].state is State.ANOMALOUS
    assert all(each.rul_h is None for each in found.assessments)


def test_a_fixed_limit_raises_its_own_alarm_with_words_in_both_languages(pipeline: Pipeline) -> None:
    alarms = {alarm.rule: alarm for alarm in replay(pipeline, rows([60.0] * 6)).alarms}
    assert set(alarms) == {"anomaly", "limit-alarm-force"}
    assert alarms["limit-alarm-force"].text.en == "press-1: force 60 kN has reached the alarm limit 50 kN"
    assert alarms["limit-alarm-force"].text.sv == "press-1: force 60 kN har nått larmgränsen 50 kN"


def test_a_shelved_alarm_is_silent_and_comes_back_when_its_time_is_up(pipeline: Pipeline) -> None:
    (raised,) = replay(pipeline, rows([5.0] * 3 + [20.0] * 4)).alarms
    # the operator's clock is that of another day: what counts is for how long
    asked = 1_800_000_000 * S
    command = AlarmCommand(command_id="c", by="a", time=asked, alarm_id=raised.alarm_id, shelved_until=asked + 5 * S)
    (shelved,) = pipeline.command(AlarmVerb.SHELVE, command)
    assert (shelved.state, shelved.shelved_until) == (AlarmState.SHELVED, START + 11 * S)
    (back,) = replay(pipeline, rows([20.0] * 8, start=7)).alarms
    assert (back.state, back.shelved_until) == (AlarmState.ACTIVE_UNACKNOWLEDGED, None)


def test_a_restart_goes_on_with_windows_and_says_nothing_twice(
    pipeline: Pipeline, make_plant: MakePlant, model_file: Path
) -> None:
    whole = rows([5.0 + k % 4 for k in range(12)])
    before = [a for batch in whole[:6] for a in _step(pipeline, batch)]
    saved = {key: array.copy() for key, array in pipeline.state().items()}
    before += [a for batch in whole[6:8] for a in _step(pipeline, batch)]
    restarted = Pipeline(make_plant(), {"press": OnnxModel.load(model_file)})
    restarted.restore(saved, pipeline.reached)
    # what came between the saved state and the kill is gone; the first new sample is scored all the same
    after = [a for batch in whole[8:] for a in _step(restarted, batch)] + restarted.finish().assessments
    times = [a.time for a in before + after]
    assert times == sorted(set(times))
    assert len(times) == 12
    assert reasons(after) == [None] * len(after)


def test_what_is_no_state_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(KeyError):
        pipeline.restore({"0/window/window": np.zeros((1, 3, 2))}, [START])


def test_another_plant_file_keeps_what_it_leaves_as_it_is(tmp_path: Path, make_plant: MakePlant, model_file: Path) -> None:
    """A machine before and one behind it come, and its signals stand in another order."""
    path = tmp_path / "plant.toml"
    make_plant()
    head, machine = path.read_text().split("[assets.press-1]")
    body, signals = machine.split("[assets.press-1.signals]")
    speed, force = signals.strip().splitlines()
    swapped = [
        f"[assets.{name}]{body}[assets.{name}.signals]\n{force}\n{speed}\n" for name in ("press-0", "press-1", "press-2")
    ]
    path.write_text(head + "".join(swapped))
    plant = load_plant(path)
    model = OnnxModel.load(model_file)
    before = Pipeline(make_plant(), {"press": model})
    replay_part = [a for batch in rows([5.0, 6.0, 7.0]) for a in _step(before, batch)]
    after = Pipeline(plant, {"press": model})
    assert after.restore(before.state(), before.reached) == ["press-0", "press-2"]
    assert after.waiting.sum() == before.waiting.sum() > 0
    index = plant.signal_index
    speed_1, force_1, speed_0 = (index[key] for key in (("press-1", "speed"), ("press-1", "force"), ("press-0", "speed")))
    batch = SampleBatch.of([speed_1, force_1, speed_0], [START + 3 * S] * 3, [100.0, 8.0, 100.0])
    after.account.receive(batch.signal)
    after.feed(batch)
    results = after.advance(START + 6 * S).assessments
    mine = [a for a in results if a.asset == "press-1"]
    assert [(a.time - START) // S for a in [*replay_part, *mine]] == [0, 1, 2, 3, 4, 5]
    assert mine[0].reason is None
    assert [a.score for a in mine[:2]] == [np.float32(0.7), np.float32(0.8)]
    assert mine[1].measured == {"speed": 100.0, "force": 8.0}
    assert {a.reason for a in results if a.asset == "press-0"} <= {Reason.WARMING_UP, Reason.STALE, Reason.LOW_COVERAGE}
    assert not after.account.difference(after.waiting).any()
    fewer = Pipeline(make_plant(), {"press": model})
    assert fewer.restore(after.state(), after.reached) == []
    assert np.array_equal(fewer.state()["0/window/window"][0, :, [0, 1]], after.state()["0/window/window"][1, :, [1, 0]])
    assert np.array_equal(fewer.state()["0/degradation/sum"][:, 0], after.state()["0/degradation/sum"][:, 1])


def test_another_model_or_unit_begins_anew(tmp_path: Path, make_plant: MakePlant, model_file: Path) -> None:
    pipeline = Pipeline(make_plant(), {"press": OnnxModel.load(model_file)})
    for batch in rows([5.0, 6.0, 7.0]):
        _step(pipeline, batch)
    assert Pipeline(make_plant(), {}).restore(pipeline.state(), pipeline.reached) == ["press-1"]
    path = tmp_path / "plant.toml"
    path.write_text(path.read_text().replace('field = "force"', 'field = "load"'))
    assert Pipeline(load_plant(path), {"press": OnnxModel.load(model_file)}).restore(pipeline.state(), pipeline.reached) == [
        "press-1"
    ]
    path.write_text(path.read_text().replace('field = "load"', 'field = "force"').replace("alarm = 50.0", "warning = 40.0"))
    changed = Pipeline(load_plant(path), {"press": OnnxModel.load(model_file)})
    assert changed.restore(pipeline.state(), pipeline.reached) == [], "another limit leaves the windows as they are"
    assert changed.can_alarm("press-1", "limit-warning-force")
    assert not changed.can_alarm("press-1", "limit-alarm-force")
    assert not changed.can_alarm("press-2", "anomaly")


def test_a_replay_is_repeatable_to_the_bit(make_plant: MakePlant, model_file: Path) -> None:
    noise = np.random.default_rng(1).normal(5, 3, 200)

    def run() -> Results:
        return replay(Pipeline(make_plant(), {"press": OnnxModel.load(model_file)}), rows(noise.tolist()))

    first = run()
    assert first == run()
    assert first.alarms


def test_a_clock_set_back_begins_anew(pipeline: Pipeline) -> None:
    replay(pipeline, rows([5.0] * 5, start=1000))
    pipeline.rewind()
    assert reasons(replay(pipeline, rows([5.0] * 4)).assessments) == ["warming-up", "warming-up", None, None]


def _step(pipeline: Pipeline, batch: SampleBatch) -> list[Assessment]:
    pipeline.feed(batch)
    return pipeline.advance(int(batch.time.max())).assessments
