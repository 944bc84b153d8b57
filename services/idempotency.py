"""One effect per Idempotency-Key (I2): the first outcome is stored with its effect and replayed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

from global_db import idempotency as global_keys
from global_db.connection import WriteConnection
from global_db.idempotency import IdempotencyKey, Stored
from services.errors import IdempotencyMismatch
from services.identity.principal import Principal
from shards import idempotency as tenant_keys
from shards.tenants import TenantWrite

T = TypeVar("T")


def key_for(
    principal: Principal, key: str | None, operation: str, request: Any
) -> IdempotencyKey | None:
    """The caller's key for this request; None when none was sent.

    Keys of different principals never meet. `request` is all that decides the outcome.
    """
    if key is None:
        return None
    asked = orjson.dumps([operation, request], option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(principal.id, key, hashlib.sha256(asked).digest())


async def once_in_tenant(
    tenant: TenantWrite,
    key: IdempotencyKey | None,
    kept: TypeAdapter[T],
    effect: Callable[[], Awaitable[T]],
) -> T:
    """Run `effect` and store its outcome, or answer what the key's first request got.

    Raises:
        IdempotencyMismatch: the key was used for another request.
        KeyInProgress: the first request has not ended.
    """
    if key is None:
        return await effect()
    stored = await tenant_keys.claim(tenant, key)
    if stored is not None:
        return _replay(stored, key, kept)
    value = await effect()
    await tenant_keys.settle(tenant, key, kept.dump_python(value, mode="json"))
    return value


async def once_in_global(
    connection: WriteConnection,
    key: IdempotencyKey | None,
    kept: TypeAdapter[T],
    effect: Callable[[], Awaitable[T]],
) -> tuple[T, bool]:
    """As `once_in_tenant`, in the global database; also answers whether this was a replay."""
    if key is None:
        return await effect(), False
    stored = await global_keys.claim(connection, key)
    if stored is not None:
        return _replay(stored, key, kept), True
    value = await effect()
    await global_keys.settle(connection, key, kept.dump_python(value, mode="json"))
    return value, False


def _replay(stored: Stored, key: IdempotencyKey, kept: TypeAdapter[T]) -> T:
    if not hmac.compare_digest(stored.request_hash, key.request_hash):
        raise IdempotencyMismatch
    return kept.validate_python(stored.outcome)
