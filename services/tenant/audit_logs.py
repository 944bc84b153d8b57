"""Reading a tenant's audit log."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from global_db.audit_walk import AuditFilter, AuditPosition, Walked
from services.access.admission import TenantAccess
from services.committed import read
from services.cursor import Cursors, ListScope, Position
from services.pages import Page, PageRequest, start_of
from services.resources import Resources
from shards import audit_pages
from shards.audit import AuditRow
from shards.tenants import TenantRead

__all__ = ["AuditFilter", "AuditRow", "list_newest"]


async def list_newest(
    resources: Resources, access: TenantAccess, wanted: AuditFilter, request: PageRequest
) -> Page[AuditRow]:
    """A page of audit rows, newest first; one that is short need not be the last.

    Raises:
        InvalidCursor.
    """
    scope = ListScope("audit_logs", access.client_id, filters_of(wanted))
    cursors = resources.secrets.cursors
    before = place_of(await start_of(cursors, scope, request))

    async def work(tenant: TenantRead) -> Walked[AuditRow]:
        return await audit_pages.newest(tenant, wanted, before, request.limit)

    walked = await read(resources, access.client_id, work)
    return Page(walked.rows, next_cursor(cursors, scope, walked.end))


def filters_of(wanted: AuditFilter) -> dict[str, object]:
    """What a cursor of a list with this filter is bound to."""
    return {name: getattr(wanted, name) for name in type(wanted).__dataclass_fields__}


def place_of(position: Position | None) -> AuditPosition | None:
    """Where a cursor says that the page begins."""
    if position is None:
        return None
    return AuditPosition(datetime.fromisoformat(position[0]), UUID(position[1]))


def next_cursor(cursors: Cursors, scope: ListScope, end: AuditPosition | None) -> str | None:
    """The cursor of the page that goes on from there; None after the last."""
    return None if end is None else cursors.encode(scope, (end.created_at.isoformat(), str(end.id)))
