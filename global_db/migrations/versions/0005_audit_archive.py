"""Months of audit logs that are archived, of every cluster; the global log's own months.

Revision ID: 0005
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0005_archives.sql")
    run("0005_months.sql")


def downgrade(run: RunSql) -> None:
    run("0005_down.sql")
