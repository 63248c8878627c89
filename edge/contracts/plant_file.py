"""Reading a plant file: its faults in words, all of them at once, each with file, key and what would be right."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from edge.contracts.errors import PlantError
from edge.contracts.plant import (
    IDENTIFIER,
    NODE_ID,
    SIGNAL_NAME,
    SPARKPLUG_DEVICE,
    MqttSource,
    OpcuaSource,
    Plant,
    Signal,
    Source,
    SparkplugSource,
    Waveform,
)

WHAT_WOULD_BE_RIGHT: Final = {
    IDENTIFIER: "lower-case letters, digits and hyphens, as in 'pump-101'",
    SIGNAL_NAME: "lower-case letters, digits and underscores, as in 'bearing_temperature'",
    NODE_ID: "a node with its namespace URI, as in 'nsu=urn:vendor:plc;s=pump-101.speed'",
    SPARKPLUG_DEVICE: "a group, an edge node and, where it is a device of it, the device, as in 'hall-1/gateway/pump-101'",
}
_SOURCES: Final = {"opcua": OpcuaSource, "mqtt": MqttSource, "sparkplug": SparkplugSource}
_KINDS: Final = ", ".join(f"'{kind}'" for kind in _SOURCES)
# by kind of source the keys that a signal of it needs, and those that it may have besides
_NEEDED_KEYS: Final[dict[str, tuple[str, ...]]] = {"opcua": ("node",), "mqtt": ("topic",), "sparkplug": ("device", "metric")}
_FURTHER_KEYS: Final[dict[str, tuple[str, ...]]] = {"mqtt": ("field", "time_field"), "opcua": ("field",)}


def load_plant(path: Path | str, environ: Mapping[str, str] | None = None) -> Plant:
    """Read and check a plant file.

    `KULLAGER_SOURCE_<NAME>_URL` and `…_USER` in `environ` replace the address and user of a source, so that one file
    serves a laptop and its containers. Raises `PlantError` with every fault found, one line each.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlantError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlantError(f"{path}: is not TOML: {error}") from None
    _override_sources(document, environ or {})
    try:
        plant = TypeAdapter(Plant).validate_python(document)
    except ValidationError as error:
        lines = [_in_words(detail) for detail in error.errors()]
        raise PlantError("\n".join(f"{path}: {line}" for line in dict.fromkeys(lines))) from None
    if faults := _references(plant):
        raise PlantError("\n".join(f"{path}: {fault}" for fault in faults))
    return plant


def source_password(name: str, environ: Mapping[str, str]) -> str | None:
    """The password of a source: from `KULLAGER_SOURCE_<NAME>_PASSWORD`, or from the file `…_PASSWORD_FILE` names."""
    variable = source_variable(name, "PASSWORD")
    if (file := environ.get(f"{variable}_FILE")) is not None:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PlantError(f"{variable}_FILE: {file} cannot be read: {error.strerror or error}") from None
    return environ.get(variable)


def source_certificate(name: str, environ: Mapping[str, str]) -> Path | None:
    """The PEM file with certificate and key by which a source knows its user: `KULLAGER_SOURCE_<NAME>_CERTIFICATE_FILE`."""
    file = environ.get(source_variable(name, "CERTIFICATE_FILE"))
    return Path(file) if file else None


def source_variable(name: str, key: str) -> str:
    """The variable of the environment for a key of a source.

    >>> source_variable("hall-1", "PASSWORD")
    'KULLAGER_SOURCE_HALL_1_PASSWORD'
    """
    return f"KULLAGER_SOURCE_{name.upper().replace('-', '_')}_{key}"


def _override_sources(document: dict[str, Any], environ: Mapping[str, str]) -> None:
    sources = document.get("sources")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        for key in ("url", "user"):
            value = environ.get(source_variable(str(name), key.upper()))
            if value is not None and isinstance(source, dict):
                source[key] = value


def _key(location: tuple[int | str, ...]) -> str:
    # pydantic puts the tag of a source's kind, and "[key]" for dictionary keys, into the location; the file has neither
    parts = list(location)
    if len(parts) > 2 and parts[0] == "sources" and parts[2] in _SOURCES:
        del parts[2]
    return ".".join(str(part) for part in parts if part != "[key]")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at `location` may have."""
    kind: Any = Plant
    for part in location[:-1]:
        kind = _unwrapped(kind)
        if part in _SOURCES:
            kind = _SOURCES[str(part)]
        elif is_dataclass(kind):
            name = "asset_class" if part == "class" else part
            kind = next((f.type for f in fields(kind) if f.name == name), None)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
    kind = _unwrapped(kind)
    return ["class" if f.name == "asset_class" else f.name for f in fields(kind)] if is_dataclass(kind) else []


def _unwrapped(kind: Any) -> Any:
    """The type itself, without `Annotated` and without `| None`."""
    if get_origin(kind) is Annotated:
        return _unwrapped(get_args(kind)[0])
    if get_origin(kind) is UnionType and len(inner := [k for k in get_args(kind) if k is not NoneType]) == 1:
        return _unwrapped(inner[0])
    return kind


def _in_words(detail: ErrorDetails) -> str:
    key, given = _key(detail["loc"]), detail["input"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{key}: is missing"
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = _known_keys(detail["loc"])
            near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
            return f"{key}: unknown key; " + (f"did you mean '{near[0]}'?" if near else f"possible: {', '.join(known)}")
        case "string_pattern_mismatch":
            return f"{key}: {given!r} should be {WHAT_WOULD_BE_RIGHT.get(str(context.get('pattern')), context.get('pattern'))}"
        case "literal_error" | "enum":
            return f"{key}: {given!r} should be {context.get('expected')}"
        case "too_short":
            return f"{key}: should have at least {context.get('min_length')} entry"
        case "union_tag_not_found":
            return f"{key}.kind: is missing; possible: {_KINDS}"
        case "union_tag_invalid":
            return f"{key}.kind: {given.get('kind')!r} should be one of {_KINDS}"
        case _:
            message = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
            return f"{key}: {given!r} {message}" if not isinstance(given, dict) else f"{key}: {message}"


def _references(plant: Plant) -> list[str]:
    """What the single keys cannot tell: names that must exist elsewhere, and keys that must go together."""
    faults: list[str] = []
    brokers = [name for name, source in plant.sources.items() if isinstance(source, MqttSource)]
    if not brokers:
        faults.append("sources: one of kind 'mqtt' is needed: results leave through it")
    elif plant.edge.results is None and len(brokers) > 1:
        faults.append(f"edge.results: is missing; which broker takes the results? possible: {', '.join(brokers)}")
    elif plant.edge.results is not None and plant.edge.results not in brokers:
        faults.append(f"edge.results: '{plant.edge.results}' is no source of kind 'mqtt'; possible: {', '.join(brokers)}")
    if plant.edge.sparkplug is not None and isinstance(
        plant.sources.get(plant.edge.sparkplug.source, OpcuaSource), OpcuaSource
    ):
        possible = ", ".join(name for name, source in plant.sources.items() if not isinstance(source, OpcuaSource))
        faults.append(f"edge.sparkplug.source: '{plant.edge.sparkplug.source}' is no broker of this file; possible: {possible}")
    for name, source in plant.sources.items():
        faults += _address_faults(f"sources.{name}.url", source)
    for asset_id, asset in plant.assets.items():
        where = f"assets.{asset_id}"
        for name, signal in asset.signals.items():
            faults += _signal_faults(f"{where}.signals.{name}", signal, plant)
        for name, waveform in asset.waveforms.items():
            faults += _signal_faults(f"{where}.waveforms.{name}", waveform, plant)
        wanted = [("running.signal", asset.running.signal)] if asset.running else []
        if (production := asset.production) is not None:
            roles = {role: getattr(production, role) for role in ("energy", "product", "recipe", "state")}
            wanted += [(f"production.{role}", name) for role, name in roles.items() if name]
            faults += [
                f"{where}.production.{role}: '{roles[role]}' is no text signal; name it in the asset's 'context', too"
                for role in ("recipe", "state")
                if roles[role] in asset.signals and roles[role] not in asset.context
            ]
        for name, signal in asset.signals.items():
            if signal.zones is not None and not signal.zones[0] < signal.zones[1] < signal.zones[2]:
                faults.append(f"{where}.signals.{name}.zones: {list(signal.zones)} should rise: A/B, B/C, C/D")
        for key, name in [*wanted, *(("context", name) for name in asset.context)]:
            if name not in asset.signals:
                faults.append(f"{where}.{key}: '{name}' is no signal of this asset; possible: {', '.join(asset.signals)}")
    return faults


def _address_faults(key: str, source: Source) -> list[str]:
    schemes = ("opc.tcp",) if isinstance(source, OpcuaSource) else ("mqtt", "mqtts")
    example = "opc.tcp://192.168.0.10:4840" if isinstance(source, OpcuaSource) else "mqtt://192.168.0.10:1883"
    try:
        parts = urlsplit(source.url)
        good = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return [f"{key}: '{source.url}' should be an address such as '{example}'"]
    if parts.password is not None:
        return [f"{key}: carries a password; give it in the environment instead (see edge/plants/README.md)"]
    return [] if good else [f"{key}: '{source.url}' should be an address such as '{example}'"]


def _signal_faults(where: str, signal: Signal | Waveform, plant: Plant) -> list[str]:
    source = plant.sources.get(signal.source)
    if source is None:
        return [f"{where}.source: '{signal.source}' is no source of this file; possible: {', '.join(plant.sources)}"]
    if isinstance(source, SparkplugSource) and isinstance(signal, Waveform):
        return [f"{where}.source: blocks of fast signals do not come by Sparkplug; name a source of kind 'opcua' or 'mqtt'"]
    faults = [
        f"{where}.{key}: is missing; source '{signal.source}' is of kind '{source.kind}'"
        for key in _NEEDED_KEYS[source.kind]
        if not getattr(signal, key)
    ]
    own = _NEEDED_KEYS[source.kind] + _FURTHER_KEYS.get(source.kind, ())
    faults += [
        f"{where}.{key}: does not belong to source '{signal.source}' of kind '{source.kind}'"
        for key in sum(_NEEDED_KEYS.values(), ()) + sum(_FURTHER_KEYS.values(), ())
        if key not in own and getattr(signal, key, None) is not None
    ]
    if isinstance(source, MqttSource) and isinstance(signal, Signal) and signal.on_change:
        faults.append(f"{where}.on_change: nobody vouches for a value on a topic; leave it out, and raise stale_s instead")
    if signal.topic is not None and re.search(r"[#+]", signal.topic):
        faults.append(f"{where}.topic: '{signal.topic}' has a wildcard; a signal needs one topic")
    return faults
