"""Moves that are run: wishes, retries, ways back, progress; the mover's rights.

Revision ID: 0006
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0006_moves.sql")


def downgrade(run: RunSql) -> None:
    run("0006_down.sql")
