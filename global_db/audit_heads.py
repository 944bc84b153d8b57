"""Signed heads of audit chains: what a chain looked like when it was vouched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_into

from global_db.audit_tables import audit_heads
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write

GLOBAL_CHAIN = UUID(int=0)
"""In the place of a client's id: the global log's own chain."""


@dataclass(frozen=True, slots=True)
class Head:
    """A link that was signed with the Ed25519 key `kid`."""

    client_id: UUID
    seq: int
    chain_hash: bytes
    signed_at: datetime
    kid: UUID
    signature: bytes


_COLUMNS = [audit_heads.c[one.name] for one in fields(Head)]
_OF = read(
    sa.select(*_COLUMNS)
    .where(audit_heads.c.client_id == sa.bindparam("client_id"))
    .order_by(audit_heads.c.seq)
)
_wanted = (
    sa.func.unnest(sa.bindparam("client_ids", type_=ARRAY(sa.Uuid)), type_=sa.Uuid)
    .table_valued("client_id")
    .render_derived(name="wanted")
)
_newest = (
    sa.select(*_COLUMNS)
    .where(audit_heads.c.client_id == _wanted.c.client_id)
    .order_by(audit_heads.c.signed_on.desc())
    .limit(1)
    .lateral("newest")
)
_NEWEST = read(sa.select(_newest).select_from(_wanted).join(_newest, sa.true()))
_new = insert_into(audit_heads).values(
    signed_on=sa.bindparam("signed_on", type_=sa.Date),
    **{one.name: sa.bindparam(one.name) for one in fields(Head)},
)
# Of two workers at once one may be behind: the newer head stays.
_KEEP = write(
    _new.on_conflict_do_update(
        index_elements=["client_id", "signed_on"],
        set_={
            name: _new.excluded[name]
            for name in ("seq", "chain_hash", "signed_at", "kid", "signature")
        },
        where=_new.excluded.seq > audit_heads.c.seq,
    )
)


async def keep(connection: WriteConnection, head: Head) -> None:
    """Keep a head, in the place of an older one of the same day (UTC)."""
    values = {one.name: getattr(head, one.name) for one in fields(Head)}
    await connection.send(_KEEP, signed_on=head.signed_at.astimezone(UTC).date(), **values)


async def of_chain(connection: ReadConnection, client_id: UUID) -> list[Head]:
    """Every head of a chain, oldest first."""
    return [Head(**row) for row in await connection.all(_OF, client_id=client_id)]


async def newest(connection: ReadConnection, client_ids: Sequence[UUID]) -> dict[UUID, Head]:
    """The newest head of each of these chains that has one."""
    rows = await connection.all(_NEWEST, client_ids=list(client_ids))
    return {row["client_id"]: Head(**row) for row in rows}
