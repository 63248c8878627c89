"""Messages held against the AsyncAPI document: which channel a topic is of, and what a message has that it should not have."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from api.asyncapi import document
from edge.contracts.topics import Topics

BROKER = {"results": {"host": "127.0.0.1:1883", "protocol": "mqtt"}}


class Described:
    """`faults` of a message are sentences; `heard` counts the messages of each channel."""

    def __init__(self, topics: Topics) -> None:
        self.document = document(topics, BROKER, "0.1.0")
        self.heard: Counter[str] = Counter()
        self._channels = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(channel["address"]))), name)
            for name, channel in self.document["channels"].items()
        ]
        messages = self.document["components"]["messages"]
        self._validators = {name: self.validator(message["payload"]) for name, message in messages.items()}

    def channel(self, topic: str) -> str | None:
        return next((name for address, name in self._channels if address.fullmatch(topic)), None)

    def faults(self, topic: str, payload: bytes) -> list[str]:
        name = self.channel(topic)
        if name is None:
            return [f"{topic}: no channel has this topic"]
        self.heard[name] += 1
        if not payload or self._is_binary(name):
            return []
        found = [self._of_message(message, orjson.loads(payload)) for message in self.document["channels"][name]["messages"]]
        best = min(found, key=len)
        return [f"{topic}: {fault}" for fault in best]

    def validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        """A validator of a schema of the document, with the document's own definitions."""
        return Draft202012Validator({**schema, "components": self.document["components"]})

    def _is_binary(self, channel: str) -> bool:
        return channel == "evidence"

    def _of_message(self, name: str, body: Any) -> list[str]:
        return [f"{error.json_path}: {error.message}" for error in self._validators[name].iter_errors(body)]
