"""Reading the global audit log: users, roles, grants, clients, keys, logins and denials."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from global_db import audit
from global_db.audit import GlobalAuditEntry, GlobalAuditFilter, GlobalAuditPosition
from services.access.admission import GlobalAccess
from services.cursor import ListScope
from services.failures import global_failures
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources

__all__ = ["GlobalAuditEntry", "GlobalAuditFilter", "list_newest"]


async def list_newest(
    resources: Resources, access: GlobalAccess, wanted: GlobalAuditFilter, request: PageRequest
) -> Page[GlobalAuditEntry]:
    """A page of entries, newest first.

    Raises:
        InvalidCursor.
    """
    filters = {name: getattr(wanted, name) for name in GlobalAuditFilter.__slots__}
    scope = ListScope("global_audit_logs", None, filters)
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    before = (
        None
        if position is None
        else GlobalAuditPosition(datetime.fromisoformat(position[0]), UUID(position[1]))
    )
    with global_failures():
        async with resources.data.global_db.read() as connection:
            rows = await audit.newest(connection, wanted, before, request.limit + 1)
    return page_of(
        rows,
        request,
        lambda last: cursors.encode(scope, (last.created_at.isoformat(), str(last.id))),
    )
