"""What of a tenant's rows has changed since, and what comes back. Pure.

What is newer stays: a document that was in the bin then is left as it is now, names and metadata
that come back leave what they replace in the audit log, and an old content becomes a new version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

Line = str
Row = Mapping[str, Any]
Key = tuple[Any, ...]


class Wish(StrEnum):
    """What of a document that is there comes back."""

    UNDELETE = "undelete"
    CONTENT = "content"
    FIELDS = "fields"


_FIELDS: Final = ("original_name", "metadata")
_CONTENT: Final = ("checksum_sha256", "mime_type")


def wishes(then: Row, now: Row) -> frozenset[Wish]:
    """What of a document comes back, as its row was then and is now."""
    if then["deleted_at"] is not None:
        return frozenset()
    found = set()
    if now["deleted_at"] is not None:
        found.add(Wish.UNDELETE)
    if then["current_version"] and _differ(then, now, _CONTENT):
        found.add(Wish.CONTENT)
    if _differ(then, now, _FIELDS):
        found.add(Wish.FIELDS)
    return frozenset(found)


def _differ(then: Row, now: Row, names: tuple[str, ...]) -> bool:
    return any(then[name] != now[name] for name in names)


_READ: Final[Mapping[type[sa.types.TypeEngine[Any]], Callable[[Any], Any]]] = {
    sa.DateTime: datetime.fromisoformat,
    sa.Text: str.encode,
}
"""How values of a key compare as the database orders them; others do as they are read."""


def key_of(row: Row, columns: tuple[sa.Column[Any], ...]) -> Key:
    """A row's key, which compares as rows are ordered."""
    return tuple(_READ.get(type(one.type), _same)(row[one.name]) for one in columns)


def _same(value: Any) -> Any:
    return value


async def side_by_side(
    then: AsyncIterator[tuple[Key, Line]], now: AsyncIterator[tuple[Key, Line]]
) -> AsyncIterator[tuple[Line | None, Line | None]]:
    """Rows of two moments, each pair of one key; both in the order of keys."""
    old, new = await anext(then, None), await anext(now, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old[0] < new[0]):
            yield old[1] if old else None, None
            old = await anext(then, None)
        elif old is None or new[0] < old[0]:
            yield None, new[1]
            new = await anext(now, None)
        else:
            yield old[1], new[1]
            old, new = await anext(then, None), await anext(now, None)
