"""Fleets that grow by rows: tenants of the directory, documents of one of them, shards.

Rows are made by the databases, as many as are asked for; the service takes them for its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import LiteralString
from uuid import UUID

import httpx

from loadtests.bench.fleet import Shard, throwaway_fleet
from loadtests.bench.processor import Family
from loadtests.bench.servers import OURS, Server, serving
from loadtests.bench.stage import file_more
from loadtests.bench.tenants import Tenant, administrator, new_tenants

SMALL_TENANTS, SMALL_DOCUMENTS, LIVING_SHARDS = 1_000, 1_000, 2
_REMEMBERED = 20_000
"""Tenants of a fleet that are asked in turn."""

_TENANTS: LiteralString = """
    INSERT INTO docshard.clients (id, code, name, shard)
    SELECT gen_random_uuid(), 'grown-' || n, 'a tenant', %(shard)s
      FROM generate_series((SELECT count(*) FROM docshard.clients) + 1, %(tenants)s) AS n
"""
# Nobody listens there: routers look for them again and again, as for shards that are down.
_SHARDS: LiteralString = """
    INSERT INTO docshard.shards (name, nodes, schema_revision)
    SELECT 'shard-' || n, '[{"name": "away", "host": "127.0.0.1", "port": 9}]',
           (SELECT max(schema_revision) FROM docshard.shards)
      FROM generate_series((SELECT count(*) FROM docshard.shards) + 1, %(shards)s) AS n
"""
_SOME: LiteralString = "SELECT id FROM docshard.clients ORDER BY id LIMIT %s"
_ENTER: LiteralString = "SELECT set_config('app.client_id', %s::uuid::text, true)"
_DOCUMENTS: LiteralString = """
    SELECT id FROM docshard.documents WHERE client_id = %s AND deleted_at IS NULL
     ORDER BY md5(id::text) LIMIT 500
"""
_ADMIT: LiteralString = "SELECT docshard.admit(id, 1) FROM unnest(%s::uuid[]) AS id"


@dataclass(frozen=True, slots=True)
class Subject:
    """A fleet with the tenant in it that is asked, and the router that is measured."""

    directory: Shard
    shard: str
    """Where the tenant lives, and all others."""
    home: Shard
    """Its primary."""
    client_id: UUID
    key: str = field(repr=False)
    server: Server
    databases: Sequence[Family]
    """The directory's and the shard's."""

    def bearer(self) -> str:
        """An administrator's token, which reaches every tenant."""
        target = self.home.target
        who = {"email": target.email, "password": target.password}
        answer = httpx.post(f"{target.api}/v1/auth/login", json=who, trust_env=False)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def tenant(self) -> Tenant:
        """The tenant with some of its documents, wherever they lie among the others."""
        with self.home.session("docshard_app") as app, app.transaction():
            app.execute(_ENTER, [self.client_id])
            some = [row[0] for row in app.execute(_DOCUMENTS, [self.client_id])]
        return Tenant(self.client_id, self.key, some)

    def several(self) -> list[UUID]:
        """The tenants that are asked in turn; they may live where they do."""
        with self.directory.session("docshard_admin") as directory:
            some = [row[0] for row in directory.execute(_SOME, [_REMEMBERED])]
        with self.home.session("docshard_app") as app:
            app.execute(_ADMIT, [some])
        with self.home.session("docshard_admin") as admin:
            # Now, and not by autovacuum while requests are timed.
            admin.execute("SET ROLE docshard_owner")
            admin.execute("VACUUM (ANALYZE) docshard.residency")
        return some


def more_tenants(grown: Subject, number: int) -> None:
    """Put tenants into the directory, until it has so many."""
    with grown.directory.session("docshard_admin") as directory:
        directory.execute(_TENANTS, {"tenants": number, "shard": grown.shard})
    # In a session of its own: see `file_more`.
    with grown.directory.session("docshard_admin") as directory:
        directory.execute("SET ROLE docshard_owner")
        directory.execute("VACUUM (ANALYZE) docshard.clients")


def more_documents(grown: Subject, number: int) -> None:
    """File documents of the tenant that is asked."""
    file_more(grown.home, grown.client_id, number)


def more_shards(grown: Subject, number: int) -> None:
    """Register shards that nobody serves, until there are so many."""
    with grown.directory.session("docshard_admin") as directory:
        directory.execute(_SHARDS, {"shards": number})


@contextmanager
def small_fleet() -> Iterator[Subject]:
    """A fleet that has not grown yet. Its router trusts a placement for a millisecond.

    Raises:
        NoFleet.
    """
    with ExitStack() as stack:
        made = stack.enter_context(throwaway_fleet(LIVING_SHARDS))
        [(client_id, key)] = new_tenants(made.target, 1).items()
        with administrator(made.target) as api:
            shard = api.get_placement(client_id).shard
        home = made.shard(shard)
        file_more(home, client_id, SMALL_DOCUMENTS)
        variables = {**made.variables, "DOCSHARD_PLACEMENT_LEASE_SECONDS": "0.001"}
        fleet = replace(made, variables=variables)
        servers = stack.enter_context(serving(fleet, home, [OURS]))
        small = Subject(
            fleet.global_database(),
            shard,
            home,
            client_id,
            key,
            servers.by_name[OURS],
            [Family(fleet.process(f"{name}-primary")) for name in ("global", shard)],
        )
        more_tenants(small, SMALL_TENANTS)
        yield small
