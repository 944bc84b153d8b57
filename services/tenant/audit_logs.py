"""Reading a tenant's audit log."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.access.admission import TenantAccess
from services.committed import read
from services.cursor import ListScope
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources
from shards import audit
from shards.audit import AuditFilter, AuditPosition, AuditRow
from shards.tenants import TenantRead

__all__ = ["AuditFilter", "AuditRow", "list_newest"]


async def list_newest(
    resources: Resources, access: TenantAccess, wanted: AuditFilter, request: PageRequest
) -> Page[AuditRow]:
    """A page of audit rows, newest first.

    Raises:
        InvalidCursor.
    """
    filters = {name: getattr(wanted, name) for name in AuditFilter.__slots__}
    scope = ListScope("audit_logs", access.client_id, filters)
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    before = (
        None
        if position is None
        else AuditPosition(datetime.fromisoformat(position[0]), UUID(position[1]))
    )

    async def work(tenant: TenantRead) -> list[AuditRow]:
        return await audit.newest(tenant, wanted, before, request.limit + 1)

    rows = await read(resources, access.client_id, work, access.reading)
    return page_of(
        rows,
        request,
        lambda last: cursors.encode(scope, (last.created_at.isoformat(), str(last.id))),
    )
