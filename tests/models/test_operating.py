"""Operating points told by numbers: trained, exported, and replayed through the edge's pipeline."""

from pathlib import Path

import numpy as np
import pytest

from edge.contracts.assessment import Assessment, Reason
from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel
from models.card import card
from models.evaluate import replay
from models.export import write
from models.operating import OperatingRegion
from models.settings import Settings, UnfitSettings
from models.training import TrainedModel, train

START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000


def pump(n: int, speeds: tuple[float, ...], *, every: int = 400, leak: float = 0.0, seed: int = 3) -> Recording:
    """A pump that is run at each speed for `every` seconds in turn; flow and pressure follow, but for what leaks."""
    random = np.random.default_rng(seed)
    speed = np.array(speeds)[np.arange(n) // every % len(speeds)] + random.normal(0, 3, n)
    return Recording(
        path="pump.csv",
        asset="pump",
        time=START + np.arange(n) * SECOND,
        values={
            "speed": speed,
            "flow": 20 * speed / 1450 + random.normal(0, 0.1, n),
            "pressure": 3.2 * (speed / 1450) ** 2 - leak + random.normal(0, 0.02, n),
        },
    )


@pytest.fixture(scope="module")
def trained(plant: Plant) -> TrainedModel:
    return train(pump(4000, (1200.0, 1450.0)), plant, Settings(operating=("speed",), without=("recipe",)))


@pytest.fixture
def model(trained: TrainedModel, tmp_path: Path) -> OnnxModel:
    write(tmp_path / "pump.onnx", trained.content)
    return OnnxModel.load(tmp_path / "pump.onnx")


def assessed(plant: Plant, model: OnnxModel, recording: Recording) -> list[Assessment]:
    return [each for each in replay(plant, "pump", model, recording)[0] if each.reason is not Reason.WARMING_UP]


def test_the_file_gives_what_numpy_gives_and_the_card_says_so(trained: TrainedModel) -> None:
    assert trained.parity.largest < 1e-4
    assert trained.spec.figures["operating"] == ["speed"]
    assert "`speed`" in card(trained, "pump", 10.0)


@pytest.mark.parametrize("speed", [1200.0, 1450.0])
def test_where_it_was_trained_it_judges(plant: Plant, model: OnnxModel, speed: float) -> None:
    found = assessed(plant, model, pump(200, (speed,), seed=8))
    assert {each.reason for each in found} == {None}
    faulty = assessed(plant, model, pump(200, (speed,), seed=8, leak=0.4))
    assert all(each.score is not None and each.score > 1.0 for each in faulty)


@pytest.mark.parametrize("speed", [900.0, 1000.0, 1600.0])
def test_a_speed_that_was_never_seen_is_unknown_and_no_fault(plant: Plant, model: OnnxModel, speed: float) -> None:
    found = assessed(plant, model, pump(100, (speed,)))
    assert {each.reason for each in found} == {Reason.UNKNOWN_OPERATING_POINT}


def test_what_is_missing_is_not_unknown() -> None:
    region = OperatingRegion.learn(np.random.default_rng(1).normal(size=(500, 2)), ["speed", "flow"], ["speed"])
    assert region.known(np.array([[np.nan, 0.0], [0.0, 99.0], [50.0, 0.0]])).round(2).tolist() == [1.0, 1.0, 0.0]


def test_a_signal_that_the_model_does_not_take_is_named(plant: Plant) -> None:
    settings = Settings(operating=("torque",), without=("recipe",))
    with pytest.raises(UnfitSettings, match=r"--operating torque: 'pump' gives the model no such number; possible: speed"):
        train(pump(1000, (1200.0,)), plant, settings)
