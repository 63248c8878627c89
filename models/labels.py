"""What was the case when: healthy, faulty, failed or unknown periods of a machine, from a CSV or from acknowledged alarms.

    asset,from,to,state,mode,mechanism,cause,comment
    press-1,2026-11-02T06:00:00Z,2026-11-08T22:00:00Z,healthy,,,,
    press-1,2026-11-09T10:12:00Z,2026-11-09T15:40:00Z,fault,bearing-outer-race,wear,lubrication,grease was dry
    press-1,2026-11-09T15:40:00Z,,failed,bearing-outer-race,,,

`mode`, `mechanism` and `cause` are those of ISO 14224: what was seen, what happened physically, what led to it. Periods that
nothing is said of are healthy where no period is named so, and unknown where one is.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.formats.json_message import format_time, parse_time

COLUMNS: Final = ("asset", "from", "to", "state", "mode", "mechanism", "cause", "comment")
NEEDED: Final = ("from", "to", "state")
FOREVER: Final = np.iinfo(np.int64).max


class LabelError(KullagerError):
    """Labels cannot be read, or contradict each other or the recording."""


class Condition(StrEnum):
    HEALTHY = "healthy"
    FAULT = "fault"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `first` to `last` [ns UTC], both within; a failure is a moment, and ends a life."""

    first: int
    last: int
    condition: Condition
    mode: str = ""
    mechanism: str = ""
    cause: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The periods of one asset, in order of time; `begins` [ns UTC] is where each of several put end to end begins."""

    path: str
    periods: tuple[Period, ...]
    begins: tuple[int, ...] = ()

    def of(self, condition: Condition) -> tuple[Period, ...]:
        return tuple(period for period in self.periods if period.condition is condition)

    @property
    def modes(self) -> tuple[str, ...]:
        """The fault modes that were seen, in alphabetical order."""
        return tuple(sorted({period.mode for period in self.of(Condition.FAULT)}))

    def period_of(self, condition: Condition, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) for spans of time the number of the period that each lies in as a whole, among those of `condition`; or -1."""
        found = np.full(len(first), -1, np.int64)
        for number, period in enumerate(self.of(condition)):
            found[(first >= period.first) & (last <= period.last)] = number
        return found

    def machine_at(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the number of the machine that each time belongs to."""
        return np.searchsorted(np.array(self.begins, np.int64), time, "right")

    def healthy(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) which spans of time are healthy from end to end."""
        if self.of(Condition.HEALTHY):
            return self.period_of(Condition.HEALTHY, first, last) >= 0
        free = np.ones(len(first), np.bool_)
        for period in self.periods:
            free &= (last < period.first) | (first > period.last)
        return free

    def check(self, recording: str, first: int, last: int) -> None:
        """Raise `LabelError` where a label lies outside the recording [ns UTC]."""
        for period in self.periods:
            # a machine that failed was often not recorded to its last moment
            latest = 2 * last - first if period.condition is Condition.FAILED else last
            if period.last < first or period.first > latest:
                raise LabelError(
                    f"{self.path}: {period.condition} from {format_time(period.first)} lies outside {recording}, which goes "
                    f"from {format_time(first)} to {format_time(last)}; is its time zone right?"
                )


def read_labels(path: Path | str, asset: str, *, may_be_silent: bool = False) -> Labels:
    """The labels of one asset, none where it `may_be_silent`. Raises `LabelError` that names the file and the row."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: cannot be read: {error}") from None
    header = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    names = [name.strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    if missing := [name for name in NEEDED if name not in names]:
        raise LabelError(f"{path}: has no column '{missing[0]}'; it should have {', '.join(COLUMNS)}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise LabelError(f"{path}: column '{unknown[0]}' means nothing here; possible: {', '.join(COLUMNS)}")
    periods = []
    for number, row in enumerate(rows, start=2):
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if cells["asset"] in ("", asset):
            periods.append(_period(f"{path}: row {number}", cells))
    if not periods and not may_be_silent:
        raise LabelError(f"{path}: says nothing of '{asset}'")
    periods.sort(key=lambda period: (period.first, period.last))
    _check_overlaps(str(path), periods)
    return Labels(path=str(path), periods=tuple(periods))


def _period(where: str, cells: dict[str, str]) -> Period:
    try:
        condition = Condition(cells["state"])
    except ValueError:
        raise LabelError(f"{where}: state '{cells['state']}' should be {', '.join(Condition)}") from None
    first = _time(where, "from", cells["from"])
    last = first if condition is Condition.FAILED else FOREVER
    if cells["to"]:
        last = _time(where, "to", cells["to"])
    if last < first:
        raise LabelError(f"{where}: ends ({cells['to']}) before it begins ({cells['from']})")
    if condition is Condition.FAULT and not cells["mode"]:
        raise LabelError(f"{where}: a fault needs its mode, such as bearing-outer-race; where it is not known, say 'unknown'")
    named = {name: cells[name] for name in ("mode", "mechanism", "cause", "comment")}
    return Period(first=first, last=last, condition=condition, **named)


def _time(where: str, name: str, cell: str) -> int:
    try:
        return parse_time(cell.replace(" ", "T", 1))
    except ValueError:
        raise LabelError(
            f"{where}: '{name}' is '{cell}'; it should be a time with its zone, such as 2026-11-02T06:00:00Z"
        ) from None


def _check_overlaps(path: str, periods: Sequence[Period]) -> None:
    """What is healthy cannot be faulty at the same time."""
    healthy = [period for period in periods if period.condition is Condition.HEALTHY]
    for other in periods:
        for period in healthy:
            if other.condition is not Condition.HEALTHY and other.first < period.last and period.first < other.last:
                raise LabelError(
                    f"{path}: {format_time(max(period.first, other.first))} is labelled both healthy and {other.condition}"
                )


def read_alarms(source: str) -> list[dict[str, Any]]:
    """Alarms as the api gives them, from its address or from a file. Raises `LabelError`."""
    try:
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=10.0) as answer:  # noqa: S310 - the scheme has been looked at
                content = answer.read()
        else:
            content = Path(source).read_bytes()
        found = json.loads(content)
        items = found["items"] if isinstance(found, dict) else found
        if not all(isinstance(alarm, dict) and "raised" in alarm and "asset" in alarm for alarm in items):
            raise ValueError("its items are no alarms")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(f"{source}: should give alarms as the api's /api/v1/alarms does: {error}") from None
    return list(items)


def from_alarms(alarms: Sequence[dict[str, Any]]) -> str:
    """Acknowledged alarms, as the api gives them, as labels to be completed: CSV.

    Somebody has looked at them; what it was stands in the comment, and goes into `mode` by hand. Until then a period is
    `unknown`, so that nothing is learnt from it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for alarm in sorted(alarms, key=lambda each: str(each["raised"])):
        if alarm.get("by"):
            to = alarm["changed"] if str(alarm["state"]).startswith(("normal", "returned")) else ""
            comment = f"{alarm['text']['en']} ({alarm['by']}: {alarm.get('comment') or 'no comment'})"
            writer.writerow([alarm["asset"], alarm["raised"], to, Condition.UNKNOWN, "", "", "", comment])
    return out.getvalue()
