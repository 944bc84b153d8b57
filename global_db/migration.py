"""Schema histories: which revision a database has, and how it gets to another one.

Two histories use this, the global one and the shards'. A run holds an advisory lock, so two
operators at once are harmless, and a short lock_timeout, so a migration that would make the
service queue behind it gives up instead. All revisions of a run commit together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from global_db.columns import SCHEMA

_LOCK = 7_346_000_001  # any constant of our own
_LOCK_TIMEOUT = "3s"
_OWNER = "docshard_owner"


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
        return self._run(conninfo, command.upgrade, revision)

    def downgrade(self, conninfo: str, revision: str) -> str | None:
        """Take a database back to `revision` (`base` for an empty schema)."""
        return self._run(conninfo, command.downgrade, revision)

    def _run(self, conninfo: str, step: Any, revision: str) -> str | None:
        with _engine(conninfo).begin() as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            connection.execute(sa.text(f"SET LOCAL ROLE {_OWNER}"))
            config = self._config()
            config.attributes["connection"] = connection
            step(config, revision)
            return _context(connection).get_current_revision()

    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        return config


def history(package_file: str) -> History:
    """The history in `migrations/` beside `package_file`."""
    return History(Path(package_file).parent / "migrations")


def run_environment() -> None:
    """What both `migrations/env.py` do: run on the connection that `History` opened."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table_schema=SCHEMA)
    context.run_migrations()


def run_sql(migration_file: str, name: str, **names: str) -> None:
    """Run `migrations/sql/<name>` inside the migration's transaction.

    The text goes to the driver as it is, since both SQLAlchemy's `:name` and psycopg's `%` would
    misread PL/pgSQL. `{key}` is replaced by each of `names`, which are constants of a migration.
    """
    text = (Path(migration_file).parent.parent / "sql" / name).read_text(encoding="utf-8")
    for key, value in names.items():
        text = text.replace("{" + key + "}", value)
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("migrations run on an open connection")
    driver.execute(text)


def _engine(conninfo: str) -> sa.Engine:
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )


def _context(connection: sa.Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
