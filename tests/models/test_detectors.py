import warnings

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from models.detectors import FAMILIES, CovarianceDetector, Detector, ForestDetector, ForwardDetector, PcaDetector

# conventions do not depend on how much is learnt, and scikit-learn fits a hundred times
SMALL = {"autoencoder": {"max_iter": 20}, "forest": {"n_trees": 10}}


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


@pytest.fixture(scope="module", params=FAMILIES)
def any_detector(request: pytest.FixtureRequest, healthy: np.ndarray) -> Detector:
    return FAMILIES[request.param]().fit(healthy)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_keeps_every_convention_of_scikit_learn(family: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check_estimator(FAMILIES[family](**SMALL.get(family, {})))


def test_contributions_are_shares(any_detector: Detector, healthy: np.ndarray) -> None:
    contributions = any_detector.contributions(healthy)
    assert (contributions >= 0).all()
    assert contributions.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("signal", range(4))
def test_the_signal_that_was_disturbed_contributes_most(any_detector: Detector, healthy: np.ndarray, signal: int) -> None:
    disturbed = healthy[:50].copy()
    disturbed[:, signal] += 12 * healthy[:, signal].std()
    # a forest hardly sees a single value that is far out
    least = 0.75 if isinstance(any_detector, ForestDetector) else 1.0
    assert (any_detector.scores(disturbed) > least).all()
    assert (any_detector.contributions(disturbed).argmax(axis=1) == signal).mean() > 0.9


def test_a_mode_has_its_own_normal(healthy: np.ndarray) -> None:
    """What is usual for one product is far out for the other, and neither alarms while it is made."""
    other = healthy * [1.0, 1.02, 1.0, 1.1]
    both, mode = np.concatenate([healthy, other]), np.repeat([0, 1], len(healthy))
    for make in FAMILIES.values():
        detector = make().fit(both, mode=mode)
        assert (detector.scores(both, mode) > 1).mean() < 0.03
        wrong = np.ones(len(healthy), np.int64)
        assert (detector.scores(healthy, wrong) > detector.scores(healthy, 1 - wrong)).mean() > 0.9
        expected = detector.expected(both, mode)
        assert np.median(np.abs(expected - both), axis=0) == pytest.approx(0.0, abs=2.0 * healthy.std(axis=0).max())


def test_held_out_samples_are_judged_once_and_by_others(any_detector: Detector, healthy: np.ndarray) -> None:
    purge = 20
    held = any_detector.held_out(healthy, purge)
    assert len(np.unique(held.index)) == len(held.index)
    assert (np.diff(held.index) > 0).all()
    assert len(held.index) >= 3 * len(healthy) // 4
    # the same samples in the training would be better known: a block that is far out is far out only when it is held out
    strange = healthy.copy()
    strange[600:] += 8 * healthy.std(axis=0)
    judged = any_detector.held_out(strange, purge)
    last = judged.index >= 600
    known = any_detector.__class__().fit(strange).statistics(strange[600:])
    assert np.median(judged.statistics[last].max(axis=1)) > np.median(known.max(axis=1))


def test_a_machine_that_wanders_gets_a_wider_limit_where_it_wanders() -> None:
    """What drifts from block to block is no fault there; what is steady stays narrow."""
    random = np.random.default_rng(2)
    steady, wandering = random.normal(size=4000), np.cumsum(random.normal(size=4000)) * 0.05 + random.normal(size=4000)
    samples = np.column_stack([steady, wandering])
    later, plain = ForwardDetector(n_blocks=4).fit(samples), CovarianceDetector().fit(samples)
    assert later.covariance_[1, 1] > 1.5 * plain.covariance_[1, 1]
    assert later.covariance_[0, 0] == pytest.approx(plain.covariance_[0, 0], rel=0.1)


def test_contributions_add_up_to_both_statistics(detector: PcaDetector, healthy: np.ndarray) -> None:
    """The decompositions are complete: with one limit out of reach, the shares times the other statistic are its parts."""
    whole = detector.statistics(healthy) / detector.limits_
    centred, residual = detector._split(detector._scaled(healthy, None))
    t2_parts = (centred @ detector.whitening @ detector.pca_.components_) ** 2 / detector.limits_[0]
    assert t2_parts.sum(axis=1) == pytest.approx(whole[:, 0])
    expected = (t2_parts + residual**2 / detector.limits_[1]) / whole.sum(axis=1, keepdims=True)
    assert detector.contributions(healthy) == pytest.approx(expected, abs=1e-6)


def test_a_missing_feature_counts_as_its_mean_and_accuses_nobody(detector: PcaDetector, healthy: np.ndarray) -> None:
    missing, mean = healthy[:1].copy(), healthy[:1].copy()
    missing[0, 1], mean[0, 1] = np.nan, detector.mean_[0, 1]
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
