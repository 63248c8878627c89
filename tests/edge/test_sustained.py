"""Small scores that last: the mean of the score against its own limit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.contracts.model_spec import SustainedLimit
from edge.state_detection.sustained import SustainedScore

LIMIT = SustainedLimit(limit=0.5, instants=200, quick_limit=0.4, quick_instants=10)


def told(scores: list[float] | NDArray[np.float32], mean: SustainedScore | None = None) -> list[float]:
    mean = mean or SustainedScore(1, LIMIT)
    return [float(mean.update(np.array([score], np.float32))[0]) for score in scores]


def test_what_is_small_and_lasts_is_told_and_what_is_usual_is_not() -> None:
    usual = np.random.default_rng(1).uniform(0.1, 0.5, 3000).astype(np.float32)
    assert told(usual) == usual.tolist()
    lasting = told([0.7] * 3000)
    # the mean reaches 0.5 of 0.7 after 200 · ln(7 / 2) instants
    assert next(i for i, score in enumerate(lasting) if score >= 1.0) == pytest.approx(200 * np.log(3.5), abs=2)
    assert lasting[-1] == pytest.approx(1.4, rel=1e-3)


def test_it_is_over_soon_after_a_repair() -> None:
    mean = SustainedScore(1, LIMIT)
    assert told([0.8] * 2000, mean)[-1] > 1.0
    after = told([0.2] * 60, mean)
    assert after[0] > 1.0
    assert max(after[15:]) < 1.0


def test_what_speaks_for_itself_leaves_nothing_behind() -> None:
    mean = SustainedScore(1, LIMIT)
    told([0.2] * 1000, mean)
    assert told([9.0] * 5000, mean)[-1] == 9.0
    assert told([0.2] * 5, mean) == pytest.approx([0.2] * 5)


def test_what_was_withheld_is_passed_over() -> None:
    mean, other = SustainedScore(1, LIMIT), SustainedScore(1, LIMIT)
    scores = [0.7, np.nan, 0.7, np.nan, np.nan, 0.7] * 100
    with_gaps = told(scores, mean)
    assert [np.isnan(score) for score in with_gaps] == [np.isnan(score) for score in scores]
    told([0.7] * 300, other)
    assert mean.state()["sustained"] == pytest.approx(other.state()["sustained"])


def test_a_restart_forgets_nothing() -> None:
    mean = SustainedScore(2, LIMIT)
    for _ in range(500):
        mean.update(np.array([0.7, 0.3], np.float32))
    again = SustainedScore(2, LIMIT)
    again.restore({name: array.copy() for name, array in mean.state().items()})
    score = np.array([0.6, 0.3], np.float32)
    assert again.update(score) == pytest.approx(mean.update(score))
