"""The global audit log: changes to users, roles, clients and keys, in the change's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import ReadStatement, read, write
from global_db.tables import audit_logs


@dataclass(frozen=True, slots=True)
class GlobalAuditRow:
    """One entry. `client_id`: whom it concerns, if anyone; `reason`: an operator's own words."""

    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    client_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]
    ip_address: IPv4Address | IPv6Address | None
    request_id: str | None
    reason: str | None = None


_INSERT = write(
    sa.insert(audit_logs).values({name: sa.bindparam(name) for name in GlobalAuditRow.__slots__})
)


async def insert(connection: WriteConnection, row: GlobalAuditRow) -> None:
    """Add an entry; its time is the transaction's, its content hash the table's own work."""
    await connection.send(
        _INSERT, **{name: getattr(row, name) for name in GlobalAuditRow.__slots__}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAuditEntry(GlobalAuditRow):
    """A row as it is kept."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class GlobalAuditFilter:
    """Which entries a list holds; None means any. `since` is inclusive, `until` exclusive."""

    user_id: UUID | None = None
    action: str | None = None
    entity_type: str | None = None
    entity_id: UUID | None = None
    client_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GlobalAuditPosition:
    """The last entry of a page."""

    created_at: datetime
    id: UUID


_TIME = sa.DateTime(timezone=True)
_ENTRY = (*GlobalAuditRow.__slots__, "created_at")
_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    **{
        name: audit_logs.c[name] == sa.bindparam(name, type_=audit_logs.c[name].type)
        for name in ("user_id", "action", "entity_type", "entity_id", "client_id")
    },
    "since": audit_logs.c.created_at >= sa.bindparam("since", type_=_TIME),
    "until": audit_logs.c.created_at < sa.bindparam("until", type_=_TIME),
}


async def newest(
    connection: ReadConnection,
    wanted: GlobalAuditFilter,
    before: GlobalAuditPosition | None,
    limit: int,
) -> list[GlobalAuditEntry]:
    """A page of entries, newest first, from behind `before`."""
    given = {
        name: value
        for name in GlobalAuditFilter.__slots__
        if (value := getattr(wanted, name)) is not None
    }
    position = {} if before is None else {"before_at": before.created_at, "before_id": before.id}
    statement = _page(frozenset(given), before is not None)
    rows = await connection.all(statement, **given, **position, limit=limit)
    return [GlobalAuditEntry(**row) for row in rows]


@lru_cache(maxsize=128)
def _page(given: frozenset[str], further: bool) -> ReadStatement:
    query = sa.select(*(audit_logs.c[name] for name in _ENTRY))
    for name in sorted(given):
        query = query.where(_CONDITIONS[name])
    if further:
        query = query.where(
            sa.tuple_(audit_logs.c.created_at, audit_logs.c.id)
            < sa.tuple_(
                sa.bindparam("before_at", type_=_TIME), sa.bindparam("before_id", type_=sa.Uuid)
            )
        )
    newest_first = (audit_logs.c.created_at.desc(), audit_logs.c.id.desc())
    return read(query.order_by(*newest_first).limit(sa.bindparam("limit", type_=sa.Integer)))
