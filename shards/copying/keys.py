"""The tenant tables as a mover walks them: by ranges of the primary key behind client_id.

A key travels as the text of an array of texts: whatever its types, it comes back as it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from shards.tables import TENANT_TABLES

Key = str

# Below every value of the type, or equal to the least one.
_LEAST: Mapping[type[sa.types.TypeEngine[Any]], str] = {
    sa.Uuid: str(UUID(int=0)),
    sa.Text: '""',
    sa.DateTime: "-infinity",
    sa.BigInteger: "0",
}
_TYPES: Mapping[type[sa.types.TypeEngine[Any]], str] = {
    sa.Uuid: "uuid",
    sa.Text: "text",
    sa.DateTime: "timestamptz",
    sa.BigInteger: "bigint",
}


@dataclass(frozen=True)
class TenantTable:
    """A tenant table, and the pieces of SQL that name its parts."""

    table: sa.Table

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @cached_property
    def qualified(self) -> sql.Composable:
        """The table in a statement."""
        return sql.Identifier(str(self.table.schema), self.name)

    @cached_property
    def columns(self) -> sql.Composable:
        """Every column, in one order on every shard."""
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.table.columns)

    @cached_property
    def key(self) -> tuple[sa.Column[Any], ...]:
        """The primary key's columns behind client_id."""
        return tuple(self.table.primary_key.columns)[1:]

    @cached_property
    def least(self) -> Key:
        """No key is below this one."""
        return "{" + ",".join(_LEAST[type(column.type)] for column in self.key) + "}"

    @cached_property
    def key_row(self) -> sql.Composable:
        """The key as one value that compares as the index is ordered."""
        return sql.SQL("({})").format(self.key_columns)

    @cached_property
    def key_columns(self) -> sql.Composable:
        """The key's columns."""
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.key)

    @cached_property
    def key_text(self) -> sql.Composable:
        """The key as it travels."""
        texts = (sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in self.key)
        return sql.SQL("ARRAY[{}]::text").format(sql.SQL(", ").join(texts))

    def bound(self, key: sql.Composable) -> sql.Composable:
        """A key that travelled, as a value to compare `key_row` with."""
        parts = (
            sql.SQL("(({}::text[])[{}])::{}").format(
                key, sql.Literal(place), sql.SQL(_TYPES[type(column.type)])
            )
            for place, column in enumerate(self.key, start=1)
        )
        return sql.SQL("({})").format(sql.SQL(", ").join(parts))


TABLES = tuple(TenantTable(table) for table in TENANT_TABLES)
