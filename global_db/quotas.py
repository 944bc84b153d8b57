"""What operators allow clients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_into

from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.quota_tables import client_quotas
from global_db.statement import read, write


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one client; None is no limit.

    Documents are living ones, bytes those of all stored versions. `requests_per_second` stands in
    the place of the limit that all clients have, in routers of one host.
    """

    max_documents: int | None = None
    max_bytes: int | None = None
    requests_per_second: float | None = None


UNLIMITED = Quota()
COLUMNS: tuple[sa.Column[Any], ...] = tuple(client_quotas.c[name] for name in Quota.__slots__)

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_GET = read(sa.select(*COLUMNS).where(client_quotas.c.client_id == _CLIENT))
_new = insert_into(client_quotas).values(
    client_id=_CLIENT, **{name: sa.bindparam(name) for name in Quota.__slots__}
)
_SET = write(
    _new.on_conflict_do_update(
        index_elements=[client_quotas.c.client_id],
        set_={name: _new.excluded[name] for name in Quota.__slots__}
        | {"updated_at": sa.func.now()},
    )
)


def taken_from(row: Row) -> Quota:
    """The quota among a row's columns, which are taken out of it."""
    return Quota(**{name: row.pop(name) for name in Quota.__slots__})


async def get(connection: ReadConnection, client_id: UUID) -> Quota:
    """A client's limits."""
    row = await connection.one(_GET, client_id=client_id)
    return UNLIMITED if row is None else Quota(**row)


async def put(connection: WriteConnection, client_id: UUID, quota: Quota) -> None:
    """Set a client's limits; its client is locked, or known to live, in this transaction."""
    await connection.send(_SET, client_id=client_id, **asdict(quota))
