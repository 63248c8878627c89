"""Commands to the edges and the simulator, with the wait for their answer."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from api.ingest import Ingest
from api.problems import Problem, ProblemType
from api.reception import new_identifier
from api.store import Store
from api.subjects import AlarmRow
from api.transfers import TransferFailed
from edge.contracts.alarm import AlarmState
from edge.contracts.command import (
    AlarmCommand,
    AlarmVerb,
    ChaosCommand,
    EvidenceCommand,
    InjectCommand,
    JobCommand,
    ModelCommand,
    ModelVerb,
    RepairCommand,
    Reply,
    ScenarioCommand,
)
from edge.formats.json_message import encode

ANSWER_WITHIN_S: Final = 5.0
# the edge publishes a change right beside its reply; a command that changed nothing brings none
CHANGE_WITHIN_S: Final = 1.0
TRANSFER_WITHIN_S: Final = 30.0
UNACKNOWLEDGED: Final = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)


class Command(Protocol):
    @property
    def command_id(self) -> str: ...


class Commands:
    """Send a command, and wait for what comes of it. Raises `Problem` when the other side says no, or nothing."""

    def __init__(self, ingest: Ingest, store: Store, *, now: Callable[[], int] = time.time_ns) -> None:
        self._ingest, self._store, self._now = ingest, store, now

    async def change_alarm(
        self, alarm: AlarmRow, verb: AlarmVerb, *, by: str, comment: str | None, shelve_for_ns: int | None, until: int | None
    ) -> AlarmRow:
        """The alarm as its edge publishes it after the command; `until` and `shelve_for_ns` in ns."""
        now = self._now()
        command = AlarmCommand(
            command_id=new_identifier(),
            by=by,
            time=now,
            alarm_id=alarm.alarm_id,
            comment=comment,
            shelved_until=now + shelve_for_ns if shelve_for_ns is not None else until,
        )
        await self._send_to_edge(alarm.edge, verb, command)
        changed = await self._changed(alarm)
        if verb is AlarmVerb.ACKNOWLEDGE and changed.state in UNACKNOWLEDGED:
            text = f"edge '{alarm.edge}' took it, but tells of no change yet: it may have much to send, or have lost this alarm"
            raise Problem(ProblemType.NO_CHANGE_YET, text, edge=alarm.edge)
        return changed

    async def change_service(
        self, *, edge: str, asset: str, rule: str | None, verb: AlarmVerb, by: str, comment: str | None
    ) -> None:
        """Take a machine's alarms out of service, or back; of one rule, or all."""
        command = AlarmCommand(command_id=new_identifier(), by=by, time=self._now(), asset=asset, rule=rule, comment=comment)
        await self._send_to_edge(edge, verb, command)

    async def change_model(
        self, *, edge: str, verb: ModelVerb, name: str, by: str, url: str = "", sha256: str = "", signature: str = ""
    ) -> str:
        """What an operator does with the models of a name. A trial of a new one takes longer than the answer."""
        command = ModelCommand(
            command_id=new_identifier(),
            by=by,
            time=self._now(),
            name=name,
            url=url,
            sha256=sha256,
            signature=signature,
        )
        await self._send_to_edge(edge, verb, command)
        return command.command_id

    async def fetch_evidence(self, alarm: AlarmRow) -> bytes:
        """The evidence file of an alarm, from its edge."""
        command = EvidenceCommand(command_id=new_identifier(), alarm_id=alarm.alarm_id, client=self._ingest.client)
        whom = f"edge '{alarm.edge}'"
        with self._ingest.transfers.expected(command.command_id) as whole:
            await self._send_to_edge(alarm.edge, "evidence", command, refused=ProblemType.NO_EVIDENCE)
            try:
                async with asyncio.timeout(TRANSFER_WITHIN_S):
                    return await whole
            except TimeoutError:
                text = f"{whom} did not send the file within {TRANSFER_WITHIN_S:g} s"
                raise Problem(ProblemType.EDGE_SILENT, text, edge=alarm.edge) from None
            except TransferFailed as error:
                text = f"{whom} sent the file wrongly: {error}"
                raise Problem(ProblemType.DAMAGED, text, edge=alarm.edge) from None

    async def inject_fault(self, *, asset: str, fault: str, severity: float, over_s: float, by: str) -> str:
        command = InjectCommand(
            command_id=new_identifier(), by=by, time=self._now(), asset=asset, fault=fault, severity=severity, over_s=over_s
        )
        await self._send(self._ingest.topics.simulator_command("inject"), command)
        return command.command_id

    async def repair(self, *, asset: str, by: str) -> str:
        command = RepairCommand(command_id=new_identifier(), by=by, time=self._now(), asset=asset)
        await self._send(self._ingest.topics.simulator_command("repair"), command)
        return command.command_id

    async def start_job(self, *, asset: str, recipe: str, by: str) -> str:
        command = JobCommand(command_id=new_identifier(), by=by, time=self._now(), asset=asset, recipe=recipe)
        await self._send(self._ingest.topics.simulator_command("job"), command)
        return command.command_id

    async def play_scenario(self, scenario: str, *, by: str) -> str:
        """An empty name ends the running one."""
        command = ScenarioCommand(command_id=new_identifier(), by=by, time=self._now(), scenario=scenario)
        await self._send(self._ingest.topics.simulator_command("scenario"), command)
        return command.command_id

    async def disturb(
        self, *, kind: str, source: str = "", for_s: float | None = None, amount: float | None = None, by: str
    ) -> str:
        """`calm` ends all chaos."""
        command = ChaosCommand(
            command_id=new_identifier(), by=by, time=self._now(), kind=kind, source=source, for_s=for_s, amount=amount
        )
        await self._send(self._ingest.topics.simulator_command("chaos"), command)
        return command.command_id

    async def _send_to_edge(
        self, edge: str, verb: str, command: Command, refused: ProblemType = ProblemType.EDGE_REFUSED
    ) -> Reply:
        status = self._ingest.reception.statuses.get(edge)
        if self._ingest.broker.connected and status is not None and not status.online:
            # the broker keeps no commands for it
            text = f"edge '{edge}' is not connected to the broker; nothing was sent, ask again when it is back"
            raise Problem(ProblemType.EDGE_AWAY, text, edge=edge)
        return await self._send(self._ingest.topics.edge_command(edge, verb), command, edge, refused)

    async def _send(
        self, topic: str, command: Command, edge: str | None = None, refused: ProblemType = ProblemType.SIMULATOR_REFUSED
    ) -> Reply:
        """To an edge, or to the simulator."""
        whom = f"edge '{edge}'" if edge is not None else "the simulator"
        expected = self._ingest.expect_reply(command.command_id)
        try:
            if not self._ingest.publish(topic, encode(command)):
                broker = self._ingest.broker
                text = f"the broker {broker.url} is not connected; {whom} cannot be reached now"
                raise Problem(ProblemType.BROKER_AWAY, text, edge=edge)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reply = await expected
        except TimeoutError:
            text = f"{whom} did not answer within {ANSWER_WITHIN_S:g} s; the command may still take effect"
            silent = ProblemType.EDGE_SILENT if edge is not None else ProblemType.SIMULATOR_SILENT
            raise Problem(silent, text, edge=edge) from None
        finally:
            expected.cancel()
        if not reply.ok:
            raise Problem(refused, reply.problem or f"{whom} refused the command and gave no reason", edge=edge)
        return reply

    async def _changed(self, before: AlarmRow) -> AlarmRow:
        try:
            # read while holding the condition, so that no change falls between the look and the wait
            async with asyncio.timeout(CHANGE_WITHIN_S), self._ingest.stored:
                while (alarm := await self._alarm(before)).message == before.message:
                    await self._ingest.stored.wait()
        except TimeoutError:
            return await self._alarm(before)
        return alarm

    async def _alarm(self, before: AlarmRow) -> AlarmRow:
        return await asyncio.to_thread(self._store.alarm, before.alarm_id) or before
