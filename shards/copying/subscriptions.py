"""A shard's subscription to another one: made and dropped by the superuser's functions."""

from __future__ import annotations

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from global_db.cluster import Cluster
from global_db.statement import write
from shards.copying.batch import Mover
from shards.copying.sessions import changing

_NAME = sa.bindparam("name", type_=sa.Text)
# Bound values of a statement that is logged, or is slow, would be logged with it.
_UNLOGGED = write(sa.select(sa.func.set_config("log_parameter_max_length", "0", sa.true())))
_SUBSCRIBE = write(
    sa.select(sa.func.docshard.subscribe(_NAME, sa.bindparam("conninfo", type_=sa.Text)))
)
_UNSUBSCRIBE = write(sa.select(sa.func.docshard.unsubscribe(_NAME)))


async def subscribe(
    target: Cluster, mover: Mover, source_conninfo: str, *, back: bool = False
) -> None:
    """Apply the stream on this shard from where its slot stands; made anew if there.

    With `back` it is the source that subscribes to the target. `source_conninfo` is the direct
    address of the publishing primary with the mover's password, which no log and no error shows.

    Raises:
        Superseded, ClusterError.
        Unready: the publisher cannot be reached from that server.
    """
    name = mover.stream(back=back).name
    # Its own name there, so that no rule about standbys takes it for one.
    conninfo = make_conninfo(source_conninfo, application_name=name)
    async with changing(target, mover) as connection:
        await connection.send(_UNLOGGED)
        await connection.send(_UNSUBSCRIBE, name=name)
        await connection.returning(_SUBSCRIBE, name=name, conninfo=conninfo)


async def unsubscribe(target: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the subscription, if there is one; its slot on the other shard stays.

    When it returns nothing is applied any more.

    Raises:
        Superseded, ClusterError.
    """
    async with changing(target, mover) as connection:
        await connection.returning(_UNSUBSCRIBE, name=mover.stream(back=back).name)
