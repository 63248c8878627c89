"""What `python -m edge check` says of an OPC UA server."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from asyncua import Client, ua
from cryptography import x509

from edge.check.finding import ENDS_SOON_DAYS, Finding
from edge.contracts.errors import ConnectionRefused
from edge.contracts.plant import OpcuaSource, SignalEntry, WaveformEntry
from edge.contracts.sample_batch import TextTable
from edge.data_acquisition.opcua_limits import ServerLimits, in_batches
from edge.data_acquisition.opcua_listen import listen
from edge.data_acquisition.opcua_records import to_ns
from edge.data_acquisition.opcua_references import properties
from edge.data_acquisition.opcua_security import Credentials
from edge.data_acquisition.opcua_session import CONNECTION_ERRORS, connected, describe, resolve, status_words
from edge.data_acquisition.opcua_types import ServerTypes
from edge.data_acquisition.opcua_values import sample_batch, waveform_block
from edge.formats.json_message import format_time
from edge.formats.units import ucum_of, unit_of

CONNECT_S: Final = 8.0
# a server whose clock is further off than this tells another time than the machines beside it [ms]
CLOCK_OFF_MS: Final = 1000.0
_KINDS: Final = {
    "read": "nodes in a read",
    "browse": "nodes in a browse",
    "translate": "paths in a translation",
    "monitor": "monitored items in a call",
    "history": "nodes in a read of history",
}


@dataclass(slots=True)
class _Seen:
    """What the server has for one signal: its node or what is wrong with it, its value, its unit, how often it came."""

    row: SignalEntry | WaveformEntry
    node: ua.NodeId | str
    value: Any = None
    unit: Any = None
    count: int = 0

    @property
    def where(self) -> str:
        return f"{self.row.asset}.{self.row.name}: node '{self.row.signal.node}'"


async def check_opcua(
    name: str,
    source: OpcuaSource,
    rows: Sequence[SignalEntry | WaveformEntry],
    texts: Mapping[int, TextTable],
    credentials: Credentials,
    listen_s: float,
) -> list[Finding]:
    where = f"source '{name}' ({source.url})"
    address = urlsplit(source.url)
    try:
        await asyncio.get_running_loop().getaddrinfo(address.hostname, address.port or 4840)
    except OSError:
        return [Finding(False, f"{where}: no machine is known by the name '{address.hostname}': is it right, and is DNS?")]
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(CONNECT_S) as limit, connected(source, credentials) as client:
            findings.append(Finding(True, f"{where}: connected"))
            findings += _certificates(where, source, client, credentials)
            limit.reschedule(asyncio.get_running_loop().time() + CONNECT_S + listen_s)
            findings += [await _clock(where, source, client), *await _look(where, client, rows, texts, listen_s)]
    except ConnectionRefused as error:
        findings.append(Finding(False, f"{where}: {error}"))
    except CONNECTION_ERRORS as error:
        advice = "" if findings else ". Is the server running, and is the address right?"
        findings.append(Finding(False, f"{where}: is not reached: {describe(error)}{advice}"))
    return findings


def _certificates(where: str, source: OpcuaSource, client: Client, credentials: Credentials) -> Iterator[Finding]:
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


async def _clock(where: str, source: OpcuaSource, client: Client) -> Finding:
    before = time.time_ns()
    (data,) = await client.uaclient.read_attributes(
        [ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)], ua.AttributeIds.Value
    )
    after = time.time_ns()
    if data.Value is None or not isinstance(data.Value.Value, datetime):
        return Finding(False, f"{where}: does not tell its time")
    offset_ms = (to_ns(data.Value.Value) - (before + after) / 2) / 1e6
    words = f"its clock is {abs(offset_ms):,.0f} ms {'ahead' if offset_ms > 0 else 'behind'} (± {(after - before) / 2e6:.0f})"
    # a source that is believed, such as a replay, has a time of its own
    return Finding(source.clock == "source" or abs(offset_ms) <= CLOCK_OFF_MS, f"{where}: {words}")


async def _look(
    where: str,
    client: Client,
    rows: Sequence[SignalEntry | WaveformEntry],
    texts: Mapping[int, TextTable],
    listen_s: float,
) -> list[Finding]:
    limits = ServerLimits()
    await limits.read(client)
    findings = []
    if limits.stated:
        said = ", ".join(f"{at_most} {_KINDS[kind]}" for kind, at_most in limits.stated.items())
        findings.append(Finding(True, f"{where}: takes at most {said}"))
    nodes = await resolve(client, [row.signal.node or "" for row in rows])
    seen = [_Seen(row, node) for row, node in zip(rows, nodes, strict=True)]
    known = [each for each in seen if isinstance(each.node, ua.NodeId)]
    await _read(client, limits, known)
    types = ServerTypes()
    shapes = await types.learn(client, limits, [(each.row, each.node) for each in known if isinstance(each.row, SignalEntry)])
    findings += [Finding(False, problem) for problem in shapes.values()]

    def take(number: int, _data: ua.DataValue) -> None:
        known[number].count += 1

    if listen_s > 0 and known:
        await listen(client, limits, [each.node for each in known], listen_s, take)
    now = time.time_ns()
    for each in seen:
        if each.row.index not in shapes:
            findings += _judge(each, texts, types, now, listen_s)
    return findings


async def _read(client: Client, limits: ServerLimits, known: Sequence[_Seen]) -> None:
    """The value of each node, and its unit where it has one."""

    async def values(nodes: Sequence[ua.NodeId]) -> Sequence[Any]:
        found: Sequence[Any] = await client.uaclient.read_attributes(list(nodes), ua.AttributeIds.Value)
        return found

    nodes = [each.node for each in known]
    for each, data in zip(known, await in_batches(nodes, limits.of("read"), values), strict=True):
        each.value = data
    units = await properties(client, limits, nodes, "EngineeringUnits")
    with_unit = [(each, node) for each, node in zip(known, units, strict=True) if node is not None]
    found = await in_batches([node for _, node in with_unit], limits.of("read"), values)
    for (each, _), data in zip(with_unit, found, strict=True):
        each.unit = data.Value.Value if data.Value is not None else None


def _judge(seen: _Seen, texts: Mapping[int, TextTable], types: ServerTypes, now: int, listen_s: float) -> Iterator[Finding]:
    if isinstance(seen.node, str):
        yield Finding(False, f"{seen.row.asset}.{seen.row.name}: {seen.node}")
        return
    data, row = seen.value, seen.row
    if data.StatusCode is not None and not data.StatusCode.is_good():
        yield Finding(False, f"{seen.where}: {status_words(data.StatusCode)}")
        return
    said = (
        ucum_of(seen.unit.UnitId) or unit_of(str(seen.unit.DisplayName.Text))
        if isinstance(seen.unit, ua.EUInformation)
        else None
    )
    if said is not None and said != row.signal.unit:
        yield Finding(False, f"{seen.where}: the server says it is in {said}, the plant file says {row.signal.unit}")
    moment = data.SourceTimestamp
    age = "without a source time" if moment is None else f"at {format_time(to_ns(moment))}"
    if isinstance(row, WaveformEntry):
        _, fault = waveform_block(data, row, now)
        if fault:
            yield Finding(False, f"{seen.where}: its value is not usable ({fault}); {row.signal.points} numbers are needed")
        else:
            yield Finding(True, f"{seen.where}: {row.signal.points} numbers {age}")
        return
    raw = data.Value.Value if data.Value is not None else None
    batch, rejected = sample_batch(
        [ua.MonitoredItemNotification(ClientHandle=row.index, Value=data)], {row.index: row}, texts, now, types
    )
    if rejected:
        yield Finding(False, f"{seen.where}: its value {raw!r} is not usable ({', '.join(rejected)}); a number is needed")
        return
    value = f"'{raw}'" if row.is_text else f"{batch.value[0]:g} {row.signal.unit}" if len(batch) else "no value yet"
    yield _rate(seen, f"{seen.where}: {value} {age}", row, listen_s)


def _rate(seen: _Seen, words: str, row: SignalEntry, listen_s: float) -> Finding:
    # the first is what it was before
    came = max(seen.count - 1, 0)
    if listen_s <= 0:
        return Finding(True, words)
    if came:
        every = listen_s / came
        late = every > row.signal.stale_s
        advice = f", and counts as stale after {row.signal.stale_s:g} s: raise stale_s" if late else ""
        return Finding(not late, f"{words}, every {every:.2g} s{advice}")
    if listen_s >= row.signal.stale_s and not row.signal.on_change:
        return Finding(
            False,
            f"{words}, and nothing came for {listen_s:g} s: it counts as stale after {row.signal.stale_s:g} s; where it is "
            "normal that it stays the same, say on_change = true",
        )
    return Finding(True, f"{words}, and did not change while it was listened to")
