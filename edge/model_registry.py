"""Which model files an edge has been given, and which of them is in service, in shadow, or was before: kept on disk.

`KULLAGER_HOME/edge/models/<sha256>.onnx` are the files, `registry.json` says what they are to each name of the plant file;
`registry-copy.json` is the same again, for the day when the disk has damaged the first. A name without an entry is served by
`KULLAGER_HOME/models/<name>.onnx`, as training leaves it. So is one whose file there has been replaced since another model was
put in service: what somebody trained and put there by hand is meant.
"""

import hashlib
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import orjson

from edge.contracts.errors import MessageError
from edge.formats.json_message import decode_fields, load_object

logger = logging.getLogger(__name__)

# files to go back to, of each name
MOST_PREVIOUS: Final = 5
# commands that are known when they come again
MOST_COMMANDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Of one name, by sha256; an empty one is the file of training.

    trained:  hash of the content that the file of training had when `champion` was put in service
    commands: the newest that were carried out, by what they hold
    """

    champion: str = ""
    shadow: str | None = None
    shadow_since: int = 0
    previous: tuple[str, ...] = ()
    trained: str = ""
    commands: tuple[str, ...] = ()


@dataclass(slots=True)
class ModelRegistry:
    """Of one edge. `home` is KULLAGER_HOME.

    damage: why what the registry said is lost, None where it is not; problem: why it cannot be written now
    """

    home: Path
    roles: dict[str, Roles] = field(default_factory=dict)
    damage: str | None = None
    problem: str | None = None
    _being_given: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.read()

    def read(self) -> None:
        """Take what the disk says."""
        self.roles, self.damage = self._read()
        for name, roles in list(self.roles.items()):
            now = _hash(self.trained(name))
            # one that is gone replaces nothing
            if roles.champion and now and roles.trained != now:
                logger.warning("%s: has been replaced since a model was promoted, and is in service again", self.trained(name))
                self.put(name, replace(roles, champion="", previous=(roles.champion, *roles.previous)))

    def of(self, name: str) -> Roles:
        return self.roles.get(name, Roles())

    def path(self, name: str, sha256: str) -> Path:
        """The file of a hash; without one that of training."""
        return self._folder / f"{sha256}.onnx" if sha256 else self.trained(name)

    def trained(self, name: str) -> Path:
        return self.home / "models" / f"{name}.onnx"

    def keep(self, content: bytes) -> str:
        """Write a model file; gives its sha256. It stays, though no name needs it yet. Raises OSError."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._being_given.add(sha256)
        _write(self._folder / f"{sha256}.onnx", content)
        return sha256

    def put(self, name: str, roles: Roles) -> None:
        """Say what files are to a name. Where that cannot be written now, it is so all the same, and `problem` says why."""
        if roles.champion != self.of(name).champion:
            roles = replace(roles, trained=_hash(self.trained(name)))
        previous = [each for each in dict.fromkeys(roles.previous) if each != roles.champion]
        self.roles[name] = replace(
            roles, previous=tuple(previous[:MOST_PREVIOUS]), commands=tuple(dict.fromkeys(roles.commands))[:MOST_COMMANDS]
        )
        self._being_given -= {roles.champion, roles.shadow}
        self.save()

    def save(self) -> None:
        """Write it down, and then remove the files that no name needs any more."""
        content = orjson.dumps({each: asdict(entry) for each, entry in self.roles.items()})
        try:
            for path in self._paths:
                _write(path, content)
        except OSError as error:
            if self.problem is None:
                logger.error("%s: cannot be written, and is tried again: %s", error.filename, error.strerror or error)
            self.problem = f"{error.filename}: cannot be written: {error.strerror or error}"
            return
        self.problem = None
        needed = {h for each in self.roles.values() for h in (each.champion, each.shadow, *each.previous)} | self._being_given
        for path in (*self._folder.glob("*.onnx"), *self._folder.glob("*.part")):
            if path.stem not in needed:
                path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.home / "edge" / "models"

    @property
    def _paths(self) -> tuple[Path, Path]:
        return self._folder / "registry.json", self._folder / "registry-copy.json"

    def _read(self) -> tuple[dict[str, Roles], str | None]:
        faults = []
        for path in self._paths:
            try:
                return _roles(path), None
            except FileNotFoundError:
                continue
            except (OSError, MessageError) as error:
                logger.error("the model registry is damaged: %s", error)
                faults.append(str(error))
        return {}, "; ".join(faults) or None


def _roles(path: Path) -> dict[str, Roles]:
    """Raises OSError, or MessageError where it is no registry."""
    found = {}
    for name, entry in load_object(path.read_bytes(), str(path)).items():
        if not isinstance(entry, dict):
            raise MessageError("wrong-type", f"{path}: '{name}' should be an object")
        roles = found[name] = decode_fields(Roles, entry, f"{path}: {name}")
        for sha256 in (roles.champion, roles.shadow or "", *roles.previous):
            if sha256 and (len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef")):
                raise MessageError("wrong-type", f"{path}: {name}: '{sha256}' is no sha256")
    return found


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
