"""Whether every audit chain still has the link that its newest signed head vouches for.

One look at each chain, so that the doctor may look at all of them; `docshard audit verify` reads
every row and says what was changed. The worker signs no chain that disagrees, and says so in its
log alone: here somebody hears of it. Rows that wait for their links tell that no worker runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from global_db import audit_heads, clients
from global_db.audit_heads import GLOBAL_CHAIN, Head
from global_db.errors import ClusterError
from services.chain.sources import chain_of
from services.chain.verification import LAG
from services.errors import ServiceError
from services.fleet.finding import Finding
from services.resources import Data

__all__ = ["ChainState", "Head", "examine", "judge"]

_PAGE: Final = 200
_SIDE_BY_SIDE: Final = 8
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ChainState:
    """A chain, its newest head, the hash of the link that the head names, and since when the
    oldest row waits for its link; None where there is none."""

    name: str
    head: Head | None
    link_hash: bytes | None
    waiting_since: datetime | None


async def examine(data: Data) -> list[Finding]:
    """Look at every chain, deleted clients' too; what does not answer is the doctor's affair."""
    found: list[Finding] = []
    names: Mapping[UUID, str] = {GLOBAL_CHAIN: "the global log"}
    after = _FIRST
    try:
        while names:
            found += judge(await _states(data, names), datetime.now(UTC))
            async with data.global_db.read() as connection:
                page = await clients.every(connection, after, _PAGE)
            names = {client.id: f"client {client.code}" for client in page}
            after = page[-1].id if page else after
    except ClusterError:
        pass
    return found


def judge(states: Iterable[ChainState], now: datetime) -> Iterator[Finding]:
    """What disagrees with its head, and what nobody links."""
    for state in states:
        head = state.head
        if head is not None and state.link_hash != head.chain_hash:
            what = f"its audit chain does not agree with the head signed at seq {head.seq}"
            advice = "`docshard audit verify` tells where it was changed; keep the shard's backups"
            yield Finding(state.name, what, advice)
        if state.waiting_since is not None and now - state.waiting_since > LAG:
            what = f"has audit rows without a link since {state.waiting_since:%Y-%m-%d %H:%M} UTC"
            yield Finding(state.name, what, "see that `docshard worker` runs")


async def _states(data: Data, names: Mapping[UUID, str]) -> list[ChainState]:
    async with data.global_db.read() as connection:
        heads = await audit_heads.newest(connection, list(names))
    places = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def look(client_id: UUID) -> ChainState | None:
        head, source = heads.get(client_id), chain_of(data, client_id)
        async with places:
            try:
                link = None if head is None else await source.link_at(head.seq)
                waiting = await source.waiting_since()
            except ServiceError:
                return None
        return ChainState(names[client_id], head, None if link is None else link[1], waiting)

    looked = await asyncio.gather(*(look(client_id) for client_id in names))
    return [state for state in looked if state is not None]
