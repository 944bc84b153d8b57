"""A shard of documents to search, of the benchmark's making, and what reads them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import JsonbDumper

from global_db.connection import ReadConnection
from global_db.directory import Placement
from loadtests.bench.library import Library, fill
from shards.tenants import TenantRead
from tests.integration.databases import ShardDatabase
from tests.integration.explaining import Explaining, explaining
from tests.integration.postgres import ADMIN, APP, SUPERUSER, Postgres

_COUNTS = """
    SELECT pg_stat_force_next_flush(), seq_scan,
           (SELECT idx_scan FROM pg_stat_user_indexes
             WHERE indexrelname = 'idx_documents_name_keys'),
           (SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'idx_documents_metadata')
      FROM pg_stat_user_tables WHERE schemaname = 'docshard' AND relname = 'documents'
"""


@dataclass(frozen=True)
class Shelf:
    """The shard and its tenants, the largest first."""

    shard: ShardDatabase
    clients: Sequence[UUID]
    size: int

    def scans(self) -> tuple[int, int, int]:
        """Sequential scans of documents so far, and scans of the two GIN indexes."""
        with psycopg.connect(self.shard.conninfo(SUPERUSER), autocommit=True) as session:
            row = session.execute(_COUNTS).fetchone()
            assert row is not None
            return row[1], row[2], row[3]


@contextmanager
def shelf(postgres: Postgres, size: int, tenants: int, largest: float) -> Iterator[Shelf]:
    """`size` documents of so many tenants; the part `largest` belongs to the first."""
    with postgres.database("template_shard") as database:
        shard = ShardDatabase(database.server, database.name)
        with psycopg.connect(shard.conninfo(APP), autocommit=True) as app:
            clients = [_admitted(app) for _ in range(tenants)]
        with psycopg.connect(shard.conninfo(ADMIN), autocommit=True) as admin:
            fill(admin, Library(clients, size, largest))
        with psycopg.connect(shard.conninfo(SUPERUSER), autocommit=True) as superuser:
            superuser.execute("VACUUM (ANALYZE)")
        yield Shelf(shard, clients, size)


def _admitted(app: psycopg.Connection) -> UUID:
    row = app.execute(
        "SELECT client, docshard.admit(client, 1) FROM gen_random_uuid() AS client"
    ).fetchone()
    assert row is not None
    client_id: UUID = row[0]
    return client_id


async def reading(shard: ShardDatabase) -> Explaining:
    """A session of the application, as its pool makes one."""
    session = await explaining(shard.conninfo(APP))
    session.adapters.register_dumper(dict, JsonbDumper)
    return session


def reader(session: psycopg.AsyncConnection[Any], client_id: UUID) -> TenantRead:
    """A tenant's reads over the session."""
    return TenantRead(ReadConnection(session), Placement(client_id, "shard-1", 1, "active"))
