"""Who did what."""

from datetime import datetime
from uuid import UUID

from docshard_client.call import Call, json_as
from docshard_client.model import Page
from docshard_client.models import AuditLog, GlobalAuditLog
from docshard_client.operation import paged
from docshard_client.parameters import client_path, instant, query


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

    @paged
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
    ) -> Call[Page[GlobalAuditLog]]:
        """List what was done to users, roles, clients and keys; for administrators."""
        params = query(
            client_id=client_id,
            user_id=user_id,
            action=action,
            entity_type=entity_type,
            entity_id=entity_id,
            **{"from": instant(from_)},
            to=instant(to),
            limit=limit,
        )
        return Call("GET", "/v1/audit-logs", json_as(Page[GlobalAuditLog]), params=params)
