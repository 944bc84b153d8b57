"""A tenant's audit log: rows are added in the transaction of what they tell of, and stay (I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.statement import write
from shards.tables import audit_logs
from shards.tenants import TenantWrite

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
