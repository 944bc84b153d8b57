"""Versions of a tenant's documents: numbered densely, immutable from birth (I7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.statement import ReadStatement, write
from shards.residency import entered, entered_read
from shards.tables import document_versions
from shards.tenants import TenantRead, TenantWrite


@dataclass(frozen=True, slots=True)
class Version:
    """One row of document_versions. `size` is in bytes.

    `id` is that of the upload which brought the content; a promoted version has its own.
    `detected_type` is what the bytes look like, whatever was declared.
    """

    client_id: UUID
    id: UUID
    document_id: UUID
    version_number: int
    s3_key: str
    checksum_sha256: bytes
    size: int
    mime_type: str
    created_at: datetime
    created_by: UUID
    detected_type: str | None = None


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A version and the blob that it says is its content."""

    id: UUID
    document_id: UUID
    version_number: int
    s3_key: str
    size: int
    checksum_sha256: bytes


_OF_DOCUMENT = (
    document_versions.c.client_id == entered,
    document_versions.c.document_id == sa.bindparam("document_id", type_=sa.Uuid),
)
_GET = entered_read(
    sa.select(document_versions).where(
        *_OF_DOCUMENT,
        document_versions.c.version_number == sa.bindparam("version_number", type_=sa.Integer),
    )
)
# Inside a write, which has entered already: `enter` would take back the right to write.
_OWN = document_versions.c.client_id == sa.bindparam("client_id", type_=sa.Uuid)
_FIND = write(
    sa.select(document_versions).where(
        _OWN,
        document_versions.c.document_id == sa.bindparam("document_id", type_=sa.Uuid),
        document_versions.c.version_number == sa.bindparam("version_number", type_=sa.Integer),
    )
)
_FIND_BY_ID = write(
    sa.select(document_versions).where(
        _OWN, document_versions.c.id == sa.bindparam("version_id", type_=sa.Uuid)
    )
)
_BLOBS = entered_read(
    sa.select(
        document_versions.c.id,
        document_versions.c.document_id,
        document_versions.c.version_number,
        document_versions.c.s3_key,
        document_versions.c.size,
        document_versions.c.checksum_sha256,
    )
    .where(
        document_versions.c.client_id == entered,
        document_versions.c.id < sa.bindparam("before", type_=sa.Uuid),
    )
    .order_by(document_versions.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer)),
    order_by=[sa.desc("id")],
)
_INSERT = write(
    sa.insert(document_versions).values(
        {c.name: sa.bindparam(c.name) for c in document_versions.columns}
    )
)


async def get(tenant: TenantRead, document_id: UUID, version_number: int) -> Version | None:
    """One version of a document."""
    row = await tenant.one(_GET, document_id=document_id, version_number=version_number)
    return None if row is None else Version(**row)


async def find(tenant: TenantWrite, document_id: UUID, version_number: int) -> Version | None:
    """As `get`, inside a write."""
    row = await tenant.returning(_FIND, document_id=document_id, version_number=version_number)
    return None if row is None else Version(**row)


async def find_by_id(tenant: TenantWrite, version_id: UUID) -> Version | None:
    """The version that an upload became, inside a write."""
    row = await tenant.returning(_FIND_BY_ID, version_id=version_id)
    return None if row is None else Version(**row)


async def blobs(tenant: TenantRead, before: UUID, limit: int) -> list[NamedBlob]:
    """What blobs the tenant's versions name, newest id first, from below `before`."""
    rows = await tenant.all(_BLOBS, before=before, limit=limit)
    return [NamedBlob(**row) for row in rows]


async def insert(tenant: TenantWrite, version: Version) -> None:
    """Add the next version; the caller has locked its document, so numbers stay dense."""
    await tenant.send(_INSERT, **_values(version))


async def newest(
    tenant: TenantRead, document_id: UUID, before: int | None, limit: int
) -> list[Version]:
    """A page of a document's versions, newest first, from below number `before`."""
    rows = await tenant.all(
        _page(before is not None), document_id=document_id, before=before, limit=limit
    )
    return [Version(**row) for row in rows]


@lru_cache(maxsize=2)
def _page(further: bool) -> ReadStatement:
    query = sa.select(document_versions).where(*_OF_DOCUMENT)
    if further:
        query = query.where(
            document_versions.c.version_number < sa.bindparam("before", type_=sa.Integer)
        )
    query = query.order_by(document_versions.c.version_number.desc()).limit(
        sa.bindparam("limit", type_=sa.Integer)
    )
    return entered_read(query, order_by=[sa.desc("version_number")])


def _values(version: Version) -> dict[str, Any]:
    return {name: getattr(version, name) for name in Version.__slots__ if name != "client_id"}
