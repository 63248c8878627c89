"""Who has changed what: every change that somebody with a name asked for, done or not. The oldest make room for new ones."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sql

from api.database import audit
from api.roles import Identity, Role
from api.store import Store

MOST_ENTRIES: Final = 100_000
# visitors of a demo break things all day: they must not push out what people with names have done
MOST_OF_VISITORS: Final = 10_000
TIDY_EVERY: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change: `time` in ns since 1970 UTC; `status` is that of the HTTP answer, `problem` its sentence if it was refused.

    details: what was asked for, as far as it is no secret
    """

    audit_id: int
    time: int
    by: str
    role: str
    action: str
    subject: str | None
    details: dict[str, Any]
    status: int
    problem: str | None


class AuditLog:
    """Methods block."""

    def __init__(self, store: Store, *, now: Callable[[], int] = time.time_ns) -> None:
        self._store, self._now = store, now
        self._since_tidied = TIDY_EVERY

    def enter(
        self,
        identity: Identity,
        *,
        action: str,
        subject: str | None,
        details: Mapping[str, Any],
        status: int,
        problem: str | None,
    ) -> None:
        with self._store.begin() as connection:
            connection.execute(
                audit.insert().values(
                    time=self._now(),
                    by=identity.name,
                    role=identity.role.value,
                    action=action,
                    subject=subject,
                    details=json.dumps(details),
                    status=status,
                    problem=problem,
                )
            )
            self._since_tidied += 1
            if self._since_tidied >= TIDY_EVERY:
                self._since_tidied = 0
                for those, most in (
                    (audit.c.role == Role.VISITOR.value, MOST_OF_VISITORS),
                    (audit.c.role != Role.VISITOR.value, MOST_ENTRIES),
                ):
                    too_old = sql.select(audit.c.audit_id).where(those).order_by(audit.c.audit_id.desc()).limit(1).offset(most)
                    if (newest_too_old := connection.scalar(too_old)) is not None:
                        connection.execute(audit.delete().where(those, audit.c.audit_id <= newest_too_old))

    def entries(self, *, before: int | None, by: str | None, subject: str | None, at_most: int) -> list[AuditEntry]:
        """The newest first; `before` is the id that a page begins below."""
        query = sql.select(audit).order_by(audit.c.audit_id.desc()).limit(at_most)
        if before is not None:
            query = query.where(audit.c.audit_id < before)
        if by is not None:
            query = query.where(audit.c.by == by)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        with self._store.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [AuditEntry(**{**row, "details": json.loads(row["details"])}) for row in rows]
