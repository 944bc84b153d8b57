"""Rows of all tenants of a shard whose time has come; for the worker's role only."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.statement import ReadStatement, read
from shards.tables import residency


def due_rows(table: sa.Table, moment: str) -> ReadStatement:
    """Rows of tenants that are open here whose time in the column `moment` has passed.

    At most `each` of one tenant, the longest due first, and `limit` in all: its parameters. Every
    index leads with client_id, so each tenant that lives here is asked through its own.
    """
    at = table.c[moment]
    due = (
        sa.select(table)
        .where(table.c.client_id == residency.c.client_id, at < sa.func.now())
        .order_by(at)
        .limit(sa.bindparam("each", type_=sa.Integer))
        .lateral("due")
    )
    return read(
        sa.select(due)
        .select_from(residency)
        .join(due, sa.true())
        .where(residency.c.state == "open")
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )
