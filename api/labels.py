"""What was the case when, as people say it: labels of a machine's time, and verdicts on its alarms."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import sqlalchemy as sql

from api.database import labels
from api.store import Store
from edge.contracts.errors import KullagerError

MOST_LABELS: Final = 100_000
Condition = Literal["healthy", "fault", "failed", "unknown"]
Verdict = Literal["right", "false", "unclear"]


class LabelRefused(KullagerError):
    """There is no room for a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """From `first` to `last` [ns since 1970 UTC], None where it still holds; `label` is a condition, `fault` its mode.

    verdict: on the alarm `alarm_id`
    """

    asset: str
    first: int
    last: int | None
    label: str
    fault: str | None = None
    alarm_id: str | None = None
    verdict: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(NewLabel):
    """`made` by `by` [ns since 1970 UTC]."""

    label_id: int
    made: int
    by: str

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in a list."""
        return self.first, self.label_id


class Labels:
    """Methods block."""

    def __init__(self, store: Store, *, now: Callable[[], int] = time.time_ns) -> None:
        self._store, self._now = store, now

    def add(self, new: NewLabel, *, by: str) -> Label:
        """A verdict takes the place of the one before on the same alarm. Raises `LabelRefused`."""
        made, values = self._now(), asdict(new)
        with self._store.begin() as connection:
            if new.verdict is not None:
                connection.execute(labels.delete().where(labels.c.alarm_id == new.alarm_id, labels.c.verdict.is_not(None)))
            if (connection.scalar(sql.select(sql.func.count()).select_from(labels)) or 0) >= MOST_LABELS:
                raise LabelRefused(f"there are {MOST_LABELS} labels, which is the most that are kept; delete some first")
            inserted = connection.execute(labels.insert().values(**values, made=made, by=by))
            assert inserted.inserted_primary_key is not None  # noqa: S101  # an insert into a table with a key
            label_id = inserted.inserted_primary_key[0]
        return Label(**values, label_id=label_id, made=made, by=by)

    def find(
        self,
        *,
        asset: str | None = None,
        alarm_id: str | None = None,
        first: int | None = None,
        last: int | None = None,
        after: tuple[int, int] | None = None,
        at_most: int,
    ) -> list[Label]:
        """Those that overlap `first` to `last` [ns since 1970 UTC], the earliest first; `after` the place of one."""
        columns = labels.c
        query = sql.select(labels).order_by(columns.first, columns.label_id).limit(at_most)
        if asset is not None:
            query = query.where(columns.asset == asset)
        if alarm_id is not None:
            query = query.where(columns.alarm_id == alarm_id)
        if first is not None:
            query = query.where(sql.or_(columns.last.is_(None), columns.last >= first))
        if last is not None:
            query = query.where(columns.first <= last)
        if after is not None:
            query = query.where(sql.tuple_(columns.first, columns.label_id) > sql.tuple_(*after))
        with self._store.connect() as connection:
            rows: list[dict[str, Any]] = [dict(row) for row in connection.execute(query).mappings()]
        return [Label(**row) for row in rows]

    def delete(self, label_id: int) -> bool:
        """Whether there was one."""
        with self._store.begin() as connection:
            return connection.execute(labels.delete().where(labels.c.label_id == label_id)).rowcount > 0
