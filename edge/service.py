"""The edge as a service: sources → bounded queue → pipeline → journal → broker, in one TaskGroup.

Start-up opens the sinks before the sources; on a stop the sources end first, what is queued is drained, then the
sinks close. The pipeline runs in the event loop's thread: it never waits.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from edge import __version__
from edge.application_certificate import ends_in
from edge.commands import Commands
from edge.contracts.alarm import Alarm
from edge.contracts.assessment_table import AssessmentTable
from edge.contracts.audit import ModelAudit
from edge.contracts.case import Case, CaseState
from edge.contracts.command import AlarmCommand, AlarmVerb, EvidenceCommand
from edge.contracts.plant import Plant
from edge.contracts.plant_file import source_certificate, source_password
from edge.contracts.sample_account import Fate
from edge.contracts.sample_batch import SampleBatch, WaveformBlock
from edge.contracts.status import CertificateStatus, EdgeStatus, JournalStatus
from edge.data_acquisition.opcua_security import certificate_folder
from edge.data_acquisition.stream_clock import StreamClock
from edge.evidence import Evidence
from edge.evidence_files import EvidenceFiles
from edge.journal import Journal, JournalError, Result
from edge.knowledge import load_knowledge
from edge.ledger import Ledger
from edge.models_in_service import ModelsInService
from edge.outputs import Output
from edge.outputs.opcua_server import OpcuaResults
from edge.outputs.sparkplug import SparkplugResults
from edge.pipeline import Pipeline
from edge.publisher import Publisher
from edge.recorder import Recorder, left_open
from edge.sources import Sources
from edge.telemetry import AccountShown, Telemetry

logger = logging.getLogger(__name__)

TICK_S: Final = 0.1
STATUS_S: Final = 5.0
STATE_S: Final = 10.0
QUEUE_SIZE: Final = 1000
# results that wait in memory while the disk takes nothing; the oldest go first, counted
MAX_UNWRITTEN: Final = 100_000
FLUSH_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Brought:
    source: str
    batch: SampleBatch | WaveformBlock


class EdgeService:
    """`await run(stop)` serves until the event `stop` is set.

    Where another service goes on (`is_relieved`) nobody is told that the edge is offline. What takes over may `warm_up` before:
    its OPC UA sources are connected while those of the first still bring samples, so that none is missed; what comes twice is
    a duplicate.
    """

    def __init__(self, plant: Plant, home: Path, environ: Mapping[str, str]) -> None:
        self._plant, self._home, self._environ = plant, home, environ
        self._unwritten: deque[Result | AssessmentTable] = deque()
        self._models = ModelsInService(plant, home, self._audit)
        classes = (asset.asset_class for asset in plant.assets.values())
        knowledge = load_knowledge(classes, home / "edge" / "knowledge")
        self._pipeline = Pipeline(plant, self._models.champions, knowledge, time.thread_time)
        self._models.serve(self._pipeline)
        self._clock = StreamClock({name: source.clock for name, source in plant.sources.items() if plant.signals_of(name)})
        self._queue: asyncio.Queue[_Brought] = asyncio.Queue(QUEUE_SIZE)
        self._account = self._pipeline.account
        self._sources = Sources(plant, home, environ, self._pipeline.texts, self._account, self._bring, self)
        self._accounts = self._sources.accounts
        # what is between its source and the pipeline
        self._queued = np.zeros(len(self._account.received), np.int64)
        self._interrupted: list[_Brought] = []
        self.is_relieved = False
        self.plant_problem: str | None = None
        self._journal_problem: str | None = None
        self._lost = 0
        self._assessed: dict[str, Counter[str]] = {asset: Counter() for asset in plant.assets}
        texts = {entry.index: self._pipeline.texts[entry.index] for entry in plant.signal_table if entry.is_text}
        self._recorder = Recorder(home / "edge" / "recordings", plant.edge.recording, plant.signal_table, texts)
        self._tidying: asyncio.subprocess.Process | None = None
        self._ledger = Ledger(home / "edge" / "gaps.sqlite", plant, self._sources.cause_of)
        self._evidence = Evidence(home / "edge" / "evidence", plant, texts)
        self._evidence_files = EvidenceFiles(self._evidence)
        self._outputs: dict[str, Output] = {}

    async def warm_up(self, patience_s: float) -> None:
        """Connect the OPC UA sources, and wait until they are there, but not for longer than `patience_s`."""
        await self._sources.warm_up(patience_s)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve. Raises `JournalError` where the journal cannot be opened."""
        path = self._home / "edge" / "journal.sqlite"
        with Journal(path, edge=self._plant.edge.id, topics=self._plant.topics) as journal:
            self._journal = journal
            self._models.catch_up()
            self._restore()
            name, _ = self._plant.results_source
            self._publisher = Publisher(
                self._plant,
                journal,
                source_password(name, self._environ),
                source_certificate(name, self._environ),
                Commands(self._alarm_command, self._models.command, self._send_evidence).carry_out,
                self._status(online=False),
            )
            self._outputs = self._made_outputs()
            if left_open(self._recorder.folder):
                await self._tidy_recordings()
            address = self._environ.get("KULLAGER_EDGE_METRICS", self._plant.edge.metrics)
            with Telemetry(address, self._account.names) as self._telemetry, self._ledger:
                await self._serve(stop)
            with contextlib.suppress(JournalError):
                journal.set_published(self._publisher.published)
        logger.info("stopped in order")

    async def _serve(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as sinks:
            publishing = sinks.create_task(self._publisher.run(), name="publisher")
            offering = [sinks.create_task(each.run(), name=f"output {name}") for name, each in self._outputs.items()]
            async with asyncio.TaskGroup() as sources:
                tasks = [sources.create_task(run, name=f"source {name}") for name, run in self._sources.runs()]
                tasks.append(sources.create_task(self._work(), name="pipeline"))
                await stop.wait()
                for task in tasks:
                    task.cancel()
            self._models.cancel()
            self._step()
            self._save_state()
            await self._evidence_files.finish()
            self._recorder.write(time.time())
            self._recorder.close()
            self._save_ledger()
            if self._tidying is not None and self._tidying.returncode is None:
                # the next start goes on with it
                self._tidying.terminate()
            if not self.is_relieved:
                self._publisher.publish_status(self._status(online=False))
            # the journal has what the broker does not acknowledge in time
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._publisher.drained()
            for task in (publishing, *offering):
                task.cancel()

    def _made_outputs(self) -> dict[str, Output]:
        """The ways back into the plant that are switched on."""
        plant, environ, open_alarms = self._plant, self._environ, self._pipeline.alarms.open
        made: dict[str, Output] = {}
        if plant.edge.opcua is not None and environ.get("KULLAGER_EDGE_OPCUA_URL") != "":
            made["opcua"] = OpcuaResults(plant, self._home, environ, open_alarms, self._alarm_command)
        if plant.edge.sparkplug is not None:
            made["sparkplug"] = SparkplugResults(plant, environ, open_alarms, self._alarm_command)
        return made

    def newest(self) -> Mapping[int, int]:
        """By number of the signal its newest sample [ns UTC]: what came before is not missing."""
        return self._ledger.newest

    def recovered(self, batch: SampleBatch) -> None:
        """What was read back from a server's history is recorded; the instants that it belongs to have been assessed."""
        self._account.receive(batch.signal)
        self._account.settle(Fate.RECOVERED, batch.signal)
        self._recorder.add(batch, recovered=True)
        self._ledger.recovered(batch)

    async def _bring(self, source: str, batch: SampleBatch | WaveformBlock) -> None:
        """What the sources hand over; waits while the pipeline is busy."""
        if isinstance(batch, SampleBatch) and not len(batch):
            return
        np.add.at(self._queued, batch.signal, 1)
        try:
            await self._queue.put(_Brought(source, batch))
        except asyncio.CancelledError:
            # a stop: there is no room in the queue, and yet nothing is to be lost
            self._interrupted.append(_Brought(source, batch))
            raise

    async def _work(self) -> None:
        """The main loop: take what has come, advance, write, publish."""
        next_status = next_housekeeping = 0.0
        # soon at first, so that an early kill costs little
        state_s = 1.0
        next_state = time.monotonic() + state_s
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    self._take(await self._queue.get())
            self._step()
            now = time.monotonic()
            changed = any(account.changed for account in self._accounts.values())
            if changed or now >= next_status:
                next_status = now + STATUS_S
                self._publisher.publish_status(self._status(online=True))
                # how a container's health check sees that this loop turns
                with contextlib.suppress(OSError):
                    (self._home / "edge" / "alive").touch()
                for account in self._accounts.values():
                    account.changed = False
            if now >= next_housekeeping:
                next_housekeeping = now + 1.0
                self._ledger.look(now, time.time())
                assessed = {name: dict(each) for name, each in self._assessed.items()}
                self._telemetry.show(self._status(online=True), assessed, self._account_shown(), self._publisher.unpublished)
                self._keep_journal()
                self._models.look()
                self._evidence_files.look(self._clock.time(time.monotonic()))
                if self._recorder.write(time.time()):
                    await self._tidy_recordings()
            if now >= next_state:
                state_s = min(2 * state_s, STATE_S)
                next_state = now + state_s
                self._save_state()
                # what the ledger says has come is on the disk before
                self._recorder.write(time.time())
                self._save_ledger()
                self._ledger.trim(time.time())

    def _take(self, brought: _Brought) -> None:
        np.add.at(self._queued, brought.batch.signal, -1)
        self._evidence.take(brought.batch)
        if isinstance(brought.batch, WaveformBlock):
            # it tells of the past, and does not move the time on
            self._pipeline.feed_waveform(brought.batch)
            return
        self._recorder.add(brought.batch)
        self._ledger.saw(brought.batch, time.monotonic())
        newest = int(brought.batch.time.max())
        if self._clock.heard(brought.source, newest, time.monotonic()):
            logger.warning("source '%s': its clock has been set back; windows begin anew", brought.source)
            self._pipeline.rewind()
        self._pipeline.feed(brought.batch)

    def _step(self) -> None:
        while not self._queue.empty():
            self._take(self._queue.get_nowait())
        while self._interrupted:
            self._take(self._interrupted.pop(0))
        if (to := self._clock.time(time.monotonic())) is not None:
            results = self._pipeline.advance(to)
            for table in results.tables:
                for row in table.told:
                    self._assessed[table.assets[row]][table.reasons[row] or table.state(row)] += 1
            for found_ones in (results.tables, results.alarms, results.cases, results.performances):
                self._unwritten.extend(found_ones)
            self._write()
            self._evidence.saw(results.alarms, results.spectra)
            for spectrum in results.spectra:
                self._publisher.publish_spectrum(spectrum)
            for output in self._outputs.values():
                output.show(results.assessments, results.alarms)
        # what models have to tell does not wait for samples
        self._write()

    def _keep_journal(self) -> None:
        """What a journal needs now and then."""
        try:
            if self._journal.is_damaged:
                # what waits in memory goes into the other one
                self._journal.begin_another()
                self._publisher.journal_replaced()
                self._save_state()
            self._journal.set_published(self._publisher.published)
            self._journal.trim(time.time())
        except JournalError as error:
            if self._journal_problem is None:
                logger.error("%s", error)
                self._journal_problem = str(error)

    def _write(self) -> None:
        if not self._unwritten:
            return
        waiting = list(self._unwritten)
        pipeline = self._pipeline
        changed = any(isinstance(result, Alarm | Case) for result in waiting)
        open_alarms = (pipeline.alarms.open, pipeline.alarms.holding, pipeline.cases.open) if changed else None
        try:
            entries = self._journal.append(waiting, time.time(), pipeline.reached, open_alarms)
        except JournalError as error:
            if self._journal_problem is None:
                logger.error("%s; results wait in memory", error)
            self._journal_problem = str(error)
            number = sum(map(_number, self._unwritten))
            while number > MAX_UNWRITTEN:
                lost = _number(self._unwritten.popleft())
                number, self._lost = number - lost, self._lost + lost
            return
        if self._journal_problem is not None:
            logger.info("the journal can be written again; %d results were lost", self._lost)
            self._journal_problem = None
        self._unwritten.clear()
        self._publisher.publish_new(entries)

    def _alarm_command(self, verb: AlarmVerb, command: AlarmCommand) -> None:
        changed = self._pipeline.command(verb, command)
        for alarm in changed:
            logger.info("alarm %s of '%s': %s by %s", alarm.alarm_id, alarm.asset, verb, command.by)
        self._unwritten.extend(changed)
        self._write()
        for output in self._outputs.values():
            output.show((), changed)

    def _audit(self, step: ModelAudit) -> None:
        # written with the next results: models may have something to tell before there is a journal
        self._unwritten.append(step)

    def _send_evidence(self, command: EvidenceCommand) -> None:
        parts, answer = self._evidence_files.answer(command)
        self._publisher.publish_evidence(command.command_id, command.client, parts, answer)

    def _status(self, *, online: bool) -> EdgeStatus:
        journal = self._journal
        return EdgeStatus(
            edge=self._plant.edge.id,
            online=online,
            time=time.time_ns(),
            version=__version__,
            sources={
                name: replace(account.status(), silent=self._ledger.silent(name)) for name, account in self._accounts.items()
            },
            models=self._models.status(),
            journal=JournalStatus(
                id=journal.id,
                last_seq=journal.last_seq,
                trimmed_before=journal.trimmed_before,
                problem=self._journal_problem,
            ),
            recording=self._recorder.status,
            refused=dict(self._pipeline.counts),
            plant_problem=self.plant_problem,
            outputs={name: output.problem for name, output in self._outputs.items()},
            certificates={name: CertificateStatus(until=end) for name, end in ends_in(certificate_folder(self._home)).items()},
            flood=self._pipeline.alarms.is_flood,
        )

    def _account_shown(self) -> AccountShown:
        account, waiting = self._account, self._queued + self._pipeline.waiting
        return AccountShown(
            received=account.received.copy(),
            settled=account.settled.copy(),
            waiting=waiting,
            difference=account.difference(waiting),
            out_of_order=self._ledger.out_of_order,
        )

    async def _tidy_recordings(self) -> None:
        """Begin to make Parquet of closed logs, in a process of its own; one at a time."""
        settings = self._plant.edge.recording
        if settings.max_gb > 0 and (self._tidying is None or self._tidying.returncode is not None):
            arguments = (self._recorder.folder, settings.keep_days, settings.max_gb)
            try:
                self._tidying = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "edge.recordings", *map(str, arguments), stdin=asyncio.subprocess.DEVNULL
                )
            except OSError as error:
                logger.error("recordings stay logs for another hour: %s", error)

    def _restore(self) -> None:
        """Go on where the last run ended: windows, trends, alarms."""
        anew, reached = list(self._plant.assets), self._journal.reached()
        alarms, holding = self._journal.open_alarms()
        self._pipeline.alarms.restore(alarms, holding)
        cases = self._journal.open_cases()
        gone = [case for case in cases if case.asset not in self._plant.assets]
        self._unwritten.extend(replace(case, state=CaseState.CLOSED, closed=case.changed) for case in gone)
        self._pipeline.cases.restore([case for case in cases if case not in gone], alarms)
        try:
            if (state := self._journal.load_state()) is not None:
                anew = self._pipeline.restore(state, reached)
                if reached:
                    self._clock.resume(max(reached))
                logger.info("going on where the last run ended%s", f"; {', '.join(anew)} begin anew" if anew else "")
                # what is written from now on is of these groups
                self._save_state()
        except (ValueError, KeyError) as error:
            logger.warning("the state of the last run is left aside: %s", error)
        for alarm in alarms:
            if alarm.asset in anew or not self._pipeline.can_alarm(alarm.asset, alarm.rule):
                # nobody watches its condition any more
                now = max(reached, default=alarm.changed)
                ended = self._pipeline.alarms.end(now, asset=alarm.asset, rule=alarm.rule)
                self._unwritten.extend([ended] if ended is not None else [])
                self._pipeline.cases.take(now, [ended] if ended is not None else [])

    def _save_ledger(self) -> None:
        self._ledger.save(self._sources.owed)

    def _save_state(self) -> None:
        try:
            self._journal.save_state(self._pipeline.state())
        except JournalError as error:
            logger.error("%s", error)


def _number(result: Result | AssessmentTable) -> int:
    """How many results it is."""
    return len(result) if isinstance(result, AssessmentTable) else 1
