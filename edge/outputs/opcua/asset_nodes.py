"""The nodes of one asset: what it is, what the edge finds of it now, and what it measures and expects.

Node ids are `<asset>.<name>`, and stay. Built once; from then on only values change.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import Server, ua

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.plant import Asset, Plant
from edge.formats.opcua_machinery import Machinery
from edge.formats.opcua_nodes import (
    BASE_DATA_VARIABLE,
    GENERATES_EVENT,
    HAS_NOTIFIER,
    OBJECTS,
    ORGANIZES,
    AddressSpace,
    below,
    good,
)
from edge.formats.units import NAMESPACE, UNITS
from edge.outputs.opcua.device_health import SEVERITIES, DeviceHealth, device_health, judged, told_alarms

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
_ANALOG_ITEM: Final = ua.NodeId(ua.ObjectIds.AnalogItemType)
_ANALOG_UNIT: Final = ua.NodeId(ua.ObjectIds.AnalogUnitType)
_GOOD: Final = ua.StatusCode(ua.StatusCodes.Good)
_NO_DATA: Final = ua.StatusCode(ua.StatusCodes.BadNoData)
_NOTHING: Final = ua.Variant(None, ua.VariantType.Null)
_FRACTION: Final = ua.Range(0.0, 1.0)
_HEALTH_NUMBER, _HEALTH_TEXTS, _HEALTH_INTERFACE = 6244, 6450, 15051

# name → (type, unit, range)
_VARIABLES: Final[dict[str, tuple[ua.VariantType, str | None, Any]]] = {
    "Score": (ua.VariantType.Double, "1", None),
    "Health": (ua.VariantType.Double, "1", _FRACTION),
    "Zone": (ua.VariantType.String, None, None),
    "State": (ua.VariantType.String, None, None),
    "Reason": (ua.VariantType.String, None, None),
    "Fault": (ua.VariantType.String, None, None),
    "FaultProbability": (ua.VariantType.Double, "1", _FRACTION),
    "RulP10": (ua.VariantType.Double, "h", None),
    "RulP50": (ua.VariantType.Double, "h", None),
    "RulP90": (ua.VariantType.Double, "h", None),
    "Coverage": (ua.VariantType.Double, "1", _FRACTION),
    "OpenAlarms": (ua.VariantType.UInt32, None, None),
    "AlarmSeverity": (ua.VariantType.UInt16, None, None),
    "AlarmText": (ua.VariantType.String, None, None),
    "AlarmTextSv": (ua.VariantType.String, None, None),
}


def moment(time: int) -> datetime:
    """A time of a contract [ns since 1970 UTC] as OPC UA takes it."""
    return EPOCH + timedelta(microseconds=time // 1000)


class DeviceHealthType:
    """The parts of OPC UA for Devices by which a machine tells its health."""

    def __init__(self, space: AddressSpace, devices: int) -> None:
        names = [each.name for each in DeviceHealth]
        name = ua.QualifiedName("DeviceHealthEnumeration", devices)
        self.node = space.add_enumeration(ua.NodeId(_HEALTH_NUMBER, devices), name, ua.NodeId(_HEALTH_TEXTS, devices), names)
        self.name = ua.QualifiedName("DeviceHealth", devices)
        self.interface = space.add_object_type(
            ua.NodeId(_HEALTH_INTERFACE, devices),
            ua.QualifiedName("IDeviceHealthType", devices),
            ua.NodeId(ua.ObjectIds.BaseInterfaceType),
            abstract=True,
        )


class AssetNodes:
    """One asset; its alarms are told as they are now."""

    def __init__(
        self,
        server: Server,
        space: AddressSpace,
        index: int,
        plant: Plant,
        asset_id: str,
        machinery: Machinery,
        health: DeviceHealthType,
    ) -> None:
        self._server, self._space, self._index = server, space, index
        self._judgement: DeviceHealth | None = None
        asset = plant.assets[asset_id]
        self.node = ua.NodeId(asset_id, index)
        self.name = asset_id
        name = ua.QualifiedName(asset_id, index)
        space.add_object(self.node, name, OBJECTS, reference=ORGANIZES, label=asset.display_name(asset_id), notifies=True)
        space.refer(ua.NodeId(ua.ObjectIds.Server), HAS_NOTIFIER, self.node)
        space.refer(self.node, GENERATES_EVENT, ua.NodeId(ua.ObjectIds.AlarmConditionType), inverse=False)
        space.refer(self.node, ua.NodeId(ua.ObjectIds.HasInterface), health.interface, inverse=False)
        self._health = space.add_variable(below(self.node, health.name.Name), health.name, self.node, health.node)
        self._variables = {
            name: self._add_variable(self.node, name, kind, unit, span) for name, (kind, unit, span) in _VARIABLES.items()
        }
        self._measured, self._expected = self._add_signals("Measured", asset), self._add_signals("Expected", asset)
        path = f"{plant.site.enterprise}/{plant.site.site}/{plant.site.area}"
        units = {node: asset.signals[signal].unit for signal, node in self._measured.items()}
        machinery.describe(self.node, asset_id, asset, path, units, has_state=False)

    async def show(self, assessment: Assessment) -> None:
        """Write an assessment; what it withholds has no value, and the status BadNoData."""
        time, now = moment(assessment.time), datetime.now(UTC)
        self._judgement = judged(assessment, self._judgement)
        for node, value, kind in self._values(assessment):
            await self._write(node, value, kind, time, now)

    async def show_alarms(self, alarms: Sequence[Alarm], time: int | None) -> None:
        """Write what follows from the open alarms of this asset; `time` [ns UTC] is that of its assessment, where there is one."""
        now = datetime.now(UTC)
        times = [alarm.changed for alarm in alarms] + ([] if time is None else [time])
        source = moment(max(times)) if times else now
        told = told_alarms(alarms)
        first = told[0] if told else None
        for name, value in (
            ("OpenAlarms", len(told)),
            ("AlarmSeverity", SEVERITIES[first.priority] if first else 0),
            ("AlarmText", first.text.en if first else ""),
            ("AlarmTextSv", first.text.sv if first else ""),
        ):
            await self._write(self._variables[name], value, _VARIABLES[name][0], source, now)
        health = device_health(self._judgement, alarms)
        if health is not None:
            await self._write(self._health, health.value, ua.VariantType.Int32, source, now)

    def _values(self, assessment: Assessment) -> Iterator[tuple[ua.NodeId, Any, ua.VariantType]]:
        life, fault, scored = assessment.rul_h, assessment.fault, assessment.reason is None
        values = {
            "Score": assessment.score,
            "Health": assessment.health,
            "Zone": assessment.zone and assessment.zone.value,
            "State": assessment.state.value,
            "Reason": "" if assessment.reason is None else assessment.reason.value,
            # looked at and none found, or not looked at
            "Fault": fault.name if fault else "" if scored else None,
            "FaultProbability": fault.probability if fault else None,
            "RulP10": life and life.p10,
            "RulP50": life and life.p50,
            "RulP90": life and life.p90,
            "Coverage": assessment.coverage,
        }
        for name, value in values.items():
            yield self._variables[name], value, _VARIABLES[name][0]
        for nodes, signals in ((self._measured, assessment.measured), (self._expected, assessment.expected or {})):
            signals_by_name: Mapping[str, float | None] = signals
            for signal, node in nodes.items():
                yield node, signals_by_name.get(signal), ua.VariantType.Double

    async def _write(self, node: ua.NodeId, value: Any, kind: ua.VariantType, source: datetime, now: datetime) -> None:
        if kind is ua.VariantType.Double and value is not None:
            # numpy's numbers are no float to a client's decoder
            value = float(value)
        variant, status = (_NOTHING, _NO_DATA) if value is None else (ua.Variant(value, kind), _GOOD)
        data = ua.DataValue(variant, StatusCode=status, SourceTimestamp=source, ServerTimestamp=now)
        await self._server.write_attribute_value(node, data)

    def _add_signals(self, folder: str, asset: Asset) -> dict[str, ua.NodeId]:
        space, numeric = self._space, [name for name in asset.signals if name not in asset.context]
        owner = space.add_object(below(self.node, folder), ua.QualifiedName(folder, self._index), self.node, kind=_FOLDER)
        nodes = {}
        for name in numeric:
            signal = asset.signals[name]
            nodes[name] = self._add_variable(
                owner, name, ua.VariantType.Double, signal.unit, None, label=signal.display_name(name)
            )
        return nodes

    def _add_variable(
        self, owner: ua.NodeId, name: str, kind: ua.VariantType, unit: str | None, span: Any, label: Any = None
    ) -> ua.NodeId:
        """A variable; one whose unit is known says so (part 8, AnalogUnitType), with a range AnalogItemType."""
        space, known = self._space, unit is not None and unit in UNITS
        definition = BASE_DATA_VARIABLE if not known else _ANALOG_UNIT if span is None else _ANALOG_ITEM
        node = space.add_variable(
            below(owner, name),
            ua.QualifiedName(name, self._index),
            owner,
            ua.NodeId(kind.value),
            kind=definition,
            label=label,
        )
        if span is not None:
            value = good(span, ua.VariantType.ExtensionObject)
            space.add_property(node, ua.QualifiedName("EURange", 0), value, ua.NodeId(ua.ObjectIds.Range))
        if unit is not None and known:
            space.add_property(
                node, ua.QualifiedName("EngineeringUnits", 0), _units(unit), ua.NodeId(ua.ObjectIds.EUInformation)
            )
        return node


_KNOWN_UNITS: Final[dict[str, ua.DataValue]] = {}


def _units(unit: str) -> ua.DataValue:
    """EUInformation of a UCUM code; one object for all nodes of that unit."""
    if unit not in _KNOWN_UNITS:
        display, code = UNITS[unit].display, UNITS[unit].unit_id
        information = ua.EUInformation(NAMESPACE, code, ua.LocalizedText(display), ua.LocalizedText(unit))
        _KNOWN_UNITS[unit] = good(information, ua.VariantType.ExtensionObject)
    return _KNOWN_UNITS[unit]
