"""Names are looked up by keys, in the tenant's own part of an index.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def prepare_upgrade(run: RunSql) -> None:
    run("0005_index.sql")


def upgrade(run: RunSql) -> None:
    run("0005_search.sql")


def downgrade(run: RunSql) -> None:
    run("0005_down.sql")
