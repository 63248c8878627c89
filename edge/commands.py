"""What others ask of an edge: each verb decoded, carried out, and answered in a sentence."""

import logging
from collections.abc import Callable
from typing import Final

from edge.contracts.command import AlarmCommand, AlarmVerb, EvidenceCommand, ModelCommand, ModelVerb, Reply
from edge.contracts.errors import KullagerError
from edge.formats.json_message import decode

logger = logging.getLogger(__name__)

OnAlarm = Callable[[AlarmVerb, AlarmCommand], None]
OnModel = Callable[[ModelVerb, ModelCommand], None]
OnEvidence = Callable[[EvidenceCommand], None]
_ALARM_VERBS: Final = tuple(AlarmVerb)
_MODEL_VERBS: Final = tuple(ModelVerb)


class Commands:
    """`carry_out` one. What the three functions raise as `KullagerError` is the answer."""

    def __init__(self, on_alarm: OnAlarm, on_model: OnModel, on_evidence: OnEvidence) -> None:
        self._on_alarm, self._on_model, self._on_evidence = on_alarm, on_model, on_evidence

    def carry_out(self, verb: str, payload: bytes, topic: str) -> Reply | None:
        """The answer; None to what nobody here knows. Raises `MessageError` for a message that cannot be read."""
        if verb in _ALARM_VERBS:
            command = decode(AlarmCommand, payload, topic)
            return _answered(command.command_id, lambda: self._on_alarm(AlarmVerb(verb), command))
        if verb in _MODEL_VERBS:
            of_model = decode(ModelCommand, payload, topic)
            return _answered(of_model.command_id, lambda: self._on_model(ModelVerb(verb), of_model))
        if verb == "evidence":
            wanted = decode(EvidenceCommand, payload, topic)
            return _answered(wanted.command_id, lambda: self._on_evidence(wanted))
        logger.warning("%s: the command '%s' is not served by this version", topic, verb)
        return None


def _answered(command_id: str, carry_out: Callable[[], None]) -> Reply:
    try:
        carry_out()
    except KullagerError as error:
        return Reply(command_id=command_id, ok=False, problem=str(error))
    return Reply(command_id=command_id, ok=True)
