"""Residency, documents, versions, uploads, idempotency keys, audit.

Revision ID: 0001
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "documents",
    "document_versions",
    "uploads",
    "idempotency_keys",
    "audit_logs",
    "audit_chain",
)


def upgrade(run: RunSql) -> None:
    run("0001_tables.sql")
    run("0001_residency.sql")
    run("0001_audit.sql")
    for table in TENANT_TABLES:
        run("0001_tenant_table.sql", table=table)
    run("0001_access.sql")


def downgrade(run: RunSql) -> None:
    run("0001_down.sql")
