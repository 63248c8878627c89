"""Results as Sparkplug B devices: the edge is an edge node on a broker of the plant, and each asset a device of it.

    spBv1.0/<group>/DDATA/<edge>/pump-101

A birth says all that is known of an asset, data what has changed since, at most every half second: what came and went in
between, or while the broker was away, is not told afterwards (the journal keeps it, for the api). A host may write to
`Alarms/<rule>/Acknowledge` where the plant file says `commands = true`, and ask for a rebirth in any case.
"""

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edge.advisory_generation.rules import rule_table
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.command import AlarmCommand, AlarmVerb
from edge.contracts.errors import KullagerError, MessageError
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import source_certificate, source_password
from edge.edge_node_connection import EdgeNodeConnection
from edge.formats.sparkplug import NAMESPACE, Kind, Session, State
from edge.formats.sparkplug import Message as SparkplugMessage
from edge.groups import groups_of
from edge.mqtt_connection import Connected, Lost, Message
from edge.outputs import OnAlarmCommand, Output
from edge.outputs.sparkplug_device import ResultDevice

logger = logging.getLogger(__name__)

PERIOD_S: Final = 0.5
# one that acknowledges everything of an asset is a tenth of this
MAX_COMMAND_BYTES: Final = 16 << 10
MAX_WAITING_COMMANDS: Final = 10_000
# messages that the broker has not taken yet, beyond which nothing is added: what is newest then is told when it takes them
MAX_UNSENT: Final = 1000


class SparkplugResults(Output):
    """`run` keeps the connection; `show` takes what is new. What was not obeyed is counted in `rejected`, by reason.

    Numbers of births (`bdSeq`) begin at 0 with each start. A will that is late cannot be taken for one of this start: the
    client id is always the same, so a broker ends the connection of before, and says its will, ahead of any birth.
    """

    def __init__(
        self, plant: Plant, environ: Mapping[str, str], open_alarms: Sequence[Alarm], on_alarm_command: OnAlarmCommand
    ) -> None:
        settings = plant.edge.sparkplug
        if settings is None:
            raise TypeError("the plant file has no edge.sparkplug")
        source = plant.sources[settings.source]
        if isinstance(source, OpcuaSource):
            raise TypeError(f"edge.sparkplug.source: '{settings.source}' is no broker")
        self._on_alarm_command, self._takes_commands = on_alarm_command, settings.commands
        self._session = Session(settings.group, settings.node or plant.edge.id)
        rules, now = _rules_of(plant), time.time_ns()
        self._devices = {name: ResultDevice(asset, rules[name], now) for name, asset in plant.assets.items()}
        self.rejected: Counter[str] = Counter()
        self._logged: set[tuple[str, ...]] = set()
        self._is_connected = self._is_asked_for_births = False
        self._problem: str | None = "not yet connected"
        self._changed: set[str] = set()
        self._news = asyncio.Event()
        self._connection = EdgeNodeConnection(
            url=source.url,
            client_id=f"{plant.edge.id}-sparkplug-results",
            subscriptions=(
                self._session.command_topic,
                f"{NAMESPACE}/{self._session.group}/{Kind.DCMD}/{self._session.node}/+",
            ),
            user=source.user,
            password=source_password(settings.source, environ),
            certificate=source_certificate(settings.source, environ),
            queue_size=MAX_WAITING_COMMANDS,
            max_packet=MAX_COMMAND_BYTES + 1024,
            next_will=lambda: self._session.connect(time.time_ns()).encode(),
        )
        self.show((), open_alarms)

    @property
    def problem(self) -> str | None:
        return self._problem

    def show(self, assessments: Sequence[Assessment], alarms: Sequence[Alarm]) -> None:
        """Take the newest results; of an asset that this plant file does not know there is no device."""
        for assessment in assessments:
            if (device := self._devices.get(assessment.asset)) is not None:
                device.assess(assessment)
                self._changed.add(assessment.asset)
        for alarm in alarms:
            if (device := self._devices.get(alarm.asset)) is not None:
                device.follow(alarm)
                self._changed.add(alarm.asset)
        self._news.set()

    async def run(self) -> None:
        async with self._connection:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(), name="commands by Sparkplug")
                    tasks.create_task(self._report(), name="results by Sparkplug")
            finally:
                self._say_farewell()

    async def _listen(self) -> None:
        async for event in self._connection:
            match event:
                case Message():
                    self._command(event)
                    # however many come, the pipeline has its turn
                    await asyncio.sleep(0)
                case Connected(version=version):
                    # births are due: its will has begun another life of the session
                    self._is_connected, self._problem = True, None
                    self._news.set()
                    logger.info("results go to %s by Sparkplug B, MQTT %s", self._connection.url, version)
                case Lost(reason=reason):
                    self._is_connected, self._problem = False, reason
                    logger.warning("results are not shown by Sparkplug B: %s", reason)

    async def _report(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            self._tell()
            await asyncio.sleep(PERIOD_S)

    # -- what is said

    def _tell(self) -> None:
        """All births where they are due, else what is new. What cannot be sent now is due again."""
        if not self._is_connected:
            return
        if self._connection.unacknowledged > MAX_UNSENT:
            self._news.set()
            return
        now = time.time_ns()
        if self._is_asked_for_births or self._session.state is not State.BORN:
            self._is_asked_for_births = False
            self._send(self._session.node_birth(now))
        for name, device in self._devices.items():
            if self._session.state is not State.BORN:
                self._news.set()
                return
            if name not in self._session.devices or device.is_outdated:
                self._send(self._session.device_birth(name, now, device.birth()))
            elif name in self._changed and (news := device.news()):
                self._send(self._session.data(name, now, news))
            self._changed.discard(name)

    def _send(self, message: SparkplugMessage, qos: int = 0) -> None:
        topic, payload = message.encode()
        if self._connection.publish(topic, payload, qos=qos) is None:
            self._session.interrupted()

    def _say_farewell(self) -> None:
        """The last results, and what the will says: a broker drops the will of who leaves in order."""
        self._tell()
        if self._session.state is State.BORN:
            self._send(self._session.death(time.time_ns()), qos=1)

    # -- what is heard

    def _command(self, message: Message) -> None:
        topic, payload = message.topic, message.payload
        try:
            if message.retained:
                raise MessageError("retained", f"{topic}: is retained; it would come again with every connection")
            if len(payload) > MAX_COMMAND_BYTES:
                raise MessageError("too-large", f"{topic}: {len(payload)} bytes; at most {MAX_COMMAND_BYTES} are read")
            if topic == self._session.command_topic:
                if self._session.wants_rebirth(topic, payload):
                    # with the next data: a host that asks again and again gets no more than that
                    self._is_asked_for_births = True
                    self._news.set()
                return
            asset, metrics = self._session.written(topic, payload)
            wanted = {str(metric.name): metric.value is True for metric in metrics}
        except MessageError as error:
            self._reject(str(error), error.reason)
            return
        for name, is_true in wanted.items():
            self._write(asset, name, is_true)

    def _write(self, asset: str, metric: str, is_true: bool) -> None:
        device = self._devices[asset]
        # the host shows what it wrote, and not what came of it
        device.repeat(metric, time.time_ns())
        self._changed.add(asset)
        self._news.set()
        rule = device.rule_of(metric)
        if rule is None:
            self._reject(f"{asset}: '{metric}' is not written to; Alarms/<rule>/Acknowledge is", "read-only")
        elif not self._takes_commands:
            self._reject(f"{asset}: '{metric}' is not obeyed; 'commands = true' in edge.sparkplug allows it", "commands-off")
        elif is_true:
            self._acknowledge(asset, rule, device.open_alarm(rule))

    def _acknowledge(self, asset: str, rule: str, alarm: Alarm | None) -> None:
        if alarm is None:
            self._reject(f"{asset}: no alarm '{rule}' is open; there is nothing to acknowledge", "no-alarm")
            return
        command = AlarmCommand(
            command_id=str(uuid.uuid4()), by="sparkplug", time=time.time_ns(), alarm_id=alarm.alarm_id, comment=None
        )
        try:
            self._on_alarm_command(AlarmVerb.ACKNOWLEDGE, command)
        except KullagerError as error:
            self._reject(f"{asset}: the alarm '{rule}' is not acknowledged: {error}", "refused", asset, rule)

    def _reject(self, problem: str, reason: str, *where: str) -> None:
        """Count a command that is not obeyed; the first of a kind is told."""
        self.rejected[reason] += 1
        if (reason, *where) not in self._logged:
            self._logged.add((reason, *where))
            logger.warning("a Sparkplug command is ignored: %s (further ones of this kind are counted only)", problem)


def _rules_of(plant: Plant) -> dict[str, tuple[str, ...]]:
    """By asset the alarm rules that it has."""
    tables = [(group, rule_table(group)) for group in groups_of(plant)]
    return {
        asset: tuple(rule.name for rule, applies in zip(table.rules, ~np.isnan(table.limit[row]), strict=True) if applies)
        for group, table in tables
        for row, asset in enumerate(group.assets)
    }
