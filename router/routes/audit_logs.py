"""The audit log of a tenant."""

from typing import Annotated, Final

from fastapi import Query

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.documents import AuditLogPage, AuditLogQuery
from router.parameters import ClientId
from router.routes.clients import CLIENT
from router.routes.replies import LINK, SERVED_BY, from_primary, linked
from router.security import Tenant
from services.pages import Page, PageRequest
from services.tenant import audit_logs
from services.tenant.audit_logs import AuditFilter, AuditRow

api = Api("Audit")

AUDIT_LOGS: Final = f"{CLIENT}/audit-logs"


@api.route(
    "GET",
    AUDIT_LOGS,
    Tenant("audit:read"),
    Doc(
        (
            Answer(
                200,
                "Entries, newest first.",
                AuditLogPage,
                examples.page(examples.AUDIT_LOG),
                headers=LINK | SERVED_BY,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_audit_logs(
    call: Call, client_id: ClientId, query: Annotated[AuditLogQuery, Query()]
) -> Page[AuditRow]:
    """List what was done to a tenant's documents, newest first.

    `from` is inclusive, `to` exclusive.
    """
    wanted = AuditFilter(
        user_id=query.user_id,
        action=query.action,
        entity_type=query.entity_type,
        entity_id=query.entity_id,
        since=query.from_,
        until=query.to,
    )
    request = PageRequest(query.limit, query.cursor)
    from_primary(call)
    return linked(call, await audit_logs.list_newest(call.resources, call.tenant, wanted, request))
