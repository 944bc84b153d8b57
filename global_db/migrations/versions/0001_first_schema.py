"""Users, roles, clients with their placement, shards, keys, moves, global audit.

Revision ID: 0001
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0001_tables.sql")
    run("0001_audit.sql")
    run("0001_access.sql")


def downgrade(run: RunSql) -> None:
    run("0001_down.sql")
