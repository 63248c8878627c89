"""Listens to a broker: which topics come, which numbers and texts their JSON holds, and what Sparkplug devices are born."""

import asyncio
import contextlib
import math
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from edge.browse.found import FoundAsset, FoundSignal, Kind
from edge.contracts.errors import ConnectionRefused, MessageError
from edge.formats.sparkplug import NAMESPACE, Topic, rebirth_command
from edge.formats.sparkplug import Kind as MessageKind
from edge.formats.sparkplug_payload import HIGH, LOW, UNIT, DataType, Metric
from edge.formats.sparkplug_reader import Reader
from edge.formats.units import unit_of
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection

CONNECT_S: Final = 8.0
# results of kullager itself
_OTHERS: Final = ("$", "kullager/")
_SPARKPLUG: Final = f"{NAMESPACE}/"
# what an edge node says of itself
_OWN: Final = ("bdSeq", "Node Control/", "Device Control/", "Node Info/", "Properties/")
_TIMES: Final = ("time", "timestamp", "ts", "datetime", "date")


async def browse_mqtt(url: str, user: str, password: str | None, listen_s: float) -> list[FoundAsset]:
    """What comes within `listen_s`. Raises `ConnectionRefused` where the broker is not there or says no."""
    found: dict[tuple[str, str], FoundSignal] = {}
    readers: dict[tuple[str, str], Reader] = {}
    devices: dict[str, FoundAsset] = {}
    client_id = f"kullager-browse-{secrets.token_hex(4)}"
    connection = MqttConnection(url=url, client_id=client_id, subscriptions=("#",), user=user, password=password)
    is_connected = False
    try:
        async with asyncio.timeout(CONNECT_S) as limit, connection:
            async for event in connection:
                match event:
                    case Connected():
                        is_connected = True
                        limit.reschedule(asyncio.get_running_loop().time() + listen_s)
                    case Lost(reason=reason):
                        raise ConnectionRefused(f"{reason}. Is the broker running, and is the address right?")
                    case Message(topic=topic, payload=payload) if topic.startswith(_SPARKPLUG):
                        if (node := _take_sparkplug(topic, payload, readers, devices)) is not None:
                            connection.publish(*rebirth_command(*node, time.time_ns()).encode(), qos=0)
                    case Message(topic=topic, payload=payload):
                        if not topic.startswith(_OTHERS):
                            _take(topic, payload, found)
    except TimeoutError:
        if not is_connected:
            raise ConnectionRefused(f"{url}: no answer within {CONNECT_S:.0f} s") from None
    return [*_assets(found), *devices.values()]


def _take_sparkplug(
    text: str, payload: bytes, readers: dict[tuple[str, str], Reader], devices: dict[str, FoundAsset]
) -> tuple[str, str] | None:
    """One message; gives the edge node that is to be asked for its births, where it is heard of for the first time."""
    try:
        topic = Topic.parse(text)
    except MessageError:
        # a host's state, or nothing of Sparkplug
        return None
    key = (topic.group, topic.node)
    is_new = key not in readers and topic.kind not in (MessageKind.NCMD, MessageKind.DCMD)
    reader = readers.setdefault(key, Reader(*key))
    with contextlib.suppress(MessageError):
        message = reader.read(text, payload)
        where = "/".join(filter(None, (*key, topic.device)))
        if topic.kind in (MessageKind.NBIRTH, MessageKind.DBIRTH):
            # a second birth tells the same again
            devices.setdefault(where, FoundAsset(path=(topic.device or topic.node,), how="a Sparkplug device"))
        for metric in message.payload.metrics if where in devices else ():
            _take_metric(where, metric, devices[where])
        if where in devices and not devices[where].signals:
            del devices[where]
    return key if is_new and not reader.is_alive else None


def _take_metric(device: str, metric: Metric, asset: FoundAsset) -> None:
    name = metric.name or ""
    if name.startswith(_OWN) or metric.datatype in (DataType.BOOLEAN, DataType.DATETIME, DataType.UUID):
        return
    is_text = metric.datatype in (DataType.STRING, DataType.TEXT)
    if not is_text and not isinstance(metric.value, int | float) and not metric.is_null:
        return
    signal = next((each for each in asset.signals if each.where["metric"] == name), None)
    if signal is None:
        told = {key: each.value for key, each in metric.properties.items()}
        signal = FoundSignal(
            path=tuple(name.split("/")),
            where={"device": device, "metric": name},
            kind=Kind.TEXT if is_text else Kind.NUMBER,
            unit=unit_of(str(told[UNIT])) if told.get(UNIT) else None,
            said_unit=str(told.get(UNIT) or ""),
            low=_number(told.get(LOW)),
            high=_number(told.get(HIGH)),
        )
        asset.signals.append(signal)
    signal.count += 1
    if not is_text and (value := _number(metric.value)) is not None:
        signal.saw(value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _take(topic: str, payload: bytes, found: dict[tuple[str, str], FoundSignal]) -> None:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return
    fields = dict(_fields(body))
    moment = next((path for path in fields if path.rpartition(".")[2].lower() in _TIMES), None)
    for path, value in fields.items():
        if path == moment:
            continue
        where = {"topic": topic} | ({"field": path} if path else {}) | ({"time_field": moment} if moment else {})
        names = tuple(path.split(".")) if path else (topic.rpartition("/")[2],)
        signal = found.setdefault((topic, path), FoundSignal(path=names, where=where))
        signal.count += 1
        if isinstance(value, list):
            signal.kind, signal.points, signal.where = Kind.BLOCK, len(value), {"topic": topic}
        elif isinstance(value, str):
            signal.kind = Kind.TEXT
        elif math.isfinite(value):
            signal.saw(float(value))


def _fields(body: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, texts, and blocks of numbers, by their dotted paths."""
    if isinstance(body, dict):
        for key, value in body.items():
            if "." not in key:
                yield from _fields(value, f"{path}.{key}" if path else key)
    elif isinstance(body, list):
        if len(body) >= 2 and all(isinstance(each, int | float) and not isinstance(each, bool) for each in body):
            yield path, body
    elif isinstance(body, str | int | float) and not isinstance(body, bool):
        yield path, body


def _assets(found: dict[tuple[str, str], FoundSignal]) -> list[FoundAsset]:
    """A topic with fields is a machine; topics of one value or block each are signals of the one that they stand below."""
    assets: dict[str, FoundAsset] = {}
    with_block = {topic for (topic, _), signal in found.items() if signal.kind is Kind.BLOCK}
    for (topic, path), signal in sorted(found.items()):
        if topic in with_block and signal.kind is not Kind.BLOCK:
            # what belongs to the block: its rate, its number
            continue
        if topic in with_block:
            signal.path = (topic.rpartition("/")[2],)
        owner = topic if path and topic not in with_block else topic.rpartition("/")[0] or topic
        how = "a topic with fields" if path else "topics that stand below one"
        names = (owner.rpartition("/")[2],)
        assets.setdefault(owner, FoundAsset(path=names, how=how)).signals.append(signal)
    return list(assets.values())
