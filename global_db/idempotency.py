"""Idempotency keys: a row commits with the effect it stands for and holds its outcome (I2).

Two transactions with one key meet at the primary key: the second waits for the first to end, then
either finds its outcome or, if it rolled back, takes its place. The same statements serve the
global table and the one on every shard, which has the tenant in front of its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from global_db.connection import Row, WriteConnection
from global_db.statement import WriteStatement, write
from global_db.tables import idempotency_keys


class KeyInProgress(Exception):
    """Another request with this key has not ended within lock_timeout."""


class KeyTaken(Exception):
    """A key that was taken for a new one is known."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key. `request_hash` is 32 bytes over what the request asked for."""

    principal_id: UUID
    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What the first request with the key asked for and got."""

    request_hash: bytes
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdempotencyStatements:
    """The statements of one idempotency table."""

    claim: WriteStatement
    stored: WriteStatement
    settle: WriteStatement
    fresh: WriteStatement


class Transaction(Protocol):
    """What of a transaction is needed here: a global one or a tenant's."""

    async def send(self, statement: WriteStatement, **parameters: Any) -> None:
        """Send a change without waiting for it."""

    async def returning(self, statement: WriteStatement, **parameters: Any) -> Row | None:
        """Run a change and wait for its first returned row."""


def statements(table: sa.Table, scope: Sequence[str]) -> IdempotencyStatements:
    """Build the statements of `table`, whose primary key is `scope`."""
    new = insert(table).values(
        **{name: sa.bindparam(name, type_=table.c[name].type) for name in scope},
        request_hash=sa.bindparam("request_hash"),
        expires_at=sa.func.now() + sa.text("interval '24 hours'"),
    )
    own = [table.c[name] == sa.bindparam(f"own_{name}", type_=table.c[name].type) for name in scope]
    return IdempotencyStatements(
        claim=write(
            new.on_conflict_do_update(
                index_elements=[table.c[name] for name in scope],
                set_={
                    "request_hash": new.excluded.request_hash,
                    "outcome": sa.null(),
                    "created_at": sa.func.now(),
                    "expires_at": new.excluded.expires_at,
                },
                where=table.c.expires_at < sa.func.now(),
            ).returning(table.c.key)
        ),
        # Its own statement, so that its snapshot is newer than the row that `claim` waited for.
        stored=write(sa.select(table.c.request_hash, table.c.outcome).where(*own)),
        settle=write(sa.update(table).where(*own).values(outcome=sa.bindparam("new_outcome"))),
        fresh=write(new.values(outcome=sa.bindparam("new_outcome"))),
    )


_GLOBAL = statements(idempotency_keys, ("principal_id", "key"))
_REMOVE = write(
    sa.delete(idempotency_keys)
    .where(idempotency_keys.c.expires_at < sa.func.now())
    .returning(sa.literal(1))
)


async def claim(
    transaction: Transaction,
    key: IdempotencyKey,
    of: IdempotencyStatements = _GLOBAL,
    **scope: Any,
) -> Stored | None:
    """Take the key for this transaction, or answer what the first request with it stored.

    Raises:
        KeyInProgress: the first request is still running.
    """
    try:
        row = await transaction.returning(
            of.claim,
            principal_id=key.principal_id,
            key=key.key,
            request_hash=key.request_hash,
        )
    except psycopg.errors.LockNotAvailable as error:
        raise KeyInProgress(key.key) from error
    if row is not None:
        return None
    stored = await transaction.returning(
        of.stored, own_principal_id=key.principal_id, own_key=key.key, **scope
    )
    if stored is None or stored["outcome"] is None:
        raise KeyInProgress(key.key)
    return Stored(stored["request_hash"], stored["outcome"])


async def settle(
    transaction: Transaction,
    key: IdempotencyKey,
    outcome: dict[str, Any],
    of: IdempotencyStatements = _GLOBAL,
    **scope: Any,
) -> None:
    """Store the outcome in the transaction of the effect."""
    await transaction.send(
        of.settle,
        own_principal_id=key.principal_id,
        own_key=key.key,
        new_outcome=outcome,
        **scope,
    )


async def file(
    transaction: Transaction,
    key: IdempotencyKey,
    outcome: dict[str, Any],
    of: IdempotencyStatements = _GLOBAL,
) -> None:
    """Store a new key with its outcome. The primary key refuses one that is known already, and the
    effect with it: see `taken`."""
    await transaction.send(
        of.fresh,
        principal_id=key.principal_id,
        key=key.key,
        request_hash=key.request_hash,
        new_outcome=outcome,
    )


@contextmanager
def taken(table: sa.Table) -> Iterator[None]:
    """Around a transaction that files a key in `table`.

    Raises:
        KeyTaken: it is known already. Nothing was committed.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != f"pk_{table.name}":
            raise
        raise KeyTaken from error


async def remove_expired(connection: WriteConnection) -> int:
    """Forget expired global keys; answers how many."""
    return len(await connection.changed(_REMOVE))
