"""What to store of what arrives, and what to ask for again: the api's side of the journal contract. Logic alone.

Nothing counts before it is stored: `plan` works on copies of the cursors, and `committed` puts them in force.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import Final

from api.arrivals import Arrival, Cleared, Result, StatusReport, Trimmed, UnreadableResult
from api.cursor import JournalCursor, Span
from api.resend import ResendRequest
from api.store import Batch, Journal, Loss
from edge.contracts.command import ResendCommand
from edge.contracts.status import EdgeStatus

TRIMMED: Final = "trimmed"
REPLACED: Final = "journal-replaced"


def new_identifier() -> str:
    return str(uuid.uuid4())


class Reception:
    """The journals of all edges: `cursors` say what is stored; at most one request per journal is out."""

    def __init__(
        self,
        *,
        client: str,
        cursors: dict[Journal, JournalCursor],
        statuses: Iterable[EdgeStatus] = (),
        new_identifier: Callable[[], str] = new_identifier,
    ) -> None:
        self.cursors = cursors
        self.statuses = {status.edge: status for status in statuses}
        self._client = client
        self._new_identifier = new_identifier
        self._requests: dict[Journal, ResendRequest] = {}

    def plan(self, arrivals: Iterable[Arrival], now: int) -> Batch:
        """What one transaction has to write; `now` in ns since 1970 UTC dates the losses."""
        batch = Batch()
        for arrival in arrivals:
            match arrival:
                case Result(identity=identity):
                    self._cursor(batch, (identity.edge, identity.journal)).receive(identity.seq)
                    batch.results.append(arrival)
                    # an alarm that is put back into service ends, is cleared, and begins anew under its old name
                    batch.cleared.discard(Cleared(arrival.kind, arrival.subject or ""))
                case UnreadableResult(identity=identity, error=error):
                    journal = identity.edge, identity.journal
                    lost = self._cursor(batch, journal).lose(Span(identity.seq, identity.seq))
                    self._name(batch, journal, lost, f"unreadable: {error.reason}", now)
                case Trimmed(edge=edge, journal=journal_id, before=before):
                    cursor = self._cursor(batch, (edge, journal_id))
                    # it cannot have trimmed more than it ever had
                    lost = cursor.trim(min(before, cursor.announced + 1))
                    self._name(batch, (edge, journal_id), lost, TRIMMED, now)
                case StatusReport():
                    self._take_status(batch, arrival, now)
                case Cleared():
                    batch.cleared.add(arrival)
                case _:
                    pass
        for journal, cursor in batch.cursors.items():
            if self._is_replaced(batch, journal) and (gap := cursor.missing()) is not None:
                self._name(batch, journal, cursor.lose(Span(gap.first, cursor.announced)), REPLACED, now)
        return batch

    def committed(self, batch: Batch) -> None:
        self.cursors.update(batch.cursors)
        for edge, report in batch.statuses.items():
            before = self.statuses.get(edge)
            if report.status.online and (before is None or not before.online):
                self.hurry(edge)
            self.statuses[edge] = report.status

    def requests(self, now: float) -> list[tuple[str, ResendCommand]]:
        """(edge, command) for every journal that is due at `now` [s of a steady clock]; `sent` tells which have gone out."""
        due = []
        for (edge, journal), cursor in self.cursors.items():
            status = self.statuses.get(edge)
            if status is not None and not status.online:
                continue
            request = self._requests.setdefault((edge, journal), ResendRequest())
            if (span := request.due(cursor, now)) is not None:
                command = ResendCommand(
                    command_id=self._new_identifier(),
                    journal=journal,
                    first=span.first,
                    last=span.last,
                    client=self._client,
                )
                due.append((edge, command))
        return due

    def sent(self, edge: str, command: ResendCommand, now: float) -> None:
        self._requests[edge, command.journal].sent(Span(command.first, command.last), command.command_id, now)

    def refused(self, command_id: str, now: float) -> None:
        """The edge said no to this command; other commands are none of our business."""
        for request in self._requests.values():
            if request.command_id == command_id:
                request.refused(now)

    def hurry(self, edge: str | None = None) -> None:
        """One edge, or the broker and so all of them, has come back."""
        for (name, _), request in self._requests.items():
            if edge in (None, name):
                request.reset()

    def _cursor(self, batch: Batch, journal: Journal) -> JournalCursor:
        if journal not in batch.cursors:
            present = self.cursors.get(journal)
            batch.cursors[journal] = present.copy() if present is not None else JournalCursor()
        return batch.cursors[journal]

    def _take_status(self, batch: Batch, report: StatusReport, now: int) -> None:
        edge, told = report.status.edge, report.status.journal
        batch.statuses[edge] = report
        if told is None:
            return
        cursor = self._cursor(batch, (edge, told.id))
        cursor.announce(told.last_seq)
        lost = cursor.trim(min(told.trimmed_before, cursor.announced + 1))
        self._name(batch, (edge, told.id), lost, TRIMMED, now)
        for name, journal in self.cursors:
            if name == edge and journal != told.id:
                self._cursor(batch, (name, journal))

    def _is_replaced(self, batch: Batch, journal: Journal) -> bool:
        """An edge has one journal; once it says online that it has another one, nobody can fill this one's gaps."""
        edge, journal_id = journal
        report = batch.statuses.get(edge)
        status = report.status if report is not None else self.statuses.get(edge)
        return status is not None and status.online and status.journal is not None and status.journal.id != journal_id

    @staticmethod
    def _name(batch: Batch, journal: Journal, lost: Iterable[Span], reason: str, now: int) -> None:
        edge, journal_id = journal
        for span in lost:
            loss = Loss(edge=edge, journal=journal_id, first=span.first, last=span.last, reason=reason, noticed=now)
            batch.losses.append(loss)
