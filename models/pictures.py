"""Pictures of a model card as SVG, small enough to stand in its page: no library, so the demo need not install one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 760
# room for the names of signals
NAMES: Final = 160
HEIGHT: Final = 220
LEFT: Final = 64
RIGHT: Final = 16
TOP: Final = 18
BOTTOM: Final = 34
# a curve has no more points than a screen can show; of each stretch the lowest and the highest are kept
MOST_POINTS: Final = 700

Numbers = Sequence[float] | NDArray[np.floating]


@dataclass(slots=True, kw_only=True)
class Chart:
    """A chart of two axes. What is drawn is scaled to `x` and `y`, (lowest, highest) of each axis."""

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str = ""
    y_label: str = ""
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    height: int = HEIGHT
    left: int = LEFT
    _parts: list[str] = field(default_factory=list)

    def line(self, x: Numbers, y: Numbers, kind: str) -> None:
        points = " ".join(f"{self._at_x(a):.1f},{self._at_y(b):.1f}" for a, b in zip(x, y, strict=True))
        self._parts.append(f'<polyline class="{kind}" points="{points}"/>')

    def band(self, x: Numbers, low: Numbers, high: Numbers, kind: str) -> None:
        there = [f"{self._at_x(a):.1f},{self._at_y(b):.1f}" for a, b in zip(x, high, strict=True)]
        back = [f"{self._at_x(a):.1f},{self._at_y(b):.1f}" for a, b in zip(x, low, strict=True)]
        self._parts.append(f'<polygon class="{kind}" points="{" ".join([*there, *reversed(back)])}"/>')

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str) -> None:
        left, right = (self._at_x(value) for value in x)
        low, high = (self._at_y(value) for value in y)
        self._parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{high:.1f}" width="{right - left:.1f}" height="{low - high:.1f}"/>'
        )

    def points(self, x: Numbers, y: Numbers, kind: str) -> None:
        self._parts += [
            f'<circle class="{kind}" cx="{self._at_x(a):.1f}" cy="{self._at_y(b):.1f}" r="2.5"/>'
            for a, b in zip(x, y, strict=True)
        ]

    def text(self, x: float, y: float, words: str) -> None:
        self._parts.append(f'<text x="{self._at_x(x):.1f}" y="{self._at_y(y):.1f}" dx="4" dy="-4">{escape(words)}</text>')

    def svg(self) -> str:
        bottom, right = self.height - BOTTOM, WIDTH - RIGHT
        frame = [f'<path class="axis" d="M{self.left} {TOP}V{bottom}H{right}"/>']
        for value, words in self.x_ticks:
            at = self._at_x(value)
            frame.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 14}" text-anchor="middle">{escape(words)}</text>')
        for value, words in self.y_ticks:
            at = self._at_y(value)
            frame.append(f'<path class="grid" d="M{self.left} {at:.1f}H{right}"/>')
            frame.append(f'<text class="tick" x="{self.left - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(words)}</text>')
        middle = (self.left + right) / 2
        frame.append(
            f'<text class="label" x="{middle}" y="{self.height - 4}" text-anchor="middle">{escape(self.x_label)}</text>'
        )
        frame.append(f'<text class="label" x="{self.left}" y="{TOP - 6}" text-anchor="start">{escape(self.y_label)}</text>')
        head = f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(self.title, quote=True)}">'
        return f"{head}<title>{escape(self.title)}</title>{''.join(frame + self._parts)}</svg>"

    def _at_x(self, value: float) -> float:
        low, high = self.x
        return self.left + (WIDTH - self.left - RIGHT) * (float(np.clip(value, low, high)) - low) / (high - low or 1.0)

    def _at_y(self, value: float) -> float:
        low, high = self.y
        part = (float(np.clip(value, low, high)) - low) / (high - low or 1.0)
        return self.height - BOTTOM - (self.height - BOTTOM - TOP) * part


def thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """A curve of many points with its lowest and highest of each stretch: no peak is lost.

    >>> x, y = thinned(np.arange(10_000.0), np.eye(1, 10_000, 5000)[0])
    >>> len(x) <= MOST_POINTS, float(y.max())
    (True, 1.0)
    """
    if len(x) <= MOST_POINTS:
        return x, y
    kept = []
    for part in np.array_split(np.arange(len(x)), MOST_POINTS // 2):
        extremes = {int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])])}
        kept += sorted(extremes)
    return x[kept], y[kept]


def round_ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Ticks at round numbers.

    >>> round_ticks(0, 10)
    [(0.0, '0'), (2.0, '2'), (4.0, '4'), (6.0, '6'), (8.0, '8'), (10.0, '10')]
    """
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-12) / about))
    step *= next(each for each in (1, 2, 5, 10) if (high - low) / (step * each) <= about)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step + 1e-9) + 1) * step
    return [(float(tick), f"{tick:g}") for tick in ticks]
