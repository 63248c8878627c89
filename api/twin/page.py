"""Pages of a list, after the AAS API: so many at a time, and a cursor to where it goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`cursor` is None where the list ends."""

    items: Sequence[T]
    cursor: str | None


def cut(items: Sequence[T], limit: int, cursor: str | None) -> Page[T]:
    """The page that begins at `cursor`; raises ValueError for one that no page gave.

    >>> cut("abc", 2, None), cut("abc", 2, "2")
    (Page(items='ab', cursor='2'), Page(items='c', cursor=None))
    """
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise ValueError(f"cursor: '{cursor}' should be the paging_metadata.cursor of the page before")
    first = int(cursor) if cursor is not None else 0
    after = first + limit
    return Page(items[first:after], str(after) if after < len(items) else None)
