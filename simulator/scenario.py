"""Scenarios: what happens to which machine and when, as a TOML file. Logic over machine time, repeatable by seed.

`[[events]]` are scripted; `[[lives]]` come by themselves, after Weibull lives of each machine's own. A scenario names
machines by class or by asset, so it fits any plant that has such machines. `simulator/scenarios/README.md` explains the keys.
"""

import heapq
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edge.contracts.alarm import BilingualText
from edge.contracts.errors import KullagerError
from edge.contracts.plant import NotNegative, Positive
from simulator.degradation import weibull_life
from simulator.sensors import SensorFaultKind

FOLDER: Final = Path(__file__).parent / "scenarios"
_STRICT = ConfigDict(extra="forbid")
ONE_OF: Final = ("fault", "repair", "recipe", "sensor", "warmer", "chaos")
Severity = Annotated[float, Field(gt=0, le=1)]


class ScenarioError(KullagerError):
    """A scenario that cannot be played: names file, key and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEvent:
    """A sensor fails: `kind` and `amount` as in `simulator.sensors.SensorFaultKind`."""

    __pydantic_config__ = _STRICT
    signal: str
    kind: SensorFaultKind
    amount: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosEvent:
    """The network misbehaves: `kind` as in `simulator.chaos.ChaosKind`, at `source`, or wherever there is such a thing."""

    __pydantic_config__ = _STRICT
    kind: str
    source: str = ""
    for_s: Positive | None = None
    amount: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of `[[events]]`: `at_min` after the start, on `machine` (a class or an asset), just one of the rest.

    Chaos has no machine: it comes to a source of the plant file. Weather without a machine comes to all.
    """

    __pydantic_config__ = _STRICT
    at_min: NotNegative
    machine: str = ""
    fault: str | None = None
    severity: Severity = 1.0
    over_min: NotNegative = 1.0
    repair: Literal[True] | None = None
    recipe: str | None = None
    sensor: SensorEvent | None = None
    warmer: Annotated[float, Field(ge=-40, le=40)] | None = None
    chaos: ChaosEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One entry of `[[lives]]`: `fault` comes by itself to every such machine, fails it, and is repaired.

    characteristic_h, shape: the Weibull life until failure [h]; grows_h: the last part of it, in which the fault shows
    """

    __pydantic_config__ = _STRICT
    machine: str
    fault: str
    characteristic_h: Positive
    shape: Positive = 2.0
    grows_h: Positive
    severity: Severity = 1.0
    repaired_after_h: NotNegative = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario file. `repeat_min`: the scripted events begin again after so long; without it they come once."""

    __pydantic_config__ = _STRICT
    schema: Literal[1]
    name: BilingualText
    description: BilingualText
    repeat_min: Positive | None = None
    events: tuple[Event, ...] = ()
    lives: tuple[Life, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    fault: str
    severity: float
    over_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherChange:
    """It becomes `warmer` [K] than usual within `over_s` [s]."""

    warmer: float
    over_s: float


Action = Injection | Repair | Job | SensorEvent | WeatherChange | ChaosEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """`action` comes to `asset`, `at_s` after the start [s]; chaos comes to no asset, and has an empty one."""

    at_s: float
    asset: str
    action: Action


def load_scenario(name: str) -> Scenario:
    """A shipped scenario by its name, or a file by its path. Raises `ScenarioError`."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        return TypeAdapter(Scenario).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ScenarioError(
            f"{name}: there is no such scenario; there are {', '.join(shipped())}, or give a .toml file"
        ) from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: is not TOML: {error}") from None
    except ValidationError as error:
        lines = [_in_words(detail) for detail in error.errors()]
        raise ScenarioError("\n".join(f"{path}: {line}" for line in dict.fromkeys(lines))) from None


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the simulator."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def happenings(scenario: Scenario, assets: Mapping[str, str], seed: int) -> Iterator[Happening]:
    """All that happens to `assets` (their classes by name), in order of time; endless where the scenario is.

    What names machines that the plant does not have does not happen.
    """
    streams = [_scripted(scenario, assets)]
    for number, life in enumerate(scenario.lives):
        streams += [
            _lived(life, asset, np.random.default_rng([seed, zlib.crc32(asset.encode()), number]))
            for asset in _meant(life.machine, assets)
        ]
    return heapq.merge(*streams, key=lambda happening: happening.at_s)


def _meant(machine: str, assets: Mapping[str, str]) -> list[str]:
    return [asset for asset, kind in assets.items() if machine in (asset, kind, "")]


def _scripted(scenario: Scenario, assets: Mapping[str, str]) -> Iterator[Happening]:
    once = [
        Happening(at_s=event.at_min * 60.0, asset=asset, action=_action(event))
        for event in sorted(scenario.events, key=lambda event: event.at_min)
        for asset in ([""] if event.chaos is not None else _meant(event.machine, assets))
    ]
    start_s = 0.0
    while once:
        yield from (Happening(at_s=start_s + each.at_s, asset=each.asset, action=each.action) for each in once)
        if scenario.repeat_min is None:
            return
        start_s += scenario.repeat_min * 60.0


def _lived(life: Life, asset: str, rng: np.random.Generator) -> Iterator[Happening]:
    new_s = 0.0
    while True:
        fails_s = new_s + float(weibull_life(life.characteristic_h, life.shape, rng.random())) * 3600.0
        shows_s = max(new_s, fails_s - life.grows_h * 3600.0)
        injection = Injection(fault=life.fault, severity=life.severity, over_s=fails_s - shows_s)
        yield Happening(at_s=shows_s, asset=asset, action=injection)
        new_s = fails_s + life.repaired_after_h * 3600.0
        yield Happening(at_s=new_s, asset=asset, action=Repair())


def _action(event: Event) -> Action:
    if event.fault is not None:
        return Injection(fault=event.fault, severity=event.severity, over_s=event.over_min * 60.0)
    if event.recipe is not None:
        return Job(recipe=event.recipe)
    if event.warmer is not None:
        return WeatherChange(warmer=event.warmer, over_s=event.over_min * 60.0)
    return event.chaos or event.sensor or Repair()


def faults_of(scenario: Scenario, possible: Mapping[str, tuple[set[str], set[str], set[str]]]) -> list[str]:
    """What a scenario asks for that its machines do not have, in words.

    possible: for each class and asset its faults, its recipes and its signals
    """
    wrong = []
    entries: list[tuple[str, int, Event | Life]] = [
        *(("events", number, event) for number, event in enumerate(scenario.events)),
        *(("lives", number, life) for number, life in enumerate(scenario.lives)),
    ]
    for where, number, entry in entries:
        if isinstance(entry, Event):
            given = [key for key in ONE_OF if getattr(entry, key) is not None]
            if len(given) != 1:
                wrong.append(f"{where}.{number}: should have one of {', '.join(ONE_OF)}; it has {given or 'none'}")
            if entry.chaos is not None and entry.machine:
                wrong.append(f"{where}.{number}.machine: has no place beside chaos")
            if entry.chaos is None and entry.warmer is None and not entry.machine:
                wrong.append(f"{where}.{number}.machine: is missing; it should be a class or an asset")
        if isinstance(entry, Event) and scenario.repeat_min is not None and entry.at_min >= scenario.repeat_min:
            wrong.append(f"{where}.{number}.at_min: {entry.at_min:g} should be before repeat_min, {scenario.repeat_min:g}")
        if entry.machine not in possible:
            continue
        faults, recipes, signals = possible[entry.machine]
        asked: list[tuple[str, Any, set[str]]] = [("fault", entry.fault, faults)]
        if isinstance(entry, Event):
            asked += [("recipe", entry.recipe, recipes), ("sensor.signal", entry.sensor and entry.sensor.signal, signals)]
        wrong += [
            f"{where}.{number}.{key}: '{entry.machine}' has no '{name}'; possible: {', '.join(sorted(known))}"
            for key, name, known in asked
            if name is not None and name not in known
        ]
    return wrong


def _in_words(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{key}: unknown key; simulator/scenarios/README.md explains the keys"
    if detail["type"].startswith("missing"):
        return f"{key}: is missing"
    return f"{key}: {detail['input']!r}: {detail['msg']}"
