"""Cursors of lists: where a page ended, bound to the list, its client and its filters."""

import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Any
from uuid import UUID

import orjson

from global_db.values import value
from services.errors import InvalidCursor
from services.keys.signing import BadSignature, Signer

Position = tuple[Any, ...]
"""The sort key of the last row given: values that JSON has. UUIDs and times come back as text."""


@value
class ListScope:
    """Which list a cursor belongs to. `client_id` is None for global lists.

    `filters` are the values that choose and order rows; not the limit, which may change.
    """

    name: str
    client_id: UUID | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> bytes:
        """SHA-256 of the scope; equal scopes, whatever the order of their filters, are equal."""
        canonical = orjson.dumps(
            [self.name, self.client_id, dict(self.filters)], option=orjson.OPT_SORT_KEYS
        )
        return hashlib.sha256(canonical).digest()


class Cursors:
    """Gives out cursors and takes them back."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def encode(self, scope: ListScope, position: Position) -> str:
        """Make the cursor of the page that follows `position`."""
        return self._signer.sign(_context(scope), orjson.dumps(position))

    async def decode(self, scope: ListScope, text: str) -> Position:
        """Give the position.

        Raises:
            InvalidCursor: tampered with, or given out for another list, client or filter.
            KeysUnavailable.
        """
        try:
            payload = await self._signer.unsign(_context(scope), text)
        except BadSignature as error:
            raise InvalidCursor(
                "This cursor was not given out for this list with these filters."
            ) from error
        return tuple(orjson.loads(payload))


def _context(scope: ListScope) -> bytes:
    return b"cursor\0" + scope.digest()
