"""The machines as a real OPC UA server: nodes, units and ranges after the plant file.

Every write reaches every subscriber that asks for changes of status, value and timestamp, also when the value repeats.
"""

import asyncio
import errno
import gc
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self
from urllib.parse import urlsplit

import numpy as np
from asyncua import Server, ua
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import source_password
from simulator.opcua.address_space import AddressSpace
from simulator.opcua.events import raise_alarm
from simulator.opcua.history import EPOCH, MOST_PER_ANSWER, History
from simulator.opcua.machinery import STATE_SIGNAL, STATES
from simulator.opcua.plant_nodes import build
from simulator.opcua.security import GuardedServer, certificate_folder, identity
from simulator.site import Row, Site

logger = logging.getLogger(__name__)

APPLICATION_URI: Final = "urn:kullager:simulator:server"
ROOM_POLL_S: Final = 0.005
SAY_AFTER_S: Final = 10.0
# what every server offers; the policy that the plant file names for its source comes on top
OFFERED: Final = ("None", "Basic256Sha256/Sign", "Basic256Sha256/SignAndEncrypt")
FAULT_SEVERITY: Final = 800
REPAIRED_SEVERITY: Final = 100


class AddressNotFree(KullagerError):
    """The address that the plant file names cannot be listened on."""


class PasswordMissing(KullagerError):
    """The plant file names a user, and nothing says by which password it is known."""


class OpcuaServer:
    """The server of one source of the plant file; listens while the context is open.

    From `environ` come `KULLAGER_HOME`, where certificates are kept, and the password of the source's user.
    """

    def __init__(self, plant: Plant, source_name: str, site: Site, environ: Mapping[str, str] | None = None) -> None:
        source = plant.sources[source_name]
        if not isinstance(source, OpcuaSource):
            raise TypeError(f"'{source_name}' is no OPC UA source")
        self._plant, self._site, self._settings = plant, site, source
        self._environ = environ or {}
        self.source, self._url = source_name, source.url
        self._states: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        # asyncua logs a failed start with its traceback before it raises it; the raised one is said here
        logging.getLogger("asyncua.server.server").setLevel(logging.CRITICAL)
        self._history = History()
        self._server = server = Server(iserver=self._guarded())
        server.iserver.history_manager = self._history
        # millions of objects that all stay: looking for garbage among them takes two thirds of the time
        gc.disable()
        try:
            await server.init()
            await self._set_up()
            # nor later: over a thousand machines a full collection takes a second, in which the server stands still
            gc.freeze()
        finally:
            gc.enable()
        try:
            await server.start()
        except OSError as error:
            gc.unfreeze()
            raise AddressNotFree(_in_words(self._url, error)) from None
        logger.info("OPC UA server listens on %s with %d signals", self._url, len(self._nodes.signals))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()
        gc.unfreeze()

    async def write(self, row: Row) -> None:
        """Show the values of a row that have a node here; no sample leaves its node as it was."""
        time = EPOCH + timedelta(microseconds=row.time // 1000)
        self._history.record(row)
        for signal, value in row.values.items():
            node = self._nodes.signals.get((row.asset, signal))
            if node is None or (isinstance(value, float) and math.isnan(value)):
                continue
            if value is None:
                data = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure), SourceTimestamp=time)
            else:
                data = _good(value, self._nodes.kinds[node], time)
            await self._server.write_attribute_value(node, data)
        state = row.values.get(STATE_SIGNAL)
        if isinstance(state, str) and state != self._states.get(row.asset):
            await self._change_state(row.asset, state, time)

    async def write_waveform(self, node_id: str, time: int, points: NDArray[np.float32]) -> None:
        """Show a block: (n_points,) float32, the first at `time` [ns UTC]; the node id is that of the plant file."""
        node = self._nodes.waveforms[node_id]
        moment = EPOCH + timedelta(microseconds=time // 1000)
        variant = ua.Variant(points.tolist(), ua.VariantType.Float, is_array=True)
        good = ua.StatusCode(ua.StatusCodes.Good)
        await self._server.write_attribute_value(node, ua.DataValue(variant, StatusCode=good, SourceTimestamp=moment))

    async def raise_event(self, asset: str, severity: int, message: str) -> None:
        """Raise a machine alarm (1 to 1000 severe) on the object of an asset; one that has none here is left out."""
        await self._raise(asset, severity, message, datetime.now(UTC))

    async def _raise(self, asset: str, severity: int, message: str, time: datetime) -> None:
        if (node := self._nodes.objects.get(asset)) is not None:
            await raise_alarm(self._server, node, asset, severity, message, time)

    async def _change_state(self, asset: str, state: str, time: datetime) -> None:
        """Tell the state in the words of OPC UA for Machinery, and a stop by fault as an event."""
        before, self._states[asset] = self._states.get(asset), state
        nodes, name = self._nodes.states.get(asset), STATES.get(state)
        if nodes is not None and name is not None:
            current = _good(ua.LocalizedText(name, "en"), ua.VariantType.LocalizedText, time)
            await self._server.write_attribute_value(nodes.current, current)
            state_node = self._nodes.machinery.state_node(name)
            await self._server.write_attribute_value(nodes.id, _good(state_node, ua.VariantType.NodeId, time))
        if state == "fault":
            await self._raise(asset, FAULT_SEVERITY, f"{asset} has stopped: fault", time)
        elif before == "fault":
            await self._raise(asset, REPAIRED_SEVERITY, f"{asset} is ready again: {state}", time)

    def subscribed(self, asset: str) -> bool:
        """Whether every signal of `asset` has a monitored item, of whichever client."""
        return all(self._monitored(node) > 0 for (owner, _), node in self._nodes.signals.items() if owner == asset)

    async def wait_for_room(self) -> None:
        """Wait until each subscriber has room for a further value of each signal: a full queue would lose its oldest."""
        waited = 0.0
        while not self._has_room():
            await asyncio.sleep(ROOM_POLL_S)
            if waited < SAY_AFTER_S <= waited + ROOM_POLL_S:
                logger.warning("%s: a subscriber does not fetch its values; waiting for it, so that none is lost", self._url)
            waited += ROOM_POLL_S

    async def wait_until_fetched(self) -> None:
        """Wait until no subscriber has a value waiting."""
        while any(subscription._triggered_datachanges for subscription in self._subscriptions()):  # noqa: ASYNC110  # see below
            await asyncio.sleep(ROOM_POLL_S)

    # asyncua has no public view of its monitored items and tells nobody when they change;
    # its version is pinned, and tests hold these

    def _subscriptions(self) -> tuple[Any, ...]:
        return tuple(self._server.iserver.subscription_service.subscriptions.values())

    def _monitored(self, node: ua.NodeId) -> int:
        return len(self._server.iserver.aspace[node].attributes[ua.AttributeIds.Value].datachange_callbacks)

    def _has_room(self) -> bool:
        for subscription in self._subscriptions():
            items = subscription.monitored_item_srv._monitored_items
            for item, waiting in subscription._triggered_datachanges.items():
                if item in items and 0 < items[item].queue_size <= len(waiting):
                    return False
        return True

    # -- before it listens

    def _guarded(self) -> GuardedServer:
        """The inner server, with its certificate and its users."""
        user, password = self._settings.user, source_password(self.source, self._environ)
        if user and password is None:
            variable = f"KULLAGER_SOURCE_{self.source.upper().replace('-', '_')}_PASSWORD"
            raise PasswordMissing(f"sources.{self.source}.user: the password of '{user}' is missing; {variable} should hold it")
        folder = certificate_folder(self._environ)
        host = urlsplit(self._url).hostname or "localhost"
        own = identity(folder, self.source, APPLICATION_URI, host, datetime.now(UTC))
        guarded = GuardedServer(self.source, user, password or "", folder / "users")
        guarded.certificate, guarded.private_key = own.certificate, own.key
        return guarded

    async def _set_up(self) -> None:
        server = self._server
        server.name = "kullager simulator"
        server.product_uri, server.application_type = "urn:kullager", ua.ApplicationType.Server
        server.set_endpoint(self._url)
        policies = dict.fromkeys((*OFFERED, self._settings.security))
        server.set_security_policy([_policy(each) for each in policies])
        await server.set_application_uri(APPLICATION_URI)
        built = datetime.now(UTC)
        await server.set_build_info("urn:kullager", "kullager", server.name, _version(), "0", built)
        space = AddressSpace(server)
        self._nodes = await build(self._plant, self.source, self._site, space, server.register_namespace)
        historized: dict[str, dict[str, ua.NodeId]] = {}
        for (asset, name), node in self._nodes.signals.items():
            if self._nodes.kinds[node] is ua.VariantType.Double:
                historized.setdefault(asset, {})[name] = node
        self._history.keep(historized)
        # clients look here before they ask for the past
        for capability, value in (
            (ua.ObjectIds.HistoryServerCapabilities_AccessHistoryDataCapability, ua.Variant(True, ua.VariantType.Boolean)),
            (ua.ObjectIds.HistoryServerCapabilities_MaxReturnDataValues, ua.Variant(MOST_PER_ANSWER, ua.VariantType.UInt32)),
        ):
            await server.get_node(ua.NodeId(capability)).write_value(value)


def _policy(security: str) -> ua.SecurityPolicyType:
    """asyncua's name of a security policy and mode of the plant file."""
    return ua.SecurityPolicyType.NoSecurity if security == "None" else ua.SecurityPolicyType[security.replace("/", "_")]


def _good(value: Any, kind: ua.VariantType, time: datetime) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind), StatusCode=ua.StatusCode(ua.StatusCodes.Good), SourceTimestamp=time)


def _version() -> str:
    try:
        return version("kullager")
    except PackageNotFoundError:  # run from the source tree
        return "0"


def _in_words(url: str, error: OSError) -> str:
    port = urlsplit(url).port
    if error.errno == errno.EADDRINUSE:
        return f"{url}: port {port} is in use; stop the other program, or give this source another port in the plant file"
    return f"{url}: cannot be listened on: {error.strerror or error}"
