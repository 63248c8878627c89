"""The machines as a real OPC UA server: nodes, units and ranges after the plant file.

Below Objects stands one object per asset, with a variable per signal (AnalogItemType, OPC UA part 8) under the node id
of the plant file, and the methods InjectFault and Repair where the asset can fail. Every write reaches every
subscriber that asks for changes of status, value and timestamp, also when the value repeats.
"""

import asyncio
import errno
import gc
import logging
import math
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self
from urllib.parse import urlsplit

from asyncua import Node, Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from edge.contracts.errors import KullagerError
from edge.contracts.plant import OpcuaSource, Plant, SignalEntry
from edge.formats.units import NAMESPACE, UNITS
from simulator.site import CommandRefused, Row, Site

logger = logging.getLogger(__name__)

APPLICATION_URI: Final = "urn:kullager:simulator:server"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ROOM_POLL_S: Final = 0.005
SAY_AFTER_S: Final = 10.0


class AddressNotFree(KullagerError):
    """The address that the plant file names cannot be listened on."""


class _Visitors:
    """Everyone may read and call methods; nobody may change the address space."""

    def get_user(self, *_: Any, **__: Any) -> User:
        return User(role=UserRole.User)


class OpcuaServer:
    """The server of one source of the plant file; listens while the context is open."""

    def __init__(self, plant: Plant, source_name: str, site: Site) -> None:
        source = plant.sources[source_name]
        if not isinstance(source, OpcuaSource):
            raise TypeError(f"'{source_name}' is no OPC UA source")
        if source.security != "None":
            raise KullagerError(f"sources.{source_name}.security: the simulator serves 'None' only, not '{source.security}'")
        self._plant, self._site, self._url = plant, site, source.url
        self._entries = [
            row for row in plant.signals_of(source_name) if row.signal.node is not None and row.asset in site.assets
        ]
        self._nodes: dict[tuple[str, str], ua.NodeId] = {}
        self._types: dict[ua.NodeId, ua.VariantType] = {}

    async def __aenter__(self) -> Self:
        # asyncua logs a failed start with its traceback before it raises it; the raised one is said here
        logging.getLogger("asyncua.server.server").setLevel(logging.CRITICAL)
        self._server = server = Server(user_manager=_Visitors())
        # half a million objects that all stay: looking for garbage among them takes two thirds of the time
        gc.disable()
        try:
            await server.init()
        finally:
            gc.enable()
        server.name = "kullager simulator"
        server.set_endpoint(self._url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await server.set_application_uri(APPLICATION_URI)
        built = datetime.now(UTC)
        await server.set_build_info("urn:kullager", "kullager", server.name, _version(), "0", built)
        await self._build()
        try:
            await server.start()
        except OSError as error:
            raise AddressNotFree(_in_words(self._url, error)) from None
        logger.info("OPC UA server listens on %s with %d signals", self._url, len(self._nodes))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def write(self, row: Row) -> None:
        """Show the values of a row that have a node here; no sample leaves its node as it was."""
        time = EPOCH + timedelta(microseconds=row.time // 1000)
        for signal, value in row.values.items():
            node = self._nodes.get((row.asset, signal))
            if node is None or (isinstance(value, float) and math.isnan(value)):
                continue
            if value is None:
                data = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure), SourceTimestamp=time)
            else:
                data = ua.DataValue(
                    ua.Variant(value, self._types[node]), StatusCode=ua.StatusCode(ua.StatusCodes.Good), SourceTimestamp=time
                )
            await self._server.write_attribute_value(node, data)

    def subscribed(self, asset: str) -> bool:
        """Whether every node of `asset` has a monitored item, of whichever client."""
        return all(self._monitored(node) > 0 for (owner, _), node in self._nodes.items() if owner == asset)

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

    # -- the address space

    async def _build(self) -> None:
        objects: dict[str, tuple[Node, int]] = {}
        for entry in self._entries:
            uri, _, identifier = str(entry.signal.node).removeprefix("nsu=").partition(";")
            index = await self._server.register_namespace(uri)
            if entry.asset not in objects:
                objects[entry.asset] = await self._add_asset(entry.asset, index), index
            parent, _ = objects[entry.asset]
            await self._add_signal(parent, entry, ua.NodeId.from_string(f"ns={index};{identifier}"))
        for asset in self._site.catalogue(0).assets:
            if asset.asset in objects and asset.faults:
                await self._add_methods(*objects[asset.asset], asset.asset)

    async def _add_asset(self, asset: str, index: int) -> Node:
        node = await self._server.nodes.objects.add_object(ua.NodeId(asset, index), ua.QualifiedName(asset, index))
        name = self._plant.assets[asset].display_name(asset)
        await node.write_attribute(ua.AttributeIds.DisplayName, _value(ua.LocalizedText(name.en, "en")))
        await node.write_attribute(ua.AttributeIds.Description, _value(ua.LocalizedText(name.sv, "sv")))
        return node

    async def _add_signal(self, parent: Node, entry: SignalEntry, node_id: ua.NodeId) -> None:
        kind = ua.VariantType.String if entry.is_text else ua.VariantType.Double
        name = ua.QualifiedName(entry.name, node_id.NamespaceIndex)
        initial = "" if entry.is_text else 0.0  # never shown: the status below says that there is no value yet
        node = await parent.add_variable(node_id, name, initial, kind, ua.NodeId(kind.value))
        label = entry.signal.display_name(entry.name)
        await node.write_attribute(ua.AttributeIds.DisplayName, _value(ua.LocalizedText(label.en, "en")))
        await node.write_attribute(ua.AttributeIds.Description, _value(ua.LocalizedText(label.sv, "sv")))
        span = self._site.range_of(entry.asset, entry.name)
        if not entry.is_text and span is not None:
            await node.delete_reference(ua.ObjectIds.BaseDataVariableType, ua.ObjectIds.HasTypeDefinition)
            await node.add_reference(ua.ObjectIds.AnalogItemType, ua.ObjectIds.HasTypeDefinition)
            await _add_property(node, "EURange", ua.Range(span.low, span.high), ua.ObjectIds.Range)
            if unit := UNITS.get(entry.signal.unit):
                text = ua.LocalizedText(unit.display)
                information = ua.EUInformation(NAMESPACE, unit.unit_id, text, ua.LocalizedText(entry.signal.unit))
                await _add_property(node, "EngineeringUnits", information, ua.ObjectIds.EUInformation)
        waiting = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
        await self._server.write_attribute_value(node_id, ua.DataValue(StatusCode=waiting))
        self._nodes[entry.asset, entry.name], self._types[node_id] = node_id, kind

    async def _add_methods(self, parent: Node, index: int, asset: str) -> None:
        async def inject(_parent: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
            if len(arguments) != 3:
                few = len(arguments) < 3
                return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing if few else ua.StatusCodes.BadTooManyArguments)
            fault, severity, over_s = (argument.Value for argument in arguments)
            if not isinstance(fault, str) or not all(type(number) in (int, float) for number in (severity, over_s)):
                return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
            try:
                self._site.inject(asset, fault, float(severity), float(over_s))
            except CommandRefused as refusal:
                logger.warning("InjectFault on %s was refused: %s", asset, refusal)
                return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
            logger.info("%s: %s grows to %g within %g s (OPC UA)", asset, fault, severity, over_s)
            return ua.StatusCode(ua.StatusCodes.Good)

        async def repair(_parent: ua.NodeId, *_arguments: ua.Variant) -> ua.StatusCode:
            self._site.repair(asset)
            logger.info("%s: repaired (OPC UA)", asset)
            return ua.StatusCode(ua.StatusCodes.Good)

        arguments = [
            _argument("fault", ua.ObjectIds.String, "the fault's identifier, such as bearing-wear"),
            _argument("severity", ua.ObjectIds.Double, "how bad it gets: 0 to 1"),
            _argument("over_s", ua.ObjectIds.Double, "the seconds it takes to get there"),
        ]
        for name, method, inputs in (("InjectFault", inject, arguments), ("Repair", repair, [])):
            node_id = ua.NodeId(f"{asset}.{name}", index)
            await parent.add_method(node_id, ua.QualifiedName(name, index), method, inputs, [])


async def _add_property(node: Node, name: str, value: Any, data_type: int) -> None:
    node_id = ua.NodeId(f"{node.nodeid.Identifier}.{name}", node.nodeid.NamespaceIndex)
    variant = ua.VariantType.ExtensionObject
    await node.add_property(node_id, ua.QualifiedName(name, 0), value, variant, ua.NodeId(data_type))


def _argument(name: str, data_type: int, description: str) -> ua.Argument:
    return ua.Argument(Name=name, DataType=ua.NodeId(data_type), ValueRank=-1, Description=ua.LocalizedText(description))


def _value(text: ua.LocalizedText) -> ua.DataValue:
    return ua.DataValue(ua.Variant(text, ua.VariantType.LocalizedText))


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
