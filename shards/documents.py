"""Documents of one tenant."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.statement import write
from global_db.values import value
from shards.residency import entered, entered_read
from shards.tables import documents
from shards.tenants import TenantRead, TenantWrite


@value
class Document:
    """One row of documents, its columns in their order.

    `size` (bytes) and `checksum_sha256` are of the current version. While it is held, or before
    `retain_until`, it cannot be purged.
    """

    client_id: UUID
    id: UUID
    original_name: str
    s3_key: str | None
    mime_type: str
    current_version: int
    size: int | None
    checksum_sha256: bytes | None
    metadata: dict[str, Any]
    row_version: int
    created_at: datetime
    created_by: UUID
    updated_at: datetime
    deleted_at: datetime | None
    legal_hold: bool = False
    retain_until: datetime | None = None


_NAMES = tuple(field.name for field in fields(Document))
_ID = sa.bindparam("id", type_=sa.Uuid)
_OWN = documents.c.client_id == sa.bindparam("client_id", type_=sa.Uuid)

_GET = entered_read(
    sa.select(documents).where(documents.c.client_id == entered, documents.c.id == _ID)
)
_LOCK = write(sa.select(documents).where(_OWN, documents.c.id == _ID).with_for_update())
_INSERT = write(
    sa.insert(documents).values({c.name: sa.bindparam(c.name) for c in documents.columns})
)
_CHANGING = tuple(
    c.name
    for c in documents.columns
    if c.name not in {"client_id", "id", "created_at", "created_by"}
)
_UPDATE = write(
    sa.update(documents)
    .where(_OWN, documents.c.id == sa.bindparam("document_id", type_=sa.Uuid))
    .values({name: sa.bindparam(name) for name in _CHANGING})
)


async def get(tenant: TenantRead, document_id: UUID) -> Document | None:
    """One document, deleted or not."""
    found = await tenant.tuples(_GET, id=document_id)
    return Document(*found[0]) if found else None


async def lock(tenant: TenantWrite, document_id: UUID) -> Document | None:
    """One document, locked until the transaction ends: what is read here is what is changed."""
    row = await tenant.returning(_LOCK, id=document_id)
    return None if row is None else Document(**row)


async def insert(tenant: TenantWrite, document: Document) -> None:
    """Add a document."""
    await tenant.send(_INSERT, **_values(document))


async def update(tenant: TenantWrite, document: Document) -> None:
    """Store a changed document, locked before in this transaction."""
    values = _values(document)
    await tenant.send(
        _UPDATE, document_id=document.id, **{name: values[name] for name in _CHANGING}
    )


def _values(document: Document) -> dict[str, Any]:
    """Column values; the tenant's own id comes from its scope."""
    return {name: getattr(document, name) for name in _NAMES if name != "client_id"}
