"""A history goes up, down and up again; twice, at once, under foreign locks, and broken halfway."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from global_db.migration import GLOBAL_HISTORY, History
from shards.history import HISTORY as SHARD_HISTORY
from tests.integration.postgres import ADMIN, APP, SUPERUSER, Database, Postgres
from tests.migration import catalog

pytestmark = pytest.mark.versions


@dataclass(frozen=True)
class Empty:
    """A database without tables, and the history that makes them."""

    database: Database
    history: History

    @property
    def admin(self) -> str:
        return self.database.conninfo(ADMIN)

    def upgrade(self) -> str | None:
        return self.history.upgrade(self.admin)

    def downgrade(self) -> str | None:
        return self.history.downgrade(self.admin, "base")

    def catalog(self) -> catalog.Catalog:
        return catalog.read(self.database, catalog.WHOLE)


@pytest.fixture(params=[GLOBAL_HISTORY, SHARD_HISTORY], ids=["global", "shard"])
def empty(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Empty]:
    with postgres.database() as database:
        yield Empty(database, request.param)


def test_down_to_nothing_and_up_again_leaves_the_same(empty: Empty) -> None:
    nothing = empty.catalog()
    assert empty.history.current(empty.admin) is None
    assert empty.upgrade() == empty.history.head
    first = empty.catalog()
    assert first["functions"]
    assert empty.downgrade() is None
    assert empty.catalog() == nothing
    assert empty.upgrade() == empty.history.head
    assert empty.catalog() == first


def test_a_second_run_changes_nothing(empty: Empty) -> None:
    empty.upgrade()
    first = empty.catalog()
    assert empty.upgrade() == empty.history.head
    assert empty.catalog() == first
    assert empty.history.pending(empty.history.current(empty.admin)) == []


def test_runs_at_once_are_harmless(empty: Empty) -> None:
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(empty.upgrade) for _ in range(4)]
    assert {run.result() for run in runs} == {empty.history.head}


def test_a_run_gives_up_rather_than_let_the_service_queue_behind_it(empty: Empty) -> None:
    empty.upgrade()
    before = empty.catalog()
    table = "documents" if empty.history is SHARD_HISTORY else "clients"
    with psycopg.connect(empty.database.conninfo(SUPERUSER)) as reader:
        reader.execute(f"SELECT FROM docshard.{table}".encode())
        begun = time.monotonic()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            empty.downgrade()
        assert time.monotonic() - begun < 6
    assert empty.catalog() == before
    assert empty.history.current(empty.admin) == empty.history.head
    assert empty.downgrade() is None


def test_serving_roles_migrate_nothing(empty: Empty) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        empty.history.upgrade(empty.database.conninfo(APP))
    assert empty.history.current(empty.admin) is None


REVISION = """
revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None


def upgrade(run):
    run("{revision}.sql")


def downgrade(run):
    run("down.sql")
"""


def write_history(folder: Path, *texts: str) -> History:
    """A history with one revision for each text of SQL."""
    for name in ("versions", "sql"):
        (folder / name).mkdir(parents=True)
    down = None
    for number, text in enumerate(texts, start=1):
        revision = f"{number:04}"
        script = REVISION.format(revision=revision, down=repr(down))
        (folder / "versions" / f"{revision}.py").write_text(script)
        (folder / "sql" / f"{revision}.sql").write_text(text)
        down = revision
    return History(folder)


def test_the_revisions_of_a_run_come_together_or_not_at_all(
    postgres: Postgres, tmp_path: Path
) -> None:
    good = "CREATE TABLE docshard.one ()"
    with postgres.database() as database:
        broken = Empty(database, write_history(tmp_path / "broken", good, "CREATE NONSENSE"))
        nothing = broken.catalog()
        with pytest.raises(psycopg.errors.SyntaxError):
            broken.upgrade()
        assert broken.history.current(broken.admin) is None
        assert broken.catalog() == nothing

        mended = Empty(
            database, write_history(tmp_path / "mended", good, "CREATE TABLE docshard.two ()")
        )
        assert mended.history.upgrade(mended.admin, "0001") == "0001"
        assert mended.history.pending("0001") == ["0002"]
        assert mended.history.is_behind("0001", "0002")
        assert mended.upgrade() == "0002"
        assert not mended.history.is_behind("0002", "0002")


def test_what_a_revision_says_in_percent_and_colons_arrives_as_written(
    postgres: Postgres, tmp_path: Path
) -> None:
    text = "CREATE TABLE docshard.one (a text DEFAULT '100% :name %(name)s ' || 1::text)"
    with postgres.database() as database:
        given = Empty(database, write_history(tmp_path / "history", text))
        given.upgrade()
        assert "100% :name %(name)s" in str(given.catalog()["columns"])


def test_the_columns_of_tables_are_owned_by_nobody_who_serves(postgres: Postgres) -> None:
    for template in ("template_global", "template_shard"):
        with postgres.database(template) as database:
            owners = {row[4] for row in catalog.read(database, catalog.WHOLE)["relations"]}
            assert owners == {"docshard_owner"}
