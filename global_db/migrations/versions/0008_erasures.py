"""Clients that are erased: how far it is, and the certificate.

Revision ID: 0008
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0008_erasures.sql")


def downgrade(run: RunSql) -> None:
    run("0008_down.sql")
