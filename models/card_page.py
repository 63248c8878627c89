"""The model card as one HTML page with its pictures; the words are those of the Markdown card."""

import numpy as np
from markdown_it import MarkdownIt
from numpy.typing import NDArray

from models.labels import Condition
from models.pictures import HEIGHT, NAMES, WIDTH, Chart, round_ticks, thinned
from models.training import TrainedModel

NS_PER_H = 3.6e12
# windows of which a picture is made at most
MOST_DRAWN = 20_000
EIGHTHS = 8

STYLE = """
:root { color-scheme: light dark; --ink: #1b2a33; --soft: #5b6b75; --line: #c8d5dd; --blue: #2a6f97; --red: #b8323f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf1; --soft: #9fb0ba; --line: #3a4a54; --blue: #6fb3d9; --red: #ff7b86; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 47.5rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: 1rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
code { overflow-wrap: anywhere; }
figure { margin: 1.5rem 0; overflow-x: auto; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; min-width: 600px; height: auto; font: 12px system-ui, sans-serif; fill: var(--ink); }
.axis, .grid { fill: none; stroke: var(--line); } .tick, .label { fill: var(--soft); }
polyline { fill: none; stroke: var(--blue); stroke-width: 1.2; } polyline.limit { stroke: var(--red); stroke-dasharray: 6 4; }
polyline.truth { stroke: var(--soft); stroke-dasharray: 3 3; } polygon.fan { fill: var(--blue); opacity: .25; }
rect.part { fill: var(--blue); } rect.event { fill: var(--red); opacity: .18; } rect.part:hover { opacity: .7; }
rect.warm, rect.cool { opacity: .4; } rect.warm { fill: var(--red); } rect.cool { fill: var(--blue); }
rect.calm { fill: var(--line); opacity: .35; }
"""


def page(trained: TrainedModel, markdown: str) -> str:
    """The whole page; `markdown` has a comment where each picture belongs."""
    body: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    for name, draw in PICTURES.items():
        figure = draw(trained)
        body = body.replace(f"<!-- {name} -->", figure or "")
    title = f"{trained.spec.name}, version {trained.spec.version}"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style>\n<body>\n{body}</body></html>\n"
    )


def scores(trained: TrainedModel) -> str:
    """Held-out healthy scores over time; with labelled faults, the scores of all that was recorded."""
    data, labels = trained.data, trained.labels
    if labels is not None and labels.modes and not data.modes.contexts:
        every = np.arange(0, len(data.scored), max(1, len(data.scored) // MOST_DRAWN))
        some = data.scored.only(every)
        time, score = data.scored_time[every], trained.detector.scores(trained.features.compute(some))
        caption = "Score of everything that was recorded; labelled faults are shaded, and the dashed line is the alarm limit."
    else:
        time, score = data.time[trained.calibration.index], trained.calibration.scores
        caption = "Score of healthy data, each quarter judged by limits from the others; the dashed line is the alarm limit."
    begin = int(time[0])
    hours = (time - begin) / NS_PER_H
    highest = float(np.clip(score.max() * 1.1, 1.5, 8.0))
    chart = Chart(
        title="Score over time",
        x=(0.0, float(hours[-1])),
        y=(0.0, highest),
        x_label="hours from the beginning",
        y_label="score",
        x_ticks=round_ticks(0.0, float(hours[-1])),
        y_ticks=round_ticks(0.0, highest),
    )
    for period in labels.of(Condition.FAULT) if labels is not None else ():
        first, last = ((moment - begin) / NS_PER_H for moment in (period.first, min(period.last, int(time[-1]))))
        chart.bar((first, last), (0.0, highest), "event")
        chart.text(first, highest * 0.94, period.mode)
    chart.line(*thinned(hours, score), "score")
    chart.line([0.0, float(hours[-1])], [1.0, 1.0], "limit")
    return _figure(chart, caption)


def contributions(trained: TrainedModel) -> str:
    """Which signals stood behind the highest healthy scores."""
    index = trained.calibration.index
    highest = index[np.argsort(-trained.calibration.scores)[: max(1, len(index) // 100)]]
    data, features = trained.data, trained.features
    computed = features.compute(data.windows.only(highest))
    share = trained.detector.contributions(computed, data.mode[highest]) @ np.eye(features.n_sources)[features.signal_of]
    names = [*(signal.name for signal in data.signals), *(each.name for each in features.spectra)]
    order = np.argsort(-share.mean(axis=0))
    height = 24 * len(names) + 56
    chart = Chart(
        title="Shares of the highest healthy scores",
        x=(0.0, 1.0),
        y=(0.0, float(len(names))),
        x_label="share of the score",
        x_ticks=[(tick / 5, f"{20 * tick} %") for tick in range(6)],
        y_ticks=[(len(names) - row - 0.5, names[number]) for row, number in enumerate(order.tolist())],
        height=height,
        left=NAMES,
    )
    for row, number in enumerate(order.tolist()):
        low = len(names) - row - 1
        mean = float(share[:, number].mean())
        chart.bar((0.0, mean), (low + 0.15, low + 0.85), "part")
        chart.text(mean, low + 0.17, f"{100 * mean:.0f} %")
    return _figure(chart, "What stood behind the highest one per cent of healthy scores: where false alarms would come from.")


def calibration(trained: TrainedModel) -> str:
    """How often healthy data exceed the limit, and other limits."""
    score = np.sort(trained.calibration.scores)
    levels = np.linspace(0.2, max(1.3, float(score[-1]) * 1.02), 300)
    share = 1.0 - np.searchsorted(score, levels, "left") / len(score)
    lowest = -np.log10(len(score)) - 0.3
    logarithm = np.where(share > 0, np.log10(np.maximum(share, 1e-12)), lowest)
    ticks = [(float(tick), f"{100 * 10.0**tick:g} %") for tick in range(int(np.ceil(lowest)), 1)]
    chart = Chart(
        title="Share of healthy instants above a score",
        x=(float(levels[0]), float(levels[-1])),
        y=(lowest, 0.0),
        x_label="score",
        y_label="share of held-out healthy instants above it",
        x_ticks=round_ticks(float(levels[0]), float(levels[-1])),
        y_ticks=ticks,
    )
    chart.line(levels, logarithm, "score")
    chart.line([1.0, 1.0], [lowest, 0.0], "limit")
    return _figure(chart, "How much of healthy time lies above a score: what a lower or a higher limit would cost.")


def life(trained: TrainedModel) -> str:
    """What was told of lives that were held out, against what was left of them."""
    lives = next((each.lives for each in trained.additions if each.lives is not None), None)
    if lives is None:
        return ""
    longest = 1.3 * float(trained.spec.figures["rul_horizon_h"])
    near = lives[lives[:, 0] <= longest]
    bins = np.array_split(near[np.argsort(near[:, 0])], min(40, len(near)))
    left, low, middle, high = np.array([part.mean(axis=0) for part in bins if len(part)]).T
    chart = Chart(
        title="Remaining life of held-out lives",
        x=(0.0, longest),
        y=(0.0, longest),
        x_label="hours that were left",
        y_label="hours that were told",
        x_ticks=round_ticks(0.0, longest),
        y_ticks=round_ticks(0.0, longest),
        height=HEIGHT + 80,
    )
    chart.band(left, low, high, "fan")
    chart.line(left, middle, "score")
    chart.line([0.0, longest], [0.0, longest], "truth")
    return _figure(chart, "Lives that the model had not seen: p50 with the 80 % interval; the dotted line is the truth.")


def drift(trained: TrainedModel) -> str:
    """By how much each signal wandered over the training time."""
    data = trained.data
    names = [signal.name for signal in data.signals]
    chart = Chart(
        title="Drift of the signals over the training time",
        x=(0.0, float(EIGHTHS)),
        y=(0.0, float(len(names))),
        x_label="eighths of the training time",
        x_ticks=[(part + 0.5, f"{part + 1}") for part in range(EIGHTHS)],
        y_ticks=[(len(names) - row - 0.5, name) for row, name in enumerate(names)],
        height=24 * len(names) + 56,
        left=NAMES,
    )
    for row in range(len(names)):
        values = data.windows.values[data.windows.last, row].astype(np.float64)
        away = _medians(values)
        low = len(names) - row - 1
        for part, distance in enumerate(away):
            kind = "calm" if abs(distance) < 0.5 else "warm" if distance > 0 else "cool"
            chart.bar((part + 0.03, part + 0.97), (low + 0.08, low + 0.92), kind)
            chart.text(part + 0.3, low + 0.17, f"{distance:+.1f}")
    return _figure(
        chart,
        "Median of each signal in each eighth of the training time, in healthy spreads from its median over all of it. Where "
        "it wanders by one or more, the machine was not in one state, and limits are wide.",
    )


def _medians(values: NDArray[np.float64]) -> list[float]:
    spread = (np.nanquantile(values, 0.84) - np.nanquantile(values, 0.16)) / 2 or 1.0
    middle = np.nanmedian(values)
    return [float((np.nanmedian(part) - middle) / spread) for part in np.array_split(values, EIGHTHS)]


def _figure(chart: Chart, caption: str) -> str:
    return f'<figure style="max-width:{WIDTH}px">{chart.svg()}<figcaption>{caption}</figcaption></figure>'


PICTURES = {"scores": scores, "contributions": contributions, "calibration": calibration, "life": life, "drift": drift}
