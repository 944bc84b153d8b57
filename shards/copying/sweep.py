"""Removing rows by ranges of keys: what moved away, and what a failed attempt left.

Each range is deleted in a transaction of its own that first makes sure, and keeps sure until it
commits, that the tenant's rows are this move's to delete. Deleting by LIMIT alone would walk over
all that was deleted before, again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection
from shards.copying.batch import Batch, Gate, Mover
from shards.copying.errors import Superseded
from shards.copying.keys import TABLES, Key, TenantTable
from shards.copying.sessions import first, moving, session

# No triggers: neither fence nor rules about deleting are meant for what has moved away.
_AS_REPLICA: LiteralString = "SET LOCAL session_replication_role = replica"
# FOR SHARE: nobody imports the tenant here again before this transaction has ended.
_STATE: LiteralString = """
    SELECT client_id FROM docshard.residency
     WHERE client_id = %s AND move_id = %s AND state = %s FOR SHARE
"""
_FORGET: LiteralString = "DELETE FROM docshard.move_markers WHERE move_id = %s"
_UPPER = sql.SQL("""
    SELECT {key_text} AS upper FROM {table}
     WHERE client_id = %(client)s AND {key} >= {lower}
     ORDER BY {key_columns} OFFSET %(offset)s LIMIT 1
""")
_DELETE = sql.SQL("DELETE FROM {table} WHERE client_id = %(client)s AND {key} >= {lower}")
_UP_TO = sql.SQL(" AND {key} <= {upper}")


async def sweep(cluster: Cluster, mover: Mover, batch: Batch, gate: Gate) -> int:
    """Delete the batch's rows where it is `gone` because of this move; answers how many rows.

    On the source after a move, on the target after an abort. Each transaction deletes a range of
    keys and checks `gone` anew; the `gone` rows stay. No subscription may listen any more.

    Raises:
        Superseded: a tenant is not `gone` because of this move.
        ClusterError, and whatever `gate` raises.
    """
    return await clear(cluster, mover, batch, gate, state="gone")


async def clear(cluster: Cluster, mover: Mover, batch: Batch, gate: Gate, *, state: str) -> int:
    """Delete the batch's rows, and the stream's markers, where it is in that state by this move."""
    rows = 0
    async with session(cluster, mover) as connection:
        clearing = _Clearing(connection, mover, gate, state, batch.portions.swept)
        for table in reversed(TABLES):
            for client in batch.clients:
                rows += await clearing.table(table, client)
        async with moving(connection, mover):
            await connection.execute(_FORGET, [mover.forward.move_id])
    return rows


@dataclass(frozen=True, slots=True)
class _Clearing:
    connection: RawConnection
    mover: Mover
    gate: Gate
    state: str
    portion: int

    async def table(self, table: TenantTable, client: UUID) -> int:
        """Delete the tenant's rows of one table."""
        total, lower = 0, table.least
        while True:
            rows, upper = await self._range(table, client, lower)
            total += rows
            if rows:
                await self.gate(rows, 0)
            if upper is None:
                return total
            lower = upper

    async def _range(self, table: TenantTable, client: UUID, lower: Key) -> tuple[int, Key | None]:
        async with moving(self.connection, self.mover) as connection:
            await self._check(client)
            await connection.execute(_AS_REPLICA)
            values = {"client": client, "lower": lower, "offset": self.portion - 1}
            found = await (await connection.execute(_upper(table), values)).fetchone()
            if found is None:
                return (await connection.execute(_delete(table), values)).rowcount, None
            upper = found["upper"]
            cursor = await connection.execute(
                _delete(table) + _up_to(table), {**values, "upper": upper}
            )
            return cursor.rowcount, upper

    async def _check(self, client: UUID) -> None:
        row = await first(self.connection, _STATE, client, self.mover.move_id, self.state)
        if row is None:
            raise Superseded(f"tenant {client} is not {self.state} here because of this move")


def _upper(table: TenantTable) -> sql.Composed:
    return _UPPER.format(
        key_text=table.key_text,
        table=table.qualified,
        key=table.key_row,
        key_columns=table.key_columns,
        lower=table.bound(sql.SQL("%(lower)s")),
    )


def _delete(table: TenantTable) -> sql.Composed:
    lower = table.bound(sql.SQL("%(lower)s"))
    return _DELETE.format(table=table.qualified, key=table.key_row, lower=lower)


def _up_to(table: TenantTable) -> sql.Composed:
    return _UP_TO.format(key=table.key_row, upper=table.bound(sql.SQL("%(upper)s")))
