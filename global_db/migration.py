"""Schema histories: which revision a database has, and how it gets to another one.

Two histories use this, the global one and the shards'. A run holds an advisory lock, so two
operators at once are harmless. All revisions of a run commit together or not at all, under a short
lock_timeout, so that a migration that would make the service queue behind it gives up instead.

What takes long on big tables is done before, outside any transaction: a revision may have
`prepare_upgrade(run)`, whose files hold CREATE INDEX CONCURRENTLY IF NOT EXISTS and the like. What
came before it is committed first. A run that was interrupted there is simply run again: it drops
the invalid indexes that it finds, and builds what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from global_db.columns import SCHEMA
from global_db.revisions import Revisions

_LOCK = 7_346_000_001  # any constant of our own
_LOCK_TIMEOUT = "3s"
_LOCK_SECONDS = 3.0
_OWNER = "docshard_owner"

_Steps = Callable[[Any, MigrationContext], Any]


class MigrationUnderWay(Exception):
    """Another run migrates this database: wait for it, or look at what it waits for."""


class RunSql(Protocol):
    """What a revision gets: `upgrade(run)` and `downgrade(run)` run files of `migrations/sql`.

    `{key}` in the file is replaced by each of `names`, which are constants of the revision.
    """

    def __call__(self, name: str, **names: str) -> None:
        """Run the file inside the migration's transaction; outside any when it prepares."""


@dataclass(frozen=True)
class _Runner:
    connection: sa.Connection
    folder: Path

    def __call__(self, name: str, **names: str) -> None:
        # To the driver as it is: SQLAlchemy's `:name` and psycopg's `%` would misread PL/pgSQL.
        _driver(self.connection).execute(_text(self.folder / name, names))


@dataclass(frozen=True)
class _Preparer:
    """Runs a file's statements one by one: what is CONCURRENT takes no company.

    A statement that answers rows has made statements, one a row, which are run in its place.
    """

    connection: sa.Connection
    folder: Path

    def __call__(self, name: str, **names: str) -> None:
        lines = _text(self.folder / name, names).splitlines()
        bare = "\n".join(line for line in lines if not line.startswith("--"))
        for statement in filter(str.strip, bare.split(";")):
            cursor = _driver(self.connection).execute(statement.encode())
            for (made,) in cursor.fetchall() if cursor.description else ():
                _driver(self.connection).execute(made.encode())


def _text(path: Path, names: Mapping[str, str]) -> str:
    text = path.read_text(encoding="utf-8")
    for key, value in names.items():
        text = text.replace("{" + key + "}", value)
    return text


def _driver(connection: sa.Connection) -> Any:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("migrations run on an open connection")
    return driver


@dataclass(frozen=True)
class History(Revisions):
    """The revisions of one schema, in `migrations/` beside the package that owns it."""

    def current(self, conninfo: str) -> str | None:
        """The revision a database has, or None when it has none."""
        with _engine(conninfo).connect() as connection:
            return _context(connection).get_current_revision()

    def upgrade(self, conninfo: str, revision: str = "head") -> str | None:
        """Bring a database up to `revision`; running it again changes nothing.

        Raises:
            MigrationUnderWay.
        """
        scripts, target = self._scripts(), self.head if revision == "head" else revision
        with _alone(conninfo) as connection:
            for together in self._runs(scripts, _revision(connection), target):
                self._prepare(connection, scripts, together[0])
                self._run(connection, _steps(scripts._upgrade_revs, together[-1]))
            return _revision(connection)

    def downgrade(self, conninfo: str, revision: str) -> str | None:
        """Take a database back to `revision` (`base` for an empty schema), in one transaction.

        Raises:
            MigrationUnderWay.
        """
        with _alone(conninfo) as connection:
            self._run(connection, _steps(self._scripts()._downgrade_revs, revision))
            return _revision(connection)

    def _runs(self, scripts: ScriptDirectory, low: str | None, high: str | None) -> list[list[str]]:
        """Revisions by transaction: one that prepares begins a new one."""
        runs: list[list[str]] = []
        for one in self._between(low, high):
            if not runs or _preparation(scripts, one) is not None:
                runs.append([])
            runs[-1].append(one)
        return runs

    def _between(self, low: str | None, high: str | None) -> list[str]:
        """The revisions after `low` up to and with `high`, oldest first; none when one is unknown.

        A revision this code does not know is newer than the code: there is nothing to do.
        """
        order = self._order
        if (low is not None and low not in order) or high not in order:
            return []
        first = -1 if low is None else order[low]
        return [one for one, place in order.items() if first < place <= order[high]]

    def _prepare(self, connection: sa.Connection, scripts: ScriptDirectory, revision: str) -> None:
        work = _preparation(scripts, revision)
        if work is not None:
            driver = _driver(connection)
            for statement in driver.execute(_DROPS_OF_INVALID, [SCHEMA]).fetchall():
                driver.execute(statement[0].encode())
            work(run=_Preparer(connection, self.folder / "sql"))

    def _run(self, connection: sa.Connection, steps: _Steps) -> None:
        """Run revisions in one transaction.

        Alembic's commands keep their state in module globals; used directly, its MigrationContext
        has none, so that many databases can be migrated side by side in threads.
        """
        with _driver(connection).transaction():
            _driver(connection).execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'".encode())
            migration = _context(connection, steps)
            migration.run_migrations(run=_Runner(connection, self.folder / "sql"))

    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        return config


def history(package_file: str) -> History:
    """The history in `migrations/` beside `package_file`."""
    return History(Path(package_file).parent / "migrations")


# The global database's history; the shards' one is in shards.history.
GLOBAL_HISTORY = history(__file__)


def _engine(conninfo: str) -> sa.Engine:
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )


# What an interrupted CREATE INDEX CONCURRENTLY leaves behind: IF NOT EXISTS would take it for done.
_DROPS_OF_INVALID = """
    SELECT format('DROP INDEX CONCURRENTLY %%I.%%I', n.nspname, c.relname)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %s AND NOT i.indisvalid AND c.relkind = 'i' AND NOT c.relispartition
"""


def _preparation(scripts: ScriptDirectory, revision: str) -> Callable[..., None] | None:
    work: Callable[..., None] | None = getattr(
        scripts.get_revision(revision).module, "prepare_upgrade", None
    )
    return work


def _steps(find: Callable[[str, Any], Any], revision: str) -> _Steps:
    return lambda now, _: find(revision, now)


@contextmanager
def _alone(conninfo: str) -> Iterator[sa.Connection]:
    """A session of the owner that holds the lock; each statement its own transaction.

    The lock is asked for again and again instead of waited for: who waits holds a snapshot, and
    CREATE INDEX CONCURRENTLY waits for snapshots, so the two would wait for each other.
    """
    with _engine(conninfo).connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        deadline = time.monotonic() + _LOCK_SECONDS
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_LOCK))):
            if time.monotonic() > deadline:
                raise MigrationUnderWay("another run migrates this database: try again later")
            time.sleep(0.1)
        connection.execute(sa.text(f"SET ROLE {_OWNER}"))
        yield connection


def _revision(connection: sa.Connection) -> str | None:
    return _context(connection).get_current_revision()


def _context(connection: sa.Connection, steps: _Steps | None = None) -> MigrationContext:
    options: dict[str, Any] = {"version_table_schema": SCHEMA}
    if steps is not None:
        options["fn"] = steps
    return MigrationContext.configure(connection, opts=options)
