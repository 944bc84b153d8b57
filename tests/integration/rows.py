"""A valid row for any tenant table, made from its columns."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
import uuid_utils.compat as uuid_utils
from psycopg import sql

from global_db.connection import RawConnection
from shards.tables import TENANT_TABLES

_BY_TYPE: dict[type[sa.types.TypeEngine[Any]], Any] = {
    sa.Text: "text",
    sa.LargeBinary: b"\x00" * 32,
    sa.Integer: 1,
    sa.BigInteger: 1,
    sa.Date: "2026-01-01",
    sa.DateTime: "2026-01-01T00:00:00Z",
}


def qualified(table: sa.Table) -> sql.Identifier:
    """The table's name in a statement."""
    return sql.Identifier(str(table.schema), table.name)


def sample(table: sa.Table, client_id: UUID, document_id: UUID) -> dict[str, Any]:
    """Values of the columns that need one; rows that refer to a document refer to this one."""
    fixed = {"client_id": client_id, "document_id": document_id, "kind": "stream"}
    needed = [c for c in table.columns if not c.nullable and c.server_default is None]
    return {c.name: fixed[c.name] if c.name in fixed else _value(c) for c in needed}


def _value(column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.Uuid):
        return uuid_utils.uuid7()
    return _BY_TYPE[type(column.type)]


async def insert(session: RawConnection, table: sa.Table, row: dict[str, Any]) -> None:
    """Insert a row."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        qualified(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    await session.execute(statement, row)


async def insert_everywhere(superuser: RawConnection, client_id: UUID) -> UUID:
    """One row of the tenant in each of its tables; answers the document they belong to."""
    document_id: UUID = uuid_utils.uuid7()
    async with superuser.transaction():
        await superuser.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
        for table in TENANT_TABLES:
            row = sample(table, client_id, document_id)
            if table.name == "documents":
                row["id"] = document_id
            await insert(superuser, table, row)
    return document_id
