"""Encrypted columns, and how their values are counted and exchanged when their key changes.

A sealed value begins with a format byte and the 16 bytes of the id of its key (the whole format is
in `services.keys.envelope`), so the database can tell keys apart without being able to open one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import given_rows
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import ReadStatement, WriteStatement, read, write
from global_db.tables import users


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values. Each is bound to table, `name` and the row's id."""

    table: sa.Table
    name: str

    @property
    def column(self) -> sa.Column[Any]:
        """The column itself."""
        return self.table.c[self.name]

    def __str__(self) -> str:
        return f"{self.table.name}.{self.name}"


# Every one there is: a rotation of keys visits these and no others.
SEALED_COLUMNS = (
    SealedColumn(users, "email"),
    SealedColumn(users, "mobile"),
    SealedColumn(users, "mfa_secret"),
    SealedColumn(users, "mfa_pending"),
)


@dataclass(frozen=True, slots=True)
class SealedCount:
    """How many values of a column one key sealed; `key_id` is None where no key id stands."""

    column: SealedColumn
    key_id: UUID | None
    values: int


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One value in its row."""

    row_id: UUID
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A value and what is to stand in its place."""

    row_id: UUID
    old: bytes
    new: bytes


def _key_bytes(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    return sa.func.substring(column, 2, 16, type_=sa.LargeBinary)


@cache
def _count(sealed: SealedColumn) -> ReadStatement:
    key = _key_bytes(sealed.column).label("key")
    return read(
        sa.select(key, sa.func.count().label("values"))
        .where(sealed.column.is_not(None))
        .group_by(key)
        .order_by(key)
    )


@cache
def _others(sealed: SealedColumn) -> ReadStatement:
    row_id = sealed.table.c.id
    return read(
        sa.select(row_id.label("row_id"), sealed.column.label("sealed"))
        .where(
            row_id > sa.bindparam("after", type_=sa.Uuid),
            _key_bytes(sealed.column) != sa.bindparam("key", type_=sa.LargeBinary),
        )
        .order_by(row_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


@cache
def _exchange(sealed: SealedColumn) -> WriteStatement:
    given = given_rows(
        "given",
        id=("ids", sa.Uuid()),
        old=("old", sa.LargeBinary()),
        new=("new", sa.LargeBinary()),
    )
    row_id = sealed.table.c.id
    return write(
        sa.update(sealed.table)
        .where(row_id == given.c.id, sealed.column == given.c.old)
        .values({sealed.name: given.c.new})
        .returning(row_id)
    )


async def counts(connection: ReadConnection) -> list[SealedCount]:
    """How many values each key sealed, column by column; reads every row."""
    return [
        SealedCount(sealed, _key_id(row["key"]), row["values"])
        for sealed in SEALED_COLUMNS
        for row in await connection.all(_count(sealed))
    ]


async def sealed_by_others(
    connection: ReadConnection, column: SealedColumn, key_id: UUID, after: UUID, limit: int
) -> list[SealedValue]:
    """The next values behind the row `after`, by row id, that are not sealed by this key."""
    rows = await connection.all(_others(column), after=after, key=key_id.bytes, limit=limit)
    return [SealedValue(row["row_id"], bytes(row["sealed"])) for row in rows]


async def exchange(
    connection: WriteConnection, column: SealedColumn, values: Sequence[Exchange]
) -> int:
    """Put new values where the old ones still stand (compare and set); answers how many did.

    A value that somebody changed meanwhile is newer than ours and stays.
    """
    rows = await connection.changed(
        _exchange(column),
        ids=[value.row_id for value in values],
        old=[value.old for value in values],
        new=[value.new for value in values],
    )
    return len(rows)


def _key_id(raw: bytes) -> UUID | None:
    return UUID(bytes=bytes(raw)) if len(raw) == 16 else None
