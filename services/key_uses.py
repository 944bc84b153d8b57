"""Telling the global database which API keys are in use, every few seconds.

It is off the path of requests: a key is noted when its holder is looked up, once in a principal's
lease, and a round that the global database does not take is lost. So `last_used_at` may lag by a
lease and a round; nobody is let in or kept out by it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from global_db import api_keys
from global_db.cluster import Cluster
from services import repeating

EVERY_SECONDS = 10.0
_AT_MOST = 20_000


class KeyUses:
    """The keys of which one process has heard since it last told, no more than `at_most`."""

    def __init__(self, at_most: int = _AT_MOST) -> None:
        self._at_most = at_most
        self._used: set[UUID] = set()

    def note(self, key_id: UUID) -> None:
        """This key has been used just now. One too many is told of another time."""
        if len(self._used) < self._at_most:
            self._used.add(key_id)

    def take(self) -> list[UUID]:
        """All of them; noting begins anew."""
        taken, self._used = self._used, set()
        return sorted(taken)


async def tell(global_db: Cluster, uses: KeyUses) -> int:
    """Date the keys that were used, in one transaction; answers how many that were.

    Raises:
        ClusterError: these uses are forgotten.
    """
    used = uses.take()
    if not used:
        return 0
    async with global_db.write() as connection:
        return await api_keys.note_uses(connection, used)


@asynccontextmanager
async def telling(
    global_db: Cluster, uses: KeyUses, every_seconds: float = EVERY_SECONDS
) -> AsyncIterator[None]:
    """Tell again and again while the block lasts, and once more in the end."""

    async with repeating.telling(
        lambda: tell(global_db, uses), "uses of API keys are not dated", every_seconds
    ):
        yield
