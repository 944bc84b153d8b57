"""Schema histories: which revision a database has, and how it gets to another one.

Two histories use this, the global one and the shards'. A run holds an advisory lock, so two
operators at once are harmless, and a short lock_timeout, so a migration that would make the
service queue behind it gives up instead. All revisions of a run commit together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from global_db.columns import SCHEMA

_LOCK = 7_346_000_001  # any constant of our own
_LOCK_TIMEOUT = "3s"
_OWNER = "docshard_owner"

_Steps = Callable[[Any, MigrationContext], Any]


class RunSql(Protocol):
    """What a revision gets: `upgrade(run)` and `downgrade(run)` run files of `migrations/sql`.

    `{key}` in the file is replaced by each of `names`, which are constants of the revision.
    """

    def __call__(self, name: str, **names: str) -> None:
        """Run the file inside the migration's transaction."""


@dataclass(frozen=True)
class _Runner:
    connection: sa.Connection
    folder: Path

    def __call__(self, name: str, **names: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        for key, value in names.items():
            text = text.replace("{" + key + "}", value)
        driver = self.connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("migrations run on an open connection")
        # To the driver as it is: SQLAlchemy's `:name` and psycopg's `%` would misread PL/pgSQL.
        driver.execute(text)


@dataclass(frozen=True)
class History:
    """The revisions of one schema, in `migrations/` beside the package that owns it."""

    folder: Path

    @cached_property
    def _order(self) -> dict[str, int]:
        return {revision: place for place, revision in enumerate(self.revisions())}

    @property
    def head(self) -> str:
        """The newest revision this code knows."""
        head = self._scripts().get_current_head()
        if head is None:
            raise LookupError(f"no revisions in {self.folder}")
        return head

    def revisions(self) -> list[str]:
        """Every revision, oldest first."""
        return [script.revision for script in reversed(list(self._scripts().walk_revisions()))]

    def pending(self, current: str | None) -> list[str]:
        """The revisions a database at `current` still needs, oldest first.

        A revision this code does not know is newer than the code: nothing is pending.
        """
        known = self.revisions()
        if current is None:
            return known
        return known[known.index(current) + 1 :] if current in known else []

    def is_behind(self, current: str | None, needed: str) -> bool:
        """Whether a database at `current` is older than `needed`.

        Asked on every request, so it compares what was read from disk once.
        """
        order = self._order
        return current is None or (current in order and order[current] < order[needed])

    def current(self, conninfo: str) -> str | None:
        """The revision a database has, or None when it has none."""
        with _engine(conninfo).connect() as connection:
            return _context(connection).get_current_revision()

    def upgrade(self, conninfo: str, revision: str = "head") -> str | None:
        """Bring a database up to `revision`; running it again changes nothing."""
        scripts = self._scripts()
        return self._run(conninfo, lambda now, _: scripts._upgrade_revs(revision, now))

    def downgrade(self, conninfo: str, revision: str) -> str | None:
        """Take a database back to `revision` (`base` for an empty schema)."""
        scripts = self._scripts()
        return self._run(conninfo, lambda now, _: scripts._downgrade_revs(revision, now))

    def _run(self, conninfo: str, steps: _Steps) -> str | None:
        """Run revisions in one transaction.

        Alembic's commands keep their state in module globals; used directly, its MigrationContext
        has none, so that many databases can be migrated side by side in threads.
        """
        with _engine(conninfo).begin() as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            connection.execute(sa.text(f"SET LOCAL ROLE {_OWNER}"))
            migration = _context(connection, steps)
            migration.run_migrations(run=_Runner(connection, self.folder / "sql"))
            return migration.get_current_revision()

    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        return config


def history(package_file: str) -> History:
    """The history in `migrations/` beside `package_file`."""
    return History(Path(package_file).parent / "migrations")


# The global database's history; the shards' one is in shards.registry.
GLOBAL_HISTORY = history(__file__)


def _engine(conninfo: str) -> sa.Engine:
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )


def _context(connection: sa.Connection, steps: _Steps | None = None) -> MigrationContext:
    options: dict[str, Any] = {"version_table_schema": SCHEMA}
    if steps is not None:
        options["fn"] = steps
    return MigrationContext.configure(connection, opts=options)
