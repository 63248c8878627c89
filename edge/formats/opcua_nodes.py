"""Nodes, written straight into the address space of an asyncua server: one method for each kind of node.

asyncua's own `Node.add_…` check and copy what a program that builds its own plant gets right by itself, and look through
all children of the parent for each of them: a plant of 8,000 signals takes them minutes of processor time.
Node classes and attributes after OPC UA part 3 (address space model).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from asyncua import Server, ua
from asyncua.server.address_space import AttributeValue, NodeData

from edge.contracts.alarm import BilingualText
from edge.contracts.errors import KullagerError

Method = Callable[..., Awaitable[ua.StatusCode]]

OBJECTS: Final = ua.NodeId(ua.ObjectIds.ObjectsFolder)
ORGANIZES: Final = ua.NodeId(ua.ObjectIds.Organizes)
HAS_COMPONENT: Final = ua.NodeId(ua.ObjectIds.HasComponent)
HAS_ADD_IN: Final = ua.NodeId(ua.ObjectIds.HasAddIn)
HAS_NOTIFIER: Final = ua.NodeId(ua.ObjectIds.HasNotifier)
GENERATES_EVENT: Final = ua.NodeId(ua.ObjectIds.GeneratesEvent)
HAS_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
HAS_PROPERTY: Final = ua.NodeId(ua.ObjectIds.HasProperty)
HAS_TYPE_DEFINITION: Final = ua.NodeId(ua.ObjectIds.HasTypeDefinition)
BASE_OBJECT: Final = ua.NodeId(ua.ObjectIds.BaseObjectType)
BASE_DATA_VARIABLE: Final = ua.NodeId(ua.ObjectIds.BaseDataVariableType)
PROPERTY: Final = ua.NodeId(ua.ObjectIds.PropertyType)
NOTHING: Final = ua.NodeId()

NO_VALUE_YET: Final = ua.DataValue(
    ua.Variant(None, ua.VariantType.Null), StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
)


class NodeTaken(KullagerError):
    """Two things of the plant file would stand under one node id."""


def good(value: Any, kind: ua.VariantType, *, is_array: bool = False) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind, is_array=is_array), StatusCode=ua.StatusCode(ua.StatusCodes.Good))


def _of(value: Any, kind: ua.VariantType) -> AttributeValue:
    return AttributeValue(ua.DataValue(ua.Variant(value, kind)))


# one object for all nodes, where all nodes say the same: nobody may write these attributes, and no one changes them
_CLASSES: Final = {kind: _of(kind.value, ua.VariantType.Int32) for kind in ua.NodeClass}
_FALSE: Final = _of(False, ua.VariantType.Boolean)
_TRUE: Final = _of(True, ua.VariantType.Boolean)
_BYTES: Final = {number: _of(number, ua.VariantType.Byte) for number in (0, 1, 5)}
_NO_WRITE_MASK: Final = _of(0, ua.VariantType.UInt32)
_SCALAR: Final = _of(ua.ValueRank.Scalar.value, ua.VariantType.Int32)
_VECTOR: Final = _of(ua.ValueRank.OneDimension.value, ua.VariantType.Int32)
_NO_DIMENSIONS: Final = AttributeValue(ua.DataValue(ua.Variant([], ua.VariantType.UInt32, is_array=True)))
_ANY_INTERVAL: Final = _of(0.0, ua.VariantType.Double)
_READ: Final = 1 << ua.AccessLevel.CurrentRead.value
_READ_HISTORY: Final = _READ | 1 << ua.AccessLevel.HistoryRead.value


class AddressSpace:
    """Adds to a server that has been initialised. Every node needs a parent that is there already."""

    def __init__(self, server: Server) -> None:
        self._nodes = server.iserver.aspace
        self._data_types: dict[ua.NodeId, AttributeValue] = {}
        self._names: dict[tuple[int, str, BilingualText | None], dict[ua.AttributeIds, AttributeValue]] = {}

    def add_object(
        self,
        node: ua.NodeId,
        name: ua.QualifiedName,
        parent: ua.NodeId,
        *,
        reference: ua.NodeId = HAS_COMPONENT,
        kind: ua.NodeId = BASE_OBJECT,
        label: BilingualText | None = None,
        notifies: bool = False,
    ) -> ua.NodeId:
        """An object; with `notifies` it can be asked for events."""
        attributes = {ua.AttributeIds.EventNotifier: _BYTES[int(notifies)]}
        return self._add(node, ua.NodeClass.Object, name, parent, reference, kind, label, attributes)

    def add_object_type(
        self, node: ua.NodeId, name: ua.QualifiedName, parent: ua.NodeId, *, abstract: bool = False
    ) -> ua.NodeId:
        attributes = {ua.AttributeIds.IsAbstract: _TRUE if abstract else _FALSE}
        return self._add(node, ua.NodeClass.ObjectType, name, parent, HAS_SUBTYPE, NOTHING, None, attributes)

    def add_enumeration(
        self, node: ua.NodeId, name: ua.QualifiedName, texts_node: ua.NodeId, texts: Sequence[str]
    ) -> ua.NodeId:
        """A data type whose values are named: the first text is of 0. They stand in its property EnumStrings."""
        attributes = {ua.AttributeIds.IsAbstract: _FALSE}
        parent = ua.NodeId(ua.ObjectIds.Enumeration)
        self._add(node, ua.NodeClass.DataType, name, parent, HAS_SUBTYPE, NOTHING, None, attributes)
        strings = good([ua.LocalizedText(text) for text in texts], ua.VariantType.LocalizedText, is_array=True)
        kind, name = ua.NodeId(ua.ObjectIds.LocalizedText), ua.QualifiedName("EnumStrings", 0)
        self.add_variable(texts_node, name, node, kind, reference=HAS_PROPERTY, kind=PROPERTY, value=strings, points=len(texts))
        return node

    def add_variable(
        self,
        node: ua.NodeId,
        name: ua.QualifiedName,
        parent: ua.NodeId,
        data_type: ua.NodeId,
        *,
        reference: ua.NodeId = HAS_COMPONENT,
        kind: ua.NodeId = BASE_DATA_VARIABLE,
        value: ua.DataValue = NO_VALUE_YET,
        label: BilingualText | None = None,
        points: int | None = None,
        historized: bool = False,
    ) -> ua.NodeId:
        """A variable that clients may read; with `points` a vector of so many values; with `historized` its past, too."""
        if data_type not in self._data_types:
            self._data_types[data_type] = _of(data_type, ua.VariantType.NodeId)
        access = _BYTES[_READ_HISTORY if historized else _READ]
        dimensions = _NO_DIMENSIONS
        if points is not None:
            dimensions = AttributeValue(ua.DataValue(ua.Variant([points], ua.VariantType.UInt32, is_array=True)))
        attributes = {
            ua.AttributeIds.Value: AttributeValue(value),
            ua.AttributeIds.DataType: self._data_types[data_type],
            ua.AttributeIds.ValueRank: _SCALAR if points is None else _VECTOR,
            ua.AttributeIds.ArrayDimensions: dimensions,
            ua.AttributeIds.AccessLevel: access,
            ua.AttributeIds.UserAccessLevel: access,
            ua.AttributeIds.MinimumSamplingInterval: _ANY_INTERVAL,
            ua.AttributeIds.Historizing: _TRUE if historized else _FALSE,
        }
        return self._add(node, ua.NodeClass.Variable, name, parent, reference, kind, label, attributes)

    def add_property(
        self, owner: ua.NodeId, name: ua.QualifiedName, value: ua.DataValue, data_type: ua.NodeId, *, points: int | None = None
    ) -> ua.NodeId:
        """A property under the node id `<owner>.<name>`."""
        node = below(owner, name.Name)
        return self.add_variable(
            node, name, owner, data_type, reference=HAS_PROPERTY, kind=PROPERTY, value=value, points=points
        )

    def add_method(
        self,
        name: ua.QualifiedName,
        owner: ua.NodeId,
        arguments: ua.DataValue | None,
        n_arguments: int,
        method: Method,
        *,
        may_call: bool = True,
    ) -> ua.NodeId:
        """A method under the node id `<owner>.<name>`; it gets the owner's node id and the arguments as variants."""
        attributes = {ua.AttributeIds.Executable: _TRUE, ua.AttributeIds.UserExecutable: _TRUE if may_call else _FALSE}
        node = self._add(below(owner, name.Name), ua.NodeClass.Method, name, owner, HAS_COMPONENT, NOTHING, None, attributes)
        self._nodes[node].call = method
        if arguments is not None:
            kind = ua.NodeId(ua.ObjectIds.Argument)
            self.add_property(node, ua.QualifiedName("InputArguments", 0), arguments, kind, points=n_arguments)
        return node

    def refer(self, source: ua.NodeId, reference: ua.NodeId, target: ua.NodeId, *, inverse: bool = True) -> None:
        """A further reference between two nodes that are there; with `inverse` both know of it."""
        self._nodes[source].references.append(self._reference(reference, target, forward=True))
        if inverse:
            self._nodes[target].references.append(self._reference(reference, source, forward=False))

    def _add(
        self,
        node: ua.NodeId,
        node_class: ua.NodeClass,
        name: ua.QualifiedName,
        parent: ua.NodeId,
        reference: ua.NodeId,
        kind: ua.NodeId,
        label: BilingualText | None,
        attributes: dict[ua.AttributeIds, AttributeValue],
    ) -> ua.NodeId:
        if node in self._nodes:
            raise NodeTaken(f"node 'ns={node.NamespaceIndex};{node.Identifier}' of '{name.Name}' is taken by another one")
        data = NodeData(node)
        common = {
            ua.AttributeIds.NodeId: _of(node, ua.VariantType.NodeId),
            ua.AttributeIds.NodeClass: _CLASSES[node_class],
            **self._called(name, label),
            ua.AttributeIds.WriteMask: _NO_WRITE_MASK,
            ua.AttributeIds.UserWriteMask: _NO_WRITE_MASK,
        }
        data.attributes = common | attributes
        self._nodes[node] = data
        if kind is not NOTHING:
            self.refer(node, HAS_TYPE_DEFINITION, kind, inverse=False)
        self.refer(parent, reference, node)
        return node

    def _called(self, name: ua.QualifiedName, label: BilingualText | None) -> dict[ua.AttributeIds, AttributeValue]:
        """How a node is called; the same for all that are called the same, of which a large plant has thousands."""
        key = name.NamespaceIndex, name.Name, label
        if key not in self._names:
            display, description = ua.LocalizedText(name.Name), ua.LocalizedText()
            if label is not None:
                display, description = ua.LocalizedText(label.en, "en"), ua.LocalizedText(label.sv, "sv")
            self._names[key] = {
                ua.AttributeIds.BrowseName: _of(name, ua.VariantType.QualifiedName),
                ua.AttributeIds.DisplayName: _of(display, ua.VariantType.LocalizedText),
                ua.AttributeIds.Description: _of(description, ua.VariantType.LocalizedText),
            }
        return self._names[key]

    def _reference(self, reference: ua.NodeId, target: ua.NodeId, *, forward: bool) -> ua.ReferenceDescription:
        data = self._nodes[target]
        kind = NOTHING
        # the first reference of each node that this class adds is its type
        if data.references and data.references[0].ReferenceTypeId is HAS_TYPE_DEFINITION:
            kind = data.references[0].NodeId
        return ua.ReferenceDescription(
            ReferenceTypeId=reference,
            IsForward=forward,
            NodeId=target,
            BrowseName=data.attributes[ua.AttributeIds.BrowseName].value.Value.Value,
            DisplayName=data.attributes[ua.AttributeIds.DisplayName].value.Value.Value,
            NodeClass=ua.NodeClass(data.attributes[ua.AttributeIds.NodeClass].value.Value.Value),
            TypeDefinition=kind,
        )


def below(owner: ua.NodeId, name: str) -> ua.NodeId:
    """The node id of what belongs to a node: its own, a full stop and the name."""
    return ua.NodeId(f"{owner.Identifier}.{name}", owner.NamespaceIndex)
