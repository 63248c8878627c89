"""Walks an OPC UA server: machines by OPC 40001 where it has them, otherwise by its objects, and their variables."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncua import Client, ua

from edge.browse.found import FoundAsset, FoundSignal, Kind
from edge.data_acquisition.opcua_limits import ServerLimits
from edge.data_acquisition.opcua_listen import listen
from edge.data_acquisition.opcua_references import references
from edge.formats.units import ucum_of, unit_of

MACHINERY: Final = "http://opcfoundation.org/UA/Machinery/"
MACHINES: Final = 1001
AT_ONCE: Final = 100
MOST_NODES: Final = 100_000
_NUMBERS: Final = frozenset(range(ua.ObjectIds.SByte, ua.ObjectIds.Double + 1)) | {ua.ObjectIds.Number, ua.ObjectIds.Integer}
# of a variable or a machine, what says something of it
_UNITS, _RANGE, _IDENTIFICATION = "EngineeringUnits", "EURange", "Identification"
_PLATE: Final = {"Manufacturer": "manufacturer", "Model": "model", "SerialNumber": "serial"}


@dataclass(slots=True)
class _Node:
    id: ua.NodeId
    name: str
    node_class: ua.NodeClass
    is_property: bool
    children: "list[_Node]" = field(default_factory=list)

    @property
    def variables(self) -> "list[_Node]":
        return [child for child in self.children if child.node_class is ua.NodeClass.Variable and not child.is_property]

    def below(self, path: tuple[str, ...] = ()) -> "Iterator[tuple[tuple[str, ...], _Node]]":
        """All variables below, with the names that lead to them."""
        for child in self.children:
            if child.name == _IDENTIFICATION or child.is_property:
                continue
            if child.node_class is ua.NodeClass.Variable:
                yield (*path, child.name), child
            yield from child.below((*path, child.name))


async def browse_opcua(client: Client, listen_s: float) -> list[FoundAsset]:
    """What looks like machines, with all their variables; for `listen_s` it is listened to how often they come."""
    uris = await client.get_namespace_array()
    root = _Node(client.nodes.objects.nodeid, "Objects", ua.NodeClass.Object, False)
    machines = ua.NodeId(MACHINES, uris.index(MACHINERY)) if MACHINERY in uris else None
    limits = ServerLimits()
    await limits.read(client)
    await _walk(client, limits, root, machines)
    assets, read = [], []
    for path, machine, how in _machines(root, machines):
        asset = FoundAsset(path=path, how=how, plate=await _plate(client, machine))
        for names, node in machine.below():
            signal = FoundSignal(path=names, where={"node": _text_of(node.id, uris)})
            read.append((node, signal))
            asset.signals.append(signal)
        assets.append(asset)
    usable = await _describe(client, read)
    for asset in assets:
        asset.signals = [signal for signal in asset.signals if id(signal) in usable]
    await _listen(client, limits, [(node, signal) for node, signal in read if id(signal) in usable], listen_s)
    return [asset for asset in assets if asset.signals]


async def _walk(client: Client, limits: ServerLimits, root: _Node, machines: ua.NodeId | None) -> None:
    """All that lies below, in the order of distance; what is reached in two ways counts where it was reached first.

    But for the folder of the machines: it lists what hangs elsewhere.
    """
    seen, level = {root.id: root}, [root]
    while level and len(seen) < MOST_NODES:
        found = []
        for node, listed in zip(level, await references(client, limits, [node.id for node in level]), strict=True):
            for reference in listed:
                child = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex)
                if node.id == machines and child in seen:
                    node.children.append(seen[child])
                # the server itself and what it says of itself are no machines
                if child in seen or (child.NamespaceIndex == 0 and reference.NodeClass == ua.NodeClass.Object):
                    continue
                is_property = reference.ReferenceTypeId == ua.NodeId(ua.ObjectIds.HasProperty)
                made = seen[child] = _Node(child, str(reference.BrowseName.Name), reference.NodeClass, is_property)
                node.children.append(made)
                if not is_property:
                    found.append(made)
        level = found


def _machines(root: _Node, machines: ua.NodeId | None) -> Iterator[tuple[tuple[str, ...], _Node, str]]:
    folder = next((child for child in root.children if child.id == machines), None)
    if folder is not None and folder.children:
        yield from (((machine.name,), machine, "OPC 40001 Machinery") for machine in folder.children)
        return
    yield from _objects(root, ())


def _objects(parent: _Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Node, str]]:
    """The topmost objects with variables of their own, or with parts of which each has some."""
    for child in parent.children:
        if child.node_class is not ua.NodeClass.Object:
            continue
        here = (*path, child.name)
        parts = [each for each in child.children if each.node_class is ua.NodeClass.Object]
        if child.variables or (parts and all(part.variables for part in parts) and len(here) > 1):
            yield here, child, "an object with variables"
        else:
            yield from _objects(child, here)


async def _plate(client: Client, machine: _Node) -> dict[str, str]:
    identification = next((child for child in machine.children if child.name == _IDENTIFICATION), None)
    plate = {}
    for child in identification.children if identification else ():
        if key := _PLATE.get(child.name):
            value = (await client.uaclient.read_attributes([child.id], ua.AttributeIds.Value))[0].Value.Value
            if text := str(getattr(value, "Text", value) or "").strip():
                plate[key] = text
    return plate


async def _describe(client: Client, read: Sequence[tuple[_Node, FoundSignal]]) -> set[int]:
    """Kind, unit and range of each variable; gives those that a plant file can use."""
    usable = set()
    for start in range(0, len(read), AT_ONCE):
        part = read[start : start + AT_ONCE]
        values = await client.uaclient.read_attributes([node.id for node, _ in part], ua.AttributeIds.Value)
        properties = [(signal, child) for node, signal in part for child in node.children if child.name in (_UNITS, _RANGE)]
        said = (
            await client.uaclient.read_attributes([child.id for _, child in properties], ua.AttributeIds.Value)
            if properties
            else []
        )
        for (signal, child), data in zip(properties, said, strict=True):
            value = data.Value.Value if data.Value is not None else None
            if child.name == _UNITS and isinstance(value, ua.EUInformation):
                signal.said_unit = str(value.DisplayName.Text or "")
                signal.unit = ucum_of(value.UnitId) or unit_of(signal.said_unit)
            elif child.name == _RANGE and isinstance(value, ua.Range):
                signal.low, signal.high = value.Low, value.High
        for (_, signal), data in zip(part, values, strict=True):
            if _kind(signal, data.Value):
                usable.add(id(signal))
    return usable


def _kind(signal: FoundSignal, variant: ua.Variant | None) -> bool:
    if variant is None or variant.Value is None:
        # nothing came yet; its type is not asked for, as most of those are numbers
        return True
    kind, value = variant.VariantType, variant.Value
    if isinstance(value, list):
        signal.kind, signal.points = Kind.BLOCK, len(value)
        return kind.value in _NUMBERS and len(value) >= 2
    if kind is ua.VariantType.String:
        signal.kind = Kind.TEXT
        return True
    if kind.value not in _NUMBERS:
        return False
    if math.isfinite(value):
        signal.saw(float(value))
    return True


async def _listen(client: Client, limits: ServerLimits, wanted: Sequence[tuple[_Node, FoundSignal]], listen_s: float) -> None:
    if listen_s <= 0 or not wanted:
        return
    signals = [signal for _, signal in wanted]

    def take(number: int, data: ua.DataValue) -> None:
        signals[number].count += 1
        value = data.Value.Value if data.Value is not None else None
        if isinstance(value, int | float) and math.isfinite(value):
            signals[number].saw(float(value))

    await listen(client, limits, [node.id for node, _ in wanted], listen_s, take)
    for signal in signals:
        # the first of each is what it was before
        signal.count = max(signal.count - 1, 0)


def _text_of(node: ua.NodeId, uris: Sequence[str]) -> str:
    local = node.to_string().rpartition(";")[2] if node.NamespaceIndex == 0 else node.to_string().partition(";")[2]
    return f"nsu={uris[node.NamespaceIndex]};{local}"
