"""Lists in every order, and search: indexes, and the function that may use them.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def prepare_upgrade(run: RunSql) -> None:
    run("0002_indexes.sql")


def upgrade(run: RunSql) -> None:
    run("0002_search.sql")


def downgrade(run: RunSql) -> None:
    run("0002_down.sql")
