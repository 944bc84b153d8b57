"""Purge, retention and legal hold; what the bytes of a version look like.

Revision ID: 0003
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0003_uploads.sql")
    run("0001_tenant_table.sql", table="purged_blobs")
    run("0003_purge.sql")


def downgrade(run: RunSql) -> None:
    run("0003_down.sql")
