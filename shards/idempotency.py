"""A tenant's idempotency keys; see `global_db.idempotency` for how they work."""

from __future__ import annotations

from typing import Any

from global_db.idempotency import IdempotencyKey, Stored, statements
from global_db.idempotency import claim as claim_row
from global_db.idempotency import settle as settle_row
from shards.tables import idempotency_keys
from shards.tenants import TenantWrite

_OWN = statements(idempotency_keys, ("client_id", "principal_id", "key"))


async def claim(tenant: TenantWrite, key: IdempotencyKey) -> Stored | None:
    """Take the key for this transaction, or answer what the first request with it stored.

    Raises:
        KeyInProgress: the first request is still running.
    """
    return await claim_row(tenant, key, _OWN, own_client_id=tenant.client_id)


async def settle(tenant: TenantWrite, key: IdempotencyKey, outcome: dict[str, Any]) -> None:
    """Store the outcome in the transaction of the effect."""
    await settle_row(tenant, key, outcome, _OWN, own_client_id=tenant.client_id)
