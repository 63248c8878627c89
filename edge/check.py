"""`python -m edge check PLANT`: tries every source, node and topic, and says in words what is wrong."""

import asyncio
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asyncua import Client, ua
from cryptography import x509

from edge.contracts.errors import ConnectionRefused, MessageError
from edge.contracts.plant import MqttSource, OpcuaSource, Plant, SignalEntry
from edge.contracts.plant_file import source_password
from edge.contracts.sample_batch import TextTable
from edge.data_acquisition.opcua import CONNECTION_ERRORS, connected, describe, resolve, status_words
from edge.data_acquisition.opcua_security import Credentials, opcua_credentials
from edge.data_acquisition.opcua_values import sample_batch, to_ns
from edge.formats.json_message import format_time
from edge.formats.signal_json import SignalTopics
from edge.mqtt_connection import Connected, Lost, Message, MqttConnection
from edge.pipeline import load_models

LISTEN_S: Final = 10.0
CONNECT_S: Final = 8.0
ENDS_SOON_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    good: bool
    text: str


async def check(plant: Plant, home: Path, environ: Mapping[str, str], listen_s: float = LISTEN_S) -> list[Finding]:
    """Try everything that the plant file names; topics are listened to for `listen_s`."""
    texts = {row.index: TextTable() for row in plant.signal_table if row.is_text}
    checks = []
    for name, source in plant.sources.items():
        password = source_password(name, environ)
        if isinstance(source, OpcuaSource):
            credentials = opcua_credentials(name, home, environ)
            checks.append(_check_opcua(name, source, plant.signals_of(name), texts, credentials))
        else:
            checks.append(_check_mqtt(name, source, plant, texts, password, listen_s))
    findings = [finding for part in await asyncio.gather(*checks) for finding in part]
    return [*findings, *_check_models(plant, home)]


async def _check_opcua(
    name: str,
    source: OpcuaSource,
    signals: tuple[SignalEntry, ...],
    texts: Mapping[int, TextTable],
    credentials: Credentials,
) -> list[Finding]:
    where = f"source '{name}' ({source.url})"
    try:
        async with asyncio.timeout(CONNECT_S), connected(source, credentials) as client:
            nodes = await resolve(client, [row.signal.node or "" for row in signals])
            known = [(row, node) for row, node in zip(signals, nodes, strict=True) if isinstance(node, ua.NodeId)]
            values = await client.uaclient.read_attributes([node for _, node in known], ua.AttributeIds.Value)
    except ConnectionRefused as error:
        return [Finding(False, f"{where}: {error}")]
    except CONNECTION_ERRORS as error:
        return [Finding(False, f"{where}: is not reached: {describe(error)}. Is the server running, and is the address right?")]
    findings = [Finding(True, f"{where}: connected"), *_judge_certificates(where, source, client, credentials)]
    findings += [
        Finding(False, f"{row.asset}.{row.name}: {node}")
        for row, node in zip(signals, nodes, strict=True)
        if isinstance(node, str)
    ]
    now = time.time_ns()
    for (row, _), data in zip(known, values, strict=True):
        findings.append(_judge(row, data, texts, now))
    return findings


def _judge_certificates(where: str, source: OpcuaSource, client: Client, credentials: Credentials) -> Iterator[Finding]:
    if source.security == "None":
        if source.user:
            yield Finding(False, f"{where}: is not secured, though it asks for a password: set 'security' in the plant file")
        return
    now = datetime.now(UTC)
    for whose, certificate in (
        ("the server's", x509.load_der_x509_certificate(client.security_policy.peer_certificate)),
        ("this edge's", credentials.certificates.own().certificate),
    ):
        left = (certificate.not_valid_after_utc - now).days
        ends = f"{whose} certificate is valid for {left} more days, until {certificate.not_valid_after_utc:%Y-%m-%d}"
        yield Finding(left >= ENDS_SOON_DAYS, f"{where}: secured by {source.security}; {ends}")


def _judge(row: SignalEntry, data: ua.DataValue, texts: Mapping[int, TextTable], now: int) -> Finding:
    where = f"{row.asset}.{row.name}: node '{row.signal.node}'"
    if data.StatusCode is not None and not data.StatusCode.is_good():
        return Finding(False, f"{where}: {status_words(data.StatusCode)}")
    item = ua.MonitoredItemNotification(ClientHandle=row.index, Value=data)
    batch, rejected = sample_batch([item], {row.index: row}, texts, now)
    if rejected:
        raw = data.Value.Value if data.Value is not None else None
        return Finding(False, f"{where}: its value {raw!r} is not usable ({', '.join(rejected)}); a number is needed")
    moment = data.SourceTimestamp
    age = "without a source time" if moment is None else f"at {format_time(to_ns(moment))}"
    return Finding(True, f"{where}: {batch.value[0]:g} {row.signal.unit} {age}")


async def _check_mqtt(
    name: str, source: MqttSource, plant: Plant, texts: Mapping[int, TextTable], password: str | None, listen_s: float
) -> list[Finding]:
    where = f"source '{name}' ({source.url})"
    topics = SignalTopics(plant, name, texts)
    connection = MqttConnection(
        url=source.url, client_id=f"{plant.edge.id}-check", subscriptions=topics.topics, user=source.user, password=password
    )
    findings: list[Finding] = []
    heard: dict[int, float] = {}
    missing = {row.index: row for row in plant.signals_of(name)}
    try:
        async with asyncio.timeout(CONNECT_S) as limit, connection:
            async for event in connection:
                match event:
                    case Connected(version=version):
                        findings.append(Finding(True, f"{where}: connected by MQTT {version}"))
                        limit.reschedule(asyncio.get_running_loop().time() + listen_s)
                    case Lost(reason=reason):
                        return [
                            *findings,
                            Finding(False, f"source '{name}': {reason}. Is the broker running, and is the address right?"),
                        ]
                    case Message(topic=topic, payload=payload):
                        try:
                            reading = topics.read(topic, payload, time.time_ns())
                        except MessageError as error:
                            findings.append(Finding(False, str(error)))
                            continue
                        heard |= dict(zip(reading.batch.signal.tolist(), reading.batch.value.tolist(), strict=True))
                        findings += [
                            Finding(False, f"{topic}: {count} values: {why}") for why, count in reading.rejected.items()
                        ]
                if missing.keys() <= heard.keys():
                    break
    except TimeoutError:
        if not findings:
            return [Finding(False, f"{where}: no answer within {CONNECT_S:.0f} s")]
    return [*dict.fromkeys(findings), *_judge_topics(missing, heard, listen_s)]


def _judge_topics(rows: Mapping[int, SignalEntry], heard: Mapping[int, float], listen_s: float) -> Iterator[Finding]:
    for index, row in rows.items():
        where = f"{row.asset}.{row.name}: topic '{row.signal.topic}'" + (
            f", field '{row.signal.field}'" if row.signal.field else ""
        )
        if index not in heard:
            yield Finding(False, f"{where}: nothing came within {listen_s:.0f} s")
        elif math.isnan(heard[index]):
            yield Finding(False, f"{where}: what came is not usable as a number")
        else:
            yield Finding(True, f"{where}: {heard[index]:g} {row.signal.unit}")


def _check_models(plant: Plant, home: Path) -> Iterator[Finding]:
    models, problems = load_models(plant, home / "models")
    for name, model in models.items():
        yield Finding(True, f"model '{name}': version {model.spec.version}, fits its assets")
    for name, problem in problems.items():
        yield Finding(False, f"model '{name}': {problem}")
