"""Building blocks of OPC UA for Machinery (OPC 40001-1) and the parts of OPC UA for Devices (OPC 10000-100) they rest on.

Of both specifications only the types that the blocks here have are in the address space, under their own node ids:

    Objects/Machines                        organizes all machines (OPC 40001-1, 9)
    <machine>/Identification                who made it (8)
    <machine>/MachineryBuildingBlocks       all blocks, in one place
             /MachineryItemState            what it does now (12)
    <machine>/Monitoring                    what is measured: Process, Consumption, Status (16)
"""

from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge.contracts.plant import Asset
from edge.formats.opcua_nodes import (
    HAS_ADD_IN,
    NO_VALUE_YET,
    OBJECTS,
    ORGANIZES,
    AddressSpace,
    below,
    good,
)

DEVICES_URI: Final = "http://opcfoundation.org/UA/DI/"
MACHINERY_URI: Final = "http://opcfoundation.org/UA/Machinery/"
STATE_SIGNAL: Final = "state"
# what the machines say of themselves, and what OPC 40001-1 calls it
STATES: Final = {
    "off": "NotAvailable",
    "fault": "OutOfService",
    "idle": "NotExecuting",
    "changeover": "NotExecuting",
    "running": "Executing",
}
# of each state its number, its node id in the specification's namespace, and that of its property StateNumber
_STATE_NODES: Final = {
    "NotAvailable": (0, 5005, 6039),
    "OutOfService": (1, 5004, 6038),
    "NotExecuting": (2, 5007, 6041),
    "Executing": (3, 5006, 6040),
}
_FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
_STRING: Final = ua.NodeId(ua.ObjectIds.String)
_TEXT: Final = ua.NodeId(ua.ObjectIds.LocalizedText)
_DOUBLE: Final = ua.NodeId(ua.ObjectIds.Double)
# units of what a machine uses up
_CONSUMED: Final = ("kW", "W", "kW.h", "J")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """The nodes that tell what a machine does now."""

    current: ua.NodeId
    id: ua.NodeId


class Machinery:
    """The types and the folder of the machines; `describe` adds the blocks of one machine."""

    def __init__(self, space: AddressSpace, devices: int, machinery: int, urn: str) -> None:
        """`devices` and `machinery` are the indices of the namespaces; `urn` begins the machines' ProductInstanceUri."""
        self._space, self._devices, self._machinery, self._urn = space, devices, machinery, urn
        self._machines = space.add_object(self._node(1001), self._name("Machines"), OBJECTS, reference=ORGANIZES, kind=_FOLDER)
        group = ua.NodeId(1005, devices)
        space.add_object_type(group, ua.QualifiedName("FunctionalGroupType", devices), _FOLDER)
        item = space.add_object_type(self._node(1004), self._name("MachineryItemIdentificationType"), group, abstract=True)
        self._identification = space.add_object_type(self._node(1012), self._name("MachineIdentificationType"), item)
        self._monitoring = space.add_object_type(self._node(1014), self._name("MonitoringType"), _FOLDER)
        machine = ua.NodeId(ua.ObjectIds.FiniteStateMachineType)
        self._state_machine = space.add_object_type(
            self._node(1002), self._name("MachineryItemState_StateMachineType"), machine
        )
        for state, (number, identifier, property_identifier) in _STATE_NODES.items():
            kind = ua.NodeId(ua.ObjectIds.StateType)
            node = space.add_object(self._node(identifier), self._name(state), self._state_machine, kind=kind)
            space.add_variable(
                self._node(property_identifier),
                ua.QualifiedName("StateNumber", 0),
                node,
                ua.NodeId(ua.ObjectIds.UInt32),
                reference=ua.NodeId(ua.ObjectIds.HasProperty),
                kind=ua.NodeId(ua.ObjectIds.PropertyType),
                value=good(number, ua.VariantType.UInt32),
            )

    def describe(
        self, node: ua.NodeId, asset_id: str, asset: Asset, path: str, signals: dict[ua.NodeId, str], *, has_state: bool
    ) -> ItemState | None:
        """Add the blocks of a machine whose object is there; `signals` are the units of its values, `path` its ISA-95 place."""
        space = self._space
        space.refer(self._machines, ORGANIZES, node)
        blocks = space.add_object(
            below(node, "MachineryBuildingBlocks"), self._name("MachineryBuildingBlocks"), node, kind=_FOLDER
        )
        identification = self._add_identification(node, asset_id, asset, path)
        monitoring = self._add_monitoring(node, signals)
        space.refer(blocks, HAS_ADD_IN, identification)
        space.refer(blocks, HAS_ADD_IN, monitoring)
        return self._add_state(node, blocks) if has_state else None

    def state_node(self, state: str) -> ua.NodeId:
        return self._node(_STATE_NODES[state][1])

    def _node(self, identifier: int) -> ua.NodeId:
        return ua.NodeId(identifier, self._machinery)

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._machinery)

    def _add_identification(self, machine: ua.NodeId, asset_id: str, asset: Asset, path: str) -> ua.NodeId:
        name = ua.QualifiedName("Identification", self._devices)
        node = self._space.add_object(below(machine, name.Name), name, machine, reference=HAS_ADD_IN, kind=self._identification)
        plate, label = asset.nameplate, asset.display_name(asset_id)
        urn = f"{self._urn}:{path.replace('/', ':')}:{asset_id}"
        texts = {
            "Manufacturer": plate.manufacturer if plate and plate.manufacturer else "kullager",
            "Model": plate.model if plate else None,
            "ComponentName": label.en,
        }
        strings = {
            "SerialNumber": plate.serial if plate and plate.serial else asset_id,
            "ProductInstanceUri": urn,
            "AssetId": asset_id,
            "DeviceClass": asset.asset_class,
        }
        for key, text in texts.items():
            if text is not None:
                self._add_plate(node, key, self._devices, good(ua.LocalizedText(text), ua.VariantType.LocalizedText), _TEXT)
        for key, text in strings.items():
            self._add_plate(node, key, self._devices, good(text, ua.VariantType.String), _STRING)
        self._add_plate(node, "Location", self._machinery, good(path, ua.VariantType.String), _STRING)
        # what the specification has no name for stands in the plant's own namespace
        ratings = {"RatedPower_kW": plate and plate.rated_kw, "RatedSpeed_per_min": plate and plate.rated_speed}
        for key, rating in ratings.items():
            if rating is not None:
                self._add_plate(node, key, machine.NamespaceIndex, good(rating, ua.VariantType.Double), _DOUBLE)
        return node

    def _add_plate(self, node: ua.NodeId, key: str, namespace: int, value: Any, kind: ua.NodeId) -> None:
        self._space.add_property(node, ua.QualifiedName(key, namespace), value, kind)

    def _add_monitoring(self, machine: ua.NodeId, signals: dict[ua.NodeId, str]) -> ua.NodeId:
        space = self._space
        node = space.add_object(
            below(machine, "Monitoring"), self._name("Monitoring"), machine, reference=HAS_ADD_IN, kind=self._monitoring
        )
        for folder, consumed in (("Process", False), ("Consumption", True)):
            members = [signal for signal, unit in signals.items() if (unit in _CONSUMED) is consumed]
            if members:
                group = space.add_object(below(node, folder), self._name(folder), node, kind=_FOLDER)
                for signal in members:
                    space.refer(group, ORGANIZES, signal)
        return node

    def _add_state(self, machine: ua.NodeId, blocks: ua.NodeId) -> ItemState:
        space, name = self._space, self._name("MachineryItemState")
        node = space.add_object(below(machine, name.Name), name, blocks, reference=HAS_ADD_IN, kind=self._state_machine)
        kind = ua.NodeId(ua.ObjectIds.FiniteStateVariableType)
        current = space.add_variable(below(node, "CurrentState"), ua.QualifiedName("CurrentState", 0), node, _TEXT, kind=kind)
        identifier = space.add_property(current, ua.QualifiedName("Id", 0), NO_VALUE_YET, ua.NodeId(ua.ObjectIds.NodeId))
        return ItemState(current=current, id=identifier)
