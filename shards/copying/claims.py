"""Which generation of a move may change a shard. See migrations/sql/0008_moving.sql."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import sqlalchemy as sa

from global_db.cluster import Cluster
from global_db.connection import ReadConnection
from global_db.errors import LockNotAvailable
from global_db.statement import read, write
from shards.copying.batch import Mover
from shards.copying.errors import Unready, superseding

_CLAIM_SECONDS = 3.0
_LOCK_MS = 200

_MOVE = sa.bindparam("move_id", type_=sa.Uuid)
_GENERATION = sa.bindparam("generation", type_=sa.BigInteger)
_PATIENCE = write(sa.select(sa.func.set_config("lock_timeout", str(_LOCK_MS), sa.true())))
_END_OLDER = write(sa.select(sa.func.docshard.end_older_movers(_MOVE, _GENERATION)))
_CLAIM = write(sa.select(sa.func.docshard.claim_move(_MOVE, _GENERATION)))
_PLACE = read(
    sa.select(
        sa.func.docshard.place().table_valued(
            sa.column("system", sa.BigInteger), sa.column("timeline", sa.Integer), name="place"
        )
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """Which database system a shard's primary is, and on which timeline it writes."""

    system: int
    timeline: int


async def claim(cluster: Cluster, mover: Mover) -> Place:
    """Make this generation the only one that may change the shard; ends sessions of older ones.

    When it returns, nothing of an older generation is under way here, and nothing will be.

    Raises:
        Superseded: a newer generation has claimed it.
        Unready: a session of an older one does not end.
        ClusterError.
    """
    deadline = time.monotonic() + _CLAIM_SECONDS
    with superseding():
        while not await _claimed(cluster, mover):
            if time.monotonic() > deadline:
                raise Unready(f"{cluster.name}: an older session of the move does not end")
            await asyncio.sleep(0.05)
    return await place(cluster)


async def place(cluster: Cluster) -> Place:
    """Where the shard's primary stands now: another answer than before is a failover.

    Raises:
        ClusterError.
    """
    async with cluster.read() as connection:
        return await place_by(connection)


async def _claimed(cluster: Cluster, mover: Mover) -> bool:
    """False when an older generation's transaction holds the claim; it has been told to end."""
    values = {"move_id": mover.move_id, "generation": mover.generation}
    try:
        async with cluster.write() as connection:
            await connection.send(_PATIENCE)
            await connection.returning(_END_OLDER, **values)
            await connection.returning(_CLAIM, **values)
    except LockNotAvailable:
        return False
    return True


async def place_by(connection: ReadConnection) -> Place:
    """The same of the server behind this connection."""
    row = await connection.one(_PLACE)
    if row is None:
        raise LookupError("place() answers one row")
    return Place(row["system"], row["timeline"])
