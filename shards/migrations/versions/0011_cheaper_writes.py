"""What every write pays: the guard asks the fence itself, a policy looks without a query, one text
of an audit row.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "documents",
    "document_versions",
    "uploads",
    "idempotency_keys",
    "audit_logs",
    "audit_chain",
    "purged_blobs",
    "audit_pending",
    "audit_archives",
)


def prepare_upgrade(run: RunSql) -> None:
    for table in TENANT_TABLES:
        run("0011_policy.sql", table=table)


def upgrade(run: RunSql) -> None:
    run("0011_guard.sql")
    run("0011_audit_text.sql")


def downgrade(run: RunSql) -> None:
    for table in TENANT_TABLES:
        run("0011_policy_down.sql", table=table)
    run("0011_down.sql")
