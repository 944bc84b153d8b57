"""What a shard publishes of a batch: made and dropped by the superuser's functions."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.cluster import Cluster
from global_db.statement import write
from shards.copying.batch import Batch, Mover
from shards.copying.sessions import changing
from shards.tables import TENANT_TABLES

_NAME = sa.bindparam("name", type_=sa.Text)
_PUBLISH = write(
    sa.select(
        sa.func.docshard.publish(
            _NAME,
            sa.bindparam("tables", type_=sa.ARRAY(sa.Text)),
            sa.bindparam("clients", type_=sa.ARRAY(sa.Uuid)),
            sa.bindparam("stream", type_=sa.Uuid),
        )
    )
)
_UNPUBLISH = write(sa.select(sa.func.docshard.unpublish(_NAME)))
_TABLES = [table.name for table in TENANT_TABLES]


async def publish(source: Cluster, mover: Mover, batch: Batch, *, back: bool = False) -> None:
    """Publish the batch's rows of every tenant table, and the stream's markers; made anew if there.

    Before the slot is made: it decodes with the publications of its own time. With `back` it is the
    target that publishes.

    Raises:
        Superseded, ClusterError.
    """
    stream = mover.stream(back=back)
    async with changing(source, mover) as connection:
        await connection.send(_UNPUBLISH, name=stream.name)
        await connection.returning(
            _PUBLISH,
            name=stream.name,
            tables=_TABLES,
            clients=list(batch.clients),
            stream=stream.move_id,
        )


async def unpublish(cluster: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the publication, if there is one. After its slot.

    Raises:
        Superseded, ClusterError.
    """
    async with changing(cluster, mover) as connection:
        await connection.returning(_UNPUBLISH, name=mover.stream(back=back).name)
