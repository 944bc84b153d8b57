"""A real PgBouncer in transaction mode before one test database, with one server connection."""

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from deploy.fleet.model import DATABASE, Address, Cluster, Node, Pooler
from deploy.fleet.pgbouncer import (
    ASKING_ROLE,
    POOLED_ROLES,
    PoolerFiles,
    render_pooler,
    render_users,
)
from deploy.local import ports, processes
from deploy.local.home import write_private
from deploy.local.ports import accepts
from deploy.local.processes import give
from global_db.connection import RawConnection
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP, Postgres, Site
from tests.integration.waiting import until

# Everybody gets the same server connection: what one leaves behind, the next one finds.
_ONE_CONNECTION = "default_pool_size = 1\n"
_BORN: tuple[Literal["primary", "replica"], ...] = ("primary", "replica")


class PoolerMissing(Exception):
    """PgBouncer is not installed, or says nothing of its version."""


@dataclass(frozen=True)
class Pooled:
    """A shard's database, and the way to it through the pooler."""

    shard: ShardDatabase
    port: int
    configuration: Path

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
def pooled(site: Site, server: Postgres, *, asks_servers: bool = False) -> Iterator[Pooled]:
    """Start the pooler before a shard's database of its own.

    With `asks_servers` it learns verifiers from the server; without, a file holds passwords.

    Raises:
        PoolerMissing.
    """
    # The configuration that the product renders names its database so.
    with server.database("template_shard", DATABASE) as database:
        shard, port = ShardDatabase(database.server, database.name), ports.free()
        command = pooler_command(site, [server.port], port, asks_servers=asks_servers)
        process = processes.spawn(command, {})
        try:
            yield Pooled(shard, port, Path(command.arguments[-1]))
        finally:
            end_pooler(process)


def pooler_command(
    site: Site, servers: Sequence[int], port: int, *, asks_servers: bool = False
) -> processes.Command:
    """The pooler before servers on these ports, the first of them born the primary."""
    program, version = site.engines.pooler, site.engines.pooler_version
    if program is None or version is None:
        raise PoolerMissing("PgBouncer is not installed")
    folder = site.folder / f"pgbouncer-{port}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    pooler = Pooler(name="shard-1-pgbouncer", address=_at(port))
    cluster = Cluster(
        name="shard-1",
        nodes=tuple(
            Node(name=f"shard-1-{born}", address=_at(one), born=born)
            for one, born in zip(servers, _BORN, strict=False)
        ),
        poolers=(pooler,),
    )
    users, configuration = folder / "userlist.txt", folder / "pgbouncer.ini"
    passwords = dict.fromkeys((*POOLED_ROLES, ASKING_ROLE), site.password)
    write_private(users, render_users(passwords, asks_servers=asks_servers))
    text = render_pooler(cluster, pooler, PoolerFiles(version, users, asks_servers=asks_servers))
    write_private(
        configuration, text + (_ONE_CONNECTION if len(servers) == 1 and not asks_servers else "")
    )
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


def end_pooler(process: psutil.Process) -> None:
    """End it at once."""
    process.kill()
    processes.await_end([process], 10)


async def until_it_answers(made: Pooled) -> None:
    """Wait until the pooler lets clients in."""

    async def answers() -> bool:
        return accepts(made.port)

    await until(answers)
