"""Under which keys a document's name is found: the functions of the next revision's index.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0004_name_keys.sql")


def downgrade(run: RunSql) -> None:
    run("0004_down.sql")
