"""What a model is worth on a labelled recording, measured by replaying it through the very pipeline that runs at the edge."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.assessment import Assessment, State
from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import WaveformBlock
from edge.formats.json_message import format_time
from edge.formats.recording import Recording
from edge.formats.waveform_recording import WaveformRecording
from edge.pipeline import OnnxModel, Pipeline
from models.calibrate import FalseAlarms
from models.dataset import Watch
from models.figures import Confusion, plainly, roc_auc, vus_pr
from models.labels import Condition, Labels
from models.limits_today import limits_today

ANOMALY_RULE = "anomaly"
ACTIVE = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One labelled anomaly, from its first to its last row [ns UTC], and how long [s] it took to be noticed.

    detected_s: until the asset counted as anomalous; alarmed_s: until an alarm was raised; None where that did not happen.
    standing:   an alarm from before the event was still active when it began, so no new one could be raised
    """

    first: int
    last: int
    detected_s: float | None
    alarmed_s: float | None
    standing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A replay against its labels. Each row is judged by the instant at which it enters the grid.

    rows:         judged; withheld: of these, how many had no score, by reason (they count as not flagged)
    auc:          over the rows with a score; NaN where one class is missing
    alarms:       anomaly alarms raised; false_alarms: of these outside every labelled event, with the time [s] in which the
                  machine was scored and nothing was wrong
    other_alarms: by rule, alarms that the model has no part in (fixed limits of the plant file)
    vus_pr:       volume under the surface of precision and recall, with buffers of up to two windows
    today:        by name, the same rows judged by the limits that plants have today
    leads:        [s] from alarm to each labelled failure, None where none stood or came in its fault
    """

    model: str
    version: str
    rows: int
    confusion: Confusion
    auc: float
    withheld: dict[str, int]
    events: tuple[Event, ...]
    alarms: int
    false_alarms: FalseAlarms
    other_alarms: dict[str, int]
    vus_pr: float
    today: dict[str, Confusion]
    leads: tuple[float | None, ...]


def replay(
    plant: Plant,
    asset: str,
    model: OnnxModel,
    recording: Recording,
    waveforms: Sequence[WaveformRecording] = (),
    watch: Watch = lambda batches, _: batches,
) -> tuple[list[Assessment], list[Alarm]]:
    """All assessments and alarms of one asset over a recording."""
    name = plant.assets[asset].model
    if name is None:
        raise RecordingError(f"asset '{asset}' names no model in the plant file; add model = \"{model.spec.name}\"")
    pipeline = Pipeline(plant, {name: model})
    recording = recording.coded({text: pipeline.texts[plant.signal_index[asset, text]] for text in recording.texts})
    blocks = sorted(_blocks(plant, asset, waveforms), key=lambda block: block.time)
    next_block = 0
    assessments: list[Assessment] = []
    alarms: list[Alarm] = []
    rows_per_batch = 256
    for batch in watch(recording.batches(plant, rows_per_batch), -(-len(recording) // rows_per_batch)):
        pipeline.feed(batch)
        if len(batch):
            while next_block < len(blocks) and blocks[next_block].time <= int(batch.time.max()):
                pipeline.feed_waveform(blocks[next_block])
                next_block += 1
            results = pipeline.advance(int(batch.time.max()))
            assessments += results.assessments
            alarms += results.alarms
    results = pipeline.finish()
    return (
        [found for found in assessments + results.assessments if found.asset == asset],
        [found for found in alarms + results.alarms if found.asset == asset],
    )


def _blocks(plant: Plant, asset: str, waveforms: Sequence[WaveformRecording]) -> Iterator[WaveformBlock]:
    index = {entry.name: entry.index for entry in plant.waveform_table if entry.asset == asset}
    for wave in waveforms:
        for time, points in zip(wave.time.tolist(), wave.points, strict=True):
            yield WaveformBlock(signal=index[wave.waveform], time=time, rate_hz=wave.rate_hz, points=points)


def evaluate(
    plant: Plant,
    asset: str,
    model: OnnxModel,
    recording: Recording,
    labels: str | Labels,
    *,
    skip_rows: int = 0,
    waveforms: Sequence[WaveformRecording] = (),
    watch: Watch = lambda batches, _: batches,
) -> Evaluation:
    """Replay a whole recording, and judge the rows from `skip_rows` on (those before may have been trained on).

    labels: the column that is 1 where a row is anomalous, or labelled periods; rows that these call unknown are not judged.
    """
    if skip_rows >= len(recording):
        raise RecordingError(f"{recording.path}: has {len(recording)} rows; --skip-rows {skip_rows} leaves none to judge")
    assessments, alarms = replay(plant, asset, model, recording, waveforms, watch)
    period_ns = round(plant.assets[asset].period_s * 1e9)
    label, known = _row_labels(recording, labels)
    chosen = np.flatnonzero(known & (np.arange(len(recording)) >= skip_rows))
    if not len(chosen):
        raise RecordingError(f"{recording.path}: the labels leave no row to judge")
    time, label = recording.time[chosen], label[chosen]
    judged = _at(assessments, -(-time // period_ns) * period_ns)
    flagged = np.array([found is not None and found.state is State.ANOMALOUS for found in judged], np.bool_)
    score = np.array([np.nan if found is None or found.score is None else found.score for found in judged], np.float64)
    withheld = Counter(
        "silent" if found is None else str(found.reason) for found in judged if found is None or found.score is None
    )
    spans = labelled_runs(label)
    became_active = activations(alarms, int(time[-1]))
    anomaly = [each for each in became_active if each.alarm.rule == ANOMALY_RULE]
    events = tuple(_event(time, flagged, anomaly, start, stop) for start, stop in spans)
    judged_alarms = [each for each in became_active if each.began >= time[0]]
    raised = [each for each in judged_alarms if each.alarm.rule == ANOMALY_RULE]
    return Evaluation(
        model=model.spec.name,
        version=model.spec.version,
        rows=len(time),
        confusion=Confusion.of(label, flagged),
        auc=roc_auc(label, score),
        withheld=dict(withheld),
        events=events,
        alarms=len(raised),
        false_alarms=FalseAlarms(
            count=sum(not any(event.first <= each.began <= event.last for event in events) for each in raised),
            observed_s=int((~np.isnan(score) & ~(label > 0)).sum()) * plant.assets[asset].period_s,
        ),
        other_alarms=dict(Counter(each.alarm.rule for each in judged_alarms if each.alarm.rule != ANOMALY_RULE)),
        vus_pr=vus_pr(label, score, longest=2 * model.spec.n_samples),
        today={
            name: Confusion.of(label, flags[chosen])
            for name, flags in limits_today(recording, plant.assets[asset], model.spec).items()
        },
        leads=_leads(labels, anomaly) if isinstance(labels, Labels) else (),
    )


def _row_labels(recording: Recording, labels: str | Labels) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n_rows,) 1 where anomalous, and (n_rows,) which rows can be judged."""
    if isinstance(labels, str):
        return recording.others[labels], np.ones(len(recording), np.bool_)
    labels.check(recording.path, int(recording.time[0]), int(recording.time[-1]))
    time = recording.time
    faulty = labels.period_of(Condition.FAULT, time, time) >= 0
    return faulty.astype(np.float64), faulty | labels.healthy(time, time)


def _leads(labels: Labels, anomaly: "Sequence[Activation]") -> tuple[float | None, ...]:
    """[s] from the first alarm within the fault that led to a failure, or from one that stood when it came."""
    faults, found = labels.of(Condition.FAULT), []
    for failure in labels.of(Condition.FAILED):
        moment = failure.first
        begun = min((fault.first for fault in faults if fault.first <= moment <= fault.last), default=moment)
        told = [each.began for each in anomaly if begun <= each.began <= moment or each.began <= moment <= each.returned]
        found.append((moment - min(told)) / 1e9 if told else None)
    return tuple(found)


def table(found: Evaluation) -> str:
    """The evaluation for people."""
    c = found.confusion
    lines = [
        f"{found.model} version {found.version}: {found.rows} rows judged, {c.anomalous} of them labelled anomalous",
        "",
        f"{'':<22}{'F1':>8}{'FAR %':>8}{'MAR %':>8}{'ROC AUC':>9}{'VUS-PR':>8}",
        _figures("this model", c.f1, c.false_alarm_rate, c.missed_rate, found.auc, found.vus_pr),
        _figures("every row anomalous", c.floor_f1, 1.0, 0.0, 0.5, c.anomalous / max(found.rows, 1)),
        *(_figures(f"today: {name}", each.f1, each.false_alarm_rate, each.missed_rate) for name, each in found.today.items()),
        "",
    ]
    for event in found.events:
        noticed = _noticed(event)
        lines.append(f"event {format_time(event.first)} to {format_time(event.last)}: {noticed}")
    for lead in found.leads:
        told = "no alarm before it" if lead is None else f"alarm {_duration(lead)} before it"
        lines.append(f"failure: {told}")
    false = found.false_alarms
    lines.append(f"anomaly alarms: {found.alarms}, {false.count} of them outside every labelled event")
    if false.observed_s > 0:
        lines.append(
            f"false alarms: {plainly(false.per_week)} a machine-week, with 95 % confidence at most {plainly(false.at_most)} "
            f"({false.observed_s / 3600:.3g} h were scored in which nothing was wrong)"
        )
    lines += [f"{rule} alarms: {count}" for rule, count in found.other_alarms.items()]
    share = ", ".join(f"{reason} {100 * count / found.rows:.1f} %" for reason, count in found.withheld.items())
    lines.append(f"rows without a score (counted as not flagged): {share or 'none'}")
    return "\n".join(lines)


def as_document(found: Evaluation) -> dict[str, Any]:
    """The evaluation for programs; NaN becomes null in JSON."""
    c = found.confusion
    return {
        "model": found.model,
        "version": found.version,
        "rows": found.rows,
        "f1": c.f1,
        "far": c.false_alarm_rate,
        "mar": c.missed_rate,
        "auc": found.auc,
        "vus_pr": found.vus_pr,
        "today": {
            name: {"f1": each.f1, "far": each.false_alarm_rate, "mar": each.missed_rate} for name, each in found.today.items()
        },
        "lead_s": list(found.leads),
        "floor_f1": c.floor_f1,
        "withheld": found.withheld,
        "events": [
            {
                "from": format_time(event.first),
                "to": format_time(event.last),
                "detected_s": event.detected_s,
                "alarmed_s": event.alarmed_s,
                "standing": event.standing,
            }
            for event in found.events
        ],
        "alarms": found.alarms,
        "false_alarms": found.false_alarms.count,
        "false_alarms_per_week": found.false_alarms.per_week if found.false_alarms.observed_s else None,
        "false_alarms_per_week_at_most": found.false_alarms.at_most if found.false_alarms.observed_s else None,
        "other_alarms": found.other_alarms,
    }


def _at(assessments: Iterable[Assessment], instants: NDArray[np.int64]) -> list[Assessment | None]:
    by_time = {assessment.time: assessment for assessment in assessments}
    return [by_time.get(instant) for instant in instants.tolist()]


def labelled_runs(label: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First and last row of each run of anomalous rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (label > 0).astype(np.int8), [0]])))
    return [(int(start), int(stop) - 1) for start, stop in edges.reshape(-1, 2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One time that an alarm became active, and returned [ns UTC]; `alarm` as it was then.

    In a replay nobody acknowledges, so one alarm becomes active again and again: people would have been told each time.
    """

    began: int
    returned: int
    alarm: Alarm


def activations(alarms: Iterable[Alarm], end: int) -> list[Activation]:
    """All times that alarms became active, in order; what has not returned counts until `end` [ns UTC]."""
    active: dict[str, Alarm] = {}
    found: list[Activation] = []
    for alarm in alarms:
        if alarm.state in ACTIVE:
            active.setdefault(alarm.alarm_id, alarm)
        elif (began := active.pop(alarm.alarm_id, None)) is not None:
            found.append(Activation(began=began.changed, returned=alarm.changed, alarm=began))
    found += [Activation(began=alarm.changed, returned=end, alarm=alarm) for alarm in active.values()]
    return sorted(found, key=lambda each: each.began)


def _event(time: NDArray[np.int64], flagged: NDArray[np.bool_], anomaly: list[Activation], start: int, stop: int) -> Event:
    begun, ended = int(time[start]), int(time[stop])
    detected = np.flatnonzero(flagged[start : stop + 1])
    raised = [each.began for each in anomaly if begun <= each.began <= ended]
    return Event(
        first=begun,
        last=ended,
        detected_s=(int(time[start + detected[0]]) - begun) / 1e9 if len(detected) else None,
        alarmed_s=(min(raised) - begun) / 1e9 if raised else None,
        standing=any(each.began < begun <= each.returned for each in anomaly),
    )


def _noticed(event: Event) -> str:
    if event.detected_s is None:
        return "not detected"
    if event.alarmed_s is not None:
        alarm = f"alarm after {event.alarmed_s:.0f} s"
    else:
        alarm = "an alarm from before still stood" if event.standing else "no alarm"
    return f"detected after {event.detected_s:.0f} s, {alarm}"


def _duration(seconds: float) -> str:
    """A length of time as people say it."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _figures(
    name: str, f1: float, false_alarm_rate: float, missed_rate: float, auc: float | None = None, vus: float | None = None
) -> str:
    line = f"{name:<22}{f1:>8.3f}{100 * false_alarm_rate:>8.1f}{100 * missed_rate:>8.1f}"
    # a limit that only says yes or no has no curve
    line += "" if auc is None else f"{auc:>9.3f}"
    line += "" if vus is None else f"{vus:>8.3f}"
    # a figure that the labels do not allow, such as the missed rate of a healthy recording
    return line.replace("nan", "  –")
