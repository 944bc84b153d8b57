"""The audit chain: a queue of what is to be linked, and the function that links it.

Revision ID: 0006
"""

from __future__ import annotations

from global_db.migration import RunSql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade(run: RunSql) -> None:
    run("0006_chain.sql")
    run("0001_tenant_table.sql", table="audit_pending")


def downgrade(run: RunSql) -> None:
    run("0006_down.sql")
