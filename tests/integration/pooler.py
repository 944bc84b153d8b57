"""A real PgBouncer in transaction mode before one test database, with one server connection."""

import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from deploy.fleet.model import DATABASE, Address, Cluster, Node, Pooler
from deploy.fleet.pgbouncer import POOLED_ROLES, PoolerFiles, render_pooler, render_users
from deploy.local import processes
from deploy.local.home import write_private
from deploy.local.postgres import give
from global_db.connection import RawConnection
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP, Postgres, Site, free_port
from tests.integration.waiting import until

# Everybody gets the same server connection: what one leaves behind, the next one finds.
_ONE_CONNECTION = "default_pool_size = 1\n"


class PoolerMissing(Exception):
    """PgBouncer is not installed, or says nothing of its version."""


@dataclass(frozen=True)
class Pooled:
    """A shard's database, and the way to it through the pooler."""

    shard: ShardDatabase
    port: int

    @asynccontextmanager
    async def session(self, role: str = APP) -> AsyncIterator[RawConnection]:
        """A connection through the pooler; nothing is prepared unless a test asks for it."""
        conninfo = make_conninfo(
            self.shard.conninfo(role), port=self.port, dbname=DATABASE, connect_timeout=5
        )
        connection = await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, row_factory=dict_row, prepare_threshold=None
        )
        async with connection:
            yield connection


@contextmanager
def pooled(site: Site, server: Postgres) -> Iterator[Pooled]:
    """Start the pooler before a shard's database of its own.

    Raises:
        PoolerMissing.
    """
    # The configuration that the product renders names its database so.
    with server.database("template_shard", DATABASE) as database:
        shard, port = ShardDatabase(database.server, database.name), free_port()
        process = processes.spawn(_command(site, server, port), {})
        try:
            yield Pooled(shard, port)
        finally:
            _end(process)


def _command(site: Site, server: Postgres, port: int) -> processes.Command:
    program, version = site.engines.pooler, site.engines.pooler_version
    if program is None or version is None:
        raise PoolerMissing("PgBouncer is not installed")
    folder = site.folder / "pgbouncer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    cluster = Cluster(
        name="shard-1",
        nodes=(Node(name="shard-1-primary", address=_at(server.port), born="primary"),),
        pooler=Pooler(name="shard-1-pgbouncer", address=_at(port)),
    )
    users, configuration = folder / "userlist.txt", folder / "pgbouncer.ini"
    write_private(users, render_users(dict.fromkeys(POOLED_ROLES, server.password)))
    text = render_pooler(cluster, PoolerFiles(version, users))
    write_private(configuration, text + _ONE_CONNECTION)
    for path in (folder, users, configuration):
        give(path, site.engines.user)
    return processes.Command(
        arguments=[str(program), str(configuration)],
        folder=Path("/"),
        log=site.folder / "pgbouncer.log",
        user=site.engines.user,
        environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )


def _at(port: int) -> Address:
    return Address(host="127.0.0.1", port=port)


def _end(process: psutil.Process) -> None:
    process.kill()
    processes.await_end([process], 10)


async def until_it_answers(made: Pooled) -> None:
    """Wait until the pooler lets clients in."""

    async def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", made.port), 1):
            return True
        return False

    await until(answers)
