"""A tenant's audit chain: linked by the worker, read by whoever verifies or follows it.

`seq` is dense and a link with it is seen only when all before it are: one linker at a time numbers
a tenant's rows, in a transaction of its own. See migrations/sql/0006_chain.sql for the argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from global_db.chain import (
    AFTER,
    AT,
    LAST,
    LIMIT,
    LINK_COLUMNS,
    SEQ,
    Link,
    Placed,
    Tip,
    content_columns,
    link_of,
    place_columns,
)
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from shards.residency import entered, entered_read
from shards.tables import audit_chain, audit_logs, audit_pending, residency
from shards.tenants import TenantRead

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_AFTER_CLIENT = sa.bindparam("after_client", type_=sa.Uuid)

_LINK = write(
    sa.select(
        sa.func.docshard.link_audit(_CLIENT, sa.bindparam("most", type_=sa.Integer)).label("linked")
    )
)


def _next_queued(after: sa.ColumnElement[UUID]) -> sa.ScalarSelect[UUID]:
    queued = audit_pending.alias()
    following = sa.select(queued.c.client_id).where(queued.c.client_id > after)
    return following.order_by(queued.c.client_id).limit(1).scalar_subquery()


# From tenant to tenant along the primary key: one look each, however many rows it has waiting.
_first = sa.select(_next_queued(_AFTER_CLIENT).label("client_id")).cte("queued", recursive=True)
_queued = _first.union_all(
    sa.select(_next_queued(_first.c.client_id)).where(_first.c.client_id.is_not(None))
)
_QUEUED = read(
    sa.select(_queued.c.client_id)
    .join(residency, residency.c.client_id == _queued.c.client_id)
    .where(residency.c.state == "open")
    .order_by(_queued.c.client_id)
    .limit(LIMIT)
)
_newest = (
    sa.select(audit_chain.c.seq, audit_chain.c.chain_hash)
    .where(audit_chain.c.client_id == residency.c.client_id)
    .order_by(audit_chain.c.seq.desc())
    .limit(1)
    .lateral("newest")
)
_TIPS = read(
    sa.select(residency.c.client_id, _newest)
    .join(_newest, sa.true())
    .where(residency.c.client_id > _AFTER_CLIENT, residency.c.state == "open")
    .order_by(residency.c.client_id)
    .limit(LIMIT)
)

_TIP = entered_read(
    sa.select(audit_chain.c.seq, audit_chain.c.chain_hash)
    .where(audit_chain.c.client_id == entered)
    .order_by(audit_chain.c.seq.desc())
    .limit(1)
)
_AT = entered_read(
    sa.select(audit_chain.c.audit_created_at, audit_chain.c.chain_hash).where(
        audit_chain.c.client_id == entered, audit_chain.c.seq == SEQ
    )
)
_WAITING = entered_read(
    sa.select(audit_pending.c.audit_created_at)
    .where(audit_pending.c.client_id == entered)
    .order_by(audit_pending.c.audit_created_at)
    .limit(1)
)
# Of a backlog that is longer than this, the first rows tell enough.
_MOST_WAITING: sa.ColumnElement[int] = sa.literal_column("10000")
_queue = (
    sa.select(audit_pending.c.audit_created_at)
    .join(residency, residency.c.client_id == audit_pending.c.client_id)
    .where(residency.c.state == "open")
    .limit(_MOST_WAITING)
    .subquery()
)
_OLDEST_QUEUED = read(sa.select(sa.func.min(_queue.c.audit_created_at).label("since")))
_OLDEST = entered_read(
    sa.select(audit_logs.c.created_at)
    .where(audit_logs.c.client_id == entered)
    .order_by(audit_logs.c.created_at, audit_logs.c.id)
    .limit(1)
)
_LINKS = entered_read(
    sa.select(*(audit_chain.c[name] for name in LINK_COLUMNS), *content_columns(audit_logs))
    .select_from(audit_chain)
    .outerjoin(
        audit_logs,
        (audit_logs.c.client_id == entered)
        & (audit_logs.c.created_at == audit_chain.c.audit_created_at)
        & (audit_logs.c.id == audit_chain.c.audit_id),
    )
    .where(audit_chain.c.client_id == entered, audit_chain.c.seq > SEQ, audit_chain.c.seq <= LAST)
    .order_by(audit_chain.c.seq)
    .limit(LIMIT),
    order_by=[sa.asc("seq")],
)
_PLACES = entered_read(
    sa.select(*place_columns(audit_logs, audit_chain, audit_pending))
    .where(
        audit_logs.c.client_id == entered,
        sa.tuple_(audit_logs.c.created_at, audit_logs.c.id) > AFTER,
        audit_logs.c.created_at < AT,
    )
    .order_by(audit_logs.c.created_at, audit_logs.c.id)
    .limit(LIMIT),
    order_by=[sa.asc("created_at"), sa.asc("id")],
)


async def link(connection: WriteConnection, client_id: UUID, most: int) -> int:
    """Link at most so many rows of a tenant; answers how many were.

    0 too when the tenant is not open here, or another worker is at its chain.
    """
    row = await connection.returning(_LINK, client_id=client_id, most=most)
    return 0 if row is None else int(row["linked"])


async def queued(connection: ReadConnection, after: UUID, limit: int) -> list[UUID]:
    """Tenants that are open here and have rows to link, by id, behind `after`."""
    rows = await connection.all(_QUEUED, after_client=after, limit=limit)
    return [row["client_id"] for row in rows]


async def oldest_queued(connection: ReadConnection) -> datetime | None:
    """The time of the oldest row of any tenant that waits for its link."""
    row = await connection.one(_OLDEST_QUEUED)
    return None if row is None else row["since"]


async def tips(connection: ReadConnection, after: UUID, limit: int) -> list[tuple[UUID, Tip]]:
    """The newest link of each tenant that is open here, by id, behind `after`."""
    rows = await connection.all(_TIPS, after_client=after, limit=limit)
    return [(row["client_id"], Tip(row["seq"], row["chain_hash"])) for row in rows]


async def tip(tenant: TenantRead) -> Tip | None:
    """The newest link."""
    row = await tenant.one(_TIP)
    return None if row is None else Tip(**row)


async def link_at(tenant: TenantRead, seq: int) -> tuple[datetime, bytes] | None:
    """The time of one link's row, and its chain hash."""
    row = await tenant.one(_AT, seq=seq)
    return None if row is None else (row["audit_created_at"], row["chain_hash"])


async def waiting_since(tenant: TenantRead) -> datetime | None:
    """The time of the oldest row that waits for its link."""
    row = await tenant.one(_WAITING)
    return None if row is None else row["audit_created_at"]


async def oldest_row(tenant: TenantRead) -> datetime | None:
    """The time of the oldest audit row that is still here."""
    row = await tenant.one(_OLDEST)
    return None if row is None else row["created_at"]


async def links(tenant: TenantRead, seq: int, last: int, limit: int) -> list[Link]:
    """The links after `seq` up to `last`, in order, each with its row."""
    return [link_of(row) for row in await tenant.all(_LINKS, seq=seq, last=last, limit=limit)]


async def places(
    tenant: TenantRead, after: tuple[datetime, UUID], before: datetime, limit: int
) -> Sequence[Placed]:
    """Rows behind `after` and older than `before`, by time, each with its place in the chain."""
    found = await tenant.all(_PLACES, after_at=after[0], after_id=after[1], at=before, limit=limit)
    return [Placed(**row) for row in found]
