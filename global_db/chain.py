"""The global audit log's chain; and what a chain is made of, here and on the shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.audit_tables import audit_chain, audit_pending
from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.statement import read, write
from global_db.tables import audit_logs

Content = Mapping[str, Any]
"""What an audit row says, by column, as its content hash covers it: `changes` is the text that
PostgreSQL makes of it, `ip_address` the bare address; all else is as it was read."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest link of a chain."""

    seq: int
    chain_hash: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `content` is what its row says now; None: there is no such row."""

    seq: int
    audit_id: UUID
    audit_created_at: datetime
    content_hash: bytes
    chain_hash: bytes
    content: Content | None


@dataclass(frozen=True, slots=True)
class Placed:
    """An audit row and its place: `seq` in the chain, or else whether it is `queued` for one."""

    created_at: datetime
    id: UUID
    seq: int | None
    queued: bool


def content_columns(logs: sa.Table) -> list[sa.ColumnElement[Any]]:
    """What makes a `Content` of an audit_logs row, behind the prefix that `link_of` takes off."""
    shaped = {
        "changes": sa.cast(logs.c.changes, sa.Text),
        "ip_address": sa.func.host(logs.c.ip_address),
    }
    return [
        shaped.get(column.name, column).label(f"row_{column.name}")
        for column in logs.columns
        if column.name != "content_hash"
    ]


def place_columns(
    logs: sa.Table, chain: sa.Table, pending: sa.Table
) -> list[sa.ColumnElement[Any]]:
    """What makes a `Placed` of an audit_logs row: looked up for each row of a page by itself."""

    def same(table: sa.Table) -> list[sa.ColumnElement[bool]]:
        tenant = [table.c.client_id == logs.c.client_id] if "client_id" in table.c else []
        return [*tenant, table.c.audit_id == logs.c.id]

    at = pending.c.audit_created_at == logs.c.created_at
    waits = sa.select(sa.literal(1)).select_from(pending).where(*same(pending), at)
    return [
        logs.c.created_at,
        logs.c.id,
        sa.select(chain.c.seq)
        .where(*same(chain), chain.c.audit_created_at == logs.c.created_at)
        .scalar_subquery()
        .label("seq"),
        waits.exists().label("queued"),
    ]


def link_of(row: Row) -> Link:
    """A link out of its columns and its row's."""
    content = {
        name.removeprefix("row_"): value for name, value in row.items() if name.startswith("row_")
    }
    own = {name: value for name, value in row.items() if not name.startswith("row_")}
    return Link(**own, content=None if content["id"] is None else content)


LINK_COLUMNS = ("seq", "audit_id", "audit_created_at", "content_hash", "chain_hash")
SEQ = sa.bindparam("seq", type_=sa.BigInteger)
LAST = sa.bindparam("last", type_=sa.BigInteger)
LIMIT = sa.bindparam("limit", type_=sa.Integer)
AT = sa.bindparam("at", type_=sa.DateTime(timezone=True))
AFTER = sa.tuple_(
    sa.bindparam("after_at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("after_id", type_=sa.Uuid),
)
BEGINNING = (datetime.fromisoformat("0001-01-02T00:00:00Z"), UUID(int=0))
"""A position before every audit row."""

_LINK = write(
    sa.select(sa.func.docshard.link_audit(sa.bindparam("most", type_=sa.Integer)).label("linked"))
)
_TIP = read(
    sa.select(audit_chain.c.seq, audit_chain.c.chain_hash)
    .order_by(audit_chain.c.seq.desc())
    .limit(1)
)
_AT = read(
    sa.select(audit_chain.c.audit_created_at, audit_chain.c.chain_hash).where(
        audit_chain.c.seq == SEQ
    )
)
_WAITING = read(
    sa.select(audit_pending.c.audit_created_at).order_by(audit_pending.c.audit_created_at).limit(1)
)
_LINKS = read(
    sa.select(*(audit_chain.c[name] for name in LINK_COLUMNS), *content_columns(audit_logs))
    .select_from(audit_chain)
    .outerjoin(
        audit_logs,
        (audit_logs.c.created_at == audit_chain.c.audit_created_at)
        & (audit_logs.c.id == audit_chain.c.audit_id),
    )
    .where(audit_chain.c.seq > SEQ, audit_chain.c.seq <= LAST)
    .order_by(audit_chain.c.seq)
    .limit(LIMIT)
)
_PLACES = read(
    sa.select(*place_columns(audit_logs, audit_chain, audit_pending))
    .where(
        sa.tuple_(audit_logs.c.created_at, audit_logs.c.id) > AFTER, audit_logs.c.created_at < AT
    )
    .order_by(audit_logs.c.created_at, audit_logs.c.id)
    .limit(LIMIT)
)


async def link(connection: WriteConnection, most: int) -> int:
    """Link at most so many rows; answers how many were, 0 too while another worker is at it."""
    row = await connection.returning(_LINK, most=most)
    return 0 if row is None else int(row["linked"])


async def tip(connection: ReadConnection) -> Tip | None:
    """The newest link."""
    row = await connection.one(_TIP)
    return None if row is None else Tip(**row)


async def link_at(connection: ReadConnection, seq: int) -> tuple[datetime, bytes] | None:
    """The time of one link's row, and its chain hash."""
    row = await connection.one(_AT, seq=seq)
    return None if row is None else (row["audit_created_at"], row["chain_hash"])


async def waiting_since(connection: ReadConnection) -> datetime | None:
    """The time of the oldest row that waits for its link."""
    row = await connection.one(_WAITING)
    return None if row is None else row["audit_created_at"]


async def links(connection: ReadConnection, seq: int, last: int, limit: int) -> list[Link]:
    """The links after `seq` up to `last`, in order, each with its row."""
    return [link_of(row) for row in await connection.all(_LINKS, seq=seq, last=last, limit=limit)]


async def places(
    connection: ReadConnection, after: tuple[datetime, UUID], before: datetime, limit: int
) -> Sequence[Placed]:
    """Rows behind `after` and older than `before`, by time, each with its place in the chain."""
    found = await connection.all(
        _PLACES, after_at=after[0], after_id=after[1], at=before, limit=limit
    )
    return [Placed(**row) for row in found]
