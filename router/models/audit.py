"""Audit logs: a tenant's own, and the global one."""

from datetime import datetime
from uuid import UUID

from pydantic import Field, IPvAnyAddress

from router.models.fields import Id, Instant, PageQuery, Shown, StoredJson


class AuditLogShown(Shown):
    """Who did what. `seq` is null until the chain has taken the row."""

    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: StoredJson
    ip_address: IPvAnyAddress | None
    request_id: str | None
    created_at: datetime
    seq: int | None


class AuditLogPage(Shown):
    """A page of the audit log, newest first."""

    items: list[AuditLogShown]
    next_cursor: str | None


class AuditLogQuery(PageQuery):
    """Which rows of the audit log to list."""

    user_id: Id | None = None
    action: str | None = Field(default=None, pattern=r"^[a-z_]+\.[a-z_]+$", max_length=64)
    entity_type: str | None = Field(default=None, pattern=r"^[a-z_]+$", max_length=64)
    entity_id: Id | None = None
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None


class GlobalAuditLogShown(Shown):
    """Who did what to whom. Without user and key it was an operator's command, and `reason` are
    the operator's words."""

    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    client_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: StoredJson
    ip_address: IPvAnyAddress | None
    request_id: str | None
    reason: str | None
    created_at: datetime


class GlobalAuditLogPage(Shown):
    """A page of all audit logs, newest first. `unavailable`: shards whose entries it misses."""

    items: list[GlobalAuditLogShown]
    next_cursor: str | None
    unavailable: list[str]


class GlobalAuditLogQuery(AuditLogQuery):
    """Which rows of the global audit log to list."""

    client_id: Id | None = None
