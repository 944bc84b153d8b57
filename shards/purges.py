"""Purging documents for good, and the blobs that go later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.statement import write
from shards.due import due_rows
from shards.tables import purged_blobs
from shards.tenants import TenantWrite


class MustBeKept(Exception):
    """The document is not deleted, is on legal hold, or has to be retained."""


@dataclass(frozen=True, slots=True)
class PurgedBlob:
    """One row of purged_blobs: a blob that no version names any more, to be removed at `due_at`."""

    client_id: UUID
    s3_key: str
    document_id: UUID
    purged_at: datetime
    due_at: datetime


_PURGE = write(
    sa.select(
        sa.func.docshard.purge_document(
            sa.bindparam("document_id", type_=sa.Uuid),
            sa.bindparam("due_at", type_=sa.DateTime(timezone=True)),
        ).label("versions")
    )
)
_FORGET = write(
    sa.delete(purged_blobs).where(
        purged_blobs.c.client_id == sa.bindparam("client_id", type_=sa.Uuid),
        purged_blobs.c.s3_key == sa.bindparam("s3_key", type_=sa.Text),
    )
)
_DUE = due_rows(purged_blobs, "due_at")


async def purge(tenant: TenantWrite, document_id: UUID, due_at: datetime) -> int | None:
    """Remove a deleted document and its versions; its blobs become due at `due_at`.

    Answers how many versions there were, or None when there is no such document.

    Raises:
        MustBeKept.
    """
    with _kept():
        row = await tenant.returning(_PURGE, document_id=document_id, due_at=due_at)
    return None if row is None else row["versions"]


async def forget(tenant: TenantWrite, s3_key: str) -> None:
    """Remove the note of a blob that is gone."""
    await tenant.send(_FORGET, s3_key=s3_key)


async def due(connection: ReadConnection, limit: int) -> list[PurgedBlob]:
    """Blobs of any tenant of this shard whose time has come; for the worker's role only."""
    rows = await connection.all(_DUE, each=limit, limit=limit)
    return [PurgedBlob(**row) for row in rows]


@contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == "DS007":
            raise MustBeKept(str(error).strip()) from error
        raise
