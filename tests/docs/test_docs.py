"""The pages say what the code is, every picture is there, and what the report claims of real rigs can be found again."""

import re

import numpy as np
import pytest

from docs import machines, rigs
from docs.analysis import autocorrelation, decay, kurtosis, noise_share
from simulator.bearings import BearingPart
from simulator.machines.catalogue import MACHINES
from simulator.randomness import Draws


def test_the_page_about_the_machines_is_what_the_code_says() -> None:
    assert machines.PAGE.read_text(encoding="utf-8") == machines.page(), "`make docs` writes it anew"


def test_every_machine_and_every_fault_has_its_picture_and_no_page_points_to_nothing() -> None:
    for kind, make in MACHINES.items():
        names = [machines.picture(kind), *(machines.picture(kind, fault.id) for fault in make(Draws([(1,)])).faults)]
        for name in names:
            assert (machines.ROOT / "docs" / name).read_bytes().startswith(b"\x89PNG"), name
            assert f"({name})" in machines.PAGE.read_text(encoding="utf-8")
    for page in (machines.PAGE, rigs.PAGE):
        for name in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (machines.ROOT / "docs" / name).exists(), f"{page.name}: {name}"


@pytest.mark.skipif(not rigs.DATA.is_dir(), reason="the recordings of the rigs are not beside this checkout")
def test_races_of_the_real_rig_and_of_the_simulator_show_at_the_same_lines_of_the_envelope() -> None:
    real, made = rigs.cwru(), rigs.simulated(seconds=4.0)
    for number in (1, 2):
        for each in (real[number], made[number]):
            stands_out, at = rigs.envelope_line(each)
            assert at == pytest.approx(1.0, abs=0.02)
            assert stands_out > 10.0
            assert kurtosis(each.points) > kurtosis(real[0].points) + 2.0


def test_a_spall_that_grows_is_louder_and_more_peaked() -> None:
    rms, peaked = rigs.simulated_life(12)
    assert (np.diff(rms) > 0.0).all()
    assert peaked[-1] > peaked[0] + 3.0
    assert rigs.listen(BearingPart.OUTER, 0.5, 0.2).std() > 2.0 * rigs.listen(None, 0.0, 0.2).std()


def test_figures_of_courses_are_right_where_the_truth_is_known() -> None:
    rng = np.random.default_rng(1)
    white = rng.standard_normal(20_000)
    slow = np.sin(np.arange(20_000) / 500.0)
    assert noise_share(white) == pytest.approx(1.0, abs=0.05)
    assert noise_share(slow) < 1e-6
    assert noise_share(slow + np.sqrt(0.5) * white) == pytest.approx(0.5, abs=0.03)
    remembering = np.zeros(200_000)
    for now, fresh in enumerate(rng.standard_normal(len(remembering) - 1), 1):
        remembering[now] = np.exp(-1.0 / 20.0) * remembering[now - 1] + fresh
    assert decay(remembering, 100) == pytest.approx(20, abs=3)
    assert autocorrelation(white, 5)[1:] == pytest.approx(np.zeros(5), abs=0.03)
