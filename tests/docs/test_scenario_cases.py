"""Stories through simulator and pipeline, folder by folder: the alarms with times and texts, and the spans without a score."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from docs.played import Play, Said, play, replay, trained
from edge.contracts.alarm import AlarmState
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.pipeline import OnnxModel
from simulator.generate import SHIFT_H
from simulator.scenario import load_scenario

FOLDER = Path(__file__).parents[1] / "cases" / "scenarios"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.toml"))
TRAINED_H = 16.0
MIN_NS = 60_000_000_000


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(FOLDER / "plant.toml", {})


@pytest.fixture(scope="module")
def models() -> dict[str, OnnxModel]:
    """By asset: the healthy hours before each of its stories are the same."""
    return {}


@pytest.fixture(scope="module", params=CASES)
def told(
    request: pytest.FixtureRequest, plant: Plant, models: dict[str, OnnxModel], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Play, Said]:
    """What should be said of a case, the case itself, and what was."""
    folder = FOLDER / request.param
    expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
    scenario = load_scenario(str(folder / "scenario.toml"))
    played = play(
        plant, expected["asset"], request.param, scenario, expected["hours"], 1, 1, TRAINED_H, expected.get("shift_h", SHIFT_H)
    )
    if played.asset not in models:
        models[played.asset] = trained(plant, played, tmp_path_factory.mktemp("model") / "model.onnx")
    return expected, played, replay(plant, models[played.asset], [played])[request.param]


def minute(played: Play, time: int) -> float:
    return (time - played.begins) / MIN_NS


def test_the_alarms_are_those_that_are_expected_and_no_others(told: tuple[dict[str, Any], Play, Said]) -> None:
    expected, played, said = told
    begun = {}
    for alarm in said.alarms:
        if alarm.state is AlarmState.ACTIVE_UNACKNOWLEDGED:
            begun.setdefault(alarm.rule, alarm)
    assert set(begun) == {each["rule"] for each in expected.get("alarms", ())}
    for each in expected.get("alarms", ()):
        alarm = begun[each["rule"]]
        assert each["from_min"] <= minute(played, alarm.raised) <= each["to_min"], each["rule"]
        assert alarm.priority == each["priority"]
        assert alarm.text.en.startswith(each["text_en"])
        assert alarm.text.sv.startswith(each["text_sv"])


def test_a_score_is_withheld_where_it_should_be_and_nowhere_else(told: tuple[dict[str, Any], Play, Said]) -> None:
    expected, played, said = told
    minutes = [minute(played, time) for time in said.time]
    spans = expected.get("withheld", ())
    for span in spans:
        inside = [r for m, r in zip(minutes, said.reason, strict=True) if span["from_min"] <= m <= span["to_min"]]
        assert set(inside) == {span["reason"]}
    others = {
        reason
        for m, reason in zip(minutes, said.reason, strict=True)
        # a window takes a while to fill, and to empty
        if reason is not None and not any(span["from_min"] - 5.0 <= m <= span["to_min"] + 5.0 for span in spans)
    }
    assert others <= set(expected["may_withhold"])


def test_the_case_names_the_fault_and_what_to_do(told: tuple[dict[str, Any], Play, Said]) -> None:
    expected, _, said = told
    if "fault" not in expected:
        assert not said.cases
        return
    last = [case for case in said.cases if case.fault is not None][-1]
    assert last.fault is not None
    assert last.fault.name == expected["fault"]
    assert last.advice is not None
    assert last.advice.until is not None
    assert last.advice.action.sv != last.advice.action.en
