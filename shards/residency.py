"""Entering a tenant: how a session proves to the shard that the tenant lives there.

I3 and I4: the shard's own functions check epoch and state and set the tenant for row-level
security. See migrations/sql/0001_residency.sql for the argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.connection import ReadConnection, WriteConnection
from global_db.reads import DEMAND, LIFE, Entrance
from global_db.statement import ReadStatement, read, read_by_value, write
from shards.tables import residency


class Refused(Exception):
    """The shard does not serve this tenant at this epoch now. Nothing was committed."""


class NotResident(Refused):
    """The tenant does not live on this shard: no row, `importing` or `gone`."""


class StaleEpoch(Refused):
    """The tenant lives here, at another epoch than the caller believes."""


class Fenced(Refused):
    """The tenant is at the switch of a move; it opens again within moments, here or elsewhere."""


_REFUSALS: dict[str, type[Refused]] = {"DS001": NotResident, "DS002": StaleEpoch, "DS003": Fenced}

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_EPOCH = sa.bindparam("epoch", type_=sa.BigInteger)

# The tenant's id as `enter` answers it. A read compares client_id with this and nothing else: the
# reference is what makes PostgreSQL run `enter` before it looks at a row.
entered = sa.func.docshard.enter(_CLIENT, _EPOCH, type_=sa.Uuid).column_valued("entered")
_ENTERING = "docshard.enter(%(client_id)s::UUID, %(epoch)s::BIGINT)"
_ENTERING_IN_LIFE = f"docshard.in_life({_ENTERING}, %(life)s::BIGINT)"

_ENTER_WRITE = write(sa.select(sa.func.docshard.enter_write(_CLIENT, _EPOCH).label("now")))
_ADMIT = write(sa.select(sa.func.docshard.admit(_CLIENT, _EPOCH).label("admitted")))
# Before a read on a replica: the place, and whether the tenant is open here at this epoch. The
# statement's own `enter` asks that again, with a snapshot that may be older than its answer: on a
# replica what a move applied and the opening behind it are replayed within microseconds. Found open
# in an earlier statement, all that the move brought is in the snapshot; and in every later one of
# the same life, so it need be found once.
_ENTER = sa.func.docshard.enter(_CLIENT, _EPOCH).label("entered")
_DEMANDING = read(sa.select(DEMAND.label("there"), LIFE, _ENTER))
_PLAIN = read(sa.select(_ENTER))

_STATE = read(
    sa.select(residency.c.epoch, residency.c.state).where(residency.c.client_id == _CLIENT)
)


def entered_read(
    query: sa.Select[Any] | sa.CompoundSelect[Any],
    order_by: Sequence[sa.ColumnElement[Any]] = (),
    *,
    prepared: bool = True,
) -> ReadStatement:
    """A read of one tenant that enters in the same statement.

    `query` must compare its tables' client_id with `entered`. `order_by` repeats the order of
    `query` by column labels, since a join promises none. `prepared=False` as in
    `read_by_value`.
    """
    # OFFSET 0 keeps the planner from merging the two levels. Merged they are a mere product, whose
    # order is a matter of cost; apart, the inner one cannot begin before `entered` is known.
    rows = query.offset(sa.literal_column("0")).lateral("rows")
    entering = sa.select(rows).select_from(entered.scalar_alias).join(rows, sa.true())
    build = read if prepared else read_by_value
    return _in_life(build(entering.order_by(*order_by)))


def entered_text(query: str) -> ReadStatement:
    """As `entered_read`, of SQL text with the driver's placeholders, where that reads better.

    `query` must compare its tables' client_id with the column `entered`. Planned each time: such
    queries are long and rare.
    """
    rows = f"LATERAL ({query} OFFSET 0) AS rows"
    text = f"SELECT rows.* FROM {_ENTERING} AS entered, {rows}"  # noqa: S608 - texts of ours
    return _in_life(ReadStatement(text, {}, prepare=False))


def _in_life(statement: ReadStatement) -> ReadStatement:
    """The statement with its other form: entered through the demand for the server's life."""
    parts = statement.text.split(_ENTERING)
    if len(parts) != 2:
        raise TypeError("a tenant's read enters once")
    return replace(statement, in_life=_ENTERING_IN_LIFE.join(parts))


def entrance(client_id: UUID, epoch: int) -> Entrance:
    """How a read that may be answered by a replica enters the tenant."""
    parameters = {"client_id": client_id, "epoch": epoch}
    return Entrance(_DEMANDING, _PLAIN, parameters, subject=(client_id, epoch))


async def enter_write(connection: WriteConnection, client_id: UUID, epoch: int) -> Any:
    """Enter for writing; the first statement of the transaction. Answers the transaction's time.

    Raises:
        Fenced: the wait for a mover's lock took longer than lock_timeout.
        psycopg.Error: what `refusals` turns into a `Refused`.
    """
    try:
        row = await connection.returning(_ENTER_WRITE, client_id=client_id, epoch=epoch)
    except psycopg.errors.LockNotAvailable as error:
        raise Fenced("a mover holds the tenant") from error
    if row is None:
        raise NotResident(str(client_id))
    return row["now"]


async def admit(connection: WriteConnection, client_id: UUID, epoch: int) -> bool:
    """Open a new tenant here; False when the shard already knows the tenant, in any state."""
    row = await connection.returning(_ADMIT, client_id=client_id, epoch=epoch)
    return row is not None and bool(row["admitted"])


async def state(connection: ReadConnection, client_id: UUID) -> tuple[int, str] | None:
    """Epoch and state of the tenant on this shard, or None."""
    row = await connection.one(_STATE, client_id=client_id)
    return None if row is None else (row["epoch"], row["state"])


def refusals() -> AbstractContextManager[None]:
    """Turn the fence's SQLSTATEs into `Refused`."""
    return _TURNING


class _Turning:
    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, psycopg.Error):
            refusal = _REFUSALS.get(error.sqlstate or "")
            if refusal is not None:
                raise refusal(str(error).strip()) from error


_TURNING: Final = _Turning()
