"""What is told of edges, journals, the broker and the database."""

from pydantic import BaseModel

from api.shapes.answer import Moment
from edge.contracts.status import EdgeStatus


class BrokerAnswer(BaseModel):
    url: str
    connected: bool
    since: Moment
    problem: str | None


class DatabaseAnswer(BaseModel):
    """`summarised`: share of the history; `forgotten`: assessments that retention has deleted."""

    problem: str | None
    summarised: float
    forgotten: int


class JournalAnswer(BaseModel):
    """Everything up to `contiguous` is here; the edge has told of `announced`."""

    edge: str
    journal: str
    contiguous: int
    announced: int
    missing: int


class LossAnswer(BaseModel):
    """Entries of a journal that will never come."""

    edge: str
    journal: str
    first: int
    last: int
    reason: str
    noticed: Moment


class IngestAnswer(BaseModel):
    """What came from the broker; `rejected` by reason."""

    messages: int
    stored: int
    duplicates: int
    dropped: int
    resend_requests: int
    rejected: dict[str, int]
    last_rejected: str | None


class StreamAnswer(BaseModel):
    clients: int
    resyncs: int


class StatusAnswer(BaseModel):
    broker: BrokerAnswer
    database: DatabaseAnswer
    edges: list[EdgeStatus]
    journals: list[JournalAnswer]
    losses: list[LossAnswer]
    ingest: IngestAnswer
    stream: StreamAnswer
