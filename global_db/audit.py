"""The global audit log: changes to users, roles, clients and keys, in the change's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import given_rows
from global_db.connection import WriteConnection
from global_db.statement import write
from global_db.tables import audit_logs


@dataclass(frozen=True, slots=True)
class GlobalAuditRow:
    """One entry. `client_id`: whom it concerns, if anyone; `reason`: an operator's own words."""

    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    client_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]
    ip_address: IPv4Address | IPv6Address | None
    request_id: str | None
    reason: str | None = None


# Inline: it asks for nothing back. Who may add rows need not be allowed to read any.
_INSERT = write(
    sa.insert(audit_logs)
    .values({name: sa.bindparam(name) for name in GlobalAuditRow.__slots__})
    .inline()
)


_NAMES = tuple(GlobalAuditRow.__slots__)
_given = given_rows("given", **{name: (name, audit_logs.c[name].type) for name in _NAMES})
_INSERT_EACH = write(sa.insert(audit_logs).from_select(_NAMES, sa.select(_given)))


async def insert(connection: WriteConnection, row: GlobalAuditRow) -> None:
    """Add an entry; its time is the transaction's, its content hash the table's own work."""
    await connection.send(_INSERT, **{name: getattr(row, name) for name in _NAMES})


async def insert_each(connection: WriteConnection, rows: Sequence[GlobalAuditRow]) -> None:
    """Add many entries in one statement."""
    columns = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    await connection.send(_INSERT_EACH, **columns)
