"""The one place that makes audit rows: what changed, by whom, from where.

I5: a row is written in the transaction of the change it tells of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from global_db import audit as global_audit
from global_db.audit import GlobalAuditRow
from global_db.connection import WriteConnection
from services.identity.principal import OPERATOR, Caller, Origin
from services.ids import new_id
from shards import audit as shard_audit
from shards.audit import AuditRow
from shards.tenants import TenantWrite

Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one entity. Images hold no secrets; None: it was not there."""

    action: str
    entity_type: str
    entity_id: UUID
    before: Image | None = None
    after: Image | None = None

    def changes(self) -> dict[str, Any]:
        """{before, after}: for a change only the members that differ, else the whole image."""
        before, after = self.before, self.after
        if before is None or after is None:
            return {"before": before, "after": after}
        differing = [
            name
            for name in before.keys() | after.keys()
            if (name in before, before.get(name)) != (name in after, after.get(name))
        ]
        return {
            "before": {name: before[name] for name in sorted(differing) if name in before},
            "after": {name: after[name] for name in sorted(differing) if name in after},
        }


async def record(tenant: TenantWrite, caller: Caller, event: Event) -> None:
    """Write a tenant's audit row in the tenant's transaction."""
    await shard_audit.insert(
        tenant,
        AuditRow(
            id=new_id(),
            user_id=caller.principal.user_id,
            api_key_id=caller.principal.api_key_id,
            action=event.action,
            entity_type=event.entity_type,
            entity_id=event.entity_id,
            changes=event.changes(),
            ip_address=caller.origin.ip_address,
            request_id=caller.origin.request_id,
            created_at=tenant.now,
        ),
    )


async def record_global(
    connection: WriteConnection,
    caller: Caller | Origin | None,
    event: Event,
    client_id: UUID | None = None,
) -> None:
    """Write a global audit row in the global transaction.

    No caller, or an origin with a reason alone, means an operator's command, as OPERATOR does.
    """
    await global_audit.insert(connection, _global_row(caller, event, client_id))


async def record_each(
    connection: WriteConnection,
    caller: Caller | Origin | None,
    events: Sequence[tuple[Event, UUID]],
) -> None:
    """The same for many events, each with the client that it concerns, in one statement."""
    rows = [_global_row(caller, event, client_id) for event, client_id in events]
    await global_audit.insert_each(connection, rows)


def _global_row(
    caller: Caller | Origin | None, event: Event, client_id: UUID | None
) -> GlobalAuditRow:
    principal = caller.principal if isinstance(caller, Caller) else None
    if principal is OPERATOR:
        principal = None
    origin = caller.origin if isinstance(caller, Caller) else caller or Origin()
    return GlobalAuditRow(
        id=new_id(),
        user_id=None if principal is None else principal.user_id,
        api_key_id=None if principal is None else principal.api_key_id,
        client_id=client_id,
        action=event.action,
        entity_type=event.entity_type,
        entity_id=event.entity_id,
        changes=event.changes(),
        ip_address=origin.ip_address,
        request_id=origin.request_id,
        reason=origin.reason,
    )
