"""What a promotion would keep: whether every standby has a commit on disk."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from global_db.errors import ClusterError
from global_db.node import Node
from global_db.servers import Servers
from global_db.statement import ReadStatement, read
from shards.copying.errors import Unready
from shards.copying.lanes import together

# A pooled connection is lent for less than a read may take.
_LENT_SECONDS = 3.0

_receiver = sa.table("pg_stat_wal_receiver", sa.column("status"), schema="pg_catalog")
_ZERO: sa.ColumnElement[Any] = sa.literal_column("'0/0'::pg_lsn")
# What has been received and synced; on a primary NULL. The timeline tells whether it follows the
# primary that we mean: another one's WAL is as long and says nothing.
_RECEIVED = read(
    sa.select(
        sa.cast(sa.func.pg_last_wal_receive_lsn() - _ZERO, sa.BigInteger).label("flushed"),
        sa.func.docshard.timeline(type_=sa.Integer).label("timeline"),
        sa.exists().where(_receiver.c.status == "streaming").label("streams"),
    )
)
# The same, awaited where it happens.
_AWAIT = read(
    sa.select(
        sa.func.docshard.await_received(
            sa.bindparam("wanted", type_=sa.BigInteger),
            sa.bindparam("patience", type_=sa.Integer),
        ).table_valued(
            sa.column("flushed", sa.BigInteger),
            sa.column("timeline", sa.Integer),
            sa.column("streams", sa.Boolean),
            name="received",
        )
    )
)
_WRITTEN = read(
    sa.select(sa.cast(sa.func.pg_current_wal_flush_lsn() - _ZERO, sa.BigInteger).label("flushed"))
)


@dataclass(frozen=True, slots=True)
class Standby:
    """A catalogued node besides the primary, or why it cannot be asked. `flushed` in bytes."""

    name: str
    streams: bool
    flushed: int = 0
    timeline: int | None = None


async def await_flushed(cluster: Servers, timeline: int, lsn: int, seconds: float) -> None:
    """Wait until every catalogued standby has flushed this timeline's WAL up to `lsn` (bytes).

    Raises:
        Unready: one does not answer or does not stream, at once; or not within `seconds`. After a
            failover no server is left that could do so.
        ClusterError: there is no primary.
    """
    primary = cluster.primary()
    deadline = time.monotonic() + seconds
    standbys = (node for node in cluster.nodes if node is not primary)
    await together(_await_one(cluster, one, lsn, timeline, deadline) for one in standbys)


async def standbys_of(cluster: Servers) -> tuple[int, list[Standby]]:
    """What the primary has flushed, and each standby.

    Raises:
        ClusterError: there is no primary.
    """
    primary = cluster.primary()
    async with cluster.read() as connection:
        flushed = int((await connection.one(_WRITTEN) or {})["flushed"])
    others = [node for node in cluster.nodes if node is not primary]
    return flushed, list(await asyncio.gather(*(_ask(cluster, node) for node in others)))


async def _await_one(
    cluster: Servers, node: Node, lsn: int, timeline: int, deadline: float
) -> None:
    while True:
        patience = min(_LENT_SECONDS, max(0.0, deadline - time.monotonic()))
        found = await _ask(cluster, node, _AWAIT, wanted=lsn, patience=math.ceil(patience * 1000))
        if found.timeline == timeline and found.flushed >= lsn:
            return
        if not found.streams or found.timeline != timeline:
            raise Unready(
                f"{cluster.name}: the standby {node.address.name} does not follow the primary:"
                " start it, or take it out of the catalogue"
            )
        if time.monotonic() > deadline:
            raise Unready(
                f"{cluster.name}: the standby {node.address.name} is"
                f" {lsn - found.flushed} bytes behind: find out why it is slow"
            )


async def _ask(
    cluster: Servers, node: Node, question: ReadStatement = _RECEIVED, **values: int
) -> Standby:
    name = node.address.name
    try:
        async with cluster.read_on(node) as connection:
            row: dict[str, Any] = await connection.one(question, **values) or {}
    except ClusterError:
        return Standby(name, streams=False)
    return Standby(name, row["streams"], int(row["flushed"] or 0), row["timeline"])
