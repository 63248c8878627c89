"""The nodes of one source of the plant file: an object for each asset, a variable for each signal and waveform.

Below Objects stands one object per asset, with a variable per signal (AnalogItemType, OPC UA part 8) under the node id
of the plant file, an array per waveform (YArrayItemType), the building blocks of OPC UA for Machinery, and methods.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant, SignalEntry, Waveform
from edge.formats.opcua_machinery import DEVICES_URI, MACHINERY_URI, STATE_SIGNAL, ItemState, Machinery
from edge.formats.opcua_nodes import (
    BASE_DATA_VARIABLE,
    GENERATES_EVENT,
    HAS_NOTIFIER,
    OBJECTS,
    ORGANIZES,
    AddressSpace,
    NodeTaken,
    good,
)
from edge.formats.units import NAMESPACE, UNITS
from simulator.opcua.methods import add_fault_methods, add_job_method
from simulator.site import Range, Site

ANALOG_ITEM: Final = ua.NodeId(ua.ObjectIds.AnalogItemType)
ANALOG_UNIT: Final = ua.NodeId(ua.ObjectIds.AnalogUnitType)
ARRAY_ITEM: Final = ua.NodeId(ua.ObjectIds.YArrayItemType)
# ±50 g, as industrial accelerometers have; for a waveform whose range the site does not tell
WIDEST: Final = Range(low=-500.0, high=500.0)


@dataclass(slots=True)
class PlantNodes:
    """What has been built: the node of each (asset, signal), of each waveform by its text, and what belongs to each asset."""

    machinery: Machinery
    signals: dict[tuple[str, str], ua.NodeId] = field(default_factory=dict)
    kinds: dict[ua.NodeId, ua.VariantType] = field(default_factory=dict)
    waveforms: dict[str, ua.NodeId] = field(default_factory=dict)
    objects: dict[str, ua.NodeId] = field(default_factory=dict)
    states: dict[str, ItemState] = field(default_factory=dict)


async def build(
    plant: Plant, source: str, site: Site, space: AddressSpace, register_namespace: Callable[[str], Awaitable[int]]
) -> PlantNodes:
    """Everything that a server shows; its namespaces get their indices in the order of the plant file."""
    entries = [row for row in plant.signals_of(source) if row.signal.node is not None and row.asset in site.assets]
    waveforms = [
        (asset, name, waveform)
        for asset in site.assets
        for name, waveform in plant.assets[asset].waveforms.items()
        if waveform.source == source and waveform.node is not None
    ]
    texts = [str(row.signal.node) for row in entries] + [str(waveform.node) for _, _, waveform in waveforms]
    uris = dict.fromkeys([*map(_uri, texts), DEVICES_URI, MACHINERY_URI])
    indices = {uri: await register_namespace(uri) for uri in uris}
    nodes = PlantNodes(Machinery(space, indices[DEVICES_URI], indices[MACHINERY_URI], "urn:kullager:simulator"))
    for entry in entries:
        node = _node_id(str(entry.signal.node), indices, f"assets.{entry.asset}.signals.{entry.name}.node")
        owner = _add_asset(plant, entry.asset, node.NamespaceIndex, space, nodes)
        _add_signal(entry, node, owner, site.range_of(entry.asset, entry.name), space, nodes)
    for asset, name, waveform in waveforms:
        node = _node_id(str(waveform.node), indices, f"assets.{asset}.waveforms.{name}.node")
        owner = _add_asset(plant, asset, node.NamespaceIndex, space, nodes)
        _add_waveform(name, waveform, node, owner, site.range_of(asset, name) or WIDEST, space)
        nodes.waveforms[str(waveform.node)] = node
    _add_blocks(plant, entries, space, nodes)
    _add_methods(site, space, nodes)
    return nodes


def _uri(node: str) -> str:
    return node.removeprefix("nsu=").partition(";")[0]


def _node_id(node: str, indices: dict[str, int], key: str) -> ua.NodeId:
    identifier = node.removeprefix("nsu=").partition(";")[2]
    try:
        return ua.NodeId.from_string(f"ns={indices[_uri(node)]};{identifier}")
    except ua.UaStringParsingError:
        raise KullagerError(f"{key}: '{identifier}' should be such as 's=pump-101.speed' or 'i=2042'") from None


def _add_asset(plant: Plant, asset: str, index: int, space: AddressSpace, nodes: PlantNodes) -> ua.NodeId:
    """The asset's object, which stands in the namespace of its first signal."""
    if asset not in nodes.objects:
        node = ua.NodeId(asset, index)
        label = plant.assets[asset].display_name(asset)
        space.add_object(node, ua.QualifiedName(asset, index), OBJECTS, reference=ORGANIZES, label=label, notifies=True)
        server = ua.NodeId(ua.ObjectIds.Server)
        space.refer(server, HAS_NOTIFIER, node)
        space.refer(node, GENERATES_EVENT, ua.NodeId(ua.ObjectIds.DeviceFailureEventType), inverse=False)
        nodes.objects[asset] = node
    return nodes.objects[asset]


def _add_signal(
    entry: SignalEntry, node: ua.NodeId, owner: ua.NodeId, span: Range | None, space: AddressSpace, nodes: PlantNodes
) -> None:
    kind = ua.VariantType.String if entry.is_text else ua.VariantType.Double
    unit = None if entry.is_text else _unit(entry.signal.unit)
    span = None if entry.is_text else span
    without_range = BASE_DATA_VARIABLE if unit is None else ANALOG_UNIT
    try:
        space.add_variable(
            node,
            ua.QualifiedName(entry.name, node.NamespaceIndex),
            owner,
            ua.NodeId(kind.value),
            kind=without_range if span is None else ANALOG_ITEM,
            label=entry.signal.display_name(entry.name),
            historized=not entry.is_text,
        )
    except NodeTaken:
        raise NodeTaken(f"assets.{entry.asset}.signals.{entry.name}.node: another one has '{entry.signal.node}'") from None
    if span is not None:
        _add_range(space, node, span)
    if unit is not None:
        space.add_property(node, ua.QualifiedName("EngineeringUnits", 0), unit, ua.NodeId(ua.ObjectIds.EUInformation))
    nodes.signals[entry.asset, entry.name], nodes.kinds[node] = node, kind


def _add_waveform(name: str, waveform: Waveform, node: ua.NodeId, owner: ua.NodeId, span: Range, space: AddressSpace) -> None:
    """An array whose x axis is time, from the first point on: its range and length tell the sample rate."""
    label = waveform.display_name(name)
    space.add_variable(
        node,
        ua.QualifiedName(name, node.NamespaceIndex),
        owner,
        ua.NodeId(ua.ObjectIds.Float),
        kind=ARRAY_ITEM,
        label=label,
        points=waveform.points,
    )
    _add_range(space, node, span)
    unit = _unit(waveform.unit) or good(ua.EUInformation(), ua.VariantType.ExtensionObject)
    space.add_property(node, ua.QualifiedName("EngineeringUnits", 0), unit, ua.NodeId(ua.ObjectIds.EUInformation))
    title = good(ua.LocalizedText(label.en, "en"), ua.VariantType.LocalizedText)
    space.add_property(node, ua.QualifiedName("Title", 0), title, ua.NodeId(ua.ObjectIds.LocalizedText))
    linear = good(ua.AxisScaleEnumeration.Linear.value, ua.VariantType.Int32)
    space.add_property(node, ua.QualifiedName("AxisScaleType", 0), linear, ua.NodeId(ua.ObjectIds.AxisScaleEnumeration))
    axis = ua.AxisInformation(
        EngineeringUnits=_information("s"),
        EURange=ua.Range(0.0, (waveform.points - 1) / waveform.rate_hz),
        Title=ua.LocalizedText("time", "en"),
        AxisScaleType=ua.AxisScaleEnumeration.Linear,
    )
    definition = good(axis, ua.VariantType.ExtensionObject)
    space.add_property(node, ua.QualifiedName("XAxisDefinition", 0), definition, ua.NodeId(ua.ObjectIds.AxisInformation))


def _add_range(space: AddressSpace, node: ua.NodeId, span: Range) -> None:
    value = good(ua.Range(span.low, span.high), ua.VariantType.ExtensionObject)
    space.add_property(node, ua.QualifiedName("EURange", 0), value, ua.NodeId(ua.ObjectIds.Range))


def _information(unit: str) -> ua.EUInformation:
    return ua.EUInformation(NAMESPACE, UNITS[unit].unit_id, ua.LocalizedText(UNITS[unit].display), ua.LocalizedText(unit))


def _unit(unit: str) -> ua.DataValue | None:
    return good(_information(unit), ua.VariantType.ExtensionObject) if unit in UNITS else None


def _add_blocks(plant: Plant, entries: list[SignalEntry], space: AddressSpace, nodes: PlantNodes) -> None:
    units: dict[str, dict[ua.NodeId, str]] = {asset: {} for asset in nodes.objects}
    for entry in entries:
        if not entry.is_text:
            units[entry.asset][nodes.signals[entry.asset, entry.name]] = entry.signal.unit
    path = f"{plant.site.enterprise}/{plant.site.site}/{plant.site.area}"
    for asset, node in nodes.objects.items():
        described = plant.assets[asset]
        # a state that comes by another way is known here all the same
        has_state = STATE_SIGNAL in described.context
        state = nodes.machinery.describe(node, asset, described, path, units[asset], has_state=has_state)
        if state is not None:
            nodes.states[asset] = state


def _add_methods(site: Site, space: AddressSpace, nodes: PlantNodes) -> None:
    can_fail = {each.asset for each in site.catalogue(0).assets if each.faults}
    for asset, node in nodes.objects.items():
        if asset in can_fail:
            add_fault_methods(space, site, asset, node)
        if site.recipes(asset):
            add_job_method(space, site, asset, node)
