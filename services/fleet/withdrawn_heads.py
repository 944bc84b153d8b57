"""Signed heads of audit chains whose ends a restored shard does not have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from global_db import adoptions, audit_heads
from global_db.audit_heads import Head
from global_db.cluster import Cluster
from global_db.connection import WriteConnection
from services.audit import Event, record_global
from services.errors import Conflict
from services.identity.principal import Origin
from shards import census, chain
from shards.census import Span

_TENANTS = 500


async def ahead(directory: Cluster, cluster: Cluster) -> AsyncIterator[tuple[Head, int]]:
    """Signed heads of what the restored shard has lost, and the seq where each chain ends.

    They would make the log of every tenant who wrote in the last minute before the disaster look
    forged, for ever, and none would be signed again. So they are withdrawn into the global audit
    log, where each of them stays readable.
    """
    after, last = UUID(int=0), UUID(int=2**128 - 1)
    while True:
        async with cluster.read() as connection:
            page = await census.residents(connection, Span(after, last, _TENANTS))
            tips = dict(await chain.tips(connection, after, _TENANTS))
        ends = {
            one.client_id: tips[one.client_id].seq if one.client_id in tips else 0
            for one in page
            if one.state == "open"
        }
        async with directory.read() as connection:
            newest = await audit_heads.newest(connection, list(ends))
            for client_id in (one for one, head in newest.items() if head.seq > ends[one]):
                for head in await audit_heads.of_chain(connection, client_id):
                    if head.seq > ends[client_id]:
                        yield head, ends[client_id]
        if len(page) < _TENANTS:
            return
        after = page[-1].client_id


async def withdraw(connection: WriteConnection, head: Head, seq: int, reason: str | None) -> None:
    """Remove a head from those that chains are held to, and write it into the global audit log.

    Raises:
        Conflict: another one has taken its place.
    """
    if not await adoptions.withdraw(connection, head):
        raise Conflict("An audit log was signed meanwhile: run it again.")
    before = {
        "seq": head.seq,
        "chain_hash": head.chain_hash.hex(),
        "signed_at": str(head.signed_at),
        "kid": str(head.kid),
        "signature": head.signature.hex(),
    }
    event = Event("audit.withdraw", "client", head.client_id, before, {"seq": seq})
    await record_global(connection, Origin(reason=reason), event, head.client_id)
