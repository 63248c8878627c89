"""Structures, arrays and enumerations of an OPC UA server: how a number or a text is found in what a node holds.

A signal's `field` leads into its value: names of fields, and in arrays positions from 0, as in `Motor.Temperature` or
`Zones.2`. What a type is made of the server says itself (DataTypeDefinition, part 3, 8.48 to 8.52; for enumerations also
EnumStrings and EnumValues). It is read when the edge connects; a structure on the wire is then read field by field (part 6,
5.2.6 to 5.2.8), and nothing that a server says is ever executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Final

from asyncua import Client, ua
from asyncua.common.ua_utils import data_type_to_variant_type
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary

from edge.contracts.plant import SignalEntry
from edge.data_acquisition.opcua_limits import ServerLimits, in_batches
from edge.data_acquisition.opcua_references import properties

# a server that describes more is not believed
MOST_TYPES: Final = 500
DEEPEST: Final = 32
_BUILT_IN: Final = range(1, 26)
_STRUCTURE: Final = ua.NodeId(ua.ObjectIds.Structure)


class Enumerated(int):
    """A number of an enumeration that knows its name."""

    text: str

    def __new__(cls, number: int, text: str) -> "Enumerated":
        made = super().__new__(cls, number)
        made.text = text
        return made


@dataclass(frozen=True, slots=True)
class _Field:
    """type: of a built-in one its VariantType, of another the number of its data type; is_array: of one dimension or more"""

    name: str
    type: Any
    is_array: bool
    is_optional: bool


@dataclass(frozen=True, slots=True)
class _Structure:
    kind: int
    fields: tuple[_Field, ...]


class ServerTypes:
    """What is known of the types of one server; `learn` again with each connection."""

    def __init__(self) -> None:
        self._structures: dict[ua.NodeId, _Structure] = {}
        self._enumerations: dict[ua.NodeId, dict[int, str]] = {}
        # by encoding on the wire the data type; by signal the data type of its node, and the texts that the node itself has
        self._encodings: dict[ua.NodeId, ua.NodeId] = {}
        self._types: dict[int, ua.NodeId] = {}
        self._texts: dict[int, dict[int, str]] = {}

    async def learn(
        self, client: Client, limits: ServerLimits, found: Sequence[tuple[SignalEntry, ua.NodeId]]
    ) -> dict[int, str]:
        """Ask what the values of these nodes are made of; by signal, what keeps its value from being one number or text."""
        types = await self._read(client, limits, [node for _, node in found], ua.AttributeIds.DataType)
        self._types |= {row.index: kind for (row, _), kind in zip(found, types, strict=True) if isinstance(kind, ua.NodeId)}
        await self._define(client, limits, set(self._types.values()))
        await self._learn_texts(client, limits, [(row, node) for row, node in found if row.is_text])
        return {row.index: problem for row, _ in found if (problem := self._problem(row)) is not None}

    def find(self, row: SignalEntry, raw: Any) -> Any:
        """The number or text that the signal means in its node's value. Raises LookupError where there is no such part."""
        value = self._opened(raw)
        for part in row.signal.field.split(".") if row.signal.field else ():
            if isinstance(value, list):
                value = value[int(part)] if part.isdecimal() else _no(part)
            elif isinstance(value, Mapping):
                value = value[part]
            elif is_dataclass(value):
                # asyncua itself knows some structures of the standard
                value = getattr(value, part) if hasattr(value, part) else _no(part)
            else:
                _no(part)
            value = self._opened(value)
        if isinstance(value, int) and not isinstance(value, bool | Enumerated) and not row.signal.field:
            names = self._texts.get(row.index) or self._enumerations.get(self._types.get(row.index, ua.NodeId()))
            if names is not None:
                return Enumerated(value, names.get(value, str(int(value))))
        return value

    # ---- what the server says

    async def _define(self, client: Client, limits: ServerLimits, wanted: set[ua.NodeId]) -> None:
        """Learn these data types, and those that they are made of."""
        known: set[ua.NodeId] = set()
        while wanted := {each for each in wanted - known if not _is_built_in(each)}:
            if len(known) + len(wanted) > MOST_TYPES:
                return
            known |= wanted
            asked = list(wanted)
            definitions = await self._read(client, limits, asked, ua.AttributeIds.DataTypeDefinition)
            wanted = set()
            for data_type, definition in zip(asked, definitions, strict=True):
                if isinstance(definition, ua.EnumDefinition):
                    self._enumerations[data_type] = {int(each.Value): str(each.Name) for each in definition.Fields}
                elif isinstance(definition, ua.StructureDefinition):
                    fields = [await self._field(client, each) for each in definition.Fields]
                    self._structures[data_type] = _Structure(int(definition.StructureType), tuple(fields))
                    self._encodings[definition.DefaultEncodingId] = data_type
                    wanted |= {each.type for each in fields if isinstance(each.type, ua.NodeId)}
        older = [each for each in known if each not in self._enumerations and each not in self._structures]
        for data_type, names in zip(older, await self._names(client, limits, older), strict=True):
            if names:
                self._enumerations[data_type] = names

    async def _field(self, client: Client, said: ua.StructureField) -> _Field:
        data_type = said.DataType
        kind: Any = data_type
        if _is_built_in(data_type):
            kind = ua.VariantType(data_type.Identifier)
        elif data_type == _STRUCTURE:
            # any structure: on the wire it says itself which
            kind = ua.VariantType.ExtensionObject
        else:
            try:
                base = await data_type_to_variant_type(client.get_node(data_type))
            except (ua.UaError, ValueError):
                base = ua.VariantType.ExtensionObject
            if base is not ua.VariantType.ExtensionObject and base is not ua.VariantType.Int32:
                kind = base
        return _Field(str(said.Name), kind, said.ValueRank >= 1, bool(said.IsOptional))

    async def _learn_texts(self, client: Client, limits: ServerLimits, found: Sequence[tuple[SignalEntry, ua.NodeId]]) -> None:
        """Names that variables have of their own: those of MultiStateDiscreteType and MultiStateValueDiscreteType (part 8)."""
        names = await self._names(client, limits, [node for _, node in found])
        self._texts |= {row.index: each for (row, _), each in zip(found, names, strict=True) if each}

    async def _names(self, client: Client, limits: ServerLimits, nodes: Sequence[ua.NodeId]) -> list[dict[int, str]]:
        """Of each node what its EnumStrings or EnumValues say."""
        made: list[dict[int, str]] = [{} for _ in nodes]
        for name in ("EnumStrings", "EnumValues"):
            there = await properties(client, limits, nodes, name) if nodes else []
            have = [(number, node) for number, node in enumerate(there) if node is not None]
            values = await self._read(client, limits, [node for _, node in have], ua.AttributeIds.Value)
            for (number, _), value in zip(have, values, strict=True):
                for place, each in enumerate(value if isinstance(value, list) else ()):
                    text = each.DisplayName if isinstance(each, ua.EnumValueType) else each
                    made[number][int(getattr(each, "Value", place))] = str(getattr(text, "Text", text))
        return made

    async def _read(self, client: Client, limits: ServerLimits, nodes: Sequence[ua.NodeId], attribute: int) -> list[Any]:
        """The values of an attribute, None where a node has none."""

        async def some(part: Sequence[ua.NodeId]) -> Sequence[Any]:
            answers: Sequence[Any] = await client.uaclient.read_attributes(list(part), attribute)
            return answers

        answers = await in_batches(nodes, limits.of("read"), some) if nodes else []
        return [each.Value.Value if each.Value is not None and each.StatusCode.is_good() else None for each in answers]

    def _problem(self, row: SignalEntry) -> str | None:
        structure = self._structures.get(self._types.get(row.index, ua.NodeId()))
        where = f"{row.asset}.{row.name}: node '{row.signal.node}'"
        if structure is None:
            return None
        names = ", ".join(f"'{each.name}'" for each in structure.fields)
        if not row.signal.field:
            return f"{where} is a structure of {names}: say which by field = …"
        first = row.signal.field.partition(".")[0]
        if first not in {each.name for each in structure.fields}:
            return f"{where} has no field '{first}'; it has {names}"
        return None

    # ---- what is on the wire

    def _opened(self, value: Any) -> Any:
        """A structure as a dictionary; anything else as it is."""
        if not isinstance(value, ua.ExtensionObject):
            return value
        data_type = self._encodings.get(value.TypeId)
        if data_type is None or value.Body is None:
            raise LookupError(f"a structure of type {value.TypeId} that the server has not described")
        try:
            return self._structure(self._structures[data_type], Buffer(value.Body), 0)
        except (ua.UaError, ValueError, IndexError, TypeError) as error:
            raise LookupError(f"a structure that is not of its type: {error}") from None

    def _structure(self, structure: _Structure, data: Buffer, depth: int) -> dict[str, Any]:
        if depth > DEEPEST:
            raise ValueError(f"structures nest deeper than {DEEPEST}")
        fields = structure.fields
        match structure.kind:
            case ua.StructureType.Union:
                chosen = ua_binary.Primitives.UInt32.unpack(data)
                fields = fields[chosen - 1 : chosen] if chosen else ()
            case ua.StructureType.StructureWithOptionalFields:
                mask, optional = ua_binary.Primitives.UInt32.unpack(data), iter(range(32))
                fields = tuple(each for each in fields if not each.is_optional or mask >> next(optional) & 1)
        return {each.name: self._value(each, data, depth) for each in fields}

    def _value(self, field: _Field, data: Buffer, depth: int) -> Any:
        if isinstance(field.type, ua.VariantType):
            unpack = ua_binary.unpack_uatype_array if field.is_array else ua_binary.unpack_uatype
            return unpack(field.type, data)
        if not field.is_array:
            return self._element(field.type, data, depth)
        length = ua_binary.Primitives.Int32.unpack(data)
        if length > len(data):
            raise ValueError(f"an array announces {length} elements and has {len(data)} bytes left")
        return [self._element(field.type, data, depth) for _ in range(length)]

    def _element(self, data_type: ua.NodeId, data: Buffer, depth: int) -> Any:
        if (structure := self._structures.get(data_type)) is not None:
            return self._structure(structure, data, depth + 1)
        number = ua_binary.Primitives.Int32.unpack(data)
        return Enumerated(number, self._enumerations.get(data_type, {}).get(number, str(number)))


def _is_built_in(data_type: ua.NodeId) -> bool:
    return data_type.NamespaceIndex == 0 and data_type.Identifier in _BUILT_IN


def _no(part: str) -> Any:
    raise LookupError(f"there is no '{part}'")
