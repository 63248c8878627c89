"""The edge's own OPC UA server, for SCADA: what the edge found as nodes, and its alarms as conditions.

The address space is built once, and then waits for its port; what is found in the meantime is kept, newest of each.
"""

import asyncio
import errno
import gc
import logging
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from asyncua import Server, ua
from cryptography import x509

from edge import __version__
from edge.application_certificate import Application, Identity, kept_identity, read_identity
from edge.back_off import back_off
from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.assessment import Assessment
from edge.contracts.errors import KullagerError
from edge.contracts.plant import OpcuaOutput, Plant
from edge.data_acquisition.opcua_security import certificate_folder
from edge.formats.opcua_machinery import DEVICES_URI, MACHINERY_URI, Machinery
from edge.formats.opcua_nodes import AddressSpace
from edge.outputs import OnAlarmCommand
from edge.outputs.opcua.asset_nodes import AssetNodes, DeviceHealthType
from edge.outputs.opcua.conditions import Conditions
from edge.outputs.opcua.guard import MOST_PER_CALL, TRANSPORT, GuardedListener, GuardedServer

logger = logging.getLogger(__name__)

PERIOD_S: Final = 0.5
# after so many assets that are shown the rest of the edge has its turn: a millisecond
SLICE: Final = 10
URL_VARIABLE: Final = "KULLAGER_EDGE_OPCUA_URL"
PASSWORD_VARIABLE: Final = "KULLAGER_EDGE_OPCUA_PASSWORD"  # noqa: S105  # its name
_URL: Final = re.compile(r"^opc\.tcp://[^/\s]+:[0-9]{1,5}(/.*)?$")
_EVERYWHERE: Final = ("0.0.0.0", "::", "")


class CannotServe(KullagerError):
    """Something outside the edge, or in its settings, keeps the server from serving."""


class OpcuaResults:
    """An `Output`; `plant.edge.opcua` is there. `on_alarm_command` is called in the event loop's thread."""

    def __init__(
        self,
        plant: Plant,
        home: Path,
        environ: Mapping[str, str],
        open_alarms: Sequence[Alarm],
        on_alarm_command: OnAlarmCommand,
    ) -> None:
        if plant.edge.opcua is None:
            raise ValueError("the plant file has no edge.opcua")
        self._settings: OpcuaOutput = plant.edge.opcua
        self._plant, self._home, self._environ = plant, home, environ
        self._on_alarm_command = on_alarm_command
        self._url = environ.get(URL_VARIABLE) or self._settings.url
        self._uri = f"urn:kullager:edge:{plant.edge.id}"
        self._problem: str | None = "the OPC UA server is only starting"
        # the newest of each asset, and of each asset and rule
        self._assessments: dict[str, Assessment] = {}
        self._alarms: dict[tuple[str, str], Alarm] = {(alarm.asset, alarm.rule): alarm for alarm in open_alarms}
        self._changed_assets: dict[str, None] = {}
        # every change of an alarm is an event; before anyone can listen only the newest counts
        self._alarm_changes: list[Alarm] = []
        self._is_up = False
        self._changed = asyncio.Event()

    @property
    def problem(self) -> str | None:
        return self._problem

    def show(self, assessments: Sequence[Assessment], alarms: Sequence[Alarm]) -> None:
        for assessment in assessments:
            self._assessments[assessment.asset] = assessment
            self._changed_assets[assessment.asset] = None
        for alarm in alarms:
            if alarm.state is AlarmState.NORMAL:
                self._alarms.pop((alarm.asset, alarm.rule), None)
            else:
                self._alarms[alarm.asset, alarm.rule] = alarm
            if self._is_up:
                self._alarm_changes.append(alarm)
        self._changed.set()

    async def run(self) -> None:
        for wait_s in back_off():
            try:
                await self._serve()
            except (KullagerError, OSError, ua.UaError) as error:
                self._tell(str(error))
            await asyncio.sleep(wait_s)

    # -- the server

    async def _serve(self) -> None:
        """Until cancelled; raises what keeps the server from serving."""
        if not _URL.match(self._url):
            raise CannotServe(f"{URL_VARIABLE}: '{self._url}' should be such as 'opc.tcp://0.0.0.0:4841'")
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise CannotServe(f"{self._url}: names no host with a port between 1 and 65535") from None
        password = self._password()
        inner = GuardedServer(self._settings.user, password)
        # a key takes its time to be made
        own = await asyncio.to_thread(self._identity)
        inner.certificate, inner.private_key = own.certificate, own.key
        server = Server(iserver=inner)
        # many objects that all stay: looking for garbage among them would stop the edge again and again
        gc.disable()
        try:
            assets, conditions = await self._build(server)
            gc.freeze()
        finally:
            gc.enable()
        try:
            await self._listen(server, host, port)
            self._problem = None
            logger.info("%s: the OPC UA server listens, with %d assets", self._url, len(assets))
            await self._keep_showing(assets, conditions)
        finally:
            self._is_up = False
            self._alarm_changes.clear()
            await _stop(server)
            gc.unfreeze()

    async def _build(self, server: Server) -> tuple[dict[str, AssetNodes], Conditions]:
        await server.init()
        server.name, server.manufacturer_name = f"kullager edge {self._plant.edge.id}", "kullager"
        server.product_uri, server.application_type = "urn:kullager", ua.ApplicationType.Server
        server.limits = TRANSPORT
        server.set_endpoint(self._url)
        server.set_security_policy([_policy(each) for each in dict.fromkeys(self._settings.security)])
        await server.set_application_uri(self._uri)
        await server.set_build_info("urn:kullager", "kullager", server.name, __version__, "0", datetime.now(UTC))
        await _state_limits(server)
        # the application's URI is namespace 1 of every server (part 3, 8.2.2)
        index = await server.get_namespace_index(self._uri)
        devices, machines = [await server.register_namespace(uri) for uri in (DEVICES_URI, MACHINERY_URI)]
        space = AddressSpace(server)
        machinery, health = Machinery(space, devices, machines, self._uri), DeviceHealthType(space, devices)
        assets = {}
        for asset in self._plant.assets:
            assets[asset] = AssetNodes(server, space, index, self._plant, asset, machinery, health)
            await asyncio.sleep(0)
        settings = self._settings
        conditions = Conditions(
            server,
            space,
            index,
            commands=settings.commands,
            by=settings.user or "opcua",
            on_alarm_command=self._on_alarm_command,
        )
        return assets, conditions

    async def _listen(self, server: Server, host: str | None, port: int | None) -> None:
        """Take the port, as soon as it is free."""
        # what `Server.start` does, with a listener of our own, and without ending the whole when its port is taken
        await server._setup_server_nodes()
        await server.iserver.start()
        server.bserver = GuardedListener(server.iserver, host, port, server.limits)
        server.bserver.set_policies(server._policies)
        for wait_s in back_off():
            try:
                await server.bserver.start()
            except OSError as error:
                self._tell(_in_words(self._url, error))
            else:
                return
            await asyncio.sleep(wait_s)

    async def _keep_showing(self, assets: dict[str, AssetNodes], conditions: Conditions) -> None:
        self._is_up = True
        self._changed_assets = dict.fromkeys(self._assessments)
        self._alarm_changes = list(self._alarms.values())
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            began = asyncio.get_running_loop().time()
            changed, self._changed_assets = self._changed_assets, {}
            alarms, self._alarm_changes = self._alarm_changes, []
            for alarm in alarms:
                if alarm.asset in assets:
                    await conditions.show(assets[alarm.asset], alarm)
                    await asyncio.sleep(0)
            open_alarms: dict[str, list[Alarm]] = {}
            for alarm in self._alarms.values():
                open_alarms.setdefault(alarm.asset, []).append(alarm)
            for number, name in enumerate(changed | dict.fromkeys(alarm.asset for alarm in alarms), start=1):
                nodes, assessment = assets.get(name), self._assessments.get(name)
                if nodes is not None:
                    await nodes.show(assessment, open_alarms.get(name, ()))
                if number % SLICE == 0:
                    await asyncio.sleep(0)
            # where thousands of values are watched, the rest of the edge has half of the time all the same
            await asyncio.sleep(max(PERIOD_S, asyncio.get_running_loop().time() - began))

    # -- its settings

    def _password(self) -> str:
        if not self._settings.user:
            return ""
        variable = f"{PASSWORD_VARIABLE}_FILE"
        if (file := self._environ.get(variable)) is not None:
            try:
                password = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise CannotServe(f"{variable}: {file} cannot be read: {error}") from None
        else:
            password = self._environ.get(PASSWORD_VARIABLE, "")
        if not password:
            raise CannotServe(
                f"edge.opcua.user: the password of '{self._settings.user}' is missing; "
                f"{PASSWORD_VARIABLE} should hold it, or the file that {variable} names"
            )
        return password

    def _identity(self) -> Identity:
        """The server's certificate. A kept one stays where the host got another name: clients trust it already."""
        path, host = certificate_folder(self._home) / "server.pem", urlsplit(self._url).hostname or ""
        hosts = _hosts(path) or [socket.gethostname(), "localhost", "127.0.0.1"]
        if host not in _EVERYWHERE:
            hosts.append(host)
        application = Application(name="kullager edge server", uri=self._uri, hosts=hosts, server=True)
        return kept_identity(path, application, datetime.now(UTC))

    def _tell(self, problem: str) -> None:
        """Keep what is wrong, and log it once."""
        if problem != self._problem:
            logger.warning("the OPC UA server does not serve: %s; trying again", problem)
        self._problem = problem


async def _stop(server: Server) -> None:
    clock: asyncio.Task[None] | None = server.iserver.time_task
    if clock is not None:
        # it would be waited for, up to a second
        server.iserver.time_task = None
        clock.cancel()
        with suppress(asyncio.CancelledError):
            await clock
    await server.stop()


async def _state_limits(server: Server) -> None:
    """Tell clients how much a call may have (part 5, 6.3.11)."""
    names = ("Read", "Write", "MethodCall", "Browse", "RegisterNodes", "TranslateBrowsePathsToNodeIds", "NodeManagement")
    prefix = "Server_ServerCapabilities_OperationLimits_Max"
    for name in (*(f"{prefix}NodesPer{each}" for each in names), f"{prefix}MonitoredItemsPerCall"):
        most = 100 if name.endswith("MethodCall") else MOST_PER_CALL
        await server.get_node(ua.NodeId(getattr(ua.ObjectIds, name))).write_value(ua.Variant(most, ua.VariantType.UInt32))


def _policy(security: str) -> Any:
    """asyncua's name of a security policy and mode of the plant file."""
    return ua.SecurityPolicyType.NoSecurity if security == "None" else ua.SecurityPolicyType[security.replace("/", "_")]


def _hosts(path: Path) -> list[str]:
    try:
        certificate = read_identity(path).certificate
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _in_words(url: str, error: OSError) -> str:
    port = urlsplit(url).port
    if error.errno == errno.EADDRINUSE:
        return f"{url}: port {port} is in use; stop the other program, or give edge.opcua another port in the plant file"
    return f"{url}: cannot be listened on: {error.strerror or error}"
