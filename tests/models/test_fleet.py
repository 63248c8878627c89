"""One model of several machines: nothing reaches from one into the next."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.card import card
from models.dataset import healthy_data
from models.evaluate import replay
from models.export import write
from models.fleet import Fleet, joined
from models.labels import Condition, Labels, Period
from models.settings import Settings
from models.training import train

START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
SETTINGS = Settings(without=("recipe",))


@pytest.fixture(scope="module")
def pumps(plant: Plant) -> Plant:
    return replace(plant, assets=dict.fromkeys(("pump", "pump-2", "pump-3"), plant.assets["pump"]))


def pump(asset: str, n: int = 900, *, lifted: float = 0.0, start: int = START, seed: int = 3) -> Recording:
    """A pump whose sensor says `lifted` [bar] more than that of others."""
    random = np.random.default_rng(seed)
    speed = 1450 + 15 * np.sin(np.arange(n) / 40) + random.normal(0, 3, n)
    return Recording(
        path="pumps.csv",
        asset=asset,
        time=start + np.arange(n) * SECOND,
        values={
            "speed": speed,
            "flow": 20 * speed / 1450 + random.normal(0, 0.1, n),
            "pressure": 3.2 * (speed / 1450) ** 2 + lifted + random.normal(0, 0.02, n),
            "recipe": np.zeros(n),
        },
        texts={"recipe": TextTable(["shaft-80"])},
    )


def windows(plant: Plant, *recordings: Recording) -> np.ndarray:
    fleet = joined(recordings, None, plant, SETTINGS)
    data = healthy_data(fleet.recording, plant, n_samples=30, min_coverage=0.5, without=["recipe"])
    return data.windows.take(slice(None))


def test_its_windows_are_those_of_each_machine(pumps: Plant) -> None:
    # the second was recorded at the same time, the third long before
    parts = [pump("pump"), pump("pump-2", lifted=0.3, seed=4), pump("pump-3", 400, start=START - 10**15, seed=5)]
    together, done = windows(pumps, *parts), 0
    held = round(max(signal.stale_s for signal in pumps.assets["pump"].signals.values()))
    for number, part in enumerate(parts):
        own = windows(pumps, part)
        np.testing.assert_array_equal(together[done : done + len(own)], own)
        done += len(own)
        if number < len(parts) - 1:
            # as everywhere, a last value is held until it is stale, and only then nothing is
            assert (together[done : done + held, -1] == own[-1, -1]).all()
            done += held
    assert done == len(together)


def test_one_model_knows_both_where_that_of_one_does_not(pumps: Plant, tmp_path: Path) -> None:
    other = pump("pump-2", lifted=0.3, seed=4)
    fleet = joined([pump("pump"), other], None, pumps, SETTINGS)
    of_both, of_one = train(fleet, pumps, SETTINGS), train(pump("pump"), pumps, SETTINGS)
    assert "of pump, pump-2 from 2026-11-24T10:00:00Z to 2026-11-24T10:14:59Z" in card(of_both, "pump", 10.0)
    assert of_both.spec.figures["machines"] == ["pump", "pump-2"]
    flagged = []
    for number, trained in enumerate((of_one, of_both)):
        write(tmp_path / f"{number}.onnx", trained.content)
        today = pump("pump-2", 300, lifted=0.3, seed=9)
        found = replay(pumps, "pump-2", OnnxModel.load(tmp_path / f"{number}.onnx"), today)[0]
        flagged.append(np.mean([each.score >= 1.0 for each in found if each.score is not None]))
    assert flagged[0] == 1.0
    assert flagged[1] < 0.05


def failing(first: int) -> Labels:
    return Labels(path="labels.csv", periods=(Period(first=first, last=first, condition=Condition.FAILED),))


def test_a_machine_that_did_not_fail_does_not_end_with_the_failure_of_another(pumps: Plant) -> None:
    silent = Labels(path="labels.csv", periods=())
    end = START + 450 * SECOND

    def lives(*labels: Labels) -> int:
        parts = [pump(name, 450, seed=number) for number, name in enumerate(("pump", "pump-2", "pump-3"))]
        return int(train(joined(parts, labels, pumps, SETTINGS), pumps, SETTINGS).spec.figures["rul_lives"])

    assert lives(failing(end), failing(end + 60 * SECOND), failing(end)) == 3
    assert lives(failing(end), silent, failing(end)) == 2
    with pytest.raises(RecordingError, match="1 of the labelled failures ends a life"):
        lives(silent, silent, failing(end))


def test_a_period_without_an_end_ends_with_its_machine(pumps: Plant) -> None:
    faulty = Period(first=START + 500 * SECOND, last=np.iinfo(np.int64).max, condition=Condition.FAULT, mode="leak")
    labels = [Labels(path="labels.csv", periods=(faulty,)), Labels(path="labels.csv", periods=())]
    fleet = joined([pump("pump"), pump("pump-2")], labels, pumps, SETTINGS)
    assert fleet.labels is not None
    assert fleet.labels.periods[0].last == START + 899 * SECOND


def test_machines_that_are_not_alike_are_named(pumps: Plant) -> None:
    def joining(other: Recording, plant: Plant = pumps) -> Fleet:
        return joined([pump("pump"), other], None, plant, SETTINGS)

    lacking = pump("pump-2")
    del lacking.values["flow"]
    with pytest.raises(RecordingError, match="'pump' has 'flow', and 'pump-2' has not: leave it out with --without flow"):
        joining(lacking)
    slower = replace(pumps, assets=pumps.assets | {"pump-2": replace(pumps.assets["pump"], period_s=2.0)})
    with pytest.raises(RecordingError, match="'pump-2' of class 'pump' every 2 s: machines of one model should be alike"):
        joining(pump("pump-2"), slower)
