"""Two models on the same weeks: which alarms one would have gained, lost, raised earlier or later."""

from dataclasses import dataclass

import numpy as np

from edge.contracts.alarm import Alarm
from edge.contracts.plant import Plant
from edge.formats.json_message import format_time
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.calibrate import WEEK_S
from models.dataset import Watch
from models.evaluate import ANOMALY_RULE, activations, labelled_runs, replay
from models.figures import plainly


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An anomaly alarm: raised and returned [ns UTC], in words, and whether a labelled event was under way; None unlabelled."""

    raised: int
    returned: int
    text: str
    true: bool | None

    def touches(self, other: "Span", within_ns: int) -> bool:
        return self.raised <= other.returned + within_ns and other.raised <= self.returned + within_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the second model does where the first did something else.

    same:   pairs of alarms that tell of one thing, and the second's delay against the first [s]; below 0 it is earlier
    lost:   alarms of the first alone; gained: alarms of the second alone
    rated_s: time that each model gave scores for [s]
    """

    names: tuple[str, str]
    same: tuple[tuple[Span, Span, float], ...]
    lost: tuple[Span, ...]
    gained: tuple[Span, ...]
    rated_s: tuple[float, float]


def compare(
    plant: Plant,
    asset: str,
    models: tuple[OnnxModel, OnnxModel],
    recording: Recording,
    label_column: str | None = None,
    watch: Watch = lambda batches, _: batches,
) -> Comparison:
    """Replay a recording through both models. Alarms that overlap, or nearly so, tell of one thing."""
    period_s = plant.assets[asset].period_s
    events = None
    if label_column is not None:
        rows = labelled_runs(recording.others[label_column])
        events = [(int(recording.time[start]), int(recording.time[stop])) for start, stop in rows]
    spans, rated = [], []
    for model in models:
        assessments, alarms = replay(plant, asset, model, recording, watch=watch)
        spans.append(_spans(alarms, int(recording.time[-1]), events))
        rated.append(sum(each.score is not None for each in assessments) * period_s)
    first, second = spans
    within_ns = round(max(model.spec.n_samples for model in models) * period_s * 1e9)
    same, gained = [], []
    unmatched = list(first)
    for alarm in second:
        other = next((each for each in unmatched if each.touches(alarm, within_ns)), None)
        if other is None:
            gained.append(alarm)
        else:
            unmatched.remove(other)
            same.append((other, alarm, (alarm.raised - other.raised) / 1e9))
    return Comparison(
        names=(_name(models[0]), _name(models[1])),
        same=tuple(same),
        lost=tuple(unmatched),
        gained=tuple(gained),
        rated_s=(rated[0], rated[1]),
    )


def table(found: Comparison) -> str:
    """The comparison for people."""
    one, other = found.names
    sooner = [delay for _, _, delay in found.same if delay < 0]
    later = [delay for _, _, delay in found.same if delay > 0]
    lines = [f"{other} instead of {one}", ""]
    for name, alarms, rated_s in (
        (one, [first for first, _, _ in found.same] + list(found.lost), found.rated_s[0]),
        (other, [second for _, second, _ in found.same] + list(found.gained), found.rated_s[1]),
    ):
        lines.append(f"{name:<24}{_rate(alarms, rated_s)}")
    lines += ["", f"the same: {len(found.same)}, {_moved(sooner, 'earlier')}, {_moved(later, 'later')}"]
    for title, spans in (("gained", found.gained), ("lost", found.lost)):
        lines.append(f"{title}: {len(spans)}")
        lines += [f"  {format_time(span.raised)}{_truth(span)}: {span.text}" for span in spans]
    return "\n".join(lines)


def _name(model: OnnxModel) -> str:
    return f"{model.spec.name} version {model.spec.version}"


def _rate(alarms: list[Span], rated_s: float) -> str:
    weeks = rated_s / WEEK_S
    text = f"{len(alarms)} alarm{'' if len(alarms) == 1 else 's'} in {rated_s / 3600:.3g} h with a score"
    false = [alarm for alarm in alarms if alarm.true is False]
    if any(alarm.true is not None for alarm in alarms) and weeks > 0:
        text += f", {len(false)} of them outside every labelled event ({plainly(len(false) / weeks)} a machine-week)"
    return text


def _moved(delays: list[float], word: str) -> str:
    return f"{len(delays)} {word}" + (f" (median {abs(float(np.median(delays))):.0f} s)" if delays else "")


def _truth(span: Span) -> str:
    return "" if span.true is None else ", in a labelled event" if span.true else ", outside every labelled event"


def _spans(alarms: list[Alarm], end: int, events: list[tuple[int, int]] | None) -> list[Span]:
    return [
        Span(
            raised=each.began,
            returned=each.returned,
            text=each.alarm.text.en,
            true=None if events is None else any(first <= each.began <= last for first, last in events),
        )
        for each in activations(alarms, end)
        if each.alarm.rule == ANOMALY_RULE
    ]
