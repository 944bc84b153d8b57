"""Soft delete, the one way: `deleted_at` is set or cleared, the row stays.

Unique indexes are partial, `WHERE deleted_at IS NULL`: many deleted rows may share a value, one
living row has it. So taking a delete back can meet a living row with the same value.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from global_db.columns import living
from global_db.statement import WriteStatement, write


@dataclass(frozen=True, slots=True)
class SoftDelete:
    """The two statements of a table; each takes `row_id` and returns the row, or none."""

    delete: WriteStatement
    restore: WriteStatement


def soft_delete(table: sa.Table) -> SoftDelete:
    """Build the statements for a table with id, updated_at and deleted_at."""
    own = table.c.id == sa.bindparam("row_id", type_=sa.Uuid)
    return SoftDelete(
        delete=write(
            sa.update(table)
            .where(own, living(table))
            .values(deleted_at=sa.func.now(), updated_at=sa.func.now())
            .returning(table)
        ),
        restore=write(
            sa.update(table)
            .where(own, ~living(table))
            .values(deleted_at=None, updated_at=sa.func.now())
            .returning(table)
        ),
    )
