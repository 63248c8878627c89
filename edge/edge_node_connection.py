"""The connection of a Sparkplug B edge node: each CONNECT leaves a will of its own with the broker."""

from collections.abc import Callable
from typing import Any

from edge.mqtt_connection import MqttConnection


class EdgeNodeConnection(MqttConnection):
    """A connection that leaves another will with each CONNECT: an NDEATH that has the number of the births to follow.

    next_will: gives topic and payload; asked only when the last will has been spent
    """

    def __init__(self, *, next_will: Callable[[], tuple[str, bytes]], **settings: Any) -> None:
        super().__init__(**settings)
        self._next_will = next_will
        self._will_is_spent = True
        self._last_will = ("", b"")

    def _new_client(self) -> Any:
        client = super()._new_client()
        # one that never reached a broker is still good: numbers go on by one for each CONNECT
        if self._will_is_spent:
            self._last_will, self._will_is_spent = self._next_will(), False
        topic, payload = self._last_will
        client.will_set(topic, payload, qos=1, retain=False)
        client.on_socket_open = self._socket_opened
        return client

    def _socket_opened(self, *_: object) -> None:
        self._will_is_spent = True
