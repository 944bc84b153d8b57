"""Data keys are published before they are used, and never deleted.

Revision ID: 0003
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0003_published_keys.sql")


def downgrade(run: RunSql) -> None:
    run("0003_down.sql")
