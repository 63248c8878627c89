"""What `python -m edge check` says of an MQTT broker."""

import asyncio
import math
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge.check.finding import ENDS_SOON_DAYS, Finding
from edge.contracts.errors import MessageError
from edge.contracts.plant import MqttSource, Plant, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import TextTable
from edge.formats.signal_json import Reading, SignalTopics
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection

CONNECT_S: Final = 8.0


class _Heard:
    """What came of each signal and fast signal: its newest value, how often, and how far its times are off [s]."""

    def __init__(self) -> None:
        self.value: dict[int, float] = {}
        self.count: dict[int, int] = {}
        self.offset_s: float | None = None

    def take(self, reading: Reading, received: int) -> None:
        batch = reading.batch
        for signal, value in zip(batch.signal.tolist(), batch.value.tolist(), strict=True):
            self.value[signal] = value
            self.count[signal] = self.count.get(signal, 0) + 1
        for block in reading.blocks:
            self.count[block.signal] = self.count.get(block.signal, 0) + 1
        if len(batch):
            self.offset_s = (int(batch.time.max()) - received) / 1e9


async def check_mqtt(
    name: str,
    source: MqttSource,
    plant: Plant,
    waves: Sequence[WaveformEntry],
    texts: Mapping[int, TextTable],
    shown: tuple[str | None, Path | None],
    listen_s: float,
) -> list[Finding]:
    """`shown` are the password and the certificate by which the edge says who it is."""
    where = f"source '{name}' ({source.url})"
    address = urlsplit(source.url)
    try:
        await asyncio.get_running_loop().getaddrinfo(address.hostname, address.port or 1883)
    except OSError:
        return [Finding(False, f"{where}: no machine is known by the name '{address.hostname}': is it right, and is DNS?")]
    topics = SignalTopics(plant, name, texts, waves)
    password, certificate = shown
    connection = MqttConnection(
        url=source.url,
        client_id=f"{plant.edge.id}-check-{name}",
        subscriptions=topics.topics,
        user=source.user,
        password=password,
        certificate=certificate,
    )
    findings: list[Finding] = []
    heard = _Heard()
    rows: list[SignalEntry | WaveformEntry] = [*plant.signals_of(name), *waves]
    try:
        async with asyncio.timeout(CONNECT_S) as limit, connection:
            async for event in connection:
                match event:
                    case Connected(version=version):
                        findings.append(Finding(True, f"{where}: connected by MQTT {version}"))
                        limit.reschedule(asyncio.get_running_loop().time() + (listen_s if rows else 0.0))
                    case Lost(reason=reason):
                        advice = "Is the broker running, and is the address right?"
                        return [*findings, Finding(False, f"source '{name}': {reason}. {advice}")]
                    case Message(topic=topic, payload=payload):
                        received = time.time_ns()
                        try:
                            reading = topics.read(topic, payload, received)
                        except MessageError as error:
                            findings.append(Finding(False, str(error)))
                            continue
                        heard.take(reading, received)
                        findings += [
                            Finding(False, f"{topic}: {count} values: {why}") for why, count in reading.rejected.items()
                        ]
    except TimeoutError:
        if not findings:
            return [Finding(False, f"{where}: no answer within {CONNECT_S:.0f} s")]
    if address.scheme == "mqtts":
        findings += await _certificate(where, address.hostname or "", address.port or 8883, certificate)
    if heard.offset_s is not None:
        ahead = "ahead of" if heard.offset_s > 0 else "behind"
        words = f"{where}: its newest times are {abs(heard.offset_s) * 1000:,.0f} ms {ahead} this machine's"
        findings.append(Finding(source.clock == "source" or abs(heard.offset_s) < 60, words))
    return [*dict.fromkeys(findings), *(_judge(row, heard, texts, listen_s) for row in rows)]


async def _certificate(where: str, host: str, port: int, own: Path | None) -> Iterator[Finding]:
    """The days that the broker's certificate has left; whether it is trusted the connection has told."""
    context = ssl.create_default_context()
    try:
        if own is not None:
            context.load_cert_chain(own)
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
        shown = writer.get_extra_info("peercert")
        writer.close()
    except (OSError, TimeoutError):
        return iter(())
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    left = (ends - datetime.now(UTC)).days
    return iter(
        [Finding(left >= ENDS_SOON_DAYS, f"{where}: its certificate is valid for {left} more days, until {ends:%Y-%m-%d}")]
    )


def _judge(row: SignalEntry | WaveformEntry, heard: _Heard, texts: Mapping[int, TextTable], listen_s: float) -> Finding:
    where = f"{row.asset}.{row.name}: topic '{row.signal.topic}'"
    if isinstance(row, SignalEntry) and row.signal.field:
        where += f", field '{row.signal.field}'"
    count = heard.count.get(row.index, 0)
    if not count:
        return Finding(False, f"{where}: nothing came within {listen_s:g} s")
    every = f"every {listen_s / count:.2g} s" if listen_s > 0 else f"{count} times"
    if isinstance(row, WaveformEntry):
        return Finding(True, f"{where}: {row.signal.points} numbers, {every}")
    value = heard.value[row.index]
    if math.isnan(value):
        return Finding(False, f"{where}: what came is not usable as a number")
    shown = f"'{texts[row.index].text(int(value))}'" if row.is_text else f"{value:g} {row.signal.unit}"
    if listen_s / count > row.signal.stale_s:
        return Finding(False, f"{where}: {shown}, {every}, and counts as stale after {row.signal.stale_s:g} s: raise stale_s")
    return Finding(True, f"{where}: {shown}, {every}")
