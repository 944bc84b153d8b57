"""The audit log of a tenant, and the global one."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from router.answers import Answer
from router.api import STALENESS, Api, Doc
from router.call import Call
from router.models import examples
from router.models.audit import (
    AuditLogPage,
    AuditLogQuery,
    AuditLogShown,
    GlobalAuditLogPage,
    GlobalAuditLogQuery,
)
from router.models.people_examples import GLOBAL_AUDIT_LOG
from router.parameters import ClientId
from router.routes.clients import CLIENT
from router.routes.replies import LINK, linked
from router.security import Everywhere, Tenant
from router.writing import Writer, by_model
from services.administration import audit_logs as global_audit_logs
from services.administration.audit_logs import GlobalAuditFilter, MergedPage
from services.pages import PageRequest
from services.tenant import audit_logs
from services.tenant.audit_logs import AuditFilter

api = Api("Audit")

AUDIT_LOGS: Final = f"{CLIENT}/audit-logs"
_WRITER: Final = Writer(by_model(AuditLogShown))


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
) -> Response:
    """List what was done to a tenant's documents, newest first.

    `from` is inclusive, `to` exclusive. A page may hold fewer than `limit`, or none, and yet have a
    `next_cursor`: with several filters each page looks at a bounded part of the log. What is older
    than the log's policy keeps lies in archives and is not listed.
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
    page = await audit_logs.list_newest(call.resources, call.tenant, wanted, request)
    return _WRITER.page(linked(call, page))


@api.route(
    "GET",
    "/v1/audit-logs",
    Everywhere("audit:read", reading=(STALENESS,)),
    Doc(
        (
            Answer(
                200,
                "Entries, newest first.",
                GlobalAuditLogPage,
                examples.page(GLOBAL_AUDIT_LOG) | {"unavailable": []},
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_all_audit_logs(
    call: Call, query: Annotated[GlobalAuditLogQuery, Query()]
) -> MergedPage:
    """List what was done anywhere: in the global log and in the logs of all clients, merged.

    Newest first; `from` is inclusive, `to` exclusive. A page may hold fewer than `limit`, or none,
    and yet have a `next_cursor`: with rare filters each page looks at a bounded part of the logs.

    `unavailable` names shards that did not answer in time. Their entries are missing from this page
    and from no other: `next_cursor` goes on behind it, and the same request again gives it whole
    once they answer. With `client_id` only that client's shard and the global log are asked.
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
    page = await global_audit_logs.list_newest(call.resources, call.everywhere, wanted, request)
    linked(call, page)
    return page
