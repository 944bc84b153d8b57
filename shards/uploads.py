"""What is on its way to S3: written before the first byte, so that a sweep finds the debris."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.statement import write
from shards.due import due_rows
from shards.tables import uploads
from shards.tenants import TenantWrite


@dataclass(frozen=True, slots=True)
class Upload:
    """One row of uploads. `kind`: stream (through the router), presigned or multipart."""

    client_id: UUID
    id: UUID
    document_id: UUID
    s3_key: str
    s3_upload_id: str | None
    kind: str
    mime_type: str
    size: int | None
    checksum_sha256: bytes | None
    created_at: datetime
    created_by: UUID
    expires_at: datetime
    abandoned_at: datetime | None = None


_INSERT = write(sa.insert(uploads).values({c.name: sa.bindparam(c.name) for c in uploads.columns}))
_OWN = (
    uploads.c.client_id == sa.bindparam("client_id", type_=sa.Uuid),
    uploads.c.id == sa.bindparam("upload_id", type_=sa.Uuid),
)
_FINISH = write(
    sa.delete(uploads).where(*_OWN, uploads.c.abandoned_at.is_(None)).returning(uploads.c.id)
)
_ABANDON = write(
    sa.update(uploads)
    .where(*_OWN)
    .values(abandoned_at=sa.func.coalesce(uploads.c.abandoned_at, sa.func.now()))
    .returning(uploads.c.id)
)
_SPARE = write(
    sa.update(uploads)
    .where(*_OWN, uploads.c.abandoned_at.is_(None))
    .values(abandoned_at=sa.func.now())
    .returning(uploads.c.id)
)
_FIND = write(sa.select(uploads).where(*_OWN))
_OPENED = write(
    sa.update(uploads)
    .where(*_OWN, uploads.c.s3_upload_id.is_(None), uploads.c.abandoned_at.is_(None))
    .values(s3_upload_id=sa.bindparam("opened_as", type_=sa.Text))
    .returning(uploads.c.id)
)
_FORGET = write(sa.delete(uploads).where(*_OWN))
_EXPIRED = due_rows(uploads, "expires_at")


async def insert(tenant: TenantWrite, upload: Upload) -> None:
    """Record an upload before it begins."""
    await tenant.send(_INSERT, **_values(upload))


async def find(tenant: TenantWrite, upload_id: UUID) -> Upload | None:
    """One upload that has not ended, as it is now."""
    row = await tenant.returning(_FIND, upload_id=upload_id)
    return None if row is None else Upload(**row)


async def opened(tenant: TenantWrite, upload_id: UUID, s3_upload_id: str) -> bool:
    """Note S3's id of an upload in parts; False when it has one, or has ended."""
    row = await tenant.returning(_OPENED, upload_id=upload_id, opened_as=s3_upload_id)
    return row is not None


async def finish(tenant: TenantWrite, upload_id: UUID) -> bool:
    """End an upload whose blob becomes a version; False when a sweep has given it up already."""
    return await tenant.returning(_FINISH, upload_id=upload_id) is not None


async def spare(tenant: TenantWrite, upload_id: UUID) -> bool:
    """As `finish` for an upload whose own blob is not needed: the row stays for the sweep."""
    return await tenant.returning(_SPARE, upload_id=upload_id) is not None


async def abandon(tenant: TenantWrite, upload_id: UUID) -> bool:
    """Give an upload up, so that its blob may be removed; False when it has ended meanwhile."""
    return await tenant.returning(_ABANDON, upload_id=upload_id) is not None


async def forget(tenant: TenantWrite, upload_id: UUID) -> None:
    """Remove an abandoned upload whose blob is gone."""
    await tenant.send(_FORGET, upload_id=upload_id)


async def expired(connection: ReadConnection, limit: int) -> list[Upload]:
    """Uploads of any tenant of this shard that ran out of time; for the worker's role only."""
    rows = await connection.all(_EXPIRED, each=limit, limit=limit)
    return [Upload(**row) for row in rows]


def _values(upload: Upload) -> dict[str, Any]:
    return {name: getattr(upload, name) for name in Upload.__slots__ if name != "client_id"}
