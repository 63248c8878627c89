"""The commands that reach the simulator over MQTT: decoded, checked, done once, answered."""

import logging
from collections import Counter, OrderedDict
from typing import Final

from edge.contracts.command import ChaosCommand, InjectCommand, JobCommand, RepairCommand, Reply, ScenarioCommand
from edge.contracts.errors import MessageError
from edge.contracts.topics import Topics
from edge.formats.json_message import decode_fields, load_object
from simulator.site import CommandRefused, Site

logger = logging.getLogger(__name__)

VERBS: Final = ("inject", "repair", "job", "scenario", "chaos")
REMEMBERED: Final = 1000
LONGEST_ID: Final = 128


class Commands:
    """Turns command messages into replies. The same `command_id` again gives the same reply and does nothing.

    `rejected` counts, by reason, what could not be read.
    """

    def __init__(self, site: Site, topics: Topics) -> None:
        self._site, self._topics = site, topics
        self._answered: OrderedDict[str, Reply] = OrderedDict()
        self.rejected: Counter[str] = Counter()

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return tuple(self._topics.simulator_command(verb) for verb in VERBS)

    def answer(self, topic: str, payload: bytes) -> Reply | None:
        """The reply to one message; None where it has no usable `command_id` that one could answer to."""
        try:
            body = load_object(payload, topic)
        except MessageError as error:
            self._reject(error)
            return None
        command_id = body.get("command_id")
        # it becomes a level of the reply's topic
        if not isinstance(command_id, str) or not 0 < len(command_id) <= LONGEST_ID or set(command_id) & set("/+#\0"):
            self._reject(MessageError("command-id", f"{topic}: command_id should be a short text without '/', '+' and '#'"))
            return None
        if command_id in self._answered:
            return self._answered[command_id]
        try:
            self._do(topic, body)
            reply = Reply(command_id=command_id, ok=True)
        except CommandRefused as refusal:
            logger.warning("%s: refused: %s", topic, refusal)
            reply = Reply(command_id=command_id, ok=False, problem=str(refusal))
        except MessageError as error:
            self._reject(error)
            reply = Reply(command_id=command_id, ok=False, problem=str(error))
        self._answered[command_id] = reply
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return reply

    def _do(self, topic: str, body: dict[str, object]) -> None:
        if topic == self._topics.simulator_command("inject"):
            inject = decode_fields(InjectCommand, body, topic)
            self._site.inject(inject.asset, inject.fault, inject.severity, inject.over_s)
            logger.info(
                "%s: %s grows to %g within %g s (%s)", inject.asset, inject.fault, inject.severity, inject.over_s, inject.by
            )
        elif topic == self._topics.simulator_command("repair"):
            repair = decode_fields(RepairCommand, body, topic)
            self._site.repair(repair.asset)
            logger.info("%s: repaired (%s)", repair.asset, repair.by)
        elif topic == self._topics.simulator_command("job"):
            job = decode_fields(JobCommand, body, topic)
            self._site.start_job(job.asset, job.recipe)
            logger.info("%s: %s is next (%s)", job.asset, job.recipe, job.by)
        elif topic == self._topics.simulator_command("scenario"):
            scenario = decode_fields(ScenarioCommand, body, topic)
            self._site.play(scenario.scenario)
            logger.info("scenario %s (%s)", scenario.scenario or "ended", scenario.by)
        elif topic == self._topics.simulator_command("chaos"):
            chaos = decode_fields(ChaosCommand, body, topic)
            self._site.disturb(chaos.kind, chaos.source, chaos.for_s, chaos.amount)
            logger.info("%s at %s (%s)", chaos.kind, chaos.source or "every source", chaos.by)
        else:
            raise CommandRefused(f"{topic}: the simulator knows {', '.join(VERBS)}")

    def _reject(self, error: MessageError) -> None:
        self.rejected[error.reason] += 1
        logger.warning("%s (%s, %d so far)", error, error.reason, self.rejected[error.reason])
