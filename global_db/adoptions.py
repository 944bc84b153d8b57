"""What the directory learns when a restored cluster takes a shard's place; as the administrator.

Each statement belongs to the transaction that has locked the shard's row (`shard_catalog.lock`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from global_db.audit_heads import Head
from global_db.audit_tables import audit_heads
from global_db.connection import WriteConnection
from global_db.move_tables import ENDED, in_state, moves
from global_db.statement import write
from global_db.tables import clients


@dataclass(frozen=True, slots=True)
class Reopened:
    """A client that is served again from older rows, at a new epoch of the same shard."""

    client_id: UUID
    before: int
    epoch: int


_SHARD = sa.bindparam("shard_", type_=sa.Text)
# I3: whoever runs a move says its generation with every statement. A runner that was stopped before
# its commit point believes of the lost cluster what the restored one does not know.
_DEPOSE = write(
    sa.update(moves)
    .where(~in_state(*ENDED), sa.or_(moves.c.source == _SHARD, moves.c.target == _SHARD))
    .values(generation=moves.c.generation + 1, lease_owner=None, lease_until=None)
    .returning(moves.c.id)
)
_REOPEN = write(
    sa.update(clients)
    .where(
        clients.c.id == sa.bindparam("client_", type_=sa.Uuid),
        clients.c.shard == _SHARD,
        clients.c.epoch == sa.bindparam("before_", type_=sa.BigInteger),
    )
    .values(epoch=sa.bindparam("epoch_", type_=sa.BigInteger), updated_at=sa.func.now())
    .returning(clients.c.id)
)
_WITHDRAW = write(
    sa.delete(audit_heads)
    .where(
        audit_heads.c.client_id == sa.bindparam("client_", type_=sa.Uuid),
        audit_heads.c.seq == sa.bindparam("seq_", type_=sa.BigInteger),
        audit_heads.c.signed_at == sa.bindparam("at_", type_=sa.DateTime(timezone=True)),
    )
    .returning(audit_heads.c.seq)
)


async def depose_runners(connection: WriteConnection, shard: str) -> list[UUID]:
    """End every run of a move from or to the shard; answers the moves, which are claimed anew."""
    return [row["id"] for row in await connection.changed(_DEPOSE, shard_=shard)]


async def reopen(connection: WriteConnection, shard: str, one: Reopened) -> bool:
    """Write the new epoch; False when the client is not where it was."""
    row = await connection.returning(
        _REOPEN, client_=one.client_id, shard_=shard, before_=one.before, epoch_=one.epoch
    )
    return row is not None


async def withdraw(connection: WriteConnection, head: Head) -> bool:
    """Remove a signed head, as it was read; False when a newer one has taken its place."""
    at: datetime = head.signed_at
    row = await connection.returning(_WITHDRAW, client_=head.client_id, seq_=head.seq, at_=at)
    return row is not None
