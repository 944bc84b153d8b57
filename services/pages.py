"""Pages of lists: keyset, so that page 1,000 costs what page 1 costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.cursor import Cursors, ListScope, Position

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items, and from where; `cursor` is what an earlier page gave."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor of the next page; None after the last."""

    items: list[T]
    next_cursor: str | None


async def start_of(cursors: Cursors, scope: ListScope, request: PageRequest) -> Position | None:
    """The position behind which the page begins.

    Raises:
        InvalidCursor: the cursor belongs to another list, client or filter.
    """
    if request.cursor is None:
        return None
    return await cursors.decode(scope, request.cursor)


def page_of(
    rows: list[T],
    request: PageRequest,
    encode: Callable[[T], str],
) -> Page[T]:
    """Cut a page from rows that were asked for with one more than the limit."""
    items = rows[: request.limit]
    return Page(items, encode(items[-1]) if len(rows) > request.limit else None)
