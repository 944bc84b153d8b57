"""Pieces that tables of both schemas share: naming, ids, times, soft delete."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

SCHEMA = "docshard"

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def metadata() -> sa.MetaData:
    """A registry of tables in our schema with predictable constraint names."""
    return sa.MetaData(schema=SCHEMA, naming_convention=NAMING)


def moment(name: str, *, nullable: bool = False, default_now: bool = False) -> sa.Column[Any]:
    """A timestamptz column; `default_now` means the transaction's start."""
    default = sa.text("now()") if default_now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def deleted_at() -> sa.Column[Any]:
    """Soft delete: NULL while the row lives."""
    return moment("deleted_at", nullable=True)


def living(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that picks rows that are not soft-deleted."""
    return table.c.deleted_at.is_(None)


def canary_table(metadata: sa.MetaData) -> sa.Table:
    """A row of each minute, on every cluster; `lsn` is the place in the WAL in bytes."""
    return sa.Table(
        "canaries",
        metadata,
        sa.Column("written_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("lsn", sa.BigInteger, nullable=False),
    )


def given_rows(
    name: str, /, **columns: tuple[str, sa.types.TypeEngine[Any]]
) -> sa.TableValuedAlias:
    """A table of rows that a statement is given: parallel arrays, one parameter for each column.

    `columns` by their names: the name of the parameter, and what the array is made of.
    """
    arrays = (sa.bindparam(given, type_=ARRAY(kind)) for given, kind in columns.values())
    names = (sa.column(column, kind) for column, (_, kind) in columns.items())
    rows = sa.func.unnest(*arrays).table_valued(*names, joins_implicitly=True)
    return rows.render_derived(name=name)
