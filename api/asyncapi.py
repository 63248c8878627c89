"""The AsyncAPI document of the MQTT side: every topic, message and command of a site, made from the contracts.

It speaks for the edge and the simulator: they send results and receive commands; whoever reads it does the opposite.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from api.channels import Channel, Message, channels_of
from edge.contracts.plant import Plant
from edge.contracts.topics import Topics
from edge.formats.message_schema import message_schema

VERSION: Final = "3.0.0"
_REFER: Final = "#/components/schemas/{model}"
PARAMETERS: Final = {
    "asset": "the machine's name in the plant file",
    "signal": "the fast signal's name in the plant file",
    "alarm_id": "one occurrence of an alarm",
    "case_id": "one case",
    "edge": "the edge's name in the plant file",
    "client": "who asked: every api has a name of its own (KULLAGER_API_ID)",
    "command_id": "of the command that is answered",
    "part": "0, 1, … for the parts of the file, and then `end`",
}


def document_of(plant: Plant, version: str) -> dict[str, Any]:
    """The document of a site: its topics, on the broker that takes its results."""
    name, source = plant.results_source
    address = urlsplit(source.url)
    secure = address.scheme in {"mqtts", "wss"}
    # its name may be one that an AsyncAPI document must not have, so the plant file's is only told
    broker = {
        "host": address.netloc.rpartition("@")[2],
        "protocol": "secure-mqtt" if secure else "mqtt",
        "description": f"the source '{name}' of the plant file",
    }
    return document(plant.topics, {"results": broker}, version)


def document(topics: Topics, brokers: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The same of any topics. `brokers`: by name AsyncAPI servers."""
    schemas: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel in channels_of(topics):
        for message in channel.messages:
            messages[message.name] = _message(message, schemas)
        named = [name for name in PARAMETERS if f"{{{name}}}" in channel.address]
        channels[channel.name] = {
            "address": channel.address,
            "summary": channel.summary,
            "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in channel.messages},
            **({"parameters": {name: {"description": PARAMETERS[name]} for name in named}} if named else {}),
        }
        operations[f"{'send' if channel.sent else 'receive'}-{channel.name}"] = _operation(channel)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "kullager over MQTT",
            "version": version,
            "description": (
                "What an edge and the simulator send and receive, by MQTT 5 or 3.1.1, with QoS 1. Messages are JSON in UTF-8; "
                "times are RFC 3339 in UTC; a missing number is null. Readers ignore what they do not know. "
                "Commands are idempotent by their `command_id`."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": dict(brokers),
        "channels": channels,
        "operations": operations,
        "components": {"schemas": dict(sorted(schemas.items())), "messages": messages},
    }


def _message(message: Message, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(message.payload, type):
        schema = message_schema(message.payload, identified=message.identified, refer=_REFER)
        schemas |= schema.pop("$defs", {})
        schemas[message.payload.__name__] = schema
        payload: Mapping[str, Any] = {"$ref": _REFER.format(model=message.payload.__name__)}
    else:
        payload = message.payload
    examples = {"examples": [{"payload": message.example}]} if message.example is not None else {}
    return {"name": message.name, "contentType": message.media_type, "payload": payload, **examples}


def _operation(channel: Channel) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": "send" if channel.sent else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "bindings": {"mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }
    if channel.reply is not None:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{channel.reply}"}}
    return operation
