"""What each client stores and how often it is read and written.

Revision ID: 0007
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0007_client_statistics.sql")


def downgrade(run: RunSql) -> None:
    run("0007_down.sql")
