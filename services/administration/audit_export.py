"""All that a filter finds in every audit log, newest first, for a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from services.access.admission import GlobalAccess
from services.administration.audit_logs import GlobalAuditFilter, MergedPage, list_newest
from services.audit import Event, record_global
from services.failures import global_failures
from services.pages import PageRequest
from services.resources import Resources
from services.tenant.audit_logs import filters_of

MOST_ROWS: Final = 10_000
_PAGE: Final = 200


async def note_export(
    resources: Resources, access: GlobalAccess, wanted: GlobalAuditFilter
) -> None:
    """Leave a note in the global log that the caller takes a copy.

    Raises:
        DirectoryUnavailable.
    """
    filters = {name: value for name, value in filters_of(wanted).items() if value is not None}
    event = Event("audit.export", "user", access.caller.principal.user_id, None, filters)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await record_global(connection, access.caller, event, wanted.client_id)


async def pages(
    resources: Resources, access: GlobalAccess, wanted: GlobalAuditFilter
) -> AsyncIterator[MergedPage]:
    """Page after page, of `MOST_ROWS` entries at most together; memory holds one.

    Raises:
        DirectoryUnavailable.
    """
    cursor, rows = None, 0
    while rows < MOST_ROWS:
        request = PageRequest(min(_PAGE, MOST_ROWS - rows), cursor)
        page = await list_newest(resources, access, wanted, request)
        yield page
        rows, cursor = rows + len(page.items), page.next_cursor
        if cursor is None:
            return
