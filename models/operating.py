"""Operating points told by numbers: a speed or a load that was never seen in training is not judged, and is no fault.

The signals that say where the machine is run (`--operating`) are compared with the points at which it ran in training. A
fault must not be able to hide behind this, so only signals that somebody sets belong here: no temperature, no vibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from models.detectors.base import Samples

MOST_POINTS: Final = 32
# samples that each point stands for, at least
SAMPLES_PER_POINT: Final = 20
# how much farther than any training sample [times] a point may be before it counts as unknown
MARGIN: Final = 2.0
# and at least so far [standard deviations of training]: a steady machine may be a little less steady tomorrow
LEAST_RADIUS: Final = 0.25
# windows from which the points are found
MOST_TAUGHT: Final = 20_000

# `mean` (n_assets, n_signals) → `point_known` (n_assets,): 1 at a point of training, 0.5 at the radius, 0 far outside
GRAPH: Final = """
    operating = Gather<axis = 1>(mean, operating_columns)
    operating_around = Sub(operating, operating_mean)
    operating_z = Div(operating_around, operating_scale)
    operating_3 = Unsqueeze(operating_z, axis_1)
    from_points = Sub(operating_3, operating_points)
    from_points_square = ReduceSumSquare<keepdims = 0>(from_points, axis_2)
    nearest = ReduceMin<keepdims = 0>(from_points_square, axis_1)
    nearest_ratio = Div(nearest, operating_radius_square)
    nearest_steep = Mul(nearest_ratio, nearest_ratio)
    unlikeliness = Add(nearest_steep, one)
    known_there = Reciprocal(unlikeliness)
    nothing_there = IsNaN(known_there)
    point_known = Where(nothing_there, one, known_there)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingRegion:
    """Where a machine was run in training.

    names: the signals that tell; columns: (n,) their numbers; mean, scale: (n,) of training, around the centre of the features
    points: (n_points, n) scaled; radius: how far from the nearest of them counts as half known
    """

    names: tuple[str, ...]
    columns: NDArray[np.int64]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    points: NDArray[np.float32]
    radius: float

    @classmethod
    def learn(cls, computed: Samples, signals: Sequence[str], names: Sequence[str]) -> Self:
        """From features (n_windows, n_features) of which the first are the means of `signals`."""
        columns = np.array([signals.index(name) for name in names], np.int64)
        points_of = np.asarray(computed[:, columns], np.float64)
        points_of = points_of[~np.isnan(points_of).any(axis=1)]
        mean, scale = points_of.mean(axis=0), points_of.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        z = (points_of - mean) / scale
        points = _points(z[:: max(1, len(z) // MOST_TAUGHT)])
        return cls(
            names=tuple(names),
            columns=columns,
            mean=mean.astype(np.float32),
            scale=scale.astype(np.float32),
            points=points.astype(np.float32),
            radius=max(MARGIN * float(_nearest(z, points).max()), LEAST_RADIUS),
        )

    def known(self, computed: Samples) -> NDArray[np.float64]:
        """(n_windows,) 1 at a point of training, 0.5 at the radius, 0 far outside; the same in numpy."""
        z = (np.asarray(computed[:, self.columns], np.float64) - self.mean) / self.scale
        ratio = (_nearest(z, self.points.astype(np.float64)) / self.radius) ** 2
        return np.nan_to_num(1.0 / (1.0 + ratio**2), nan=1.0)

    @property
    def constants(self) -> dict[str, Any]:
        return {
            "operating_columns": self.columns,
            "operating_mean": self.mean[None],
            "operating_scale": self.scale[None],
            "operating_points": self.points[None],
            "operating_radius_square": np.float32(self.radius**2),
            "axis_2": np.array([2], np.int64),
        }


def _points(z: NDArray[np.float64]) -> NDArray[np.float64]:
    n_points = min(MOST_POINTS, max(1, len(z) // SAMPLES_PER_POINT), len(np.unique(z, axis=0)))
    return np.asarray(KMeans(n_points, n_init=1, random_state=0).fit(z).cluster_centers_)


def _nearest(z: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) distance to the nearest point."""
    return np.asarray(np.sqrt(np.min([((z - point) ** 2).sum(axis=1) for point in points], axis=0)))
