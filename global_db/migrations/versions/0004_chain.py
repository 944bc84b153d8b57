"""The global log's audit chain, and the signed heads of all chains.

Revision ID: 0004
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0004_chain.sql")
    run("0004_heads.sql")


def downgrade(run: RunSql) -> None:
    run("0004_down.sql")
