"""The nodes of one asset: what it is, what the edge finds of it now, and what it measures and expects.

Node ids are `<asset>.<name>`, and stay. Built once; from then on only values change.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from asyncua import Server, ua

from edge.contracts.alarm import Alarm, BilingualText
from edge.contracts.assessment import Assessment
from edge.contracts.plant import Asset, Plant
from edge.formats.opcua_machinery import Machinery
from edge.formats.opcua_nodes import (
    BASE_DATA_VARIABLE,
    GENERATES_EVENT,
    HAS_NOTIFIER,
    NO_VALUE_YET,
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

_V: Final = ua.VariantType


def _fault(assessment: Assessment) -> str | None:
    """Its name; empty where one was looked for and none found."""
    if assessment.fault is not None:
        return assessment.fault.name
    return "" if assessment.reason is None else None


@dataclass(frozen=True, slots=True)
class _Result:
    """A variable of an assessment: its type, its unit, its range, and what it shows."""

    kind: ua.VariantType
    unit: str | None
    span: Any
    of: Callable[[Assessment], Any]


_RESULTS: Final = {
    "Score": _Result(_V.Double, "1", None, lambda each: each.score),
    "Health": _Result(_V.Double, "1", _FRACTION, lambda each: each.health),
    "Zone": _Result(_V.String, None, None, lambda each: each.zone and each.zone.value),
    "State": _Result(_V.String, None, None, lambda each: each.state.value),
    "Reason": _Result(_V.String, None, None, lambda each: each.reason.value if each.reason else ""),
    "Fault": _Result(_V.String, None, None, _fault),
    "FaultProbability": _Result(_V.Double, "1", _FRACTION, lambda each: each.fault and each.fault.probability),
    "RulP10": _Result(_V.Double, "h", None, lambda each: each.rul_h and each.rul_h.p10),
    "RulP50": _Result(_V.Double, "h", None, lambda each: each.rul_h and each.rul_h.p50),
    "RulP90": _Result(_V.Double, "h", None, lambda each: each.rul_h and each.rul_h.p90),
    "Coverage": _Result(_V.Double, "1", _FRACTION, lambda each: each.coverage),
}
_ALARMS: Final = {"OpenAlarms": _V.UInt32, "AlarmSeverity": _V.UInt16, "AlarmText": _V.String, "AlarmTextSv": _V.String}


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
    """One asset. A value is made when it is read, or watched by somebody: most of a large plant is neither."""

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
        self._assessment: Assessment | None = None
        self._judgement: DeviceHealth | None = None
        self._alarm_values: dict[str, Any] = {"OpenAlarms": 0, "AlarmSeverity": 0, "AlarmText": "", "AlarmTextSv": ""}
        self._device_health: DeviceHealth | None = None
        self._alarm_time: datetime = datetime.now(UTC)
        # each node with what reads it
        self._values: list[tuple[ua.NodeId, Any, Callable[..., ua.DataValue]]] = []
        asset = plant.assets[asset_id]
        self.node = ua.NodeId(asset_id, index)
        self.name = asset_id
        name = ua.QualifiedName(asset_id, index)
        space.add_object(self.node, name, OBJECTS, reference=ORGANIZES, label=asset.display_name(asset_id), notifies=True)
        space.refer(ua.NodeId(ua.ObjectIds.Server), HAS_NOTIFIER, self.node)
        space.refer(self.node, GENERATES_EVENT, ua.NodeId(ua.ObjectIds.AlarmConditionType), inverse=False)
        space.refer(self.node, ua.NodeId(ua.ObjectIds.HasInterface), health.interface, inverse=False)
        device_health = space.add_variable(below(self.node, health.name.Name), health.name, self.node, health.node)
        self._read_by(device_health, self._read_health)
        for result_name, result in _RESULTS.items():
            node = self._add_variable(self.node, result_name, result.kind, result.unit, result.span)
            self._read_by(node, partial(self._read_result, result))
        for alarm_name, kind in _ALARMS.items():
            node = self._add_variable(self.node, alarm_name, kind, None, None)
            self._read_by(node, partial(self._read_alarm, alarm_name, kind))
        measured = self._add_signals("Measured", asset, self._read_measured)
        self._add_signals("Expected", asset, self._read_expected)
        path = f"{plant.site.enterprise}/{plant.site.site}/{plant.site.area}"
        machinery.describe(self.node, asset_id, asset, path, measured, has_state=False)

    async def show(self, assessment: Assessment | None, alarms: Sequence[Alarm]) -> None:
        """Take the newest assessment, and the alarms that are open now; what is withheld has the status BadNoData."""
        if assessment is not None and assessment is not self._assessment:
            self._assessment, self._judgement = assessment, judged(assessment, self._judgement)
        self._device_health = device_health(self._judgement, alarms)
        told = told_alarms(alarms)
        self._alarm_values = {
            "OpenAlarms": len(told),
            "AlarmSeverity": SEVERITIES[told[0].priority] if told else 0,
            "AlarmText": told[0].text.en if told else "",
            "AlarmTextSv": told[0].text.sv if told else "",
        }
        times = [alarm.changed for alarm in alarms] + ([] if assessment is None else [assessment.time])
        self._alarm_time = moment(max(times)) if times else datetime.now(UTC)
        for node, attribute, read in self._values:
            if attribute.datachange_callbacks:
                await self._server.write_attribute_value(node, read())
                # asyncua forgets it with each write
                attribute.value_callback = read

    def _read_health(self, *_: object) -> ua.DataValue:
        if self._device_health is None:
            return NO_VALUE_YET
        return _value(self._device_health.value, _V.Int32, self._alarm_time)

    def _read_result(self, result: _Result, *_: object) -> ua.DataValue:
        if self._assessment is None:
            return NO_VALUE_YET
        return _value(result.of(self._assessment), result.kind, moment(self._assessment.time))

    def _read_alarm(self, name: str, kind: ua.VariantType, *_: object) -> ua.DataValue:
        return _value(self._alarm_values[name], kind, self._alarm_time)

    def _read_measured(self, signal: str, *_: object) -> ua.DataValue:
        if self._assessment is None:
            return NO_VALUE_YET
        return _value(self._assessment.measured.get(signal), _V.Double, moment(self._assessment.time))

    def _read_expected(self, signal: str, *_: object) -> ua.DataValue:
        if self._assessment is None:
            return NO_VALUE_YET
        return _value((self._assessment.expected or {}).get(signal), _V.Double, moment(self._assessment.time))

    def _read_by(self, node: ua.NodeId, read: Callable[..., ua.DataValue]) -> None:
        attribute = self._server.iserver.aspace[node].attributes[ua.AttributeIds.Value]
        attribute.value_callback = read
        self._values.append((node, attribute, read))

    def _add_signals(self, folder: str, asset: Asset, read: Callable[..., ua.DataValue]) -> dict[ua.NodeId, str]:
        """A folder with a variable for each numeric signal; gives their units."""
        owner = below(self.node, folder)
        self._space.add_object(owner, ua.QualifiedName(folder, self._index), self.node, kind=_FOLDER)
        units = {}
        for name, signal in asset.signals.items():
            if name not in asset.context:
                node = self._add_variable(owner, name, _V.Double, signal.unit, None, signal.display_name(name))
                self._read_by(node, partial(read, name))
                units[node] = signal.unit
        return units

    def _add_variable(
        self,
        owner: ua.NodeId,
        name: str,
        kind: ua.VariantType,
        unit: str | None,
        span: Any,
        label: BilingualText | None = None,
    ) -> ua.NodeId:
        """A variable; one whose unit is known says so (part 8, AnalogUnitType), with a range it is an AnalogItemType."""
        space, known = self._space, unit is not None and unit in UNITS
        definition = BASE_DATA_VARIABLE if not known else _ANALOG_UNIT if span is None else _ANALOG_ITEM
        own = ua.QualifiedName(name, self._index)
        node = space.add_variable(below(owner, name), own, owner, ua.NodeId(kind.value), kind=definition, label=label)
        if span is not None:
            value = good(span, ua.VariantType.ExtensionObject)
            space.add_property(node, ua.QualifiedName("EURange", 0), value, ua.NodeId(ua.ObjectIds.Range))
        if unit is not None and known:
            information = ua.NodeId(ua.ObjectIds.EUInformation)
            space.add_property(node, ua.QualifiedName("EngineeringUnits", 0), _units(unit), information)
        return node


def _value(value: Any, kind: ua.VariantType, source: datetime) -> ua.DataValue:
    if kind is ua.VariantType.Double and value is not None:
        # numpy's numbers are none to asyncua's encoder
        value = float(value)
    variant, status = (_NOTHING, _NO_DATA) if value is None else (ua.Variant(value, kind), _GOOD)
    return ua.DataValue(variant, StatusCode=status, SourceTimestamp=source, ServerTimestamp=datetime.now(UTC))


@functools.cache
def _units(unit: str) -> ua.DataValue:
    """EUInformation of a UCUM code; one object for all nodes of that unit."""
    display, code = UNITS[unit].display, UNITS[unit].unit_id
    information = ua.EUInformation(NAMESPACE, code, ua.LocalizedText(display), ua.LocalizedText(unit))
    return good(information, ua.VariantType.ExtensionObject)
