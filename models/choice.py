"""Which family suits a machine, found from healthy data alone.

Every candidate learns the same healthy windows. Its limit is set so that no held-out window lies above it; then faults are
put into healthy windows, and it is counted how many are seen. What it would have said later is tried, too: learnt from the
first part of the time alone, it must hold its peace in the rest. No label of a real fault has a say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calibrate import N_BLOCKS, USUAL
from models.dataset import HealthyData
from models.detectors import FAMILIES, Detector, ForwardDetector
from models.detectors.base import Modes, Samples, limits, ratio_to
from models.features import FeatureGraph, Windows
from models.settings import Settings

CANDIDATES: Final = tuple(
    (family, features) for family in ("covariance", "forward", "pca", "kernel", "mixture") for features in ((), ("spread",))
)
# share of the time that a model of what was before may be wrong in what comes later, and the part of the time that is later
QUIET: Final = 0.01
LATER: Final = 0.4
# of long recordings every so many windows, so that a choice takes seconds
MOST_WINDOWS: Final = 12_000
SPOILED: Final = 150
# how far a signal is moved, in standard deviations of its means within a mode
SIZES: Final = (0.5, 1.0, 2.0)
KINDS: Final = ("step", "drift", "noise", "stuck", "swapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What became of one candidate.

    seen:     by kind of fault the share of spoiled windows with a score ≥ 1
    later:    share of the last windows with a score ≥ 1 by a model of those before them
    unsteady: how much the limit would vary from block to block: its standard deviation over its mean
    """

    family: str
    features: tuple[str, ...]
    seen: dict[str, float]
    later: float
    unsteady: float

    @property
    def sensitivity(self) -> float:
        return float(np.mean(list(self.seen.values())))

    @property
    def name(self) -> str:
        return f"{self.family} of {' and '.join(('mean', *self.features))}"


def choose(data: HealthyData, settings: Settings, step: Callable[[str], None] = lambda _: None) -> list[Candidate]:
    """All candidates, the best first: of those that are quiet later the most sensitive, and the quietest where none is.

    Those that the data are too few for are left out.
    """
    stride = max(1, len(data.windows) // MOST_WINDOWS)
    windows, mode = replace(data.windows, last=data.windows.last[::stride]), data.mode[::stride]
    spoiled, spoiled_mode, kinds = _spoil(windows, mode)
    found = []
    for family, features in CANDIDATES:
        try:
            candidate = _judge(family, features, windows, mode, settings, stride, spoiled, spoiled_mode, kinds)
        except ValueError:
            # fewer windows than this one needs
            continue
        step(f"{candidate.name}: sees {candidate.sensitivity:.0%} of what was put in")
        found.append(candidate)
    return sorted(found, key=lambda each: (max(each.later - QUIET, 0.0), -each.sensitivity))


def table(candidates: list[Candidate]) -> str:
    """The choice for people: the first line is what was chosen."""
    lines = [f"{'':<34}{'seen':>7}" + "".join(f"{kind:>9}" for kind in KINDS) + f"{'later':>9}{'unsteady':>10}"]
    for candidate in candidates:
        shares = "".join(f"{candidate.seen[kind]:>9.0%}" for kind in KINDS)
        lines.append(
            f"{candidate.name:<34}{candidate.sensitivity:>7.0%}{shares}{candidate.later:>9.1%}{candidate.unsteady:>10.0%}"
        )
    return "\n".join(lines)


def _judge(
    family: str,
    features: tuple[str, ...],
    windows: Windows,
    mode: NDArray[np.int64],
    settings: Settings,
    stride: int,
    spoiled: NDArray[np.float32],
    spoiled_mode: NDArray[np.int64],
    kinds: NDArray[np.int64],
) -> Candidate:
    graph = FeatureGraph.learn(windows, features)
    computed = graph.compute(windows)
    purge = -(-(settings.n_samples - 1) // stride)
    first = slice(0, round((1.0 - LATER) * len(windows)))
    before, _ = _fitted(family, computed[first], mode[first], purge)
    last = np.arange(first.stop + purge, len(windows))
    last = last[np.isin(mode[last], mode[first])]
    later = before.scores(computed[last], mode[last]) >= 1.0
    detector, by_block = _fitted(family, computed, mode, purge)
    seen = detector.scores(graph.compute_of(spoiled), spoiled_mode) >= 1.0
    return Candidate(
        family=family,
        features=features,
        seen={kind: float(seen[kinds == number].mean()) for number, kind in enumerate(KINDS)},
        later=float(later.mean()) if len(later) else 0.0,
        unsteady=float(np.std(by_block) / np.mean(by_block)),
    )


def _fitted(family: str, computed: Samples, mode: Modes, purge: int) -> tuple[Detector, list[float]]:
    """A detector with its limit from what was held out, and the limits of single blocks against it."""
    detector = FAMILIES[family]()
    if isinstance(detector, ForwardDetector):
        detector.set_params(n_blocks=N_BLOCKS, purge=purge)
    held = detector.held_out(computed, purge, N_BLOCKS, mode)
    usual = limits(held.statistics, USUAL)
    score = ratio_to(usual, held.statistics)
    by_block = [float(score[held.block == number].max()) for number in np.unique(held.block)]
    detector.fit(computed, mode=mode)
    detector.limits_ = usual * score.max() ** 2
    return detector, by_block


def _spoil(windows: Windows, mode: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Healthy windows with one signal spoiled in each, their modes, and the kind of what was put in, the same each time."""
    random = np.random.default_rng(0)
    some = np.sort(random.choice(len(windows), min(SPOILED, len(windows)), replace=False))
    healthy, modes = windows.take(some), mode[some]
    means = np.nanmean(windows.newest, axis=0)
    spread = np.array([np.nanstd(windows.newest[mode == number] - means, axis=0) for number in range(int(mode.max()) + 1)])
    parts, numbers = [], []
    for number, spoiled in _spoilings(healthy, spread[modes], random):
        parts.append(spoiled)
        numbers.append(np.full(len(spoiled), number))
    return np.concatenate(parts), np.tile(modes, len(parts)), np.concatenate(numbers)


def _spoilings(
    healthy: NDArray[np.float32], spread: NDArray[np.float64], random: np.random.Generator
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Number of a kind of fault, and the healthy windows with it; each kind, size and signal in turn."""
    n, n_samples, n_signals = healthy.shape
    ramp = np.linspace(0.0, 1.0, n_samples)
    for signal in range(n_signals):
        size = spread[:, signal, None]
        sign = random.choice([-1.0, 1.0], (n, 1))
        for much in SIZES:
            for number, change in (
                (0, np.repeat(sign * much * size, n_samples, axis=1)),
                (1, sign * much * size * ramp),
                (2, much * size * random.standard_normal((n, n_samples))),
            ):
                spoiled = healthy.copy()
                spoiled[:, :, signal] += change
                yield number, spoiled
        stuck = healthy.copy()
        stuck[:, :, signal] = healthy[:, :1, signal]
        yield 3, stuck
        swapped = healthy.copy()
        swapped[:, :, signal] = healthy[random.permutation(n), :, signal]
        yield 4, swapped
