"""Months of the audit log that come late or go: DEFAULT emptied, old ones archived; lists of all.

Revision ID: 0007
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def prepare_upgrade(run: RunSql) -> None:
    run("0007_indexes.sql")


def upgrade(run: RunSql) -> None:
    run("0007_archives.sql")
    run("0001_tenant_table.sql", table="audit_archives")
    run("0007_months.sql")
    run("0007_reading.sql")


def downgrade(run: RunSql) -> None:
    run("0007_down.sql")
