"""Scenarios played through simulator and pipeline: what was said of each machine, against what was true of it.

The machine first runs healthy for as long as its model is trained on; then the scenario begins. The pipeline, the model's
training and the messages are those of the product. Several plays of one machine go through one pipeline side by side.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.case import Case
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import WaveformBlock
from edge.formats.recording import Recording
from edge.formats.waveform_recording import WaveformRecording
from edge.pipeline import OnnxModel, Pipeline
from models.dataset import select
from models.export import write
from models.settings import Settings
from models.training import train
from simulator.accelerometers import VibrationRecorder
from simulator.demo.first_models import HEALTHY_HOURS
from simulator.generate import SHIFT_H, START, Labels, Story, generate
from simulator.machines.catalogue import MACHINES
from simulator.randomness import Draws
from simulator.scenario import Happening, Injection, Repair, Scenario, happenings

S_PER_H: Final = 3600.0
NS_PER_H: Final = 3_600_000_000_000
BLOCK_EVERY_S: Final = 60.0
# before the scenario begins, so that it is known how the machine sounds while healthy
LISTENED_NS: Final = 2 * NS_PER_H
ROWS_AT_ONCE: Final = 256
# remaining lives are compared so often [s]: neighbours say the same
LIFE_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One machine in one scenario: rows from the beginning of the training on; the scenario begins at `begins` [ns UTC]."""

    name: str
    asset: str
    asset_class: str
    recording: Recording
    labels: Labels
    waveforms: tuple[WaveformRecording, ...]
    story: tuple[Happening, ...]
    begins: int


@dataclass(slots=True, kw_only=True)
class Said:
    """What the pipeline said of one play, from the scenario's begin on.

    time, reason: (n,) of the instants, and why there was no score; withheld: how many, by reason
    lives: (m, 4) at some instants the time [ns UTC] and p10, p50, p90 [h]
    """

    time: list[int] = field(default_factory=list)
    reason: list[str | None] = field(default_factory=list)
    withheld: Counter[str] = field(default_factory=Counter)
    alarms: list[Alarm] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    lives: list[tuple[int, float, float, float]] = field(default_factory=list)


def trained_hours(plant: Plant, asset: str) -> float:
    return HEALTHY_HOURS * max(plant.assets[asset].period_s, 1.0)


def play(
    plant: Plant,
    asset: str,
    name: str,
    scenario: Scenario,
    hours: float,
    seed: int,
    story_seed: int,
    before_h: float | None = None,
    shift_h: float = SHIFT_H,
) -> Play:
    """`hours` of a scenario, after the hours that a model is trained on (None: as for the demo).

    story_seed: of what happens by chance
    """
    before_h = trained_hours(plant, asset) if before_h is None else before_h
    story = []
    for happening in happenings(scenario, {asset: plant.assets[asset].asset_class}, story_seed):
        if happening.at_s > hours * S_PER_H:
            break
        story.append(replace(happening, at_s=happening.at_s + before_h * S_PER_H))
    begins = START + round(before_h * NS_PER_H)
    listener = VibrationRecorder(plant, seed, BLOCK_EVERY_S, begins - LISTENED_NS) if plant.assets[asset].waveforms else None
    ((recording, labels),) = generate(
        plant, [asset], hours=before_h + hours, seed=seed, story=Story(extra=tuple(story)), listener=listener, shift_h=shift_h
    )
    return Play(
        name=name,
        asset=asset,
        asset_class=plant.assets[asset].asset_class,
        recording=recording,
        labels=labels,
        waveforms=tuple(listener.recordings) if listener else (),
        story=tuple(story),
        begins=begins,
    )


def trained(plant: Plant, played: Play, path: Path) -> OnnxModel:
    """A model of the healthy hours before the scenario, as `python -m models train` makes it for the demo."""
    recording = select(played.recording, last=played.begins - 1)
    write(path, train(recording, plant, Settings(false_alarms=0.0)).content)
    return OnnxModel.load(path)


def replay(plant: Plant, model: OnnxModel, plays: Sequence[Play]) -> dict[str, Said]:
    """By name of the play what was said of it."""
    asset = plays[0].asset
    settings = replace(plant.assets[asset], model="played")
    beside = replace(plant, assets={each.name: settings for each in plays})
    pipeline = Pipeline(beside, {"played": model})
    said = {each.name: Said() for each in plays}
    settled_ns = max(round(model.spec.n_samples * settings.period_s * 1e9), LISTENED_NS if settings.waveforms else 0)
    streams = [_batches(beside, pipeline, each, settled_ns) for each in plays]
    begins = {each.name: each.begins for each in plays}
    last_life: dict[str, int] = {}
    repairs = sorted((START + round(h.at_s * 1e9), p.name) for p in plays for h in p.story if isinstance(h.action, Repair))
    for together in zip(*streams, strict=True):
        to = 0
        for batch, blocks in together:
            pipeline.feed(batch)
            for block in blocks:
                pipeline.feed_waveform(block)
            to = max(to, int(batch.time.max()))
        results = pipeline.advance(to)
        while repairs and repairs[0][0] <= to:
            # whoever repairs has seen the alarms
            _, repaired = repairs.pop(0)
            results.alarms.extend(_acknowledged(pipeline, repaired, to))
        for found in results.assessments:
            heard = said[found.asset]
            if found.time < begins[found.asset]:
                continue
            heard.time.append(found.time)
            heard.reason.append(found.reason)
            if found.reason is not None:
                heard.withheld[found.reason] += 1
            life = found.rul_h
            if life is not None and found.time - last_life.get(found.asset, 0) >= LIFE_EVERY_S * 1e9:
                last_life[found.asset] = found.time
                heard.lives.append((found.time, float(life.p10), float(life.p50), float(life.p90)))
        for alarm in results.alarms:
            said[alarm.asset].alarms.append(alarm)
        for case in results.cases:
            said[case.asset].cases.append(case)
    return said


def _batches(plant: Plant, pipeline: Pipeline, played: Play, before_ns: int) -> Iterator[tuple[object, list[WaveformBlock]]]:
    """Samples and blocks of one play, from so long before its scenario on that windows are full when that begins."""
    recording = replace(select(played.recording, first=played.begins - before_ns), asset=played.name)
    recording = recording.coded({text: pipeline.texts[plant.signal_index[played.name, text]] for text in recording.texts})
    index = {entry.name: entry.index for entry in plant.waveform_table if entry.asset == played.name}
    blocks = (
        sorted(
            (time, index[wave.waveform], wave.rate_hz, wave.points[row])
            for wave in played.waveforms
            for row, time in enumerate(wave.time.tolist())
            if time >= played.begins - before_ns
        )
        if len(played.waveforms) == 1
        else []
    )
    place = 0
    for batch in recording.batches(plant, ROWS_AT_ONCE):
        newest, due = int(batch.time.max()), []
        while place < len(blocks) and blocks[place][0] <= newest:
            time, signal, rate_hz, points = blocks[place]
            due.append(WaveformBlock(signal=signal, time=time, rate_hz=rate_hz, points=points))
            place += 1
        yield batch, due


def _acknowledged(pipeline: Pipeline, asset: str, time: int) -> list[Alarm]:
    changed: list[Alarm] = []
    for alarm in pipeline.alarms.open:
        if alarm.asset == asset and alarm.state in (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED):
            command = AlarmCommand(command_id="repair", by="repair", time=time, alarm_id=alarm.alarm_id)
            changed += pipeline.command(AlarmVerb.ACKNOWLEDGE, command)
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One fault of a story: from its first trace to its repair [ns UTC]; `fails` where it completes before that.

    severity: what it grows to; reached: how far it had come when it was repaired, 1 is failure
    """

    fault: str
    severity: float
    reached: float
    begins: int
    ends: int
    fails: int | None


def troubles(played: Play) -> list[Trouble]:
    """The faults of a play, in the order of their beginnings; sensors' faults are named `sensor: <signal> <kind>`."""
    return of_story(played.story, played.asset_class, int(played.recording.time[-1]))


def of_story(story: Sequence[Happening], asset_class: str, end: int) -> list[Trouble]:
    """The faults of a story of one machine of this class until `end` [ns UTC]."""
    laws = {fault.id: fault.law for fault in MACHINES[asset_class](Draws([(1,)])).faults}
    found = []
    for number, happening in enumerate(story):
        later = story[number + 1 :]
        repaired = next((each.at_s for each in later if isinstance(each.action, Repair)), None)
        begins = START + round(happening.at_s * 1e9)
        ends = START + round(repaired * 1e9) if repaired is not None else end
        action = happening.action
        if isinstance(action, Injection):
            complete = begins + round(action.over_s * 1e9)
            fails = complete if action.severity >= 1.0 and complete <= ends else None
            share = np.array(min((ends - begins) / 1e9 / max(action.over_s, 1e-9), 1.0))
            reached = action.severity * float(laws[action.fault](share))
            found.append(
                Trouble(fault=action.fault, severity=action.severity, reached=reached, begins=begins, ends=ends, fails=fails)
            )
        elif (sensor := getattr(action, "signal", None)) is not None:
            fault = f"sensor: {sensor} {getattr(action, 'kind', '')}".rstrip()
            found.append(Trouble(fault=fault, severity=0.0, reached=0.0, begins=begins, ends=ends, fails=None))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one fault: hours from its first trace to the alarm, from the alarm to its failure (or repair), and names.

    after_h, lead_h: None where no alarm stood in its time; limit_after_h: the same of the plant's fixed alarm limits
    first_named, named: the fault mode that was named first from the alarm on while the fault was there, and the last one
    """

    trouble: Trouble
    after_h: float | None
    lead_h: float | None
    limit_after_h: float | None
    first_named: str | None
    named: str | None


def findings(played: Play, said: Said) -> list[Finding]:
    """What became of each fault of a play."""
    found = []
    for trouble in troubles(played):
        alarm = _first(said.alarms, "anomaly", trouble)
        limit = _first(said.alarms, "limit-alarm-", trouble)
        # what grows slowly shows only now and then at first, and may have several cases
        of_it = [case for case in said.cases if alarm is not None and alarm.changed <= case.changed <= trouble.ends]
        names = [case.fault.name for case in of_it if case.fault is not None]
        until = trouble.fails or trouble.ends
        found.append(
            Finding(
                trouble=trouble,
                after_h=_hours(trouble.begins, alarm),
                lead_h=(until - alarm.changed) / NS_PER_H if alarm is not None else None,
                limit_after_h=_hours(trouble.begins, limit),
                first_named=names[0] if names else None,
                named=names[-1] if names else None,
            )
        )
    return found


def false_alarms(played: Play, said: Said, grace_s: float, rule: str = "anomaly") -> list[Alarm]:
    """Of rules that begin so, each time that an alarm became active when nothing was wrong, nor had been for `grace_s`.

    One that nobody acknowledges becomes active again and again.
    """
    grace_ns = round(grace_s * 1e9)
    wrong = [(each.begins, each.ends + grace_ns) for each in troubles(played)]
    return [
        alarm
        for alarm in said.alarms
        if alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED
        and alarm.rule.startswith(rule)
        and not any(first <= alarm.changed <= last for first, last in wrong)
    ]


def life_errors(played: Play, said: Said) -> NDArray[np.float64]:
    """(m, 5) where a remaining life was told while a fault led to failure: the true one, p10, p50, p90 [h], and which fault."""
    rows = []
    failing = [each for each in troubles(played) if each.fails is not None]
    for time, *told in said.lives:
        row = int(np.searchsorted(played.recording.time, time, "right")) - 1
        truth = float(played.labels.rul_h[row])
        if np.isfinite(truth) and played.labels.severity[row] > 0:
            life = next((number for number, each in enumerate(failing) if each.begins <= time <= each.ends), -1)
            rows.append((truth, *told, life))
    return np.array(rows).reshape(len(rows), 5)


def _first(alarms: Sequence[Alarm], rule: str, trouble: Trouble) -> Alarm | None:
    return next(
        (
            alarm
            for alarm in alarms
            if alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED
            and alarm.rule.startswith(rule)
            and trouble.begins <= alarm.changed <= trouble.ends
        ),
        None,
    )


def _hours(begins: int, alarm: Alarm | None) -> float | None:
    return (alarm.changed - begins) / NS_PER_H if alarm is not None else None
