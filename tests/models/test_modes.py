"""A model that knows its products: trained, exported, and replayed through the edge's pipeline."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.assessment import Assessment, Reason, State
from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.contracts.sample_batch import TextTable
from edge.formats.recording import Recording
from edge.pipeline import OnnxModel, Pipeline
from models.evaluate import replay
from models.export import write
from models.modes import learn_modes
from models.settings import Settings
from models.training import TrainedModel, train

START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
RECIPES = ("shaft-80", "flange-120")
FASTER = {"shaft-80": 0.0, "flange-120": 60.0, "gear-7": 30.0}


def pump(n: int, every: int, recipes: tuple[str, ...] = RECIPES, seed: int = 3, start: int = 0) -> Recording:
    """A pump that makes each recipe for `every` seconds in turn, each at its own speed."""
    random = np.random.default_rng(seed)
    recipe = (np.arange(n) // every + start) % len(recipes)
    speed = 1400 + np.array([FASTER[name] for name in recipes])[recipe] + random.normal(0, 3, n)
    flow = 20 * speed / 1450 + random.normal(0, 0.1, n)
    pressure = 3.2 * (speed / 1450) ** 2 + random.normal(0, 0.02, n)
    return Recording(
        path="pump.csv",
        asset="pump",
        time=START + np.arange(n) * SECOND,
        values={"speed": speed, "flow": flow, "pressure": pressure, "recipe": recipe.astype(float)},
        texts={"recipe": TextTable(recipes)},
    )


@pytest.fixture(scope="module")
def knowing(plant: Plant) -> TrainedModel:
    return train(pump(4000, 500), plant, Settings())


@pytest.fixture
def model(knowing: TrainedModel, tmp_path: Path) -> OnnxModel:
    write(tmp_path / "pump.onnx", knowing.content)
    return OnnxModel.load(tmp_path / "pump.onnx")


def assessed(plant: Plant, model: OnnxModel, recording: Recording) -> list[Assessment]:
    return [each for each in replay(plant, "pump", model, recording)[0] if each.reason is not Reason.WARMING_UP]


def test_the_file_says_by_what_its_modes_are_told(knowing: TrainedModel) -> None:
    (context,) = knowing.spec.context
    assert (context.name, context.codes) == ("recipe", RECIPES)
    assert knowing.spec.figures["modes"] == list(RECIPES)
    assert knowing.parity.largest < 1e-4


def test_a_change_of_product_is_no_fault_and_its_own_normal_holds(plant: Plant, model: OnnxModel) -> None:
    # a recording that numbers its texts in its own way
    found = assessed(plant, model, pump(600, 200, RECIPES[::-1], seed=8))
    assert {each.reason for each in found if each.state is State.WITHHELD} == {Reason.CHANGEOVER}
    assert sum(each.reason is Reason.CHANGEOVER for each in found) == 2 * (model.spec.n_samples - 1)
    scores = np.array([each.score for each in found if each.score is not None])
    assert (scores >= 1.0).mean() < 0.02
    # the flange's speed under the shaft's name is none of the shaft's
    disguised = pump(300, 300, ("shaft-80",), seed=8)
    disguised.values["speed"][:] += 60.0
    assert all(each.score is not None and each.score > 1.0 for each in assessed(plant, model, disguised))


def test_a_product_that_was_never_seen_is_named_so_and_no_fault(plant: Plant, model: OnnxModel) -> None:
    found = assessed(plant, model, pump(100, 100, ("gear-7",)))
    assert {each.reason for each in found} == {Reason.UNKNOWN_RECIPE}
    assert all(each.score is None for each in found)


def test_a_text_that_is_missing_is_stale(plant: Plant, model: OnnxModel) -> None:
    recording = pump(100, 100)
    recording.values["recipe"][40:] = np.nan
    found = assessed(plant, model, recording)
    assert found[-1].reason is Reason.STALE


def test_a_model_of_products_needs_a_plant_that_tells_them(plant: Plant, model: OnnxModel) -> None:
    asset = plant.assets["pump"]
    mute = replace(plant, assets={"pump": replace(asset, context=())})
    with pytest.raises(ModelError, match="is conditioned on 'recipe', which should be a text signal"):
        Pipeline(mute, {"pump": model})


def test_what_changes_all_the_time_or_never_tells_nothing() -> None:
    tables = {"step": TextTable(("a", "b")), "plant": TextTable(("x",)), "recipe": TextTable(("p", "q", "r"))}
    n = 400
    codes = np.column_stack([np.arange(n) % 2, np.zeros(n, np.int64), np.repeat([0, 1, 2], [200, 195, 5])])
    changed = np.zeros((n, 3), np.bool_)
    changed[:, 0], changed[195:200, 2] = True, True
    modes, columns, belongs = learn_modes(["step", "plant", "recipe"], tables, codes, changed, 4)
    assert columns.tolist() == [2]
    # five windows are too few to know the third product by
    assert modes.names() == ["p", "q"]
    assert modes.of(np.array([[0], [1], [2], [-1]])).tolist() == [0, 1, -1, -1]
    assert belongs.sum() == 390
