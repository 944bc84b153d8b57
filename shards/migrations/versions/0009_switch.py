"""What a switch awaits on the servers themselves.

Revision ID: 0009
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0009_switch.sql")


def downgrade(run: RunSql) -> None:
    run("0009_down.sql")
