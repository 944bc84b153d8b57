"""Who did what, and what became of it."""

from datetime import datetime
from uuid import UUID

from docshard_client.call import Call, json_as
from docshard_client.model import Page
from docshard_client.models import (
    AuditLog,
    AuditVerification,
    Change,
    GlobalAuditLogPage,
    UsageReport,
)
from docshard_client.operation import operation, paged
from docshard_client.parameters import client_path, instant, query

_PATIENCE = 30.0
"""Seconds that an answer may take beyond those it was asked to wait."""


class AuditLogs:
    """Audit logs, newest first. `from_` is inclusive, `to` exclusive."""

    @paged
    def list_audit_logs(
        self,
        client_id: UUID,
        *,
        user_id: UUID | None = None,
        action: str | None = None,
        entity_type: str | None = None,
        entity_id: UUID | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        limit: int = 200,
    ) -> Call[Page[AuditLog]]:
        """List what was done in a client, to its documents and by whom."""
        path, kind = f"{client_path(client_id)}/audit-logs", Page[AuditLog]
        params = query(
            user_id=user_id,
            action=action,
            entity_type=entity_type,
            entity_id=entity_id,
            **{"from": instant(from_)},
            to=instant(to),
            limit=limit,
        )
        return Call("GET", path, json_as(kind), client_id, params=params)

    @operation
    def list_all_audit_logs(
        self,
        *,
        client_id: UUID | None = None,
        user_id: UUID | None = None,
        action: str | None = None,
        entity_type: str | None = None,
        entity_id: UUID | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        limit: int = 200,
        cursor: str | None = None,
    ) -> Call[GlobalAuditLogPage]:
        """List what was done anywhere, merged; for administrators.

        One page, since each says of its own which shards did not answer. `next_cursor` goes on.
        """
        params = query(
            client_id=client_id,
            user_id=user_id,
            action=action,
            entity_type=entity_type,
            entity_id=entity_id,
            **{"from": instant(from_)},
            to=instant(to),
            limit=limit,
            cursor=cursor,
        )
        return Call("GET", "/v1/audit-logs", json_as(GlobalAuditLogPage), params=params)

    @operation
    def verify_audit_logs(
        self,
        client_id: UUID,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        cursor: str | None = None,
    ) -> Call[AuditVerification]:
        """Verify the chain of a client's log, for about two seconds; `next_cursor` goes on."""
        path = f"{client_path(client_id)}/audit-logs/verify"
        params = query(**{"from": instant(from_)}, to=instant(to), cursor=cursor)
        return Call("GET", path, json_as(AuditVerification), client_id, params=params)

    @operation
    def list_changes(
        self,
        client_id: UUID,
        *,
        limit: int = 200,
        cursor: str | None = None,
        wait: int = 0,
    ) -> Call[Page[Change]]:
        """List a client's changes behind `cursor`, oldest first: none is skipped.

        One page with a `next_cursor`, always: ask with it again, now or another day. With nothing
        new it waits up to `wait` seconds.
        """
        path = f"{client_path(client_id)}/changes"
        params = query(limit=limit, cursor=cursor, wait=wait)
        return Call(
            "GET",
            path,
            json_as(Page[Change]),
            client_id,
            params=params,
            timeout=wait + _PATIENCE if wait else None,
        )

    @operation
    def get_usage_report(self, client_id: UUID) -> Call[UsageReport]:
        """Count what a client stores; it may be a minute old."""
        path = f"{client_path(client_id)}/reports/usage"
        return Call("GET", path, json_as(UsageReport), client_id)
