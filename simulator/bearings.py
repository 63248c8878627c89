"""Rolling bearings: the frequencies of their faults, and when and how hard a fault strikes.

Sources: Randall and Antoni, Rolling element bearing diagnostics – a tutorial, Mechanical Systems and Signal Processing
25(2), 2011 (frequencies, slip, modulation); Harris, Rolling Bearing Analysis (load distribution after Stribeck).
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.plant import Bearing

LARGEST_SLIP: Final = 0.03
# the spacing of impacts is cut off at this many standard deviations, so that none comes before the one it follows
CUT_OFF: Final = 3.0
# standard deviation of one impact's strength: no ball meets a spall twice in the same way (assumption)
UNEVEN: Final = 0.1


class BearingPart(IntEnum):
    """The part of a bearing that is damaged."""

    OUTER = 0
    INNER = 1
    BALL = 2
    CAGE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFrequencies:
    """The fault frequencies of one bearing at one speed [Hz]; at 1 Hz they are orders, multiples of the shaft's.

    bpfo: balls pass a point of the outer race; bpfi: of the inner race; bsf: a ball's spin; ftf: the cage's turning
    """

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


def fault_frequencies(bearing: Bearing, shaft_hz: float) -> FaultFrequencies:
    """Fault frequencies [Hz] of a bearing whose outer race stands still, without slip (Randall and Antoni 2011, eq. 1–4).

    BPFO = n·f/2·(1 - d/D·cos φ)        BPFI = n·f/2·(1 + d/D·cos φ)
    FTF  = f/2·(1 - d/D·cos φ)          BSF  = D·f/(2·d)·(1 - (d/D·cos φ)²)

    f: shaft [Hz], n: balls, d: ball diameter [mm], D: pitch diameter [mm], φ: contact angle.
    A damaged ball strikes both races in each of its turns: 2·BSF.

    >>> f = fault_frequencies(Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04), 1.0)
    >>> [round(order, 3) for order in (f.bpfo, f.bpfi, f.bsf, f.ftf)]
    [3.585, 5.415, 2.357, 0.398]
    """
    ratio = bearing.ball_mm / bearing.pitch_mm * math.cos(math.radians(bearing.contact_deg))
    ftf = shaft_hz / 2.0 * (1.0 - ratio)
    return FaultFrequencies(
        bpfo=bearing.balls * ftf,
        bpfi=bearing.balls * shaft_hz / 2.0 * (1.0 + ratio),
        bsf=bearing.pitch_mm * shaft_hz / (2.0 * bearing.ball_mm) * (1.0 - ratio**2),
        ftf=ftf,
    )


def impact_order(bearing: Bearing, part: BearingPart) -> float:
    """Impacts per revolution of the shaft that a fault of `part` makes."""
    orders = fault_frequencies(bearing, 1.0)
    return {
        BearingPart.OUTER: orders.bpfo,
        BearingPart.INNER: orders.bpfi,
        BearingPart.BALL: 2.0 * orders.bsf,
        BearingPart.CAGE: orders.ftf,
    }[part]


def load_share(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share (0..1) of the largest ball load at the angle `turn` [rev] from the load's direction.

    q = (1 - (1 - cos ψ)/(2·ε))^1.5 inside the load zone, 0 outside: point contact (Stribeck; Harris). ε = 1 here, a
    bearing with a little preload, whose whole ring bears: with the half ring of ε = 1/2 the sidebands of an inner race
    are deeper than those of real rigs.
    """
    return (0.5 + 0.5 * np.cos(2.0 * np.pi * turn)) ** 1.5


def strike_strength(
    bearing: Bearing, part: BearingPart, angle: NDArray[np.float64], count: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Strength (0..1) of the impacts numbered `count` at the shaft angles `angle` [rev].

    A fault of the outer race stays where the load is; one of the inner race turns through the load zone with the shaft,
    so BPFI gets sidebands at shaft speed; a ball's turns with the cage, so 2·BSF gets sidebands at FTF. The inner race
    lies farther from the sensor, so of a ball's two strikes in a turn one is weaker (by 0.7, an assumption).
    """
    match part:
        case BearingPart.INNER:
            return load_share(angle)
        case BearingPart.BALL:
            through = np.where(count % 2 == 0, 1.0, 0.7)
            return through * load_share(angle * fault_frequencies(bearing, 1.0).ftf)
        case _:
            return np.ones(len(angle))


def mean_square_strength(bearing: Bearing, part: BearingPart) -> float:
    """Mean of the squared strength over all impacts, with their unevenness."""
    turns = np.arange(360) / 360.0
    zone = float(np.mean(load_share(turns) ** 2))
    share = {BearingPart.INNER: zone, BearingPart.BALL: zone * (1.0 + 0.7**2) / 2.0}.get(part, 1.0)
    return share * (1.0 + UNEVEN**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactTrain:
    """Where the impacts of one part have come: the next one's number, and its shaft angle [rev]."""

    count: int
    angle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impacts:
    """Impacts as columns of one length: shaft angle [rev], strength (0..1, and a little more for unevenness)."""

    angle: NDArray[np.float64]
    strength: NDArray[np.float64]


def impacts_until(
    bearing: Bearing, part: BearingPart, train: ImpactTrain, end: float, slip: float, rng: np.random.Generator
) -> tuple[Impacts, ImpactTrain]:
    """The impacts of `train` before the shaft angle `end` [rev], and the train after them.

    The spacing of impacts is 1/order·(1 + slip·ξ) [rev], ξ standard normal and independent: balls slip, and what one
    has slipped stays, so the phase is a random walk and higher harmonics smear out (Randall and Antoni 2011, 2.2).
    `slip` is 0.01 to 0.02 in bearings that run well, and at most 0.03 here.
    """
    if not 0.0 <= slip <= LARGEST_SLIP:
        raise ValueError(f"slip {slip!r} should lie between 0 and {LARGEST_SLIP}")
    order = impact_order(bearing, part)
    # more than there can be at the smallest spacing
    most = max(math.ceil((end - train.angle) * order / (1.0 - CUT_OFF * LARGEST_SLIP)), 0) + 2
    spacing = (1.0 + slip * np.clip(rng.standard_normal(most), -CUT_OFF, CUT_OFF)) / order
    angle = train.angle + np.concatenate(([0.0], np.cumsum(spacing)))
    n = int(np.searchsorted(angle, end))
    count = train.count + np.arange(n)
    uneven = 1.0 + UNEVEN * np.clip(rng.standard_normal(most)[:n], -CUT_OFF, CUT_OFF)
    strength = strike_strength(bearing, part, angle[:n], count) * uneven
    return Impacts(angle=angle[:n], strength=strength), ImpactTrain(count=train.count + n, angle=float(angle[n]))


def skipped(
    bearing: Bearing, part: BearingPart, train: ImpactTrain, end: float, slip: float, rng: np.random.Generator
) -> ImpactTrain:
    """The train after the impacts before `end` [rev] that nobody listens to: drawn at once, however many there are."""
    order = impact_order(bearing, part)
    missed = max(math.ceil((end - train.angle) * order), 0)
    walked = slip / order * math.sqrt(missed) * float(rng.standard_normal())
    angle = train.angle + missed / order + walked
    # the walk may end before `end`, or more than one spacing after it: whole spacings bring it back
    return ImpactTrain(count=train.count + missed, angle=angle if train.angle >= end else end + (angle - end) % (1.0 / order))
