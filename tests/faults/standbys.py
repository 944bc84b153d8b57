"""A cluster of two servers that take turns: the standby confirms each commit and takes over.

It is kept as the product's templates have it (`deploy.fleet.patroni`): a commit is acknowledged
when the standby has it on disk, and only such a standby takes over. Without a standby writes go on,
and nobody takes over until one has all again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from deploy.errors import OperatorError
from deploy.local import ports, processes
from deploy.local.waiting import awaited
from global_db.address import NodeAddress
from tests.integration.databases import ShardDatabase
from tests.integration.pair import STANDBY, Member
from tests.integration.postgres import ENVIRONMENT, SUPERUSER, Postgres, Site

_SECONDS = 20.0
# In the file, since a server is recovered and rewound without its command line: with its slots, and
# without checksums as on 15.
_REWINDING = """
wal_level = logical
max_replication_slots = 24
wal_log_hints = on
wal_keep_size = 128MB
"""
_SYNCHRONOUS = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


@dataclass(frozen=True)
class EitherServer(Postgres):
    """Whichever of two servers is the primary; `port` is the first one's."""

    other: int = 0

    def conninfo(self, role: str = SUPERUSER, database: str = "postgres") -> str:
        """How to connect to the primary as this role."""
        return make_conninfo(
            host="127.0.0.1,127.0.0.1",
            port=f"{self.port},{self.other}",
            target_session_attrs="read-write",
            dbname=database,
            user=role,
            password=self.password,
        )


@dataclass
class Standbys:
    """The two servers, each on its port for ever, by their present roles."""

    site: Site
    name: str
    primary: Member
    standby: Member

    @property
    def server(self) -> EitherServer:
        """Its primary, whoever that is at the time."""
        first, second = sorted(one.postgres.port for one in (self.primary, self.standby))
        return EitherServer(first, self.site.password, other=second)

    @property
    def addresses(self) -> list[NodeAddress]:
        """Both as the catalogue has them: who is the primary is not said."""
        members = sorted((self.primary, self.standby), key=lambda one: one.name)
        return [
            NodeAddress(name=one.name, host="127.0.0.1", port=one.postgres.port) for one in members
        ]

    def database(self, name: str) -> ShardDatabase:
        """A database of it, on whoever is the primary."""
        return ShardDatabase(self.server, name)

    def start(self) -> None:
        """Start two servers that have the same data, one to follow the other."""
        self.primary.start()
        self._follow()

    def fail_over(self) -> None:
        """The primary and all its children are gone at once; the standby takes over."""
        self.primary.kill()
        self.take_over()

    def hand_over(self) -> None:
        """In order: the primary stops when the standby has all, and comes back behind it. What
        never goes through WAL, its logical slots, it keeps."""
        self.primary.stop()
        self.take_over()
        self._follow()

    def take_over(self) -> None:
        """The standby is the primary from now on; nobody confirms its commits."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def cut_off(self) -> None:
        """The standby receives nothing any more: no commit is acknowledged, all are on disk."""
        self.standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
        self.standby.sql("SELECT pg_reload_conf()")
        self._await(lambda: not self.standby.sql("SELECT 1 FROM pg_stat_wal_receiver"))

    def rejoin(self) -> None:
        """The server that was killed comes back as the standby: what it alone has is undone, and
        its slots are gone."""
        # The fork must be in the control file, which is what is compared.
        self.primary.sql("CHECKPOINT")
        try:
            self._run("pg_rewind", f"--target-pgdata={self.standby.folder}", "--no-sync")
        except OperatorError:
            # It has no WAL of the fork any more: as Patroni, from the beginning.
            self.site.delete(self.standby.folder)
            backup = ("--no-password", "--checkpoint=fast", "--no-sync", "--no-manifest")
            self._run("pg_basebackup", f"--pgdata={self.standby.folder}", *backup)
        self._follow()

    def mend(self) -> None:
        """Whatever befell it, both run and the standby confirms."""
        if self.standby.process is None:
            self.rejoin()

    def end(self) -> None:
        """Kill both, and delete their data."""
        for member in (self.primary, self.standby):
            member.kill()
            self.site.delete(member.folder)

    def _follow(self) -> None:
        """Let the standby follow, and its word count from then on."""
        # Nothing of what it was told as a primary: when it takes over nobody confirms.
        (self.standby.folder / "postgresql.auto.conf").write_text("")
        self.standby.follow(self.primary)
        self.standby.start()
        self.primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        self.primary.sql("SELECT pg_reload_conf()")
        self._await(lambda: bool(self.primary.sql(_SYNCHRONOUS)))

    def _run(self, program: str, *options: str) -> None:
        """A tool that reads from the primary."""
        option = "--source-server" if program == "pg_rewind" else "--dbname"
        processes.run_tool(
            [
                self.site.engines.postgres_program(program),
                f"{option}={self.primary.postgres.conninfo()}",
                *options,
            ],
            self.site.engines.user,
            ENVIRONMENT,
        )

    def _await(self, condition: Callable[[], bool]) -> None:
        if not awaited(condition, _SECONDS):
            raise AssertionError(f"{self.name}: not within {_SECONDS:g} s")


@contextmanager
def standbys(site: Site, template: Path, name: str) -> Iterator[Standbys]:
    """Two running servers, until the block ends."""
    mark = ports.free()
    members = [
        Member(site, f"{name}-{mark}-{which}", Postgres(ports.free(), site.password))
        for which in ("a", "b")
    ]
    made = Standbys(site, name, *members)
    try:
        for member in members:
            site.copy(template, member.folder)
            with (member.folder / "postgresql.conf").open("a") as written:
                written.write(_REWINDING)
        made.start()
        yield made
    finally:
        made.end()
