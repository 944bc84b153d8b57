"""Counting what a tenant stores: inside a transaction that adds to it, or behind all of them."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa

from global_db.bounded import within
from global_db.columns import living
from global_db.connection import WriteConnection
from global_db.directory import Placement
from global_db.statement import write
from shards.registry import ShardRegistry
from shards.residency import entered_text, refusals
from shards.tables import document_versions, documents

Kind = Literal["documents", "bytes"]

PAGE_ROWS: Final = 20_000
"""Some tens of milliseconds: the count is never far from its statement_timeout, however busy the
server is, and no snapshot is old."""
_NOBODY: Final = UUID(int=0)

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_INSIDE: Final = {
    "documents": write(
        sa.select(sa.func.count().label("used"))
        .select_from(documents)
        .where(documents.c.client_id == _CLIENT, living(documents))
    ),
    "bytes": write(
        sa.select(
            sa.cast(
                sa.func.coalesce(sa.func.sum(document_versions.c.size), 0), sa.BigInteger
            ).label("used")
        ).where(document_versions.c.client_id == _CLIENT)
    ),
}
_BEHIND: Final = {
    kind: entered_text(f"""
        WITH page AS (
            SELECT id, {value} AS value
              FROM docshard.{table}
             WHERE client_id = entered AND id > %(after)s
             ORDER BY id
             LIMIT %(rows)s
        )
        SELECT sum(value)::bigint AS used, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last
          FROM page
    """)  # noqa: S608 - texts of ours
    for kind, table, value in (
        ("documents", "documents", "(deleted_at IS NULL)::int"),
        ("bytes", "document_versions", "size"),
    )
}


async def count_inside(
    connection: WriteConnection, client_id: UUID, kind: Kind, seconds: float
) -> int:
    """Count in one statement, with what the transaction itself has stored.

    Raises:
        TookTooLong: it would take longer than `seconds`.
    """
    row = await within(connection, seconds, _INSIDE[kind], client_id=client_id)
    return 0 if row is None else int(row["used"])


async def count_behind(
    registry: ShardRegistry, placement: Placement, kind: Kind, rows: int = PAGE_ROWS
) -> int:
    """Count page by page, each with a connection and a snapshot of its own.

    Raises:
        UnknownShard, ShardBehind, Refused, ClusterError.
    """
    cluster, statement, used = registry.cluster(placement.shard), _BEHIND[kind], 0
    after: UUID | None = _NOBODY
    scope = {"client_id": placement.client_id, "epoch": placement.epoch}
    while after is not None:
        with refusals():
            async with cluster.read() as connection:
                (page,) = await connection.all(statement, **scope, after=after, rows=rows)
        used, after = used + (page["used"] or 0), page["last"]
    return used
