"""A tenant's idempotency keys; see `global_db.idempotency` for how they work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.idempotency import IdempotencyKey, Stored, statements
from global_db.idempotency import claim as claim_row
from global_db.idempotency import file as file_row
from global_db.idempotency import settle as settle_row
from global_db.idempotency import taken as taken_in
from global_db.statement import read, write
from shards.tables import idempotency_keys, residency
from shards.tenants import TenantWrite

_OWN = statements(idempotency_keys, ("client_id", "principal_id", "key"))

_EXPIRED = (
    idempotency_keys.c.client_id == sa.bindparam("client_id", type_=sa.Uuid),
    idempotency_keys.c.expires_at < sa.func.now(),
)
_REMOVE = write(sa.delete(idempotency_keys).where(*_EXPIRED).returning(sa.literal(1)))
# Every index leads with client_id: so each tenant that lives here is asked through its own.
_TENANTS = read(
    sa.select(residency.c.client_id)
    .where(
        residency.c.state == "open",
        sa.exists().where(
            idempotency_keys.c.client_id == residency.c.client_id,
            idempotency_keys.c.expires_at < sa.func.now(),
        ),
    )
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


async def claim(tenant: TenantWrite, key: IdempotencyKey) -> Stored | None:
    """Take the key for this transaction, or answer what the first request with it stored.

    Raises:
        KeyInProgress: the first request is still running.
    """
    return await claim_row(tenant, key, _OWN, own_client_id=tenant.client_id)


async def settle(tenant: TenantWrite, key: IdempotencyKey, outcome: dict[str, Any]) -> None:
    """Store the outcome in the transaction of the effect."""
    await settle_row(tenant, key, outcome, _OWN, own_client_id=tenant.client_id)


async def file(tenant: TenantWrite, key: IdempotencyKey, outcome: dict[str, Any]) -> None:
    """Store a new key with its outcome, in the transaction of the effect; inside `taken`."""
    await file_row(tenant, key, outcome, _OWN)


def taken() -> AbstractContextManager[None]:
    """Around a transaction that files a key.

    Raises:
        KeyTaken: it is known already. Nothing was committed.
    """
    return taken_in(idempotency_keys)


async def tenants_with_expired(connection: ReadConnection, limit: int) -> list[UUID]:
    """Tenants of this shard that have expired keys; for the worker's role only."""
    return [row["client_id"] for row in await connection.all(_TENANTS, limit=limit)]


async def remove_expired(tenant: TenantWrite) -> int:
    """Forget a tenant's expired keys; answers how many."""
    return len(await tenant.changed(_REMOVE))
