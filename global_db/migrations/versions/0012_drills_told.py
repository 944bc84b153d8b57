"""Workers tell what drills have shown.

Revision ID: 0012
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0012_drills_told.sql")


def downgrade(run: RunSql) -> None:
    run("0012_down.sql")
