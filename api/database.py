"""The tables of the api's database, and the way to open it. Nothing here is particular to SQLite but its settings."""

from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from edge.contracts.errors import KullagerError

metadata = sql.MetaData()
_key = sql.String(128)

results = sql.Table(
    "results",
    metadata,
    sql.Column("event_id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sql.Column("journal_id", sql.Integer, nullable=False),
    sql.Column("seq", sql.BigInteger, nullable=False),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("asset", _key, nullable=False),
    # the alarm or case that it is a change of; so named since there were alarms alone
    sql.Column("alarm_id", _key, key="subject"),
    sql.Column("time", sql.BigInteger, nullable=False),
    sql.Column("state", sql.String(32), nullable=False),
    sql.Column("score", sql.Double),
    sql.Column("message", sql.LargeBinary, nullable=False),
    sql.UniqueConstraint("journal_id", "seq"),
    sql.Index("results_of_asset", "asset", "kind", "time"),
)
# of each stretch of time which assessments a plot of years must show: the lowest and the highest score, and the first and the
# last without one
summaries = sql.Table(
    "summaries",
    metadata,
    sql.Column("asset", _key, primary_key=True),
    sql.Column("width_s", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("start", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("lowest_id", sql.BigInteger),
    sql.Column("lowest_time", sql.BigInteger),
    sql.Column("lowest_score", sql.Double),
    sql.Column("highest_id", sql.BigInteger),
    sql.Column("highest_time", sql.BigInteger),
    sql.Column("highest_score", sql.Double),
    sql.Column("first_withheld_id", sql.BigInteger),
    sql.Column("first_withheld_time", sql.BigInteger),
    sql.Column("last_withheld_id", sql.BigInteger),
    sql.Column("last_withheld_time", sql.BigInteger),
    sqlite_with_rowid=False,
)
# how far something has come that is done in steps, beside everything else
progress = sql.Table(
    "progress",
    metadata,
    sql.Column("task", _key, primary_key=True),
    sql.Column("done", sql.BigInteger, nullable=False),
    sql.Column("last", sql.BigInteger, nullable=False),
)
alarms = sql.Table(
    "alarms",
    metadata,
    sql.Column("alarm_id", _key, primary_key=True),
    sql.Column("edge", _key, nullable=False),
    sql.Column("asset", _key, nullable=False),
    sql.Column("state", sql.String(32), nullable=False),
    sql.Column("is_open", sql.Boolean, nullable=False, index=True),
    sql.Column("changed", sql.BigInteger, nullable=False, index=True),
    sql.Column("seq", sql.BigInteger, nullable=False),
    sql.Column("message", sql.LargeBinary, nullable=False),
)
cases = sql.Table(
    "cases",
    metadata,
    sql.Column("case_id", _key, primary_key=True),
    sql.Column("edge", _key, nullable=False),
    sql.Column("asset", _key, nullable=False),
    sql.Column("state", sql.String(32), nullable=False),
    sql.Column("is_open", sql.Boolean, nullable=False, index=True),
    sql.Column("changed", sql.BigInteger, nullable=False, index=True),
    sql.Column("seq", sql.BigInteger, nullable=False),
    sql.Column("message", sql.LargeBinary, nullable=False),
)
history = sql.Index("results_of_alarm", results.c.subject, sqlite_where=results.c.subject.is_not(None))
statuses = sql.Table(
    "edge_statuses",
    metadata,
    sql.Column("edge", _key, primary_key=True),
    sql.Column("event_id", sql.BigInteger, nullable=False),
    sql.Column("time", sql.BigInteger, nullable=False),
    sql.Column("message", sql.LargeBinary, nullable=False),
)
journals = sql.Table(
    "journals",
    metadata,
    sql.Column("journal_id", sql.Integer, primary_key=True),
    sql.Column("edge", _key, nullable=False),
    sql.Column("journal", _key, nullable=False),
    sql.Column("contiguous", sql.BigInteger, nullable=False),
    sql.Column("announced", sql.BigInteger, nullable=False),
    sql.UniqueConstraint("edge", "journal"),
)
losses = sql.Table(
    "losses",
    metadata,
    sql.Column("loss_id", sql.Integer, primary_key=True),
    sql.Column("journal_id", sql.Integer, nullable=False, index=True),
    sql.Column("first", sql.BigInteger, nullable=False),
    sql.Column("last", sql.BigInteger, nullable=False),
    sql.Column("reason", sql.String(64), nullable=False),
    sql.Column("noticed", sql.BigInteger, nullable=False),
)
tokens = sql.Table(
    "tokens",
    metadata,
    sql.Column("token_id", _key, primary_key=True),
    sql.Column("name", _key, nullable=False),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("digest", sql.String(64), nullable=False, unique=True),
    sql.Column("made", sql.BigInteger, nullable=False),
    sql.Column("made_by", _key, nullable=False),
    sql.Column("used", sql.BigInteger),
    # only the token of the first start is kept when it is revoked: its file would bring it back
    sql.Column("revoked", sql.BigInteger),
)
sessions = sql.Table(
    "sessions",
    metadata,
    sql.Column("digest", sql.String(64), primary_key=True),
    # the token that it was opened with: without it the session ends
    sql.Column("token_digest", sql.String(64), nullable=False),
    sql.Column("made", sql.BigInteger, nullable=False),
    sql.Column("used", sql.BigInteger, nullable=False, index=True),
)
audit = sql.Table(
    "audit",
    metadata,
    sql.Column("audit_id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sql.Column("time", sql.BigInteger, nullable=False),
    sql.Column("by", _key, nullable=False, index=True),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("action", sql.String(64), nullable=False),
    sql.Column("subject", sql.Text, index=True),
    sql.Column("details", sql.Text, nullable=False),
    sql.Column("status", sql.Integer, nullable=False),
    sql.Column("problem", sql.Text),
    sqlite_autoincrement=True,
)
labels = sql.Table(
    "labels",
    metadata,
    sql.Column("label_id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sql.Column("asset", _key, nullable=False),
    sql.Column("first", sql.BigInteger, nullable=False),
    # null where it still holds
    sql.Column("last", sql.BigInteger),
    sql.Column("label", sql.String(16), nullable=False),
    sql.Column("fault", _key),
    sql.Column("alarm_id", _key),
    sql.Column("verdict", sql.String(16)),
    sql.Column("comment", sql.Text),
    sql.Column("made", sql.BigInteger, nullable=False),
    sql.Column("by", _key, nullable=False),
    sql.Index("labels_of_asset", "asset", "first"),
    sqlite_autoincrement=True,
)
# of an alarm there is one verdict
sql.Index("verdict_of_alarm", labels.c.alarm_id, sqlite_where=labels.c.verdict.is_not(None))


class StoreError(KullagerError):
    """The database cannot be opened or is not usable."""


def open_engine(url: str) -> Engine:
    """An engine for `url`, with WAL and a busy time-out where it is SQLite."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sql.create_engine(parsed)
    except (ArgumentError, SQLAlchemyError, ImportError, OSError) as error:
        raise StoreError(f"KULLAGER_DATABASE_URL: '{make_safe(url)}' cannot be used: {error}") from None
    if engine.dialect.name == "sqlite":

        @sql.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def make_safe(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(not an address)"
