"""Real PostgreSQL servers for tests: throwaway, on free loopback ports, ended by their pids.

The programs are those of DOCSHARD_POSTGRES, else the wheel's. Every test works in a database of its
own, cloned from a template that was bootstrapped and migrated once.
"""

import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from deploy.local import ports, processes
from deploy.local.engines import Engines, find_engines, server_user
from deploy.local.postgres import release_memory
from deploy.local.processes import give
from global_db.address import Login
from global_db.bootstrap import LOGINS, bootstrap
from global_db.cluster import Cluster, NodeAddress, PoolLimits
from global_db.connection import RawConnection
from global_db.migration import GLOBAL_HISTORY, History
from shards.history import HISTORY as SHARD_HISTORY
from tests.memory import roomy_memory

APP, WORKER, ADMIN, SUPERUSER = "docshard_app", "docshard_worker", "docshard_admin", "postgres"
MOVER = "docshard_mover"
TEMPLATES: Mapping[str, History] = {
    "template_global": GLOBAL_HISTORY,
    "template_shard": SHARD_HISTORY,
}

_START_SECONDS = 30.0
ENVIRONMENT = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # In the data folder, which is deleted in the end: what a killed server has in /dev/shm stays.
    "dynamic_shared_memory_type": "mmap",
    "wal_level": "logical",
    "max_connections": "200",
    # A new subscription's worker starts at once, also when another one has just started.
    "wal_retrieve_retry_interval": "10ms",
    "max_replication_slots": "24",
    "max_logical_replication_workers": "8",
    "max_worker_processes": "16",
    "shared_buffers": "64MB",
    "fsync": "off",
    "jit": "off",
    # DROP DATABASE waits for every backend of the server, also for one that still waits for its
    # client's password; and the client may be a task of the very loop that drops the database.
    "authentication_timeout": "20s",
    "timezone": "UTC",
    # Statistics change when a test says so, not while it looks at a plan.
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Postgres:
    """A running server. Every role has the same password."""

    port: int
    password: str
    _numbers: Iterator[int] = field(default_factory=count)

    def conninfo(self, role: str = SUPERUSER, database: str = "postgres") -> str:
        """How to connect as this role."""
        return make_conninfo(
            host="127.0.0.1", port=self.port, dbname=database, user=role, password=self.password
        )

    def prepare(self, database: str) -> None:
        """Make a database with roles and an empty schema."""
        bootstrap(self.conninfo(), dict.fromkeys(LOGINS, self.password), database)

    def migrate(self, database: str, history: History) -> None:
        """Bring a prepared database to the history's head."""
        history.upgrade(self.conninfo(ADMIN, database))

    @contextmanager
    def database(
        self, template: str | None = None, name: str | None = None
    ) -> Iterator["Database"]:
        """A database for the length of the block: a clone, or without template an empty one."""
        chosen = name or f"test_{os.getpid()}_{next(self._numbers)}"
        if template is None:
            self.prepare(chosen)
        else:
            self._clone(chosen, template)
        try:
            yield Database(self, chosen)
        finally:
            self._drop(chosen)

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _clone(self, name: str, template: str) -> None:
        new, old = sql.Identifier(name), sql.Identifier(template)
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(new, old)
            )
            # A clone has its template's contents, not its grants.
            connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(new))


@dataclass(frozen=True)
class Database:
    """A database of a test."""

    server: Postgres
    name: str

    def conninfo(self, role: str) -> str:
        """How to connect as this role."""
        return self.server.conninfo(role, self.name)

    @asynccontextmanager
    async def session(self, role: str = SUPERUSER) -> AsyncIterator[RawConnection]:
        """A connection of psycopg's own: each statement its own transaction, rows as dicts."""
        connection = await psycopg.AsyncConnection.connect(
            self.conninfo(role), autocommit=True, row_factory=dict_row
        )
        async with connection:
            yield connection

    @property
    def address(self) -> NodeAddress:
        """Where a `Cluster` of this database finds its one node."""
        return NodeAddress(name=f"node-{self.server.port}", host="127.0.0.1", port=self.server.port)

    def login(self, role: str = APP) -> Login:
        """What a `Cluster` logs in with."""
        return Login(role, self.server.password, self.name)

    @asynccontextmanager
    async def cluster(
        self, role: str = APP, limits: PoolLimits | None = None
    ) -> AsyncIterator[Cluster]:
        """The database as the service talks to it."""
        cluster = Cluster("shard-1", [self.address], self.login(role), limits or PoolLimits())
        async with cluster:
            yield cluster

    def set_deadline(self, role: str, name: str, value: str) -> None:
        """Give a role another deadline in this database, for sessions from now on."""
        with psycopg.connect(self.conninfo(SUPERUSER), autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                    sql.Identifier(role), sql.Identifier(self.name), sql.Identifier(name), value
                )
            )


@dataclass(frozen=True)
class Site:
    """Where servers keep their files, and an empty cluster that their data is copied from."""

    folder: Path
    engines: Engines
    password: str

    @property
    def template(self) -> Path:
        """The empty cluster."""
        return self.folder / "template"

    @contextmanager
    def server(
        self, name: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Postgres]:
        """A running server without databases; `environment` is added to its own."""
        data, port = self.folder / name, ports.free()
        self.copy(self.template, data)
        settings = [f"-c{key}={value}" for key, value in SETTINGS.items()]
        command = processes.Command(
            arguments=[
                *(self.engines.postgres_program("postgres"), "-D", str(data), f"-p{port}"),
                *settings,
            ],
            folder=Path("/"),
            log=self.folder / f"{name}.log",
            user=self.engines.user,
            environment=ENVIRONMENT | dict(environment),
        )
        process = processes.spawn(command, {})
        try:
            server = Postgres(port, self.password)
            await_start(server, process, command.log)
            yield server
        finally:
            # Nothing here is worth an orderly shutdown.
            family = processes.family(process)
            processes.send([process], signal.SIGQUIT)
            processes.send(processes.await_end(family, 10), signal.SIGKILL)

    def copy(self, data: Path, to: Path) -> None:
        """Copy the data of a server that does not run."""
        self._run(["/bin/cp", "-a", str(data), str(to)])

    def delete(self, data: Path) -> None:
        """Delete the data of a server that does not run, with what it left if it was killed."""
        if (data / "postmaster.pid").exists():
            release_memory(self.engines.postgres, data, self.engines.user)
        shutil.rmtree(data, ignore_errors=True)

    def make_template(self) -> None:
        """Run initdb, once for all servers."""
        password = self.folder / "password"
        password.write_text(self.password)
        give(password, self.engines.user)
        self._run(
            [
                *(self.engines.postgres_program("initdb"), "-D", str(self.template)),
                *("-U", "postgres", f"--pwfile={password}", "-A", "scram-sha-256"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
            ]
        )

    def _run(self, arguments: list[str]) -> None:
        processes.run_tool(arguments, self.engines.user, ENVIRONMENT)


@contextmanager
def site() -> Iterator[Site]:
    """A folder for servers, deleted in the end."""
    with server_folder() as folder:
        chosen = os.environ.get("DOCSHARD_POSTGRES")
        engines = find_engines(Path(chosen) if chosen else None, folder)
        made = Site(folder, engines, secrets.token_urlsafe(16))
        made.make_template()
        yield made


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that is the servers' user's, deleted in the end."""
    with tempfile.TemporaryDirectory(
        prefix="docshard-test-", dir=roomy_memory(), ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)
        give(folder, server_user())
        yield folder


def await_start(server: Postgres, process: psutil.Process, log: Path) -> None:
    """Wait until the server lets clients in; fails with the end of its log."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(server.conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if processes.alive(process.pid) is None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from error
            time.sleep(0.03)
        else:
            if processes.alive(process.pid) is None:  # somebody else has the port
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            return
