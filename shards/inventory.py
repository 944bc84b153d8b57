"""What a shard says there should be in the object store; for operators' checks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.statement import read
from shards.residency import entered, entered_read
from shards.tables import document_versions, purged_blobs, residency, uploads
from shards.tenants import TenantRead

_DOCUMENTS = sa.bindparam("document_ids", type_=sa.ARRAY(sa.Uuid))
_TENANTS = read(
    sa.select(residency.c.client_id)
    .where(
        residency.c.state == "open",
        residency.c.client_id > sa.bindparam("after", type_=sa.Uuid),
    )
    .order_by(residency.c.client_id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_KEYS = entered_read(
    sa.union_all(
        *(
            sa.select(table.c.s3_key).where(
                table.c.client_id == entered, table.c.document_id == sa.any_(_DOCUMENTS)
            )
            for table in (document_versions, uploads, purged_blobs)
        )
    )
)


async def tenants(connection: ReadConnection, after: UUID, limit: int) -> list[UUID]:
    """Tenants that live on this shard, by id, from behind `after`."""
    return [row["client_id"] for row in await connection.all(_TENANTS, after=after, limit=limit)]


async def keys(tenant: TenantRead, document_ids: Sequence[UUID]) -> set[str]:
    """Every key that rows of these documents name: versions, uploads, and what was purged."""
    rows = await tenant.all(_KEYS, document_ids=list(document_ids))
    return {row["s3_key"] for row in rows}
