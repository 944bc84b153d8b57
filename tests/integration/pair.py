"""A shard of two servers, a primary and its replica, that tests kill, freeze and promote."""

import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local import ports, processes
from deploy.local.ports import accepts
from deploy.local.processes import give
from global_db import shard_catalog
from global_db.address import NodeAddress, Pooler
from global_db.bootstrap import DATABASE
from shards.history import HISTORY
from tests.integration.databases import Fleet, ShardDatabase
from tests.integration.pooler import end_pooler, pooler_command
from tests.integration.postgres import (
    ADMIN,
    ENVIRONMENT,
    SETTINGS,
    SUPERUSER,
    TEMPLATES,
    Postgres,
    Site,
    await_start,
)
from tests.integration.waiting import until
from tests.integration.wire import Wire

_MORE = {
    "wal_retrieve_retry_interval": "100ms",
    "wal_keep_size": "128MB",
    "hot_standby_feedback": "on",
    "max_connections": "100",
    "shared_buffers": "32MB",
}
_BORN = ("primary", "replica")
_POOLED = (DATABASE, f"{DATABASE}_replica")
# The replica's name for the primary: who acknowledges a commit in synchronous mode.
STANDBY = "docshard_standby"


@dataclass
class Member:
    """One server of a pair; its port and its data stay whatever becomes of it."""

    site: Site
    name: str
    postgres: Postgres
    process: psutil.Process | None = None

    @property
    def folder(self) -> Path:
        return self.site.folder / self.name

    def start(self) -> None:
        """Start it as its data say: a primary, or a standby."""
        settings = {**SETTINGS, **_MORE}
        command = processes.Command(
            arguments=[
                self.site.engines.postgres_program("postgres"),
                *("-D", str(self.folder), f"-p{self.postgres.port}"),
                *(f"-c{key}={value}" for key, value in settings.items()),
            ],
            folder=Path("/"),
            log=self.site.folder / f"{self.name}.log",
            user=self.site.engines.user,
            environment=ENVIRONMENT,
        )
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self.process = processes.spawn(command, {})
        await_start(self.postgres, self.process, command.log)

    def follow(self, other: "Member") -> None:
        """Be a standby of the other one from the next start on."""
        signal_file = self.folder / "standby.signal"
        signal_file.touch()
        give(signal_file, self.site.engines.user)
        conninfo = other.postgres.conninfo(SUPERUSER, "postgres").replace("dbname=postgres", "")
        source = f"{conninfo} application_name={STANDBY}"
        # Where ALTER SYSTEM writes, so that a test can change it.
        with (self.folder / "postgresql.auto.conf").open("a") as written:
            written.write(f"primary_conninfo = '{source}'\n")

    def kill(self) -> None:
        """As a power cut: the server and all its children at once."""
        if self.process is not None:
            family = processes.family(self.process)
            processes.send(family, signal.SIGKILL)
            processes.await_end(family, 10)
            self.process = None

    def crash(self) -> None:
        """An immediate shutdown: it recovers at its next start."""
        if self.process is not None:
            family = processes.family(self.process)
            processes.send([self.process], signal.SIGQUIT)
            processes.send(processes.await_end(family, 10), signal.SIGKILL)
            self.process = None

    def stop(self) -> None:
        """An orderly shutdown: everything written reaches the replica first."""
        if self.process is not None:
            processes.send([self.process], signal.SIGINT)
            processes.await_end([self.process], 20)
            self.process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        if self.process is not None:
            processes.send(processes.family(self.process), signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        if self.process is not None:
            processes.send(reversed(processes.family(self.process)), signal.SIGCONT)

    def promote(self) -> None:
        """Make the standby a primary, whatever becomes of the old one."""
        self.sql("SELECT pg_promote()")

    def pause_replay(self) -> None:
        """It receives WAL and shows nothing of it."""
        self.sql("SELECT pg_wal_replay_pause()")

    def resume_replay(self) -> None:
        """It catches up."""
        self.sql("SELECT pg_wal_replay_resume()")

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the superuser."""
        conninfo = self.postgres.conninfo(SUPERUSER, database)
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@dataclass
class PairPooler:
    """A PgBouncer before both servers, that can be killed and started again."""

    site: Site
    servers: Sequence[int]
    port: int = field(default_factory=ports.free)
    process: psutil.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        self.process = processes.spawn(pooler_command(self.site, self.servers, self.port), {})

        async def answers() -> bool:
            return accepts(self.port)

        await until(answers)

    def kill(self) -> None:
        """End it at once, with every connection through it."""
        if self.process is not None:
            end_pooler(self.process)
            self.process = None


@dataclass(frozen=True)
class Pair:
    """Two servers, the wires to them, and the database that both hold."""

    primary: Member
    replica: Member
    database: ShardDatabase
    wires: tuple[Wire, Wire]
    pooler: PairPooler | None = None

    @property
    def addresses(self) -> list[NodeAddress]:
        """How a `Cluster` reaches them: through the wires, or the pooler."""
        return [
            NodeAddress(
                name=f"shard-1-{born}",
                host="127.0.0.1",
                port=wire.address.port,
                pooler=None
                if self.pooler is None
                else Pooler(host="127.0.0.1", port=self.pooler.port, database=database),
            )
            for wire, born, database in zip(self.wires, _BORN, _POOLED, strict=True)
        ]

    def on_replica(self) -> ShardDatabase:
        """The same database as the replica shows it."""
        return ShardDatabase(self.replica.postgres, self.database.name)

    def members(self) -> tuple[Member, Member]:
        return (self.primary, self.replica)


@pytest.fixture(scope="session")
def pair_template(postgres_site: Site) -> Path:
    """Data with the template of a shard's schema, of a server that was shut down in order."""
    folder = postgres_site.folder / "pair-template"
    postgres_site.copy(postgres_site.template, folder)
    member = Member(postgres_site, folder.name, Postgres(ports.free(), postgres_site.password))
    member.start()
    member.postgres.prepare("template_shard")
    member.postgres.migrate("template_shard", TEMPLATES["template_shard"])
    member.stop()
    return folder


@contextmanager
def running_pair(
    site: Site, template: Path, *, synchronous: bool
) -> Iterator[tuple[Member, Member]]:
    """A primary and a replica that streams from it; deleted in the end.

    `synchronous`: a commit is acknowledged once the replica has it on disk.
    """
    mark = ports.free()
    primary, replica = (
        Member(site, f"pair-{mark}-{name}", Postgres(ports.free(), site.password))
        for name in ("one", "two")
    )
    try:
        for member in (primary, replica):
            site.copy(template, member.folder)
        primary.start()
        replica.follow(primary)
        replica.start()
        if synchronous:
            primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            primary.sql("SELECT pg_reload_conf()")
        yield primary, replica
    finally:
        for member in (primary, replica):
            member.thaw()
            member.kill()
            shutil.rmtree(member.folder, ignore_errors=True)


@dataclass(frozen=True)
class Way:
    """How a process reaches a pair: through a pooler, or through wires; and whether a commit waits
    for the replica's disk."""

    pooled: bool = False
    synchronous: bool = False


@asynccontextmanager
async def paired_fleet(
    site: Site, template: Path, fleet: Fleet, way: Way | None = None
) -> AsyncIterator[tuple[Fleet, Pair]]:
    """The fleet with a pair in the place of shard-1."""
    chosen = way or Way()
    with running_pair(site, template, synchronous=chosen.synchronous) as (primary, replica):
        # The configuration that the product renders for poolers names its database so.
        name = DATABASE if chosen.pooled else fleet.global_db.name
        primary.sql(f'CREATE DATABASE "{name}" TEMPLATE template_shard')
        database = ShardDatabase(primary.postgres, name)
        wires = tuple(
            Wire(NodeAddress(name=one.name, host="127.0.0.1", port=one.postgres.port))
            for one in (primary, replica)
        )
        async with AsyncExitStack() as stack:
            for wire in wires:
                await stack.enter_async_context(wire.up())
            pooler = PairPooler(site, [wire.upstream_port for wire in wires])
            pair = Pair(
                primary, replica, database, (wires[0], wires[1]), pooler if chosen.pooled else None
            )
            if chosen.pooled:
                stack.callback(pooler.kill)
                await pooler.start()
            async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
                await shard_catalog.register(connection, "shard-1", pair.addresses, weight=1)
                await shard_catalog.set_revision(connection, "shard-1", HISTORY.head)
            yield Fleet(fleet.global_db, {**fleet.shards, "shard-1": database}), pair
