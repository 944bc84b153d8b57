"""Pages of audit logs: a tenant's own, and that of all tenants of a shard."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from global_db.audit_pages import GlobalAuditEntry, GlobalAuditFilter
from global_db.audit_walk import (
    AuditFilter,
    AuditPosition,
    Log,
    Step,
    Walked,
    chosen,
    walk,
    walking,
)
from global_db.connection import ReadConnection, Row
from global_db.statement import ReadStatement, read_by_value
from shards.audit import AuditRow
from shards.residency import entered, entered_read
from shards.tables import audit_chain, audit_logs
from shards.tenants import TenantRead

_NAMES = tuple(AuditRow.__slots__)
_LOG = Log(
    audit_logs,
    indexed=("entity_id", "user_id", "action"),
    scope=(audit_logs.c.client_id == entered,),
    around=(entered.scalar_alias,),
)


async def newest(
    tenant: TenantRead, wanted: AuditFilter, before: AuditPosition | None, limit: int
) -> Walked[AuditRow]:
    """A page of the tenant's entries, newest first, from behind `before`; it may be short."""

    async def ask(step: Step[AuditFilter]) -> Sequence[Row]:
        return await tenant.all(_page(*step.shape), **step.parameters())

    page = await walk(ask, wanted, before, limit)
    return Walked([AuditRow(**{name: row[name] for name in _NAMES}) for row in page.rows], page.end)


@lru_cache(maxsize=256)
def _page(given: frozenset[str], further: bool) -> ReadStatement:
    """The statement for one combination of filters, compiled once for each."""
    rows = walking(_LOG, given, further=further)
    # Looked up for the rows of the page alone: a join would begin before they are known.
    seq = (
        sa.select(audit_chain.c.seq)
        .where(audit_chain.c.client_id == entered, audit_chain.c.audit_id == rows.c.id)
        .correlate(entered.scalar_alias, rows)
        .scalar_subquery()
    )
    names = (*(name for name in _NAMES if name != "seq"), "place", "matched")
    query = sa.select(*(rows.c[name] for name in names), seq.label("seq"))
    return entered_read(chosen(query, rows), [sa.literal_column("place")], prepared=False)


_UUID, _TEXT, _TIME = sa.Uuid(), sa.Text(), sa.DateTime(timezone=True)
# In the order of the function's parameters.
_ARGUMENTS: dict[str, sa.types.TypeEngine[Any]] = {
    "client_id": _UUID,
    "user_id": _UUID,
    "action": _TEXT,
    "entity_type": _TEXT,
    "entity_id": _UUID,
    "since": _TIME,
    "until": _TIME,
    "before_at": _TIME,
    "before_id": _UUID,
    "most": sa.Integer(),
    "page": sa.Integer(),
}
_OF_ALL_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    name: column.type for name, column in audit_logs.c.items() if name != "content_hash"
} | {"place": sa.BigInteger(), "matched": sa.Boolean()}
_OF_ALL = read_by_value(
    sa.select(
        sa.func.docshard.newest_audit_rows(
            *(sa.bindparam(name, type_=kind) for name, kind in _ARGUMENTS.items())
        ).table_valued(
            *(sa.column(name, kind) for name, kind in _OF_ALL_COLUMNS.items()), name="rows"
        )
    )
)


async def newest_of_all(
    connection: ReadConnection,
    wanted: GlobalAuditFilter,
    before: AuditPosition | None,
    limit: int,
) -> Walked[GlobalAuditEntry]:
    """The same of all tenants that live on this shard, for the service's own people.

    A tenant that a move is switching may be in two shards' answers, with the same entries.
    """

    async def ask(step: Step[GlobalAuditFilter]) -> Sequence[Row]:
        return await connection.all(_OF_ALL, **dict.fromkeys(_ARGUMENTS) | step.parameters())

    page = await walk(ask, wanted, before, limit)
    return Walked([_entry(row) for row in page.rows], page.end)


def _entry(row: Row) -> GlobalAuditEntry:
    return GlobalAuditEntry(
        **{name: value for name, value in row.items() if name not in {"place", "matched"}}
    )
