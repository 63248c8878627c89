"""The exception tree of kullager.

KullagerError
├── PlantError          a plant file that cannot be used: names file, key and what would be right
├── MessageError        a message from outside that cannot be read: names topic or source
├── RecordingError      a recording that cannot be read: names file and column or row
├── ModelError          a model that must not go into service: names file and reason
├── ConnectionRefused   the other side answered, and said no: names address and reason
└── IllegalTransition   an alarm event that its present state does not allow

Every message says what was wrong, where, and what would be right.
"""


class KullagerError(Exception):
    """The root of everything kullager raises on purpose; its text is fit for an operator."""


class PlantError(KullagerError):
    """A plant file that cannot be used."""


class MessageError(KullagerError):
    """A message that cannot be read. `reason` is a short constant, fit for a counter's label."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class RecordingError(KullagerError):
    """A recording that cannot be read."""


class ModelError(KullagerError):
    """A model file that must not go into service."""


class ConnectionRefused(KullagerError):
    """The other side was reached and refused."""


class IllegalTransition(KullagerError):
    """An alarm event that its present state does not allow."""
