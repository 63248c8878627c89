"""Sessions of browsers: a cookie that scripts cannot read stands for a token, and a second secret proves that a page of ours
asks. Only the SHA-256 of the cookie is kept."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sql

from api.credentials import digest, new_token
from api.database import sessions
from api.store import Store

MINUTE_NS: Final = 60_000_000_000
# a shift with its breaks; a screen that nobody touches for longer has to be signed in again
UNUSED_NS: Final = 12 * 60 * MINUTE_NS
LONGEST_NS: Final = 30 * 24 * 60 * MINUTE_NS
MOST_SESSIONS: Final = 1000


def csrf_of(session: str) -> str:
    """What a page has to send in `X-CSRF-Token`: another site can make a browser send the cookie, but cannot learn this."""
    return hmac.new(session.encode(), b"kullager csrf", hashlib.sha256).hexdigest()


class Sessions:
    """Methods block."""

    def __init__(self, store: Store, *, now: Callable[[], int] = time.time_ns) -> None:
        self._store, self._now = store, now

    def open(self, token_digest: str) -> str:
        """A new session of a token; the oldest make room where there are too many."""
        session, now = new_token(), self._now()
        with self._store.begin() as connection:
            connection.execute(sessions.insert().values(digest=digest(session), token_digest=token_digest, made=now, used=now))
            connection.execute(sessions.delete().where(self._ended(now)))
            oldest_kept = sql.select(sessions.c.used).order_by(sessions.c.used.desc()).limit(1).offset(MOST_SESSIONS - 1)
            if (used := connection.scalar(oldest_kept)) is not None:
                connection.execute(sessions.delete().where(sessions.c.used < used))
        return session

    def token_digest(self, session: str) -> str | None:
        """The digest of the token that the session was opened with; None where it has ended."""
        now, this = self._now(), sessions.c.digest == digest(session)
        with self._store.connect() as connection:
            row = connection.execute(sql.select(sessions).where(this, sql.not_(self._ended(now)))).one_or_none()
        if row is None:
            return None
        if now - row.used > MINUTE_NS:
            with self._store.begin() as connection:
                connection.execute(sessions.update().where(this).values(used=now))
        return str(row.token_digest)

    def close(self, session: str) -> None:
        with self._store.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.digest == digest(session)))

    @staticmethod
    def _ended(now: int) -> sql.ColumnElement[bool]:
        return sql.or_(sessions.c.used < now - UNUSED_NS, sessions.c.made < now - LONGEST_NS)
