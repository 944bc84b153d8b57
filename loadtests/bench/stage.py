"""A throwaway fleet with rows that the service and its peers share, and tenants to ask for them."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg

from loadtests.bench.fleet import Fleet, Shard, throwaway_fleet
from loadtests.bench.library import Library, fill
from loadtests.bench.tenants import Tenant, new_tenants
from loadtests.peers.statements import COPY, TABLES

CALLERS = 8
"""Each of a tenant of its own; fewer than connections to the database, so nobody waits for one."""
_ASKED = 64
"""Documents of a tenant that are read."""

_SOME: LiteralString = (
    "SELECT id FROM docshard.peer_documents WHERE client_id = %s AND deleted_at IS NULL ORDER BY id"
)
_NO_POOLERS: LiteralString = """
    UPDATE docshard.shards SET nodes = (
        SELECT jsonb_agg(node - 'pooler') FROM jsonb_array_elements(nodes) AS node)
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running fleet, its shard, and the tenants in it."""

    fleet: Fleet
    shard: Shard
    tenants: Sequence[Tenant]
    postgres: int
    """The process of the shard's primary."""

    @property
    def programs(self) -> Path:
        """Where PostgreSQL's programs are."""
        return Path(f"/proc/{self.postgres}/exe").readlink().parent


@contextmanager
def stage(rows: int, *, poolers: bool = False) -> Iterator[Stage]:
    """Start a fleet and file so many documents, of equally large tenants.

    Raises:
        NoFleet.
    """
    with throwaway_fleet(1) as fleet:
        shard = fleet.shard("shard-1")
        keys = new_tenants(shard.target, CALLERS)
        with shard.session("docshard_admin") as admin:
            fill(admin, Library(list(keys), rows, largest=1 / CALLERS))
            _make_peers(admin)
            tenants = [_tenant(admin, client_id, key) for client_id, key in keys.items()]
        yield Stage(
            fleet if poolers else _without_poolers(fleet),
            shard,
            tenants,
            fleet.process("shard-1-primary"),
        )


def file_more(shard: Shard, client_id: UUID, rows: int) -> None:
    """File documents of one more tenant."""
    with shard.session("docshard_admin") as admin:
        fill(admin, Library([client_id], rows, largest=1.0))
    # What a session has written is counted by its end at the latest: counted behind the VACUUM, it
    # would have autovacuum do it once more while requests are timed.
    with shard.session("docshard_admin") as admin:
        admin.execute("SET ROLE docshard_owner")
        admin.execute("VACUUM (ANALYZE) docshard.documents")


def _make_peers(admin: psycopg.Connection) -> None:
    with admin.transaction():
        admin.execute("SET LOCAL ROLE docshard_owner")
        for statement in (*TABLES, *COPY):
            admin.execute(statement)
    admin.execute("SET ROLE docshard_owner")
    for table in ("documents", "peer_documents", "peer_users"):
        admin.execute(f"VACUUM (ANALYZE) docshard.{table}".encode())


def _tenant(admin: psycopg.Connection, client_id: UUID, key: str) -> Tenant:
    found = [row[0] for row in admin.execute(_SOME, [client_id])]
    return Tenant(client_id, key, random.Random(7).sample(found, min(_ASKED, len(found))))


def _without_poolers(fleet: Fleet) -> Fleet:
    """Servers that start from now on find their databases past the poolers."""
    with fleet.global_database().session("docshard_admin") as admin:
        admin.execute("SET ROLE docshard_owner")
        admin.execute(_NO_POOLERS)
    nodes = json.loads(fleet.variables["DOCSHARD_GLOBAL_NODES"])
    direct = json.dumps([{**node, "pooler": None} for node in nodes])
    return replace(fleet, variables={**fleet.variables, "DOCSHARD_GLOBAL_NODES": direct})
