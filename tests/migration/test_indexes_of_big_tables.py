"""Indexes of big tables are built while others write, and an interrupted build is mended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from global_db.migration import MigrationUnderWay
from shards.history import HISTORY
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import ADMIN, SUPERUSER, Postgres

pytestmark = pytest.mark.versions

INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'documents' ORDER BY 1"
NEW = "idx_documents_living_created_at"
BUILDING = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid'"


@pytest.fixture
def old_shard(postgres: Postgres) -> Iterator[ShardDatabase]:
    """A shard at the first revision."""
    with postgres.database() as database:
        shard = ShardDatabase(database.server, database.name)
        HISTORY.upgrade(shard.conninfo(ADMIN), "0001")
        yield shard


def test_writers_go_on_while_indexes_are_built(old_shard: ShardDatabase) -> None:
    admin = old_shard.conninfo(ADMIN)
    with (
        psycopg.connect(old_shard.conninfo(SUPERUSER)) as writer,
        psycopg.connect(old_shard.conninfo(SUPERUSER), autocommit=True) as other,
        ThreadPoolExecutor() as threads,
    ):
        writer.execute("LOCK TABLE docshard.documents IN ROW EXCLUSIVE MODE")
        migration = threads.submit(HISTORY.upgrade, admin)
        while other.execute(BUILDING).fetchone() is None:
            assert not migration.done()
        # The build waits for the open transaction, and nobody waits for the build.
        other.execute("SET lock_timeout = '1s'")
        with other.transaction():
            other.execute("LOCK TABLE docshard.documents IN ROW EXCLUSIVE MODE")
        with pytest.raises(MigrationUnderWay):
            HISTORY.upgrade(admin)
        assert not migration.done()
        writer.rollback()
        assert migration.result(timeout=30) == HISTORY.head


def test_a_broken_index_is_built_again(old_shard: ShardDatabase) -> None:
    with psycopg.connect(old_shard.conninfo(SUPERUSER), autocommit=True) as superuser:
        superuser.execute("SET ROLE docshard_owner")
        superuser.execute(f"CREATE INDEX {NEW} ON docshard.documents (client_id, id)")
        superuser.execute("RESET ROLE")
        superuser.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
            [f"docshard.{NEW}"],
        )
        HISTORY.upgrade(old_shard.conninfo(ADMIN))
        definition = superuser.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", [NEW]
        ).fetchone()
    assert definition is not None
    assert "created_at" in definition[0]


def test_there_and_back_again(old_shard: ShardDatabase) -> None:
    admin = old_shard.conninfo(ADMIN)

    def indexes() -> list[str]:
        with psycopg.connect(admin) as session:
            return [name for (name,) in session.execute(INDEXES)]

    before = indexes()
    assert HISTORY.upgrade(admin) == HISTORY.head
    after = indexes()
    assert NEW in after
    assert HISTORY.downgrade(admin, "0001") == "0001"
    assert indexes() == before
    assert HISTORY.upgrade(admin) == HISTORY.head
    assert indexes() == after
    assert HISTORY.downgrade(admin, "base") is None
