"""The OPC UA server of a small plant, seen by real clients: asyncua's, and node-opcua's where it is installed."""

import asyncio
import json
import math
import stat
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edge.contracts.alarm import BilingualText
from edge.contracts.command import Catalogue, CatalogueAsset, CatalogueFault
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.units import ucum_of
from simulator.opcua.security import identity
from simulator.opcua.server import APPLICATION_URI, OpcuaServer
from simulator.site import CommandRefused, Range, Row
from tests.conftest import COUNTERPARTS, node_program
from tests.simulator.clients import OpcuaWatcher, until

URI = "urn:kullager:simulator"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
DEVICES = "http://opcfoundation.org/UA/DI/"
START = 1_764_000_000_000_000_000
PLANT = """
schema = 1
[site]
enterprise = "region"
site = "testbed"
area = "hall-1"
[edge]
id = "edge-1"
[sources.plc]
kind = "opcua"
url = "opc.tcp://127.0.0.1:{port}"
clock = "source"
{source}
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1"
[assets.pump-101]
class = "pump"
name = {{ sv = "Pump ett", en = "Pump one" }}
context = ["state"]
nameplate = {{ manufacturer = "Testbed", model = "CP 60", serial = "101", rated_kw = 7.5 }}
[assets.pump-101.signals]
speed = {{ unit = "/min", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.speed" }}
power = {{ unit = "kW", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.power" }}
state = {{ unit = "1", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.state" }}
[assets.pump-101.waveforms]
acceleration = {{ unit = "m/s2", source = "plc", node = "nsu=urn:kullager:simulator;s=pump-101.acceleration", points = 256 }}
[assets.mill-201]
class = "spindle"
[assets.mill-201.signals]
torque = {{ unit = "N.m", source = "plc", node = "nsu=urn:kullager:simulator;i=4711" }}
"""


class SmallSite:
    """Two machines; remembers what it was asked to do."""

    assets = ("pump-101", "mill-201")
    changes = 0

    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []

    def range_of(self, _asset: str, signal: str) -> Range | None:
        return None if signal in ("state", "acceleration") else Range(low=0.0, high=3000.0)

    def recipes(self, asset: str) -> tuple[str, ...]:
        return ("flange-120", "shaft-80") if asset == "mill-201" else ()

    def catalogue(self, time: int) -> Catalogue:
        words = BilingualText(sv="ord", en="words")
        fault = CatalogueFault(fault="bearing-wear", name=words, description=words, active=False)
        assets = (
            CatalogueAsset(asset="pump-101", name=words, faults=(fault,)),
            CatalogueAsset(asset="mill-201", name=words, faults=()),
        )
        return Catalogue(time=time, assets=assets)

    def truth(self, _asset: str, _time: int) -> None:
        return None

    def play(self, _scenario: str) -> None:
        raise CommandRefused("no scenarios here")

    def inject(self, asset: str, fault: str, severity: float, over_s: float) -> None:
        if fault != "bearing-wear":
            raise CommandRefused(f"'{asset}' has no fault '{fault}'")
        self.done.append(("inject", asset, fault, severity, over_s))

    def repair(self, asset: str) -> None:
        self.done.append(("repair", asset))

    def start_job(self, asset: str, recipe: str) -> None:
        if recipe not in self.recipes(asset):
            raise CommandRefused(f"'{asset}' has no recipe '{recipe}'; possible: {', '.join(self.recipes(asset))}")
        self.done.append(("job", asset, recipe))


Build = Callable[..., Plant]


@pytest.fixture
def build(tmp_path: Path, free_port: Callable[[], int]) -> Build:
    """A function that gives the plant, with further keys of its OPC UA source."""

    def make(source: str = "", text: str = PLANT) -> Plant:
        path = tmp_path / "plant.toml"
        path.write_text(text.format(port=free_port(), source=source), encoding="utf-8")
        return load_plant(path)

    return make


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"KULLAGER_HOME": str(tmp_path / "home")}


@asynccontextmanager
async def open_client(plant: Plant) -> AsyncIterator[Client]:
    async with Client(plant.sources["plc"].url, timeout=30) as client:
        yield client


@asynccontextmanager
async def served(plant: Plant, environ: Mapping[str, str]) -> AsyncIterator[tuple[OpcuaServer, SmallSite, Client]]:
    """A listening server, its site, and a client that nobody asked for its name."""
    site = SmallSite()
    async with OpcuaServer(plant, "plc", site, environ) as server, open_client(plant) as client:
        yield server, site, client


async def at(client: Client, identifier: str | int) -> Node:
    return client.get_node(ua.NodeId(identifier, await client.get_namespace_index(URI)))


def row(second: int, **values: float | str | None) -> Row:
    return Row(asset="pump-101", time=START + second * 1_000_000_000, values=values)


def moment(second: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=START // 1000 + round(second * 1e6))


# -- nodes


async def test_the_plant_files_nodes_have_units_ranges_and_names(build: Build, environ: dict[str, str]) -> None:
    plant = build()
    async with served(plant, environ) as (_, _, client):
        for asset, name in (("pump-101", "speed"), ("pump-101", "power"), ("mill-201", "torque")):
            identifier: str | int = 4711 if name == "torque" else f"{asset}.{name}"
            node = await at(client, identifier)
            assert await node.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogItemType)
            unit = await (await node.get_child("0:EngineeringUnits")).read_value()
            assert ucum_of(unit.UnitId) == plant.assets[asset].signals[name].unit
            assert (await (await node.get_child("0:EURange")).read_value()).High == 3000.0
            assert (await node.read_browse_name()).Name == name
            status = (await node.read_data_value(raise_on_bad_status=False)).StatusCode
            assert status.name == "BadWaitingForInitialData"
            assert (await (await node.get_parent()).read_browse_name()).Name == asset
            with pytest.raises(ua.UaStatusCodeError):
                await node.write_value(1.0)
        state = await at(client, "pump-101.state")
        assert await state.read_type_definition() == ua.NodeId(ua.ObjectIds.BaseDataVariableType)
        assert await state.read_data_type() == ua.NodeId(ua.ObjectIds.String)
        machine = await at(client, "pump-101")
        assert await machine.read_display_name() == ua.LocalizedText("Pump one", "en")
        assert await machine.read_description() == ua.LocalizedText("Pump ett", "sv")


async def test_each_node_that_is_written_reaches_its_subscriber(build: Build, environ: dict[str, str]) -> None:
    async with served(build(), environ) as (server, _, client):
        watcher = OpcuaWatcher()
        await watcher.subscribe(
            client, [await at(client, f"pump-101.{name}") for name in ("speed", "power", "state")], queue=10
        )
        assert not server.subscribed("mill-201")
        assert server.subscribed("pump-101")
        await server.write(row(0, speed=1480.0, power=None, state="running"))
        await server.write(row(1, speed=1480.0, power=math.nan, state="running"))
        seen = watcher.seen
        # the first of each is that there is no value yet
        await until(
            lambda: [len(seen.get(f"pump-101.{name}", ())) for name in ("speed", "power", "state")] == [3, 2, 3], "rows"
        )
        speed, power = seen["pump-101.speed"], seen["pump-101.power"]
        assert [(value.Value.Value, value.SourceTimestamp) for value in speed[1:]] == [(1480.0, moment(0)), (1480.0, moment(1))]
        assert power[1].StatusCode.name == "BadSensorFailure"
        assert power[1].SourceTimestamp == moment(0)
        assert seen["pump-101.state"][2].Value.Value == "running"


async def test_two_signals_with_one_node_are_refused_in_words(build: Build, environ: dict[str, str]) -> None:
    plant = build(text=PLANT.replace("s=pump-101.power", "s=pump-101.speed"))
    with pytest.raises(KullagerError, match=r"assets\.pump-101\.signals\.power\.node: another one has 'nsu=.*speed'"):
        async with OpcuaServer(plant, "plc", SmallSite(), environ):
            pass


# -- OPC UA for Machinery


async def test_machines_are_found_and_identified_as_opc_40001_says(build: Build, environ: dict[str, str]) -> None:
    async with served(build(), environ) as (_, _, client):
        machinery, devices = [await client.get_namespace_index(uri) for uri in (MACHINERY, DEVICES)]
        machines = await client.nodes.objects.get_child(f"{machinery}:Machines")
        assert machines.nodeid == ua.NodeId(1001, machinery)
        assert [(await each.read_browse_name()).Name for each in await machines.get_children()] == ["pump-101", "mill-201"]
        pump = await at(client, "pump-101")
        plate = await pump.get_child(f"{devices}:Identification")
        assert await plate.read_type_definition() == ua.NodeId(1012, machinery)
        shown = {(await each.read_browse_name()).Name: await each.read_value() for each in await plate.get_properties()}
        assert shown == {
            "Manufacturer": ua.LocalizedText("Testbed"),
            "Model": ua.LocalizedText("CP 60"),
            "ComponentName": ua.LocalizedText("Pump one"),
            "SerialNumber": "101",
            "ProductInstanceUri": "urn:kullager:simulator:region:testbed:hall-1:pump-101",
            "AssetId": "pump-101",
            "DeviceClass": "pump",
            "Location": "region/testbed/hall-1",
            "RatedPower_kW": 7.5,
        }
        blocks = await pump.get_child(f"{machinery}:MachineryBuildingBlocks")
        names = {(await each.read_browse_name()).Name for each in await blocks.get_children()}
        assert names == {"Identification", "MachineryItemState", "Monitoring"}
        monitoring = await pump.get_child(f"{machinery}:Monitoring")
        assert await monitoring.read_type_definition() == ua.NodeId(1014, machinery)
        for folder, signal in (("Process", "pump-101.speed"), ("Consumption", "pump-101.power")):
            group = await monitoring.get_child(f"{machinery}:{folder}")
            assert [each.nodeid.Identifier for each in await group.get_children()] == [signal]


async def test_what_a_machine_says_of_itself_becomes_its_item_state(build: Build, environ: dict[str, str]) -> None:
    async with served(build(), environ) as (server, _, client):
        machinery = await client.get_namespace_index(MACHINERY)
        pump = await at(client, "pump-101")
        state = await pump.get_child([f"{machinery}:MachineryBuildingBlocks", f"{machinery}:MachineryItemState"])
        current = await state.get_child("0:CurrentState")
        assert (await current.read_data_value(raise_on_bad_status=False)).StatusCode.name == "BadWaitingForInitialData"
        told = []
        for second, text in enumerate(("off", "idle", "changeover", "running", "fault")):
            await server.write(row(second, speed=1.0, state=text))
            target = client.get_node(await (await current.get_child("0:Id")).read_value())
            assert (await target.read_browse_name()).Name == (await current.read_value()).Text
            told.append((await current.read_value()).Text)
        assert told == ["NotAvailable", "NotExecuting", "NotExecuting", "Executing", "OutOfService"]
        assert (await current.read_data_value()).SourceTimestamp == moment(4)


# -- methods


async def test_faults_repairs_and_jobs_are_done(build: Build, environ: dict[str, str]) -> None:
    async with served(build(), environ) as (_, site, client):
        pump, mill = await at(client, "pump-101"), await at(client, "mill-201")
        index = pump.nodeid.NamespaceIndex
        await pump.call_method(f"{index}:InjectFault", "bearing-wear", 1.0, 5.0)
        await pump.call_method(f"{index}:Repair")
        await mill.call_method(f"{index}:StartJob", "shaft-80")
        methods = {each.nodeid.Identifier for machine in (pump, mill) for each in await machine.get_children(nodeclassmask=4)}
        assert methods == {"pump-101.InjectFault", "pump-101.Repair", "mill-201.StartJob"}
        arguments = await (await mill.get_child([f"{index}:StartJob", "0:InputArguments"])).read_value()
        assert [(each.Name, each.DataType.Identifier) for each in arguments] == [("recipe", ua.ObjectIds.String)]
    assert site.done == [
        ("inject", "pump-101", "bearing-wear", 1.0, 5.0),
        ("repair", "pump-101"),
        ("job", "mill-201", "shaft-80"),
    ]


WRONG_CALLS = [
    ("pump-101", "InjectFault", ("rust", 1.0, 5.0), "BadInvalidArgument"),
    ("pump-101", "InjectFault", ("bearing-wear", True, 5.0), "BadInvalidArgument"),
    ("pump-101", "InjectFault", ("bearing-wear",), "BadArgumentsMissing"),
    ("pump-101", "Repair", (1.0,), "BadTooManyArguments"),
    ("mill-201", "StartJob", ("shaft-81",), "BadInvalidArgument"),
    ("mill-201", "StartJob", (80,), "BadInvalidArgument"),
    ("mill-201", "StartJob", (), "BadArgumentsMissing"),
]


async def test_wrong_calls_are_refused_and_logged(
    build: Build, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with served(build(), environ) as (_, site, client):
        for asset, method, arguments, status in WRONG_CALLS:
            machine = await at(client, asset)
            with pytest.raises(ua.UaStatusCodeError, match=status):
                await machine.call_method(f"{machine.nodeid.NamespaceIndex}:{method}", *arguments)
    assert site.done == []
    assert (
        "StartJob on mill-201 was refused: 'mill-201' has no recipe 'shaft-81'; possible: flange-120, shaft-80" in caplog.text
    )


# -- history


async def test_raw_values_are_read_back_by_time(build: Build, environ: dict[str, str]) -> None:
    async with served(build(), environ) as (server, _, client):
        node = await at(client, "pump-101.speed")
        capability = client.get_node(ua.NodeId(ua.ObjectIds.HistoryServerCapabilities_AccessHistoryDataCapability))
        assert await capability.read_value() is True
        assert ua.AccessLevel.HistoryRead in await node.get_access_level()
        assert (await node.read_attribute(ua.AttributeIds.Historizing)).Value.Value is True
        for second in range(10):
            value = {3: None, 4: math.nan}.get(second, float(second))
            await server.write(row(second, speed=value, power=1.0, state="running"))

        async def read(first: float | None, last: float | None, n: int = 0) -> list[ua.DataValue]:
            start, end = [None if each is None else moment(each) for each in (first, last)]
            values: list[ua.DataValue] = await node.read_raw_history(start, end, n)
            return values

        values = await read(2, 6)
        assert [value.SourceTimestamp for value in values] == [moment(2), moment(3), moment(5), moment(6)]
        assert [value.StatusCode.is_good() for value in values] == [True, False, True, True]
        assert [value.Value.Value for value in values if value.StatusCode.is_good()] == [2.0, 5.0, 6.0]
        assert [value.Value.Value for value in await read(7.5, None)] == [8.0, 9.0]
        assert [value.Value.Value for value in await read(None, 6, 2)] == [6.0, 5.0], "backwards from the end"
        assert [value.Value.Value for value in await read(8, 6)] == [8.0, 7.0, 6.0], "backwards"
        assert await read(20, 30) == []
        with pytest.raises(ua.UaStatusCodeError, match="BadHistoryOperationUnsupported"):
            await (await at(client, "pump-101.state")).read_raw_history(moment(0), moment(9))


@pytest.mark.parametrize("backwards", ["", "from the start", "from the end"])
async def test_history_goes_on_at_a_continuation_point(build: Build, environ: dict[str, str], backwards: str) -> None:
    times = [0, 1, 1, 1, 2, 5]
    async with served(build(), environ) as (server, _, client):
        for number, second in enumerate(times):
            await server.write(row(second, speed=float(number)))
        node = await at(client, "pump-101.speed")
        start, end = {
            "": (moment(0), moment(9)),
            "from the start": (moment(9), moment(0)),
            "from the end": (ua.get_win_epoch(), moment(9)),
        }[backwards]
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=start, EndTime=end, NumValuesPerNode=2, ReturnBounds=False
        )
        seen, point = [], None
        while True:
            result = await node.history_read(details, point)
            seen.append([value.Value.Value for value in result.HistoryData.DataValues])
            point = result.ContinuationPoint
            if point is None:
                break
        assert seen == ([[5.0, 4.0], [3.0, 2.0], [1.0, 0.0]] if backwards else [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        result = await node.history_read(details, b"no point")
        assert result.StatusCode.name == "BadContinuationPointInvalid"


async def test_only_the_newest_values_are_kept(build: Build, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.opcua.history.LONGEST", 5)
    async with served(build(), environ) as (server, _, client):
        for second in range(12):
            await server.write(row(second, speed=float(second)))
        values = await (await at(client, "pump-101.speed")).read_raw_history(moment(0), moment(99))
        assert [value.Value.Value for value in values] == [7.0, 8.0, 9.0, 10.0, 11.0]


# -- waveforms


async def test_a_waveform_is_an_array_over_time(build: Build, environ: dict[str, str]) -> None:
    plant = build()
    async with served(plant, environ) as (server, _, client):
        node = await at(client, "pump-101.acceleration")
        assert await node.read_type_definition() == ua.NodeId(ua.ObjectIds.YArrayItemType)
        assert await node.read_array_dimensions() == [256]
        axis = await (await node.get_child("0:XAxisDefinition")).read_value()
        assert ucum_of(axis.EngineeringUnits.UnitId) == "s"
        assert axis.EURange.High == pytest.approx(255 / 25600.0)
        assert ucum_of((await (await node.get_child("0:EngineeringUnits")).read_value()).UnitId) == "m/s2"
        watcher = OpcuaWatcher()
        await watcher.subscribe(client, [node], queue=4)
        points = np.sin(np.arange(256, dtype=np.float32))
        name = str(plant.assets["pump-101"].waveforms["acceleration"].node)
        for block in range(2):
            await server.write_waveform(name, START + block * 10**9, points)
        await until(lambda: len(watcher.seen.get("pump-101.acceleration", ())) == 3, "two blocks")
        for block, value in enumerate(watcher.seen["pump-101.acceleration"][1:]):
            assert value.Value.VariantType is ua.VariantType.Float
            assert value.SourceTimestamp == moment(block)
            np.testing.assert_array_equal(np.array(value.Value.Value, np.float32), points)


# -- events


class EventWatcher:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, str]] = []

    def event_notification(self, event: Any) -> None:
        self.seen.append((event.SourceName, event.Severity, event.Message.Text))


@pytest.mark.parametrize("source", ["pump-101", "server"])
async def test_alarms_come_as_events_of_the_machine_and_of_the_server(
    build: Build, environ: dict[str, str], source: str
) -> None:
    async with served(build(), environ) as (server, _, client):
        watcher = EventWatcher()
        subscription = await client.create_subscription(50, watcher)
        emitter = client.nodes.server if source == "server" else await at(client, source)
        await subscription.subscribe_events(emitter, ua.ObjectIds.DeviceFailureEventType)
        await server.raise_event("pump-101", 500, "bearing temperature is high")
        await server.raise_event("mill-201", 1, "somebody else's")
        for second, state in enumerate(("running", "fault", "fault", "idle")):
            await server.write(row(second, state=state))
        expected = [
            ("pump-101", 500, "bearing temperature is high"),
            ("pump-101", 800, "pump-101 has stopped: fault"),
            ("pump-101", 100, "pump-101 is ready again: idle"),
        ]
        await until(lambda: [event for event in watcher.seen if event[0] == "pump-101"] == expected, "three events")
        assert len(watcher.seen) == (4 if source == "server" else 3)
        with pytest.raises(ValueError, match="severity 0"):
            await server.raise_event("pump-101", 0, "nothing")


# -- security


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate and key of a client: client.der and client.pem."""
    folder = tmp_path_factory.mktemp("client")
    identity(folder, "client", "urn:test:client", "localhost", datetime.now(UTC))
    return folder


async def secure(client: Client, person: Path, mode: ua.MessageSecurityMode) -> None:
    client.application_uri = "urn:test:client"
    await client.set_security(SecurityPolicyBasic256Sha256, str(person / "client.der"), str(person / "client.pem"), mode=mode)


async def nameless(url: str) -> None:
    """Try to come in with a user token that has no name."""
    client = Client(url, timeout=30)
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        await client.create_session()
        token = ua.UserNameIdentityToken(PolicyId="username", UserName=None, Password=b"")
        await client.uaclient.activate_session(ua.ActivateSessionParameters(UserIdentityToken=token))
    finally:
        client.disconnect_socket()


async def reads(client: Client) -> bool:
    async with client:
        return bool(await client.nodes.server_state.read_value() == 0)


async def test_none_sign_and_encrypt_are_offered_at_once(build: Build, environ: dict[str, str], person: Path) -> None:
    plant = build('security = "Aes256Sha256RsaPss/SignAndEncrypt"')
    async with served(plant, environ) as (_, _, client):
        endpoints = await client.get_endpoints()
        offered = {(each.SecurityPolicyUri.rpartition("#")[2], each.SecurityMode.name) for each in endpoints}
        assert offered == {
            ("None", "None_"),
            ("Basic256Sha256", "Sign"),
            ("Basic256Sha256", "SignAndEncrypt"),
            ("Aes256_Sha256_RsaPss", "SignAndEncrypt"),
        }
        assert {each.Server.ApplicationUri for each in endpoints} == {APPLICATION_URI}
        for mode in (ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt):
            other = Client(plant.sources["plc"].url, timeout=30)
            await secure(other, person, mode)
            assert await reads(other)


async def test_the_certificate_is_kept_and_names_the_application_and_its_hosts(build: Build, environ: dict[str, str]) -> None:
    folder = Path(environ["KULLAGER_HOME"]) / "simulator/certificates"
    plant = build()
    kept = []
    for _ in range(2):
        async with served(plant, environ) as (_, _, client):
            kept.append((await client.get_endpoints())[0].ServerCertificate)
    assert kept[0] == kept[1] == (folder / "plc.der").read_bytes()
    assert stat.S_IMODE((folder / "plc.pem").stat().st_mode) == 0o600
    certificate = x509.load_der_x509_certificate(kept[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [APPLICATION_URI]
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    lasts = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=5 * 365 - 1) < lasts <= timedelta(days=5 * 365)


def test_a_certificate_is_made_anew_for_another_host_and_before_it_ends(tmp_path: Path) -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    def serial(host: str, days: int) -> int:
        return identity(tmp_path, "plc", "urn:x", host, now + timedelta(days=days)).certificate.serial_number

    first = serial("a.example", 0)
    assert serial("a.example", 1000) == first
    assert serial("b.example", 0) != first
    second = serial("b.example", 0)
    assert serial("b.example", 5 * 365 - 10) != second


def test_a_broken_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "plc.pem").write_text("no certificate")
    with pytest.raises(KullagerError, match=r"plc\.pem: holds no certificate .* delete it, and a new one is made"):
        identity(tmp_path, "plc", "urn:x", "localhost", datetime.now(UTC))


async def test_where_the_source_has_a_user_name_and_password_are_needed(
    build: Build, environ: dict[str, str], person: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = build('user = "reader"')
    url = plant.sources["plc"].url
    with pytest.raises(KullagerError, match=r"sources\.plc\.user: .* KULLAGER_SOURCE_PLC_PASSWORD should hold it"):
        async with OpcuaServer(plant, "plc", SmallSite(), environ):
            pass
    environ["KULLAGER_SOURCE_PLC_PASSWORD"] = "hemligt å"  # noqa: S105
    async with OpcuaServer(plant, "plc", SmallSite(), environ):
        for name, password, mode, right in (
            ("reader", "hemligt å", None, True),
            ("reader", "hemligt å", ua.MessageSecurityMode.Sign, True),
            ("reader", "hemligt å", ua.MessageSecurityMode.SignAndEncrypt, True),
            ("reader", "wrong", None, False),
            ("admin", "hemligt å", None, False),
            (None, None, None, False),
        ):
            client = Client(url, timeout=30)
            if mode is not None:
                await secure(client, person, mode)
            if name is not None and password is not None:
                client.set_user(name)
                client.set_password(password)
            if right:
                assert await reads(client)
            else:
                with pytest.raises(ua.UaError):
                    await reads(client)
        with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
            await nameless(url)
    assert "source 'plc': user 'admin' was refused" in caplog.text


@pytest.mark.parametrize("user", ["", 'user = "reader"'])
async def test_a_known_certificate_lets_a_user_in_without_a_restart(
    build: Build, environ: dict[str, str], person: Path, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    plant = build(user)
    environ["KULLAGER_SOURCE_PLC_PASSWORD"] = "hemligt"  # noqa: S105
    users = Path(environ["KULLAGER_HOME"]) / "simulator/certificates/users"

    async def connect() -> bool:
        client = Client(plant.sources["plc"].url, timeout=30)
        await client.load_client_certificate(str(person / "client.der"))
        await client.load_private_key(str(person / "client.pem"))
        return await reads(client)

    async with OpcuaServer(plant, "plc", SmallSite(), environ):
        with pytest.raises(ua.UaError):
            await connect()
        assert "the certificate is not in" in caplog.text
        certificate = x509.load_der_x509_certificate((person / "client.der").read_bytes())
        (users / "person.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (users / "readme.pem").write_text("no certificate")
        assert await connect()
        assert "readme.pem is no certificate that can be read" in caplog.text


# -- an independent client


async def test_node_opcua_walks_through_the_machines(build: Build, environ: dict[str, str], tmp_path: Path) -> None:
    node = node_program("node-opcua")
    plant = build()
    async with served(plant, environ) as (server, site, _):

        async def run() -> None:
            second = 0
            while True:
                await server.write(row(second, speed=1480.0 + second, power=5.0, state="running"))
                second += 1
                await asyncio.sleep(0.05)

        work = asyncio.create_task(run())
        walk = await asyncio.create_subprocess_exec(
            node,
            str(COUNTERPARTS / "walk_opcua.mjs"),
            plant.sources["plc"].url,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said, complaint = await walk.communicate()
        work.cancel()
    assert walk.returncode == 0, complaint.decode()
    found = json.loads(said.splitlines()[-1])
    assert [machine["name"] for machine in found["machines"]] == ["pump-101", "mill-201"]
    pump, mill = found["machines"]
    assert pump["identification"]["Manufacturer"] == "Testbed"
    assert pump["identification"]["SerialNumber"] == "101"
    assert pump["state"] == "Executing"
    assert {value["name"]: value["unit"] for value in pump["values"]} == {"speed": "r/min", "power": "kW"}
    assert {value["name"]: value["range"] for value in mill["values"]} == {"torque": [0, 3000]}
    assert pump["methods"] == ["InjectFault", "Repair"]
    speeds = found["subscribed"]["speed"]
    assert len(speeds) >= 3
    assert np.all(np.diff(speeds) >= 1.0)
    assert found["history"] >= 1
    assert found["calls"] == {"InjectFault": "Good", "StartJob": "Good", "StartJob of an unknown recipe": "BadInvalidArgument"}
    assert ("inject", "pump-101", "bearing-wear", 0.5, 10.0) in site.done
    assert ("job", "mill-201", "flange-120") in site.done
