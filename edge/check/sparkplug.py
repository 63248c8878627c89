"""What `python -m edge check` says of a broker on which edge nodes speak Sparkplug B."""

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from edge.check.finding import Finding
from edge.check.mqtt import CONNECT_S
from edge.contracts.plant import SignalEntry, SparkplugSource
from edge.contracts.sample_batch import TextTable
from edge.data_acquisition.sparkplug_nodes import SparkplugNodes
from edge.formats.sparkplug import rebirth_command
from edge.formats.sparkplug_payload import UNIT
from edge.formats.units import unit_of
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection


async def check_sparkplug(
    name: str,
    source: SparkplugSource,
    edge: str,
    rows: Sequence[SignalEntry],
    texts: Mapping[int, TextTable],
    shown: tuple[str | None, Path | None],
    listen_s: float,
) -> list[Finding]:
    """Asks the edge nodes of the plant file for their births, and listens. It does not say that a host is there.

    `shown` are the password and the certificate by which the edge says who it is.
    """
    where = f"source '{name}' ({source.url})"
    address = urlsplit(source.url)
    try:
        await asyncio.get_running_loop().getaddrinfo(address.hostname, address.port or 1883)
    except OSError:
        return [Finding(False, f"{where}: no machine is known by the name '{address.hostname}': is it right, and is DNS?")]
    nodes = SparkplugNodes(rows, texts, source.reorder_s)
    password, certificate = shown
    connection = MqttConnection(
        url=source.url,
        client_id=f"{edge}-check-{name}",
        subscriptions=nodes.topics,
        user=source.user,
        password=password,
        certificate=certificate,
    )
    findings: list[Finding] = []
    values: dict[int, float] = {}
    try:
        async with asyncio.timeout(CONNECT_S) as limit, connection:
            async for event in connection:
                match event:
                    case Connected(version=version):
                        findings.append(Finding(True, f"{where}: connected by MQTT {version}"))
                        limit.reschedule(asyncio.get_running_loop().time() + (listen_s if rows else 0.0))
                        nodes.connected()
                        for group, node in nodes.to_ask(time.monotonic()):
                            connection.publish(*rebirth_command(group, node, time.time_ns()).encode(), qos=0)
                    case Lost(reason=reason):
                        advice = "Is the broker running, and is the address right?"
                        return [*findings, Finding(False, f"source '{name}': {reason}. {advice}")]
                    case Message(topic=topic, payload=payload):
                        taken = nodes.take(topic, payload, time.time_ns(), time.monotonic())
                        values |= zip(taken.now.signal, taken.now.value, strict=True)
                        findings += [Finding(False, problem) for problem in taken.problems.values()]
    except TimeoutError:
        if not findings:
            return [Finding(False, f"{where}: no answer within {CONNECT_S:.0f} s")]
    missing = [Finding(False, f"source '{name}': {problem}") for problem in nodes.missing()]
    judged = [finding for row in rows for finding in _judge(row, nodes, values, texts)]
    return [*dict.fromkeys(findings), *missing, *judged]


def _judge(
    row: SignalEntry, nodes: SparkplugNodes, values: Mapping[int, float], texts: Mapping[int, TextTable]
) -> Iterator[Finding]:
    where = f"{row.asset}.{row.name}: device '{row.signal.device}', metric '{row.signal.metric}'"
    if (born := nodes.born(row)) is None:
        # `missing` has told
        return
    told = born.properties.get(UNIT)
    said = unit_of(str(told.value)) or str(told.value) if told is not None and told.value else None
    if said is not None and said != row.signal.unit and not row.is_text:
        yield Finding(False, f"{where}: the birth says it is in {said}, the plant file says {row.signal.unit}")
    value = values.get(row.index, math.nan)
    if math.isnan(value):
        yield Finding(False, f"{where}: has no usable value now")
    else:
        shown = f"'{texts[row.index].text(int(value))}'" if row.is_text else f"{value:g} {row.signal.unit}"
        yield Finding(True, f"{where}: {shown}")
