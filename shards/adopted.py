"""A restored shard before it is taken into use: tenants are opened again; asked as the mover."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.cluster import Cluster
from global_db.statement import write
from shards.census import Resident
from shards.tables import residency

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_EPOCH = sa.bindparam("found_epoch", type_=sa.BigInteger)
_OPEN = write(
    sa.update(residency)
    .where(
        residency.c.client_id == _CLIENT,
        residency.c.epoch == _EPOCH,
        residency.c.state == sa.bindparam("found_state", type_=sa.Text),
    )
    .values(
        state="open",
        epoch=sa.bindparam("new_epoch", type_=sa.BigInteger),
        move_id=None,
        generation=None,
        changed_at=sa.func.now(),
    )
    .returning(residency.c.client_id)
)


async def open_again(cluster: Cluster, found: Resident, epoch: int) -> bool:
    """Open a tenant at a newer epoch, if it is still as it was found. Nobody else is there yet."""
    async with cluster.write() as connection:
        row = await connection.returning(
            _OPEN,
            client_id=found.client_id,
            found_epoch=found.epoch,
            found_state=found.state,
            new_epoch=epoch,
        )
    return row is not None
