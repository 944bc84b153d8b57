"""How much a client may store, and how often it may ask.

Revision ID: 0011
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0011_quotas.sql")


def downgrade(run: RunSql) -> None:
    run("0011_down.sql")
