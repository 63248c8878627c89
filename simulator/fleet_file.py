"""The plant file of a fleet: so many machines of each class, each like the one that a plant file has."""

import copy
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit

from edge.contracts.errors import PlantError

MOST_MACHINES: Final = 100_000


def fleet_file(path: Path | str, machines: Mapping[str, int]) -> str:
    """The TOML text of the plant file `path` with `machines` of each class instead of its own.

    The first asset of a class is the pattern: where its id stands in a name, node or topic, that of the new asset stands.
    Raises `PlantError` where a class has no asset to be like.
    """
    try:
        document: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PlantError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlantError(f"{path}: is not TOML: {error}") from None
    patterns: dict[str, tuple[str, Any]] = {}
    for asset, settings in document.get("assets", {}).items():
        patterns.setdefault(settings.get("class", ""), (asset, settings))
    fleet = {}
    for machine_class, count in machines.items():
        if machine_class not in patterns:
            raise PlantError(f"{path}: has no asset of class '{machine_class}'; it has {', '.join(patterns)}")
        pattern, settings = patterns[machine_class]
        for number in range(1, count + 1):
            asset = f"{machine_class}-{number:0{len(str(count))}d}"
            fleet[asset] = _renamed(copy.deepcopy(settings), pattern, asset)
            fleet[asset].pop("name", None)
    return tomlkit.dumps(document | {"assets": fleet})


def _renamed(value: Any, before: str, after: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(content, before, after) for key, content in value.items()}
    if isinstance(value, list):
        return [_renamed(content, before, after) for content in value]
    return value.replace(before, after) if isinstance(value, str) else value
