"""Rows by which drills measure what a disaster costs, and what drills have shown.

Revision ID: 0010
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0010_drills.sql")


def downgrade(run: RunSql) -> None:
    run("0010_down.sql")
