"""The change feed: a tenant's changes in the order of seq, from where the follower stopped.

A link is seen only when every one before it is, so who asks for what comes after the last seq seen
misses nothing: over pages, over breaks, and over a move, with which the chain goes along.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from global_db.chain import Link
from services.access.admission import TenantAccess
from services.chain.sources import TenantChain, seq_reaching
from services.chain.walk import LATE
from services.committed import read
from services.cursor import ListScope
from services.errors import CursorExpired
from services.pages import Page, PageRequest
from services.resources import Resources
from services.tenant.feed import Feed
from shards import chain

_log = logging.getLogger(__name__)

READS: Final = frozenset({"content.read"})
"""What the feed leaves out: it changes nothing, and who reads what is for auditors."""
_SCAN: Final = 200
_SCANS: Final = 10
_END: Final = 2**62


@dataclass(frozen=True, slots=True)
class Change:
    """One change. Numbers that are missing between two belong to reads."""

    seq: int
    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]
    created_at: datetime


@dataclass(slots=True)
class _Following:
    """A follower on the way: behind which seq, and what was already archived when it set out."""

    resources: Resources
    client_id: UUID
    seq: int
    floor: datetime | None
    items: list[Change] = field(default_factory=list)

    async def gather(self, limit: int) -> bool:
        """Take what is there, as far as one request may look; whether there may be more."""
        source = TenantChain(self.resources.data, self.client_id)
        for _ in range(_SCANS):
            links = await source.links(self.seq, _END, _SCAN)
            for link in links:
                if len(self.items) == limit:
                    return True
                await self._take(link)
            if len(links) < _SCAN:
                return False
        return True

    async def _take(self, link: Link) -> None:
        if link.content is None:
            await self._pass(link)
        elif link.content["action"] not in READS:
            self.items.append(_change(link.seq, link.content))
        self.seq = link.seq

    async def _pass(self, link: Link) -> None:
        """Go past a row that is gone, if it was before this follower began.

        Raises:
            CursorExpired: it was archived before this follower came to it.
        """
        if self.floor is not None and link.audit_created_at < self.floor:
            return
        oldest = await read(self.resources, self.client_id, chain.oldest_row)
        if oldest is None or link.audit_created_at < oldest:
            raise CursorExpired
        # Younger than what is kept, so nobody archived it. Verification says the same, and louder.
        _log.error("the audit row of %s at seq %s is missing", self.client_id, link.seq)


async def follow(
    resources: Resources, access: TenantAccess, request: PageRequest, feed: Feed, seconds: float
) -> Page[Change]:
    """The changes behind the cursor, from the oldest kept without one.

    With nothing new it waits up to `seconds` for something. There always is a next cursor; a page
    may be short, or empty.

    Raises:
        InvalidCursor; CursorExpired; Overloaded: too many wait already.
    """
    deadline = time.monotonic() + seconds
    scope = ListScope("changes", access.client_id)
    follower = await _start(resources, access.client_id, scope, request.cursor)
    while not await follower.gather(request.limit) and not follower.items:
        left = deadline - time.monotonic()
        if left <= 0 or not await feed.grown(access.client_id, follower.seq, left):
            break
    floor = None if follower.floor is None else follower.floor.isoformat()
    cursor = resources.secrets.cursors.encode(scope, (follower.seq, floor))
    return Page(follower.items, cursor)


async def _start(
    resources: Resources, client_id: UUID, scope: ListScope, cursor: str | None
) -> _Following:
    if cursor is not None:
        seq, floor = await resources.secrets.cursors.decode(scope, cursor)
        known = None if floor is None else datetime.fromisoformat(floor)
        return _Following(resources, client_id, int(seq), known)
    oldest = await read(resources, client_id, chain.oldest_row)
    floor = oldest or datetime.now(UTC)
    first = await seq_reaching(TenantChain(resources.data, client_id), floor - LATE)
    return _Following(resources, client_id, first - 1, floor)


def _change(seq: int, content: Any) -> Change:
    names = (name for name in Change.__slots__ if name not in {"seq", "changes"})
    told = {name: content[name] for name in names}
    return Change(seq=seq, changes=orjson.loads(content["changes"]), **told)
