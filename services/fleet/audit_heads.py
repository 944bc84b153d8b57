"""Signing the heads of chains: once a minute, of those that grew.

A head is signed only where the chain still agrees with the head before: what was truncated or
rewritten since is told, and never vouched for.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from global_db import audit_heads
from global_db import chain as global_chain
from global_db.audit_heads import GLOBAL_CHAIN, Head
from global_db.chain import Tip
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from services.chain.heads import sign
from services.chain.sources import ChainSource, chain_of
from services.errors import ServiceError
from services.failures import global_failures
from services.keys.keyring import Keyring
from services.keys.material import Purpose
from services.resources import Data
from shards import chain
from shards.registry import ShardBehind

_log = logging.getLogger(__name__)

_TENANTS: Final = 500

Tips = Sequence[tuple[UUID, Tip]]


async def sign_heads(data: Data, keyring: Keyring) -> int:
    """Sign every head that moved; answers how many. A shard that is away waits for the next time.

    Raises:
        ClusterError: the global database is away. KeysUnavailable.
    """
    signed = await _sign_global(data, keyring)
    for shard in data.registry.shards():
        try:
            signed += await _sign_shard(data, keyring, data.registry.cluster(shard.name))
        except (ClusterError, ShardBehind) as error:
            _log.warning("heads of %s are signed next time: %s", shard.name, error)
    return signed


async def sign_chain(data: Data, keyring: Keyring, client_id: UUID) -> None:
    """Sign the head of one chain now, if it moved."""
    tip = await chain_of(data, client_id).tip()
    if tip is not None:
        with global_failures():
            await _sign(data, keyring, [(client_id, tip)])


async def _sign_global(data: Data, keyring: Keyring) -> int:
    async with data.global_db.read() as connection:
        tip = await global_chain.tip(connection)
    return 0 if tip is None else await _sign(data, keyring, [(GLOBAL_CHAIN, tip)])


async def _sign_shard(data: Data, keyring: Keyring, cluster: Cluster) -> int:
    """From page to page of tenants: one look at each tenant's newest link."""
    signed, after = 0, UUID(int=0)
    while True:
        async with cluster.read() as connection:
            tips = await chain.tips(connection, after, _TENANTS)
        signed += await _sign(data, keyring, tips)
        if len(tips) < _TENANTS:
            return signed
        after = tips[-1][0]


async def _sign(data: Data, keyring: Keyring, tips: Tips) -> int:
    moved = await _moved(data, tips)
    if not moved:
        return 0
    key, now = keyring.current(Purpose.AUDIT_HEADS), datetime.now(UTC)
    async with data.global_db.write() as connection:
        for client_id, tip in moved:
            await audit_heads.keep(connection, sign(key, client_id, tip, now))
    return len(moved)


async def _moved(data: Data, tips: Tips) -> list[tuple[UUID, Tip]]:
    """The chains that grew since their last head, and agree with it."""
    async with data.global_db.read() as connection:
        newest = await audit_heads.newest(connection, [client_id for client_id, _ in tips])
    return [
        (client_id, tip)
        for client_id, tip in tips
        if _differs(newest.get(client_id), tip)
        and await _agrees(chain_of(data, client_id), newest.get(client_id))
    ]


def _differs(head: Head | None, tip: Tip) -> bool:
    return head is None or (head.seq, head.chain_hash) != (tip.seq, tip.chain_hash)


async def _agrees(source: ChainSource, head: Head | None) -> bool:
    """Whether the chain still has the link that was vouched for."""
    if head is None:
        return True
    try:
        found = await source.link_at(head.seq)
    except ServiceError as error:
        # Moving, or deleted meanwhile: nothing is known against it, and nothing is signed blindly.
        _log.info("the head of %s is signed next time: %s", source.client_id, error)
        return False
    if found is None or found[1] != head.chain_hash:
        _log.error("the audit chain of %s does not agree with its signed head", source.client_id)
        return False
    return True
