"""A tenant's audit log: rows are added in the transaction of what they tell of, and stay (I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.statement import ReadStatement, write
from shards.residency import entered, entered_read
from shards.tables import audit_chain, audit_logs
from shards.tenants import TenantRead, TenantWrite

IpAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry. `seq` is its place in the tenant's chain, None until it was linked."""

    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]
    ip_address: IpAddress | None
    request_id: str | None
    created_at: datetime
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries a list holds; None means any. `since` is inclusive, `until` exclusive."""

    user_id: UUID | None = None
    action: str | None = None
    entity_type: str | None = None
    entity_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """The last entry of a page."""

    created_at: datetime
    id: UUID


_WRITTEN = tuple(name for name in AuditRow.__slots__ if name != "seq")
# content_hash is made by the table's own trigger, over what is stored.
_INSERT = write(
    sa.insert(audit_logs).values(
        client_id=sa.bindparam("client_id"), **{name: sa.bindparam(name) for name in _WRITTEN}
    )
)


async def insert(tenant: TenantWrite, row: AuditRow) -> None:
    """Add an entry."""
    await tenant.send(_INSERT, **{name: getattr(row, name) for name in _WRITTEN})


async def newest(
    tenant: TenantRead, wanted: AuditFilter, before: AuditPosition | None, limit: int
) -> list[AuditRow]:
    """A page of entries, newest first, from behind `before`."""
    conditions = {
        name: value
        for name in AuditFilter.__slots__
        if (value := getattr(wanted, name)) is not None
    }
    position = {} if before is None else {"before_at": before.created_at, "before_id": before.id}
    statement = _page(frozenset(conditions), before is not None)
    rows = await tenant.all(statement, **conditions, **position, limit=limit)
    return [AuditRow(**row) for row in rows]


@lru_cache(maxsize=128)
def _page(given: frozenset[str], further: bool) -> ReadStatement:
    """The list's statement for one combination of filters, compiled once for each."""
    query = (
        sa.select(*(audit_logs.c[name] for name in _WRITTEN), audit_chain.c.seq)
        .select_from(audit_logs)
        .outerjoin(
            audit_chain,
            (audit_chain.c.client_id == entered) & (audit_chain.c.audit_id == audit_logs.c.id),
        )
        .where(audit_logs.c.client_id == entered)
    )
    for name in sorted(given):
        query = query.where(_CONDITIONS[name])
    if further:
        query = query.where(
            sa.tuple_(audit_logs.c.created_at, audit_logs.c.id)
            < sa.tuple_(
                sa.bindparam("before_at", type_=sa.DateTime(timezone=True)),
                sa.bindparam("before_id", type_=sa.Uuid),
            )
        )
    query = query.order_by(audit_logs.c.created_at.desc(), audit_logs.c.id.desc()).limit(
        sa.bindparam("limit", type_=sa.Integer)
    )
    return entered_read(query, order_by=[sa.desc("created_at"), sa.desc("id")])


_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "user_id": audit_logs.c.user_id == sa.bindparam("user_id", type_=sa.Uuid),
    "action": audit_logs.c.action == sa.bindparam("action", type_=sa.Text),
    "entity_type": audit_logs.c.entity_type == sa.bindparam("entity_type", type_=sa.Text),
    "entity_id": audit_logs.c.entity_id == sa.bindparam("entity_id", type_=sa.Uuid),
    "since": audit_logs.c.created_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    "until": audit_logs.c.created_at < sa.bindparam("until", type_=sa.DateTime(timezone=True)),
}
