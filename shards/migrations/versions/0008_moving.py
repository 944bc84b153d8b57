"""Moves on a shard: which generation may change it, markers, the mover's rights.

Revision ID: 0008
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0008_moving.sql")


def downgrade(run: RunSql) -> None:
    run("0008_down.sql")
