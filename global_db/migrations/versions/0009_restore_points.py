"""Moments at which all clusters can be restored to one placement.

Revision ID: 0009
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0009_restore_points.sql")


def downgrade(run: RunSql) -> None:
    run("0009_down.sql")
