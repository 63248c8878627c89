"""The choice without labels: by healthy data alone, explained, and the same each time."""

import numpy as np
import pytest

from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from models.choice import CANDIDATES, KINDS, QUIET, choose, table
from models.dataset import healthy_data
from models.settings import Settings
from tests.models.test_modes import pump


@pytest.fixture(scope="module")
def steady() -> Recording:
    return pump(1500, 250)


def test_every_candidate_is_judged_and_the_quiet_and_sensitive_one_comes_first(plant: Plant, steady: Recording) -> None:
    data = healthy_data(steady, plant, n_samples=30, min_coverage=0.5)
    said: list[str] = []
    found = choose(data, Settings(), said.append)
    assert {(each.family, each.features) for each in found} == set(CANDIDATES)
    assert len(said) == len(CANDIDATES)
    best = found[0]
    assert best.later <= QUIET
    assert best.sensitivity == max(each.sensitivity for each in found if each.later <= QUIET)
    assert all(set(each.seen) == set(KINDS) for each in found)
    # pumps whose flow and pressure follow the speed: what leaves its companions is seen
    assert best.seen["step"] > 0.3
    assert table(found).splitlines()[1].startswith(best.name)
    assert choose(data, Settings()) == found


def test_a_machine_that_is_still_on_its_way_is_not_judged_by_a_family_that_believes_it_has_arrived(
    plant: Plant, steady: Recording
) -> None:
    wandering = pump(1500, 5000, ("shaft-80",))
    wandering.values["pressure"][:] += np.cumsum(np.random.default_rng(1).normal(0, 0.004, 1500))
    found = choose(healthy_data(wandering, plant, n_samples=30, min_coverage=0.5), Settings())
    later = {each.family: each.later for each in found if not each.features}
    assert later["forward"] <= later["covariance"]
