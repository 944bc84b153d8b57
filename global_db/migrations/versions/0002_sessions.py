"""Second factors, failed logins, password links; one refresh token of a session is the newest.

Revision ID: 0002
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0002_sessions.sql")


def downgrade(run: RunSql) -> None:
    run("0002_down.sql")
