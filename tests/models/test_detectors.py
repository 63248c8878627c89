import warnings

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from models.detectors import PcaDetector


@pytest.fixture(scope="module")
def healthy() -> np.ndarray:
    """Four features that move together, on very different levels."""
    random = np.random.default_rng(3)
    common = random.normal(size=(800, 2))
    mixed = common @ random.normal(size=(2, 4)) + 0.2 * random.normal(size=(800, 4))
    return mixed * [0.001, 5.0, 1.0, 40.0] + [0.03, 231.0, 0.0, 1450.0]


@pytest.fixture(scope="module")
def detector(healthy: np.ndarray) -> PcaDetector:
    return PcaDetector().fit(healthy)


def test_the_estimator_keeps_every_convention_of_scikit_learn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check_estimator(PcaDetector())


def test_contributions_are_shares(detector: PcaDetector, healthy: np.ndarray) -> None:
    contributions = detector.contributions(healthy)
    assert (contributions >= 0).all()
    assert contributions.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("signal", range(4))
def test_the_signal_that_was_disturbed_contributes_most(detector: PcaDetector, healthy: np.ndarray, signal: int) -> None:
    disturbed = healthy[:50].copy()
    disturbed[:, signal] += 12 * healthy[:, signal].std()
    assert (detector.scores(disturbed) > 1).all()
    assert (detector.contributions(disturbed).argmax(axis=1) == signal).all()


def test_contributions_add_up_to_both_statistics(detector: PcaDetector, healthy: np.ndarray) -> None:
    """The decompositions are complete: with one limit out of reach, the shares times the other statistic are its parts."""
    whole = detector.statistics(healthy) / detector.limits_
    centred, residual = detector._split(healthy)
    t2_parts = (centred @ detector.whitening @ detector.pca_.components_) ** 2 / detector.limits_[0]
    assert t2_parts.sum(axis=1) == pytest.approx(whole[:, 0])
    expected = (t2_parts + residual**2 / detector.limits_[1]) / whole.sum(axis=1, keepdims=True)
    assert detector.contributions(healthy) == pytest.approx(expected, abs=1e-6)


def test_a_missing_feature_counts_as_its_mean_and_accuses_nobody(detector: PcaDetector, healthy: np.ndarray) -> None:
    missing, mean = healthy[:1].copy(), healthy[:1].copy()
    missing[0, 1], mean[0, 1] = np.nan, detector.mean_[1]
    assert detector.scores(missing) == pytest.approx(detector.scores(mean))


def test_expected_values_stay_where_the_others_say(detector: PcaDetector, healthy: np.ndarray) -> None:
    """Healthy values are met closely; a value that left its companions is not followed all the way."""
    spread = healthy.std(axis=0)
    assert (np.abs(detector.expected(healthy) - healthy) < 2 * spread).mean() > 0.99
    disturbed = healthy[:50].copy()
    disturbed[:, 2] += 10 * spread[2]
    assert (np.abs(disturbed - detector.expected(disturbed))[:, 2] > spread[2]).all()


def test_a_constant_feature_neither_breaks_the_fit_nor_passes_unnoticed_when_it_moves(healthy: np.ndarray) -> None:
    constant = np.column_stack([healthy, np.full(len(healthy), 7.0)])
    detector = PcaDetector().fit(constant)
    assert np.isfinite(detector.scores(constant)).all()
    moved = constant[:1].copy()
    moved[0, 4] += 50.0
    assert detector.scores(moved)[0] > 1
