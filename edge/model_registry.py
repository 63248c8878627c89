"""Which model files an edge has been given, and which of them is in service, in shadow, or was before: kept on disk.

`KULLAGER_HOME/edge/models/<sha256>.onnx` are the files, `registry.json` says what they are to each name of the plant file. A
name without an entry is served by `KULLAGER_HOME/models/<name>.onnx`, as training leaves it. So is one whose file there has
been replaced since the promotion: what somebody trained and put there by hand is meant.
"""

import hashlib
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson

logger = logging.getLogger(__name__)

# files to go back to, of each name
MOST_PREVIOUS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Of one name, by sha256; an empty one is the file of training, whose content had the hash `trained` at the promotion."""

    champion: str = ""
    shadow: str | None = None
    shadow_since: int = 0
    previous: tuple[str, ...] = ()
    trained: str = ""


@dataclass(slots=True)
class ModelRegistry:
    """Of one edge. `home` is KULLAGER_HOME."""

    home: Path
    roles: dict[str, Roles] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            raw: dict[str, dict[str, Any]] = orjson.loads(self._path.read_bytes())
            self.roles = {name: Roles(**{**entry, "previous": tuple(entry["previous"])}) for name, entry in raw.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            logger.error("%s: cannot be read, and is left aside: %s", self._path, error)
            self.roles = {}
        for name, roles in list(self.roles.items()):
            if roles.champion and roles.trained != (now := _hash(self.trained(name))):
                logger.warning("%s: has been replaced since a model was promoted, and is in service again", self.trained(name))
                self.put(name, replace(roles, champion="", previous=(roles.champion, *roles.previous), trained=now))

    def of(self, name: str) -> Roles:
        return self.roles.get(name, Roles())

    def path(self, name: str, sha256: str) -> Path:
        """The file of a hash; without one that of training."""
        return self._folder / f"{sha256}.onnx" if sha256 else self.trained(name)

    def trained(self, name: str) -> Path:
        return self.home / "models" / f"{name}.onnx"

    def keep(self, content: bytes) -> str:
        """Write a model file; gives its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        _write(self._folder / f"{sha256}.onnx", content)
        return sha256

    def put(self, name: str, roles: Roles) -> None:
        """Say what files are to a name; those that no name needs any more are removed."""
        if roles.champion and not roles.trained:
            roles = replace(roles, trained=_hash(self.trained(name)))
        self.roles[name] = replace(roles, previous=tuple(dict.fromkeys(roles.previous))[:MOST_PREVIOUS])
        _write(self._path, orjson.dumps({each: asdict(entry) for each, entry in self.roles.items()}))
        needed = {h for each in self.roles.values() for h in (each.champion, each.shadow, *each.previous)}
        for path in self._folder.glob("*.onnx"):
            if path.stem not in needed:
                path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.home / "edge" / "models"

    @property
    def _path(self) -> Path:
        return self._folder / "registry.json"


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
