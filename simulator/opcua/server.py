"""The machines as a real OPC UA server: nodes, units and ranges after the plant file.

Every write reaches every subscriber that asks for changes of status, value and timestamp, also when the value repeats.
"""

import asyncio
import errno
import gc
import logging
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle
from typing import Any, Final, Self
from urllib.parse import urlsplit

import numpy as np
from asyncua import Server, ua
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import source_password
from edge.formats.opcua_machinery import STATE_SIGNAL, STATES
from edge.formats.opcua_nodes import AddressSpace
from simulator.chaos import ChaosKind, Disturbance, Disturbances
from simulator.opcua.disturbed_transport import POLL_S, Connections, DisturbedTransport
from simulator.opcua.events import raise_alarm
from simulator.opcua.history import EPOCH, MOST_PER_ANSWER, History
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
# what a server has to say of values that it cannot vouch for
BAD_STATUSES: Final = (
    ua.StatusCodes.BadSensorFailure,
    ua.StatusCodes.BadCommunicationError,
    ua.StatusCodes.UncertainLastUsableValue,
    ua.StatusCodes.BadOutOfService,
)
# another vendor's, which moves the indices of all that come after it
OTHER_NAMESPACE: Final = "urn:kullager:simulator:another-vendor"


class AddressNotFree(KullagerError):
    """The address that the plant file names cannot be listened on."""


class PasswordMissing(KullagerError):
    """The plant file names a user, and nothing says by which password it is known."""


@dataclass(frozen=True, slots=True)
class _RemovedNode:
    """A node that is not there, and what is needed to put it back."""

    node: ua.NodeId
    data: Any
    references: tuple[tuple[ua.NodeId, Any], ...]

    @classmethod
    def of(cls, node: ua.NodeId, space: Any) -> Self:
        references = ((owner, each) for owner in list(space.keys()) for each in space[owner].references if each.NodeId == node)
        return cls(node, space[node], tuple(references))

    def put_back(self, space: Any) -> None:
        space[self.node] = self.data
        for owner, reference in self.references:
            space[owner].references.append(reference)


class OpcuaServer:
    """The server of one source of the plant file; listens while the context is open.

    From `environ` come `KULLAGER_HOME`, where certificates are kept, and the password of the source's user.
    """

    def __init__(
        self,
        plant: Plant,
        source_name: str,
        site: Site,
        environ: Mapping[str, str] | None = None,
        disturbances: Disturbances | None = None,
    ) -> None:
        source = plant.sources[source_name]
        if not isinstance(source, OpcuaSource):
            raise TypeError(f"'{source_name}' is no OPC UA source")
        self._plant, self._site, self._settings = plant, site, source
        self._environ = environ or {}
        self.source, self._url = source_name, source.url
        self._states: dict[str, str] = {}
        self._disturbances = disturbances or Disturbances(plant)
        self._up = False
        self._removed: _RemovedNode | None = None
        self._held: deque[Row] = deque()
        self._bad = cycle(BAD_STATUSES)

    async def __aenter__(self) -> Self:
        await self._open()
        logger.info("OPC UA server listens on %s with %d signals", self._url, len(self._nodes.signals))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._up:
            await self._close()

    async def _open(self, *, moved_namespaces: bool = False) -> None:
        # asyncua logs a failed start with its traceback before it raises it; the raised one is said here
        logging.getLogger("asyncua.server.server").setLevel(logging.CRITICAL)
        self._history = History()
        self._server = server = Server(iserver=self._guarded())
        server.iserver.history_manager = self._history
        # millions of objects that all stay: looking for garbage among them takes two thirds of the time
        gc.disable()
        try:
            await server.init()
            if moved_namespaces:
                await server.register_namespace(OTHER_NAMESPACE)
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
        server.bserver.clients = Connections(self._connected)
        self._states.clear()
        self._up = True

    async def _close(self) -> None:
        self._up, self._removed = False, None
        await self._server.stop()
        gc.unfreeze()

    async def write(self, row: Row) -> None:
        """Show the values of a row that have a node here; no sample leaves its node as it was."""
        if not self._up:
            return
        if self._active(ChaosKind.BURST):
            self._held.append(row)
            return
        await self._let_go()
        await self._show(row)

    async def _show(self, row: Row) -> None:
        server, nodes = self._server, self._nodes
        jump = self._active(ChaosKind.CLOCK_JUMP)
        time = EPOCH + timedelta(microseconds=row.time // 1000, seconds=jump.amount if jump else 0.0)
        self._history.record(row)
        bad = ua.StatusCode(next(self._bad)) if self._active(ChaosKind.BAD_STATUS) else None
        for signal, value in row.values.items():
            node = nodes.signals.get((row.asset, signal))
            if (
                node is None
                or (isinstance(value, float) and math.isnan(value))
                or (self._removed and self._removed.node == node)
            ):
                continue
            if value is None:
                data = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure), SourceTimestamp=time)
            else:
                data = _good(value, nodes.kinds[node], time)
                data = data if bad is None else replace(data, StatusCode=bad)
            await server.write_attribute_value(node, data)
        state = row.values.get(STATE_SIGNAL)
        if isinstance(state, str) and state != self._states.get(row.asset):
            await self._change_state(row.asset, state, time)

    async def write_waveform(self, node_id: str, time: int, points: NDArray[np.float32]) -> None:
        """Show a block: (n_points,) float32, the first at `time` [ns UTC]; the node id is that of the plant file."""
        if not self._up:
            return
        node = self._nodes.waveforms[node_id]
        moment = EPOCH + timedelta(microseconds=time // 1000)
        variant = ua.Variant(points.tolist(), ua.VariantType.Float, is_array=True)
        good = ua.StatusCode(ua.StatusCodes.Good)
        await self._server.write_attribute_value(node, ua.DataValue(variant, StatusCode=good, SourceTimestamp=moment))

    async def raise_event(self, asset: str, severity: int, message: str) -> None:
        """Raise a machine alarm (1 to 1000 severe) on the object of an asset; one that has none here is left out."""
        await self._raise(asset, severity, message, datetime.now(UTC))

    async def _raise(self, asset: str, severity: int, message: str, time: datetime) -> None:
        if self._up and (node := self._nodes.objects.get(asset)) is not None:
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

    # -- chaos

    async def disturb(self) -> None:
        """Do to this server what is wrong with its source, for ever: run this in a task beside the rows."""
        cut: Disturbance | None = None
        while True:
            if self._active(ChaosKind.SERVER_RESTART):
                await self._close()
                await self._over(ChaosKind.SERVER_RESTART)
                await self._come_back()
            if self._active(ChaosKind.CHANGED_NAMESPACE):
                await self._close()
                await self._come_back(moved_namespaces=True)
                await self._over(ChaosKind.CHANGED_NAMESPACE)
                await self._close()
                await self._come_back()
            drop = self._active(ChaosKind.DROPPED_CONNECTION)
            for connection in list(self._server.bserver.clients):
                if drop is not None and drop is not cut and connection.transport is not None:
                    connection.transport.abort()
                elif isinstance(link := connection.processor._transport, DisturbedTransport):
                    link.listen()
            cut = drop
            removed = self._active(ChaosKind.REMOVED_NODE) is not None
            if removed and self._removed is None:
                await self._remove_node()
            elif not removed and self._removed is not None:
                self._removed.put_back(self._server.iserver.aspace)
                self._removed = None
            if not self._active(ChaosKind.BURST):
                await self._let_go()
            await asyncio.sleep(POLL_S)

    def _active(self, kind: ChaosKind) -> Disturbance | None:
        return self._disturbances.active(self.source, kind)

    async def _over(self, kind: ChaosKind) -> None:
        while self._active(kind):  # noqa: ASYNC110  # the disturbances are logic, and tell no one
            await asyncio.sleep(POLL_S)

    async def _come_back(self, *, moved_namespaces: bool = False) -> None:
        while True:
            try:
                await self._open(moved_namespaces=moved_namespaces)
            except AddressNotFree as taken:
                logger.warning("%s; trying again", taken)
                await asyncio.sleep(1.0)
            else:
                return

    async def _let_go(self) -> None:
        """Show at once what a burst has held back."""
        while self._held and self._up:
            await self._show(self._held.popleft())

    def _connected(self, connection: Any) -> None:
        """Stand between a new connection and its socket."""

        def delay_s() -> float:
            slow = self._active(ChaosKind.SLOW_ANSWERS)
            return max(slow.amount, 0.0) if slow else 0.0

        link = DisturbedTransport(connection.transport, lambda: self._active(ChaosKind.HALF_OPEN) is not None, delay_s)
        connection.processor._transport = link
        link.listen()

    async def _remove_node(self) -> None:
        """Delete the node of the first signal; who watches it is told so by a last status (part 4, DeleteNodes)."""
        (asset, signal), node = next(iter(self._nodes.signals.items()))
        logger.info("the node of %s of %s is removed", signal, asset)
        space = self._server.iserver.aspace
        self._removed = _RemovedNode.of(node, space)
        gone = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown), SourceTimestamp=datetime.now(UTC))
        await self._server.write_attribute_value(node, gone)
        # asyncua's own way of telling never runs: it makes coroutines that nobody awaits
        for handle in list(space[node].attributes[ua.AttributeIds.Value].datachange_callbacks):
            space.delete_datachange_callback(handle)
        item = ua.DeleteNodesItem(NodeId=node, DeleteTargetReferences=True)
        self._server.iserver.node_mgt_service.delete_nodes(ua.DeleteNodesParameters([item]))

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
