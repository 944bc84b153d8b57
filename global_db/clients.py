"""Clients (tenants) as the administrators see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.erasure_tables import BEING_ERASED
from global_db.soft_delete import soft_delete
from global_db.statement import ReadStatement, read, read_by_value, write
from global_db.tables import clients


class CodeTaken(Exception):
    """A living client has this code."""


class BeingErased(Exception):
    """The client is being erased: nobody brings it back."""


class UnknownManager(Exception):
    """`managed_by` is not a user."""


@dataclass(frozen=True, slots=True)
class Client:
    """One row of clients. `status`: active, inactive (read-only) or suspended."""

    id: UUID
    code: str
    name: str
    metadata: dict[str, Any]
    status: str
    managed_by: UUID | None
    shard: str
    epoch: int
    pinned: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """Which clients a list holds; None means any. `metadata` must be contained."""

    status: str | None = None
    code: str | None = None
    metadata: dict[str, Any] | None = None
    visible: tuple[UUID, ...] | None = None


_GET = read(
    sa.select(clients).where(clients.c.id == sa.bindparam("id", type_=sa.Uuid), living(clients))
)
_DELETED = read(
    sa.select(clients)
    .where(
        ~living(clients),
        (clients.c.code == sa.bindparam("code"))
        | (clients.c.id == sa.bindparam("id", type_=sa.Uuid)),
    )
    .order_by(clients.c.deleted_at.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_EVERY = read(
    sa.select(clients)
    .where(clients.c.id > sa.bindparam("after", type_=sa.Uuid))
    .order_by(clients.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_LOCK = write(
    sa.select(clients)
    .where(clients.c.id == sa.bindparam("id", type_=sa.Uuid), living(clients))
    .with_for_update()
)
_CHANGING = ("code", "name", "metadata", "status", "managed_by")
_UPDATE = write(
    sa.update(clients)
    .where(clients.c.id == sa.bindparam("client_id", type_=sa.Uuid))
    .values({name: sa.bindparam(name) for name in _CHANGING} | {"updated_at": sa.func.now()})
    .returning(clients)
)
_SOFT = soft_delete(clients)
_NEW = ("id", "code", "name", "metadata", "managed_by", "shard")
_INSERT = write(
    sa.insert(clients).values({name: sa.bindparam(name) for name in _NEW}).returning(clients)
)


async def get(connection: ReadConnection, client_id: UUID) -> Client | None:
    """A living client."""
    row = await connection.one(_GET, id=client_id)
    return None if row is None else Client(**row)


async def deleted(
    connection: ReadConnection, *, code: str, id: UUID | None, limit: int
) -> list[Client]:
    """Deleted clients of this code or id, the last deleted first."""
    rows = await connection.all(_DELETED, code=code, id=id, limit=limit)
    return [Client(**row) for row in rows]


async def every(connection: ReadConnection, after: UUID, limit: int) -> list[Client]:
    """Clients, living and deleted, by id, behind `after`."""
    return [Client(**row) for row in await connection.all(_EVERY, after=after, limit=limit)]


async def insert(
    connection: WriteConnection,
    *,
    id: UUID,
    code: str,
    name: str,
    metadata: dict[str, Any],
    managed_by: UUID | None,
    shard: str,
) -> Client:
    """Add a client at epoch 1 of `shard`.

    Raises:
        CodeTaken: a living client has the code.
        UnknownManager: `managed_by` is not a user.
    """
    with _refused(code, managed_by):
        row = await connection.returning(
            _INSERT,
            id=id,
            code=code,
            name=name,
            metadata=metadata,
            managed_by=managed_by,
            shard=shard,
        )
    return _stored(row)


async def lock(connection: WriteConnection, client_id: UUID) -> Client | None:
    """A living client, locked until the transaction ends."""
    row = await connection.returning(_LOCK, id=client_id)
    return None if row is None else Client(**row)


async def update(connection: WriteConnection, client: Client) -> Client:
    """Store a changed client, locked before in this transaction; never its placement.

    Raises:
        CodeTaken: another living client has the code.
        UnknownManager: `managed_by` is not a user.
    """
    values = {name: getattr(client, name) for name in _CHANGING}
    with _refused(client.code, client.managed_by):
        return _stored(await connection.returning(_UPDATE, client_id=client.id, **values))


async def delete(connection: WriteConnection, client_id: UUID) -> bool:
    """Soft-delete a living client; False when there is none."""
    return await connection.returning(_SOFT.delete, row_id=client_id) is not None


async def restore(connection: WriteConnection, client_id: UUID) -> Client | None:
    """Take a soft delete back; None when there is no deleted client of this id.

    Raises:
        CodeTaken: a living client has the code by now. BeingErased.
    """
    with _refused("of the deleted client", None):
        try:
            row = await connection.returning(_SOFT.restore, row_id=client_id)
        except psycopg.Error as error:
            if error.sqlstate == BEING_ERASED:
                raise BeingErased(str(client_id)) from error
            raise
    return None if row is None else Client(**row)


@contextmanager
def _refused(code: str, managed_by: UUID | None) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise CodeTaken(code) from error
    except psycopg.errors.ForeignKeyViolation as error:
        if error.diag.constraint_name != "fk_clients_managed_by":
            raise
        raise UnknownManager(str(managed_by)) from error


def _stored(row: Row | None) -> Client:
    if row is None:
        raise LookupError("the client is gone")
    return Client(**row)


async def newest(
    connection: ReadConnection, wanted: ClientFilter, before: UUID | None, limit: int
) -> list[Client]:
    """A page of living clients, newest first, from behind `before`."""
    given = {
        name: value
        for name in ClientFilter.__slots__
        if (value := getattr(wanted, name)) is not None
    }
    statement = _page(frozenset(given), before is not None)
    if "visible" in given:
        given["visible"] = list(given["visible"])
    rows = await connection.all(statement, **given, before=before, limit=limit)
    return [Client(**row) for row in rows]


_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "status": clients.c.status == sa.bindparam("status", type_=sa.Text),
    "code": clients.c.code == sa.bindparam("code", type_=sa.Text),
    "metadata": clients.c.metadata.contains(
        sa.bindparam("metadata", type_=clients.c.metadata.type)
    ),
    "visible": clients.c.id
    == sa.func.any(sa.bindparam("visible", type_=sa.ARRAY(sa.Uuid)), type_=sa.Uuid),
}


@lru_cache(maxsize=32)
def _page(given: frozenset[str], further: bool) -> ReadStatement:
    query = sa.select(clients).where(living(clients))
    for name in sorted(given):
        query = query.where(_CONDITIONS[name])
    if further:
        query = query.where(clients.c.id < sa.bindparam("before", type_=sa.Uuid))
    page = query.order_by(clients.c.id.desc()).limit(sa.bindparam("limit", type_=sa.Integer))
    return read_by_value(page) if given & {"status", "metadata"} else read(page)
