"""Pages of the global audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from global_db.audit import GlobalAuditRow
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
from global_db.tables import audit_logs


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAuditEntry(GlobalAuditRow):
    """A row as it is kept."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class GlobalAuditFilter(AuditFilter):
    """As any log's, and of one client."""

    client_id: UUID | None = None


ENTRY = (*GlobalAuditRow.__slots__, "created_at")
_LOG = Log(audit_logs, indexed=("entity_id", "user_id", "client_id", "action"))


async def newest(
    connection: ReadConnection,
    wanted: GlobalAuditFilter,
    before: AuditPosition | None,
    limit: int,
) -> Walked[GlobalAuditEntry]:
    """A page of entries, newest first, from behind `before`; it may be short."""

    async def ask(step: Step[GlobalAuditFilter]) -> Sequence[Row]:
        return await connection.all(_page(*step.shape), **step.parameters())

    page = await walk(ask, wanted, before, limit)
    entries = [GlobalAuditEntry(**{name: row[name] for name in ENTRY}) for row in page.rows]
    return Walked(entries, page.end)


@lru_cache(maxsize=256)
def _page(given: frozenset[str], further: bool) -> ReadStatement:
    rows = walking(_LOG, given, further=further)
    columns = (*ENTRY, "place", "matched")
    return read_by_value(chosen(sa.select(*(rows.c[name] for name in columns)), rows))
