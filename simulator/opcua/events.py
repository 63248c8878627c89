"""Machine alarms as OPC UA events (part 5, DeviceFailureEventType), raised on the asset's object and on the server's."""

import uuid
from datetime import UTC, datetime
from typing import Final

from asyncua import Server, ua
from asyncua.common.event_objects import DeviceFailureEvent

LEAST_SEVERE: Final = 1
MOST_SEVERE: Final = 1000


async def raise_alarm(server: Server, source: ua.NodeId, name: str, severity: int, message: str, time: datetime) -> None:
    """Tell all who subscribed to events of `source`, or of the whole server. Severity: 1, a word, to 1000, a catastrophe."""
    if not LEAST_SEVERE <= severity <= MOST_SEVERE:
        raise ValueError(f"severity {severity!r} should lie between {LEAST_SEVERE} and {MOST_SEVERE}")
    event = DeviceFailureEvent()
    event.EventId = uuid.uuid4().bytes
    event.SourceNode, event.SourceName = source, name
    event.Time, event.ReceiveTime = time, datetime.now(UTC)
    event.LocalTime = ua.TimeZoneDataType()
    event.Message = ua.LocalizedText(message, "en")
    event.Severity = severity
    # asyncua does not pass events on along HasNotifier
    for emitter in (source, ua.NodeId(ua.ObjectIds.Server)):
        event.emitting_node = emitter
        await server.iserver.subscription_service.trigger_event(event)
