"""Fault frequencies and impacts against the literature's figures."""

import numpy as np
import pytest

from edge.contracts.plant import Bearing
from simulator.bearings import (
    BearingPart,
    ImpactTrain,
    fault_frequencies,
    impact_order,
    impacts_until,
    load_share,
    mean_square_strength,
    skipped,
)

SKF_6205 = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)


def test_orders_are_those_that_the_bearing_data_center_gives_for_its_6205() -> None:
    # Case Western Reserve University: 3.5848, 5.4152, 0.39828 and, for strikes of a ball, 4.7135 times the shaft's speed
    at = fault_frequencies(SKF_6205, 1.0)
    assert [at.bpfo, at.bpfi, at.ftf, 2.0 * at.bsf] == pytest.approx([3.5848, 5.4152, 0.39828, 4.7135], rel=1e-3)


def test_every_ball_passes_both_races_once_while_the_cage_slips_one_turn() -> None:
    at = fault_frequencies(Bearing(balls=11, ball_mm=9.0, pitch_mm=52.0, contact_deg=25.0), 30.0)
    assert at.bpfo + at.bpfi == pytest.approx(11 * 30.0)
    assert at.bpfo == pytest.approx(11 * at.ftf)


@pytest.mark.parametrize("part", BearingPart)
def test_impacts_keep_their_mean_rate_and_their_slip(part: BearingPart) -> None:
    order = impact_order(SKF_6205, part)
    train, angles, strengths = ImpactTrain(count=0, angle=0.1), [], []
    rng = np.random.default_rng(4)
    for end in range(40, 8001, 40):
        impacts, train = impacts_until(SKF_6205, part, train, float(end), 0.015, rng)
        assert (impacts.angle < end).all()
        assert train.angle >= end
        angles.append(impacts.angle)
        strengths.append(impacts.strength)
    spacing = np.diff(np.concatenate(angles)) * order
    assert train.count == len(spacing) + 1
    assert spacing.mean() == pytest.approx(1.0, abs=4 * 0.015 / np.sqrt(len(spacing)))
    assert spacing.std() == pytest.approx(0.015, rel=0.1)
    neighbours = np.corrcoef(spacing[1:], spacing[:-1])[0, 1]
    assert abs(neighbours) < 4.0 / np.sqrt(len(spacing)), "a random walk: each spacing is independent of the one before"
    strength = np.concatenate(strengths)
    assert np.mean(strength**2) == pytest.approx(mean_square_strength(SKF_6205, part), rel=0.08)


def test_load_falls_from_its_direction_to_nothing_opposite() -> None:
    assert load_share(np.array([0.0, 0.25, 0.5, 1.0])) == pytest.approx([1.0, 0.5**1.5, 0.0, 1.0], abs=1e-12)


def test_only_turning_parts_pass_through_the_load_zone() -> None:
    for part, modulated in ((BearingPart.OUTER, False), (BearingPart.INNER, True), (BearingPart.BALL, True)):
        impacts, _ = impacts_until(SKF_6205, part, ImpactTrain(count=0, angle=0.0), 200.0, 0.01, np.random.default_rng(2))
        assert (impacts.strength.min() < 0.01) == modulated


@pytest.mark.parametrize("part", BearingPart)
@pytest.mark.parametrize("end", [0.0, 0.3, 7.0, 24000.0])
def test_a_skipped_train_goes_on_after_the_gap_within_one_spacing(part: BearingPart, end: float) -> None:
    train = skipped(SKF_6205, part, ImpactTrain(count=3, angle=0.05), end, 0.015, np.random.default_rng(1))
    assert end <= train.angle <= max(end, 0.05) + 1.0 / impact_order(SKF_6205, part)
    assert train.count == pytest.approx(3 + max(end - 0.05, 0.0) * impact_order(SKF_6205, part), abs=1.0)


def test_slip_beyond_what_a_bearing_does_is_refused() -> None:
    with pytest.raises(ValueError, match="slip"):
        impacts_until(SKF_6205, BearingPart.OUTER, ImpactTrain(count=0, angle=0.0), 1.0, 0.2, np.random.default_rng(0))
