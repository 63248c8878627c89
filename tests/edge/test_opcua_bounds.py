"""What a hostile or broken server sends costs little, and is no end of the edge."""

import asyncio
import struct
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch
from edge.contracts.status import SourceState
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua import OpcuaAcquisition
from edge.data_acquisition.opcua_bounds import TooMuch, bound
from edge.data_acquisition.opcua_security import opcua_credentials

bound()
ARRAY_OF_VARIANT = 0x98


def announcing(kind: int, length: int, rest: bytes = b"") -> bytes:
    return bytes([0x80 | kind]) + struct.pack("<i", length) + rest


ANSWERS = [ua.PublishResponse, ua.ReadResponse, ua.BrowseResponse, ua.CreateSessionResponse]
BOMBS = {
    "an array of Null": bytes.fromhex("c02b98002b000000000000"),
    "another": bytes.fromhex("80ffffff7f"),
    "texts": announcing(12, 2**31 - 1),
    "structures": announcing(22, 10**9, b"\0" * 100),
    "identifiers": announcing(17, 10**8, b"\0" * 60_000),
    "values in values": announcing(24, 32_000, b"\x01\x00" * 32_000),
    "values of values": announcing(23, 60_000, b"\0" * 60_000),
    "many identifiers": announcing(17, 30_000, b"\0\0" * 30_000),
    "nested": b"\x98\x01\x00\x00\x00" * 12_000 + b"\x00",
}


SCALARS = {
    ua.VariantType.Boolean: st.booleans(),
    ua.VariantType.SByte: st.integers(-128, 127),
    ua.VariantType.Byte: st.integers(0, 255),
    ua.VariantType.Int16: st.integers(-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: st.integers(0, 2**16 - 1),
    ua.VariantType.Int32: st.integers(-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: st.integers(0, 2**32 - 1),
    ua.VariantType.Int64: st.integers(-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: st.integers(0, 2**64 - 1),
    ua.VariantType.Float: st.floats(width=32, allow_nan=False),
    ua.VariantType.Double: st.floats(allow_nan=False),
    ua.VariantType.String: st.one_of(st.none(), st.text(max_size=20)),
    ua.VariantType.DateTime: st.datetimes(datetime(1700, 1, 1), datetime(9000, 1, 1)).map(
        lambda each: each.replace(tzinfo=UTC)
    ),
    ua.VariantType.ByteString: st.one_of(st.none(), st.binary(max_size=20)),
    ua.VariantType.NodeId: st.integers(0, 1000).map(lambda number: ua.NodeId(number, 2)),
    ua.VariantType.QualifiedName: st.text(max_size=9).map(lambda name: ua.QualifiedName(name, 1)),
    ua.VariantType.LocalizedText: st.text(max_size=9).map(ua.LocalizedText),
    ua.VariantType.StatusCode: st.sampled_from([0, 0x80310000]).map(ua.StatusCode),
    ua.VariantType.Guid: st.uuids(),
}
VARIANTS = st.one_of(
    st.just(ua.Variant()),
    *(values.map(lambda value, kind=kind: ua.Variant(value, kind)) for kind, values in SCALARS.items()),
    st.lists(st.floats(allow_nan=False), max_size=5).map(lambda values: ua.Variant(values, ua.VariantType.Double)),
)
MOMENTS = st.one_of(st.none(), SCALARS[ua.VariantType.DateTime])
PICOSECONDS = st.one_of(st.none(), SCALARS[ua.VariantType.UInt16])


@settings(max_examples=300, deadline=None)
@given(data=st.data(), variants=st.lists(VARIANTS, max_size=6))
def test_items_are_read_as_asyncua_reads_them(data: st.DataObject, variants: list[ua.Variant]) -> None:
    """Over all kinds of Variants, masks and status codes; and so is what follows them."""
    items = []
    for number, variant in enumerate(variants):
        value = ua.DataValue(
            variant,
            StatusCode=data.draw(st.one_of(st.none(), SCALARS[ua.VariantType.StatusCode])),
            SourceTimestamp=data.draw(MOMENTS),
            ServerTimestamp=data.draw(MOMENTS),
            SourcePicoseconds=data.draw(PICOSECONDS),
            ServerPicoseconds=data.draw(PICOSECONDS),
        )
        items.append(ua_binary.struct_to_binary(ua.MonitoredItemNotification(number, value)))
    content = struct.pack("<i", len(items)) + b"".join(items) + b"behind"
    read = [ua_binary.from_binary(ua.MonitoredItemNotification, each) for each in _apart(items)]
    buffer = Buffer(content)
    mine = ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(buffer)
    assert [(each.ClientHandle, each.Value) for each in mine] == [(each.ClientHandle, each.Value) for each in read]
    assert [each.Value.Encoding for each in mine] == [each.Value.Encoding for each in read]
    assert buffer.read(6) == b"behind"
    values = struct.pack("<i", len(items)) + b"".join(item[4:] for item in items) + b"behind"
    buffer = Buffer(values)
    decode = ua_binary._create_uatype_array_deserializer(ua.VariantType.DataValue)
    assert decode(buffer) == [each.Value for each in read]
    assert buffer.read(6) == b"behind"
    assert decode(Buffer(b"\xff" * 4)) is None
    # and cut off anywhere it is refused
    if items:
        short = Buffer(content[: data.draw(st.integers(0, len(content) - 7))])
        with pytest.raises(ua.UaError):
            ua_binary._create_list_deserializer(ua.MonitoredItemNotification)(short)


def _apart(items: list[bytes]) -> list[Buffer]:
    return [Buffer(item) for item in items]


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(TooMuch):
        # each message is a text of bytes of its own
        ua_binary.variant_from_binary(Buffer(bytes(bytearray(BOMBS[name]))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    # and what comes after it is read as ever
    assert ua_binary.variant_from_binary(Buffer(ua_binary.variant_to_binary(ua.Variant(1.5)))).Value == 1.5


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=2000),
    st.sampled_from([ua.PublishResponse, ua.ReadResponse, ua.BrowseResponse, ua.CreateSessionResponse]),
)
def test_whatever_bytes_come_they_are_decoded_or_refused(content: bytes, kind: Any) -> None:
    tracemalloc.start()
    fault: Exception | None = None
    try:
        ua_binary.struct_from_binary(kind, Buffer(content))
    except Exception as error:  # of many kinds
        fault = error
    assert not isinstance(fault, MemoryError | RecursionError)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 << 20


_SCALARS = {
    ua.VariantType.Boolean: st.booleans(),
    ua.VariantType.Int32: st.integers(-(2**31), 2**31 - 1),
    ua.VariantType.UInt64: st.integers(0, 2**64 - 1),
    ua.VariantType.Double: st.floats(allow_nan=False),
    ua.VariantType.String: st.text(max_size=20),
    ua.VariantType.ByteString: st.binary(max_size=20),
    ua.VariantType.DateTime: st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 10 * 10, tzinfo=UTC)
    ),
    ua.VariantType.LocalizedText: st.text(min_size=1, max_size=9).map(ua.LocalizedText),
    ua.VariantType.NodeId: st.integers(0, 2**31 - 1).map(lambda number: ua.NodeId(number, 2)),
    ua.VariantType.ExtensionObject: st.floats(-1e9, 1e9).map(lambda low: ua.Range(low, low + 1)),
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_honest_is_read_as_it_was_written(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(_SCALARS)))
    value = data.draw(st.one_of(_SCALARS[kind], st.lists(_SCALARS[kind], max_size=50)))
    variant = ua.Variant(value, kind, is_array=isinstance(value, list))
    found = ua_binary.variant_from_binary(Buffer(ua_binary.variant_to_binary(variant)))
    assert (found.Value, found.VariantType) == (value, kind)


# -- a real server that has gone mad


def forget_codecs() -> None:
    """Those that were made before would go on being honest, or mad."""
    for made in vars(ua_binary).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()


def test_five_thousand_arrays_in_one_notification_are_honest() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    value = ua.DataValue(ua.Variant([1.0, 2.0], ua.VariantType.Double), SourceTimestamp=now, ServerTimestamp=now)
    items = [ua.MonitoredItemNotification(ClientHandle=handle, Value=value) for handle in range(5000)]
    content = ua_binary.extensionobject_to_binary(ua.DataChangeNotification(MonitoredItems=items))
    found = ua_binary.extensionobject_from_binary(Buffer(content))
    assert len(found.MonitoredItems) == 5000


async def test_what_a_mad_server_sends_is_counted_told_and_passed_over(
    server: Server, make_plant: Callable[..., Plant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plant()
    path = tmp_path / "plant.toml"
    path.write_text(path.read_text().replace("opc.tcp://127.0.0.1:4840", server.endpoint.geturl()))
    plant = load_plant(path)
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 1.0)
    honest = ua_binary.variant_to_binary

    def mad(variant: ua.Variant) -> bytes:
        return BOMBS["an array of Null"] if variant.Value == 666.0 else honest(variant)

    monkeypatch.setattr(ua_binary, "variant_to_binary", mad)
    forget_codecs()
    source, values = plant.sources["plc"], []
    assert isinstance(source, OpcuaSource)
    account = SourceAccount("plc", source.clock, time.time_ns, SampleAccount(plant))

    async def take(_source: str, batch: SampleBatch) -> None:
        values.extend(batch.value.tolist())

    credentials = opcua_credentials("plc", tmp_path, {})
    run = OpcuaAcquisition("plc", source, plant.signals_of("plc"), {}, account, take, credentials, {"press-1": 1.0}).run()
    task = asyncio.create_task(run)
    async with asyncio.timeout(60):
        while not values:  # noqa: ASYNC110  # what is waited for is no event
            await asyncio.sleep(0.05)
        await node.write_value(666.0)
        while not account.status().rejected.get("undecodable"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        (note,) = account.status().notes
        assert note.startswith("the server sent what cannot be decoded: a message announces 721459243 elements and has")
        await node.write_value(2.0)
        while values[-1] != 2.0:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert account.status().state is SourceState.CONNECTED
    assert 666.0 not in values
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    forget_codecs()
