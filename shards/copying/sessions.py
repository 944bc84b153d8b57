"""Connections of a mover: its own for what takes long, the cluster's pool for what is short.

Either way a transaction begins with `as_mover`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from global_db.at_once import Done, Work
from global_db.cluster import Cluster
from global_db.connection import (
    WORK_SECONDS,
    RawConnection,
    Row,
    WriteConnection,
    is_connection_failure,
)
from global_db.errors import ClusterUnavailable, LockNotAvailable
from global_db.servers import Servers
from global_db.statement import write
from shards.copying.batch import Mover
from shards.copying.errors import superseding

# row_security off: whoever would see but a part of the rows gets an error instead. The rest makes a
# row's text the same on every server. A mover that dies in its sleep frees its locks in the end.
_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "row_security=off",
        "lock_timeout=3s",
        "idle_in_transaction_session_timeout=5min",
        "datestyle=ISO",
        "timezone=UTC",
        "intervalstyle=postgres",
        "bytea_output=hex",
        "extra_float_digits=1",
        "jit=off",
    )
)
_MOVE = sa.bindparam("move_id", type_=sa.Uuid)
_GENERATION = sa.bindparam("generation", type_=sa.BigInteger)
_AS_MOVER = write(sa.select(sa.func.docshard.as_mover(_MOVE, _GENERATION)))
_AS_MOVER_TEXT: LiteralString = "SELECT docshard.as_mover(%s, %s)"


@asynccontextmanager
async def session(cluster: Cluster, mover: Mover | None = None) -> AsyncIterator[RawConnection]:
    """A connection to the primary that others know as this mover's; each statement by itself.

    Raises:
        ClusterError.
    """
    name = "docshard-move" if mover is None else mover.application
    conninfo = make_conninfo(
        cluster.login.direct(cluster.primary_address()), application_name=name, options=_OPTIONS
    )
    with failures(cluster):
        async with await psycopg.AsyncConnection[Row].connect(
            conninfo, autocommit=True, row_factory=dict_row
        ) as connection:
            yield connection


@asynccontextmanager
async def moving(connection: RawConnection, mover: Mover) -> AsyncIterator[RawConnection]:
    """A transaction of the mover on a connection of its own.

    Raises:
        Superseded.
    """
    with superseding():
        async with connection.transaction():
            await connection.execute(_AS_MOVER_TEXT, [mover.move_id, mover.generation])
            yield connection


@asynccontextmanager
async def changing(cluster: Cluster, mover: Mover) -> AsyncIterator[WriteConnection]:
    """A short transaction of the mover on a connection of the cluster's pool.

    Raises:
        Superseded, ClusterError.
    """
    with superseding():
        async with cluster.write() as connection:
            # Not waited for: what follows in the pipeline does not run when it is refused.
            await connection.send(_AS_MOVER, move_id=mover.move_id, generation=mover.generation)
            yield connection


async def change(servers: Servers, mover: Mover, *works: Work, patience: float = 0.0) -> Done:
    """A transaction of the mover in one message, whose statements may wait for `patience` seconds.

    Raises:
        Superseded, ClusterError.
    """
    with superseding():
        return await servers.write_at_once(
            _as_mover(mover), *works, seconds=WORK_SECONDS + patience
        )


async def rehearse(servers: Servers, mover: Mover, *works: Work) -> None:
    """The same, undone in the end.

    Raises:
        Superseded, ClusterError.
    """
    with superseding():
        await servers.rehearse_at_once(_as_mover(mover), *works)


@contextmanager
def failures(cluster: Cluster) -> Iterator[None]:
    """Turn what befalls a connection of our own into the cluster's errors."""
    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        raise LockNotAvailable(cluster.name, "a lock was not free in time") from error
    except psycopg.OperationalError as error:
        detail = "the connection failed" if is_connection_failure(error) else str(error).strip()
        raise ClusterUnavailable(cluster.name, detail) from error


def _as_mover(mover: Mover) -> Work:
    return Work(_AS_MOVER, {"move_id": mover.move_id, "generation": mover.generation})


async def first(connection: RawConnection, query: LiteralString, *values: Any) -> Row | None:
    """The first row of the answer."""
    return await (await connection.execute(query, values)).fetchone()
