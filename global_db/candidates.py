"""What decides whether a client may be moved now: plans and commands were made from older facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from global_db.client_statistics import rate_of
from global_db.connection import ReadConnection
from global_db.erasure_tables import erasures
from global_db.move_tables import move_clients
from global_db.statement import read
from global_db.statistics_tables import client_rates, client_sizes
from global_db.tables import clients

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client, living or deleted; `moving`: it is in a living move already, `erasing`: it is
    being erased.

    Rows and bytes are None while nobody has measured them; `writes` are per second.
    """

    client_id: UUID
    code: str
    shard: str
    epoch: int
    pinned: bool
    deleted: bool
    moving: bool
    erasing: bool
    rows: int | None
    bytes: int | None
    writes: float


_SEEN = read(
    sa.select(
        clients.c.id.label("client_id"),
        clients.c.code,
        clients.c.shard,
        clients.c.epoch,
        clients.c.pinned,
        clients.c.deleted_at.is_not(None).label("deleted"),
        sa.exists()
        .where(move_clients.c.client_id == clients.c.id, ~move_clients.c.ended)
        .label("moving"),
        sa.exists().where(erasures.c.client_id == clients.c.id).label("erasing"),
        client_sizes.c.rows,
        client_sizes.c.bytes,
        sa.func.coalesce(rate_of(client_rates.c.writes_level), 0.0).label("writes"),
    )
    .select_from(clients)
    .outerjoin(client_sizes, client_sizes.c.client_id == clients.c.id)
    .outerjoin(client_rates, client_rates.c.client_id == clients.c.id)
    .where(clients.c.id == sa.func.any(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))))
)


async def seen(connection: ReadConnection, ids: Sequence[UUID]) -> dict[UUID, Candidate]:
    """These clients as they are now; unknown ids are absent."""
    found: dict[UUID, Candidate] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = await connection.all(_SEEN, ids=list(ids[start : start + _CHUNK]))
        found |= {row["client_id"]: Candidate(**row) for row in rows}
    return found
