"""Lists in pages: `limit` and `cursor` in the address; `next` of the answer is the address of the following page."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

from api.cursor import LARGEST
from api.problems import Problem, ProblemType
from edge.formats.json_message import parse_time

MOST_ITEMS: Final = 1000
T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="at most so many items", examples=[100])]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="where a page begins: comes in `next` of the page before", examples=[None]),
]


def cut(items: Sequence[T], limit: int) -> tuple[Sequence[T], T | None]:
    """Of `limit` + 1 items that were asked for: those of the page, and its last one where another page follows."""
    return (items[:limit], items[limit - 1]) if len(items) > limit else (items, None)


def between(first: str | None, last: str | None) -> tuple[int, int] | None:
    """The span [ns since 1970 UTC] that `from` and `to` name, None where neither is given; raises `Problem`."""
    if first is None and last is None:
        return None
    since = parse_time(first) if first is not None else -LARGEST
    until = parse_time(last) if last is not None else LARGEST
    if since > until:
        raise Problem(ProblemType.INVALID_REQUEST, f"query.from: {first} should be a time before query.to, {last}")
    return since, until


def place_of(cursor: str | None) -> tuple[int, int, str] | None:
    """The place in a list that `TIME.NUMBER.ID` tells; raises `Problem`."""
    if cursor is None:
        return None
    time, _, rest = cursor.partition(".")
    number, _, identifier = rest.partition(".")
    try:
        if max(abs(int(time)), abs(int(number))) <= LARGEST:
            return int(time), int(number), identifier
    except ValueError:
        pass
    raise Problem(ProblemType.INVALID_REQUEST, f"query.cursor: '{cursor}' should be as `next` of a page tells it")


def cursor_of(place: tuple[int, int, str]) -> str:
    return ".".join(map(str, place)).rstrip(".")


def next_address(request: Request, cursor: Any | None) -> str | None:
    """The address of the following page, relative to that of this one: `?limit=100&cursor=4711`."""
    if cursor is None:
        return None
    asked = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    return "?" + urlencode([*asked, ("cursor", str(cursor))])
