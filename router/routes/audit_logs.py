"""The audit log of a tenant, and the global one."""

from typing import Annotated, Final

from fastapi import Query

from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.audit import (
    AuditLogPage,
    AuditLogQuery,
    GlobalAuditLogPage,
    GlobalAuditLogQuery,
)
from router.models.people_examples import GLOBAL_AUDIT_LOG
from router.parameters import ClientId
from router.routes.clients import CLIENT
from router.routes.replies import LINK, linked
from router.security import Everywhere, Tenant
from services.administration import audit_logs as global_audit_logs
from services.administration.audit_logs import GlobalAuditEntry, GlobalAuditFilter
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
                headers=LINK,
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
    return linked(call, await audit_logs.list_newest(call.resources, call.tenant, wanted, request))


@api.route(
    "GET",
    "/v1/audit-logs",
    Everywhere("audit:read"),
    Doc(
        (
            Answer(
                200,
                "Entries, newest first.",
                GlobalAuditLogPage,
                examples.page(GLOBAL_AUDIT_LOG),
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_all_audit_logs(
    call: Call, query: Annotated[GlobalAuditLogQuery, Query()]
) -> Page[GlobalAuditEntry]:
    """List what was done to users, roles, clients and keys, who logged in and who was denied.

    Newest first; `from` is inclusive, `to` exclusive. It reads the global log alone: what was done
    to a tenant's documents stands in the tenant's own log.
    """
    wanted = GlobalAuditFilter(
        user_id=query.user_id,
        action=query.action,
        entity_type=query.entity_type,
        entity_id=query.entity_id,
        client_id=query.client_id,
        since=query.from_,
        until=query.to,
    )
    request = PageRequest(query.limit, query.cursor)
    return linked(
        call,
        await global_audit_logs.list_newest(call.resources, call.everywhere, wanted, request),
    )
