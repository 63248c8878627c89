"""Lists in pages: `limit` and `cursor` in the address; `next` of the answer is the address of the following page."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

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


def next_address(request: Request, cursor: Any | None) -> str | None:
    """The address of the following page, relative to that of this one: `?limit=100&cursor=4711`."""
    if cursor is None:
        return None
    asked = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    return "?" + urlencode([*asked, ("cursor", str(cursor))])
