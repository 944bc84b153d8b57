"""Whether a cluster is somebody's already: what is asked before it becomes a shard, or stops to be.

Asked of clusters that may have no schema of ours yet: nothing is assumed to be there.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.statement import read
from shards.tables import TENANT_TABLES, residency

_SCHEMAS = read(
    sa.select(
        sa.func.to_regclass("docshard.users").is_not(None).label("directory"),
        sa.func.to_regclass("docshard.residency").is_not(None).label("shard"),
    )
)
_RESIDENT = read(sa.select(sa.func.count().label("tenants")).where(residency.c.state != "gone"))
_ROWS = read(
    sa.select(
        *(sa.exists(sa.select(table.c.client_id)).label(table.name) for table in TENANT_TABLES)
    )
)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What a cluster's database holds.

    `directory`: the tables of a global database. `tenants`: how many have a residency other than
    `gone`.
    """

    directory: bool = False
    tenants: int = 0


async def occupancy(connection: ReadConnection) -> Occupancy:
    """What this database holds, whatever it is."""
    schemas = await connection.one(_SCHEMAS)
    if schemas is None or not schemas["shard"]:
        return Occupancy(directory=bool(schemas and schemas["directory"]))
    row = await connection.one(_RESIDENT)
    return Occupancy(schemas["directory"], row["tenants"] if row else 0)


async def tables_with_rows(connection: ReadConnection) -> list[str]:
    """Tenants' tables that are not empty; as a role that passes row-level security."""
    row = await connection.one(_ROWS)
    return [name for name, there in (row or {}).items() if there]
