"""Listens to a broker: which topics come, and which numbers and texts their JSON holds."""

import asyncio
import math
from collections.abc import Iterator
from typing import Any, Final

import orjson

from edge.browse.found import FoundAsset, FoundSignal, Kind
from edge.contracts.errors import ConnectionRefused
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection

CONNECT_S: Final = 8.0
# results of kullager itself, and Sparkplug, which names its metrics in its births
_OTHERS: Final = ("$", "kullager/", "spBv1.0/")
_TIMES: Final = ("time", "timestamp", "ts", "datetime", "date")


async def browse_mqtt(url: str, user: str, password: str | None, listen_s: float) -> list[FoundAsset]:
    """What comes within `listen_s`. Raises `ConnectionRefused` where the broker is not there or says no."""
    found: dict[tuple[str, str], FoundSignal] = {}
    connection = MqttConnection(url=url, client_id="kullager-browse", subscriptions=("#",), user=user, password=password)
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
                    case Message(topic=topic, payload=payload):
                        if not topic.startswith(_OTHERS):
                            _take(topic, payload, found)
    except TimeoutError:
        if not is_connected:
            raise ConnectionRefused(f"{url}: no answer within {CONNECT_S:.0f} s") from None
    return _assets(found)


def _take(topic: str, payload: bytes, found: dict[tuple[str, str], FoundSignal]) -> None:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return
    fields = dict(_fields(body))
    time = next((path for path in fields if path.rpartition(".")[2].lower() in _TIMES), None)
    for path, value in fields.items():
        if path == time:
            continue
        where = {"topic": topic} | ({"field": path} if path else {}) | ({"time_field": time} if time else {})
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
